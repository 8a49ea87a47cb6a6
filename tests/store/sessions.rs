//! Sessions of the command line whose recording is over, and `panorec publish` of them.

use std::path::{Path, PathBuf};
use std::process::Command;

use panorec::session::folder::SessionDir;
use panorec::session::name::TaskId;
use panorec::session::request::{Delivery, Destination, Format, PageUrl, Request, S3Destination, SegmentDuration};
use serde_json::Value;

use crate::Place;
use crate::live::{Film, Recorder};

/// A session of so many minutes, to be delivered there.
pub fn recorded(place: &Place, destination: S3Destination, minutes: i64) -> PathBuf {
    let delivery = Delivery {
        task_id: TaskId::random(),
        format: Format::Mp4,
        destination: Destination::S3(Box::new(destination)),
        name: "lesson".parse().expect("a name"),
        segment_seconds: SegmentDuration::new(2).expect("a length"),
        live_playlist: false,
        key: None,
        thumbnail: false,
        contact_sheet: false,
        intermediate: None,
        callback: None,
        served: None,
        remove_session: false,
    };
    let request = Request::new(PageUrl::parse("https://school.example/").expect("a URL"));
    let path = place.path().join("session");
    let session = SessionDir::create(&path, &request, &delivery).expect("a session");
    let mut recorder = Recorder::start(&session);
    Film::new().record(&mut recorder, minutes, &mut || {});
    recorder.stop();
    path
}

/// `panorec publish` of a session.
pub fn publish(session: &Path) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_panorec"));
    command.arg("publish").arg(session).arg("--json");
    command
}

/// The same where this was mounted before, by a shell.
pub fn inside_mounts(mount: &str, session: &Path) -> Command {
    let publish = publish(session);
    let mut command = Command::new("unshare");
    command.args(["--mount", "--propagation", "private", "sh", "-c", &format!("{mount} && exec \"$@\""), "sh"]);
    command.arg(publish.get_program()).args(publish.get_args());
    command
}

/// Its exit code, its result, and what it said.
pub fn published(mut command: Command) -> (Option<i32>, Value, String) {
    let output = command.output().expect("it starts");
    let said = String::from_utf8_lossy(&output.stderr).into_owned();
    (output.status.code(), serde_json::from_slice(&output.stdout).unwrap_or_default(), said)
}
