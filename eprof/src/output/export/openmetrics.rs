//! OpenMetrics text (OpenMetrics 1.0, which Prometheus' own format contains):
//! for node_exporter's textfile collector, or a push gateway.
//!
//! Joules have six decimals, so that sums are exact to the microjoule. What was
//! not measured is absent.

use std::io::{self, Write};

use crate::attribute::Account;
use crate::profile::Profile;
use crate::unit::{Microjoules, Nanos};

use super::super::format::energy::{EnergyText, has_reading};
use super::super::format::sanitize::visible;

/// One metric family: all its samples follow each other.
struct Family<'a, W> {
    out: &'a mut W,
    name: &'static str,
}

impl<'a, W: Write> Family<'a, W> {
    fn begin(
        out: &'a mut W,
        name: &'static str,
        unit: Option<&str>,
        help: &str,
    ) -> io::Result<Self> {
        writeln!(out, "# TYPE {name} gauge")?;
        if let Some(unit) = unit {
            writeln!(out, "# UNIT {name} {unit}")?;
        }
        writeln!(out, "# HELP {name} {help}")?;
        Ok(Self { out, name })
    }

    fn sample(&mut self, labels: &[(&str, &str)], value: &str) -> io::Result<()> {
        write!(self.out, "{}", self.name)?;
        for (at, (label, text)) in labels.iter().enumerate() {
            let mark = if at == 0 { '{' } else { ',' };
            write!(self.out, "{mark}{label}=\"{}\"", escaped(text))?;
        }
        let close = if labels.is_empty() { "" } else { "}" };
        writeln!(self.out, "{close} {value}")
    }
}

/// A label's value (OpenMetrics, 3.2: backslash, quote and line feed).
fn escaped(text: &str) -> String {
    let harmless = visible(text);
    harmless.replace('\\', "\\\\").replace('"', "\\\"")
}

fn joules(energy: Microjoules) -> String {
    format!("{}.{:06}", energy.0 / 1_000_000, energy.0 % 1_000_000)
}

fn seconds(time: Nanos) -> String {
    format!("{}.{:09}", time.0 / 1_000_000_000, time.0 % 1_000_000_000)
}

/// Writes the metrics.
///
/// # Errors
///
/// The error of `out`.
pub fn write(profile: &Profile, mut out: impl Write) -> io::Result<()> {
    let out = &mut out;
    meters(profile, out)?;
    commands(profile, out)?;
    members(profile, out)?;
    run(profile, out)?;
    writeln!(out, "# EOF")
}

fn meters(profile: &Profile, out: &mut impl Write) -> io::Result<()> {
    let meters = || {
        profile
            .ledger
            .meters
            .iter()
            .filter(|meter| has_reading(meter))
    };
    let nested = |nested: bool| if nested { "true" } else { "false" };
    let mut family = Family::begin(
        out,
        "eprof_meter_energy_joules",
        Some("joules"),
        "Energy that a meter counted over the run. A nested meter is part of another.",
    )?;
    for meter in meters() {
        let labels = [
            ("meter", meter.name.as_str()),
            ("domain", meter.domain.name()),
            ("nested", nested(meter.nested)),
            ("provenance", meter.provenance.name()),
        ];
        family.sample(&labels, &joules(meter.total))?;
    }
    let mut family = Family::begin(
        out,
        "eprof_account_energy_joules",
        Some("joules"),
        "Where the energy of a meter went; the accounts add up to the meter.",
    )?;
    for meter in meters() {
        for account in Account::ALL {
            let labels = [
                ("meter", meter.name.as_str()),
                ("domain", meter.domain.name()),
                ("nested", nested(meter.nested)),
                ("account", account.name()),
            ];
            let energy = meter.accounts.get(&account).copied().unwrap_or_default();
            family.sample(&labels, &joules(energy.with_idle))?;
        }
    }
    let mut family = Family::begin(
        out,
        "eprof_account_energy_ci90_joules",
        Some("joules"),
        "Half width of the 90 % interval of an account's energy.",
    )?;
    for meter in meters() {
        for (account, width) in &meter.widths {
            let labels = [("meter", meter.name.as_str()), ("account", account.name())];
            family.sample(&labels, &joules(width.total()))?;
        }
    }
    Ok(())
}

fn commands(profile: &Profile, out: &mut impl Write) -> io::Result<()> {
    let rows = profile.commands();
    if EnergyText::of(profile).known {
        let mut family = Family::begin(
            out,
            "eprof_command_energy_joules",
            Some("joules"),
            "Energy of the target's processes by name; they add up to the target.",
        )?;
        for row in &rows {
            family.sample(&[("command", &row.comm)], &joules(row.energy.with_idle))?;
        }
        let mut family = Family::begin(
            out,
            "eprof_command_energy_ci90_joules",
            Some("joules"),
            "Upper bound of the half width of the 90 % interval of that energy.",
        )?;
        for row in &rows {
            family.sample(&[("command", &row.comm)], &joules(row.ci90))?;
        }
    }
    let mut family = Family::begin(
        out,
        "eprof_command_cpu_seconds",
        Some("seconds"),
        "CPU time of the target's processes by name.",
    )?;
    for row in &rows {
        family.sample(&[("command", &row.comm)], &seconds(row.cpu))?;
    }
    Ok(())
}

/// The runs that were added up.
fn members(profile: &Profile, out: &mut impl Write) -> io::Result<()> {
    if profile.members.is_empty() || !EnergyText::of(profile).known {
        return Ok(());
    }
    let mut family = Family::begin(
        out,
        "eprof_member_energy_joules",
        Some("joules"),
        "Energy of the target by run; the runs add up to the target.",
    )?;
    for row in &profile.members {
        let rank = row.labels.get("rank").map_or("", String::as_str);
        let labels = [
            ("run", row.name.as_str()),
            ("host", &row.host),
            ("rank", rank),
        ];
        family.sample(&labels, &joules(row.energy.with_idle))?;
    }
    Ok(())
}

fn run(profile: &Profile, out: &mut impl Write) -> io::Result<()> {
    let summary = &profile.summary;
    let name = "eprof_run_duration_seconds";
    let help = "From the start of the target to its end.";
    Family::begin(out, name, Some("seconds"), help)?.sample(&[], &seconds(summary.duration))?;
    if let Some(code) = summary.exit_code {
        let name = "eprof_run_exit_code";
        let help = "The target's exit code.";
        Family::begin(out, name, None, help)?.sample(&[], &code.to_string())?;
    }
    if profile.is_unfinished() {
        return Ok(());
    }
    let name = "eprof_losses";
    let help = "What was lost while recording, by reason.";
    let mut family = Family::begin(out, name, None, help)?;
    for (reason, count) in &profile.losses.0 {
        family.sample(&[("reason", reason)], &count.to_string())?;
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn joules_are_exact() {
        assert_eq!(joules(Microjoules(12_000_034)), "12.000034");
        assert_eq!(joules(Microjoules(u64::MAX)), "18446744073709.551615");
        assert_eq!(seconds(Nanos(1_000_000_001)), "1.000000001");
    }

    #[test]
    fn labels_cannot_break_out() {
        assert_eq!(escaped("a\"b\\c"), "a\\\"b\\\\c");
        assert!(!escaped("a\nb").contains('\n'));
    }
}
