//! The tree of stacks while it grows: equal frames and equal stacks are one,
//! different ones never.

use std::collections::HashMap;

use crate::measurement::StackEnd;

use super::check::MAX_DEPTH;
use crate::measurement::{Frame, FrameId, StackId, StackNode};

/// Interns frames and stacks. Ids count up from zero, and a stack's parent
/// has the smaller id, as the format demands.
#[derive(Debug, Default)]
pub struct StackTable {
    frames: Vec<Frame>,
    nodes: Vec<StackNode>,
    // The keys are the values themselves, so that a hash decides nothing.
    frame_ids: HashMap<Frame, FrameId>,
    node_ids: HashMap<StackNode, StackId>,
    /// The path of the last stack. The next one usually agrees with most of
    /// it, and comparing is cheaper than looking up.
    last: Vec<(Frame, StackId)>,
}

impl StackTable {
    /// An empty table.
    pub fn new() -> Self {
        Self::default()
    }

    /// The id of a stack, given root first.
    ///
    /// A stack without any frame is one that is absent; one of more than
    /// [`MAX_DEPTH`] frames loses frames at the root, and is marked as
    /// truncated there.
    pub fn intern(&mut self, stack: &[Frame]) -> StackId {
        let limit = usize::from(MAX_DEPTH);
        if stack.is_empty() {
            return self.path(&[Frame::Broken(StackEnd::Absent)]);
        }
        if stack.len() > limit {
            let mut cut = vec![Frame::Broken(StackEnd::Truncated)];
            cut.extend_from_slice(&stack[stack.len() - limit + 1..]);
            return self.path(&cut);
        }
        self.path(stack)
    }

    /// All frames so far, by id.
    pub fn frames(&self) -> &[Frame] {
        &self.frames
    }

    /// All nodes so far, by id.
    pub fn nodes(&self) -> &[StackNode] {
        &self.nodes
    }

    /// The id of a path of suitable length.
    fn path(&mut self, path: &[Frame]) -> StackId {
        let common = path
            .iter()
            .zip(&self.last)
            .take_while(|(frame, (last, _))| *frame == last)
            .count();
        self.last.truncate(common);
        let mut parent = self.last.last().map(|&(_, id)| id);
        for &frame in &path[common..] {
            let node = StackNode {
                parent,
                frame: self.frame(frame),
            };
            let id = self.node(node);
            self.last.push((frame, id));
            parent = Some(id);
        }
        // A path has at least one frame, so there is a leaf.
        parent.unwrap_or(StackId(0))
    }

    /// The id of a frame.
    fn frame(&mut self, frame: Frame) -> FrameId {
        let frames = &mut self.frames;
        *self.frame_ids.entry(frame).or_insert_with(|| {
            let id = FrameId(number(frames.len()));
            frames.push(frame);
            id
        })
    }

    /// The id of a node.
    fn node(&mut self, node: StackNode) -> StackId {
        let nodes = &mut self.nodes;
        *self.node_ids.entry(node).or_insert_with(|| {
            let id = StackId(number(nodes.len()));
            nodes.push(node);
            id
        })
    }
}

/// The next id. (Four billion frames do not fit into memory.)
pub(super) fn number(len: usize) -> u32 {
    u32::try_from(len).unwrap_or(u32::MAX)
}
