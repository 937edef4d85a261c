use std::{
    io,
    net::SocketAddr,
    sync::{Arc, Weak},
    time::Duration,
};

use tokio::net::{TcpListener, TcpStream};

use super::{
    caller::Door,
    connection::{self, Client},
    host::Host,
};
use crate::wire::{Address, Dial, Dialled, Socket};

/// Bytes that a connection within the process holds between its ends, in each direction.
const PIPE_BYTES: usize = 1 << 20;

/// Reaches the brokers within this process.
#[derive(Debug)]
pub(crate) struct Within(pub(crate) Arc<Host>);

impl Dial for Within {
    fn dial(&self, address: &Address, _: Duration) -> Dialled {
        let dialled = dial(&self.0, address);
        Box::pin(async move { dialled })
    }
}

fn dial(host: &Arc<Host>, address: &Address) -> io::Result<Box<dyn Socket>> {
    let broker = host.with(|state| state.brokers.iter().find(|(_, b)| b.memory == *address).map(|(id, _)| *id));
    let broker = broker.ok_or_else(|| io::Error::new(io::ErrorKind::NotFound, "no embedded broker is called that"))?;
    let life = host.life(broker).filter(|life| life.get()).ok_or(io::ErrorKind::ConnectionRefused)?;
    let (client, server) = tokio::io::duplex(PIPE_BYTES);
    let peer = "/127.0.0.1".to_owned();
    let at_the_other_end = Client { host: Arc::clone(host), broker, door: Door::Memory, peer };
    tokio::spawn(connection::serve(at_the_other_end, Box::new(server), life));
    Ok(Box::new(client))
}

/// Takes connections on TCP while the broker runs, and again when it does so again; until the host is gone.
pub(crate) async fn listen(host: Weak<Host>, broker: i32, door: Door, first: TcpListener, address: SocketAddr) {
    let Some(mut life) = host.upgrade().and_then(|host| host.life(broker)) else { return };
    let mut listener = Some(first);
    loop {
        if life.until(|is_running| *is_running).await.is_err() {
            return;
        }
        let bound = match listener.take() {
            Some(listener) => Ok(listener),
            None => TcpListener::bind(address).await,
        };
        let bound = match bound {
            Ok(bound) => bound,
            Err(error) => {
                tracing::warn!("embedded broker {broker}: {address}: {error}");
                tokio::time::sleep(Duration::from_millis(100)).await;
                continue;
            }
        };
        let mut dying = life.clone();
        tokio::select! {
            biased;
            ended = dying.until(|is_running| !is_running) => if ended.is_err() { return },
            () = accept(&host, broker, door, &bound) => return,
        }
    }
}

async fn accept(host: &Weak<Host>, broker: i32, door: Door, listener: &TcpListener) {
    loop {
        match listener.accept().await {
            Ok((stream, peer)) => {
                let Some(host) = host.upgrade() else { return };
                take(host, broker, door, stream, peer);
            }
            Err(error) => {
                // Out of file descriptors, say: those who wait are taken when there are some.
                tracing::warn!("embedded broker {broker}: a connection could not be taken: {error}");
                tokio::time::sleep(Duration::from_millis(20)).await;
            }
        }
    }
}

fn take(host: Arc<Host>, broker: i32, door: Door, stream: TcpStream, peer: SocketAddr) {
    let Some(life) = host.life(broker) else { return };
    let _ = stream.set_nodelay(true);
    let peer = format!("/{}", peer.ip());
    let client = Client { host, broker, door, peer };
    tokio::spawn(connection::serve(client, Box::new(stream), life));
}
