//! What the reference recorder makes of the same page on the same machine.

use std::process::{Command, Stdio};
use std::sync::OnceLock;

use super::{Scratch, here, measure};

/// Sound minus picture in ms of kit/record.sh's recording of the clock page: the base that the
/// kit's README speaks of. Measured once a run of the tests.
pub fn offset_ms() -> f64 {
    static OFFSET: OnceLock<f64> = OnceLock::new();
    *OFFSET.get_or_init(|| {
        let scratch = Scratch::new();
        let file = scratch.join("reference.mp4");
        let output = Command::new(here().join("kit/record.sh"))
            .args(["clock.html", "12"])
            .arg(&file)
            .stdin(Stdio::null())
            .output()
            .expect("record.sh starts");
        assert!(output.status.success(), "record.sh: {}", String::from_utf8_lossy(&output.stderr));
        let offset = measure(&file)["av_offset"]["median_ms"].as_f64().expect("an offset");
        println!("    reference recorder: sound {offset} ms after the picture");
        offset
    })
}
