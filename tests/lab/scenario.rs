//! What is run in the lab, as data.

/// A virtual machine.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Boot {
    /// For file names.
    pub name: &'static str,
    /// qemu's `-smp`.
    pub smp: &'static str,
}

const PLAIN: Boot = Boot {
    name: "plain",
    smp: "2",
};
const SOCKETS: Boot = Boot {
    name: "sockets",
    smp: "4,sockets=2,cores=2,threads=1",
};
const SIBLINGS: Boot = Boot {
    name: "siblings",
    smp: "2,cores=1,threads=2",
};

/// All virtual machines.
pub const BOOTS: [Boot; 3] = [PLAIN, SIBLINGS, SOCKETS];

/// What a scenario is there to show, beside that the report balances.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Check {
    /// The meters' total, to one update of the registers.
    Meter,
    /// Threads above 1 % of the energy, by mean and worst error.
    Threads,
    /// Two threads of the same kind.
    Twins,
    /// Phases of this many milliseconds in functions of one thread.
    Phases(u32),
    /// Phases of several busy threads: only printed.
    Mixed,
    /// Energies of single intervals.
    Timing,
    /// Many short processes: all there, and their sum.
    Short,
    /// Processes that fork processes: all there; their sum is only printed.
    Storm,
    /// A meter or a counter that is broken: said in a caveat with this code.
    Said(&'static str),
}

/// One run of eprof.
#[derive(Clone, Debug)]
pub struct Scenario {
    /// Unique.
    pub name: String,
    /// Where.
    pub boot: Boot,
    /// Parameters of the module.
    pub hardware: String,
    /// Options of `eprof run`.
    pub options: &'static str,
    /// Work that runs beside eprof, outside of the target.
    pub neighbour: &'static str,
    /// The target.
    pub work: String,
    /// What is held against the truth.
    pub checks: Vec<Check>,
    /// Whether it is run without a calibration although there is one.
    pub blind: bool,
}

impl Scenario {
    fn new(name: &str, work: &str, checks: &[Check]) -> Self {
        Self {
            name: name.to_owned(),
            boot: PLAIN,
            hardware: String::new(),
            options: "",
            neighbour: "",
            work: work.to_owned(),
            checks: checks.to_vec(),
            blind: false,
        }
    }

    fn on(mut self, boot: Boot) -> Self {
        self.boot = boot;
        self
    }

    fn hardware(mut self, parameters: &str) -> Self {
        self.hardware = parameters.to_owned();
        self
    }

    fn options(mut self, options: &'static str) -> Self {
        self.options = options;
        self
    }

    fn beside(mut self, neighbour: &'static str) -> Self {
        self.neighbour = neighbour;
        self
    }

    fn blind_too(mut self) -> Self {
        self.blind = true;
        self
    }

    /// Whether there is a saved calibration of its hardware. One takes a
    /// minute, so there are only those of the linear law.
    pub fn has_calibration(&self) -> bool {
        let other_meters = self.options.contains("powercap");
        self.law() == "linear" && self.counters() && !other_meters
    }

    /// Whether `name` is that of one of its runs.
    pub fn is_called(&self, name: &str) -> bool {
        name.strip_suffix("+calibrated").unwrap_or(name) == self.name
    }

    /// The power law.
    pub fn law(&self) -> &str {
        let law = |pair: &'_ str| pair.strip_prefix("law=").map(str::to_owned);
        match self.hardware.split(' ').find_map(law).as_deref() {
            Some("smt") => "smt",
            Some("freq") => "freq",
            Some("mix") => "mix",
            _ => "linear",
        }
    }

    /// Whether there are no counters at all.
    pub fn is_uncounted(&self) -> bool {
        self.hardware.contains("counters=0")
    }

    /// Whether there are counters, and all of them good.
    pub fn counters(&self) -> bool {
        let bad = ["counters=0", "counters_at_once", "counter_stalled"];
        !bad.iter()
            .any(|parameter| self.hardware.contains(parameter))
    }
}

/// The idle power of the synthetic hardware, where a neighbour keeps eprof
/// from watching it.
const IDLE: &str = "--idle-power package=9W,dram=1.2W";

/// All scenarios, by what they are about.
pub fn all() -> Vec<Scenario> {
    let mut all = Vec::new();
    all.extend(threads());
    all.extend(functions());
    all.extend(processes());
    all.extend(surroundings());
    all.extend(defects());
    all.extend(laws());
    all.extend(varied());
    all
}

fn threads() -> Vec<Scenario> {
    use Check::*;
    vec![
        Scenario::new("hot", "threads 6 hot-a@1", &[Meter, Threads]),
        Scenario::new("steady", "threads 3 hot-a@1", &[Meter, Timing]).options("--interval 10ms"),
        Scenario::new(
            "side-by-side",
            "threads 4 hot-a@0 mem-b@1",
            &[Meter, Threads],
        )
        .blind_too(),
        Scenario::new(
            "four-kinds",
            "threads 4 hot-a mem-b low-c mid-d",
            &[Meter, Threads],
        )
        .blind_too(),
        Scenario::new(
            "twins",
            "threads 4 mid-a@0 mid-b@1",
            &[Meter, Threads, Twins],
        ),
        Scenario::new(
            "twins-and-others",
            "threads 4 mid-a mid-b mem-c/20/20",
            &[Meter, Threads, Twins],
        )
        .blind_too(),
    ]
}

fn functions() -> Vec<Scenario> {
    let phases = |ms: u32, seconds: u32| {
        Scenario::new(
            &format!("phases-{ms}ms"),
            &format!("phases {seconds} {ms} hot,mem,low,mid"),
            &[Check::Meter, Check::Phases(ms)],
        )
    };
    vec![
        phases(1, 4),
        phases(5, 4),
        phases(20, 4).blind_too(),
        phases(100, 4),
        Scenario::new(
            "phases-of-two",
            "phases 4 20 hot,low@0 mem,mid,hot@1",
            &[Check::Meter, Check::Threads, Check::Mixed],
        )
        .blind_too(),
    ]
}

fn processes() -> Vec<Scenario> {
    use Check::*;
    vec![
        Scenario::new("short-processes", "short 2000 100 300 2", &[Meter, Short]),
        Scenario::new("storm", "storm 3 6 4", &[Meter, Storm]),
        Scenario::new("idle", "idle 3", &[Meter, Threads]),
        Scenario::new("hop", "hop 3 10 hot-a mem-b", &[Meter, Threads]),
    ]
}

fn surroundings() -> Vec<Scenario> {
    use Check::*;
    vec![
        Scenario::new("neighbour", "threads 3 hot-a low-b", &[Meter, Threads])
            .beside("threads 60 mem-n")
            .options(IDLE)
            .blind_too(),
        Scenario::new(
            "two-sockets",
            "threads 4 hot-a@0 mem-b@2 low-c@3",
            &[Meter, Threads],
        )
        .on(SOCKETS)
        .blind_too(),
        Scenario::new("two-sockets-hop", "hop 4 20 hot-a mid-b", &[Meter, Threads]).on(SOCKETS),
    ]
}

fn defects() -> Vec<Scenario> {
    use Check::*;
    let two = "threads 3 hot-a mem-b";
    vec![
        Scenario::new("wrap", two, &[Meter, Threads])
            .hardware("wrap_joules=25")
            .options("--source powercap"),
        // What a dead register does not say cannot be charged to anybody.
        Scenario::new("dead-domains", two, &[Meter]).hardware("zero_domains=10"),
        Scenario::new("stalled-meter", two, &[Threads])
            .hardware("stall_from_ms=1000 stall_for_ms=1200"),
        Scenario::new("filtered", two, &[Meter, Threads]).hardware("noise_permille=400"),
        Scenario::new("left-out", two, &[Meter, Threads]).hardware("doubled_permille=150"),
        Scenario::new("stalled-cycles", two, &[Meter, Said("counter-stalled")])
            .hardware("counter_stalled=0"),
        Scenario::new("multiplexed", two, &[Meter, Threads]).hardware("counters_at_once=1"),
    ]
}

fn laws() -> Vec<Scenario> {
    use Check::*;
    vec![
        Scenario::new(
            "uncounted-side-by-side",
            "threads 4 hot-a@0 mem-b@1",
            &[Meter, Threads],
        )
        .hardware("counters=0"),
        Scenario::new(
            "uncounted-twins",
            "threads 4 mid-a@0 mid-b@1",
            &[Meter, Threads, Twins],
        )
        .hardware("counters=0"),
        Scenario::new(
            "uncounted-phases",
            "phases 4 20 hot,mem,low,mid",
            &[Meter, Phases(20)],
        )
        .hardware("counters=0"),
        Scenario::new(
            "siblings",
            "threads 4 hot-a/300/200 low-b/150/100",
            &[Meter, Threads],
        )
        .on(SIBLINGS)
        .hardware("law=smt"),
        Scenario::new("steps", "threads 4 hot-a mem-b/100/50", &[Meter, Threads])
            .hardware("law=freq"),
        Scenario::new("hidden", "threads 4 vec-a sca-b", &[Meter, Threads]).hardware("law=mix"),
    ]
}

/// Scenarios nobody thought about, always the same ones.
fn varied() -> Vec<Scenario> {
    let mut state = 0x9e37_79b9_7f4a_7c15_u64;
    let mut pick = move |below: usize| {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        (state >> 33) as usize % below
    };
    let kinds = ["hot", "mid", "low", "mem"];
    let mut varied = |number: usize| {
        let mut work = "threads 2.5".to_owned();
        for thread in 0..2 + pick(4) {
            work += &format!(" {}-{thread}", kinds[pick(4)]);
            if pick(2) == 0 {
                work += &format!("/{}/{}", 2 + pick(60), 2 + pick(40));
            }
        }
        Scenario::new(
            &format!("varied-{number}"),
            &work,
            &[Check::Meter, Check::Threads],
        )
    };
    (0..5).map(&mut varied).collect()
}
