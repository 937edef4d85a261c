use std::{fmt, future::Future, io, pin::Pin, time::Duration};

use tokio::{
    io::{AsyncRead, AsyncWrite},
    net::TcpStream,
    time::timeout,
};

use super::Address;

/// A stream of bytes to or from a peer.
pub(crate) trait Socket: AsyncRead + AsyncWrite + Send + Unpin {}

impl<S: AsyncRead + AsyncWrite + Send + Unpin> Socket for S {}

/// A stream of bytes to a peer, or why there is none.
pub(crate) type Dialled = Pin<Box<dyn Future<Output = io::Result<Box<dyn Socket>>> + Send>>;

/// How a peer is reached by its address.
pub(crate) trait Dial: fmt::Debug + Send + Sync {
    /// Connects, within `limit`.
    fn dial(&self, address: &Address, limit: Duration) -> Dialled;
}

/// Over TCP.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Tcp;

impl Dial for Tcp {
    fn dial(&self, address: &Address, limit: Duration) -> Dialled {
        let address = address.clone();
        Box::pin(async move { Ok(Box::new(connect(&address, limit).await?) as Box<dyn Socket>) })
    }
}

/// Tries each address that the name resolves to.
async fn connect(address: &Address, limit: Duration) -> io::Result<TcpStream> {
    let connecting = async {
        let mut last = io::Error::new(io::ErrorKind::NotFound, "the name resolves to no address");
        let addresses: Vec<_> = tokio::net::lookup_host((address.host(), address.port())).await?.collect();
        for resolved in &addresses {
            // One that does not answer leaves time for the others.
            match timeout(limit / addresses.len() as u32, TcpStream::connect(resolved)).await {
                Ok(Ok(stream)) => {
                    stream.set_nodelay(true)?;
                    return Ok(stream);
                }
                Ok(Err(error)) => last = error,
                Err(_) => last = io::Error::new(io::ErrorKind::TimedOut, format!("no answer from {resolved}")),
            }
        }
        Err(last)
    };
    timeout(limit, connecting)
        .await
        .unwrap_or_else(|_| Err(io::Error::new(io::ErrorKind::TimedOut, format!("no connection within {limit:?}"))))
}
