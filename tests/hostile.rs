//! Peers that lie, or are no brokers at all: no panic, no hang, bounded memory, and an error or another try each time.
//!
//! `MILENA_MUTATIONS` sets how many answers are mutated; 1,000,000 take some ten minutes in a debug build.

mod support;

use std::{
    sync::{
        Arc,
        atomic::{AtomicBool, AtomicU64, Ordering},
    },
    time::{Duration, Instant},
};

use milena::{ConnectError, Kafka, OffsetReset, OffsetSpec, Properties, Record, Timestamp, TopicPartition};
use parking_lot::Mutex;
use support::{
    Impostor, eventually,
    health::{panics, resident},
    impostor::{PARTITIONS, TOPIC},
};
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::{TcpListener, TcpStream},
    time::timeout,
};

/// Longer than anything here may take.
const HANG: Duration = Duration::from_secs(60);
/// What lies may cost: an answer may be that large, honestly, and one per purpose of a connection is in memory.
const MEMORY: usize = 256 << 20;

async fn connect(bootstrap: &str) -> Result<Kafka, ConnectError> {
    let quick = [
        ("request.timeout.ms", "100"),
        ("default.api.timeout.ms", "200"),
        ("retry.backoff.ms", "1"),
        ("retry.backoff.max.ms", "2"),
        ("reconnect.backoff.ms", "1"),
        ("reconnect.backoff.max.ms", "2"),
        ("metadata.max.age.ms", "100"),
        ("delivery.timeout.ms", "200"),
        ("fetch.max.wait.ms", "10"),
    ];
    let mut properties = Properties::from_iter(quick);
    properties.set("bootstrap.servers", bootstrap);
    Kafka::with_properties(properties).await
}

/// Makes something else of an answer's frame: its length in four bytes, the correlation id, and the rest.
fn mutate(random: &mut fastrand::Rng, frame: &mut Vec<u8>) {
    let set = |frame: &mut Vec<u8>, at: usize, bytes: &[u8]| {
        frame[at..].iter_mut().zip(bytes).for_each(|(old, new)| *old = *new);
    };
    let mut honest_length = true;
    for _ in 0..random.usize(1..4) {
        if frame.len() <= 8 {
            break;
        }
        let at = random.usize(8..frame.len());
        match random.u8(..12) {
            0..=2 => frame[at] ^= 1 << random.u8(..8),
            3 => frame[at] = random.u8(..),
            4 => frame.truncate(at),
            5 => set(frame, at, &[0xff; 8][..random.usize(1..=8)]),
            6 => set(frame, at, &[0x7f, 0xff, 0xff, 0xff]),
            7 => set(frame, at, &random.u32(..1 << 18).to_be_bytes()),
            8 => frame.extend_from_within(at..),
            9 => drop(frame.drain(at..(at + random.usize(1..9)).min(frame.len()))),
            // Rare, since each costs a time-out.
            10 if random.u8(..8) == 0 => set(frame, 4, &random.i32(-2..100).to_be_bytes()),
            11 if random.u8(..8) == 0 => {
                honest_length = false;
                let lengths = [0, 3, u32::MAX, i32::MAX as u32, 64 << 20, (frame.len() - 5) as u32, frame.len() as u32];
                set(frame, 0, &lengths[random.usize(..lengths.len())].to_be_bytes());
            }
            _ => frame[at] = 0,
        }
    }
    if honest_length {
        let length = (frame.len() - 4) as u32;
        set(frame, 0, &length.to_be_bytes());
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn no_lie_of_a_broker_harms_a_client() {
    let count: u64 = std::env::var("MILENA_MUTATIONS").map_or(15_000, |n| n.parse().expect("a number"));
    let panics_before = panics();
    let memory_before = resident();
    let told: Arc<[AtomicU64; 32]> = Arc::default();
    let lying = Arc::new(AtomicBool::new(false));
    let random = Mutex::new(fastrand::Rng::with_seed(4));
    let impostor = Impostor::start({
        let (told, lying) = (told.clone(), lying.clone());
        Arc::new(move |api, frame: &mut Vec<u8>| {
            let mut random = random.lock();
            // Half of them are true, so that clients get on.
            if lying.load(Ordering::Acquire) && random.bool() {
                mutate(&mut random, frame);
                told[api as usize].fetch_add(1, Ordering::AcqRel);
            }
        })
    })
    .await;
    let lies = || told.iter().map(|of_api| of_api.load(Ordering::Acquire)).sum::<u64>();

    let kafka = connect(&impostor.bootstrap()).await.unwrap();
    // These two live through all the lies.
    let producer = kafka.producer().linger(Duration::ZERO).build().await.unwrap();
    let reading = kafka.standalone_consumer().auto_offset_reset(OffsetReset::Earliest);
    let mut consumer = reading.assign_topics([TOPIC], OffsetSpec::Beginning).build().await.unwrap();
    lying.store(true, Ordering::Release);
    let began = Instant::now();
    let going = Arc::new(AtomicBool::new(true));
    let short_lived = (0..32).map(|_| {
        let (bootstrap, going) = (impostor.bootstrap(), going.clone());
        tokio::spawn(async move {
            while going.load(Ordering::Acquire) {
                timeout(HANG, short_life(&bootstrap)).await.expect("a short life ends");
            }
        })
    });
    let short_lived = short_lived.collect::<Vec<_>>();
    let sending = tokio::spawn({
        let (producer, going) = (producer.clone(), going.clone());
        async move {
            while going.load(Ordering::Acquire) {
                for partition in 0..PARTITIONS {
                    let sent = producer.send(Record::to(TOPIC).partition(partition).value("v"));
                    let _ = timeout(HANG, sent).await.expect("a delivery ends");
                }
            }
        }
    });
    while lies() < count {
        let before = lies();
        for _ in 0..100 {
            match timeout(Duration::from_millis(20), consumer.recv()).await {
                Ok(Ok(Some(_))) | Err(_) => {}
                Ok(Ok(None)) => panic!("the log has no end"),
                // What it cannot read it leaves to its user: go on elsewhere.
                Ok(Err(_)) => consumer.assignment().iter().for_each(|at| consumer.seek(at, 0).unwrap()),
            }
        }
        assert!(lies() > before, "nobody asks any more");
        let memory = resident().saturating_sub(memory_before);
        assert!(memory < MEMORY, "{} MiB after {} lies", memory >> 20, lies());
    }
    lying.store(false, Ordering::Release);
    going.store(false, Ordering::Release);
    let took = began.elapsed();
    for task in short_lived.into_iter().chain([sending]) {
        task.await.unwrap();
    }

    // Whatever they were told, once it is the truth they work, without help but a seek.
    for partition in 0..PARTITIONS {
        eventually(HANG, "a record is acknowledged", async || {
            producer.send(Record::to(TOPIC).partition(partition).value("v")).await
        })
        .await;
        let at = TopicPartition::new(TOPIC, partition);
        eventually(HANG, "a record is read", async || {
            consumer.seek(&at, 0).map_err(|error| error.to_string())?;
            loop {
                let record = timeout(Duration::from_secs(1), consumer.recv()).await.map_err(|_| "nothing comes")?;
                let record = record.map_err(|error| error.to_string())?.ok_or("the end")?;
                if record.topic_partition() == at {
                    return Ok::<_, String>(());
                }
            }
        })
        .await;
    }
    let by_api = [0, 1, 2, 3, 18, 22, 23].map(|api: usize| (api, told[api].load(Ordering::Acquire)));
    println!("{} lies in {took:?}, by API: {by_api:?}; {} MiB", lies(), resident().saturating_sub(memory_before) >> 20);
    assert!(by_api.iter().all(|(_, told)| *told > 0), "{by_api:?}");
    assert_eq!(panics(), panics_before, "something panicked");
}

/// A client's life from its connection on; whatever fails ends it.
async fn short_life(bootstrap: &str) {
    let Ok(kafka) = connect(bootstrap).await else { return };
    let Ok(producer) = kafka.producer().build().await else { return };
    for number in ["a", "b", "c"] {
        let record = Record::to(TOPIC).key(number).value("v");
        if producer.send(record).await.is_err() {
            break;
        }
    }
    let at = TopicPartition::new(TOPIC, 0);
    let reading = kafka.standalone_consumer().assign([(at.clone(), OffsetSpec::Timestamp(Timestamp::from_millis(5)))]);
    let Ok(mut consumer) = reading.build().await else { return };
    for _ in 0..20 {
        match timeout(Duration::from_millis(100), consumer.recv_batch()).await {
            Ok(Ok(Some(batch))) => batch.iter().filter_map(Result::ok).for_each(|record| drop(record.to_owned())),
            _ => break,
        }
    }
    let _ = consumer.end_offsets(&[at]).await;
}

/// What a peer does with each connection.
type Behaviour = fn(TcpStream) -> tokio::task::JoinHandle<std::io::Result<()>>;

/// A peer that answers the first bytes of a connection with these, and then is silent.
macro_rules! answers {
    ($bytes:expr) => {
        |mut stream| {
            tokio::spawn(async move {
                stream.read_u8().await?;
                stream.write_all(&$bytes).await?;
                std::future::pending().await
            })
        }
    };
}

/// A peer that sends these bytes again and again.
macro_rules! floods {
    ($bytes:expr) => {
        |mut stream| {
            tokio::spawn(async move {
                let bytes = $bytes;
                loop {
                    stream.write_all(&bytes).await?;
                }
            })
        }
    };
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_is_no_broker_is_an_error_that_says_so_in_time() {
    #[rustfmt::skip]
    let peers: [(&str, Behaviour, &str); 12] = [
        ("HTTP", answers!(*b"HTTP/1.1 400 Bad Request\r\nContent-Length: 0\r\n\r\n"), "speaks HTTP"),
        ("TLS", answers!([0x15, 3, 3, 0, 2, 2, 40]), "speaks TLS"),
        ("SSH", answers!(*b"SSH-2.0-OpenSSH_9.6\r\n"), "speaks SSH"),
        ("silence", |stream| tokio::spawn(async move { let _open = stream; std::future::pending().await }), "no answer"),
        ("closes", |stream| tokio::spawn(async move { drop(stream); Ok(()) }), "TLS or SASL"),
        ("random bytes", floods!([0xc3; 4096]), "announced a frame"),
        ("zeros for ever", floods!([0; 4096]), "no answer"),
        // Small frames that answer nothing.
        ("frames for ever", floods!([0, 0, 0, 8, 9, 9, 9, 9, 0, 0, 0, 0].repeat(500)), "no answer"),
        ("a large frame, never ended", answers!([&[3, 0xff, 0xff, 0xff][..], &[0; 1 << 20]].concat()), "no answer"),
        ("a frame too large", answers!([0x7f, 0xff, 0xff, 0xff, 0, 0]), "announced a frame"),
        ("half an answer", |mut stream| tokio::spawn(async move {
            // All of it: closing with something unread would be a reset.
            let mut request = vec![0; stream.read_u32().await? as usize];
            stream.read_exact(&mut request).await?;
            stream.write_all(&[0, 0, 1, 0, 0, 0, 0, 0]).await
        }), "in the middle of an answer"),
        ("an answer of garbage", answers!([0, 0, 0, 8, 0, 0, 0, 0, 0xff, 0xff, 0xff, 0xff]), "does not answer as a Kafka broker"),
    ];
    let panics_before = panics();
    let memory_before = resident();
    for (name, behaviour, word) in peers {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap().to_string();
        let accepting = tokio::spawn(async move {
            while let Ok((stream, _)) = listener.accept().await {
                behaviour(stream);
            }
        });
        let mut properties = Properties::from_iter([("bootstrap.servers", &*address)]);
        properties.set("request.timeout.ms", "500").set("socket.connection.setup.timeout.ms", "500");
        let began = Instant::now();
        let error = timeout(HANG, Kafka::with_properties(properties)).await.expect(name).expect_err(name).to_string();
        let (took, memory) = (began.elapsed(), resident().saturating_sub(memory_before));
        println!("{name}: {took:.1?}, {} MiB: {error}", memory >> 20);
        assert!(error.contains(word) && error.contains(&address), "{name}: {error}");
        assert!(took < Duration::from_secs(5), "{name}: {took:?}");
        assert!(memory < MEMORY, "{name}: {} MiB", memory >> 20);
        accepting.abort();
    }
    assert_eq!(panics(), panics_before, "something panicked");
}

#[tokio::test]
async fn a_port_where_nobody_listens_is_an_error_that_says_so() {
    // Bound and let go, so that it is nobody's.
    let address = TcpListener::bind("127.0.0.1:0").await.unwrap().local_addr().unwrap().to_string();
    let error = timeout(HANG, Kafka::connect(&address)).await.unwrap().unwrap_err().to_string();
    assert!(error.contains("cannot connect") && error.contains(&address), "{error}");
}
