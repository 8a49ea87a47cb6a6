//! The tools of these tests by themselves, without panorec: run after changing them, with
//! `cargo test --release --test media kit -- --ignored --test-threads=1`.

use std::collections::HashMap;
use std::process::{Command, Stdio};

use crate::support::peer::Meeting;
use crate::support::{Checks, Scratch, Server, here, kit_media, measure_page, player};

#[test]
#[ignore = "proves the kit, not panorec"]
fn four_tiles_of_the_peer_reach_a_stock_chrome() {
    let meeting = Meeting::start();
    let scratch = Scratch::new();
    let file = scratch.join("meeting.mp4");
    let status = Command::new(here().join("kit/record.sh"))
        .arg(meeting.server.url("webrtc.html"))
        .arg("10")
        .arg(&file)
        .stdin(Stdio::null())
        .status();
    assert!(status.expect("record.sh starts").success());
    let report = measure_page(&file, Some("webrtc"), 30.0);
    let mut checks = Checks::default();
    for i in 0..4 {
        let tile = &report["tiles"][format!("tile{i}")];
        checks.that(&format!("tile {i} alive"), tile["alive"] == true && tile["flags"] == i, tile);
        let tone = &report["tones"][format!("tile{i}")];
        checks.at_least(&format!("tone of tile {i}"), &tone["heard_share"], 0.9);
    }
    checks.done();
}

#[test]
#[ignore = "proves the kit, not panorec"]
fn the_player_plays_and_seeks_a_sound_file_and_a_sound_playlist() {
    let scratch = Scratch::new();
    std::fs::copy(kit_media().join("bare.mp4"), scratch.join("good.mp4")).expect("copied");
    let status = Command::new("ffmpeg")
        .args(["-v", "error", "-i", "good.mp4", "-c", "copy", "-hls_list_size", "0", "good.m3u8"])
        .current_dir(scratch.path())
        .status();
    assert!(status.expect("ffmpeg starts").success());
    std::fs::write(scratch.join("bad.mp4"), b"no video").expect("written");
    let server = Server::with(Some(scratch.path().to_owned()), HashMap::new());
    let mut checks = Checks::default();
    for name in ["good.mp4", "good.m3u8"] {
        let verdict = player::play(&server, name);
        checks.that(name, player::is_fine(&verdict), &verdict);
    }
    let verdict = player::play(&server, "bad.mp4");
    checks.that("bad.mp4 is noticed", !player::is_fine(&verdict), &verdict);
    checks.done();
}
