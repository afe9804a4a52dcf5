//! The shape of the report; the order of fields is the order of keys.

use std::collections::BTreeMap;

use serde::Serialize;

use crate::attribute::{Account, MeterLedger, Price};
use crate::caveat::Caveat;
use crate::kernel::Loss;
use crate::profile::{ProcessRow, Profile, ThreadRow};
use crate::source::{Meter, MeterId, Scope};

use super::super::balance::target_half;
use super::super::claim::{Claim, spoke};
use super::super::listing::Listing;
use super::super::view::{By, View};

#[derive(Serialize)]
pub(super) struct Report<'p> {
    schema: &'static str,
    command: &'p [String],
    exit_code: Option<i32>,
    duration_s: f64,
    source: Source<'p>,
    energy_uj: Option<u64>,
    target: Energy,
    ledger: Vec<Entry<'p>>,
    processes: Vec<Process<'p>>,
    threads: Vec<Thread<'p>>,
    functions: Vec<Function<'p>>,
    modules: Vec<Module<'p>>,
    cpus: Vec<Cpu>,
    omitted: BTreeMap<&'static str, Omitted>,
    losses: &'p Loss,
    footprint: Footprint<'p>,
    recording: Recording<'p>,
    caveats: &'p [Caveat],
}

#[derive(Serialize)]
struct Source<'p> {
    kind: Option<String>,
    provenance: &'static str,
    band: Option<Band>,
    weights: &'p str,
    meters: Vec<MeterInfo<'p>>,
}

#[derive(Serialize)]
struct Band {
    low: f64,
    high: f64,
}

#[derive(Serialize)]
struct MeterInfo<'p> {
    id: u16,
    kind: Option<&'static str>,
    name: &'p str,
    domain: &'static str,
    scope: Option<Scope>,
    provenance: &'static str,
    nested: bool,
    total_uj: Option<u64>,
    unknown_s: f64,
    baseline_uj: Option<u64>,
}

#[derive(Clone, Copy, Serialize)]
struct Energy {
    uj: Option<u64>,
    marginal_uj: Option<u64>,
    ci90_uj: Option<u64>,
}

#[derive(Serialize)]
struct Entry<'p> {
    account: &'static str,
    domain: &'static str,
    #[serde(flatten)]
    energy: Energy,
    meter: &'p str,
    meter_id: u16,
    nested: bool,
}

#[derive(Serialize)]
struct Process<'p> {
    pid: u32,
    start_ns: u64,
    generation: u32,
    parent_pid: Option<u32>,
    comm: &'p str,
    threads: u32,
    #[serde(flatten)]
    energy: Energy,
    cpu_ns: u64,
    samples: u64,
}

#[derive(Serialize)]
struct Thread<'p> {
    pid: u32,
    tid: u32,
    start_ns: u64,
    generation: u32,
    comm: &'p str,
    #[serde(flatten)]
    energy: Energy,
    cpu_ns: u64,
    samples: u64,
    domains: BTreeMap<&'static str, u64>,
}

#[derive(Serialize)]
struct Function<'p> {
    function: &'p str,
    module: &'p str,
    self_uj: Option<u64>,
    total_uj: Option<u64>,
    self_marginal_uj: Option<u64>,
    total_marginal_uj: Option<u64>,
    ci90_uj: Option<u64>,
    samples: u64,
}

#[derive(Serialize)]
struct Module<'p> {
    module: &'p str,
    #[serde(flatten)]
    energy: Energy,
    samples: u64,
}

#[derive(Serialize)]
struct Cpu {
    cpu: u32,
    uj: Option<u64>,
    marginal_uj: Option<u64>,
    cpu_ns: u64,
}

#[derive(Serialize)]
struct Omitted {
    rows: usize,
    uj: Option<u64>,
    marginal_uj: Option<u64>,
}

#[derive(Serialize)]
struct Footprint<'p> {
    cpu_ns: u64,
    uj: Option<u64>,
    peak_rss_bytes: u64,
    programs: Vec<Program<'p>>,
}

#[derive(Serialize)]
struct Program<'p> {
    name: &'p str,
    runs: u64,
    mean_ns: Option<f64>,
}

#[derive(Serialize)]
struct Recording<'p> {
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

/// Collects the rows of one kind and notes what is left out.
fn pick<'p, T, R>(
    (profile, view, claim): (&'p Profile, &View, Claim),
    by: By,
    rows: &'p [T],
    shape: impl Fn(&'p T) -> R,
    omitted: &mut BTreeMap<&'static str, Omitted>,
) -> Vec<R> {
    let meant = view.by.is_none_or(|asked| asked == by);
    let own = View {
        by: Some(by),
        ..*view
    };
    let sort = view.sort.filter(|_| meant && own.check().is_ok());
    if !meant || (sort.is_none() && view.limit.is_none()) {
        return rows.iter().map(shape).collect();
    }
    let listing = Listing::new(profile, by, sort, view.limit);
    if listing.rest.rows > 0 {
        let rest = Omitted {
            rows: listing.rest.rows,
            uj: claim.full(listing.rest.price),
            marginal_uj: claim.marginal(listing.rest.price),
        };
        omitted.insert(by.plural(), rest);
    }
    let picked = listing.positions.iter().filter_map(|at| rows.get(*at));
    picked.map(shape).collect()
}

impl<'p> Report<'p> {
    pub(super) fn new(profile: &'p Profile, view: &View) -> Self {
        let claim = Claim::of(profile);
        let summary = &profile.summary;
        let mut omitted = BTreeMap::new();
        let all = (profile, view, claim);
        let energy = |price: Price, ci90: u64| Energy {
            uj: claim.full(price),
            marginal_uj: claim.marginal(price),
            ci90_uj: claim
                .energy
                .then(|| claim.half(price.full, crate::unit::Microjoules(ci90))),
        };
        let target = profile.ledger.account(Account::Target);
        let mut target_energy = energy(target, target_half(profile).unwrap_or_default());
        if target_half(profile).is_none() && !claim.estimated {
            target_energy.ci90_uj = None;
        }
        Self {
            schema: super::VERSION,
            command: &summary.header.command.argv,
            exit_code: summary.exit_code,
            duration_s: summary.duration.seconds(),
            source: source(profile, claim),
            energy_uj: claim.energy.then(|| profile.ledger.total().0),
            target: target_energy,
            ledger: ledger(profile, claim),
            processes: pick(
                all,
                By::Process,
                &profile.processes,
                |row| process(row, energy(row.price, row.ci90.0)),
                &mut omitted,
            ),
            threads: pick(
                all,
                By::Thread,
                &profile.threads,
                |row| thread(row, energy(row.price, row.ci90.0), profile),
                &mut omitted,
            ),
            functions: pick(
                all,
                By::Function,
                &profile.functions,
                |row| Function {
                    function: &row.key.function,
                    module: &row.key.module,
                    self_uj: claim.full(row.own),
                    total_uj: claim.full(row.total),
                    self_marginal_uj: claim.marginal(row.own),
                    total_marginal_uj: claim.marginal(row.total),
                    ci90_uj: energy(row.own, row.ci90.0).ci90_uj,
                    samples: row.samples,
                },
                &mut omitted,
            ),
            modules: pick(
                all,
                By::Module,
                &profile.modules,
                |row| Module {
                    module: &row.module,
                    energy: energy(row.own, row.ci90.0),
                    samples: row.samples,
                },
                &mut omitted,
            ),
            cpus: pick(
                all,
                By::Cpu,
                &profile.cpus,
                |row| Cpu {
                    cpu: row.cpu,
                    uj: claim.full(row.price),
                    marginal_uj: claim.marginal(row.price),
                    cpu_ns: row.on_cpu.0,
                },
                &mut omitted,
            ),
            omitted,
            losses: &profile.losses,
            footprint: footprint(profile, claim),
            recording: recording(profile),
            caveats: &profile.caveats,
        }
    }
}

fn meter_of(profile: &Profile, id: MeterId) -> Option<&Meter> {
    profile.summary.header.meters.iter().find(|m| m.id == id)
}

fn source(profile: &Profile, claim: Claim) -> Source<'_> {
    let mut kinds: Vec<&str> = Vec::new();
    for ledger in profile.ledger.disjoint() {
        let kind = meter_of(profile, ledger.meter).map(|meter| meter.kind.name());
        kinds.extend(kind.filter(|kind| !kinds.contains(kind)));
    }
    Source {
        kind: (!kinds.is_empty()).then(|| kinds.join("+")),
        provenance: claim.provenance(),
        band: claim.band.map(|(low, high)| Band { low, high }),
        weights: &profile.summary.weights,
        meters: profile
            .ledger
            .meters
            .iter()
            .map(|ledger| meter(profile, ledger))
            .collect(),
    }
}

fn meter<'p>(profile: &Profile, ledger: &'p MeterLedger) -> MeterInfo<'p> {
    let meter = meter_of(profile, ledger.meter);
    let estimated = ledger.provenance == crate::source::Provenance::Estimated;
    MeterInfo {
        id: ledger.meter.0,
        kind: meter.map(|meter| meter.kind.name()),
        name: &ledger.name,
        domain: ledger.domain.name(),
        scope: meter.map(|meter| meter.scope),
        provenance: if estimated { "estimated" } else { "measured" },
        nested: ledger.nested,
        total_uj: spoke(ledger).then_some(ledger.total.0),
        unknown_s: ledger.unknown.seconds(),
        baseline_uj: ledger.baseline.map(|energy| energy.0),
    }
}

fn ledger(profile: &Profile, claim: Claim) -> Vec<Entry<'_>> {
    let mut entries = Vec::new();
    for meter in &profile.ledger.meters {
        for account in Account::ALL {
            let price = meter.accounts.get(&account).copied().unwrap_or_default();
            // Nothing booked as idle where idle power is unknown is not an
            // idle energy of zero.
            let known = spoke(meter)
                && (account != Account::Idle
                    || meter.baseline.is_some()
                    || price != Price::default());
            let width = meter.widths.get(&account);
            let half = width.map(|width| claim.half(price.full, width.total()));
            entries.push(Entry {
                account: account.name(),
                domain: meter.domain.name(),
                energy: Energy {
                    uj: known.then_some(price.full.0),
                    marginal_uj: (known && meter.baseline.is_some()).then_some(price.marginal.0),
                    ci90_uj: half.filter(|_| known),
                },
                meter: &meter.name,
                meter_id: meter.meter.0,
                nested: meter.nested,
            });
        }
    }
    entries
}

fn process(row: &ProcessRow, energy: Energy) -> Process<'_> {
    Process {
        pid: row.key.pid,
        start_ns: row.key.start.0,
        generation: row.key.generation,
        parent_pid: row.parent.map(|parent| parent.pid),
        comm: &row.comm,
        threads: row.threads,
        energy,
        cpu_ns: row.cpu.0,
        samples: row.samples,
    }
}

fn thread<'p>(row: &'p ThreadRow, energy: Energy, profile: &Profile) -> Thread<'p> {
    let mut domains: BTreeMap<&str, u64> = BTreeMap::new();
    for (id, price) in &row.meters {
        let ledger = profile.ledger.meters.iter().find(|m| m.meter == *id);
        if let Some(ledger) = ledger.filter(|ledger| spoke(ledger)) {
            let sum = domains.entry(ledger.domain.name()).or_default();
            *sum = sum.saturating_add(price.full.0);
        }
    }
    Thread {
        pid: row.process.pid,
        tid: row.tid,
        start_ns: row.start.0,
        generation: row.process.generation,
        comm: &row.comm,
        energy,
        cpu_ns: row.cpu.0,
        samples: row.samples,
        domains,
    }
}

fn footprint(profile: &Profile, claim: Claim) -> Footprint<'_> {
    let footprint = &profile.summary.footprint;
    Footprint {
        cpu_ns: footprint.cpu.0,
        uj: claim.full(profile.ledger.account(Account::Eprof)),
        peak_rss_bytes: footprint.peak_rss,
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

fn recording(profile: &Profile) -> Recording<'_> {
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
