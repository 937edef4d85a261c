use proptest::prelude::*;

use super::*;

// As Java 4.3.1 writes them: topics orders and audit; audit-0, orders-1, orders-2; user data 1 2 3; generation 7; rack-a.
const SUBSCRIPTIONS: [&str; 4] = [
    "0000000000020005617564697400066f726465727300000003010203",
    "0001000000020005617564697400066f7264657273000000030102030000000200056175646974000000010000000000066f7264657273000000020000000100000002",
    "0002000000020005617564697400066f7264657273000000030102030000000200056175646974000000010000000000066f726465727300000002000000010000000200000007",
    "0003000000020005617564697400066f7264657273000000030102030000000200056175646974000000010000000000066f72646572730000000200000001000000020000000700067261636b2d61",
];
const EMPTY_SUBSCRIPTION: &str = "000300000000ffffffff00000000ffffffffffff";
const ASSIGNMENT: &str =
    "00030000000200056175646974000000010000000000066f726465727300000002000000010000000200000003010203";
const EMPTY_ASSIGNMENT: &str = "000300000000ffffffff";

fn bytes(hex: &str) -> Bytes {
    (0..hex.len()).step_by(2).map(|i| u8::from_str_radix(&hex[i..i + 2], 16).unwrap()).collect()
}

fn partitions() -> Vec<TopicPartition> {
    [("orders", 2), ("audit", 0), ("orders", 1)].map(|(topic, number)| TopicPartition::new(topic, number)).to_vec()
}

fn sorted(mut partitions: Vec<TopicPartition>) -> Vec<TopicPartition> {
    partitions.sort();
    partitions
}

fn subscription() -> Subscription {
    Subscription {
        topics: vec!["orders".into(), "audit".into()],
        user_data: Some(Bytes::from_static(&[1, 2, 3])),
        owned: partitions(),
        generation: Some(7),
        rack: Some("rack-a".into()),
    }
}

#[test]
fn what_is_written_is_what_java_writes() {
    assert_eq!(subscription().encode().unwrap(), bytes(SUBSCRIPTIONS[3]));
    assert_eq!(Subscription::default().encode().unwrap(), bytes(EMPTY_SUBSCRIPTION));
    let assignment = Assignment { partitions: partitions(), user_data: Some(Bytes::from_static(&[1, 2, 3])) };
    assert_eq!(assignment.encode().unwrap(), bytes(ASSIGNMENT));
    assert_eq!(Assignment::default().encode().unwrap(), bytes(EMPTY_ASSIGNMENT));
}

#[test]
fn every_version_is_read_and_older_ones_say_less() {
    let all =
        Subscription { topics: vec!["audit".into(), "orders".into()], owned: sorted(partitions()), ..subscription() };
    let without_rack = Subscription { rack: None, ..all.clone() };
    let without_generation = Subscription { generation: None, ..without_rack.clone() };
    let without_owned = Subscription { owned: Vec::new(), ..without_generation.clone() };
    let read = SUBSCRIPTIONS.map(|hex| Subscription::decode(bytes(hex)).unwrap());
    assert_eq!(read, [without_owned, without_generation, without_rack, all]);
    for version in 0..=3 {
        let mut hex = ASSIGNMENT.to_owned();
        hex.replace_range(2..4, &format!("{version:02x}"));
        let assignment = Assignment::decode(bytes(&hex)).unwrap();
        assert_eq!(assignment.partitions, sorted(partitions()));
        assert_eq!(assignment.user_data, Some(Bytes::from_static(&[1, 2, 3])));
    }
}

#[test]
fn a_later_version_is_read_as_the_newest_known() {
    let later = |hex: &str| bytes(&format!("0009{}abcd", &hex[4..]));
    assert_eq!(Subscription::decode(later(SUBSCRIPTIONS[3])), Subscription::decode(bytes(SUBSCRIPTIONS[3])));
    assert_eq!(Assignment::decode(later(ASSIGNMENT)), Assignment::decode(bytes(ASSIGNMENT)));
}

#[test]
fn a_subscription_becomes_a_member_and_loses_nothing() {
    let Subscription { topics, user_data, owned, generation, rack } = subscription();
    let member = GroupMember {
        member_id: "m".into(),
        group_instance_id: Some("i".into()),
        topics,
        owned,
        generation,
        rack,
        user_data,
    };
    assert_eq!(subscription().into_member("m".into(), Some("i".into())), member);
}

#[test]
fn an_empty_rack_is_none() {
    let read = Subscription::decode(bytes("000300000000ffffffff00000000ffffffff0000")).unwrap();
    assert_eq!(read, Subscription::default());
}

#[test]
fn a_member_whom_the_leader_left_out_gets_nothing() {
    assert_eq!(Assignment::decode(Bytes::new()), Ok(Assignment::default()));
}

#[test]
fn what_is_cut_or_wrong_is_an_error() {
    for length in 0..SUBSCRIPTIONS[3].len() / 2 {
        assert!(Subscription::decode(bytes(SUBSCRIPTIONS[3]).slice(..length)).is_err(), "{length} bytes");
    }
    for length in 1..ASSIGNMENT.len() / 2 {
        assert!(Assignment::decode(bytes(ASSIGNMENT).slice(..length)).is_err(), "{length} bytes");
    }
    let error = Subscription::decode(bytes(&format!("ffff{}", &EMPTY_SUBSCRIPTION[4..]))).unwrap_err();
    assert!(error.to_string().starts_with("unreadable subscription: "), "{error}");
    // counts that only memory could refuse
    assert!(Subscription::decode(bytes("00037fffffff")).is_err());
    assert!(Assignment::decode(bytes("0003000000010001747fffffff")).is_err());
}

fn any_partitions() -> impl Strategy<Value = Vec<TopicPartition>> {
    let partition = ("[a-c]{1,3}", any::<i32>()).prop_map(|(topic, number)| TopicPartition::new(topic, number));
    prop::collection::vec(partition, 0..8)
}

fn any_user_data() -> impl Strategy<Value = Option<Bytes>> {
    prop::option::of(prop::collection::vec(any::<u8>(), 0..8).prop_map(Bytes::from))
}

proptest! {
    #[test]
    fn what_is_written_is_read(
        topics in prop::collection::vec("[a-c.-]{0,3}", 0..5),
        owned in any_partitions(),
        user_data in any_user_data(),
        generation in prop::option::of(0..i32::MAX),
        rack in prop::option::of("[a-z]{1,5}"),
    ) {
        let mut topics = topics.iter().map(|topic| topic.as_str().into()).collect::<Vec<_>>();
        let rack = rack.map(Into::into);
        let written =
            Subscription { topics: topics.clone(), user_data: user_data.clone(), owned: owned.clone(), generation, rack };
        topics.sort();
        let read = Subscription::decode(written.encode().unwrap()).unwrap();
        prop_assert_eq!(read, Subscription { topics, owned: sorted(owned.clone()), ..written });

        let written = Assignment { partitions: owned.clone(), user_data };
        let read = Assignment::decode(written.encode().unwrap()).unwrap();
        prop_assert_eq!(read, Assignment { partitions: sorted(owned), ..written });
    }

    #[test]
    fn any_bytes_are_a_value_or_an_error(
        version in -1..6_i16,
        mut body in prop::collection::vec(prop_oneof![Just(0_u8), 0..4_u8, any::<u8>()], 0..64),
    ) {
        body.splice(0..0, version.to_be_bytes());
        let _ = Subscription::decode(body.clone().into());
        let _ = Assignment::decode(body.into());
    }
}
