//! Against SciPy 1.17.1, and laws.

use super::*;

const OLD: [f64; 6] = [10.2, 10.4, 9.9, 10.1, 10.3, 10.0];
const NEW: [f64; 5] = [10.9, 10.6, 11.1, 10.8, 10.7];

fn contrast(base: &[f64], new: &[f64]) -> Contrast {
    let Some(contrast) = Contrast::independent(base, new) else {
        unreachable!("there are values");
    };
    contrast
}

fn confidence(probability: f64) -> Confidence {
    Confidence::new(probability).unwrap_or(Confidence::NINETY)
}

#[track_caller]
fn close(a: f64, b: f64, within: f64) {
    assert!((a - b).abs() <= within, "{a} is not {b}");
}

// python3 -c 'import numpy as np; from scipy.stats import t
// a=np.array([10.2,10.4,9.9,10.1,10.3,10.]);b=np.array([10.9,10.6,11.1,10.8,10.7])
// u=a.var(ddof=1)/6/a.mean()**2;v=b.var(ddof=1)/5/b.mean()**2
// d=(u+v)**2/(u*u/5+v*v/4);l=np.log(b.mean()/a.mean());e=(u+v)**.5
// print(d,2*t.sf(l/e,d),np.exp(t.interval(.95,d,l,e)))'
#[test]
fn a_ratio_has_the_interval_of_welch_and_satterthwaite() {
    let contrast = contrast(&OLD, &NEW);
    close(contrast.freedom, 8.755_486_064_360_586, 1e-9);
    close(contrast.p(), 0.000_274_634_409_517_896_54, 1e-12);
    let interval = contrast.ratio_interval(confidence(0.95));
    let interval = interval.unwrap_or(Interval::around(0.0, 0.0));
    close(interval.low, 1.039_826_160_550_457_7, 1e-9);
    close(interval.high, 1.092_852_871_119_924_1, 1e-9);
}

// python3 -c 'from scipy.stats import ttest_ind
// r=ttest_ind(np.log(b),np.log(a),equal_var=False);print(r.pvalue,
// np.exp(r.confidence_interval(.95)))'
#[test]
fn for_small_spreads_it_is_the_test_of_logarithms() {
    let contrast = contrast(&OLD, &NEW);
    close(contrast.p() / 0.000_270_237_152_613_581_4, 1.0, 0.05);
    let interval = contrast.ratio_interval(confidence(0.95));
    let interval = interval.unwrap_or(Interval::around(0.0, 0.0));
    close(interval.low, 1.039_884_540_948_196_7, 5e-4);
    close(interval.high, 1.092_825_767_781_58, 5e-4);
}

// python3 -c 'from scipy.stats import ttest_ind
// r=ttest_ind([3,5,4,6.],[0,0,1.,0,2],equal_var=False)
// print(r.pvalue,r.confidence_interval(.99))'
#[test]
fn with_zeros_it_is_the_test_of_welch() {
    let contrast = contrast(&[0.0, 0.0, 1.0, 0.0, 2.0], &[3.0, 5.0, 4.0, 6.0]);
    close(contrast.p(), 0.003_314_929_774_406_61, 1e-9);
    let interval = contrast.difference_interval(Confidence::NINETY_NINE);
    close(interval.low, 0.890_407_969_807_984_3, 1e-6);
    close(interval.high, 6.909_592_030_192_016, 1e-6);
    assert_eq!(contrast.ratio_interval(Confidence::NINETY), None);
}

#[test]
fn exchanging_the_sides_gives_the_reciprocal() {
    let (there, back) = (contrast(&OLD, &NEW), contrast(&NEW, &OLD));
    close(there.p(), back.p(), 1e-15);
    let interval = |of: &Contrast| {
        let interval = of.ratio_interval(Confidence::NINETY);
        interval.unwrap_or(Interval::around(0.0, 0.0))
    };
    close(interval(&there).low, 1.0 / interval(&back).high, 1e-12);
    assert_eq!(there.verdict(Confidence::NINETY), Verdict::Worse);
    assert_eq!(back.verdict(Confidence::NINETY), Verdict::Better);
}

#[test]
fn an_interval_excludes_no_change_exactly_where_p_says_so() {
    for shift in 0..40 {
        let new: Vec<f64> = OLD
            .iter()
            .rev()
            .map(|x| x + f64::from(shift) * 0.02)
            .collect();
        let contrast = contrast(&OLD, &new);
        for level in [0.9, 0.95, 0.99] {
            let level = confidence(level);
            let changed = contrast.verdict(level) != Verdict::Undetected;
            let ratio = contrast
                .ratio_interval(level)
                .is_some_and(|of| !of.holds(1.0));
            let difference = !contrast.difference_interval(level).holds(0.0);
            assert_eq!((changed, changed), (ratio, difference), "{shift}");
        }
    }
}

// The machine grows warm: each block takes 3 % more than the one before.
#[test]
fn blocks_cancel_what_is_common_to_them() {
    let drift = |n: i32| 1.03f64.powi(n);
    let noise = [1.001, 0.999, 1.002, 1.0, 0.998, 1.001, 0.9995, 1.0005];
    let base: Vec<f64> = (0..8).map(|n| 50.0 * drift(n)).collect();
    let new: Vec<f64> = noise
        .iter()
        .zip(0..)
        .map(|(x, n)| 51.0 * drift(n) * x)
        .collect();
    let Some(blocked) = Contrast::blocked(&base, &new) else {
        unreachable!("there are eight of each");
    };
    let apart = contrast(&base, &new);
    close(blocked.ratio().unwrap_or_default(), 1.02, 1e-3);
    close(
        blocked.ratio().unwrap_or(0.0),
        apart.ratio().unwrap_or(1.0),
        1e-12,
    );
    assert_eq!(blocked.verdict(Confidence::NINETY_NINE), Verdict::Worse);
    assert_eq!(apart.verdict(Confidence::NINETY), Verdict::Undetected);
    assert_eq!(Contrast::blocked(&base, &new[1..]), None);
}

#[test]
fn single_runs_go_by_the_errors_they_bring() {
    let differ = |new: f64| {
        let contrast = Contrast::single((100.0, 1.0), (new, 1.0));
        contrast.map(|of| of.verdict(confidence(0.95)))
    };
    // 1.96 standard errors of √2 are 2.77.
    assert_eq!(differ(102.7), Some(Verdict::Undetected));
    assert_eq!(differ(102.9), Some(Verdict::Worse));
    assert_eq!(differ(97.0), Some(Verdict::Better));
    assert_eq!(Contrast::single((f64::NAN, 1.0), (1.0, 1.0)), None);
}

#[test]
fn what_never_varies_and_differs_has_changed() {
    let verdict = |new: &[f64]| contrast(&[7.0; 3], new).verdict(Confidence::NINETY_NINE);
    assert_eq!(verdict(&[8.0; 3]), Verdict::Worse);
    assert_eq!(verdict(&[7.0; 3]), Verdict::Undetected);
    assert_eq!(
        contrast(&[0.0; 3], &[0.0; 3]).verdict(Confidence::NINETY),
        Verdict::Undetected
    );
    assert_eq!(contrast(&[0.0; 3], &[5.0; 3]).ratio(), None);
}

#[test]
fn large_numbers_that_hardly_vary_may_differ_a_little() {
    let old = [1e12, 1e12 + 1e5, 1e12 - 1e5, 1e12 + 5e4];
    let new = old.map(|count| count + 5e6);
    let contrast = contrast(&old, &new);
    assert_eq!(contrast.verdict(Confidence::NINETY_NINE), Verdict::Worse);
}

#[test]
fn a_single_run_borrows_the_spread_of_the_others() {
    let one = contrast(&OLD, &[10.6]);
    assert_eq!(one.verdict(confidence(0.95)), Verdict::Undetected);
    assert_eq!(
        contrast(&OLD, &[12.6]).verdict(confidence(0.95)),
        Verdict::Worse
    );
    assert_eq!(Contrast::independent(&[1.0], &[2.0]), None);
    assert_eq!(Contrast::independent(&[], &[2.0, 3.0]), None);
}
