//! The report as a page, in a real browser without a network.

use std::path::PathBuf;
use std::process::Command;

use eprof::output::html;
use serde_json::Value;
use tempfile::TempDir;

use super::browser::Browser;
use super::recordings::{Analysed, analysed, hostile, interrupted, path, recording, silent};
use crate::support::{Report, eprof};

fn page(of: &Analysed, directory: &TempDir) -> PathBuf {
    let file = directory.path().join("energy.html");
    let mut bytes = Vec::new();
    html::write(&of.profile, Some(&of.series), &mut bytes).unwrap();
    std::fs::write(&file, bytes).unwrap();
    file
}

/// The sum of a column's values in the table of a section, with what was left
/// out.
fn sum(browser: &mut Browser, section: &str) -> u64 {
    let sum = browser.eval(&format!(
        "(() => {{ const table = document.querySelector('#{section} table');\
         const at = [...table.tHead.rows[0].cells].findIndex((head) => head.textContent === 'energy');\
         const left = table.querySelector('tr.rest [data-v]');\
         return [...table.tBodies[0].rows].reduce((sum, row) => sum + Number(row.cells[at].dataset.v),\
         left ? Number(left.dataset.v) : 0) }})()"
    ));
    sum.as_u64().unwrap()
}

/// What the rows of a table have in a column, as they are sorted.
fn column(browser: &mut Browser, section: &str, head: &str) -> Vec<Value> {
    let cells = browser.eval(&format!(
        "(() => {{ const table = document.querySelector('#{section} table');\
         const at = [...table.tHead.rows[0].cells].findIndex((of) => of.textContent === '{head}');\
         return [...table.tBodies[0].rows].map((row) => 'v' in row.cells[at].dataset\
         ? Number(row.cells[at].dataset.v) : row.cells[at].textContent) }})()"
    ));
    cells.as_array().unwrap().clone()
}

fn click(browser: &mut Browser, section: &str, head: &str) {
    browser.eval(&format!(
        "[...document.querySelectorAll('#{section} th button')]\
         .find((of) => of.textContent === '{head}').click()"
    ));
}

#[test]
fn the_page_says_what_the_report_says() {
    let Some(mut browser) = Browser::start() else {
        return;
    };
    let directory = TempDir::new().unwrap();
    for name in ["twins-and-others+calibrated", "uncounted-twins"] {
        let file = directory.path().join("energy.html");
        let written = Command::new(eprof())
            .args(["report", "--html"])
            .args([&file, &path(name)])
            .status();
        assert!(written.unwrap().success());
        let json = Command::new(eprof())
            .args(["report", "--format", "json"])
            .arg(path(name))
            .output()
            .unwrap();
        let report = Report(serde_json::from_slice(&json.stdout).unwrap());
        browser.open(&file);
        assert_eq!(browser.trouble, [""; 0]);
        let target = report.account("target");
        for (section, field) in [
            ("processes", "uj"),
            ("threads", "uj"),
            ("functions", "self_uj"),
            ("modules", "uj"),
            ("cpus", "uj"),
        ] {
            assert_eq!(sum(&mut browser, section), target, "{section}");
            let rows = column(&mut browser, section, "energy");
            if section != "modules" {
                assert_eq!(rows.len(), report.rows(section).len());
                let sum = report.sum(section, field);
                assert_eq!(rows.iter().map(|of| of.as_u64().unwrap()).sum::<u64>(), sum);
            }
        }
        for row in report.rows("ledger") {
            let (account, nested) = (row["account"].as_str().unwrap(), &row["nested"]);
            let cells = browser.eval(&format!(
                "[...document.querySelectorAll('#ledger [data-account={account}][data-nested={nested}]')]\
                 .map((of) => Number(of.dataset.v))"
            ));
            let uj = row["uj"].as_u64().unwrap_or(0);
            assert!(
                cells.as_array().unwrap().contains(&uj.into()),
                "{row} {cells}"
            );
        }
        let plotted = browser.eval(
            "[...document.querySelectorAll('#timeline .ep-meter .ep-band')]\
             .reduce((sum, band) => sum + Number(band.dataset.uj), 0)",
        );
        let meters = report.0["source"]["meters"].as_array().unwrap().iter();
        let all: u64 = meters.map(|of| of["total_uj"].as_u64().unwrap()).sum();
        assert_eq!(plotted.as_u64(), Some(all));
    }
}

#[test]
fn tables_sort_and_filter() {
    let Some(mut browser) = Browser::start() else {
        return;
    };
    let directory = TempDir::new().unwrap();
    let of = analysed(&recording("twins-and-others+calibrated"), None);
    browser.open(&page(&of, &directory));
    let before = column(&mut browser, "functions", "samples");
    click(&mut browser, "functions", "samples");
    let number = |of: &Value| of.as_i64().unwrap();
    let down = column(&mut browser, "functions", "samples");
    assert!(down.is_sorted_by(|a, b| number(a) >= number(b)), "{down:?}");
    click(&mut browser, "functions", "samples");
    let up = column(&mut browser, "functions", "samples");
    assert!(up.is_sorted_by(|a, b| number(a) <= number(b)), "{up:?}");
    assert_ne!(up, down);
    let (mut a, mut b) = (before.clone(), up);
    a.sort_by_key(number);
    b.sort_by_key(number);
    assert_eq!(a, b, "no row is lost");
    click(&mut browser, "functions", "function");
    let names = column(&mut browser, "functions", "function");
    let order = serde_json::to_string(&names).unwrap();
    let sorted = browser.eval(&format!(
        "JSON.stringify({order}.sort((a, b) => a.localeCompare(b))) === JSON.stringify({order})"
    ));
    assert_eq!(sorted, true);

    let shown = "[...document.querySelectorAll('#functions tbody tr')].filter((row) => row.offsetHeight)\
                 .map((row) => row.cells[0].textContent)";
    browser.eval(
        "(() => { const input = document.querySelector('#functions input');\
         input.value = 'COMPUTE'; input.dispatchEvent(new Event('input')) })()",
    );
    let some = browser.eval(shown);
    let some = some.as_array().unwrap();
    let wanted = names
        .iter()
        .filter(|of| of.as_str().unwrap().to_lowercase().contains("compute"));
    assert_eq!(some.len(), wanted.count());
    assert!(!some.is_empty() && some.len() < names.len());
    assert_eq!(browser.trouble, [""; 0]);
}

#[test]
fn the_flamegraph_zooms() {
    let Some(mut browser) = Browser::start() else {
        return;
    };
    let directory = TempDir::new().unwrap();
    let of = analysed(&recording("twins-and-others+calibrated"), None);
    browser.open(&page(&of, &directory));
    let width = "(() => { const box = [...document.querySelectorAll('#frames > g')]\
                 .find((of) => of.querySelector('title').textContent.startsWith('mid-a'));\
                 return [box.getBoundingClientRect().width,\
                 document.querySelector('#frames').getBoundingClientRect().width] })()";
    let wide = |of: &Value| of[0].as_f64().unwrap() / of[1].as_f64().unwrap();
    let before = browser.eval(width);
    assert!((0.2..0.6).contains(&wide(&before)), "{before}");
    browser.eval(
        "[...document.querySelectorAll('#frames > g')].find((of) =>\
         of.querySelector('title').textContent.startsWith('mid-a')).querySelector('rect')\
         .dispatchEvent(new MouseEvent('click', { bubbles: true }))",
    );
    let zoomed = browser.eval(width);
    assert!(wide(&zoomed) > 0.98, "{zoomed}");
    let other = "[...document.querySelectorAll('#frames > g')].find((of) =>\
                 of.querySelector('title').textContent.startsWith('mid-b')).getBoundingClientRect().width";
    assert_eq!(browser.eval(other), 0, "what is beside it is hidden");
    browser.eval(
        "document.querySelector('#unzoom').dispatchEvent(new MouseEvent('click', { bubbles: true }))",
    );
    let after = browser.eval(width);
    assert!((wide(&after) - wide(&before)).abs() < 0.01, "{after}");
    // The picture's style stays in the picture.
    let font =
        browser.eval("getComputedStyle(document.querySelector('#timeline text')).fontFamily");
    assert_ne!(font, "monospace");
    assert_eq!(browser.trouble, [""; 0]);
}

#[test]
fn the_page_suits_the_dark_and_paper() {
    let Some(mut browser) = Browser::start() else {
        return;
    };
    let directory = TempDir::new().unwrap();
    browser.open(&page(
        &analysed(&recording("phases-20ms"), None),
        &directory,
    ));
    let look = "['body', '#timeline .ep-paper'].map((of) => { const style =\
                getComputedStyle(document.querySelector(of));\
                return of === 'body' ? style.backgroundColor : style.fill })";
    let mut seen = |medium: &str, scheme: &str| {
        browser.medium(medium, scheme);
        let nav = browser.eval("document.querySelector('nav').offsetHeight > 0");
        (browser.eval(look), nav)
    };
    let (light, nav) = seen("screen", "light");
    assert_eq!(
        (&light[1], nav),
        (&Value::from("rgb(255, 255, 255)"), true.into())
    );
    let (dark, _) = seen("screen", "dark");
    assert_ne!(dark[0], light[0]);
    assert_ne!(dark[1], light[1]);
    let (paper, nav) = seen("print", "dark");
    assert_eq!(paper[0], "rgb(255, 255, 255)");
    assert_eq!(paper[1], light[1]);
    assert_eq!(nav, false);
}

#[test]
fn hostile_names_do_nothing() {
    let Some(mut browser) = Browser::start() else {
        return;
    };
    let directory = TempDir::new().unwrap();
    for recording in [
        hostile(recording("twins-and-others+calibrated")),
        hostile(silent(recording("phases-20ms"))),
        hostile(interrupted(recording("phases-20ms"))),
    ] {
        browser.open(&page(&analysed(&recording, None), &directory));
        assert_eq!(browser.eval("typeof owned"), "undefined");
        assert_eq!(browser.eval("document.images.length"), 0);
        assert_eq!(browser.trouble, [""; 0]);
        // The page's own scripts and nobody else's: the flamegraph's, where
        // there is one, and that of the tables.
        let scripts = browser.eval("document.scripts.length").as_u64().unwrap();
        assert!((1..=2).contains(&scripts), "{scripts}");
        let names = browser.eval("document.querySelector('#threads tbody').textContent");
        assert!(names.as_str().unwrap().contains("owned"), "{names}");
    }
}

#[test]
fn without_a_browser_the_page_is_whole_and_asks_for_nothing() {
    let of = analysed(&hostile(recording("twins-and-others+calibrated")), None);
    let directory = TempDir::new().unwrap();
    let html = std::fs::read_to_string(page(&of, &directory)).unwrap();
    assert!(html.starts_with("<!doctype html>") && html.ends_with("</html>\n"));
    for outside in [
        " src=\"http",
        "url(http",
        "@import",
        "fetch(",
        "XMLHttpRequest",
        "href=\"http",
    ] {
        assert!(!html.contains(outside), "{outside}");
    }
    // Each script is named by its hash; nothing that got in otherwise would run.
    let policy = html.split_once("script-src ").unwrap().1;
    let policy = policy.split_once(';').unwrap().0;
    assert_eq!(policy.matches("sha256-").count(), 2, "{policy}");
    assert!(!policy.contains("unsafe-inline"), "{policy}");
    assert_eq!(html.matches("<script>").count(), 2);
    assert_eq!(html.matches("</script>").count(), 2);
}
