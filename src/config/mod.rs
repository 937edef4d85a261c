//! Configuration: Kafka's own dotted names, from code, a `.properties` file or the environment.
//!
//! Imports: `model`, `wire`'s addresses.
//!
//! In reading order:
//! - `properties`: [`Properties`], names and texts as given
//! - `key`: a known name, and how its text becomes a setting
//! - `client`: [`ClientConfig`], what all clients of one handle share
//! - `error`: an unknown name, a bad value

mod client;
mod error;
mod key;
mod properties;

pub use error::ConfigError;
pub use properties::Properties;

pub(crate) use client::{CLIENT_KEYS, ClientConfig};
pub(crate) use key::{Key, apply, boolean, bytes, millis, number, one_of, reject_unknown};
pub(crate) use properties::is_secret;
