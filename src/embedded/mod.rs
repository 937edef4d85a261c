//! A Kafka cluster within this process, for development and tests.
//!
//! Imports: `wire`, `batch`, `model`. Real Kafka decides what is right: where the two differ, this is wrong.
//!
//! In reading order:
//! - `handle`: [`Embedded`], the public face; `builder`, `settings`: what it is started with
//! - `state`: [`State`](state::State), all that the brokers know; pure, takes `now`
//! - `topic`, `log`, `sequences`: topics and partitions, their records, what idempotent producers wrote last
//! - `validator`: which batches are appended to a log
//! - `config/`, `names`: settings of topics, brokers and groups; what things may be called
//! - `placement`: where replicas go
//! - `caller`: who asks
//! - `turns`, `fetch_session`, `parked`, `waiting`: what clients fetch again and again; requests that are answered later
//! - `group/`: consumer groups
//! - `api/`: one file an API
//! - `fault`, `named`, `received`, `control`: what a test wants to happen to requests; what they say; what was asked; what else it may do to a cluster
//! - `api_name`: the APIs by their names
//! - `host`: the state and what waits for it, connections and the clock
//! - `connection`, `listen`: requests and answers on a stream; where streams come from
//! - `disk/`: what is kept in a directory over a restart
//! - `sasl`, `scram`: who may connect on TCP
//! - `clock`: the time of day

mod api;
mod api_name;
mod builder;
mod caller;
mod clock;
mod config;
mod connection;
mod control;
mod disk;
mod fault;
mod fetch_session;
mod group;
mod handle;
mod host;
mod listen;
mod log;
mod named;
mod names;
mod parked;
mod placement;
mod received;
mod sasl;
mod scram;
mod sequences;
mod settings;
mod state;
mod topic;
mod turns;
mod validator;
mod waiting;

pub use api_name::Api;
pub use builder::{EmbeddedBuilder, EmbeddedError};
pub use disk::DataError;
pub use fault::{Fault, FaultBuilder, InjectedFault};
pub use handle::Embedded;
pub use received::ReceivedRequest;
