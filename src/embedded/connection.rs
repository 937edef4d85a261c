use std::{io, mem, ops::RangeInclusive, sync::Arc, time::Duration};

use bytes::{Buf, Bytes, BytesMut};
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    time::{Instant, sleep, timeout},
};

use super::{
    api,
    caller::{Caller, Door},
    fault::Fault,
    host::{Host, Response},
    sasl::{Sasl, Step, Users},
};
use crate::{
    watched::Watcher,
    wire::{
        Socket,
        messages::{ApiVersionsRequest, ApiVersionsResponse},
        serve::{Request, Served},
    },
};

/// As Kafka's `socket.request.max.bytes`.
const MAX_FRAME: usize = 100 << 20;
/// Room is made as the bytes come, and not when they are announced.
const READ_AT_ONCE: usize = 16 << 10;
/// Frames of so many bytes are read into one room, which the connection keeps: new room for each would leave the heap full of
/// holes. Of smaller ones parts are kept, such as what a member says of itself.
const INTO_ROOM: RangeInclusive<usize> = 64 << 10..=8 << 20;

/// A client at the other end of a connection to one broker.
pub(crate) struct Client {
    pub(crate) host: Arc<Host>,
    pub(crate) broker: i32,
    pub(crate) door: Door,
    /// Where it stands.
    pub(crate) peer: String,
}

/// Serves its requests, one after the other, as Kafka does: until it closes the connection or sends what is no request, or
/// the broker stops.
pub(crate) async fn serve(client: Client, socket: Box<dyn Socket>, mut life: Watcher<bool>) {
    let stopped = async {
        // An error is the end of the whole cluster.
        let _ = life.until(|is_running| !is_running).await;
    };
    tokio::select! {
        biased;
        () = stopped => {}
        ended = client.serve(socket) => match ended {
            Ok(()) => {}
            Err(error) => tracing::debug!("embedded broker {}: {}: {error}", client.broker, client.peer),
        },
    }
}

/// A client's socket, on which something must happen from time to time.
struct Stream {
    socket: Box<dyn Socket>,
    /// `None` within the process: a test may let a day go by.
    max_idle: Option<Duration>,
    /// Where frames are read into; it is free again once the one before is let go of.
    room: BytesMut,
}

impl Stream {
    async fn within<T>(max_idle: Option<Duration>, io: impl Future<Output = io::Result<T>>) -> io::Result<T> {
        match max_idle {
            Some(longest) => timeout(longest, io).await.unwrap_or_else(|_| Err(io::ErrorKind::TimedOut.into())),
            None => io.await,
        }
    }

    async fn write(&mut self, mut bytes: impl Buf) -> io::Result<()> {
        while bytes.has_remaining() {
            if Self::within(self.max_idle, self.socket.write_buf(&mut bytes)).await? == 0 {
                return Err(io::ErrorKind::WriteZero.into());
            }
        }
        Self::within(self.max_idle, self.socket.flush()).await
    }

    async fn read_frame(&mut self, max: usize) -> io::Result<Option<Bytes>> {
        let (socket, max_idle) = (&mut self.socket, self.max_idle);
        let length = match Self::within(max_idle, socket.read_i32()).await {
            Ok(length) => length,
            Err(error) if error.kind() == io::ErrorKind::UnexpectedEof => return Ok(None),
            Err(error) => return Err(error),
        };
        let length = usize::try_from(length).ok().filter(|length| *length <= max);
        let length = length.ok_or_else(|| malformed(format!("a frame may measure up to {max} bytes")))?;
        let mut frame = if INTO_ROOM.contains(&length) { mem::take(&mut self.room) } else { BytesMut::new() };
        while frame.len() < length {
            let missing = length - frame.len();
            // What has come doubles the room at most.
            frame.reserve(missing.min(READ_AT_ONCE.max(frame.len())));
            let mut some = socket.take(missing as u64);
            if Self::within(max_idle, some.read_buf(&mut frame)).await? == 0 {
                return Err(io::ErrorKind::UnexpectedEof.into());
            }
        }
        let whole = frame.split().freeze();
        if INTO_ROOM.contains(&length) {
            self.room = frame;
        }
        Ok(Some(whole))
    }
}

impl Client {
    async fn serve(&self, socket: Box<dyn Socket>) -> io::Result<()> {
        let (users, max_idle) = match self.door {
            Door::Tcp | Door::Proxied => {
                self.host.with(|state| (state.settings.users.clone(), Some(state.settings.max_idle)))
            }
            Door::Memory => (Users::default(), None),
        };
        let mut stream = Stream { socket, max_idle, room: BytesMut::new() };
        let mut sasl = Sasl::new(users);
        while let Some(frame) = stream.read_frame(sasl.max_frame(MAX_FRAME)).await? {
            let request = match sasl.take(frame).map_err(malformed)? {
                Step::Serve(request) => request,
                Step::Answer(answer) => {
                    stream.write(answer).await?;
                    continue;
                }
                Step::Refuse(answer, why) => {
                    stream.write(answer).await?;
                    stream.socket.shutdown().await?;
                    return Err(malformed(why));
                }
            };
            let answer = self.answer(&request, &mut stream).await?;
            // Whoever does not read need not be remembered for what he has said too.
            drop(request);
            if let Some(answer) = answer {
                stream.write(answer).await?;
            }
        }
        Ok(())
    }

    /// The frame that goes back; `None` if the client wants none.
    async fn answer(&self, request: &Request, stream: &mut Stream) -> io::Result<Option<BytesMut>> {
        let mut caller = Caller {
            now: Instant::now(),
            broker: self.broker,
            door: self.door,
            version: request.version,
            client_id: request.client_id.as_deref().unwrap_or_default().to_owned(),
            host: self.peer.clone(),
            faults: Vec::new(),
        };
        let offered = self.host.with(|state| api::offered(state, request.api_key));
        match offered {
            Some((low, high)) if (low..=high).contains(&request.version) => {}
            Some(_) if request.api_key == <ApiVersionsRequest as Served>::KEY => {
                let answer: ApiVersionsResponse = self.host.with(|state| api::api_versions::unsupported(state));
                return ApiVersionsRequest::write(&answer, 0, request.correlation_id).map(Some).map_err(malformed);
            }
            _ => {
                let (key, version) = (request.api_key, request.version);
                let name = api::OFFERED.iter().find(|api| api.key == key).map_or("unknown", |api| api.name);
                return Err(malformed(format!("API {key} ({name}) is not served in version {version}")));
            }
        }
        let fate = self.host.with(|state| state.receive(&caller, request));
        caller.faults = fate.parts;
        match fate.whole {
            None | Some(Fault::CorruptRecords) => Stream::within(stream.max_idle, self.apply(&caller, request)).await,
            Some(Fault::Error(code)) => {
                let refused = api::refuse(request, code).map_err(malformed)?;
                // As Kafka: who wants no answer is told by the end of the connection.
                if request.wants_answer() { Ok(Some(refused)) } else { Err(injected()) }
            }
            Some(Fault::Delay(time)) => {
                sleep(time).await;
                caller.now = Instant::now();
                self.apply(&caller, request).await
            }
            Some(Fault::Disconnect) => Err(injected()),
            Some(Fault::LoseAnswer) => {
                self.apply(&caller, request).await?;
                Err(injected())
            }
            Some(Fault::AnswerLate(time)) => {
                let answer = self.apply(&caller, request).await?;
                sleep(time).await;
                Ok(answer)
            }
            Some(Fault::Silence) => {
                drain(&mut stream.socket).await?;
                Err(injected())
            }
            Some(Fault::Corrupt) => {
                let mut answer = self.apply(&caller, request).await?;
                // All but the length and the correlation id: no length and no count within it can be.
                answer.iter_mut().flat_map(|frame| frame.iter_mut().skip(8)).for_each(|byte| *byte = 0xff);
                Ok(answer)
            }
        }
    }

    async fn apply(&self, caller: &Caller, request: &Request) -> io::Result<Option<BytesMut>> {
        match self.host.serve(caller, request).map_err(malformed)? {
            Response::Send(frame) => Ok(Some(frame)),
            Response::Nothing => Ok(None),
            Response::Await(pending) => match pending.answer().await {
                Some(answer) => answer.write(request).map(Some).map_err(malformed),
                None => Err(io::Error::other("the broker has gone")),
            },
        }
    }
}

/// Reads until the client closes the connection, for nothing.
async fn drain(socket: &mut Box<dyn Socket>) -> io::Result<()> {
    let mut rest = [0; 1024];
    while socket.read(&mut rest).await? > 0 {}
    Ok(())
}

fn injected() -> io::Error {
    io::Error::other("a test wants the connection to end here")
}

fn malformed(why: String) -> io::Error {
    io::Error::new(io::ErrorKind::InvalidData, why)
}
