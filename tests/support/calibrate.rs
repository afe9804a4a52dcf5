//! Running `eprof calibrate`.

use std::path::Path;
use std::process::{Command, Output};

use serde_json::Value;

use super::eprof;

/// Runs `eprof calibrate` with these arguments, settings in `home`.
pub(crate) fn calibrate(home: &Path, arguments: &[&str], sysroot: Option<&Path>) -> Output {
    let mut command = Command::new(eprof());
    command
        .current_dir(home)
        .arg("calibrate")
        .args(arguments)
        .env("XDG_CONFIG_HOME", home)
        .env_remove("EPROF_SYSROOT");
    if let Some(sysroot) = sysroot {
        command.env("EPROF_SYSROOT", sysroot);
    }
    command.output().unwrap()
}

pub(crate) fn json(output: &Output) -> Value {
    serde_json::from_slice(&output.stdout)
        .unwrap_or_else(|error| panic!("{error}: {}", stderr(output)))
}

pub(crate) fn stderr(output: &Output) -> String {
    String::from_utf8_lossy(&output.stderr).into_owned()
}
