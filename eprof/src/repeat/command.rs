//! The commands that are run again and again.

use std::collections::BTreeSet;
use std::ffi::{OsStr, OsString};

use crate::caveat::counted;
use crate::error::{Error, ErrorKind, Result};

/// One command.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Command {
    /// What it is called in tables, and its directory of recordings.
    pub name: String,
    /// Program and arguments; at least the program.
    pub words: Vec<OsString>,
    /// What the shell does before each run of it.
    pub prepare: Option<String>,
}

impl Command {
    /// A command that is called by its line.
    pub fn new(words: &[OsString]) -> Self {
        Self {
            name: line(words),
            words: words.to_vec(),
            prepare: None,
        }
    }
}

/// Takes `words` apart where a word is `separator`, gives the commands their
/// `names` (the line itself, where there are too few), and what is to be done
/// before: nothing, one command for all, or one for each.
///
/// # Errors
///
/// [`ErrorKind::Usage`] for an empty command, for a name that is used twice or
/// cannot be that of a directory, and for too many names or preparations.
pub fn split(
    words: &[OsString],
    separator: &OsStr,
    names: &[String],
    prepare: &[String],
) -> Result<Vec<Command>> {
    let usage = |sentence: String| Error::new(ErrorKind::Usage, sentence);
    let commands: Vec<&[OsString]> = words.split(|word| word == separator).collect();
    if let Some(at) = commands.iter().position(|command| command.is_empty()) {
        return Err(usage(format!("command {} is empty", at + 1)).hint(format!(
            "write {0} before each command and nowhere else; if a command has such a word itself, \
             choose another --separator",
            separator.to_string_lossy()
        )));
    }
    if names.len() > commands.len() {
        let (names, commands) = (names.len(), commands.len());
        let commands = counted(commands as u64, "command", "commands");
        return Err(usage(format!("there are {names} names for {commands}")));
    }
    if prepare.len() > 1 && prepare.len() != commands.len() {
        let given = prepare.len();
        let commands = counted(commands.len() as u64, "command", "commands");
        return Err(
            usage(format!("--prepare is given {given} times for {commands}"))
                .hint("give it once for all commands, or once for each"),
        );
    }
    let mut seen = BTreeSet::new();
    for name in names {
        if name.is_empty() || name.contains(['/', '\0']) || name == "." || name == ".." {
            return Err(usage(format!("`{name}` is no name for a command"))
                .hint("a name is also that of a directory, so it has no slash"));
        }
        if !seen.insert(name) {
            return Err(usage(format!("two commands are called `{name}`")));
        }
    }
    let command = |(at, words): (usize, &[OsString])| Command {
        name: names.get(at).cloned().unwrap_or_else(|| line(words)),
        words: words.to_vec(),
        prepare: prepare.get(at).or(prepare.first()).cloned(),
    };
    Ok(commands.into_iter().enumerate().map(command).collect())
}

/// A command in one line.
fn line(words: &[OsString]) -> String {
    let words: Vec<_> = words.iter().map(|word| word.to_string_lossy()).collect();
    words.join(" ")
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "a failed assumption is a failed test")]

    use super::*;

    fn split(line: &str, names: &[&str], prepare: &[&str]) -> Result<Vec<Command>> {
        let words: Vec<OsString> = line.split(' ').map(OsString::from).collect();
        let owned = |texts: &[&str]| texts.iter().map(|text| (*text).to_owned()).collect();
        let (names, prepare): (Vec<String>, Vec<String>) = (owned(names), owned(prepare));
        super::split(&words, OsStr::new("--"), &names, &prepare)
    }

    #[test]
    fn commands_lie_between_separators() {
        let found = split("./old -x 1 -- ./new", &["before"], &["sync"]).unwrap();
        assert_eq!(found.len(), 2);
        assert_eq!(found[0].words, ["./old", "-x", "1"]);
        assert_eq!(found[0].name, "before");
        assert_eq!(found[1].name, "./new");
        assert_eq!(found[1].prepare.as_deref(), Some("sync"));
    }

    #[test]
    fn each_command_may_have_a_preparation_of_its_own() {
        let found = split("a -- b", &[], &["one", "two"]).unwrap();
        assert_eq!(found[1].prepare.as_deref(), Some("two"));
        assert!(split("a", &[], &["one", "two"]).is_err());
    }

    #[test]
    fn nonsense_is_refused() {
        for (line, names) in [
            ("a -- -- b", &[][..]),
            ("a --", &[]),
            ("-- a", &[]),
            ("a -- b", &["x", "x"]),
            ("a", &["x", "y"]),
            ("a", &["../x"]),
            ("a", &[".."]),
            ("a", &[""]),
        ] {
            assert!(split(line, names, &[]).is_err(), "{line} {names:?}");
        }
    }
}
