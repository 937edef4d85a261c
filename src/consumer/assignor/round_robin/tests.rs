use super::{
    super::fixture::{members, shares, topics},
    *,
};

#[test]
fn members_take_turns_over_all_topics() {
    let members = members(&[("C0", "t0 t1"), ("C1", "t0 t1")]);
    let shares = shares(&RoundRobinAssignor, &topics(&[("t0", 3), ("t1", 3)]), &members);
    assert_eq!(shares, ["t0-0 t0-2 t1-1", "t0-1 t1-0 t1-2"]);
}

#[test]
fn who_is_not_subscribed_is_passed_over() {
    let members = members(&[("C2", "t0 t1 t2"), ("C0", "t0"), ("C1", "t0 t1")]);
    let shares = shares(&RoundRobinAssignor, &topics(&[("t0", 1), ("t1", 2), ("t2", 3)]), &members);
    assert_eq!(shares, ["t1-1 t2-0 t2-1 t2-2", "t0-0", "t1-0"]);
}

#[test]
fn static_members_keep_their_turns_over_a_restart() {
    let topics = topics(&[("t0", 3), ("t1", 3)]);
    for ids in [["C0", "C1", "C2"], ["C5", "C3", "C4"]] {
        let mut members = members(&ids.map(|id| (id, "t0 t1")));
        for (member, instance) in members.iter_mut().zip(["I1", "I2", "I3"]) {
            member.group_instance_id = Some(instance.into());
        }
        assert_eq!(shares(&RoundRobinAssignor, &topics, &members), ["t0-0 t1-0", "t0-1 t1-1", "t0-2 t1-2"]);
    }
}
