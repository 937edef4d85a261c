//! `milena groups`: list, describe, reset and delete consumer groups, and tell how far behind they are.
//!
//! - `args`: what can be written behind it
//! - `show`: list, describe, lag
//! - `change`: reset, delete

mod args;
mod change;
mod show;

use std::error::Error;

use milena::Kafka;

pub(crate) use args::Groups;

pub(crate) async fn run(kafka: &Kafka, command: Groups, json: bool) -> Result<(), Box<dyn Error>> {
    let admin = kafka.admin();
    match command {
        Groups::List(options) => show::list(&admin, options, json).await,
        Groups::Describe(options) => show::describe(&admin, options, json).await,
        Groups::Lag(options) => show::lag(&admin, options, json).await,
        Groups::Reset(options) => change::reset(&admin, options, json).await,
        Groups::Delete(options) => change::delete(&admin, options, json).await,
    }
}
