//! The embedded broker with users, as clients meet it on TCP. The bytes are written by hand: milena's own client has no SASL.

use milena::Embedded;
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::TcpStream,
};

const API_VERSIONS: i16 = 18;
const METADATA: i16 = 3;
const SASL_HANDSHAKE: i16 = 17;
const SASL_AUTHENTICATE: i16 = 36;

const UNSUPPORTED_SASL_MECHANISM: i16 = 33;
const ILLEGAL_SASL_STATE: i16 = 34;
const SASL_AUTHENTICATION_FAILED: i16 = 58;

struct Connection(TcpStream);

impl Connection {
    async fn to(broker: &Embedded) -> Connection {
        Connection(TcpStream::connect(broker.bootstrap_servers()).await.unwrap())
    }

    async fn send(&mut self, frame: &[u8]) {
        self.0.write_all(&(frame.len() as i32).to_be_bytes()).await.unwrap();
        self.0.write_all(frame).await.unwrap();
    }

    /// What comes back, or `None` if the connection is closed.
    async fn receive(&mut self) -> Option<Vec<u8>> {
        let mut frame = vec![0; usize::try_from(self.0.read_i32().await.ok()?).unwrap()];
        self.0.read_exact(&mut frame).await.ok()?;
        Some(frame)
    }

    /// The answer to a request, without its correlation id.
    async fn ask(&mut self, api: i16, version: i16, body: &[u8]) -> Option<Vec<u8>> {
        let mut frame = Vec::new();
        frame.extend_from_slice(&api.to_be_bytes());
        frame.extend_from_slice(&version.to_be_bytes());
        frame.extend_from_slice(&7i32.to_be_bytes());
        frame.extend_from_slice(&(-1i16).to_be_bytes());
        frame.extend_from_slice(body);
        self.send(&frame).await;
        Some(self.receive().await?.split_off(4))
    }

    async fn handshake(&mut self, version: i16, mechanism: &str) -> Vec<u8> {
        let body = [&(mechanism.len() as i16).to_be_bytes(), mechanism.as_bytes()].concat();
        self.ask(SASL_HANDSHAKE, version, &body).await.unwrap()
    }

    async fn authenticate(&mut self, token: &[u8]) -> Vec<u8> {
        let body = [&(token.len() as i32).to_be_bytes(), token].concat();
        self.ask(SASL_AUTHENTICATE, 1, &body).await.unwrap()
    }

    /// Whether it is asked for topics, and answers.
    async fn is_open(&mut self) -> bool {
        self.ask(METADATA, 1, &0i32.to_be_bytes()).await.is_some()
    }
}

fn error(answer: &[u8]) -> i16 {
    i16::from_be_bytes([answer[0], answer[1]])
}

fn says(answer: &[u8], text: &str) -> bool {
    answer.windows(text.len()).any(|part| part == text.as_bytes())
}

async fn broker() -> Embedded {
    Embedded::builder().listen("127.0.0.1:0").user("alice", "secret").start().await.unwrap()
}

#[tokio::test]
async fn who_knows_the_password_may_go_on() {
    let broker = broker().await;
    let mut connection = Connection::to(&broker).await;
    assert_eq!(error(&connection.ask(API_VERSIONS, 0, &[]).await.unwrap()), 0);
    let offered = connection.handshake(1, "PLAIN").await;
    assert_eq!(error(&offered), 0);
    assert!(["PLAIN", "SCRAM-SHA-256", "SCRAM-SHA-512"].iter().all(|mechanism| says(&offered, mechanism)));
    assert_eq!(error(&connection.authenticate(b"\0alice\0secret").await), 0);
    assert!(connection.is_open().await);
    // Once is enough.
    assert_eq!(error(&connection.handshake(1, "PLAIN").await), ILLEGAL_SASL_STATE);
    assert_eq!(error(&connection.authenticate(b"\0alice\0secret").await), ILLEGAL_SASL_STATE);

    // As before KIP-152: the token stands alone.
    let mut connection = Connection::to(&broker).await;
    assert_eq!(error(&connection.handshake(0, "PLAIN").await), 0);
    connection.send(b"\0alice\0secret").await;
    assert_eq!(connection.receive().await.unwrap(), b"");
    assert!(connection.is_open().await);

    // Within the process nobody is asked.
    assert!(broker.kafka().await.is_ok());
}

#[tokio::test]
async fn others_are_told_so_and_closed() {
    let broker = broker().await;
    let mut connection = Connection::to(&broker).await;
    assert!(!connection.is_open().await, "before it has authenticated");

    let mut connection = Connection::to(&broker).await;
    let refused = connection.handshake(1, "GSSAPI").await;
    assert_eq!(error(&refused), UNSUPPORTED_SASL_MECHANISM);
    assert!(says(&refused, "SCRAM-SHA-512"));
    assert_eq!(connection.receive().await, None);

    for (mechanism, token, why) in [
        ("PLAIN", &b"\0alice\0wrong"[..], "Invalid username or password"),
        ("PLAIN", b"\0bob\0secret", "Invalid username or password"),
        ("PLAIN", b"bob\0alice\0secret", "authorization id that is different from username"),
        ("PLAIN", b"nonsense", "invalid credentials with SASL mechanism PLAIN"),
        ("SCRAM-SHA-256", b"n,,n=bob,r=abc", "invalid credentials with SASL mechanism SCRAM-SHA-256"),
        ("SCRAM-SHA-512", b"\xff\xff", "invalid credentials with SASL mechanism SCRAM-SHA-512"),
    ] {
        let mut connection = Connection::to(&broker).await;
        connection.handshake(1, mechanism).await;
        let refused = connection.authenticate(token).await;
        assert_eq!(error(&refused), SASL_AUTHENTICATION_FAILED);
        assert!(says(&refused, why), "{}", String::from_utf8_lossy(&refused));
        assert_eq!(connection.receive().await, None);
    }

    // The first half of SCRAM is not all of it.
    let mut connection = Connection::to(&broker).await;
    connection.handshake(1, "SCRAM-SHA-256").await;
    assert_eq!(error(&connection.authenticate(b"n,,n=alice,r=abc").await), 0);
    let refused = connection.ask(METADATA, 1, &0i32.to_be_bytes()).await;
    assert!(refused.is_some());
    assert_eq!(connection.receive().await, None);
}

#[tokio::test]
async fn without_users_there_is_no_sasl() {
    let broker = Embedded::builder().listen("127.0.0.1:0").start().await.unwrap();
    let mut connection = Connection::to(&broker).await;
    assert_eq!(error(&connection.handshake(1, "PLAIN").await), ILLEGAL_SASL_STATE);
    assert!(connection.is_open().await);
}
