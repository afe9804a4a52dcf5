//! Text of strangers made harmless: whoever names a file, a process or a
//! function may call it anything.
//!
//! Control characters could move the cursor, retitle or wedge a terminal
//! (C0, DEL and the 8-bit C1 set), bidirectional overrides could reorder a
//! line, and some characters are not allowed in XML at all.

use std::borrow::Cow;
use std::fmt::Write as _;

/// Whether a character must not reach a terminal or an XML document.
pub fn hostile(c: char) -> bool {
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

/// `text` with every hostile character written as an escape.
pub fn escaped(text: &str) -> Cow<'_, str> {
    escape(text, hostile)
}

/// `text` of several lines with every hostile character written as an escape,
/// but for the ends of lines.
pub fn escaped_lines(text: &str) -> Cow<'_, str> {
    escape(text, |c| c != '\n' && hostile(c))
}

fn escape(text: &str, hostile: impl Fn(char) -> bool) -> Cow<'_, str> {
    if !text.chars().any(&hostile) {
        return Cow::Borrowed(text);
    }
    let mut shown = String::with_capacity(text.len() + 8);
    for c in text.chars() {
        match c {
            c if !hostile(c) => shown.push(c),
            '\n' => shown.push_str("\\n"),
            '\r' => shown.push_str("\\r"),
            '\t' => shown.push_str("\\t"),
            c if (c as u32) < 0x100 => {
                // Writing to a string cannot fail.
                let _ = write!(shown, "\\x{:02x}", c as u32);
            }
            c => {
                let _ = write!(shown, "\\u{{{:x}}}", c as u32);
            }
        }
    }
    Cow::Owned(shown)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_ends_of_lines_are_kept_where_there_are_lines() {
        assert_eq!(escaped("a\nb\x1b[2J"), "a\\nb\\x1b[2J");
        assert_eq!(
            escaped_lines("a\nb\x1b[2J\u{202e}"),
            "a\nb\\x1b[2J\\u{202e}"
        );
        assert!(matches!(escaped_lines("a\nb"), Cow::Borrowed(_)));
    }
}
