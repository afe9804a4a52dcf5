//! The quiet check: whether nothing else loads the machine, and who does.

use std::collections::BTreeMap;
use std::fs;

use crate::host::SysRoot;
use crate::host::load::CpuTimes;

/// Up to this part of all CPU time may be busy on a quiet machine: eprof itself
/// and the kernel need a little.
pub const LIMIT: f64 = 0.03;

/// What ran while nothing was to run.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Disturbance {
    /// Part of all CPU time, from 0 to 1, in which something ran; `None` where
    /// eprof cannot tell.
    pub busy: Option<f64>,
    /// The processes that ran most: name, process id, CPU seconds.
    pub processes: Vec<(String, u32, f64)>,
}

impl Disturbance {
    /// Whether the machine was quiet.
    pub fn is_quiet(&self) -> bool {
        self.busy.is_some_and(|busy| busy <= LIMIT)
    }

    /// One sentence without a full stop.
    pub fn sentence(&self) -> String {
        let Some(busy) = self.busy else {
            return "eprof cannot tell how busy the machine was".to_owned();
        };
        let mut text = format!(
            "the CPUs were {:.0} % busy while idle power was measured (up to {:.0} % counts as quiet)",
            busy * 100.0,
            LIMIT * 100.0
        );
        let named =
            |(name, pid, seconds): &(String, u32, f64)| format!("{name} ({pid}) {seconds:.1} s");
        let others: Vec<String> = self.processes.iter().map(named).collect();
        if !others.is_empty() {
            text.push_str("; CPU time of others: ");
            text.push_str(&others.join(", "));
        }
        text
    }
}

/// How much CPU time everybody has used so far.
#[derive(Debug)]
pub struct QuietCheck {
    all: Option<CpuTimes>,
    processes: BTreeMap<u32, (String, u64)>,
}

/// So many processes are named.
const NAMED: usize = 3;

/// Less CPU time than this, in clock ticks (10 ms), disturbs nobody.
const NOTABLE: u64 = 5;

impl QuietCheck {
    /// Reads the times of now.
    pub fn now(root: &SysRoot) -> Self {
        Self {
            all: CpuTimes::read(root),
            processes: processes(),
        }
    }

    /// What ran since then.
    pub fn since(&self, root: &SysRoot) -> Disturbance {
        let now = Self::now(root);
        let own = std::process::id();
        let mut used: Vec<(u64, String, u32)> = now
            .processes
            .into_iter()
            .filter(|(pid, _)| *pid != own)
            .map(|(pid, (name, ticks))| {
                let before = self.processes.get(&pid).map_or(0, |(_, ticks)| *ticks);
                (ticks.saturating_sub(before), name, pid)
            })
            .filter(|(ticks, ..)| *ticks >= NOTABLE)
            .collect();
        used.sort_by(|one, other| other.cmp(one));
        used.truncate(NAMED);
        Disturbance {
            busy: now
                .all
                .zip(self.all)
                .and_then(|(now, before)| now.busy_since(before)),
            processes: used
                .into_iter()
                .map(|(ticks, name, pid)| (name, pid, ticks as f64 / 100.0))
                .collect(),
        }
    }
}

/// Name and CPU time so far, in clock ticks (USER_HZ is 100 on all
/// architectures that matter), of every process that can be seen.
fn processes() -> BTreeMap<u32, (String, u64)> {
    let Ok(entries) = fs::read_dir("/proc") else {
        return BTreeMap::new();
    };
    entries
        .flatten()
        .filter_map(|entry| {
            let pid: u32 = entry.file_name().to_str()?.parse().ok()?;
            let text = fs::read_to_string(entry.path().join("stat")).ok()?;
            Some((pid, parse(&text)?))
        })
        .collect()
}

/// `comm`, and `utime` + `stime`, of a line of `/proc/PID/stat`
/// (proc_pid_stat(5)); the name may hold anything.
fn parse(text: &str) -> Option<(String, u64)> {
    let (begin, end) = (text.find('(')?, text.rfind(')')?);
    let name = text.get(begin + 1..end)?;
    let mut fields = text.get(end + 1..)?.split_whitespace().skip(11);
    let user: u64 = fields.next()?.parse().ok()?;
    let system: u64 = fields.next()?.parse().ok()?;
    Some((name.to_owned(), user.saturating_add(system)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_may_hold_parentheses_and_spaces() {
        let line = "12 (a) (b c) S 1 12 12 0 -1 4194560 1 2 3 4 250 50 7 8 20 0 1 0 5";
        assert_eq!(parse(line), Some(("a) (b c".to_owned(), 300)));
        assert_eq!(parse(")("), None);
        assert_eq!(parse(""), None);
    }

    #[test]
    fn what_cannot_be_told_is_not_quiet() {
        assert!(!Disturbance::default().is_quiet());
        let busy = |part| Disturbance {
            busy: Some(part),
            processes: vec![("make".into(), 7, 1.5)],
        };
        assert!(busy(0.01).is_quiet());
        assert!(!busy(0.5).is_quiet());
        assert!(busy(0.5).sentence().contains("make (7) 1.5 s"));
    }
}
