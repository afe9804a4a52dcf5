//! Programs as they are installed. Their chains are not known, only what makes
//! a stack whole.

use std::fmt::Write as _;
use std::fs;
use std::path::Path;
use std::process::Command;

use super::compile;
use super::program::{COMPILED, INTERPRETED, Missing, Program, honest};
use super::walk::{Demand, Images, ROOTS};

fn installed(
    name: &'static str,
    bound: f64,
    jit: bool,
    make: fn(&Path) -> Result<Vec<String>, Missing>,
) -> Program {
    Program {
        name,
        home: Default::default(),
        make: Box::new(move |home: &Path, _: &mut Images| make(home)),
        chains: Vec::new(),
        demand: Demand { jit, roots: ROOTS },
        bound,
        only_honest: false,
    }
}

fn words<const N: usize>(words: [&str; N]) -> Vec<String> {
    words.map(str::to_owned).to_vec()
}

/// A file below `home`.
fn file(home: &Path, name: &str, text: &[u8]) -> String {
    let path = home.join(name);
    fs::write(&path, text).unwrap();
    path.display().to_string()
}

/// Three megabytes that can be compressed somewhat.
pub fn xz(home: &Path) -> Result<Vec<String>, Missing> {
    if !compile::exists("xz", "--version") {
        return Err(Missing::Tool("no xz"));
    }
    let mut state = 1_u64;
    let text: Vec<u8> = (0..3_000_000)
        .map(|_| {
            // Knuth's MMIX generator; its high bits are the random ones.
            state = state
                .wrapping_mul(6364136223846793005)
                .wrapping_add(1442695040888963407);
            b"etaoin shrdlu"[(state >> 60) as usize % 13]
        })
        .collect();
    let path = file(home, "text", &text);
    Ok(words(["xz", "-6", "-T1", "--keep", "--force", &path]))
}

const PYTHON: &str = "\
import json, re, time
end = time.monotonic() + 1.2
def count(words):
    table = {}
    for word in words:
        table[word] = table.get(word, 0) + 1
    return sorted(table, key=lambda word: (table[word], word))
def fib(n):
    return n if n < 2 else fib(n - 1) + fib(n - 2)
text = 'the quick brown fox jumps over the lazy dog ' * 50
while time.monotonic() < end:
    json.loads(json.dumps([count(text.split()), fib(12)]))
    re.sub('[aeiou]', lambda match: match.group().upper(), text)
";

/// The interpreter of the system, without its symbols.
fn python(home: &Path) -> Result<Vec<String>, Missing> {
    for path in ["/usr/bin/python3", "/usr/local/bin/python3"] {
        if compile::exists(path, "--version") {
            return Ok(words([path, &file(home, "work.py", PYTHON.as_bytes())]));
        }
    }
    Err(Missing::Optional("no python3"))
}

const NODE: &str = "\
const end = Date.now() + 1500;
function fib(n) { return n < 2 ? n : fib(n - 1) + fib(n - 2); }
function count(words) {
  const table = new Map();
  for (const word of words) table.set(word, (table.get(word) || 0) + 1);
  return [...table.keys()].sort();
}
const text = 'the quick brown fox jumps over the lazy dog '.repeat(50);
let total = 0;
while (Date.now() < end) {
  total += fib(16) + JSON.parse(JSON.stringify(count(text.split(' ')))).length;
  total += text.replace(/[aeiou]/g, (letter) => letter.toUpperCase()).length;
}
if (total < 0) process.exit(1);
";

fn node(home: &Path) -> Result<Vec<String>, Missing> {
    if !compile::exists("node", "--version") {
        return Err(Missing::Optional("no node"));
    }
    Ok(words(["node", &file(home, "work.js", NODE.as_bytes())]))
}

const LUA: &str = "\
local start, total = os.clock(), 0
local function step(x) return x * 3 % 7 end
while os.clock() - start < 1 do
  for n = 1, 100000 do total = total + step(n) end
end
";

/// Its interpreter is written in assembly whose unwind information does not hold
/// everywhere: at other places the return address seems to be zero.
fn luajit(home: &Path) -> Result<Vec<String>, Missing> {
    lua(home, "-joff")
}

/// The same with its compiler, whose code has neither unwind information nor frame
/// pointers.
fn luajit_compiled(home: &Path) -> Result<Vec<String>, Missing> {
    lua(home, "-jon")
}

fn lua(home: &Path, compiler: &str) -> Result<Vec<String>, Missing> {
    if !compile::exists("luajit", "-v") {
        return Err(Missing::Tool("no luajit"));
    }
    let path = file(home, "work.lua", LUA.as_bytes());
    Ok(words(["luajit", compiler, &path]))
}

fn gcc(home: &Path) -> Result<Vec<String>, Missing> {
    if !compile::exists("gcc", "--version") {
        return Err(Missing::Tool("no C compiler"));
    }
    let mut source = String::new();
    for n in 0..250 {
        writeln!(
            source,
            "int f{n}(int *a, int n) {{ int s = {n}; for (int i = 0; i < n; i++) {{ \
             switch (a[i] % 7) {{ case 0: s += a[i] * {n}; break; case 1: s ^= a[n - i]; break; \
             case 3: while (s > n) s -= a[i] / 3 + 1; break; default: s = s * 31 + i; }} }} return s; }}"
        )
        .unwrap();
    }
    let path = file(home, "source.c", source.as_bytes());
    Ok(words(["gcc", "-O2", "-c", "-o", "/dev/null", &path]))
}

/// What `rustc` compiles: some hundred functions that are generic over what
/// they are given.
fn rust_source(functions: u32) -> String {
    let mut source = String::from("use std::collections::{BTreeMap, HashMap};\n");
    for n in 0..functions {
        writeln!(
            source,
            "pub fn f{n}(words: &[String]) -> BTreeMap<String, Vec<u{size}>> {{\n\
             let mut table: HashMap<&str, Vec<u{size}>> = HashMap::new();\n\
             for (at, word) in words.iter().enumerate().filter(|(at, _)| at % {step} != 0) {{\n\
             table.entry(word.as_str()).or_default().push(at as u{size});\n}}\n\
             table.into_iter().map(|(word, mut at)| {{ at.sort_unstable(); (word.to_uppercase(), at) }}).collect()\n}}",
            size = [8, 16, 32, 64][n as usize % 4],
            step = n + 2,
        )
        .unwrap();
    }
    source
}

/// A library of eight generic functions.
pub fn rustc(home: &Path) -> Result<Vec<String>, Missing> {
    let path = file(home, "source.rs", rust_source(8).as_bytes());
    let to = home.join("object.o").display().to_string();
    let kind = "--crate-type=lib";
    // Not the proxy of rustup's.
    let output = Command::new("rustc").args(["--print", "sysroot"]).output();
    let output = output.map_err(|_| Missing::Tool("no rustc"))?;
    let root = String::from_utf8_lossy(&output.stdout).into_owned();
    Ok(words([
        &format!("{}/bin/rustc", root.trim()),
        "--edition=2024",
        "-O",
        kind,
        "--emit=obj",
        "-o",
        &to,
        &path,
    ]))
}

/// All of them.
pub fn all() -> Vec<Program> {
    vec![
        installed("xz", COMPILED, false, xz),
        installed("gcc", COMPILED, false, gcc),
        installed("rustc", COMPILED, false, rustc),
        installed("python3", INTERPRETED, false, python),
        installed("node", INTERPRETED, true, node),
        honest(installed("luajit", INTERPRETED, true, luajit)),
        honest(installed(
            "luajit, compiled",
            INTERPRETED,
            true,
            luajit_compiled,
        )),
    ]
}
