//! A program of the suite: how it is made and run, and what its stacks must
//! show.

use std::path::{Path, PathBuf};

use super::compile;
use super::walk::{Demand, Images, ROOTS};

/// The share of whole and right stacks of what a compiler made, at least.
pub const COMPILED: f64 = 0.99;
/// The share of whole stacks of interpreters, at least.
pub const INTERPRETED: f64 = 0.97;
/// For how long a program works, in seconds.
const WORK: &str = "0.8";

/// Why a program cannot be tried here.
pub enum Missing {
    /// What `tests/setup` would install.
    Tool(&'static str),
    /// What nobody has to have.
    Optional(&'static str),
}

type Make = Box<dyn Fn(&Path, &mut Images) -> Result<Vec<String>, Missing> + Sync>;

/// A program of the suite.
pub struct Program {
    /// What it is called in the table.
    pub name: &'static str,
    /// The directory of its own, in which it is made.
    pub home: PathBuf,
    /// Makes it, and gives the command that runs it.
    pub make: Make,
    /// Its call chains, root first: a stack shows the beginning of one, or
    /// none of their functions. Empty where they are not known.
    pub chains: Vec<Vec<&'static str>>,
    /// What is asked of its stacks.
    pub demand: Demand,
    /// The share of stacks that must do as they are asked.
    pub bound: f64,
    /// Whether its stacks cannot be known to end well, and need only be right
    /// or say that they are broken.
    pub only_honest: bool,
}

/// The chain of `chain.c` and others.
pub const CHAIN: &[&str] = &["main", "alpha", "beta", "delta"];

fn program(name: &'static str, chains: &[&[&'static str]], make: Make) -> Program {
    Program {
        name,
        home: PathBuf::new(),
        make,
        chains: chains.iter().map(|chain| chain.to_vec()).collect(),
        demand: Demand {
            jit: false,
            roots: ROOTS,
        },
        bound: COMPILED,
        only_honest: false,
    }
}

fn command(path: &Path, arguments: &[&str]) -> Vec<String> {
    let path = path.display().to_string();
    let arguments = arguments.iter().map(|word| (*word).to_owned());
    [path, WORK.to_owned()]
        .into_iter()
        .chain(arguments)
        .collect()
}

/// One of C sources, compiled by gcc.
pub fn c(
    name: &'static str,
    sources: &'static [&'static str],
    flags: &'static [&'static str],
    chains: &[&[&'static str]],
) -> Program {
    made_by("gcc", "no C compiler", name, sources, flags, chains)
}

pub fn made_by(
    compiler: &'static str,
    without: &'static str,
    name: &'static str,
    sources: &'static [&'static str],
    flags: &'static [&'static str],
    chains: &[&[&'static str]],
) -> Program {
    let make = move |home: &Path, _: &mut Images| {
        if !compile::exists(compiler, "--version") {
            return Err(Missing::Tool(without));
        }
        let path = home.join("program");
        compile::c(compiler, sources, flags, &path);
        Ok(command(&path, &[]))
    };
    program(name, chains, Box::new(make))
}

/// As `whole`, with its symbols taken away.
pub fn stripped(name: &'static str, whole: Program) -> Program {
    let make = whole.make;
    let make = move |home: &Path, images: &mut Images| {
        let mut command = make(home, images)?;
        let (whole, path) = (PathBuf::from(&command[0]), home.join("stripped"));
        compile::strip(&whole, &path);
        images.name_by(&path, &whole);
        command[0] = path.display().to_string();
        Ok(command)
    };
    let make = Box::new(make);
    Program {
        name,
        make,
        ..whole
    }
}

/// With more arguments.
pub fn with(whole: Program, arguments: &'static [&'static str]) -> Program {
    let make = whole.make;
    let make = move |home: &Path, images: &mut Images| {
        let mut command = make(home, images)?;
        command.extend(arguments.iter().map(|word| (*word).to_owned()));
        Ok(command)
    };
    let make = Box::new(make);
    Program { make, ..whole }
}

/// Whose code between `main` and the leaf says nothing about its frames.
pub fn honest(program: Program) -> Program {
    Program {
        only_honest: true,
        ..program
    }
}

pub fn rust(name: &'static str, flags: &'static [&'static str]) -> Program {
    let make = move |home: &Path, _: &mut Images| {
        let path = home.join("program");
        if flags.iter().any(|flag| flag.contains("musl")) && !has_musl_target() {
            return Err(Missing::Tool("no musl target of Rust"));
        }
        compile::rust("chain.rs", flags, &path);
        Ok(command(&path, &[]))
    };
    let chains: [&[&'static str]; 2] = [
        // The C entry, and the one that was written.
        &["main", "main", "alpha", "beta", "delta"],
        &["on_a_thread", "alpha", "beta", "delta"],
    ];
    program(name, &chains, Box::new(make))
}

fn has_musl_target() -> bool {
    let output = std::process::Command::new("rustc")
        .args(["--print", "target-libdir", "--target", MUSL])
        .output();
    output.is_ok_and(|output| {
        let path = String::from_utf8_lossy(&output.stdout).into_owned();
        Path::new(path.trim()).exists()
    })
}

/// The target of static Rust programs.
pub const MUSL: &str = if cfg!(target_arch = "aarch64") {
    "aarch64-unknown-linux-musl"
} else {
    "x86_64-unknown-linux-musl"
};

/// Go, without `.eh_frame` as always.
pub fn go() -> Program {
    let make = |home: &Path, _: &mut Images| {
        if !compile::exists("go", "version") {
            return Err(Missing::Tool("no Go toolchain"));
        }
        let path = home.join("program");
        compile::go("chain.go", &path);
        Ok(command(&path, &[]))
    };
    let words = ["main.work", "main.alpha", "main.beta", "main.delta"];
    let on_main = ["main.main", words[0], words[1], words[2], words[3]];
    program("Go", &[&on_main, &words], Box::new(make))
}

/// Go that calls C and its own scheduler.
pub fn go_switches() -> Program {
    let make = |home: &Path, _: &mut Images| {
        if !compile::exists("go", "version") {
            return Err(Missing::Tool("no Go toolchain"));
        }
        let path = home.join("program");
        compile::go("switches.go", &path);
        Ok(command(&path, &[]))
    };
    let chains: [&[&'static str]; 4] = [
        &["main.main", "main.callsC", "c_work"],
        &["main.main", "main.callsC"],
        &["main.main", "main.readsClock"],
        &["main.main", "main.traces", "runtime.callers.func1"],
    ];
    // The first stacks are copied, and a copy has one of the two that a call lies on.
    program("Go: C, clock, tracebacks", &chains, Box::new(make))
}

/// For 32-bit x86: its stacks are walked along frame pointers, which proves nothing.
pub fn narrow() -> Program {
    let make = |home: &Path, _: &mut Images| {
        let path = home.join("program");
        let flags = [
            "-m32",
            "-O2",
            "-nostdlib",
            "-static",
            "-fno-omit-frame-pointer",
            "-fno-stack-protector",
        ];
        compile::c("gcc", &["narrow.c"], &flags, &path);
        Ok(command(&path, &[]))
    };
    let chain: &[&'static str] = &["alpha", "beta", "delta"];
    honest(program("32-bit", &[chain], Box::new(make)))
}

pub fn plugins() -> Program {
    let make = |home: &Path, _: &mut Images| {
        let path = home.join("program");
        let flags = ["-O2", "-fomit-frame-pointer", "-ldl"];
        compile::c("gcc", &["host.c"], &flags, &path);
        let mut command = command(&path, &[]);
        for name in ["one", "two", "three"] {
            let plugin = home.join(name);
            let define = format!("-DNAME={name}");
            let flags = ["-O2", "-fomit-frame-pointer", "-fPIC", "-shared", &define];
            compile::c("gcc", &["plugin.c"], &flags, &plugin);
            command.push(plugin.display().to_string());
        }
        Ok(command)
    };
    let chains: [&[&'static str]; 3] = [
        &["main", "alpha", "enter", "one_work", "one_delta"],
        &["main", "alpha", "enter", "two_work", "two_delta"],
        &["main", "alpha", "enter", "three_work", "three_delta"],
    ];
    program("dlopen, dlclose", &chains, Box::new(make))
}

pub fn stubs() -> Program {
    let make = |home: &Path, _: &mut Images| {
        let (library, path) = (home.join("libtiny.so"), home.join("program"));
        let flags = ["-O2", "-fomit-frame-pointer", "-fPIC", "-shared"];
        compile::c("gcc", &["tiny.c"], &flags, &library);
        let library = library.display().to_string();
        let flags = ["-O2", "-fomit-frame-pointer", "-Wl,-z,lazy", &library];
        compile::c("gcc", &["plt.c"], &flags, &path);
        Ok(command(&path, &[]))
    };
    program("PLT", &[&["main", "alpha", "beta"]], Box::new(make))
}

pub fn short() -> Program {
    let make = |home: &Path, _: &mut Images| {
        let path = home.join("program");
        compile::c("gcc", &["chain.c"], &["-O2", "-fomit-frame-pointer"], &path);
        let script = format!(
            "i=0; while [ $i -lt 200 ]; do {} 0.005; i=$((i+1)); done",
            path.display()
        );
        Ok(["sh", "-c", &script].map(str::to_owned).to_vec())
    };
    program("200 processes of 5 ms", &[CHAIN], Box::new(make))
}
