use tokio::sync::Semaphore;

/// Bytes of unacknowledged records, up to a limit. Who waits for room gets it in turn.
#[derive(Debug)]
pub(super) struct Memory {
    free: Semaphore,
    limit: usize,
}

impl Memory {
    pub(super) fn new(limit: usize) -> Self {
        let limit = limit.clamp(1, Semaphore::MAX_PERMITS);
        Memory { free: Semaphore::new(limit), limit }
    }

    /// What a record of `bytes` is charged: one that is larger than all of the memory has it for itself.
    pub(super) fn charge(&self, bytes: usize) -> u32 {
        u32::try_from(bytes.min(self.limit)).unwrap_or(u32::MAX)
    }

    /// `false` if there is no room, or others wait for it.
    pub(super) fn try_take(&self, charge: u32) -> bool {
        self.free.try_acquire_many(charge).map(|permit| permit.forget()).is_ok()
    }

    /// Waits until there is room. If the future is dropped nothing is taken.
    pub(super) async fn take(&self, charge: u32) {
        // It is never closed.
        if let Ok(permit) = self.free.acquire_many(charge).await {
            permit.forget();
        }
    }

    pub(super) fn give(&self, bytes: usize) {
        if bytes > 0 {
            self.free.add_permits(bytes);
        }
    }

    pub(super) fn is_empty(&self) -> bool {
        self.free.available_permits() == self.limit
    }
}
