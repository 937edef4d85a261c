//! The wire: requests and answers on a connection to one broker.
//!
//! This is the only folder that names `rskafka` (framing, correlation ids, header encoding) and `kafka_wire` (message
//! bodies). Imports: `batch`, `model`.
//!
//! In reading order:
//! - `apis`: the table, one row an API: messages, key, the versions that we speak
//! - `connection`: [`Connection`], one negotiated connection; a call with a time-out
//! - `call`: the adaptor between a row of the table and rskafka's `Messenger`
//! - `produce`: the one request body that we encode ourselves
//! - `attachment`: batches that go out from where they are, between a frame's own bytes
//! - `consumer_protocol`: what members of a classic group exchange inside requests
//! - `dial`: how a peer is reached: over TCP, or within this process
//! - `serve`: the other side: requests as a broker reads them, answers as it writes them
//! - `stream`: what the `Messenger` reads and writes: frame checks, one system call a frame, a way to give up
//! - `mutations`: for tests, answers that a broker should not send
//! - `address`, `code`, `error`: host and port; the protocol's error codes; what can go wrong here

mod address;
mod apis;
mod attachment;
mod call;
mod code;
mod connection;
pub(crate) mod consumer_protocol;
mod dial;
mod error;
pub(crate) mod messages;
#[cfg(test)]
pub(crate) mod mutations;
mod produce;
#[cfg(feature = "embedded")]
pub(crate) mod serve;
mod stream;

pub use address::{Address, InvalidAddress};
pub use code::{ErrorCode, Remedy};
pub use error::WireError;

pub(crate) use apis::Api;
pub(crate) use connection::{ConnectOptions, Connection};
pub(crate) use dial::{Dial, Tcp};
#[cfg(feature = "embedded")]
pub(crate) use dial::{Dialled, Socket};
pub(crate) use produce::{ProducePartition, ProduceRequest, ProduceTopic};
