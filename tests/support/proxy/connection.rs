//! One connection's frames, both ways. Whichever way ends first closes both.

use std::{
    collections::VecDeque,
    future::pending,
    io,
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
};

use parking_lot::Mutex;
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::{
        TcpStream,
        tcp::{OwnedReadHalf, OwnedWriteHalf},
    },
    sync::mpsc,
    time::{Instant, sleep_until},
};

use super::{
    Shared,
    rule::{Direction, Fault, Phase},
};

/// Longer frames are not Kafka's.
const LONGEST: usize = 256 << 20;

/// As the API of a frame too short to name one.
const NO_API: i16 = -1;

struct Connection {
    number: u64,
    shared: Arc<Shared>,
    /// Requests on the way, by correlation id and API key.
    in_flight: Mutex<VecDeque<(i32, i16)>>,
    /// After [`Fault::Blackhole`].
    deaf: AtomicBool,
}

/// An answer, and when it came.
type Arrival = (Instant, Vec<u8>);

pub(super) async fn serve(client: TcpStream, number: u64, shared: Arc<Shared>) {
    let mut cuts = shared.cuts.subscribe();
    cuts.mark_unchanged();
    let _open = Open::new(&shared);
    let Ok(broker) = TcpStream::connect(&shared.upstream).await else { return };
    let _ = (client.set_nodelay(true), broker.set_nodelay(true));
    let (from_client, to_client) = client.into_split();
    let (from_broker, to_broker) = broker.into_split();
    let (arrived, arrivals) = mpsc::channel(1024);
    let it = Connection { number, shared: shared.clone(), in_flight: Mutex::default(), deaf: AtomicBool::new(false) };
    tokio::select! {
        _ = it.requests(from_client, to_broker) => {}
        () = receive(from_broker, arrived) => {}
        _ = it.answers(arrivals, to_client) => {}
        _ = cuts.changed() => {}
    }
}

impl Connection {
    async fn requests(&self, mut client: OwnedReadHalf, mut broker: OwnedWriteHalf) -> io::Result<()> {
        loop {
            let frame = read(&mut client).await?;
            let api = frame.first_chunk().map_or(NO_API, |bytes| i16::from_be_bytes(*bytes));
            let correlation =
                frame.get(4..).and_then(|rest| rest.first_chunk()).map(|bytes| i32::from_be_bytes(*bytes));
            self.shared.counts.lock().by_request.entry(api).or_default().add(frame.len());
            if self.deaf.load(Ordering::Relaxed) {
                continue;
            }
            if let Some(rule) = self.shared.rules.choose(Phase::Request, Some(api), self.number) {
                let stalls = match *rule.fault.lock() {
                    Fault::Cut => return Ok(()),
                    Fault::Blackhole => false,
                    _ => true,
                };
                if stalls {
                    rule.removed().await;
                } else {
                    self.deaf.store(true, Ordering::Relaxed);
                    continue;
                }
            }
            self.note_in_flight(correlation.unwrap_or_default(), api);
            write(&mut broker, &frame).await?;
        }
    }

    fn note_in_flight(&self, correlation: i32, api: i16) {
        let mut in_flight = self.in_flight.lock();
        in_flight.push_back((correlation, api));
        let now = in_flight.iter().filter(|(_, other)| *other == api).count() as u64;
        let mut counts = self.shared.counts.lock();
        let most = counts.most_in_flight.entry(api).or_default();
        *most = now.max(*most);
    }

    /// The API of the request that this answers.
    fn answered(&self, frame: &[u8]) -> i16 {
        let correlation = frame.first_chunk().map(|bytes| i32::from_be_bytes(*bytes));
        let mut in_flight = self.in_flight.lock();
        let at = in_flight.iter().position(|(id, _)| Some(*id) == correlation);
        at.and_then(|at| in_flight.remove(at)).map_or(NO_API, |(_, api)| api)
    }

    async fn answers(&self, mut arrivals: mpsc::Receiver<Arrival>, mut client: OwnedWriteHalf) -> io::Result<()> {
        while let Some((arrived, mut frame)) = arrivals.recv().await {
            let api = self.answered(&frame);
            if self.deaf.load(Ordering::Relaxed) {
                continue;
            }
            if let Some(rule) = self.shared.rules.choose(Phase::Answer, Some(api), self.number) {
                enum Then {
                    Write,
                    WriteAt(Instant),
                    WriteOnceRemoved,
                }
                let then = match &mut *rule.fault.lock() {
                    Fault::CutBeforeAnswer => return Ok(()),
                    Fault::CutWithinAnswer => {
                        let half = frame.len() / 2;
                        let mut cut = (frame.len() as u32).to_be_bytes().to_vec();
                        cut.extend_from_slice(&frame[..half]);
                        // A socket's buffer takes this much at once unless it is nearly full; less is cut off too.
                        let _ = client.try_write(&cut);
                        return Ok(());
                    }
                    Fault::Delay(by) => Then::WriteAt(arrived + *by),
                    Fault::Stall(Direction::Answers | Direction::Both) => Then::WriteOnceRemoved,
                    Fault::Corrupt => {
                        corrupt(&mut frame);
                        Then::Write
                    }
                    Fault::Rewrite(change) => {
                        change(&mut frame);
                        Then::Write
                    }
                    Fault::Refuse | Fault::Cut | Fault::Blackhole | Fault::Stall(Direction::Requests) => Then::Write,
                };
                match then {
                    Then::Write => {}
                    Then::WriteAt(time) => sleep_until(time).await,
                    Then::WriteOnceRemoved => rule.removed().await,
                }
            }
            // Before it is written, so that a client which has it finds it counted.
            self.shared.counts.lock().by_answer.entry(api).or_default().add(frame.len());
            write(&mut client, &frame).await?;
        }
        Ok(())
    }
}

/// Takes answers in as they come, so that a delayed one delays none behind it for longer than their own delay.
/// Never ends: what has come is for [`Connection::answers`] to write first.
async fn receive(mut broker: OwnedReadHalf, arrived: mpsc::Sender<Arrival>) {
    while let Ok(frame) = read(&mut broker).await {
        if arrived.send((Instant::now(), frame)).await.is_err() {
            break;
        }
    }
    drop(arrived);
    pending().await
}

/// Changes one byte in every sixteen behind the correlation id.
fn corrupt(frame: &mut [u8]) {
    for part in frame.get_mut(4..).into_iter().flat_map(|body| body.chunks_mut(16)) {
        part[fastrand::usize(..part.len())] ^= fastrand::u8(1..);
    }
}

async fn read(from: &mut OwnedReadHalf) -> io::Result<Vec<u8>> {
    let length = from.read_i32().await?;
    let length = usize::try_from(length).ok().filter(|length| *length <= LONGEST).ok_or_else(|| {
        eprintln!("the proxy closes a connection: {length} is not the length of one of Kafka's frames");
        io::Error::from(io::ErrorKind::InvalidData)
    })?;
    let mut frame = vec![0; length];
    from.read_exact(&mut frame).await?;
    Ok(frame)
}

async fn write(to: &mut OwnedWriteHalf, frame: &[u8]) -> io::Result<()> {
    let length = u32::try_from(frame.len()).map_err(|_| io::ErrorKind::InvalidData)?;
    // In one piece, so that the peer does not see more segments than there were.
    let mut bytes = Vec::with_capacity(4 + frame.len());
    bytes.extend_from_slice(&length.to_be_bytes());
    bytes.extend_from_slice(frame);
    to.write_all(&bytes).await
}

/// Counts a connection as open while it lives, however it ends.
struct Open(Arc<Shared>);

impl Open {
    fn new(shared: &Arc<Shared>) -> Open {
        shared.counts.lock().open += 1;
        Open(shared.clone())
    }
}

impl Drop for Open {
    fn drop(&mut self) {
        self.0.counts.lock().open -= 1;
    }
}
