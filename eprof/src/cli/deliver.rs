//! Where output goes that may be a file of the caller's.

use std::io::{self, Write as _};
use std::path::Path;

use crate::error::Result;
use crate::launch::{Identity, RunAs, output_file};
use crate::output;

/// Writes `bytes` to the file at `path`, which will be the caller's also under
/// sudo; without one, or to `-`, to stdout.
pub(super) fn deliver(path: Option<&Path>, bytes: &[u8]) -> Result<()> {
    let Some(path) = path.filter(|path| *path != Path::new("-")) else {
        return output::ignore_broken_pipe(io::stdout().write_all(bytes));
    };
    let owner = Identity::resolve(&RunAs::Caller)?.files;
    output_file::replace(path, owner.as_ref(), bytes)
}
