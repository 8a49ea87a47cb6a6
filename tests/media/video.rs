//! Pages with videos: every frame of the source, each for as long as it should stand.

use crate::clock::record;
use crate::support::judged;

#[test]
fn a_video_of_thirty_frames_a_second_comes_through_frame_by_frame() {
    judged(|checks| {
        let (_, report) = record(checks, "video30.html", 12.0, "");
        let source = &report["source"];
        checks.at_most("missing source frames", &source["missing_share"], 0.01);
        checks.at_most("source frames shown twice", &source["held_too_long_share"], 0.01);
        checks.at_least("source frames shown", &source["shown"], 320.0);
        println!("    {source}");
    });
}

#[test]
fn a_video_of_twenty_five_frames_a_second_loses_none_and_holds_none_three_times() {
    judged(|checks| {
        let (_, report) = record(checks, "video25.html", 12.0, "");
        let source = &report["source"];
        checks.at_most("missing source frames", &source["missing"], 0.0);
        checks.at_most("longest time a source frame stood, in frames", &source["longest_hold_frames"], 2.0);
        checks.at_least("source frames shown", &source["shown"], 265.0);
        println!("    {source}");
    });
}

#[test]
fn a_media_file_is_a_page_too_and_plays_with_sound() {
    judged(|checks| {
        let (_, report) = record(checks, "media/bare.mp4", 8.0, "");
        let source = &report["source"];
        checks.at_most("missing source frames", &source["missing_share"], 0.02);
        checks.at_least("source frames shown", &source["shown"], 195.0);
        checks.that("sound", report["audio"]["silent"] == false, &report["audio"]);
        checks.at_least("beeps", &report["audio"]["beeps_found"], 7.0);
    });
}

#[test]
fn video_canvas_and_webgl_move() {
    judged(|checks| {
        let (_, report) = record(checks, "mixed.html", 10.0, "");
        for name in ["video", "canvas2d", "webgl"] {
            let place = &report["rects"][name];
            checks.that(name, place["alive"] == true, place);
        }
        checks.that("sound", report["audio"]["silent"] == false, &report["audio"]["rms_dbfs"]);
    });
}

#[test]
fn a_scrolling_page_scrolls_evenly() {
    judged(|checks| {
        let (_, report) = record(checks, "scroll.html", 10.0, "");
        checks.at_least("unique fps", &report["clock"]["effective_fps"], 29.5);
        checks.at_most("longest freeze in ms", &report["clock"]["longest_freeze_ms"], 100.0);
    });
}
