//! What a page may do: use the style, pictures and exactly those scripts that eprof
//! put into it, each named by its hash (Content Security Policy Level 3). A name that
//! made its way into the markup as a script would not run.

use sha2::{Digest as _, Sha256};

/// The policy of a page with these scripts.
pub(super) fn policy<'s>(scripts: impl IntoIterator<Item = &'s str>) -> String {
    let hashes = scripts.into_iter().map(|script| {
        let hash = base64(&Sha256::digest(script.as_bytes()));
        format!(" 'sha256-{hash}'")
    });
    let hashes: String = hashes.collect();
    format!(
        "default-src 'none'; style-src 'unsafe-inline'; script-src{hashes}; img-src data:; \
         base-uri 'none'; form-action 'none'"
    )
}

/// The contents of the script elements in `markup`, which eprof made itself: elsewhere
/// in it no tag can stand, since names are escaped.
pub(super) fn scripts(markup: &str) -> impl Iterator<Item = &str> {
    let begins = markup.split("<script>").skip(1);
    begins.filter_map(|rest| rest.split_once("</script>").map(|(script, _)| script))
}

/// RFC 4648, section 4.
fn base64(bytes: &[u8]) -> String {
    const DIGITS: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    let mut text = String::with_capacity(bytes.len().div_ceil(3) * 4);
    for group in bytes.chunks(3) {
        let byte = |at: usize| u32::from(group.get(at).copied().unwrap_or(0));
        let bits = byte(0) << 16 | byte(1) << 8 | byte(2);
        for at in 0..4 {
            text.push(match at <= group.len() {
                true => char::from(DIGITS[(bits >> (18 - 6 * at) & 63) as usize]),
                false => '=',
            });
        }
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_vectors_of_the_standard_hold() {
        for (plain, coded) in [
            ("", ""),
            ("f", "Zg=="),
            ("fo", "Zm8="),
            ("foo", "Zm9v"),
            ("foob", "Zm9vYg=="),
            ("fooba", "Zm9vYmE="),
            ("foobar", "Zm9vYmFy"),
        ] {
            assert_eq!(base64(plain.as_bytes()), coded);
        }
    }

    #[test]
    fn a_script_is_named_by_its_hash() {
        // The example of the specification, section 8.3.
        let policy = policy(["alert('Hello, world.');"]);
        let hash = "'sha256-qznLcsROx4GACP2dm0UCKCzCG+HiZ1guq6ZZDob/Tng='";
        assert!(policy.contains(&format!("script-src {hash};")), "{policy}");
        let markup = "<p>x</p><script>a</script><svg></svg><script>b</script>";
        assert_eq!(scripts(markup).collect::<Vec<_>>(), ["a", "b"]);
    }
}
