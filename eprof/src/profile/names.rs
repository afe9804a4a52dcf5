//! Frames become functions, stacks become lists of them.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use crate::kernel::StackEnd;
use crate::recording::{Catalog, Frame, FrameId, Line, StackId};

use super::detail::Detail;
use super::kind;
use super::model::{FunctionKey, SymbolFrame};

/// Code whose name is not known.
pub const UNKNOWN: &str = "[unknown]";
/// Stands at the root of a stack whose own root was not reached.
pub const TRUNCATED: &str = "[truncated]";
/// Stands for the stacks of a thread that was never sampled.
pub const UNSAMPLED: &str = "[unsampled]";
/// The module of kernel code.
pub const KERNEL: &str = "[kernel]";
/// The module of code that was made at run time.
pub const GENERATED: &str = "[jit]";
/// Stands between what an interrupt interrupted and what it did.
pub const INTERRUPT: &str = "[irq]";

/// A function and whether it is inlined, as `2 × position in the list of
/// functions + inlined`. Codes are ordered like the frames they stand for.
pub(super) type Code = usize;

/// The functions of all stacks in use.
#[derive(Debug)]
pub(super) struct Names {
    /// Sorted.
    functions: Vec<Arc<FunctionKey>>,
    stacks: BTreeMap<StackId, Vec<Code>>,
}

impl Names {
    /// Resolves `stacks`, by the frames and symbols of `catalog`.
    pub(super) fn new(
        catalog: &Catalog,
        detail: Detail,
        stacks: impl IntoIterator<Item = StackId>,
    ) -> Self {
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
                (frame, resolve(catalog, frame, functions, detail))
            })
            .collect();
        let unsampled = special(UNSAMPLED);
        let unknown = special(UNKNOWN);
        let interrupt = kernel(INTERRUPT);
        let keys: BTreeSet<&Arc<FunctionKey>> = resolved
            .values()
            .flatten()
            .map(|frame| &frame.key)
            .chain([&unsampled, &unknown, &interrupt])
            .collect();
        let functions: Vec<Arc<FunctionKey>> = keys.into_iter().cloned().collect();
        let position = |key: &Arc<FunctionKey>| functions.binary_search(key).unwrap_or_default();
        let codes: BTreeMap<FrameId, Vec<Code>> = resolved
            .iter()
            .map(|(&frame, frames)| {
                let codes = frames.iter();
                let codes = codes.map(|of| 2 * position(&of.key) + usize::from(of.inlined));
                (frame, codes.collect())
            })
            .collect();
        let nothing = vec![2 * position(&unknown)];
        let interrupt = 2 * position(&interrupt);
        let enters: Vec<bool> = functions
            .iter()
            .map(|of| kind::enters_interrupt(of))
            .collect();
        let enters = |code: Code| enters.get(code / 2).copied().unwrap_or(false);
        let stacks = paths.into_iter().map(|(stack, path)| {
            let path = path.iter().filter_map(|frame| codes.get(frame));
            let mut path: Vec<Code> = path.flatten().copied().collect();
            if let Some(at) = path.iter().position(|&code| enters(code)) {
                path.insert(at, interrupt);
            }
            if path.is_empty() {
                path.clone_from(&nothing);
            }
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
    pub(super) fn function(&self, code: Code) -> Arc<FunctionKey> {
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
fn resolve(
    catalog: &Catalog,
    frame: FrameId,
    functions: &[String],
    detail: Detail,
) -> Vec<SymbolFrame> {
    let module = match catalog.frames.get(frame.0 as usize) {
        Some(Frame::User { object, .. }) => {
            let object = catalog.objects.get(object.0 as usize);
            object
                .map(|object| module(&object.path))
                .unwrap_or_default()
        }
        Some(Frame::Kernel { .. }) => KERNEL.to_owned(),
        Some(Frame::Generated { .. }) => GENERATED.to_owned(),
        Some(Frame::Broken(end)) => return vec![plain(special(&broken(*end)))],
        Some(Frame::Unmapped(_)) | None => return vec![plain(special(UNKNOWN))],
    };
    let lines = catalog.lines.get(&frame).filter(|_| detail.lines);
    let lines = lines.map(Vec::as_slice).unwrap_or_default();
    let line = |at: usize| lines.get(at).and_then(Option::as_ref);
    let named: Vec<_> = functions
        .iter()
        .enumerate()
        .filter(|(_, function)| !function.is_empty())
        .take(if detail.inlined { usize::MAX } else { 1 })
        .enumerate()
        .map(|(depth, (at, function))| SymbolFrame {
            key: Arc::new(FunctionKey {
                function: at_line(function, line(at)),
                module: module.clone(),
            }),
            inlined: depth > 0,
        })
        .collect();
    if !named.is_empty() {
        return named;
    }
    vec![plain(if module.is_empty() {
        special(UNKNOWN)
    } else {
        Arc::new(FunctionKey {
            function: format!("{UNKNOWN} in {module}"),
            module,
        })
    })]
}

/// A function with the line that it was at.
fn at_line(function: &str, line: Option<&Line>) -> String {
    match line {
        Some(line) => {
            let file = line.file.rsplit('/').next().unwrap_or(&line.file);
            format!("{function} {file}:{}", line.number)
        }
        None => function.to_owned(),
    }
}

/// What stands for the missing end of a stack.
fn broken(end: StackEnd) -> String {
    let why = match end {
        StackEnd::NoTable => "no unwind information",
        StackEnd::Unreadable => "the stack cannot be read",
        StackEnd::Unsupported => "unwind information of an unknown kind",
        StackEnd::Astray => "went astray",
        StackEnd::LeftCode => "no code at the return address",
        StackEnd::CopyEnded => "deeper than what was copied",
        StackEnd::Complete | StackEnd::Truncated | StackEnd::Absent | StackEnd::Failed => {
            return TRUNCATED.to_owned();
        }
    };
    format!("{}: {why}]", TRUNCATED.trim_end_matches(']'))
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

fn special(name: &str) -> Arc<FunctionKey> {
    Arc::new(FunctionKey {
        function: name.to_owned(),
        module: String::new(),
    })
}

fn kernel(name: &str) -> Arc<FunctionKey> {
    Arc::new(FunctionKey {
        function: name.to_owned(),
        module: KERNEL.to_owned(),
    })
}

fn plain(key: Arc<FunctionKey>) -> SymbolFrame {
    SymbolFrame {
        key,
        inlined: false,
    }
}
