use super::{
    super::fixture::{members, rack, shares, striped, topics},
    *,
};

fn near(racks: &[usize], mut members: Vec<GroupMember>) -> Vec<GroupMember> {
    members.iter_mut().zip(racks).for_each(|(member, number)| member.rack = Some(rack(*number)));
    members
}

#[test]
fn the_first_members_get_what_is_over_of_each_topic() {
    let members = members(&[("C0", "t0 t1"), ("C1", "t0 t1")]);
    let shares = shares(&RangeAssignor, &topics(&[("t0", 3), ("t1", 3)]), &members);
    assert_eq!(shares, ["t0-0 t0-1 t1-0 t1-1", "t0-2 t1-2"]);
}

#[test]
fn only_subscribers_get_partitions() {
    let members = members(&[("C1", "t0"), ("C2", "t0 t1 gone"), ("C3", "t0")]);
    let shares = shares(&RangeAssignor, &topics(&[("t0", 3), ("t1", 2), ("other", 2)]), &members);
    assert_eq!(shares, ["t0-0", "t0-1 t1-0 t1-1", "t0-2"]);
}

#[test]
fn static_members_come_first_and_keep_their_ranges_over_a_restart() {
    let topics = topics(&[("t0", 3), ("t1", 3)]);
    for (first, second) in [("C0", "C1"), ("C3", "C2")] {
        let mut members = members(&[("A", "t0 t1"), (first, "t0 t1"), (second, "t0 t1")]);
        members[1].group_instance_id = Some("I1".into());
        members[2].group_instance_id = Some("I2".into());
        assert_eq!(shares(&RangeAssignor, &topics, &members), ["t0-2 t1-2", "t0-0 t1-0", "t0-1 t1-1"]);
    }
}

/// Java's `testRackAwareAssignmentWithUniformSubscription`.
#[test]
fn members_get_what_is_near_as_far_as_their_ranges_allow() {
    let sizes = [("t1", 6), ("t2", 7), ("t3", 2)];
    let members = || near(&[0, 1, 2], members(&[("C0", "t1 t2 t3"), ("C1", "t1 t2 t3"), ("C2", "t1 t2 t3")]));
    let anywhere = ["t1-0 t1-1 t2-0 t2-1 t2-2 t3-0", "t1-2 t1-3 t2-3 t2-4 t3-1", "t1-4 t1-5 t2-5 t2-6"];
    assert_eq!(shares(&RangeAssignor, &topics(&sizes), &members()), anywhere);
    assert_eq!(shares(&RangeAssignor, &striped(&sizes, 3, 3), &members()), anywhere);
    assert_eq!(
        shares(&RangeAssignor, &striped(&sizes, 1, 3), &members()),
        ["t1-0 t1-3 t2-0 t2-3 t2-6", "t1-1 t1-4 t2-1 t2-4 t3-0", "t1-2 t1-5 t2-2 t2-5 t3-1"]
    );
    assert_eq!(
        shares(&RangeAssignor, &striped(&sizes, 2, 3), &members()),
        ["t1-0 t1-2 t2-0 t2-2 t2-3 t3-1", "t1-1 t1-3 t2-1 t2-4 t3-0", "t1-4 t1-5 t2-5 t2-6"]
    );
}

/// Java's `testRackAwareAssignmentWithCoPartitioning`.
#[test]
fn co_partitioned_topics_stay_together() {
    let topics = striped(&[("t1", 6), ("t2", 6), ("t3", 2), ("t4", 2)], 1, 2);
    let two_and_two = members(&[("C0", "t1 t2"), ("C1", "t1 t2"), ("C2", "t3 t4"), ("C3", "t3 t4")]);
    assert_eq!(
        shares(&RangeAssignor, &topics, &near(&[0, 1, 1, 0], two_and_two)),
        ["t1-0 t1-2 t1-4 t2-0 t2-2 t2-4", "t1-1 t1-3 t1-5 t2-1 t2-3 t2-5", "t3-1 t4-1", "t3-0 t4-0"]
    );
    let all = "t1 t2 t3 t4";
    let alike = members(&[("C0", all), ("C1", all), ("C2", all), ("C3", all)]);
    assert_eq!(
        shares(&RangeAssignor, &topics, &near(&[0, 1, 1, 0], alike)),
        ["t1-0 t1-2 t2-0 t2-2 t3-0 t4-0", "t1-1 t1-3 t2-1 t2-3 t3-1 t4-1", "t1-5 t2-5", "t1-4 t2-4"]
    );
}
