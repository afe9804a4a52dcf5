//! What the chosen meters leave out or cannot tell, as caveats.

use super::candidate::Candidate;
use crate::caveat::Caveat;
use crate::host::{Cpus, Processor};
use crate::measurement::{Domain, Meter, Quantity, Scope, SourceKind};

/// The caveats of meters in use, `kept`, of one kind.
pub fn caveats(
    kind: SourceKind,
    kept: &[&Meter],
    cpus: &Cpus,
    processor: &Processor,
) -> Vec<Caveat> {
    let mut caveats = Vec::new();
    if kept.is_empty() {
        return caveats;
    }
    let covers = |package: u32| {
        let wanted = cpus.in_scope(Scope::Package(package));
        kept.iter().filter(|meter| !meter.nested).any(|meter| {
            wanted
                .iter()
                .any(|cpu| meter.cpus.binary_search(cpu).is_ok())
        })
    };
    for package in cpus.packages() {
        if !covers(package) {
            caveats.push(Caveat::new(
                "package-without-meter",
                format!("package {package} has no usable meter: its energy is not in any total"),
            ));
        }
    }
    if kind == SourceKind::Model {
        return caveats;
    }
    if !kept.iter().any(|meter| meter.domain == Domain::Package) {
        caveats.push(Caveat::new(
            "no-package-meter",
            "no meter counts processor packages; what there is counts something larger or \
             smaller (see the domain)",
        ));
    }
    if kind == SourceKind::Battery {
        caveats.push(Caveat::new(
            "coarse-meter",
            "the battery counts the whole machine, screen and all, in steps of seconds and \
             tens of joules",
        ));
    }
    if processor.hypervisor == Some(true) {
        caveats.push(Caveat::new(
            "virtual-machine",
            "this is a virtual machine: the hypervisor decides what its counters show, and they \
             may include other machines",
        ));
    }
    caveats
}

/// The caveat of a counter that is listed once per die.
pub fn mirrored() -> Caveat {
    Caveat::new(
        "mirrored-dies",
        "the kernel lists one energy counter once per die; it is counted once",
    )
}

/// The caveat of an estimate, with its band and, as hint, what would make a
/// meter usable.
pub fn estimated(meters: &[Meter], candidates: &[Candidate]) -> Caveat {
    let (name, low, high) = meters
        .iter()
        .find_map(|meter| match meter.quantity {
            Quantity::Model { low, high, .. } => Some((meter.name.as_str(), low, high)),
            _ => None,
        })
        .unwrap_or(("model", 0.0, 0.0));
    let caveat = Caveat::new(
        "estimated",
        format!(
            "no meter is in use: joules are estimated from CPU time ({name}); the true value is \
             expected within ×{low} to ×{high} of them (90 %). Shares between threads and \
             functions do not depend on the estimate"
        ),
    );
    match candidates.iter().find_map(Candidate::first_hint) {
        Some(hint) => caveat.hint(hint),
        None => caveat.hint("eprof list says which meters are missing and why"),
    }
}
