//! `EPROF_VERIFIER_LOG`: where the log of the kernel's verifier goes.

use std::path::Path;

use crate::error::Result;
use crate::kernel::VerifierLog;
use crate::launch::{Identity, RunAs, output_file};

/// The file that the variable names, made or emptied; `None` without it. It stays
/// empty where the verifier refuses nothing.
///
/// # Errors
/// Where the calling user may not write there.
pub(super) fn of_environment() -> Result<Option<VerifierLog>> {
    let Some(path) = std::env::var_os("EPROF_VERIFIER_LOG").filter(|path| !path.is_empty()) else {
        return Ok(None);
    };
    let caller = Identity::resolve(&RunAs::Caller)?.files;
    let file = output_file::log(Path::new(&path), caller.as_ref())?;
    Ok(Some(VerifierLog::new(file)))
}
