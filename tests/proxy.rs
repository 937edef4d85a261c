//! The proxy of the fault tests does what its faults say: between a client and a peer that both only speak frames, and
//! before a real cluster.

mod support;

use std::{
    io,
    time::{Duration, Instant},
};

use support::{Direction, Fault, Filter, Proxy, eventually};
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::{TcpListener, TcpStream},
    sync::watch,
    time::timeout,
};

const PRODUCE: i16 = 0;
const FETCH: i16 = 1;
const SOON: Duration = Duration::from_secs(10);
/// How long "nothing comes" is watched.
const A_WHILE: Duration = Duration::from_millis(100);

async fn write_frame(stream: &mut TcpStream, body: &[u8]) -> io::Result<()> {
    let mut frame = (body.len() as u32).to_be_bytes().to_vec();
    frame.extend_from_slice(body);
    stream.write_all(&frame).await
}

async fn read_frame(stream: &mut TcpStream) -> io::Result<Vec<u8>> {
    let mut body = vec![0; stream.read_u32().await? as usize];
    stream.read_exact(&mut body).await?;
    Ok(body)
}

/// Answers each request with its correlation id and `answer N`, N from the request's end.
struct Peer {
    address: String,
    /// How many requests reached it.
    reached: watch::Receiver<u64>,
    /// It answers while this is true.
    answering: watch::Sender<bool>,
}

impl Peer {
    async fn start() -> Peer {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap().to_string();
        let (count, reached) = watch::channel(0);
        let answering = watch::Sender::new(true);
        let gate = answering.clone();
        tokio::spawn(async move {
            while let Ok((mut stream, _)) = listener.accept().await {
                let (count, mut gate) = (count.clone(), gate.subscribe());
                tokio::spawn(async move {
                    while let Ok(request) = read_frame(&mut stream).await {
                        count.send_modify(|count| *count += 1);
                        if gate.wait_for(|open| *open).await.is_err() {
                            return;
                        }
                        let mut answer = request[4..8].to_vec();
                        answer.extend_from_slice(b"answer ");
                        answer.extend_from_slice(&request[8..]);
                        if write_frame(&mut stream, &answer).await.is_err() {
                            return;
                        }
                    }
                });
            }
        });
        Peer { address, reached, answering }
    }

    fn reached(&self) -> u64 {
        *self.reached.borrow()
    }

    async fn reached_by(&self, count: u64) {
        timeout(SOON, self.reached.clone().wait_for(|reached| *reached >= count)).await.unwrap().unwrap();
    }

    fn proxy(&self) -> Proxy {
        Proxy::start("127.0.0.1:0", &self.address).unwrap()
    }
}

struct Client(TcpStream);

impl Client {
    async fn connect(proxy: &Proxy) -> Client {
        Client(TcpStream::connect(proxy.address()).await.unwrap())
    }

    async fn send(&mut self, api: i16, number: i32) {
        let mut request = api.to_be_bytes().to_vec();
        request.extend_from_slice(&7i16.to_be_bytes());
        request.extend_from_slice(&number.to_be_bytes());
        request.extend_from_slice(number.to_string().as_bytes());
        // A connection that is already closed shows when it is read.
        let _ = write_frame(&mut self.0, &request).await;
    }

    async fn answer(&mut self) -> io::Result<Vec<u8>> {
        timeout(SOON, read_frame(&mut self.0)).await.expect("an answer or the end, in time")
    }

    async fn ask(&mut self, api: i16, number: i32) -> io::Result<Vec<u8>> {
        self.send(api, number).await;
        self.answer().await
    }

    /// Asserts that nothing comes, neither an answer nor the end.
    async fn silence(&mut self) {
        assert!(timeout(A_WHILE, self.0.peek(&mut [0])).await.is_err(), "something came");
    }
}

fn answer(number: i32) -> Vec<u8> {
    let mut answer = number.to_be_bytes().to_vec();
    answer.extend_from_slice(format!("answer {number}").as_bytes());
    answer
}

#[tokio::test]
async fn everything_passes_and_is_counted_by_api() {
    let peer = Peer::start().await;
    let proxy = peer.proxy();
    let (mut one, mut two) = (Client::connect(&proxy).await, Client::connect(&proxy).await);
    assert_eq!(one.ask(PRODUCE, 1).await.unwrap(), answer(1));
    assert_eq!(one.ask(FETCH, 2).await.unwrap(), answer(2));
    assert_eq!(two.ask(PRODUCE, 3).await.unwrap(), answer(3));

    let counts = proxy.counts();
    assert_eq!((counts.requests(PRODUCE), counts.requests(FETCH), counts.requests(3)), (2, 1, 0));
    assert_eq!((counts.answers(PRODUCE), counts.answers(FETCH), counts.answers(3)), (2, 1, 0));
    // length, key, version, correlation id, a digit; length, correlation id, "answer ", a digit
    assert_eq!((counts.request_bytes(PRODUCE), counts.answer_bytes(PRODUCE)), (2 * 13, 2 * 16));
    assert_eq!((counts.connections, counts.open), (2, 2));

    proxy.reset_counts();
    drop(one);
    eventually(SOON, "one connection is left", async || proxy.counts().open == 1).await;
    assert_eq!((proxy.counts().requests(PRODUCE), proxy.counts().connections), (0, 0));
}

#[tokio::test]
async fn requests_in_flight_are_counted() {
    let peer = Peer::start().await;
    let proxy = peer.proxy();
    let mut client = Client::connect(&proxy).await;
    peer.answering.send_replace(false);
    for number in 1..=3 {
        client.send(PRODUCE, number).await;
    }
    client.send(FETCH, 4).await;
    eventually(SOON, "all are on the way", async || proxy.counts().most_in_flight(FETCH) == 1).await;
    peer.answering.send_replace(true);
    for number in 1..=4 {
        assert_eq!(client.answer().await.unwrap(), answer(number));
    }
    client.ask(PRODUCE, 5).await.unwrap();
    assert_eq!(proxy.counts().most_in_flight(PRODUCE), 3);
}

#[tokio::test]
async fn a_cut_request_never_arrives() {
    let peer = Peer::start().await;
    let proxy = peer.proxy();
    let mut client = Client::connect(&proxy).await;
    let fault = proxy.on(Filter::api(PRODUCE).nth(2), Fault::Cut);
    client.ask(PRODUCE, 1).await.unwrap();
    client.ask(FETCH, 2).await.unwrap();
    client.ask(PRODUCE, 3).await.unwrap_err();
    assert_eq!((peer.reached(), fault.fired()), (2, 1));

    let mut client = Client::connect(&proxy).await;
    assert_eq!(client.ask(PRODUCE, 4).await.unwrap(), answer(4));
    assert_eq!(proxy.counts().requests(PRODUCE), 3);
}

#[tokio::test]
async fn a_cut_answer_was_given_but_never_comes() {
    let peer = Peer::start().await;
    let proxy = peer.proxy();
    let mut client = Client::connect(&proxy).await;
    peer.answering.send_replace(false);
    let fault = proxy.on(Filter::api(PRODUCE).first(1), Fault::CutBeforeAnswer);
    client.send(FETCH, 1).await;
    client.send(PRODUCE, 2).await;
    peer.reached_by(1).await;
    client.silence().await;
    assert_eq!(fault.fired(), 0, "it waits for the answer");
    peer.answering.send_replace(true);
    assert_eq!(client.answer().await.unwrap(), answer(1));
    client.answer().await.unwrap_err();
    fault.until_fired(1, SOON).await;
    assert_eq!(peer.reached(), 2);
    assert_eq!((proxy.counts().requests(PRODUCE), proxy.counts().answers(PRODUCE)), (1, 0));

    let mut client = Client::connect(&proxy).await;
    assert_eq!(client.ask(PRODUCE, 3).await.unwrap(), answer(3));
}

#[tokio::test]
async fn an_answer_may_be_cut_in_its_middle() {
    let peer = Peer::start().await;
    let proxy = peer.proxy();
    let mut client = Client::connect(&proxy).await;
    let _fault = proxy.on(Filter::any(), Fault::CutWithinAnswer);
    client.send(PRODUCE, 1).await;
    let mut came = Vec::new();
    timeout(SOON, client.0.read_to_end(&mut came)).await.unwrap().unwrap();
    assert_eq!(came, [&12u32.to_be_bytes()[..], &answer(1)[..6]].concat());
}

#[tokio::test]
async fn delays_run_beside_each_other() {
    let peer = Peer::start().await;
    let proxy = peer.proxy();
    let mut client = Client::connect(&proxy).await;
    let delay = Duration::from_millis(200);
    let _fault = proxy.on(Filter::api(PRODUCE), Fault::Delay(delay));
    let start = Instant::now();
    client.ask(FETCH, 0).await.unwrap();
    assert!(start.elapsed() < delay, "another API is not delayed");

    let start = Instant::now();
    for number in 1..=10 {
        client.send(PRODUCE, number).await;
    }
    for number in 1..=10 {
        assert_eq!(client.answer().await.unwrap(), answer(number));
        assert!(start.elapsed() >= delay);
    }
    assert!(start.elapsed() < 5 * delay, "ten answers took {:?}", start.elapsed());
}

#[tokio::test]
async fn stalled_requests_arrive_once_the_stall_ends() {
    let peer = Peer::start().await;
    let proxy = peer.proxy();
    let mut client = Client::connect(&proxy).await;
    let fault = proxy.on(Filter::api(PRODUCE), Fault::Stall(Direction::Requests));
    client.ask(FETCH, 1).await.unwrap();
    client.send(PRODUCE, 2).await;
    client.send(FETCH, 3).await;
    fault.until_fired(1, SOON).await;
    client.silence().await;
    assert_eq!(peer.reached(), 1, "what is behind the request waits too");
    drop(fault);
    assert_eq!(client.answer().await.unwrap(), answer(2));
    assert_eq!(client.answer().await.unwrap(), answer(3));
}

#[tokio::test]
async fn stalled_answers_were_given() {
    let peer = Peer::start().await;
    let proxy = peer.proxy();
    let mut client = Client::connect(&proxy).await;
    let fault = proxy.on(Filter::any(), Fault::Stall(Direction::Answers));
    client.send(PRODUCE, 1).await;
    client.send(PRODUCE, 2).await;
    peer.reached_by(2).await;
    client.silence().await;
    assert_eq!(proxy.counts().answers(PRODUCE), 0);
    drop(fault);
    assert_eq!(client.answer().await.unwrap(), answer(1));
    assert_eq!(client.answer().await.unwrap(), answer(2));
}

#[tokio::test]
async fn a_frozen_proxy_passes_nothing_also_what_was_under_way() {
    let peer = Peer::start().await;
    let proxy = peer.proxy();
    let mut client = Client::connect(&proxy).await;
    peer.answering.send_replace(false);
    client.send(FETCH, 1).await;
    peer.reached_by(1).await;
    let frozen = proxy.freeze();
    peer.answering.send_replace(true);
    frozen.until_fired(1, SOON).await;
    let mut other = Client::connect(&proxy).await;
    other.send(PRODUCE, 2).await;
    frozen.until_fired(2, SOON).await;
    client.silence().await;
    other.silence().await;
    assert_eq!(peer.reached(), 1);
    proxy.clear();
    assert_eq!(client.answer().await.unwrap(), answer(1));
    assert_eq!(other.answer().await.unwrap(), answer(2));
    drop(frozen);
}

#[tokio::test]
async fn a_black_hole_keeps_the_connection_and_swallows_all_of_it() {
    let peer = Peer::start().await;
    let proxy = peer.proxy();
    let (mut lost, mut well) = (Client::connect(&proxy).await, Client::connect(&proxy).await);
    lost.ask(FETCH, 1).await.unwrap();
    let fault = proxy.on(Filter::api(PRODUCE).nth(1), Fault::Blackhole);
    lost.send(PRODUCE, 2).await;
    lost.send(FETCH, 3).await;
    fault.until_fired(1, SOON).await;
    eventually(SOON, "all were read", async || proxy.counts().requests(FETCH) == 2).await;
    assert_eq!(well.ask(PRODUCE, 4).await.unwrap(), answer(4));
    lost.silence().await;
    drop(fault);
    lost.send(FETCH, 5).await;
    lost.silence().await;
    assert_eq!(peer.reached(), 2);
}

#[tokio::test]
async fn a_corrupt_answer_keeps_its_length_and_correlation_id() {
    let peer = Peer::start().await;
    let proxy = peer.proxy();
    let mut client = Client::connect(&proxy).await;
    let fault = proxy.on(Filter::any(), Fault::Corrupt);
    for number in 1..=50 {
        let (came, sent) = (client.ask(PRODUCE, number).await.unwrap(), answer(number));
        assert_eq!((came.len(), &came[..4]), (sent.len(), &sent[..4]));
        assert_ne!(came, sent);
    }
    drop(fault);
    assert_eq!(client.ask(PRODUCE, 51).await.unwrap(), answer(51));
}

#[tokio::test]
async fn an_answer_is_rewritten_also_to_another_length() {
    let peer = Peer::start().await;
    let proxy = peer.proxy();
    let mut client = Client::connect(&proxy).await;
    let mut times = 0;
    let change = move |frame: &mut Vec<u8>| {
        times += 1;
        frame.truncate(4);
        frame.extend(vec![b'x'; 1000 * times]);
    };
    let _fault = proxy.on(Filter::api(PRODUCE).after(1), Fault::rewrite(change));
    assert_eq!(client.ask(PRODUCE, 1).await.unwrap(), answer(1));
    assert_eq!(client.ask(PRODUCE, 2).await.unwrap().len(), 1004);
    assert_eq!(client.ask(FETCH, 3).await.unwrap(), answer(3));
    assert_eq!(client.ask(PRODUCE, 4).await.unwrap()[..5], [0, 0, 0, 4, b'x']);
}

#[tokio::test]
async fn a_refusing_proxy_closes_new_connections_only() {
    let peer = Peer::start().await;
    let proxy = peer.proxy();
    let mut old = Client::connect(&proxy).await;
    old.ask(PRODUCE, 1).await.unwrap();
    let fault = proxy.on(Filter::any(), Fault::Refuse);
    Client::connect(&proxy).await.ask(PRODUCE, 2).await.unwrap_err();
    assert_eq!(old.ask(PRODUCE, 3).await.unwrap(), answer(3));
    assert_eq!(fault.fired(), 1);
    drop(fault);
    Client::connect(&proxy).await.ask(PRODUCE, 4).await.unwrap();
}

#[tokio::test]
async fn a_fault_can_be_for_one_connection() {
    let peer = Peer::start().await;
    let proxy = peer.proxy();
    let mut one = Client::connect(&proxy).await;
    one.ask(PRODUCE, 1).await.unwrap();
    let mut two = Client::connect(&proxy).await;
    proxy.on(Filter::api(PRODUCE).connection(2), Fault::Cut).keep();
    assert_eq!(one.ask(PRODUCE, 2).await.unwrap(), answer(2));
    two.ask(PRODUCE, 3).await.unwrap_err();
}

#[tokio::test]
async fn every_connection_can_be_cut_at_once() {
    let peer = Peer::start().await;
    let proxy = peer.proxy();
    let (mut one, mut two) = (Client::connect(&proxy).await, Client::connect(&proxy).await);
    one.ask(PRODUCE, 1).await.unwrap();
    two.ask(PRODUCE, 2).await.unwrap();
    proxy.cut_all();
    one.answer().await.unwrap_err();
    two.answer().await.unwrap_err();
    let mut three = Client::connect(&proxy).await;
    assert_eq!(three.ask(PRODUCE, 3).await.unwrap(), answer(3));
}

#[tokio::test]
async fn the_eldest_fault_happens_and_all_count() {
    let peer = Peer::start().await;
    let proxy = peer.proxy();
    let mut client = Client::connect(&proxy).await;
    let eldest = proxy.on(Filter::any().nth(1), Fault::rewrite(|frame| frame.push(b'!')));
    let second = proxy.on(Filter::any().first(2), Fault::rewrite(|frame| frame.push(b'?')));
    assert_eq!(client.ask(PRODUCE, 1).await.unwrap().last(), Some(&b'!'));
    assert_eq!(client.ask(PRODUCE, 2).await.unwrap().last(), Some(&b'?'));
    assert_eq!(client.ask(PRODUCE, 3).await.unwrap(), answer(3));
    assert_eq!((eldest.fired(), second.fired()), (1, 1));
}

#[tokio::test]
async fn a_port_is_free_when_its_proxy_has_been_dropped() {
    let peer = Peer::start().await;
    let proxy = peer.proxy();
    let address = proxy.bootstrap();
    let mut client = Client::connect(&proxy).await;
    client.ask(PRODUCE, 1).await.unwrap();
    drop(proxy);
    client.answer().await.unwrap_err();
    let proxy = Proxy::start(&address, &peer.address).unwrap();
    assert_eq!(Client::connect(&proxy).await.ask(PRODUCE, 2).await.unwrap(), answer(2));
}

#[tokio::test]
async fn a_connection_closes_where_nobody_is_behind_the_proxy() {
    let proxy = Proxy::start("127.0.0.1:0", "127.0.0.1:1").unwrap();
    Client::connect(&proxy).await.ask(PRODUCE, 1).await.unwrap_err();
}

#[tokio::test]
#[should_panic(expected = "the moon is full; last answer: it is new")]
async fn a_condition_that_never_holds_is_named() {
    let moon = async || Err::<(), _>("it is new");
    eventually(Duration::from_millis(50), "the moon is full", moon).await;
}

#[tokio::test]
async fn a_real_clients_whole_traffic_goes_through_the_proxies() {
    let Some(broker) = support::real_kafka_only("the client is Java's") else { return };
    let Some(proxies) = broker.proxied() else { return };
    let topic = broker.topic("proxied", 6).await;
    let servers = ["--bootstrap-server", proxies.bootstrap()];
    let records = (0..200).map(|number| format!("key-{number}\tvalue-{number}\n")).collect::<String>();
    let keyed = ["--topic", &topic, "--reader-property", "parse.key=true"];
    let lost = proxies.node(1).on(Filter::api(PRODUCE).nth(1), Fault::CutBeforeAnswer);
    let produce = [&servers[..], &keyed].concat();
    support::kafka_tool_with("org.apache.kafka.tools.ConsoleProducer", &produce, &records);
    assert!(lost.fired() <= 1);
    let consume = ["--topic", &topic, "--from-beginning", "--max-messages", "200", "--timeout-ms", "30000"];
    let consume = [&servers[..], &consume, &["--formatter-property", "print.key=true"]].concat();
    let read = support::kafka_tool("org.apache.kafka.tools.consumer.ConsoleConsumer", &consume);
    let mut read = read.lines().map(|line| format!("{line}\n")).collect::<Vec<_>>();
    read.sort();
    let mut sent = records.split_inclusive('\n').map(str::to_owned).collect::<Vec<_>>();
    sent.sort();
    assert_eq!(read, sent, "each record once, although an answer was lost");
    for proxy in proxies.proxies() {
        let counts = proxy.counts();
        assert!(counts.requests(PRODUCE) >= 1 && counts.answers(FETCH) >= 1, "{counts:?}");
    }
}

#[tokio::test]
async fn a_killed_node_is_missed_and_comes_back() {
    let Some(mut control) = support::real_cluster_control("a process has to stand still") else { return };
    let topic = control.topic("killed", 1).await;
    let first = control.leader(SOON, &topic, 0, |leader| leader.is_some()).await.unwrap();
    control.kill(first);
    let next = control.leader(6 * SOON, &topic, 0, |leader| leader.is_some_and(|leader| leader != first)).await;
    assert!(next.is_some());
    control.start(first);
    control.in_sync(6 * SOON).await;
    // A paused node keeps its port open, and the others go on without it.
    let other = next.unwrap();
    control.pause(other);
    control.leader(6 * SOON, &topic, 0, |leader| leader.is_some_and(|leader| leader != other)).await;
    control.resume(other);
    control.in_sync(6 * SOON).await;
}
