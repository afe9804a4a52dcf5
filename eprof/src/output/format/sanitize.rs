//! Names made harmless (see [`crate::harmless`]) and made to fit.

use std::borrow::Cow;
use std::fmt::Write as _;

use unicode_width::{UnicodeWidthChar, UnicodeWidthStr};

use crate::harmless::escaped;
pub(in crate::output) use crate::harmless::hostile;

/// `name` with every hostile character written as an escape, and a stand-in
/// for a name that shows nothing.
pub(in crate::output) fn visible(name: &str) -> Cow<'_, str> {
    if name.trim().is_empty() && !name.chars().any(hostile) {
        return Cow::Borrowed("[unnamed]");
    }
    escaped(name)
}

/// Text of others with every hostile character escaped. Unlike `visible`, it
/// leaves text empty that is.
pub fn harmless(text: &str) -> Cow<'_, str> {
    if text.trim().is_empty() && !text.chars().any(hostile) {
        Cow::Borrowed(text)
    } else {
        visible(text)
    }
}

/// `text` as a cell of a table that neither a terminal obeys nor a spreadsheet
/// computes: what begins like a formula (CWE-1236) is made text by an apostrophe,
/// as spreadsheets themselves have it. A number stays one.
pub(in crate::output) fn cell(text: &str) -> Cow<'_, str> {
    let shown = escaped(text);
    match shown.starts_with(['=', '+', '-', '@']) && shown.parse::<f64>().is_err() {
        true => Cow::Owned(format!("'{shown}")),
        false => shown,
    }
}

/// The JSON document `text` with the characters escaped that JSON allows in strings but that a
/// terminal might obey. They can only be inside strings.
pub(in crate::output) fn printable(text: &str) -> String {
    let mut safe = String::with_capacity(text.len());
    for c in text.chars() {
        // The report's own line feeds are outside strings.
        if c == '\n' || !hostile(c) {
            safe.push(c);
            continue;
        }
        for unit in c.encode_utf16(&mut [0; 2]) {
            // Writing to a string cannot fail.
            let _ = write!(safe, "\\u{unit:04x}");
        }
    }
    safe
}

/// Columns that `text` takes in a terminal.
pub(in crate::output) fn columns(text: &str) -> usize {
    text.width()
}

/// The longest beginning of `text` that fits into `width` columns.
fn beginning(text: &str, width: usize) -> &str {
    let mut used = 0;
    for (at, c) in text.char_indices() {
        used += c.width().unwrap_or(0);
        if used > width {
            return &text[..at];
        }
    }
    text
}

/// The longest end of `text` that fits into `width` columns.
fn ending(text: &str, width: usize) -> &str {
    let mut used = 0;
    for (at, c) in text.char_indices().rev() {
        used += c.width().unwrap_or(0);
        if used > width {
            return &text[at + c.len_utf8()..];
        }
    }
    text
}

/// `text` shortened at its end to `width` columns, with `…`.
pub(in crate::output) fn shorten(text: &str, width: usize) -> Cow<'_, str> {
    if columns(text) <= width {
        return Cow::Borrowed(text);
    }
    let mut short = beginning(text, width.saturating_sub(1)).to_owned();
    if width > 0 {
        short.push('…');
    }
    Cow::Owned(short)
}

/// `text` shortened in its middle to `width` columns: of a function, both the
/// path and the last name matter.
pub(in crate::output) fn shorten_middle(text: &str, width: usize) -> Cow<'_, str> {
    if columns(text) <= width {
        return Cow::Borrowed(text);
    }
    let room = width.saturating_sub(1);
    let tail = ending(text, room * 3 / 5);
    let head = beginning(text, room - columns(tail).min(room));
    Cow::Owned(if width > 0 {
        format!("{head}…{tail}")
    } else {
        String::new()
    })
}

/// `text` broken at spaces into lines of at most `width` columns; a word that
/// is longer is broken anywhere.
pub(in crate::output) fn wrapped(text: &str, width: usize) -> Vec<String> {
    let width = width.max(8);
    let mut lines = vec![String::new()];
    let mut used = 0;
    for mut word in text.split_whitespace() {
        while columns(word) > width {
            let head = beginning(word, width);
            if used > 0 {
                lines.push(String::new());
            }
            if let Some(line) = lines.last_mut() {
                line.push_str(head);
            }
            used = width;
            word = &word[head.len()..];
        }
        if word.is_empty() {
            continue;
        }
        if used > 0 && used + 1 + columns(word) > width {
            lines.push(String::new());
            used = 0;
        }
        if let Some(line) = lines.last_mut() {
            if used > 0 {
                line.push(' ');
                used += 1;
            }
            line.push_str(word);
            used += columns(word);
        }
    }
    lines
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn escapes_are_shown_not_obeyed() {
        assert_eq!(visible("a\x1b[31mb"), "a\\x1b[31mb");
        assert_eq!(visible("\u{9b}2J\n"), "\\x9b2J\\n");
        assert_eq!(visible("\u{202e}evil"), "\\u{202e}evil");
        assert_eq!(visible("grün 日本"), "grün 日本");
        assert_eq!(visible(" "), "[unnamed]");
    }

    #[test]
    fn no_cell_is_a_formula_or_an_escape() {
        assert_eq!(cell("=cmd|' /C calc'!A0"), "'=cmd|' /C calc'!A0");
        assert_eq!(cell("+1+1"), "'+1+1");
        assert_eq!(cell("@SUM(A1)"), "'@SUM(A1)");
        assert_eq!(cell("-2+3"), "'-2+3");
        assert_eq!(cell("\t=1\x1b[2J"), "\\t=1\\x1b[2J");
        for kept in ["-12.5", "12", "", "a=b", "intel-rapl:0"] {
            assert_eq!(cell(kept), kept);
        }
    }

    #[test]
    fn shortened_text_fits_also_where_characters_are_wide() {
        for width in 0..12 {
            for text in ["日本語の名前です", "plain_ascii_name", "e\u{301}e\u{301}"] {
                assert!(columns(&shorten(text, width)) <= width);
                assert!(columns(&shorten_middle(text, width)) <= width);
            }
        }
        assert_eq!(shorten("abcdef", 4), "abc…");
        assert_eq!(shorten_middle("core::iter::map", 9), "core…:map");
    }

    #[test]
    fn wrapping_keeps_every_word_and_the_width() {
        let text = "a sentence with averyverylongwordthatdoesnotfit in it";
        let lines = wrapped(text, 10);
        assert!(lines.iter().all(|line| columns(line) <= 10), "{lines:?}");
        let letters = |text: &str| text.replace(' ', "");
        assert_eq!(letters(&lines.concat()), letters(text));
    }
}
