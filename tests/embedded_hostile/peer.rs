//! A client that sends whatever bytes it likes, and one that is honest.

use std::time::{Duration, Instant};

use milena::{Consumer, Kafka, OffsetSpec, Producer, Record};
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::TcpStream,
    time::timeout,
};

/// Longer than any answer takes; one that does not come is waited for no longer.
pub const HANG: Duration = Duration::from_secs(30);

/// What came of a request.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Told {
    /// The answer's bytes behind its length.
    Answer(Vec<u8>),
    /// The connection has ended.
    Closed,
    /// Nothing in the time given.
    Nothing,
}

#[derive(Debug)]
pub struct Peer(pub TcpStream);

impl Peer {
    pub async fn connect(address: &str) -> Peer {
        Peer(TcpStream::connect(address).await.expect("the broker listens"))
    }

    /// Sends bytes; a connection that the broker has closed takes none.
    pub async fn send(&mut self, bytes: &[u8]) {
        let _ = self.0.write_all(bytes).await;
    }

    /// What comes back.
    pub async fn told(&mut self, within: Duration) -> Told {
        timeout(within, self.answer()).await.unwrap_or(Told::Nothing)
    }

    pub async fn ask(&mut self, bytes: &[u8]) -> Told {
        self.send(bytes).await;
        self.told(HANG).await
    }

    async fn answer(&mut self) -> Told {
        let Ok(length) = self.0.read_i32().await else { return Told::Closed };
        let length = usize::try_from(length).expect("a broker's frames have lengths");
        let mut answer = Vec::new();
        match (&mut self.0).take(length as u64).read_to_end(&mut answer).await {
            Ok(read) if read == length => Told::Answer(answer),
            _ => Told::Closed,
        }
    }

    /// Sends no more; whether the connection ends then.
    pub async fn ends(mut self) -> bool {
        let _ = self.0.shutdown().await;
        let mut rest = Vec::new();
        // A reset is an end too.
        timeout(HANG, self.0.read_to_end(&mut rest)).await.is_ok()
    }
}

/// Produces and consumes beside those who mean harm.
pub struct Honest {
    producer: Producer,
    consumer: Consumer,
    sent: u64,
}

/// The topic of the honest.
pub const HONEST: &str = "honest";

impl Honest {
    pub async fn at(address: &str) -> Honest {
        let kafka = Kafka::connect(address).await.unwrap();
        let producer = kafka.producer().build().await.unwrap();
        let reading = kafka.standalone_consumer().assign_topics([HONEST], OffsetSpec::End);
        Honest { producer, consumer: reading.build().await.unwrap(), sent: 0 }
    }

    /// How long it takes to produce a record and to read it.
    pub async fn is_served(&mut self) -> Duration {
        let began = Instant::now();
        self.sent += 1;
        let value = self.sent.to_string();
        let served = async {
            self.producer.send(Record::to(HONEST).value(value.clone())).await.unwrap();
            let record = self.consumer.recv().await.unwrap().unwrap();
            assert_eq!(record.value(), Some(value.as_bytes()));
        };
        timeout(HANG, served).await.expect("an honest client is served");
        began.elapsed()
    }
}
