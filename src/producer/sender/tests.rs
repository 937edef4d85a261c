use super::*;
use crate::{
    cluster::{Cluster, Topic},
    config::ClientConfig,
    producer::ProducerConfig,
    wire::{
        Api,
        messages::produce_response::{PartitionProduceResponse, TopicProduceResponse},
        mutations,
    },
};

const PARTITIONS: i32 = 3;

#[test]
fn a_mutated_answer_leaves_no_batch_in_flight() {
    let mut random = fastrand::Rng::with_seed(4);
    let partition = |index| message!(PartitionProduceResponse { index: index, base_offset: 5 });
    let sample = message!(ProduceResponse {
        responses: vec![message!(TopicProduceResponse {
            name: "t".into(),
            partition_responses: (0..PARTITIONS).map(partition).collect(),
        })],
    });
    let low = <ProduceRequest as Api>::VERSIONS.0;
    // The versions that name topics: an id would need a cluster that knows it.
    let frames: Vec<Vec<u8>> = (low..=12).map(|v| mutations::frame::<ProduceRequest>(v, &sample)).collect();
    let (mut read, mut acknowledged) = (0, 0);
    for round in 0..mutations::count() as usize {
        let at = round % frames.len();
        let mut frame = frames[at].clone();
        mutations::mutate(&mut random, &mut frame);
        let answer = mutations::read::<ProduceRequest>(low + at as i16, frame);
        read += usize::from(answer.is_ok());
        let answer = answer.map_err(|why| {
            let address = "a:1".parse().expect("an address");
            ClusterError::from(WireError::Malformed { api: "Produce", address, why })
        });

        let shared = Shared::new(Cluster::new(ClientConfig::default()), ProducerConfig::default());
        let partitions = vec![crate::cluster::Partition::unknown(0); PARTITIONS as usize];
        let (name, error) = (Arc::from("t"), ErrorCode::NONE);
        shared.update_topic(&Topic { name, id: TopicId::ZERO, error, internal: false, partitions });
        let now = Instant::now();
        let mut completions = Vec::new();
        let mut shipped = Vec::new();
        for slot in shared.slots() {
            let mut queue = slot.queue.lock();
            let taken = queue.append(|| now, &shared.limits, 0, None, Some(b"v"), &[], 0).expect("it is taken");
            completions.push(taken.0);
            let step = sealed_step(&shared, &mut queue, now, true, false, 7);
            let Step::Send { id, batch } = step else { panic!("{step:?}") };
            assert!(queue.depart(id));
            drop(queue);
            shipped.push(Shipped { slot, id, batch });
        }
        settle(&shared, shipped, &answer);
        for (slot, completion) in shared.slots().iter().zip(&completions) {
            let mut queue = slot.queue.lock();
            assert_eq!(queue.in_flight(), 0);
            assert!(completion.is_settled() || !queue.is_empty(), "it is neither told nor sent again");
            acknowledged += usize::from(completion.is_settled() && queue.is_empty());
            queue.abandon(None);
            assert!(completion.is_settled());
        }
    }
    assert!(read > 0 && acknowledged > 0);
}
