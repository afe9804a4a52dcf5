//! What the synthetic hardware knows (`/sys/kernel/debug/eproflab`).

use std::path::Path;

/// What a thread used under a name, on one package.
#[derive(Clone, Debug)]
pub struct Used {
    /// The thread.
    pub tid: u32,
    /// Its name.
    pub comm: String,
    /// Energy above idle (cores, uncore and memory), in microjoules.
    pub uj: f64,
}

/// An update of the registers, or a change of power.
#[derive(Clone, Copy, Debug)]
struct Instant {
    ns: u64,
    /// Cores, package, memory: microjoules since power-on.
    uj: [f64; 3],
}

/// The history of a package: between two instants, power is constant.
#[derive(Debug)]
pub struct History(Vec<Instant>);

/// The truth about a run.
#[derive(Debug)]
pub struct Truth {
    /// Who used what.
    pub used: Vec<Used>,
    /// By package.
    pub packages: Vec<History>,
}

impl Truth {
    /// Reads what a job left in `directory`.
    pub fn read(directory: &Path) -> Self {
        let text = std::fs::read_to_string(directory.join("truth")).unwrap();
        assert!(text.starts_with("# lost 0\n"), "the truth is not whole");
        let packages = (0..)
            .map(|id| directory.join(format!("history-{id}")))
            .map_while(|path| std::fs::read(path).ok())
            .map(|bytes| History::parse(&bytes))
            .collect();
        Self {
            used: text.lines().filter_map(used).collect(),
            packages,
        }
    }

    /// The energy of a package's domain (0 cores, 1 package, 2 memory) between
    /// two times, in microjoules.
    pub fn between(&self, package: usize, domain: usize, begin: u64, end: u64) -> f64 {
        let history = &self.packages[package];
        history.at(domain, end) - history.at(domain, begin)
    }
}

/// `tid tgid package ns core uncore ram comm`, energies in nanojoules.
fn used(line: &str) -> Option<Used> {
    if line.starts_with('#') {
        return None;
    }
    let mut words = line.splitn(8, ' ');
    let mut number = || -> u64 { words.next().unwrap().parse().unwrap() };
    let (tid, _, _, _) = (number(), number(), number(), number());
    let uj = (number() + number() + number()) as f64 / 1e3;
    Some(Used {
        tid: u32::try_from(tid).unwrap(),
        comm: words.next().unwrap().to_owned(),
        uj,
    })
}

impl History {
    fn parse(bytes: &[u8]) -> Self {
        let word = |bytes: &[u8]| u64::from_ne_bytes(bytes.try_into().unwrap());
        let instant = |entry: &[u8]| {
            let words: Vec<u64> = entry.chunks_exact(8).map(word).collect();
            Instant {
                ns: words[0],
                uj: [1, 2, 3].map(|at| words[at] as f64 / 1e3),
            }
        };
        let instants: Vec<Instant> = bytes.chunks_exact(40).map(instant).collect();
        assert!(instants.len() > 1, "there is no history");
        Self(instants)
    }

    /// Microjoules since power-on at a time.
    fn at(&self, domain: usize, ns: u64) -> f64 {
        let after = self.0.partition_point(|instant| instant.ns <= ns);
        assert!(
            after > 0 && after < self.0.len(),
            "{ns} is not between {} and {}",
            self.0[0].ns,
            self.0[self.0.len() - 1].ns
        );
        let (before, after) = (self.0[after - 1], self.0[after]);
        let part = (ns - before.ns) as f64 / (after.ns - before.ns) as f64;
        before.uj[domain] + part * (after.uj[domain] - before.uj[domain])
    }
}
