#![allow(clippy::unwrap_used, reason = "a failed assumption is a failed test")]

use super::*;
use crate::error::{Error, ErrorKind};

/// All that is moved or changed, as inferno writes it.
const PICTURE: &str = "<?xml version=\"1.0\"?><!DOCTYPE svg><svg onload=\"init(evt)\">\
    <style type=\"text/css\">\ntext { a:b }\n.x > p, #y:hover { c:d }\n</style>\
    <script type=\"text/ecmascript\"><![CDATA[var a;]]><![CDATA[function init(evt) {\
    svg = document.getElementsByTagName(\"svg\")[0]; window.addEventListener(a);\
    history.replaceState(b) }]]></script><g/></svg>";

#[test]
fn style_and_script_stay_inside() {
    let page = inline(PICTURE).unwrap().into_string();
    let expected = "<style>#eprof-flame text { a:b } #eprof-flame .x > p, #eprof-flame #y:hover { c:d }</style>\
                    <div id=\"eprof-flame\"><svg><g/></svg></div>\
                    <script>(function (window, history) {var a;function init(evt) {\
                    svg = document.querySelector(\"#eprof-flame > svg\"); ";
    assert!(page.starts_with(expected), "{page}");
    assert!(page.ends_with("</script>"), "{page}");
}

#[test]
fn a_mark_that_is_missing_is_an_error_that_names_it() {
    for (mark, what) in [
        (" onload=\"init(evt)\"", "the call of its script"),
        ("text { a:b }\n", "nothing"),
        (" { c:d }", "rules of one line each in its style"),
        (
            "document.getElementsByTagName(\"svg\")[0]",
            "the look-up of its picture",
        ),
        ("function init(", "`function init(…)`"),
        ("addEventListener(", "`addEventListener(…)`"),
        ("history.replaceState(", "`history.replaceState(…)`"),
        ("</svg>", "valid XML"),
    ] {
        let picture = PICTURE.replacen(mark, "", 1);
        assert_ne!(picture, PICTURE, "{mark}");
        let result = inline(&picture);
        if what == "nothing" {
            result.unwrap();
            continue;
        }
        let error = result.unwrap_err().downcast::<Error>().unwrap();
        assert_eq!(error.kind(), ErrorKind::Internal);
        let expected = format!("the flamegraph drawn by inferno lacks {what}");
        assert!(
            error.to_string().starts_with(&expected),
            "{error}, {expected}"
        );
    }
    for element in ["style", "script"] {
        let (before, rest) = PICTURE.split_once(&format!("<{element}")).unwrap();
        let (_, after) = rest.split_once(&format!("</{element}>")).unwrap();
        let error = inline(&format!("{before}{after}")).unwrap_err();
        let expected = format!("lacks its {element}");
        assert!(error.to_string().ends_with(&expected), "{error}");
    }
}
