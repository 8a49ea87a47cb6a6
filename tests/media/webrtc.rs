//! A meeting: four tiles of video with sound, over WebRTC from a real peer.

use crate::support::peer::{Meeting, TILES};
use crate::support::{Panorec, Scratch, judged, measure_page, seconds};

#[test]
fn a_meeting_of_four_is_seen_and_heard() {
    judged(|checks| {
        let meeting = Meeting::start();
        let scratch = Scratch::new();
        let file = scratch.join("meeting.mp4");
        let ended = Panorec::record(&meeting.server.url("webrtc.html"), &file, &scratch)
            .args("--duration 15")
            .run(seconds(15.0));
        ended.assert_done();
        checks.loaded(&ended.load);
        let report = measure_page(&file, Some("webrtc"), 30.0);
        for i in 0..TILES {
            let name = format!("tile{i}");
            let tile = &report["tiles"][&name];
            checks.that(&format!("{name} alive"), tile["alive"] == true && tile["flags"] == i, tile);
            checks.at_least(&format!("{name} fps"), &tile["effective_fps"], 20.0);
            // The call takes a moment to come up.
            checks.at_least(&format!("{name} heard"), &report["tones"][&name]["heard_share"], 0.8);
        }
        // What the peer's network and the browser's jitter buffer skip is theirs; this is ours.
        checks.at_most("frames we dropped", &ended.json["content"]["droppedFrameShare"], 0.01);
    });
}
