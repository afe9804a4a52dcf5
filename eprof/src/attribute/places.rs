//! Where the charge of a thread's stack is kept.

use std::collections::HashMap;

use crate::measurement::{StackId, TaskId};

/// Numbers pairs of a thread and a stack, from zero up. It is asked for each
/// sample and meter, and most stacks are those of one thread: so each stack
/// remembers the thread that had it last, and the others are looked up.
#[derive(Clone, Debug, Default)]
pub(super) struct Places {
    /// By stack, the thread that had it last, and the number of the two.
    last: Vec<Option<(TaskId, u32)>>,
    /// The numbers of those that did not have it last.
    others: HashMap<(TaskId, StackId), u32>,
}

impl Places {
    /// The number of a pair; `fresh` if it was never asked for.
    pub(super) fn of(&mut self, task: TaskId, stack: StackId, fresh: usize) -> usize {
        let index = stack.0 as usize;
        if index >= self.last.len() {
            self.last.resize(index + 1, None);
        }
        let Some(last) = self.last.get_mut(index) else {
            return fresh;
        };
        match *last {
            Some((of, place)) if of == task => return place as usize,
            Some((of, place)) => {
                self.others.insert((of, stack), place);
            }
            None => {}
        }
        let known = self.others.remove(&(task, stack));
        // There are fewer pairs than samples that fit into memory.
        let place = known.unwrap_or(fresh as u32);
        *last = Some((task, place));
        place as usize
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn each_pair_keeps_the_number_that_it_was_given(
            asked in prop::collection::vec((0..5u32, 0..7u32), 0..200),
        ) {
            let mut places = Places::default();
            let mut given = BTreeMap::new();
            for pair in asked {
                let fresh = given.len();
                let place = places.of(TaskId(pair.0), StackId(pair.1), fresh);
                prop_assert_eq!(*given.entry(pair).or_insert(fresh), place);
            }
        }
    }
}
