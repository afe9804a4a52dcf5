//! The table of the runs that were added up.

use crate::attribute::Energy;
use crate::profile::{MemberRow, Profile};
use crate::unit::Nanos;

use super::grid::{Column, Give, Grid, Weight};
use super::style::Style;
use crate::output::format::energy::EnergyText;
use crate::output::format::number::{percent, time};
use crate::output::format::sanitize::{shorten, visible};

/// The table of runs, `most` of them at most, by energy.
pub(in crate::output) fn lines(
    profile: &Profile,
    energy_text: EnergyText,
    most: usize,
    style: Style,
) -> Vec<String> {
    let target: u64 = profile
        .members
        .iter()
        .map(|run| run.energy.with_idle.0)
        .sum();
    let half = energy_text.error_title();
    let [value, half, unit] = Column::energy("energy", half);
    let mut grid = Grid::new(vec![
        Column::name("run", Give::Middle),
        Column::number("exit"),
        value,
        half,
        unit,
        Column::number("share"),
        Column::number("ran").spare(2),
        Column::number("CPU time").spare(3),
        Column::number("mean").spare(4),
    ]);
    let mut rows: Vec<&MemberRow> = profile.members.iter().collect();
    rows.sort_by_key(|run| std::cmp::Reverse(run.energy.with_idle));
    let shown = most.min(rows.len());
    for run in rows.drain(..shown) {
        grid.row(cells(run, energy_text, target), Weight::Plain);
    }
    if !rows.is_empty() {
        let mut energy = Energy::default();
        let mut cpu = Nanos::ZERO;
        for run in &rows {
            energy += run.energy;
            cpu += run.cpu;
        }
        let full = energy_text.with_idle(energy);
        let [value, _, unit] = energy_text.cells(full, None);
        let share = full.and_then(|uj| percent(uj, target));
        grid.row(
            vec![
                format!("… and {} more", rows.len()),
                String::new(),
                value,
                String::new(),
                unit,
                share.unwrap_or_else(|| "–".to_owned()),
                String::new(),
                time(cpu.0),
                "–".to_owned(),
            ],
            Weight::Faint,
        );
    }
    grid.lines(style, 2)
}

fn cells(run: &MemberRow, energy_text: EnergyText, target: u64) -> Vec<String> {
    let full = energy_text.with_idle(run.energy);
    let half = Some(run.ci90.0);
    let [value, range, unit] = energy_text.cells(full, half);
    let share = full.and_then(|uj| percent(uj, target));
    vec![
        shorten(&visible(&run.name), 40).into_owned(),
        match run.exit_code {
            Some(0) => String::new(),
            Some(code) => code.to_string(),
            None => "cut off".to_owned(),
        },
        value,
        range,
        unit,
        share.unwrap_or_else(|| "–".to_owned()),
        time(run.duration.0),
        time(run.cpu.0),
        energy_text.watts(full, half, Some(run.duration.0)),
    ]
}
