//! Emptying the cells of an interval that is over.

use std::mem::offset_of;
use std::sync::atomic::Ordering::Relaxed;

use eprof_common::{AMOUNTS, Cell};

use super::shared::Shared;
use crate::measurement::{Events, Signals};
use crate::unit::Nanos;

/// Takes what is in the cell at byte `at` of element `index`, and zeroes it.
/// Nobody writes to it meanwhile.
pub(in crate::kernel) fn take<T>(map: &Shared<T>, index: usize, at: usize) -> Signals {
    let wide = |offset: usize| {
        let field = map.u64(index, at + offset);
        let value = field.load(Relaxed);
        if value != 0 {
            field.store(0, Relaxed);
        }
        value
    };
    let narrow = |offset: usize| {
        let field = map.u32(index, at + offset);
        let value = field.load(Relaxed);
        if value != 0 {
            field.store(0, Relaxed);
        }
        value
    };
    Signals {
        on_cpu: Nanos(wide(offset_of!(Cell, ns))),
        events: Events(std::array::from_fn(|place| {
            match place.checked_sub(AMOUNTS) {
                None => wide(offset_of!(Cell, amounts) + place * size_of::<u64>()),
                Some(place) => {
                    let at = offset_of!(Cell, occurrences) + place * size_of::<u32>();
                    narrow(at).into()
                }
            }
        })),
    }
}
