//! All runs of all commands, up to what cuts them short.

use crate::caveat::Caveat;
use crate::error::Result;

use super::plan::{News, Plan, Repeated};
use super::runner::{Cut, Runner};

/// Runs all commands as `plan` says; `observer` is told how it goes.
///
/// # Errors
///
/// Whatever keeps a command from being run or measured.
pub fn repeat(plan: &Plan, observer: &mut dyn FnMut(News<'_>)) -> Result<Repeated> {
    let mut runner = Runner::new(plan)?;
    let mut repeated = Repeated::default();
    match runner.run_all(&mut repeated, observer)? {
        None => {}
        Some(Cut::Failed(failed)) => repeated.failed = Some(failed),
        Some(Cut::Interrupted(signal)) => {
            repeated.interrupted = Some(signal);
            repeated.caveats.push(Caveat::new(
                "interrupted",
                "eprof was asked to come to an end; the run that this cut short does not count",
            ));
        }
    }
    Ok(repeated)
}
