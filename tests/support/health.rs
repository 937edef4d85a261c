//! What hostile input may not harm: panics of this process, and the memory of this or another.

use std::{
    panic,
    sync::{
        Once,
        atomic::{AtomicUsize, Ordering},
    },
};

/// Panics of all threads so far, those of spawned tasks too, which nobody sees otherwise.
pub fn panics() -> usize {
    static SEEN: AtomicUsize = AtomicUsize::new(0);
    static HOOK: Once = Once::new();
    HOOK.call_once(|| {
        let default = panic::take_hook();
        panic::set_hook(Box::new(move |info| {
            SEEN.fetch_add(1, Ordering::SeqCst);
            default(info);
        }));
    });
    SEEN.load(Ordering::SeqCst)
}

/// Bytes of memory that this process has now.
pub fn resident() -> usize {
    resident_of(std::process::id())
}

/// Bytes of memory that a process has now.
pub fn resident_of(process: u32) -> usize {
    bytes_of(process, "VmRSS:")
}

/// The most that it ever had.
pub fn peak_of(process: u32) -> usize {
    bytes_of(process, "VmHWM:")
}

fn bytes_of(process: u32, field: &str) -> usize {
    let status = std::fs::read_to_string(format!("/proc/{process}/status")).expect("Linux, and a process that runs");
    let line = status.lines().find_map(|line| line.strip_prefix(field)).expect("the field");
    line.trim().trim_end_matches(" kB").parse::<usize>().expect("a number") << 10
}
