//! Colours of the flamegraph, by what a frame is: warm for the program's own
//! code, blue for the kernel's, muted for processes and threads, grey for
//! what has no code to it. The same name always has the same colour.
//!
//! All colours are light enough for black text (contrast at least 7:1).

use inferno::flamegraph::color::Color;

/// What a box of the flamegraph stands for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Kind {
    /// The root.
    All,
    /// A process or a thread.
    Task,
    /// A frame.
    Code,
}

/// The colour of a box.
pub(super) fn colour(name: &str, kind: Kind) -> Color {
    let hash = fnv1a(name);
    // Two independent fractions of the hash.
    let (a, b) = (unit(hash), unit(hash >> 32));
    match kind {
        Kind::All => hsl(210.0, 0.10, 0.86),
        Kind::Task => hsl(140.0 + 60.0 * a, 0.26, 0.74 + 0.10 * b),
        Kind::Code if name.starts_with('[') => hsl(0.0, 0.0, 0.74 + 0.08 * b),
        Kind::Code if name.ends_with("_[k]") => hsl(205.0 + 20.0 * a, 0.62, 0.72 + 0.07 * b),
        Kind::Code => hsl(18.0 + 32.0 * a, 0.88, 0.64 + 0.10 * b),
    }
}

/// FNV-1a (<http://www.isthe.com/chongo/tech/comp/fnv/>): not a good hash,
/// but one that stays the same.
fn fnv1a(name: &str) -> u64 {
    let hash = name.bytes().fold(0xcbf2_9ce4_8422_2325, |hash: u64, byte| {
        (hash ^ u64::from(byte)).wrapping_mul(0x0000_0100_0000_01b3)
    });
    // The last bytes reach the high bits only after another mixing.
    (hash ^ (hash >> 29)).wrapping_mul(0xbf58_476d_1ce4_e5b9)
}

fn unit(bits: u64) -> f64 {
    f64::from((bits & 0xffff) as u16) / 65_535.0
}

/// Hue in degrees, saturation and lightness from 0 to 1
/// (<https://www.w3.org/TR/css-color-4/#hsl-to-rgb>).
fn hsl(hue: f64, saturation: f64, lightness: f64) -> Color {
    let part = |n: f64| {
        let k = (n + hue / 30.0) % 12.0;
        let a = saturation * lightness.min(1.0 - lightness);
        let x = lightness - a * (k - 3.0).min(9.0 - k).clamp(-1.0, 1.0);
        (x * 255.0).round() as u8
    };
    Color {
        r: part(0.0),
        g: part(8.0),
        b: part(4.0),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Relative luminance, WCAG 2.1.
    fn luminance(colour: Color) -> f64 {
        let linear = |channel: u8| {
            let x = f64::from(channel) / 255.0;
            if x <= 0.040_45 {
                x / 12.92
            } else {
                ((x + 0.055) / 1.055).powf(2.4)
            }
        };
        0.2126 * linear(colour.r) + 0.7152 * linear(colour.g) + 0.0722 * linear(colour.b)
    }

    #[test]
    fn black_text_is_legible_on_every_colour() {
        for n in 0..2000 {
            for (name, kind) in [
                (format!("f{n}"), Kind::Code),
                (format!("f{n}_[k]"), Kind::Code),
                (format!("[f{n}]"), Kind::Code),
                (format!("p{n}"), Kind::Task),
            ] {
                let contrast = (luminance(colour(&name, kind)) + 0.05) / 0.05;
                assert!(contrast >= 7.0, "{name}: {contrast}");
            }
        }
    }
}
