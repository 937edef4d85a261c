//! Who may connect, where the broker has users; and how far a connection has come with that.

use std::{collections::BTreeMap, fmt, sync::Arc};

use bytes::{Bytes, BytesMut};

use super::{
    api,
    scram::{Credential, Exchange, First, Hash},
};
use crate::wire::{
    ErrorCode,
    messages::{
        ApiVersionsRequest, SaslAuthenticateRequest, SaslAuthenticateResponse, SaslHandshakeRequest,
        SaslHandshakeResponse, message,
    },
    serve::{Request, Served},
};

/// What is offered, in the order in which it is told.
pub(crate) const MECHANISMS: [&str; 3] = ["PLAIN", "SCRAM-SHA-256", "SCRAM-SHA-512"];

/// As Kafka's `sasl.server.max.receive.size`: clients that nobody knows yet may send frames up to this.
const MAX_FRAME: usize = 512 << 10;

/// Users and their passwords; the latter are never shown.
#[derive(Clone, Default)]
pub(crate) struct Users(BTreeMap<String, Arc<User>>);

struct User {
    password: String,
    credentials: [Credential; 2],
}

impl fmt::Debug for Users {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_set().entries(self.0.keys()).finish()
    }
}

impl Users {
    pub(crate) fn add(&mut self, name: String, password: String) {
        let credentials = [Hash::Sha256, Hash::Sha512].map(|hash| Credential::new(hash, &password));
        self.0.insert(name, Arc::new(User { password, credentials }));
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.0.is_empty()
    }
}

/// How far a connection has come.
pub(crate) struct Sasl {
    users: Users,
    stage: Stage,
}

enum Stage {
    /// It may ask for anything.
    Open,
    /// ApiVersions or SaslHandshake is expected.
    Handshake,
    /// The mechanism is agreed upon; `raw` if its tokens come without a request around them, as after SaslHandshake 0.
    Authenticate { raw: bool, mechanism: Mechanism },
}

enum Mechanism {
    Plain,
    Scram(Hash),
    ScramBegun(Hash, Box<Exchange>),
}

impl Mechanism {
    fn of(name: &str) -> Option<Mechanism> {
        match name {
            "PLAIN" => Some(Mechanism::Plain),
            "SCRAM-SHA-256" => Some(Mechanism::Scram(Hash::Sha256)),
            "SCRAM-SHA-512" => Some(Mechanism::Scram(Hash::Sha512)),
            _ => None,
        }
    }

    fn name(&self) -> &'static str {
        match self {
            Mechanism::Plain => "PLAIN",
            Mechanism::Scram(Hash::Sha256) | Mechanism::ScramBegun(Hash::Sha256, _) => "SCRAM-SHA-256",
            Mechanism::Scram(Hash::Sha512) | Mechanism::ScramBegun(Hash::Sha512, _) => "SCRAM-SHA-512",
        }
    }
}

/// What becomes of a frame.
pub(crate) enum Step {
    /// It is a request to be served.
    Serve(Request),
    /// This goes back.
    Answer(BytesMut),
    /// This goes back, and the connection is closed.
    Refuse(BytesMut, String),
}

/// What a token led to.
enum Told {
    /// The client proves itself further.
    More(Vec<u8>, Mechanism),
    Done(Vec<u8>),
}

impl Sasl {
    /// Without users, whoever comes may ask for anything.
    pub(crate) fn new(users: Users) -> Sasl {
        let stage = if users.is_empty() { Stage::Open } else { Stage::Handshake };
        Sasl { users, stage }
    }

    /// How long a frame may be, of those that may be up to `max`.
    pub(crate) fn max_frame(&self, max: usize) -> usize {
        if matches!(self.stage, Stage::Open) { max } else { max.min(MAX_FRAME) }
    }

    /// Takes what the client sends. `Err` closes the connection without a word, as Kafka does.
    pub(crate) fn take(&mut self, frame: Bytes) -> Result<Step, String> {
        match std::mem::replace(&mut self.stage, Stage::Handshake) {
            Stage::Open => {
                self.stage = Stage::Open;
                Request::read(frame).map(Step::Serve)
            }
            Stage::Handshake => self.shake_hands(Request::read(frame)?),
            Stage::Authenticate { raw: true, mechanism } => {
                let name = mechanism.name();
                let answer = self.step(true, mechanism, &frame).map_err(|why| told_of(why, name))?;
                let mut bytes = BytesMut::with_capacity(answer.len() + 4);
                bytes.extend_from_slice(&(answer.len() as u32).to_be_bytes());
                bytes.extend_from_slice(&answer);
                Ok(Step::Answer(bytes))
            }
            Stage::Authenticate { raw: false, mechanism } => self.authenticate(Request::read(frame)?, mechanism),
        }
    }

    fn shake_hands(&mut self, request: Request) -> Result<Step, String> {
        if request.api_key == <ApiVersionsRequest as Served>::KEY {
            return Ok(Step::Serve(request));
        }
        if request.api_key != <SaslHandshakeRequest as Served>::KEY {
            return Err(format!("a request of API {} before it has authenticated", request.api_key));
        }
        let asked = request.body::<SaslHandshakeRequest>()?;
        let mechanism = Mechanism::of(asked.mechanism.as_str());
        let error = if mechanism.is_some() { ErrorCode::NONE } else { ErrorCode::UNSUPPORTED_SASL_MECHANISM };
        let answer = message!(SaslHandshakeResponse {
            error_code: error.code(),
            mechanisms: MECHANISMS.into_iter().map(Into::into).collect(),
        });
        let answer = SaslHandshakeRequest::write(&answer, request.version, request.correlation_id)?;
        Ok(match mechanism {
            Some(mechanism) => {
                self.stage = Stage::Authenticate { raw: request.version == 0, mechanism };
                Step::Answer(answer)
            }
            None => Step::Refuse(answer, format!("the SASL mechanism {} is not offered", asked.mechanism.as_str())),
        })
    }

    fn authenticate(&mut self, request: Request, mechanism: Mechanism) -> Result<Step, String> {
        if request.api_key != <SaslAuthenticateRequest as Served>::KEY {
            let answer = api::refuse(&request, ErrorCode::ILLEGAL_SASL_STATE)?;
            return Ok(Step::Refuse(answer, format!("a request of API {} while it authenticates", request.api_key)));
        }
        let token = request.body::<SaslAuthenticateRequest>()?.auth_bytes;
        let name = mechanism.name();
        let write = |answer| SaslAuthenticateRequest::write(&answer, request.version, request.correlation_id);
        match self.step(false, mechanism, &token) {
            Ok(bytes) => {
                let answer = message!(SaslAuthenticateResponse { error_message: None, auth_bytes: bytes.into() });
                write(answer).map(Step::Answer)
            }
            Err(why) => {
                let why = told_of(why, name);
                let answer = message!(SaslAuthenticateResponse {
                    error_code: ErrorCode::SASL_AUTHENTICATION_FAILED.code(),
                    error_message: Some(why.as_str().into()),
                });
                Ok(Step::Refuse(write(answer)?, why))
            }
        }
    }

    /// Takes the client's token and goes on; what goes back.
    fn step(&mut self, raw: bool, mechanism: Mechanism, token: &[u8]) -> Result<Vec<u8>, Failed> {
        let (bytes, next) = match self.told(mechanism, token)? {
            Told::More(bytes, mechanism) => (bytes, Stage::Authenticate { raw, mechanism }),
            Told::Done(bytes) => (bytes, Stage::Open),
        };
        self.stage = next;
        Ok(bytes)
    }

    fn told(&self, mechanism: Mechanism, token: &[u8]) -> Result<Told, Failed> {
        match mechanism {
            Mechanism::Plain => self.plain(token).map(|()| Told::Done(Vec::new())),
            Mechanism::Scram(hash) => {
                let first = First::read(token).ok_or(Failed::Silently)?;
                if first.authorization.as_ref().is_some_and(|other| *other != first.user) {
                    return Err(Failed::Told(OTHER_USER));
                }
                let user = self.users.0.get(&first.user).ok_or(Failed::Silently)?;
                let credential = user.credentials[usize::from(hash == Hash::Sha512)].clone();
                let (exchange, challenge) = Exchange::begin(credential, &first);
                Ok(Told::More(challenge.into_bytes(), Mechanism::ScramBegun(hash, Box::new(exchange))))
            }
            Mechanism::ScramBegun(_, exchange) => {
                exchange.end(token).map(|end| Told::Done(end.into_bytes())).ok_or(Failed::Silently)
            }
        }
    }

    /// RFC 4616: whom to be taken for, who it is, and the password.
    fn plain(&self, token: &[u8]) -> Result<(), Failed> {
        let text = std::str::from_utf8(token).map_err(|_| Failed::Silently)?;
        let parts: Vec<&str> = text.split('\0').collect();
        let &[authorization, name, password] = parts.as_slice() else { return Err(Failed::Silently) };
        if name.is_empty() {
            return Err(Failed::Told("Authentication failed: username not specified"));
        }
        if password.is_empty() {
            return Err(Failed::Told("Authentication failed: password not specified"));
        }
        if self.users.0.get(name).is_none_or(|user| user.password != password) {
            return Err(Failed::Told("Authentication failed: Invalid username or password"));
        }
        if !authorization.is_empty() && authorization != name {
            return Err(Failed::Told(OTHER_USER));
        }
        Ok(())
    }
}

/// Why a client is refused, as far as Kafka tells it.
enum Failed {
    Told(&'static str),
    /// It could be a hint at which users there are.
    Silently,
}

const OTHER_USER: &str = "Authentication failed: Client requested an authorization id that is different from username";

fn told_of(why: Failed, mechanism: &str) -> String {
    match why {
        Failed::Told(why) => why.to_owned(),
        Failed::Silently => {
            format!(
                "Authentication failed during authentication due to invalid credentials with SASL mechanism {mechanism}"
            )
        }
    }
}
