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
    /// Break functions down by source line
    #[arg(long)]
    pub lines: bool,

    /// Attribute inlined functions to their caller
    #[arg(long)]
    pub no_inline: bool,

    /// Also search this directory for programs and debug files, by build id
    /// (repeatable)
    #[arg(long, value_name = "DIR")]
    pub symbol_path: Vec<PathBuf>,
}

/// Options of everything that attributes.
#[derive(Clone, Debug, Default, Args)]
pub struct AttributionArgs {
    /// Idle power: `12.5W`, per domain `package=12W,dram=3W`, or `none`
    #[arg(long, value_name = "POWER", value_parser = parsed::<IdlePower>)]
    pub idle_power: Option<IdlePower>,

    /// How energy is divided among threads
    #[arg(long, value_enum, default_value_t, alias = "weights")]
    pub attribution: Weights,

    /// Also report CO₂e, by this factor: `380gCO2e/kWh,source=TEXT`
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
