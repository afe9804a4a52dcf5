//! What divided energy above idle among threads, in words.

use crate::attribute::{Rule, Weighing};
use crate::power::Errors;
use crate::profile::Profile;

use crate::output::format::number::counted;
use crate::output::format::sanitize::visible;

/// The weighings of the meters that make up the total.
pub(in crate::output) fn weighings(profile: &Profile) -> impl Iterator<Item = &Weighing> {
    let ledger = &profile.ledger;
    let counts = |of: &&Weighing| ledger.disjoint().any(|meter| meter.meter == of.meter);
    profile.summary.weighings.iter().filter(counts)
}

/// The rules in use, the best first, joined by `+`; empty where there is no
/// meter.
pub(in crate::output) fn rules(profile: &Profile) -> String {
    let mut rules: Vec<Rule> = weighings(profile).map(|of| of.rule).collect();
    rules.sort_by(|a, b| b.cmp(a));
    rules.dedup();
    let names: Vec<&str> = rules.iter().map(|rule| rule.name()).collect();
    names.join("+")
}

/// One sentence for each way in which meters' energy was divided.
pub(in crate::output) fn sentences(profile: &Profile) -> Vec<String> {
    let mut sentences: Vec<String> = Vec::new();
    let several =
        weighings(profile).any(|of| Some(of.rule) != weighings(profile).next().map(|of| of.rule));
    for weighing in weighings(profile) {
        let mut sentence = sentence(weighing);
        if several || weighing.rule == Rule::Model && weighings(profile).count() > 1 {
            let ledger = profile
                .ledger
                .disjoint()
                .find(|of| of.meter == weighing.meter);
            let name = ledger.map_or("?", |ledger| &ledger.name);
            sentence = format!("{}: {sentence}", visible(name));
        }
        if !sentences.contains(&sentence) {
            sentences.push(sentence);
        }
    }
    sentences
}

fn sentence(weighing: &Weighing) -> String {
    let mut text = match weighing.rule {
        Rule::Time => "by CPU time".to_owned(),
        Rule::Cycles => "by CPU cycles".to_owned(),
        Rule::Model => {
            let mut signals: Vec<String> = weighing
                .signals
                .iter()
                .map(|(signal, _)| signal.name())
                .collect();
            signals.dedup();
            format!("by a power model of {}", visible(&signals.join(", ")))
        }
    };
    if weighing.rule == Rule::Model {
        text.push_str(match weighing.prior.as_str() {
            "" => ", fitted to this run",
            _ => ", as calibrated",
        });
    }
    let errors = weighing.held_out.zip(weighing.time_share);
    let blocks = counted(weighing.blocks, "block", "blocks");
    if !weighing.why.is_empty() {
        text.push_str(&format!(": {}", visible(&weighing.why)));
    }
    if let Some((model, time)) = errors {
        let (model, time) = (relative(model), relative(time));
        text.push_str(&match weighing.rule {
            Rule::Model => format!("; its error on {blocks} held out: {model} (CPU time: {time})"),
            _ => format!(" (error on {blocks} held out: model {model}, CPU time {time})"),
        });
    }
    text
}

fn relative(errors: Errors) -> String {
    format!("{:.1} %", errors.mape * 100.0)
}
