//! How closely code is told apart.

/// What the rows by code distinguish.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Detail {
    /// Source lines, not only functions: names become `function file:line`.
    pub lines: bool,
    /// Calls that were inlined; else they are part of their caller.
    pub inlined: bool,
}

impl Default for Detail {
    /// Functions, inlined ones too.
    fn default() -> Self {
        Self {
            lines: false,
            inlined: true,
        }
    }
}
