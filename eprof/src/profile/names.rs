//! Frames become functions, stacks become lists of them.

use std::sync::Arc;

use crate::measurement::{Frame, FrameId, Line, StackEnd, StackId};
use crate::recording::Catalog;

use super::detail::Detail;
use super::kind;
use super::marker::{GENERATED, INTERRUPT, KERNEL, TRUNCATED, UNKNOWN, UNSAMPLED};
use super::model::{FunctionKey, SymbolFrame};

/// A function and whether it is inlined, as `2 × position in the list of
/// functions + inlined`. Codes are ordered like the frames they stand for.
pub(super) type Code = usize;

/// The functions of all stacks in use.
#[derive(Debug)]
pub(super) struct Names {
    /// Sorted.
    functions: Vec<Arc<FunctionKey>>,
    /// Ascending.
    stacks: Vec<StackId>,
    /// The codes of each of them, root first; after them, those of a thread
    /// that was never sampled.
    paths: Lists,
}

/// Lists of codes, one after the other.
#[derive(Debug, Default)]
struct Lists {
    codes: Vec<Code>,
    /// Where each of them ends.
    ends: Vec<usize>,
}

impl Lists {
    /// Adds a list of what `fill` adds to the end, from where it is told.
    fn push(&mut self, fill: impl FnOnce(&mut Vec<Code>, usize)) {
        let begin = self.codes.len();
        fill(&mut self.codes, begin);
        self.ends.push(self.codes.len());
    }

    fn get(&self, at: usize) -> &[Code] {
        let end = |at: usize| self.ends.get(at).copied();
        let begin = at.checked_sub(1).and_then(end).unwrap_or(0);
        let end = end(at).unwrap_or(begin);
        self.codes.get(begin..end).unwrap_or_default()
    }
}

impl Names {
    /// Resolves `stacks`, by the frames and symbols of `catalog`.
    pub(super) fn new(
        catalog: &Catalog,
        detail: Detail,
        stacks: impl IntoIterator<Item = StackId>,
    ) -> Self {
        let mut stacks: Vec<StackId> = stacks.into_iter().collect();
        stacks.sort_unstable();
        stacks.dedup();
        let resolved = resolved(catalog, detail, &stacks);
        let unsampled = special(UNSAMPLED);
        let unknown = special(UNKNOWN);
        let interrupt = kernel(INTERRUPT);
        let keys = resolved.iter().flatten().map(|frame| &frame.key);
        let keys = keys.chain([&unsampled, &unknown, &interrupt]);
        let mut functions: Vec<Arc<FunctionKey>> = keys.cloned().collect();
        functions.sort_unstable();
        functions.dedup();
        let position = |key: &Arc<FunctionKey>| functions.binary_search(key).unwrap_or_default();
        let mut of_frames = Lists::default();
        for frames in &resolved {
            let codes = frames.iter();
            let codes = codes.map(|of| 2 * position(&of.key) + usize::from(of.inlined));
            of_frames.push(|all, _| all.extend(codes));
        }
        let interrupt = 2 * position(&interrupt);
        let enters: Vec<bool> = functions
            .iter()
            .map(|of| kind::enters_interrupt(of))
            .collect();
        let enters = |code: &Code| enters.get(code / 2).copied().unwrap_or(false);
        let mut paths = Lists::default();
        let mut frames = Vec::new();
        for &stack in &stacks {
            path(catalog, stack, &mut frames);
            paths.push(|all, begin| {
                for frame in &frames {
                    all.extend_from_slice(of_frames.get(frame.0 as usize));
                }
                if let Some(at) = all[begin..].iter().position(enters) {
                    all.insert(begin + at, interrupt);
                }
                if all.len() == begin {
                    all.push(2 * position(&unknown));
                }
            });
        }
        paths.push(|all, _| all.push(2 * position(&unsampled)));
        Self {
            functions,
            stacks,
            paths,
        }
    }

    /// The frames of a stack, root first; never empty. `None`: of a thread
    /// that was never sampled.
    pub(super) fn stack(&self, stack: Option<StackId>) -> &[Code] {
        let known = stack.and_then(|stack| self.stacks.binary_search(&stack).ok());
        self.paths.get(known.unwrap_or(self.stacks.len()))
    }

    /// How many functions there are.
    pub(super) fn functions(&self) -> usize {
        self.functions.len()
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

/// Fills `path` with the frames of a stack, root first.
fn path(catalog: &Catalog, leaf: StackId, path: &mut Vec<FrameId>) {
    path.clear();
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
}

/// The functions of each frame that is in one of `stacks`, by frame; of
/// others, none.
fn resolved(catalog: &Catalog, detail: Detail, stacks: &[StackId]) -> Vec<Vec<SymbolFrame>> {
    let mut used = vec![false; catalog.frames.len()];
    let mut seen = vec![false; catalog.stacks.len()];
    for &leaf in stacks {
        let mut at = Some(leaf);
        while let Some(stack) = at {
            let index = stack.0 as usize;
            let (Some(node), Some(seen)) = (catalog.stacks.get(index), seen.get_mut(index)) else {
                break;
            };
            // What is below was seen with another stack.
            if std::mem::replace(seen, true) {
                break;
            }
            if let Some(used) = used.get_mut(node.frame.0 as usize) {
                *used = true;
            }
            at = node.parent;
        }
    }
    let mut symbols: Vec<&[String]> = vec![&[]; catalog.frames.len()];
    for symbol in &catalog.symbols {
        if let Some(functions) = symbols.get_mut(symbol.frame.0 as usize) {
            *functions = &symbol.functions;
        }
    }
    let frames = (0..).map(FrameId).zip(symbols).zip(used);
    let functions = frames.map(|((frame, functions), used)| match used {
        true => resolve(catalog, frame, functions, detail),
        false => Vec::new(),
    });
    functions.collect()
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
