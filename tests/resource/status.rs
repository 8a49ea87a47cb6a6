//! The status: what the session tells in it, and its columns.

use panorec::resource::{RecorderStatus, RecordingStatus, duration_text, page_host};
use panorec::session::fold::{Folded, Phase, Warnings};
use panorec::session::status::{Items, Status};

#[test]
fn the_sessions_part_leaves_the_rest_alone() {
    let mut status = RecordingStatus {
        phase: Phase::Canceled,
        message: Some("It is stopped.".to_owned()),
        recorder: Some(RecorderStatus { pod_name: Some("lesson-x".to_owned()), ..RecorderStatus::default() }),
        ..RecordingStatus::default()
    };
    let session = Status::of(&Folded::default(), Items::Newest);
    status.set_session(&session, &Warnings::default());
    assert_eq!(status.phase, Phase::Canceled, "no phase goes back");
    assert_eq!(status.recorder.as_ref().unwrap().pod_name.as_deref(), Some("lesson-x"));
    assert_eq!(status.pauses, Some(session.pauses));
    let json = serde_json::to_value(&status).unwrap();
    assert_eq!(json["phase"], "canceled");
    assert_eq!(json.get("startTime"), None);
    assert_eq!(serde_json::from_value::<RecordingStatus>(json).unwrap(), status);
}

#[test]
fn columns_read_well() {
    for (seconds, text) in [
        (0.0, "0s"),
        (-1.0, "0s"),
        (f64::NAN, "0s"),
        (59.9, "59s"),
        (61.0, "1m01s"),
        (3723.0, "1h02m03s"),
        (259200.0, "72h00m00s"),
    ] {
        assert_eq!(duration_text(seconds), text);
    }
    assert_eq!(page_host("https://me:secret@school.example:8443/a?b").as_deref(), Some("school.example"));
    assert_eq!(page_host("nothing"), None);
}
