//! What eprof itself cost, and with what, where and when it recorded.

use serde::Serialize;

use crate::attribute::Account;
use crate::profile::Profile;

use super::super::format::energy::EnergyText;

#[derive(Serialize)]
pub(super) struct Footprint<'p> {
    cpu_ns: Option<u64>,
    uj: Option<u64>,
    peak_rss_bytes: Option<u64>,
    programs: Vec<Program<'p>>,
}

#[derive(Serialize)]
struct Program<'p> {
    name: &'p str,
    runs: u64,
    mean_ns: Option<f64>,
}

#[derive(Serialize)]
pub(super) struct Recording<'p> {
    eprof: &'p str,
    object: &'p str,
    started_unix_ns: u64,
    host: &'p str,
    kernel: &'p str,
    cpu_model: &'p str,
    directory: &'p str,
    frequency_hz: u32,
    interval_ns: u64,
    follow: &'p str,
    samples: u64,
    idle: Vec<Idle<'p>>,
}

#[derive(Serialize)]
struct Idle<'p> {
    meter_id: u16,
    w: f64,
    sd_w: f64,
    origin: &'p str,
}

pub(super) fn footprint(profile: &Profile, energy_text: EnergyText) -> Footprint<'_> {
    let footprint = &profile.summary.footprint;
    let known = !profile.is_unfinished();
    Footprint {
        cpu_ns: known.then_some(footprint.cpu.0),
        uj: energy_text.with_idle(profile.ledger.account(Account::Eprof)),
        peak_rss_bytes: known.then_some(footprint.peak_rss),
        programs: footprint
            .programs
            .iter()
            .map(|(name, runs, mean)| Program {
                name,
                runs: *runs,
                mean_ns: *mean,
            })
            .collect(),
    }
}

pub(super) fn recording(profile: &Profile) -> Recording<'_> {
    let header = &profile.summary.header;
    Recording {
        eprof: &header.eprof,
        object: &header.object,
        started_unix_ns: header.wall_clock_ns,
        host: &header.host,
        kernel: &header.kernel,
        cpu_model: &header.cpu_model,
        directory: &header.command.directory,
        frequency_hz: header.frequency_hz,
        interval_ns: header.interval.0,
        follow: &header.follow,
        samples: profile.summary.samples,
        idle: header
            .baselines
            .iter()
            .map(|baseline| Idle {
                meter_id: baseline.meter.0,
                w: baseline.power.0,
                sd_w: baseline.sd.0,
                origin: &baseline.origin,
            })
            .collect(),
    }
}
