//! Options that several commands share.

use std::path::PathBuf;
use std::str::FromStr;

use clap::Args;

use crate::attribute::Weights;
use crate::carbon::Carbon;
use crate::error::Error;
use crate::measurement::IdlePower;

/// Options of everything that shows code.
#[derive(Clone, Debug, Default, Args)]
pub struct SymbolArgs {
    /// Tell source lines apart, not only functions
    #[arg(long)]
    pub lines: bool,

    /// Count inlined calls to their caller
    #[arg(long)]
    pub no_inline: bool,

    /// Look for programs and debug files here too, by their build ids (may be
    /// given several times)
    #[arg(long, value_name = "DIR")]
    pub symbol_path: Vec<PathBuf>,
}

/// Options of everything that attributes.
#[derive(Clone, Debug, Default, Args)]
pub struct AttributionArgs {
    /// Idle power: `12.5W`, per domain `package=12W,dram=3W`, or `none`
    #[arg(long, value_name = "POWER", value_parser = parsed::<IdlePower>)]
    pub idle_power: Option<IdlePower>,

    /// What energy is shared by
    #[arg(long, value_enum, default_value_t, alias = "weights")]
    pub attribution: Weights,

    /// Tell energy as greenhouse gas, too, by this factor:
    /// `380gCO2e/kWh,source=TEXT`
    #[arg(long, value_name = "FACTOR", value_parser = parsed::<Carbon>)]
    pub carbon: Option<Carbon>,
}

/// A value, or why it is none, with the hint.
fn parsed<T: FromStr<Err = Error>>(text: &str) -> Result<T, String> {
    text.parse::<T>().map_err(|error| match error.given_hint() {
        Some(hint) => format!("{error}; {hint}"),
        None => error.to_string(),
    })
}
