//! Names made harmless: a process may call itself anything.
//!
//! Control characters could move the cursor, retitle or wedge a terminal
//! (C0, DEL and the 8-bit C1 set), bidirectional overrides could reorder a
//! line, and some characters are not allowed in XML at all.

use std::borrow::Cow;
use std::fmt::Write as _;

use unicode_width::{UnicodeWidthChar, UnicodeWidthStr};

/// Whether a character must not reach a terminal or an XML document.
pub(in crate::output) fn hostile(c: char) -> bool {
    c.is_control()
        || matches!(c,
            // Directional marks, embeddings, overrides and isolates (UAX #9).
            '\u{061c}' | '\u{200e}' | '\u{200f}' | '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}'
            // Invisible, or line breaks to some programs.
            | '\u{00ad}' | '\u{200b}' | '\u{2028}' | '\u{2029}' | '\u{feff}'
            | '\u{fff9}'..='\u{fffb}' | '\u{e0000}'..='\u{e007f}')
        // Noncharacters; U+FFFE and U+FFFF are not XML 1.0 characters (§2.2).
        || (c as u32) & 0xfffe == 0xfffe
        || ('\u{fdd0}'..='\u{fdef}').contains(&c)
}

/// `name` with every hostile character written as an escape, and a stand-in
/// for a name that shows nothing.
pub(in crate::output) fn visible(name: &str) -> Cow<'_, str> {
    if name.trim().is_empty() && !name.chars().any(hostile) {
        return Cow::Borrowed("[unnamed]");
    }
    if !name.chars().any(hostile) {
        return Cow::Borrowed(name);
    }
    let mut shown = String::with_capacity(name.len() + 8);
    for c in name.chars() {
        match c {
            '\n' => shown.push_str("\\n"),
            '\r' => shown.push_str("\\r"),
            '\t' => shown.push_str("\\t"),
            c if hostile(c) && (c as u32) < 0x100 => {
                // Writing to a string cannot fail.
                let _ = write!(shown, "\\x{:02x}", c as u32);
            }
            c if hostile(c) => {
                let _ = write!(shown, "\\u{{{:x}}}", c as u32);
            }
            c => shown.push(c),
        }
    }
    Cow::Owned(shown)
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
