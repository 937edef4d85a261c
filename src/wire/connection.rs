use std::{
    collections::HashMap,
    fmt,
    future::Future,
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    time::Duration,
};

use futures_util::FutureExt;
use rskafka::messenger::{Messenger, RequestError};
use tokio::time::{Instant, timeout};

use super::{
    Address, Api, ErrorCode, WireError,
    attachment::Attachments,
    call::{Call, messenger_key, version_range},
    dial::Dial,
    messages::message,
    stream::{Ending, Stream},
};

/// How connections are made.
#[derive(Debug, Clone)]
pub(crate) struct ConnectOptions {
    /// Sent with each request; brokers write it to their logs and quotas go by it.
    pub(crate) client_id: Arc<str>,
    /// How brokers are reached.
    pub(crate) dial: Arc<dyn Dial>,
    /// Until the peer has taken the connection.
    pub(crate) connect_timeout: Duration,
    /// For the exchange of versions after it.
    pub(crate) request_timeout: Duration,
    /// The largest answer taken, in bytes.
    pub(crate) max_frame: usize,
}

/// A connection to one broker, its versions negotiated.
///
/// Requests are answered in the order in which they were written, and a request is written when its future is first polled:
/// to pipeline, poll each once, in order, before awaiting any. The broker acts on a request that was written even if
/// its future is dropped. The connection is given up when an answer is late or malformed; then every call on it fails.
pub(crate) struct Connection {
    address: Address,
    messenger: Messenger<Stream>,
    /// The broker's versions by API key.
    versions: HashMap<i16, (i16, i16)>,
    negotiated: Instant,
    /// Somebody asked for an API that the broker had not named.
    missed: AtomicBool,
    ending: Arc<Ending>,
    attachments: Arc<Attachments>,
}

/// An API that a broker had not named is asked for again on a new connection, so that one wrong answer about versions does
/// not last; no sooner than this, so that a broker that really lacks it is not met with a connection for each request.
const NEGOTIATE_AGAIN_AFTER: Duration = Duration::from_secs(1);

impl Connection {
    /// Connects and negotiates.
    pub(crate) async fn open(address: &Address, options: &ConnectOptions) -> Result<Connection, WireError> {
        let socket = options
            .dial
            .dial(address, options.connect_timeout)
            .await
            .map_err(|source| WireError::Connect { address: address.clone(), source: Arc::new(source) })?;
        let attachments = Arc::<Attachments>::default();
        let (stream, ending) = Stream::new(socket, options.max_frame, Arc::clone(&attachments));
        let messenger = Messenger::new(stream, options.max_frame, Arc::clone(&options.client_id));
        let mut connection = Connection {
            address: address.clone(),
            messenger,
            versions: HashMap::new(),
            negotiated: Instant::now(),
            missed: AtomicBool::new(false),
            ending,
            attachments,
        };
        let versions = connection.ask_versions(options.request_timeout).await.map_err(|e| connection.not_kafka(e))?;
        connection.set_versions(versions);
        Ok(connection)
    }

    /// Whether new calls should go to a new connection: this one has ended, from either side, or its versions are in doubt.
    pub(crate) fn is_used_up(&self) -> bool {
        let in_doubt = || self.missed.load(Ordering::Relaxed) && self.negotiated.elapsed() >= NEGOTIATE_AGAIN_AFTER;
        self.ending.reason().is_some() || in_doubt()
    }

    /// The version in which this connection speaks the API.
    pub(crate) fn version<R: Api>(&self) -> Result<i16, WireError> {
        let broker = self.versions.get(&R::KEY).copied();
        broker
            .filter(|(low, high)| *low <= R::VERSIONS.1 && R::VERSIONS.0 <= *high)
            .map(|(_, high)| high.min(R::VERSIONS.1))
            .ok_or_else(|| {
                self.missed.store(true, Ordering::Relaxed);
                WireError::Unsupported { api: R::NAME, broker, client: R::VERSIONS }
            })
    }

    /// Sends a request and awaits its answer, for `limit` at most. See the type for order and cancellation.
    pub(crate) fn call<R: Api>(
        self: &Arc<Self>,
        request: R,
        limit: Duration,
    ) -> impl Future<Output = Result<R::Answer, WireError>> + Send + use<R> {
        let this = Arc::clone(self);
        async move { this.request(request, limit).await }
    }

    async fn request<R: Api>(&self, request: R, limit: Duration) -> Result<R::Answer, WireError> {
        self.version::<R>()?;
        let request = self.messenger.request(Call::new(request, &self.attachments));
        match timeout(limit, self.while_it_lasts(request)).await {
            Ok(Some(Ok(answer))) => Ok(answer.body),
            Ok(Some(Err(error))) => Err(self.failed::<R>(error)),
            Ok(None) => Err(self.lost::<R>()),
            Err(_) => {
                // The answer may still come, but nobody can say when; and what is behind it waits for it.
                self.ending.give_up(format!("{} was not answered within {limit:?}", R::NAME));
                Err(WireError::Timeout { api: R::NAME, address: self.address.clone(), after: limit })
            }
        }
    }

    /// What comes of a request until the connection ends. The `Messenger` says so too, but to those who wait in the order of a
    /// hash map: here it is in the order of their requests, so that a simulation replays exactly.
    async fn while_it_lasts<T>(&self, request: impl Future<Output = T>) -> Option<T> {
        tokio::pin!(request);
        tokio::select! {
            biased;
            done = &mut request => Some(done),
            // An answer may have come between the two looks.
            () = self.ending.ended() => request.now_or_never(),
        }
    }

    fn lost<R: Api>(&self) -> WireError {
        let why = self.ending.reason().unwrap_or("for no known reason").to_owned();
        WireError::Lost { api: R::NAME, address: self.address.clone(), why }
    }

    fn failed<R: Api>(&self, error: RequestError) -> WireError {
        let (api, address) = (R::NAME, self.address.clone());
        match error {
            RequestError::NoVersionMatch { .. } => {
                WireError::Unsupported { api, broker: self.versions.get(&R::KEY).copied(), client: R::VERSIONS }
            }
            RequestError::WriteError(why) => WireError::Encode { api, why: why.to_string() },
            RequestError::ReadError(_) | RequestError::ReadVersionedError(_) | RequestError::TooMuchData { .. } => {
                let why = error.to_string();
                self.ending.give_up(format!("malformed answer to {api}: {why}"));
                WireError::Malformed { api, address, why }
            }
            _ => {
                self.ending.give_up(error.to_string());
                self.lost::<R>()
            }
        }
    }

    /// Asks for the broker's versions: in the newest form first, in the oldest if the broker does not know that (KIP-511).
    async fn ask_versions(&mut self, limit: Duration) -> Result<HashMap<i16, (i16, i16)>, WireError> {
        let mut malformed: Option<String> = None;
        // Whoever answered the first with nonsense is judged by that, also if the second is not answered.
        let judged = |this: &Connection, malformed: Option<String>, error: WireError| match malformed {
            Some(why) => WireError::Malformed { api: "ApiVersions", address: this.address.clone(), why },
            None => error,
        };
        for version in [3, 0] {
            self.set_versions(HashMap::from([(18, (version, version))]));
            let request = message!(kafka_wire::ApiVersionsRequest {
                client_software_name: env!("CARGO_PKG_NAME").into(),
                client_software_version: env!("CARGO_PKG_VERSION").into(),
            });
            // Not through `request`: a first answer that does not read is no reason to give up here.
            let call = Call::new(request, &self.attachments);
            let answer = match timeout(limit, self.messenger.request(call)).await {
                Ok(Ok(answer)) => answer.body,
                Ok(Err(RequestError::ReadVersionedError(why))) => {
                    malformed = Some(why.to_string());
                    continue;
                }
                Ok(Err(error)) => {
                    let error = self.failed::<kafka_wire::ApiVersionsRequest>(error);
                    return Err(judged(self, malformed, error));
                }
                Err(_) => {
                    self.ending.give_up("ApiVersions was not answered");
                    let error = WireError::Timeout { api: "ApiVersions", address: self.address.clone(), after: limit };
                    return Err(judged(self, malformed, error));
                }
            };
            match ErrorCode::new(answer.error_code) {
                ErrorCode::NONE => {
                    return Ok(answer.api_keys.iter().map(|k| (k.api_key, (k.min_version, k.max_version))).collect());
                }
                code => malformed = Some(format!("it refused ApiVersions: {code}")),
            }
        }
        let why = malformed.unwrap_or_default();
        self.ending.give_up(why.clone());
        Err(WireError::Malformed { api: "ApiVersions", address: self.address.clone(), why })
    }

    fn set_versions(&mut self, mut versions: HashMap<i16, (i16, i16)>) {
        versions.retain(|_, (low, high)| low <= high);
        let ranges = versions.iter().map(|(key, (low, high))| (messenger_key(*key), version_range(*low, *high)));
        self.messenger.override_version_ranges(ranges.collect());
        self.versions = versions;
    }

    /// What a failed first exchange says about who is at the other end.
    fn not_kafka(&self, error: WireError) -> WireError {
        let address = self.address.clone();
        match error {
            WireError::Malformed { why, .. } => WireError::NotKafka { address, why },
            WireError::Lost { why, .. } if why.starts_with("it ") => WireError::NotKafka { address, why },
            WireError::Lost { why, api, .. } => {
                let why = format!("{why}, before it said which versions it speaks (is it a listener for TLS or SASL?)");
                WireError::Lost { api, address, why }
            }
            other => other,
        }
    }
}

/// A write under way would otherwise go on by itself, for as long as the peer does not read.
impl Drop for Connection {
    fn drop(&mut self) {
        self.ending.give_up("closed by this side");
    }
}

impl fmt::Debug for Connection {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Connection").field("address", &self.address).field("ended", &self.ending.reason()).finish()
    }
}
