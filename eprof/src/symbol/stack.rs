//! From the addresses of a sample to the frames of a stack.

use super::process_maps::SampleContext;
use crate::kernel::Sample;
use crate::mappings::space::Location;
use crate::measurement::{Frame, StackEnd, TaskId};

/// The lowest address that can hold code: `vm.mmap_min_addr` is 4096 or more
/// wherever it was not lowered on purpose.
const LOWEST: u64 = 4096;

/// How many bits of an address user space has at most: 56 on x86-64 with
/// five-level page tables (Documentation/arch/x86/x86_64/5level-paging.rst),
/// fewer on other machines.
const USER_BITS: u32 = 56;

/// The frames of `sample`, root first, by what was mapped when it was taken. To be
/// asked for when its stack is complete.
pub fn frames_in(sample: &Sample, context: Option<&SampleContext>) -> Vec<Frame> {
    match context {
        Some(SampleContext { space, process }) => {
            frames(sample, *process, |address| space.locate(address))
        }
        None => frames(sample, None, |_| Location::Unmapped),
    }
}

/// The frames of `sample`, root first: what is missing at the root, user
/// frames, kernel frames.
///
/// `locate` tells what lies at a user address of the sample's process, whose
/// leader is `process`; `None` where nothing is known of it. Where it is, a return
/// address outside of all executable memory is no frame: the walk by frame
/// pointers went through code that uses the register for something else. The
/// walk is cut there, and marked [`Frame::Broken`].
fn frames(
    sample: &Sample,
    process: Option<TaskId>,
    locate: impl Fn(u64) -> Location,
) -> Vec<Frame> {
    let mut leaf_first = Vec::with_capacity(sample.kernel.len() + sample.user.len() + 1);
    for (n, &address) in sample.kernel.iter().enumerate() {
        leaf_first.push(Frame::Kernel {
            address,
            returns: n > 0,
        });
    }
    if sample.kernel_end == StackEnd::Truncated {
        leaf_first.push(Frame::Broken(StackEnd::Truncated));
    }
    let mut end = sample.user_end;
    for (n, &address) in sample.user.iter().enumerate() {
        let returns = n > 0 && !sample.interrupted.contains(&n);
        if address < LOWEST || address >> USER_BITS != 0 {
            end = StackEnd::LeftCode;
            break;
        }
        // A call may be the last instruction of a mapping.
        let back = u64::from(returns);
        leaf_first.push(match locate(address - back) {
            Location::File { object, offset } => Frame::User {
                object,
                offset: offset.wrapping_add(back),
                returns,
            },
            Location::Unmapped if n > 0 && process.is_some() => {
                end = StackEnd::LeftCode;
                break;
            }
            Location::Anonymous => match process {
                Some(process) => Frame::Generated {
                    process,
                    address,
                    returns,
                },
                None => Frame::Unmapped(address),
            },
            Location::Unmapped => Frame::Unmapped(address),
        });
    }
    match end {
        StackEnd::Complete | StackEnd::Absent if leaf_first.is_empty() => {
            leaf_first.push(Frame::Broken(StackEnd::Failed));
        }
        // Absent: a thread without user memory lacks nothing.
        StackEnd::Complete | StackEnd::Absent => {}
        _ => leaf_first.push(Frame::Broken(end)),
    }
    leaf_first.reverse();
    leaf_first
}

#[cfg(test)]
mod tests {
    use super::*;

    const PROCESS: Option<TaskId> = Some(TaskId(3));
    use crate::measurement::{ObjectId, SampledSlice};
    use crate::unit::Timestamp;

    fn sample(kernel: &[u64], user: &[u64], user_end: StackEnd) -> Sample {
        Sample {
            task: None,
            at: Timestamp(0),
            slice: SampledSlice::default(),
            kernel: kernel.to_vec(),
            kernel_end: if kernel.is_empty() {
                StackEnd::Absent
            } else {
                StackEnd::Complete
            },
            user: user.to_vec(),
            interrupted: Vec::new(),
            user_end,
            copy: None,
        }
    }

    /// One file of 0x1000 bytes at 0x10000, code without a file behind it.
    fn locate(address: u64) -> Location {
        match address {
            0x10000..0x11000 => Location::File {
                object: ObjectId(7),
                offset: address - 0x10000,
            },
            0x11000..0x12000 => Location::Anonymous,
            _ => Location::Unmapped,
        }
    }

    fn user(offset: u64, returns: bool) -> Frame {
        Frame::User {
            object: ObjectId(7),
            offset,
            returns,
        }
    }

    #[test]
    fn kernel_frames_lie_on_top_of_user_frames_and_the_root_comes_first() {
        let sample = sample(
            &[0xffff_ffff_8100_0010, 0xffff_ffff_8100_0000],
            &[0x10030, 0x10020, 0x10010],
            StackEnd::Complete,
        );
        let kernel = |address, returns| Frame::Kernel { address, returns };
        assert_eq!(
            frames(&sample, PROCESS, locate),
            [
                user(0x10, true),
                user(0x20, true),
                user(0x30, false),
                kernel(0xffff_ffff_8100_0000, true),
                kernel(0xffff_ffff_8100_0010, false),
            ]
        );
    }

    #[test]
    fn a_return_address_just_behind_a_mapping_belongs_to_it() {
        let stack = frames(
            &sample(&[], &[0x10000, 0x11000], StackEnd::Complete),
            PROCESS,
            locate,
        );
        assert_eq!(stack, [user(0x1000, true), user(0, false)]);
    }

    #[test]
    fn a_walk_is_cut_at_what_cannot_be_code() {
        for garbage in [0, 1, 0x7fff_0000, 0x2100_0000_0000_0000, u64::MAX] {
            let stack = frames(
                &sample(
                    &[],
                    &[0x10030, 0x10020, garbage, 0x10010],
                    StackEnd::Complete,
                ),
                PROCESS,
                locate,
            );
            assert_eq!(
                stack,
                [
                    Frame::Broken(StackEnd::LeftCode),
                    user(0x20, true),
                    user(0x30, false)
                ],
                "{garbage:#x}"
            );
        }
    }

    #[test]
    fn code_without_a_file_and_a_leaf_anywhere_are_kept() {
        let stack = frames(
            &sample(&[], &[0x7fff_0000, 0x11800, 0x10010], StackEnd::Complete),
            PROCESS,
            locate,
        );
        assert_eq!(
            stack,
            [
                user(0x10, true),
                Frame::Generated {
                    process: TaskId(3),
                    address: 0x11800,
                    returns: true,
                },
                Frame::Unmapped(0x7fff_0000)
            ]
        );
    }

    #[test]
    fn interrupted_code_does_not_return() {
        let mut sample = sample(&[], &[0x10030, 0x10020, 0x10010], StackEnd::Complete);
        sample.interrupted = vec![1];
        assert_eq!(
            frames(&sample, PROCESS, locate),
            [user(0x10, true), user(0x20, false), user(0x30, false)]
        );
    }

    #[test]
    fn nothing_is_cut_where_no_mapping_is_known() {
        let stack = frames(
            &sample(&[], &[0x10030, 0x10020], StackEnd::Complete),
            None,
            |_| Location::Unmapped,
        );
        assert_eq!(stack, [Frame::Unmapped(0x10020), Frame::Unmapped(0x10030)]);
    }

    #[test]
    fn a_stack_that_lacks_its_root_says_so() {
        let truncated = frames(
            &sample(&[], &[0x10030], StackEnd::Truncated),
            PROCESS,
            locate,
        );
        assert_eq!(
            truncated,
            [Frame::Broken(StackEnd::Truncated), user(0x30, false)]
        );
        let failed = frames(&sample(&[1 << 63], &[], StackEnd::Failed), PROCESS, locate);
        assert_eq!(failed.first(), Some(&Frame::Broken(StackEnd::Failed)));
        assert_eq!(failed.len(), 2);
        let nothing = frames(&sample(&[], &[], StackEnd::Absent), PROCESS, locate);
        assert_eq!(nothing, [Frame::Broken(StackEnd::Failed)]);
        let kernel_only = frames(&sample(&[1 << 63], &[], StackEnd::Absent), PROCESS, locate);
        assert_eq!(kernel_only.len(), 1);
    }
}
