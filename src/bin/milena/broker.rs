use std::error::Error;

use milena::Embedded;

use crate::{args::Broker, stop};

/// Is a broker until it is told to stop. The address goes to stdout, as soon as clients may connect.
pub(crate) async fn run(options: Broker) -> Result<(), Box<dyn Error>> {
    // Whoever reads the address may stop it at once.
    let stopped = stop::signal();
    let builder = Embedded::builder().brokers(options.count).listen(options.listen);
    let builder = options.topics.into_iter().fold(builder, |builder, (name, count)| builder.topic(name, count));
    let builder = options.data.into_iter().fold(builder, milena::EmbeddedBuilder::data_dir);
    let builder = options.users.into_iter().fold(builder, |builder, (name, password)| builder.user(name, password));
    let broker = builder.start().await?;
    println!("{}", broker.bootstrap_servers());
    stopped.await;
    Ok(broker.close()?)
}
