//! What can be typed wherever a command is run and measured.

use std::time::Duration;

use clap::Args;

use super::shared::AttributionArgs;
use crate::cli::counters::{self, CounterChoice};
use crate::cli::duration;
use crate::source::Choice;

/// How a command is run and measured.
#[derive(Debug, Args)]
pub struct MeasuringArgs {
    /// Time between two readings of the meters
    #[arg(long, value_name = "TIME", default_value = "50ms", value_parser = duration::parse_interval)]
    pub interval: Duration,

    /// Energy source to read
    #[arg(long, value_enum, default_value_t)]
    pub source: Choice,

    /// Hardware counters to read at each context switch: `auto`, `none`, or a
    /// list of cycles, reference-cycles, instructions, cache-misses. Each
    /// counter costs a little time per switch
    #[arg(long, value_name = "LIST", default_value = "auto", value_parser = counters::parse)]
    pub counters: CounterChoice,

    /// How energy is attributed.
    #[command(flatten)]
    pub attribution: AttributionArgs,

    /// Run the target as this user (name or uid). Under sudo, the default is
    /// the calling user
    #[arg(long, value_name = "USER", conflicts_with = "as_root")]
    pub user: Option<String>,

    /// Run the target as root, even under sudo
    #[arg(long)]
    pub as_root: bool,
}
