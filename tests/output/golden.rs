//! Golden files: what was right once stays so. `EPROF_BLESS=1` writes them
//! anew; a missing one is a failure.

use std::path::Path;

/// Compares `bytes` with `tests/golden/<name>`.
pub(crate) fn check(name: &str, bytes: &[u8]) {
    let path = Path::new(env!("CARGO_MANIFEST_DIR"))
        .join("../tests/golden")
        .join(name);
    if std::env::var_os("EPROF_BLESS").is_some_and(|value| value == "1") {
        std::fs::write(&path, bytes).unwrap();
        return;
    }
    let golden = std::fs::read(&path)
        .unwrap_or_else(|error| panic!("{name}: {error}; EPROF_BLESS=1 writes it"));
    if golden != bytes {
        let (was, is) = (
            String::from_utf8_lossy(&golden),
            String::from_utf8_lossy(bytes),
        );
        let differs = was.lines().zip(is.lines()).position(|(was, is)| was != is);
        let at = differs.unwrap_or(was.lines().count().min(is.lines().count()));
        panic!(
            "{name} differs from line {} on:\n-{}\n+{}\nEPROF_BLESS=1 accepts it",
            at + 1,
            was.lines().nth(at).unwrap_or("(end)"),
            is.lines().nth(at).unwrap_or("(end)"),
        );
    }
}
