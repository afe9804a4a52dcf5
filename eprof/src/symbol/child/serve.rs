//! The side that answers: eprof, started as a helper.

use std::fs::File;
use std::io::{self, Write as _};
use std::os::fd::AsFd as _;
use std::path::Path;

use super::fetch;
use super::find::{Places, with_id};
use super::links::Links;
use super::memory::Memory;
use super::message::{Answer, Begin, Depth, Flaw, LONGEST_NAME, MOST_INLINED, Quest, Role};
use super::source::Source;
use crate::confine::{self, envelope, receive, unpack};
use crate::measurement::Line;
use crate::symbol::lookup::{Names, look_up};
use crate::symbol::named::Named;
use crate::symbol::outline::Outline;

/// The word after the program's name that makes it a helper.
pub(super) const WORD: &str = "__names";

/// The exit code of a helper that could not give up what it must.
pub(super) const UNCONFINED: u8 = 78;

/// Serves the process that started this one as a helper, if it was; the result is the
/// exit code. To be called before anything else.
pub fn serve_if_asked() -> Option<u8> {
    let mut words = std::env::args_os().skip(1);
    let asked = words.next().is_some_and(|word| word == WORD) && words.next().is_none();
    // Whoever asked sees how it ended, and what was said until then.
    asked.then(|| serve().unwrap_or(1))
}

fn serve() -> io::Result<u8> {
    confine::begin()?;
    let socket = File::from(io::stdin().as_fd().try_clone_to_owned()?);
    let mut files = receive(&socket)?.into_iter();
    let Some(file) = files.next() else {
        return Ok(0);
    };
    let begin: Begin = unpack(file)?;
    if begin.bounds.enforce().is_err() {
        return Ok(UNCONFINED);
    }
    match begin.role {
        Role::Names { directories } => names(
            &socket,
            &Places {
                directories,
                memory: Memory(begin.bounds.file),
            },
        )?,
        Role::Fetch {
            settings,
            failures,
            home,
        } => fetch::serve(&socket, settings, home.as_deref(), failures)?,
    }
    Ok(0)
}

fn names(socket: &File, places: &Places) -> io::Result<()> {
    loop {
        let mut files = receive(socket)?.into_iter();
        let Some(quest) = files.next() else {
            return Ok(());
        };
        let quest: Quest = unpack(quest)?;
        // Nobody is there any more, where it cannot be said.
        let mut unsaid = Ok(());
        let mut out = socket;
        let mut say = |answer: Answer| {
            if unsaid.is_ok() {
                unsaid = envelope(&answer).and_then(|bytes| out.write_all(&bytes));
            }
        };
        let end = answer(quest, files.next(), places, &mut say);
        say(end);
        unsaid?;
    }
}

/// Looks up what `quest` asks for, in `given` or in what is found; the result is the
/// last answer.
fn answer(
    quest: Quest,
    given: Option<File>,
    places: &Places,
    say: &mut dyn FnMut(Answer),
) -> Answer {
    let build_id = quest.build_id.as_deref();
    let whole = given.or_else(|| places.object(&quest.path, build_id?));
    let outline = whole.as_ref().map(Outline::of).unwrap_or_default();
    say(Answer::Segments(outline.segments.clone()));
    let segments = if quest.segments.is_empty() {
        outline.segments
    } else {
        quest.segments
    };
    let mut debug = None;
    if !outline.debug_info && quest.depth == Depth::Everything {
        let fetched = || with_id(quest.fetched.as_deref()?, build_id?);
        let linked = || {
            let whole = whole.as_ref()?;
            places.linked(whole, &Links::of(whole), &quest.path)
        };
        debug = build_id
            .and_then(|id| places.debug_file(id))
            .or_else(linked)
            .or_else(fetched);
        if debug.is_none() && quest.ask && build_id.is_some() {
            return Answer::Lacks;
        }
    }
    let whole = whole.filter(|_| quest.nameless || outline.debug_info);
    let path = Path::new(&quest.path);
    let mut sources = Vec::new();
    let mut flaw: Option<Flaw> = None;
    for (file, is_whole) in [(debug, false), (whole, true)] {
        let Some(file) = file else { continue };
        let path = is_whole.then_some(path);
        match Source::new(file, path, quest.depth, places) {
            Ok(source) => sources.push((source, is_whole)),
            Err(why) => flaw = Some(why),
        }
    }
    let files: Vec<_> = sources
        .iter()
        .map(|(source, is_whole)| {
            let names = if *is_whole {
                Names::Whole(source.path.clone())
            } else {
                Names::Debug(source.path.clone())
            };
            (names, source.debug)
        })
        .collect();
    let mut found = |named: Vec<Named>| {
        // Small answers: names may be long.
        for few in in_pieces(named) {
            say(Answer::Found(few));
        }
    };
    look_up(&files, &segments, &quest.frames, &mut found);
    Answer::Done(flaw)
}

/// Bytes of names in one answer, about.
const PIECE: usize = 4 << 20;

fn in_pieces(named: Vec<Named>) -> Vec<Vec<Named>> {
    let mut pieces = vec![Vec::new()];
    let mut length = 0;
    for mut named in named {
        length += shorten(&mut named);
        if let Some(last) = pieces.last_mut() {
            last.push(named);
        }
        if length >= PIECE {
            pieces.push(Vec::new());
            length = 0;
        }
    }
    pieces.retain(|piece| !piece.is_empty());
    pieces
}

/// Keeps names to what is believed of a helper; returns their length.
fn shorten(named: &mut Named) -> usize {
    let Named { symbol, lines } = named;
    symbol.functions.truncate(MOST_INLINED);
    let mut length = 0;
    let mut cut = |text: &mut String| {
        if text.len() > LONGEST_NAME {
            text.truncate(text.floor_char_boundary(LONGEST_NAME));
        }
        length += text.len();
    };
    symbol.functions.iter_mut().for_each(&mut cut);
    if let Some(lines) = lines {
        lines.lines.truncate(MOST_INLINED);
        let files = lines.lines.iter_mut().flatten();
        files.for_each(|Line { file, .. }| cut(file));
    }
    length
}
