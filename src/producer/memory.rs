use tokio::sync::{Semaphore, SemaphorePermit};

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

    /// Room for a record of `bytes`; none if there is too little, or others wait for it.
    pub(super) fn try_take(&self, bytes: usize) -> Option<Charge<'_>> {
        let bytes = self.of(bytes);
        self.free.try_acquire_many(bytes).ok().map(|permit| self.charged(permit, bytes))
    }

    /// Waits until there is room; `None` once the memory is closed. If the future is dropped nothing is taken.
    pub(super) async fn take(&self, bytes: usize) -> Option<Charge<'_>> {
        let bytes = self.of(bytes);
        self.free.acquire_many(bytes).await.ok().map(|permit| self.charged(permit, bytes))
    }

    /// Ends all waits for room.
    pub(super) fn close(&self) {
        self.free.close();
    }

    /// What a record of `bytes` is charged: one that is larger than all of the memory has it for itself.
    fn of(&self, bytes: usize) -> u32 {
        u32::try_from(bytes.min(self.limit)).unwrap_or(u32::MAX)
    }

    fn charged(&self, permit: SemaphorePermit<'_>, bytes: u32) -> Charge<'_> {
        permit.forget();
        Charge { memory: self, bytes }
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

/// What a record was charged: given back when this is dropped, unless a batch has taken it over.
#[derive(Debug)]
pub(super) struct Charge<'a> {
    memory: &'a Memory,
    bytes: u32,
}

impl Charge<'_> {
    pub(super) fn bytes(&self) -> usize {
        self.bytes as usize
    }

    /// The record is in a batch, which gives it back.
    pub(super) fn keep(mut self) {
        self.bytes = 0;
    }
}

impl Drop for Charge<'_> {
    fn drop(&mut self) {
        self.memory.give(self.bytes());
    }
}
