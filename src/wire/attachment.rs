use std::{collections::HashMap, io::IoSlice, sync::Arc};

use parking_lot::Mutex;

use crate::batch::SealedBatch;

/// A batch that belongs into a request's frame without being copied into it: the stream sends it from where it is.
#[derive(Debug, Clone)]
pub(crate) struct Attachment {
    /// The place in the frame's own bytes that it stands before. Never their end: the stream is done when those are.
    pub(super) at: usize,
    pub(super) batch: Arc<SealedBatch>,
}

/// The attachments of frames that are not written yet, by correlation id: between the one who encodes and the stream.
#[derive(Debug, Default)]
pub(super) struct Attachments(Mutex<HashMap<i32, Vec<Attachment>>>);

impl Attachments {
    pub(super) fn put(&self, correlation_id: i32, attachments: Vec<Attachment>) {
        if !attachments.is_empty() {
            self.0.lock().insert(correlation_id, attachments);
        }
    }

    /// What goes with the frame of which these are the first own bytes.
    pub(super) fn take(&self, frame: &[u8]) -> Vec<Attachment> {
        let mut waiting = self.0.lock();
        if waiting.is_empty() {
            return Vec::new();
        }
        correlation_id(frame).and_then(|id| waiting.remove(&id)).unwrap_or_default()
    }
}

/// A request's correlation id: behind the API's key and version.
pub(super) fn correlation_id(frame: &[u8]) -> Option<i32> {
    frame.get(4..8)?.try_into().ok().map(i32::from_be_bytes)
}

/// One frame on its way out: its length, its own bytes, and its attachments between them.
#[derive(Debug, Default)]
pub(super) struct Outgoing {
    prefix: [u8; 4],
    /// What of the prefix has been written.
    prefix_written: usize,
    /// The frame's own bytes, and how many of them have been written.
    own: usize,
    own_written: usize,
    attachments: Vec<Attachment>,
    /// The first attachment that is not wholly written, and how much of it is.
    next: usize,
    next_written: usize,
}

/// How many pieces one system call writes at the most.
const MAX_PIECES: usize = 64;

impl Outgoing {
    /// A frame of `own` bytes that start with `first`.
    pub(super) fn new(own: usize, attachments: Vec<Attachment>) -> Self {
        let attached: usize = attachments.iter().map(|a| a.batch.bytes().len()).sum();
        // The encoder has checked that it is no more than a frame can be.
        let length = u32::try_from(own + attached).unwrap_or(u32::MAX);
        Outgoing { prefix: length.to_be_bytes(), own, attachments, ..Outgoing::default() }
    }

    pub(super) fn is_done(&self) -> bool {
        self.own_written == self.own
    }

    /// What comes next, of which `own` is the frame's own bytes from where they were written up to: as many pieces as one
    /// call takes.
    pub(super) fn pieces<'a>(&'a self, own: &'a [u8]) -> ([IoSlice<'a>; MAX_PIECES], usize) {
        let mut pieces = [IoSlice::new(&[]); MAX_PIECES];
        let mut count = 0;
        let mut push = |piece: &'a [u8]| {
            if !piece.is_empty() && count < MAX_PIECES {
                pieces[count] = IoSlice::new(piece);
                count += 1;
            }
        };
        push(&self.prefix[self.prefix_written..]);
        let (mut at, mut skip) = (self.own_written, self.next_written);
        for attachment in &self.attachments[self.next..] {
            push(&own[at - self.own_written..attachment.at - self.own_written]);
            push(&attachment.batch.bytes()[skip..]);
            (at, skip) = (attachment.at, 0);
        }
        push(&own[at - self.own_written..]);
        (pieces, count)
    }

    /// `written` bytes of the pieces are out. How many of them were the frame's own.
    pub(super) fn advance(&mut self, mut written: usize) -> usize {
        let own_before = self.own_written;
        let mut take = |left: usize| {
            let taken = left.min(written);
            written -= taken;
            taken
        };
        self.prefix_written += take(self.prefix.len() - self.prefix_written);
        while let Some(attachment) = self.attachments.get(self.next) {
            self.own_written += take(attachment.at - self.own_written);
            let length = attachment.batch.bytes().len();
            if self.own_written == attachment.at {
                self.next_written += take(length - self.next_written);
            }
            if self.own_written < attachment.at || self.next_written < length {
                return self.own_written - own_before;
            }
            (self.next, self.next_written) = (self.next + 1, 0);
        }
        self.own_written += take(self.own - self.own_written);
        self.own_written - own_before
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::batch::{BatchBuilder, Compression};

    fn attachment(at: usize, records: usize) -> Attachment {
        let mut builder = BatchBuilder::new(Vec::new());
        for number in 0..records {
            builder.append(number as i64, None, Some(b"value"), &[]);
        }
        let mut batch = builder.seal(Compression::None).unwrap();
        batch.stamp(1, 0, 0, false);
        Attachment { at, batch: Arc::new(batch) }
    }

    #[test]
    fn however_little_is_written_at_a_time_the_frame_is_whole() {
        let own: Vec<u8> = (0..100).collect();
        let cases = [vec![], vec![attachment(0, 1)], vec![attachment(30, 5), attachment(30, 2), attachment(99, 70)]];
        for attachments in cases {
            let mut whole = own.clone();
            for attachment in attachments.iter().rev() {
                whole.splice(attachment.at..attachment.at, attachment.batch.bytes().iter().copied());
            }
            let mut expected = (whole.len() as u32).to_be_bytes().to_vec();
            expected.extend(whole);
            for step in [1, 3, 7, 64, 100_000] {
                let mut outgoing = Outgoing::new(own.len(), attachments.clone());
                let (mut sent, mut own_sent) = (Vec::new(), 0);
                while !outgoing.is_done() {
                    let (pieces, count) = outgoing.pieces(&own[own_sent..]);
                    let bytes: Vec<u8> = pieces[..count].iter().flat_map(|piece| piece.iter().copied()).collect();
                    let written = bytes.len().min(step);
                    sent.extend_from_slice(&bytes[..written]);
                    own_sent += outgoing.advance(written);
                }
                assert_eq!(sent, expected, "{step} at a time");
            }
        }
    }

    #[test]
    fn attachments_find_their_frame_by_its_correlation_id() {
        let attachments = Attachments::default();
        attachments.put(7, vec![attachment(9, 1)]);
        let frame = |id: i32| [&[0, 0, 0, 9][..], &id.to_be_bytes(), b"more"].concat();
        assert_eq!(attachments.take(&frame(8)).len(), 0);
        assert_eq!(attachments.take(&frame(7)).len(), 1);
        assert_eq!(attachments.take(&frame(7)).len(), 0);
    }
}
