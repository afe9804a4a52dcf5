//! `eprof merge`.

use std::fs::File;
use std::io::{self, BufWriter, IsTerminal as _, Write};
use std::path::{Path, PathBuf};

use super::args::MergeArgs;
use super::say::say;
use crate::error::{Error, ErrorKind, Result};
use crate::launch::{Identity, RunAs, output_file};
use crate::recording::merged::{Labels, MAX_MEMBERS, Member};
use crate::recording::{Merged, MergedWriter, RecordingFile};
use crate::{output, pipeline};

/// A recording that is to be copied.
struct Part {
    path: PathBuf,
    labels: Labels,
    begin: u64,
    length: u64,
}

pub(super) fn execute(args: &MergeArgs) -> Result<u8> {
    // All of them are looked at before anything is written.
    let mut parts = Vec::new();
    for path in &args.files {
        parts.extend(parts_of(path)?);
    }
    let count = u32::try_from(parts.len()).ok();
    let count = count.filter(|count| *count <= MAX_MEMBERS).ok_or_else(|| {
        let sentence = format!("{} recordings are more than one file holds", parts.len());
        Error::new(ErrorKind::Usage, sentence).hint(format!("at most {MAX_MEMBERS}"))
    })?;
    if args.output == Path::new("-") {
        let stdout = io::stdout();
        if stdout.is_terminal() {
            return Err(
                Error::new(ErrorKind::Usage, "recordings are not for a terminal")
                    .hint("write them to a file: --output all.data"),
            );
        }
        output::ignore_broken_pipe(copy(&parts, count, BufWriter::new(stdout.lock())))?;
        return Ok(0);
    }
    let owner = Identity::resolve(&RunAs::Caller)?.files;
    output_file::replace_private(&args.output, owner.as_ref(), |file| {
        copy(&parts, count, BufWriter::new(file))
    })?;
    Ok(0)
}

/// The recordings in the file at `path`: one, or those that were merged.
fn parts_of(path: &Path) -> Result<Vec<Part>> {
    let failed = |error: io::Error| Error::io("read", path, &error);
    let Some(merged) = Merged::open(path)? else {
        // Reads all of it: what is no recording is refused now.
        let recording = RecordingFile::open(path)?;
        return Ok(vec![Part {
            path: path.to_owned(),
            labels: pipeline::labels(&recording.catalog, path),
            begin: 0,
            length: path.metadata().map_err(failed)?.len(),
        }]);
    };
    let there = path.metadata().map_err(failed)?.len();
    let part = |member: Member| Part {
        path: path.to_owned(),
        length: member.length.min(there.saturating_sub(member.begin)),
        labels: member.labels,
        begin: member.begin,
    };
    for caveat in &merged.caveats {
        say(format_args!(
            "warning: {}: {}",
            path.display(),
            caveat.sentence
        ));
    }
    Ok(merged.members.into_iter().map(part).collect())
}

/// Copies recordings, one after the other, none of which is held in memory.
fn copy(parts: &[Part], count: u32, out: impl Write) -> io::Result<()> {
    let mut writer = MergedWriter::new(out, count)?;
    for part in parts {
        let file = File::open(&part.path).map_err(|error| {
            io::Error::other(format!("cannot read {}: {error}", part.path.display()))
        })?;
        writer.push(&part.labels, &file, (part.begin, part.length))?;
    }
    writer.finish().map(drop)
}
