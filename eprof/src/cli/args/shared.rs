//! Options that several commands share.

use std::path::PathBuf;

use clap::{Args, ValueEnum};

use crate::carbon::Carbon;

/// How `run`, `calibrate`, `list` and `doctor` write.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, ValueEnum)]
pub enum ShortFormat {
    /// For people
    #[default]
    Table,
    /// For programs
    Json,
}

/// What makes a slice of CPU time heavy.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, ValueEnum)]
pub enum Weights {
    /// A power model where one predicts better than time, else cycles or time
    #[default]
    Auto,
    /// Time on a CPU
    Time,
    /// CPU cycles
    Cycles,
    /// A power model of all counters, however well it predicts
    Model,
}

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
    #[arg(long, value_name = "POWER")]
    pub idle_power: Option<String>,

    /// What energy is shared by
    #[arg(long, value_enum, default_value_t, alias = "weights")]
    pub attribution: Weights,

    /// Tell energy as greenhouse gas, too, by this factor:
    /// `380gCO2e/kWh,source=TEXT`
    #[arg(long, value_name = "FACTOR", value_parser = carbon)]
    pub carbon: Option<Carbon>,
}

/// A factor, or why it is none.
fn carbon(text: &str) -> Result<Carbon, String> {
    text.parse::<Carbon>()
        .map_err(|error| match error.given_hint() {
            Some(hint) => format!("{error}; {hint}"),
            None => error.to_string(),
        })
}
