//! A saved calibration: what is believed is possible, and is the same once it is
//! saved again.

#![no_main]

use eprof::calibration::file::Calibration;
use eprof::error::ErrorKind;
use eprof::measurement::MeterId;
use eprof_fuzz::{limits, scratch};
use libfuzzer_sys::fuzz_target;

fuzz_target!(|data: &[u8]| limits::bounded(|| check(data)));

fn check(data: &[u8]) {
    let loaded = match Calibration::load(&scratch::file("calibration.json", data)) {
        Ok(loaded) => loaded.expect("the file is there"),
        Err(error) => return assert_eq!(error.kind(), ErrorKind::Data, "{error}"),
    };
    for saved in loaded.meters.values() {
        assert!(saved.watts.is_finite() && saved.watts >= 0.0);
        assert!(saved.sd.is_finite() && saved.sd >= 0.0);
        let Some(model) = saved.model.as_ref().and_then(|model| model.of(MeterId(0))) else {
            continue;
        };
        let mut before = 0.0;
        for rate in [0.0, 1.0, 1e9, 1e12] {
            let power = model.predict(|_| rate).0;
            assert!(power.is_finite() && power >= before, "{power} at {rate}");
            before = power;
        }
    }
    let text = serde_json::to_vec(&loaded).unwrap();
    let again = Calibration::load(&scratch::file("again.json", &text));
    assert_eq!(again.unwrap().expect("the file is there"), loaded);
}
