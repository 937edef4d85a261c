//! Locks between test processes, and between the tests of one: each is taken on a file handle of its own.

use std::{
    env,
    fs::{File, TryLockError},
    thread,
    time::{Duration, Instant},
};

/// Longer than any test holds one.
const PATIENCE: Duration = Duration::from_secs(600);

/// Held until dropped.
#[derive(Debug)]
pub struct Lock(#[expect(dead_code, reason = "closing the file unlocks it")] File);

impl Lock {
    /// Any number of holders together, while nobody holds it alone. Blocks the thread.
    pub fn shared(name: &str) -> Lock {
        Lock::take(name, File::try_lock_shared)
    }

    /// One holder. Blocks the thread.
    pub fn alone(name: &str) -> Lock {
        Lock::take(name, File::try_lock)
    }

    fn take(name: &str, attempt: impl Fn(&File) -> Result<(), TryLockError>) -> Lock {
        let path = env::temp_dir().join(format!("milena-test-{name}.lock"));
        let file = File::options().create(true).truncate(false).write(true).open(&path).expect("a lock file");
        let end = Instant::now() + PATIENCE;
        // Asks again instead of blocking in the kernel, so that a test that waits in vain says for what.
        loop {
            match attempt(&file) {
                Ok(()) => return Lock(file),
                Err(TryLockError::WouldBlock) => assert!(Instant::now() < end, "nobody let go of {}", path.display()),
                Err(TryLockError::Error(error)) => panic!("{}: {error}", path.display()),
            }
            thread::sleep(Duration::from_millis(10));
        }
    }
}
