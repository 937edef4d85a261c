//! What clients may send to the embedded broker's port: no panic, bounded memory, and all others are served.
//!
//! `MILENA_MUTATIONS` sets how many requests are mutated; a million take some minutes in a debug build.

mod support;

#[allow(unreachable_pub, reason = "these are modules of a test")]
mod embedded_hostile {
    //! - `batches`: record batches that are not what they say
    //! - `requests`: what honest clients send, of each API in each version
    //! - `mutation`: what becomes of it
    //! - `peer`: who sends it

    use super::broker;

    mod batches;
    pub mod mutation;
    pub mod peer;
    pub mod requests;
}

use std::{
    collections::BTreeSet,
    sync::Arc,
    time::{Duration, Instant},
};

use embedded_hostile::{
    mutation::mutate,
    peer::{HONEST, Honest, Peer, Told},
    requests::{self, Sample, TOPIC},
};
use milena::Embedded;
use support::health::{panics, resident};
use tokio::io::AsyncWriteExt;

/// What others wait at most, on a machine that has more to do.
const SOON: Duration = Duration::from_secs(5);
/// What hostile clients of a test may cost together.
const MEMORY: usize = 512 << 20;

async fn broker() -> (Embedded, String, [u8; 16]) {
    let builder = Embedded::builder().listen("127.0.0.1:0").topic(TOPIC, 3).topic(HONEST, 1);
    // So that those who join are not waited for by those who join after them.
    let broker = builder.min_session_timeout(Duration::from_millis(100)).start().await.unwrap();
    let address = broker.bootstrap_servers();
    let topic = broker.kafka().await.unwrap().admin().describe_topic(TOPIC).await.unwrap();
    (broker, address, topic.id.0)
}

/// API, lowest and highest version, as ApiVersions tells them.
async fn offered(address: &str) -> Vec<(i16, i16, i16)> {
    let ask = b"\0\0\0\x0a\0\x12\0\0\0\0\0\x07\xff\xff";
    let Told::Answer(answer) = Peer::connect(address).await.ask(ask).await else { panic!("no answer") };
    let number = |at: usize| i16::from_be_bytes([answer[at], answer[at + 1]]);
    (10..answer.len()).step_by(6).map(|at| (number(at), number(at + 2), number(at + 4))).collect()
}

#[tokio::test]
async fn each_request_that_is_mutated_is_one_that_is_served() {
    let (_broker, address, topic_id) = broker().await;
    let samples = requests::all(topic_id);
    let sampled: BTreeSet<(i16, i16)> = samples.iter().map(|sample| (sample.api, sample.version)).collect();
    for (api, low, high) in offered(&address).await {
        for version in low..=high {
            // Old batches, which Produce had before version 3, are not kept.
            let is_old = api == 0 && version < 3;
            assert!(is_old || sampled.contains(&(api, version)), "API {api} has no request of version {version}");
        }
    }
    for sample in samples {
        let told = Peer::connect(&address).await.ask(&sample.frame).await;
        assert!(matches!(told, Told::Answer(_)), "API {} {}: {told:?}", sample.api, sample.version);
    }
}

/// Sends mutated requests, on as few connections as it may, until it has sent `count`; how many were answered.
async fn lie(address: String, samples: Arc<[Sample]>, seed: u64, count: u64) -> u64 {
    let mut random = fastrand::Rng::with_seed(seed);
    let mut peer = Peer::connect(&address).await;
    let mut answered = 0;
    for _ in 0..count {
        let at = random.usize(..samples.len());
        let frame = mutate(&mut random, &samples[at]);
        peer.send(&frame).await;
        // Some are waited for long, some not answered at all, and some want more bytes than there are.
        match peer.told(Duration::from_millis(10)).await {
            Told::Answer(_) => answered += 1,
            Told::Closed | Told::Nothing => peer = Peer::connect(&address).await,
        }
    }
    answered
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn no_lie_of_a_client_harms_the_broker_or_others() {
    /// As many a broker; what they make of its topics and groups goes with it.
    const ROUND: u64 = 10_000;
    const LIARS: u64 = 16;
    let count: u64 = std::env::var("MILENA_MUTATIONS").map_or(ROUND, |n| n.parse().expect("a number"));
    let panics_before = panics();
    let (began, memory_before) = (Instant::now(), resident());
    let (mut sent, mut answered, mut memory, mut longest) = (0, 0, 0, Duration::ZERO);
    while sent < count {
        let (_broker, address, topic_id) = broker().await;
        let samples: Arc<[Sample]> = requests::all(topic_id).into();
        let mut honest = Honest::at(&address).await;
        let liars =
            (0..LIARS).map(|liar| tokio::spawn(lie(address.clone(), samples.clone(), sent + liar, ROUND / LIARS)));
        let liars = liars.collect::<Vec<_>>();
        while liars.iter().any(|liar| !liar.is_finished()) {
            longest = longest.max(honest.is_served().await);
            memory = memory.max(resident().saturating_sub(memory_before));
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
        for liar in liars {
            answered += liar.await.unwrap();
        }
        longest = longest.max(honest.is_served().await);
        sent += ROUND;
        assert_eq!(panics(), panics_before, "something panicked");
        assert!(memory < MEMORY, "{} MiB after {sent} lies", memory >> 20);
        assert!(longest < SOON, "another waited for {longest:?}");
    }
    println!(
        "{sent} lies in {:.1?}, {answered} answered; others waited {longest:.1?} at most; {} MiB",
        began.elapsed(),
        memory >> 20
    );
    assert!(answered > sent / 10 && answered < sent, "{answered} of {sent} were answered");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_is_no_request_ends_its_connection_and_nothing_else() {
    let panics_before = panics();
    let (_broker, address, topic_id) = broker().await;
    let mut honest = Honest::at(&address).await;
    let mut random = fastrand::Rng::with_seed(5);
    let mut noise = |length: usize| (0..length).map(|_| random.u8(..)).collect::<Vec<u8>>();
    // Lengths that no request has, whatever follows.
    for length in [-1, i32::MIN, i32::MAX, (100 << 20) + 1, 0, 1, 7] {
        let mut peer = Peer::connect(&address).await;
        let bytes = [&i32::to_be_bytes(length)[..], &noise(64)].concat();
        assert_eq!(peer.ask(&bytes).await, Told::Closed, "a length of {length}");
    }
    // Other protocols, and bytes of none.
    let hello = [&[0x16, 3, 1, 2, 0, 1, 0, 1, 0xfc, 3, 3][..], &noise(500)].concat();
    for bytes in [
        &b"GET / HTTP/1.1\r\nHost: localhost\r\n\r\n"[..],
        &hello,
        b"SSH-2.0-OpenSSH_9.6\r\n",
        &[0; 4096],
        &[0xff; 4096],
    ] {
        assert_eq!(Peer::connect(&address).await.ask(bytes).await, Told::Closed);
    }
    for length in (1..2000).step_by(7) {
        let mut peer = Peer::connect(&address).await;
        peer.send(&noise(length)).await;
        assert!(peer.ends().await, "{length} bytes of noise");
    }
    // APIs and versions that there are not.
    for (api, version) in [(-1, 0), (i16::MAX, 0), (4, 0), (68, 1), (3, -1), (3, 99), (0, i16::MIN), (1, 3)] {
        let header =
            [&i16::to_be_bytes(api)[..], &i16::to_be_bytes(version), &[0; 4], &[0xff, 0xff], &[0; 64]].concat();
        let frame = [&(header.len() as u32).to_be_bytes()[..], &header].concat();
        assert_eq!(Peer::connect(&address).await.ask(&frame).await, Told::Closed, "API {api} {version}");
    }
    // Each request, cut off at each byte: announced as if it were whole, or as if that were all of it.
    for sample in requests::all(topic_id).iter().filter(|sample| sample.version % 3 == 1) {
        for end in (0..sample.frame.len()).step_by(3) {
            let mut whole = Peer::connect(&address).await;
            whole.send(&sample.frame[..end]).await;
            assert!(whole.ends().await, "API {} {} cut off at {end}", sample.api, sample.version);
        }
    }
    assert!(honest.is_served().await < SOON);
    assert_eq!(panics(), panics_before, "something panicked");
}

#[tokio::test]
async fn a_connection_on_which_nothing_happens_is_closed() {
    let builder = Embedded::builder().listen("127.0.0.1:0").topic(TOPIC, 1);
    let broker = builder.connections_max_idle(Duration::from_millis(300)).start().await.unwrap();
    let address = broker.bootstrap_servers();
    let metadata = requests::all([0; 16]).into_iter().find(|sample| (sample.api, sample.version) == (3, 5)).unwrap();
    let (mut silent, mut half, mut waiting) =
        (Peer::connect(&address).await, Peer::connect(&address).await, Peer::connect(&address).await);
    half.send(&metadata.frame[..20]).await;
    // A fetch of what does not come, for as long as can be said.
    let fetch = requests::in_each((4, 4), |v| {
        let mut fetch = requests::fetch(v, [0; 16], 1, 1, 1000);
        fetch.max_wait_ms = i32::MAX;
        fetch
    });
    waiting.send(&fetch[0].frame).await;
    for (peer, what) in
        [(&mut silent, "nothing asked"), (&mut half, "half a request"), (&mut waiting, "an endless fetch")]
    {
        assert_eq!(peer.told(SOON).await, Told::Closed, "{what}");
    }
    // Who does not read: megabytes of answers for it, which end.
    let mut deaf = Peer::connect(&address).await;
    let ask = metadata.frame.repeat(200_000);
    assert!(tokio::time::timeout(4 * SOON, deaf.0.write_all(&ask)).await.expect("it is closed").is_err());
    // Who goes on asking is served for longer than that.
    let mut busy = Peer::connect(&address).await;
    let began = Instant::now();
    while began.elapsed() < Duration::from_millis(600) {
        assert!(matches!(busy.ask(&metadata.frame).await, Told::Answer(_)));
    }
}
