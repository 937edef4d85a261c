use std::{
    io,
    pin::Pin,
    sync::{Arc, OnceLock},
    task::{Context, Poll, ready},
};

use futures_util::task::AtomicWaker;
use tokio::{
    io::{AsyncRead, AsyncWrite, ReadBuf},
    sync::Notify,
};

use super::{
    attachment::{Attachments, Outgoing},
    dial::Socket,
};

/// Small answers are read whole in one system call; of large ones only the start passes through this buffer.
const READ_AHEAD: usize = 16 << 10;
const PREFIX: usize = 4;

/// The stream under a `Messenger`, aware of frames (a length of four bytes, then that many).
///
/// It sends a frame's length, its body and what is attached to it in one system call, refuses an announced length before anyone allocates for it,
/// and can be given up from outside, which fails everything that waits on the connection.
pub(super) struct Stream {
    socket: Box<dyn Socket>,
    ending: Arc<Ending>,
    max_frame: usize,
    ahead: Box<[u8]>,
    /// What of `ahead` is filled and not yet handed on.
    filled: std::ops::Range<usize>,
    /// What is left of the frame being read; 0 between frames.
    frame_left: usize,
    attachments: Arc<Attachments>,
    /// The length of the frame's own bytes, once the `Messenger` has written it, until it writes the first of them.
    announced: Option<usize>,
    outgoing: Outgoing,
}

/// Whether and why a connection has ended. Shared by the stream, which notices, and the connection, which decides.
#[derive(Default)]
pub(super) struct Ending {
    reason: OnceLock<String>,
    reader: AtomicWaker,
    /// A write may wait for a peer that reads no more: nobody else would end it.
    writer: AtomicWaker,
    waiting: Notify,
}

impl Ending {
    /// Ends the connection. The first reason stays.
    pub(super) fn give_up(&self, reason: impl Into<String>) {
        let _ = self.reason.set(reason.into());
        self.reader.wake();
        self.writer.wake();
        self.waiting.notify_waiters();
    }

    /// Awaits the end, if it is yet to come.
    pub(super) async fn ended(&self) {
        self.waiting.notified().await;
    }

    pub(super) fn reason(&self) -> Option<&str> {
        self.reason.get().map(String::as_str)
    }

    fn check(&self) -> io::Result<()> {
        match self.reason() {
            Some(reason) => Err(io::Error::new(io::ErrorKind::ConnectionAborted, reason.to_owned())),
            None => Ok(()),
        }
    }
}

impl Stream {
    pub(super) fn new(socket: Box<dyn Socket>, max_frame: usize, attachments: Arc<Attachments>) -> (Self, Arc<Ending>) {
        let ending = Arc::new(Ending::default());
        let stream = Stream {
            socket,
            ending: Arc::clone(&ending),
            max_frame,
            ahead: vec![0; READ_AHEAD].into_boxed_slice(),
            filled: 0..0,
            frame_left: 0,
            attachments,
            announced: None,
            outgoing: Outgoing::default(),
        };
        (stream, ending)
    }

    /// Reads until `ahead` holds a frame's length; `false` at the end of the stream.
    fn poll_prefix(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<bool>> {
        while self.filled.len() < PREFIX {
            self.ahead.copy_within(self.filled.clone(), 0);
            self.filled = 0..self.filled.len();
            let mut buffer = ReadBuf::new(&mut self.ahead[self.filled.end..]);
            ready!(Pin::new(&mut self.socket).poll_read(cx, &mut buffer))?;
            match buffer.filled().len() {
                0 => return Poll::Ready(Ok(false)),
                read => self.filled.end += read,
            }
        }
        Poll::Ready(Ok(true))
    }

    /// Hands on up to `limit` bytes of what was read ahead.
    fn take_ahead(&mut self, buf: &mut ReadBuf<'_>, limit: usize) -> usize {
        let taken = self.filled.len().min(limit).min(buf.remaining());
        buf.put_slice(&self.ahead[self.filled.start..self.filled.start + taken]);
        self.filled.start += taken;
        taken
    }

    fn poll_frame(&mut self, cx: &mut Context<'_>, buf: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        if self.frame_left == 0 {
            if !ready!(self.poll_prefix(cx))? {
                self.ending.give_up("closed by the other side");
                return Poll::Ready(Ok(()));
            }
            let start = self.filled.start;
            let prefix: [u8; PREFIX] = self.ahead[start..start + PREFIX].try_into().expect("four bytes");
            let length =
                frame_length(prefix, self.max_frame).map_err(|why| io::Error::new(io::ErrorKind::InvalidData, why))?;
            self.frame_left = PREFIX + length;
        }
        let taken = if self.filled.is_empty() {
            let wanted = buf.remaining().min(self.frame_left);
            let mut direct = ReadBuf::new(buf.initialize_unfilled_to(wanted));
            ready!(Pin::new(&mut self.socket).poll_read(cx, &mut direct))?;
            let read = direct.filled().len();
            if read == 0 {
                self.ending.give_up("closed by the other side in the middle of an answer");
            }
            buf.advance(read);
            read
        } else {
            self.take_ahead(buf, self.frame_left)
        };
        self.frame_left -= taken;
        Poll::Ready(Ok(()))
    }
}

/// The length that a frame announces, or what the bytes look like instead.
fn frame_length(prefix: [u8; PREFIX], max: usize) -> Result<usize, String> {
    let length = i32::from_be_bytes(prefix);
    match usize::try_from(length) {
        Ok(length) if length <= max => Ok(length),
        _ if &prefix == b"HTTP" => Err("it speaks HTTP".to_owned()),
        _ if matches!(prefix, [0x14..=0x17, 3, 0..=4, _]) => Err("it speaks TLS".to_owned()),
        _ if &prefix == b"SSH-" => Err("it speaks SSH".to_owned()),
        _ => Err(format!("it announced a frame of {length} bytes, where {max} are allowed here")),
    }
}

impl AsyncRead for Stream {
    fn poll_read(mut self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        self.ending.reader.register(cx.waker());
        self.ending.check()?;
        let result = ready!(self.poll_frame(cx, buf));
        if let Err(error) = &result {
            self.ending.give_up(error.to_string());
        }
        Poll::Ready(result)
    }
}

impl AsyncWrite for Stream {
    fn poll_write(mut self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &[u8]) -> Poll<io::Result<usize>> {
        let this = &mut *self;
        this.ending.writer.register(cx.waker());
        this.ending.check()?;
        if let Some(own) = this.announced.take() {
            this.outgoing = Outgoing::new(own, this.attachments.take(buf));
        } else if this.outgoing.is_done() {
            // Between frames the `Messenger` writes the length by itself: it goes out with the first bytes.
            let Some(prefix) = buf.first_chunk::<PREFIX>() else {
                return Poll::Ready(Err(io::Error::new(io::ErrorKind::InvalidInput, "a frame starts with its length")));
            };
            this.announced = Some(u32::from_be_bytes(*prefix) as usize);
            return Poll::Ready(Ok(PREFIX));
        }
        loop {
            let (pieces, count) = this.outgoing.pieces(buf);
            let written = ready!(Pin::new(&mut this.socket).poll_write_vectored(cx, &pieces[..count]))?;
            if written == 0 {
                return Poll::Ready(Err(io::ErrorKind::WriteZero.into()));
            }
            let own = this.outgoing.advance(written);
            if own > 0 {
                if this.outgoing.is_done() {
                    // Lets go of the batches.
                    this.outgoing = Outgoing::default();
                }
                return Poll::Ready(Ok(own));
            }
        }
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.socket).poll_flush(cx)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.socket).poll_shutdown(cx)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn knows_what_is_no_frame() {
        assert_eq!(frame_length(100u32.to_be_bytes(), 100), Ok(100));
        for (prefix, word) in [
            (*b"HTTP", "HTTP"),
            ([0x15, 3, 3, 0], "TLS"),
            (*b"SSH-", "SSH"),
            (101u32.to_be_bytes(), "101 bytes"),
            ((-1i32).to_be_bytes(), "-1 bytes"),
        ] {
            let why = frame_length(prefix, 100).unwrap_err();
            assert!(why.contains(word), "{why}");
        }
    }
}
