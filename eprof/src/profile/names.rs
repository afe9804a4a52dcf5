//! Frames become functions, stacks become lists of them.

use std::collections::{BTreeMap, BTreeSet};

use crate::recording::{Catalog, Frame, FrameId, StackId};

use super::model::{FunctionKey, SymbolFrame};

/// Code whose name is not known.
pub const UNKNOWN: &str = "[unknown]";
/// Stands at the root of a stack whose own root was not reached.
pub const TRUNCATED: &str = "[truncated]";
/// Stands for the stacks of a thread that was never sampled.
pub const UNSAMPLED: &str = "[unsampled]";
/// The module of kernel code.
pub const KERNEL: &str = "[kernel]";

/// A function and whether it is inlined, as `2 × position in the list of
/// functions + inlined`. Codes are ordered like the frames they stand for.
pub(super) type Code = usize;

/// The functions of all stacks in use.
#[derive(Debug)]
pub(super) struct Names {
    /// Sorted.
    functions: Vec<FunctionKey>,
    stacks: BTreeMap<StackId, Vec<Code>>,
}

impl Names {
    /// Resolves `stacks`, by the frames and symbols of `catalog`.
    pub(super) fn new(catalog: &Catalog, stacks: impl IntoIterator<Item = StackId>) -> Self {
        let paths: BTreeMap<_, _> = stacks
            .into_iter()
            .map(|stack| (stack, path(catalog, stack)))
            .collect();
        let used: BTreeSet<FrameId> = paths.values().flatten().copied().collect();
        let mut symbols = BTreeMap::new();
        for symbol in &catalog.symbols {
            symbols.insert(symbol.frame, symbol.functions.as_slice());
        }
        let resolved: BTreeMap<FrameId, Vec<SymbolFrame>> = used
            .into_iter()
            .map(|frame| {
                let functions = symbols.get(&frame).copied().unwrap_or_default();
                (frame, resolve(catalog, frame, functions))
            })
            .collect();
        let unsampled = special(UNSAMPLED);
        let unknown = special(UNKNOWN);
        let keys: BTreeSet<&FunctionKey> = resolved
            .values()
            .flatten()
            .map(|frame| &frame.key)
            .chain([&unsampled, &unknown])
            .collect();
        let functions: Vec<FunctionKey> = keys.into_iter().cloned().collect();
        let position = |key: &FunctionKey| functions.binary_search(key).unwrap_or_default();
        let codes: BTreeMap<FrameId, Vec<Code>> = resolved
            .iter()
            .map(|(&frame, frames)| {
                let codes = frames.iter();
                let codes = codes.map(|of| 2 * position(&of.key) + usize::from(of.inlined));
                (frame, codes.collect())
            })
            .collect();
        let nothing = vec![2 * position(&unknown)];
        let stacks = paths.into_iter().map(|(stack, path)| {
            let path = path.iter().filter_map(|frame| codes.get(frame));
            let path: Vec<Code> = path.flatten().copied().collect();
            let path = if path.is_empty() {
                nothing.clone()
            } else {
                path
            };
            (stack, path)
        });
        Self {
            stacks: stacks.collect(),
            functions,
        }
    }

    /// The frames of a stack, root first; never empty. `None`: of a thread
    /// that was never sampled.
    pub(super) fn stack(&self, stack: Option<StackId>) -> Vec<Code> {
        let known = stack.and_then(|stack| self.stacks.get(&stack));
        known.cloned().unwrap_or_else(|| {
            let unsampled = self.functions.binary_search(&special(UNSAMPLED));
            vec![2 * unsampled.unwrap_or_default()]
        })
    }

    /// The function of a code.
    pub(super) fn function(&self, code: Code) -> FunctionKey {
        let key = self.functions.get(code / 2);
        key.cloned().unwrap_or_else(|| special(UNKNOWN))
    }

    /// The frame of a code.
    pub(super) fn frame(&self, code: Code) -> SymbolFrame {
        SymbolFrame {
            key: self.function(code),
            inlined: code % 2 == 1,
        }
    }
}

/// The frames of a stack, root first.
fn path(catalog: &Catalog, leaf: StackId) -> Vec<FrameId> {
    let mut path = Vec::new();
    let mut at = Some(leaf);
    while let Some(stack) = at {
        let Some(node) = catalog.stacks.get(stack.0 as usize) else {
            break;
        };
        path.push(node.frame);
        // Parents precede their children, so this ends.
        at = node.parent.filter(|parent| *parent < stack);
    }
    path.reverse();
    path
}

/// The functions of a frame, outermost first, never none.
fn resolve(catalog: &Catalog, frame: FrameId, functions: &[String]) -> Vec<SymbolFrame> {
    let module = match catalog.frames.get(frame.0 as usize) {
        Some(Frame::User { object, .. }) => {
            let object = catalog.objects.get(object.0 as usize);
            object
                .map(|object| module(&object.path))
                .unwrap_or_default()
        }
        Some(Frame::Kernel { .. }) => KERNEL.to_owned(),
        Some(Frame::Broken(_)) => return vec![plain(special(TRUNCATED))],
        Some(Frame::Unmapped(_)) | None => return vec![plain(special(UNKNOWN))],
    };
    let named: Vec<_> = functions
        .iter()
        .filter(|function| !function.is_empty())
        .enumerate()
        .map(|(depth, function)| SymbolFrame {
            key: FunctionKey {
                function: function.clone(),
                module: module.clone(),
            },
            inlined: depth > 0,
        })
        .collect();
    if !named.is_empty() {
        return named;
    }
    vec![plain(if module.is_empty() {
        special(UNKNOWN)
    } else {
        FunctionKey {
            function: format!("{UNKNOWN} in {module}"),
            module,
        }
    })]
}

/// The file name of a mapped path, as it is shown.
fn module(path: &str) -> String {
    let path = path.strip_suffix(" (deleted)").unwrap_or(path);
    if path.starts_with("//anon") {
        return "[anon]".to_owned();
    }
    let name = path.rsplit('/').next().unwrap_or(path);
    if name.is_empty() { path } else { name }.to_owned()
}

fn special(name: &str) -> FunctionKey {
    FunctionKey {
        function: name.to_owned(),
        module: String::new(),
    }
}

fn plain(key: FunctionKey) -> SymbolFrame {
    SymbolFrame {
        key,
        inlined: false,
    }
}
