//! After any end nobody is left. (Every run of these tests checks that; here are the harsh ends.)

use std::thread::sleep;
use std::time::{Duration, Instant};

use serde_json::json;

use crate::support::panorec::{folder_for_temporary_files, names_in};
use crate::support::{Kind, Panorec, Scratch, Server, Take, judged};

#[test]
fn an_interrupt_finishes_the_file() {
    judged(|checks| {
        let take = Take::begin("clock.html", "");
        sleep(Duration::from_secs(4));
        take.run.signal(libc::SIGINT);
        let (_, report) = take.end(checks);
        checks.near("length in s", &report["duration_s"]["container"], 4.2, 0.7);
    });
}

#[test]
fn a_second_interrupt_leaves_the_session_for_resume() {
    let server = Server::start();
    let scratch = Scratch::new();
    let file = scratch.join("out.mp4");
    let mut run = Panorec::record(&server.url("clock.html"), &file, &scratch).spawn();
    run.wait_recording();
    sleep(Duration::from_secs(4));
    // With FFmpeg halted the first interrupt cannot be done before the second comes.
    let encoder = run.find(Kind::Encoder).expect("FFmpeg");
    // SAFETY: plain system call on a process of this test.
    unsafe { libc::kill(encoder.pid, libc::SIGSTOP) };
    run.signal(libc::SIGINT);
    sleep(Duration::from_millis(300));
    run.signal(libc::SIGINT);
    let ended = run.end(Duration::ZERO);
    assert_eq!(ended.code, Some(8), "{}", ended.stderr);
    assert!(ended.stderr.contains("resume"), "does not say how to go on: {}", ended.stderr);
    assert!(scratch.join("session").is_dir(), "the session is gone");
}

#[test]
fn a_killed_recorder_takes_its_children_with_it() {
    judged(|checks| {
        let server = Server::start();
        let scratch = Scratch::new();
        let temporary = folder_for_temporary_files(&scratch);
        let mut run = Panorec::record(&server.url("clock.html"), &scratch.join("out.mp4"), &scratch)
            .temporary_files_in(&temporary)
            .spawn();
        run.wait_recording();
        let alive = run.alive();
        let kinds = [Kind::Browser, Kind::Renderer, Kind::Display, Kind::Sound, Kind::Encoder];
        let found = kinds.iter().filter(|kind| run.find(**kind).is_some()).count();
        checks.that("all its children known", found == kinds.len(), json!(alive.len()));
        run.kill9_panorec();
        let killed = Instant::now();
        let left = run.wait_gone(Duration::from_secs(15));
        checks.that("nobody left", left.is_ok(), format!("{left:?}"));
        checks.soon("gone after", killed.elapsed(), Duration::from_secs(2));
        checks.that("its files are left", names_in(&temporary).len() == 1, json!(names_in(&temporary)));
        // The next one removes them, and its own.
        let scratch = Scratch::new();
        let next = Panorec::record(&server.url("static.html"), &scratch.join("out.mp4"), &scratch)
            .args("--duration 1")
            .temporary_files_in(&temporary)
            .run(Duration::from_secs(1));
        checks.that("next", next.code == Some(0) && names_in(&temporary).is_empty(), json!(names_in(&temporary)));
    });
}

#[test]
fn a_page_that_cannot_be_loaded_leaves_nobody_either() {
    let server = Server::start();
    let scratch = Scratch::new();
    let ended = Panorec::record(&server.url("status/500"), &scratch.join("out.mp4"), &scratch).run(Duration::ZERO);
    assert_eq!(ended.code, Some(3), "{}", ended.stderr);
}
