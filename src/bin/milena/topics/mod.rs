//! `milena topics`: list, describe, create, delete and alter topics.
//!
//! - `args`: what can be written behind it
//! - `show`: list, describe
//! - `change`: create, delete, alter

mod args;
mod change;
mod show;

use std::error::Error;

use milena::Kafka;

pub(crate) use args::Topics;

pub(crate) async fn run(kafka: &Kafka, command: Topics, json: bool) -> Result<(), Box<dyn Error>> {
    let admin = kafka.admin();
    match command {
        Topics::List(options) => show::list(&admin, options, json).await,
        Topics::Describe(options) => show::describe(&admin, options, json).await,
        Topics::Create(options) => change::create(&admin, options, json).await,
        Topics::Delete(options) => change::delete(&admin, options, json).await,
        Topics::Alter(options) => change::alter(&admin, options, json).await,
    }
}
