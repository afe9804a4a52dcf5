use super::*;
use crate::unit::Timestamp;

fn task(id: u32, tid: u32, pid: u32, parent: Option<u32>, generation: u32) -> Task {
    Task {
        id: TaskId(id),
        tid,
        pid,
        start: Timestamp(0),
        began: Timestamp(0),
        generation,
        parent: parent.map(TaskId),
        comm: String::new(),
    }
}

fn mapping(pid: u32, start: u64, fresh: bool) -> Mapping {
    Mapping {
        pid,
        at: Timestamp(0),
        start,
        end: start + 100,
        offset: 0,
        path: String::new(),
        build_id: None,
        inode: None,
        fresh,
    }
}

fn object(spaces: &Spaces, task: u32, address: u64) -> Option<u32> {
    match spaces.locate(TaskId(task), address) {
        Location::File { object, .. } => Some(object.0),
        Location::Anonymous | Location::Unmapped => None,
    }
}

/// A process with one mapping at 1000.
fn shell() -> Spaces {
    let mut spaces = Spaces::default();
    spaces.created(&task(0, 10, 10, None, 0));
    spaces.mapped(&mapping(10, 1000, true), Some(ObjectId(0)));
    spaces
}

#[test]
fn a_child_has_its_parents_mappings_until_it_execs() {
    let mut spaces = shell();
    spaces.created(&task(1, 11, 11, Some(0), 0));
    assert_eq!(object(&spaces, 1, 1000), Some(0));
    spaces.mapped(&mapping(11, 2000, true), Some(ObjectId(1)));
    // The exec itself is reported after the new image is mapped.
    spaces.gone(TaskId(1));
    spaces.created(&task(2, 11, 11, Some(1), 1));
    assert_eq!(object(&spaces, 2, 2000), Some(1));
    assert_eq!(object(&spaces, 2, 1000), None);
    assert_eq!(object(&spaces, 0, 1000), Some(0));
}

#[test]
fn a_thread_shares_the_space_of_its_process() {
    let mut spaces = shell();
    spaces.created(&task(1, 11, 10, Some(0), 0));
    spaces.mapped(&mapping(10, 2000, false), Some(ObjectId(1)));
    assert_eq!(object(&spaces, 1, 2000), Some(1));
    assert_eq!(object(&spaces, 0, 2000), Some(1));
}

#[test]
fn the_space_outlives_the_leader() {
    let mut spaces = shell();
    spaces.created(&task(1, 11, 10, Some(0), 0));
    spaces.gone(TaskId(0));
    for _ in 0..10 {
        spaces.forget_ended();
    }
    assert_eq!(object(&spaces, 1, 1000), Some(0));
}

#[test]
fn a_mapping_that_comes_before_its_process_lies_over_the_parents() {
    let mut spaces = shell();
    spaces.mapped(&mapping(11, 1050, false), Some(ObjectId(1)));
    spaces.forget_ended();
    spaces.created(&task(1, 11, 11, Some(0), 0));
    assert_eq!(object(&spaces, 1, 1000), Some(0));
    assert_eq!(object(&spaces, 1, 1050), Some(1));
}

#[test]
fn an_image_that_comes_before_its_process_keeps_nothing_of_the_parents() {
    let mut spaces = shell();
    spaces.mapped(&mapping(11, 2000, true), Some(ObjectId(1)));
    spaces.created(&task(1, 11, 11, Some(0), 0));
    assert_eq!(object(&spaces, 1, 1000), None);
    assert_eq!(object(&spaces, 1, 2000), Some(1));
}

#[test]
fn a_process_id_in_use_again_starts_with_its_own_parents_mappings() {
    let mut spaces = shell();
    spaces.created(&task(1, 11, 11, Some(0), 0));
    spaces.mapped(&mapping(11, 2000, true), Some(ObjectId(1)));
    spaces.gone(TaskId(1));
    spaces.created(&task(2, 11, 11, Some(0), 0));
    assert_eq!(object(&spaces, 2, 2000), None);
    assert_eq!(object(&spaces, 2, 1000), Some(0));
}

#[test]
fn what_ended_is_known_for_one_more_batch_and_then_forgotten() {
    let mut spaces = shell();
    spaces.gone(TaskId(0));
    spaces.forget_ended();
    assert_eq!(object(&spaces, 0, 1000), Some(0));
    for _ in 0..3 {
        spaces.forget_ended();
    }
    assert_eq!(object(&spaces, 0, 1000), None);
    assert!(spaces.processes.is_empty());
    assert!(spaces.tasks.is_empty());
}
