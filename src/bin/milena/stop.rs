use std::future::Future;

/// A signal that asks the program to end: SIGINT (ctrl-c) or SIGTERM. It counts from this call on, waited for or not.
pub(crate) fn signal() -> impl Future<Output = ()> {
    #[cfg(unix)]
    {
        use tokio::signal::unix::{SignalKind, signal};
        let signals = [SignalKind::interrupt(), SignalKind::terminate()].map(signal);
        async move {
            // Without a handler the signal ends the program at once.
            let [Ok(mut interrupt), Ok(mut terminate)] = signals else { return std::future::pending().await };
            tokio::select! {
                _ = interrupt.recv() => {}
                _ = terminate.recv() => {}
            }
        }
    }
    #[cfg(not(unix))]
    async {
        let _ = tokio::signal::ctrl_c().await;
    }
}
