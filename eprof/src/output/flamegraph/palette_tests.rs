use super::*;

type Linear = [f64; 3];

fn linear(colour: Color) -> Linear {
    [colour.r, colour.g, colour.b].map(|channel| {
        let x = f64::from(channel) / 255.0;
        if x <= 0.040_45 {
            x / 12.92
        } else {
            ((x + 0.055) / 1.055).powf(2.4)
        }
    })
}

/// Relative luminance, WCAG 2.1.
fn luminance([r, g, b]: Linear) -> f64 {
    0.2126 * r + 0.7152 * g + 0.0722 * b
}

/// CIE 1976 L*a*b*, D65.
fn lab([r, g, b]: Linear) -> [f64; 3] {
    let f = |t: f64| {
        if t > 0.008_856 {
            t.cbrt()
        } else {
            7.787 * t + 16.0 / 116.0
        }
    };
    let x = f((0.4124 * r + 0.3576 * g + 0.1805 * b) / 0.9505);
    let y = f(luminance([r, g, b]));
    let z = f((0.0193 * r + 0.1192 * g + 0.9505 * b) / 1.089);
    [116.0 * y - 16.0, 500.0 * (x - y), 200.0 * (y - z)]
}

/// Machado, Oliveira and Fernandes 2009, severity 1: what people without red,
/// green or blue cones see.
const DEFICIENCIES: [[Linear; 3]; 3] = [
    [
        [0.152286, 1.052583, -0.204868],
        [0.114503, 0.786281, 0.099216],
        [-0.003882, -0.048116, 1.051998],
    ],
    [
        [0.367322, 0.860646, -0.227968],
        [0.280085, 0.672501, 0.047413],
        [-0.011820, 0.042940, 0.968881],
    ],
    [
        [1.255528, -0.076749, -0.178779],
        [-0.078411, 0.930809, 0.147602],
        [0.004733, 0.691367, 0.303900],
    ],
];

fn seen(colour: Linear, by: &[Linear; 3]) -> Linear {
    by.map(|row| {
        let sum: f64 = row.iter().zip(colour).map(|(a, b)| a * b).sum();
        sum.clamp(0.0, 1.0)
    })
}

fn difference(a: Linear, b: Linear) -> f64 {
    let square = lab(a).into_iter().zip(lab(b)).map(|(a, b)| (a - b).powi(2));
    square.sum::<f64>().sqrt()
}

fn pairs() -> impl Iterator<Item = (Kind, Kind)> {
    let all = Kind::ALL.into_iter().enumerate();
    all.flat_map(|(n, a)| Kind::ALL.into_iter().skip(n + 1).map(move |b| (a, b)))
}

#[test]
fn black_text_is_legible_on_every_colour() {
    for n in 0..500 {
        for kind in Kind::ALL {
            let colour = colour(&format!("f{n}"), kind);
            let contrast = (luminance(linear(colour)) + 0.05) / 0.05;
            assert!(contrast >= 7.0, "{kind:?}: {contrast}");
        }
    }
}

/// A difference of 2.3 is just noticeable side by side (Mahy 1994).
#[test]
fn kinds_are_told_apart_by_any_eye() {
    // Processes lie at the bottom, and idle code far above them.
    let apart = |pair| pair == (Kind::Frame(FrameKind::Idle), Kind::Task);
    for (a, b) in pairs().filter(|&pair| !apart(pair)) {
        let (x, y) = (linear(a.colour()), linear(b.colour()));
        let least = DEFICIENCIES
            .iter()
            .map(|by| difference(seen(x, by), seen(y, by)))
            .fold(difference(x, y), f64::min);
        assert!(least > 10.0, "{a:?} and {b:?}: {least}");
    }
}

#[test]
fn kinds_are_told_apart_in_print_without_colours() {
    for (a, b) in pairs() {
        let lightness = |kind: Kind| lab(linear(kind.colour()))[0];
        let gap = (lightness(a) - lightness(b)).abs();
        assert!(gap > 3.5, "{a:?} and {b:?}: {gap}");
    }
}

#[test]
fn names_of_one_kind_differ_less_than_kinds() {
    for kind in Kind::ALL {
        let shades = (0..100).map(|n| linear(colour(&format!("f{n}"), kind)));
        for shade in shades {
            assert!(difference(shade, linear(kind.colour())) < 3.0, "{kind:?}");
        }
    }
}
