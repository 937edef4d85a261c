use super::{
    super::fixture::{members, partitions, rack, shares, striped, topics},
    *,
};

/// A member that owned partitions since `generation`, as both sticky assignors are told.
fn owner(id: &str, topics: &str, owned: &str, generation: i32) -> GroupMember {
    let owned = partitions(owned);
    GroupMember {
        user_data: Some(user_data::encode_owned(&owned, generation)),
        owned,
        generation: Some(generation),
        ..members(&[(id, topics)]).remove(0)
    }
}

fn both(topics: &GroupTopics, members: &[GroupMember]) -> Vec<String> {
    let eager = shares(&StickyAssignor, topics, members);
    assert_eq!(shares(&CooperativeStickyAssignor, topics, members), eager);
    eager
}

// The first examples are those of Java's documentation, with what Java 4.3.1 itself answers to them.

#[test]
fn starting_fresh_partitions_go_round() {
    let all = "t0 t1 t2 t3";
    let topics = topics(&[("t0", 2), ("t1", 2), ("t2", 2), ("t3", 2)]);
    let fresh = members(&[("C0", all), ("C1", all), ("C2", all)]);
    assert_eq!(both(&topics, &fresh), ["t0-0 t1-1 t3-0", "t0-1 t2-0 t3-1", "t1-0 t2-1"]);

    let left = [owner("C0", all, "t0-0 t1-1 t3-0", 1), owner("C2", all, "t1-0 t2-1", 1)];
    assert_eq!(both(&topics, &left), ["t0-0 t0-1 t1-1 t3-0", "t1-0 t2-0 t2-1 t3-1"]);
}

#[test]
fn different_subscriptions_are_balanced() {
    let topics = topics(&[("t0", 1), ("t1", 2), ("t2", 3)]);
    let fresh = members(&[("C0", "t0"), ("C1", "t0 t1"), ("C2", "t0 t1 t2")]);
    assert_eq!(both(&topics, &fresh), ["t0-0", "t1-0 t1-1", "t2-0 t2-1 t2-2"]);

    let left = [owner("C1", "t0 t1", "t1-0 t1-1", 1), owner("C2", "t0 t1 t2", "t2-0 t2-1 t2-2", 1)];
    assert_eq!(both(&topics, &left), ["t0-0 t1-0 t1-1", "t2-0 t2-1 t2-2"]);
}

/// Java's `testAddRemoveTopicTwoConsumers`.
#[test]
fn another_topic_moves_nothing_and_a_lost_one_is_evened_out() {
    let two = topics(&[("t", 3), ("u", 3)]);
    let first = [owner("C1", "t u", "t-0 t-2", 1), owner("C2", "t u", "t-1", 1)];
    assert_eq!(both(&two, &first), ["t-0 t-2 u-0", "t-1 u-1 u-2"]);
    let second = [owner("C1", "u", "t-0 t-2 u-0", 2), owner("C2", "u", "t-1 u-1 u-2", 2)];
    assert_eq!(both(&topics(&[("u", 3)]), &second), ["u-0", "u-1 u-2"]);
}

#[test]
fn what_another_still_owns_is_withheld_until_it_was_revoked() {
    let topics = topics(&[("t", 4)]);
    let first = [owner("C1", "t", "t-0 t-1 t-2 t-3", 1), members(&[("C2", "t")]).remove(0)];
    assert_eq!(shares(&StickyAssignor, &topics, &first), ["t-0 t-1", "t-2 t-3"]);
    assert_eq!(shares(&CooperativeStickyAssignor, &topics, &first), ["t-0 t-1", ""]);
    let second = [owner("C1", "t", "t-0 t-1", 2), owner("C2", "t", "", 2)];
    assert_eq!(shares(&CooperativeStickyAssignor, &topics, &second), ["t-0 t-1", "t-2 t-3"]);
}

#[test]
fn of_two_owners_the_one_of_the_later_generation_is_believed() {
    let topics = topics(&[("t", 4)]);
    let members = [owner("C1", "t", "t-0 t-1", 4), owner("C2", "t", "t-0 t-1", 5), owner("C3", "t", "t-3", 5)];
    assert_eq!(shares(&StickyAssignor, &topics, &members), ["t-2", "t-0 t-1", "t-3"]);
    // withheld is only what changes its owner
    assert_eq!(shares(&CooperativeStickyAssignor, &topics, &members), ["t-2", "t-0 t-1", "t-3"]);
}

#[test]
fn of_two_owners_of_one_generation_neither_is_believed() {
    let topics = topics(&[("t", 3)]);
    let members = [owner("C1", "t", "t-0 t-1", 5), owner("C2", "t", "t-0 t-2", 5)];
    assert_eq!(shares(&StickyAssignor, &topics, &members), ["t-0 t-1", "t-2"]);
    assert_eq!(shares(&CooperativeStickyAssignor, &topics, &members), ["t-1", "t-2"]);
}

#[test]
fn partitions_that_are_gone_are_forgotten() {
    let topics = topics(&[("t", 2)]);
    let members = [owner("C1", "t", "t-5 t--1 u-0 t-1", 1), owner("C2", "t", "", 1)];
    assert_eq!(both(&topics, &members), ["t-1", "t-0"]);
}

#[test]
fn without_a_subscription_nothing_is_kept() {
    let topics = topics(&[("t", 2), ("u", 2)]);
    let members = [owner("C1", "u", "t-0 t-1", 1), owner("C2", "t u", "u-0", 1)];
    assert_eq!(shares(&StickyAssignor, &topics, &members), ["u-0 u-1", "t-0 t-1"]);
    assert_eq!(shares(&CooperativeStickyAssignor, &topics, &members), ["u-1", ""]);
}

/// A member before KIP-792 tells its generation in the user data, in the way of its client.
#[test]
fn a_generation_in_the_user_data_counts() {
    let topics = topics(&[("t", 2)]);
    let older = |generation, user_data: fn(i32) -> Bytes| GroupMember {
        generation: None,
        user_data: Some(user_data(generation)),
        ..owner(&format!("C{generation}"), "t", "t-0 t-1", generation)
    };
    for user_data in
        [user_data::encode_generation, |generation| user_data::encode_owned(&partitions("t-0"), generation)]
    {
        let members = [older(4, user_data), older(5, user_data)];
        // t-1 is still owned by C5, or t-0 is
        assert_eq!(shares(&CooperativeStickyAssignor, &topics, &members), ["", "t-0"]);
    }
}

#[test]
fn members_get_what_is_near_even_if_another_owns_it() {
    let topics = striped(&[("t", 6)], 1, 2);
    let mut members = [owner("C1", "t", "t-0 t-1 t-2", 1), owner("C2", "t", "t-3 t-4 t-5", 1)];
    assert_eq!(both(&topics, &members), ["t-0 t-1 t-2", "t-3 t-4 t-5"]);
    members.iter_mut().enumerate().for_each(|(number, member)| member.rack = Some(rack(number)));
    assert_eq!(shares(&StickyAssignor, &topics, &members), ["t-0 t-2 t-4", "t-1 t-3 t-5"]);
    assert_eq!(shares(&CooperativeStickyAssignor, &topics, &members), ["t-0 t-2", "t-3 t-5"]);
}

// As Java 4.3.1 writes it: audit-0, orders-2, orders-1; generation 7.
const OWNED: &str = "0000000200056175646974000000010000000000066f726465727300000002000000020000000100000007";

fn bytes(hex: &str) -> Bytes {
    (0..hex.len()).step_by(2).map(|i| u8::from_str_radix(&hex[i..i + 2], 16).unwrap()).collect()
}

#[test]
fn user_data_are_what_java_writes() {
    let owned = partitions("orders-2 audit-0 orders-1");
    let member = JoiningMember { topics: &[], last_assignment: Some(&owned), generation: 7 };
    assert_eq!(StickyAssignor.user_data(&member), Some(bytes(OWNED)));
    assert_eq!(CooperativeStickyAssignor.user_data(&member), Some(bytes("00000007")));
    let member = JoiningMember { topics: &[], last_assignment: None, generation: -1 };
    assert_eq!(StickyAssignor.user_data(&member), None);
    assert_eq!(CooperativeStickyAssignor.user_data(&member), Some(bytes("ffffffff")));
}

#[test]
fn user_data_are_read_as_far_as_they_are_whole() {
    let owned = partitions("audit-0 orders-2 orders-1");
    assert_eq!(user_data::decode_owned(&bytes(OWNED)), Some((owned.clone(), Some(7))));
    // of the first version, which had no generation
    assert_eq!(user_data::decode_owned(&bytes(&OWNED[..OWNED.len() - 8])), Some((owned, None)));
    for length in 0..OWNED.len() / 2 - 4 {
        assert_eq!(user_data::decode_owned(&bytes(OWNED).slice(..length)), None, "{length} bytes");
    }
    for hex in ["7fffffff", "ffffffff", "00000001ffff", "0000000100017400000001"] {
        assert_eq!(user_data::decode_owned(&bytes(hex)), None, "{hex}");
    }
}
