use super::*;

fn id(text: &str) -> DeviceId {
    text.parse().unwrap()
}

fn ids(texts: &[&str]) -> BTreeSet<DeviceId> {
    texts.iter().copied().map(id).collect()
}

fn inventory() -> Inventory {
    Inventory::new(["a-0", "a-1", "a-2"].into_iter().map(id))
}

fn seconds(n: u64) -> Duration {
    Duration::from_secs(n)
}

#[test]
fn until_the_first_complete_list_every_device_is_in_use() {
    let start = Instant::now();
    let mut inventory = inventory();
    assert!(inventory.must_stay_healthy(&id("a-0")) && !inventory.is_in_use(&id("a-0")));
    inventory.listed(&ids(&["a-1"]), false, start);
    assert!(inventory.must_stay_healthy(&id("a-0")) && inventory.is_in_use(&id("a-1")));
    inventory.listed(&ids(&["a-1"]), true, start);
    assert!(!inventory.must_stay_healthy(&id("a-0")) && inventory.must_stay_healthy(&id("a-1")));
    assert!(!inventory.must_stay_healthy(&id("b-0")));
}

#[test]
fn a_device_is_in_use_from_allocate_until_the_kubelet_lists_it_no_more() {
    let start = Instant::now();
    let mut inventory = inventory();
    inventory.listed(&ids(&[]), true, start + seconds(60));
    inventory.allocate(&id("a-0"), start + seconds(70));
    assert!(inventory.is_in_use(&id("a-0")));
    // Not listed yet.
    inventory.listed(&ids(&[]), true, start + seconds(71));
    assert!(inventory.is_in_use(&id("a-0")));
    inventory.listed(&ids(&["a-0"]), true, start + seconds(80));
    assert!(inventory.is_in_use(&id("a-0")));
    inventory.listed(&ids(&[]), true, start + seconds(90));
    assert!(!inventory.is_in_use(&id("a-0")));
}

/// A kubelet that has just started has not heard of its pods yet.
#[test]
fn an_incomplete_list_frees_nothing() {
    let start = Instant::now();
    let mut inventory = inventory();
    inventory.listed(&ids(&["a-0"]), true, start + seconds(60));
    inventory.listed(&ids(&["a-1"]), false, start + seconds(600));
    assert!(inventory.is_in_use(&id("a-0")) && inventory.is_in_use(&id("a-1")));
    assert!(!inventory.is_in_use(&id("a-2")));
}

#[test]
fn one_whose_pod_never_came_becomes_free() {
    let start = Instant::now();
    let mut inventory = inventory();
    inventory.listed(&ids(&[]), true, start + seconds(60));
    inventory.allocate(&id("a-0"), start + seconds(70));
    inventory.listed(&ids(&[]), true, start + seconds(79));
    assert!(inventory.is_in_use(&id("a-0")));
    inventory.listed(&ids(&[]), true, start + seconds(80));
    assert!(!inventory.is_in_use(&id("a-0")));
}

/// The pod before has ended and the id was given away again, both between two lists.
#[test]
fn one_that_was_given_again_stays_in_use() {
    let start = Instant::now();
    let mut inventory = inventory();
    inventory.listed(&ids(&["a-0"]), true, start);
    inventory.allocate(&id("a-0"), start + seconds(5));
    inventory.listed(&ids(&[]), true, start + seconds(10));
    assert!(inventory.is_in_use(&id("a-0")));
}

#[test]
fn the_longest_unused_is_preferred() {
    let now = Instant::now();
    let numbers = (0..12).map(|n| id(&format!("a-{n}")));
    let mut inventory = Inventory::new(numbers);
    for given in ["a-0", "a-2", "a-1"] {
        inventory.allocate(&id(given), now);
    }
    let available: Vec<String> =
        ["a-11", "a-1", "a-10", "a-2", "a-9", "a-0"].iter().map(|id| id.to_string()).collect();
    let prefer = |must: &[&str], size| {
        let must: Vec<String> = must.iter().map(|id| id.to_string()).collect();
        inventory.prefer(&available, &must, size)
    };
    assert_eq!(prefer(&[], 5), ["a-9", "a-10", "a-11", "a-0", "a-2"]);
    assert_eq!(prefer(&["a-1"], 2), ["a-1", "a-9"]);
    assert_eq!(prefer(&["a-1", "a-2"], 1), ["a-1"]);
    assert_eq!(prefer(&[], 9).len(), 6);
}

#[test]
fn a_restart_of_the_switch_does_not_flap_and_an_absence_does() {
    let start = Instant::now();
    let mut health = Health::default();
    for (at, there, changed, healthy) in [
        (0, true, true, true),
        (1, false, false, true),
        (3, true, false, true),
        (4, false, false, true),
        (13, false, false, true),
        (14, false, true, false),
        (60, false, false, false),
        (61, true, true, true),
        (62, false, false, true),
    ] {
        assert_eq!(health.seen(there, start + seconds(at)), changed, "at {at}");
        assert_eq!(health.is_healthy(), healthy, "at {at}");
    }
}

#[test]
fn a_switch_that_never_was_there_is_unhealthy_at_once() {
    let start = Instant::now();
    let mut health = Health::default();
    assert!(!health.is_healthy());
    assert!(health.seen(false, start), "worth logging");
    assert!(!health.is_healthy());
    assert!(health.seen(true, start) && health.is_healthy());
}
