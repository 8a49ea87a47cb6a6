//! Pages and folders that mean harm.

use std::fs::{self, File, OpenOptions};
use std::io::Write;
use std::os::unix::fs::symlink;
use std::path::Path;
use std::process::Command;
use std::thread::sleep;
use std::time::Duration;

use crate::clock::record;
use crate::support::cgroup::MemoryLimit;
use crate::support::{Ended, Panorec, Scratch, Server, Take, judged, measure, seconds};

#[test]
fn dialogs_windows_downloads_and_prompts_of_a_hostile_page_stay_out_of_the_picture() {
    judged(|checks| {
        // Ten tricks, the last at 14.5 s; the eleventh would leave the page.
        let (ended, report) = record(checks, "hostile.html?startAfter=1000&every=1500", 14.8, "");
        let last = &report["steps"].as_array().and_then(|steps| steps.last().cloned()).unwrap_or_default()["step"];
        checks.at_least("tricks tried", last, 10.0);
        checks.at_least("cells readable", &report["clock"]["readable_share"], 0.98);
        checks.at_most("longest freeze in ms", &report["clock"]["longest_freeze_ms"], 1500.0);
        checks.that("no gap", ended.json["gaps"]["count"] == 0, &ended.json["gaps"]);
    });
}

#[test]
fn a_page_that_leaves_itself_is_followed() {
    judged(|checks| {
        let (_, report) = record(checks, "hostile.html?startAfter=500&every=300", 8.0, "");
        // The last trick goes to the static page past a beforeunload that would say no.
        let readable = report["clock"]["last_ms"].as_f64().unwrap_or(f64::NAN);
        checks.that("the clock page is left", readable < 6000.0, format!("last reading {readable} ms"));
    });
}

#[test]
fn a_page_in_an_endless_loop_is_noticed() {
    judged(|checks| {
        let mut take = Take::begin("hostile.html?hang=1&startAfter=4000", "--max-duration 90");
        take.run.wait_for_event("gapBegan", 1, |event| event["cause"] == "pageHung");
        take.run.wait_for("gapEnded", 1);
        sleep(Duration::from_secs(2));
        let (ended, report) = take.stop(checks);
        let gaps = &ended.json["gaps"];
        checks.that("the hole is listed", gaps["items"][0]["cause"] == "pageHung", gaps);
        checks.at_least("length in s", &report["duration_s"]["container"], 4.0);
    });
}

#[test]
fn a_page_that_eats_memory_loses_its_renderer_and_nothing_else() {
    let limit = 3 << 30;
    let Some(group) = MemoryLimit::new(limit) else {
        println!("    not run: no control group for memory can be made here");
        return;
    };
    judged(|checks| {
        let server = Server::start();
        let scratch = Scratch::new();
        let file = scratch.join("out.mp4");
        let enter = format!("echo $$ > {} && exec \"$@\"", group.entrance().display());
        let url = server.url("hostile.html?oom=1&startAfter=4000");
        let mut run =
            Panorec::record(&url, &file, &scratch).args("--max-duration 90").inside("env", &[], &enter).spawn();
        run.wait_recording();
        let gap = run.wait_for("gapBegan", 1);
        let cause = gap["cause"].as_str().unwrap_or_default().to_owned();
        checks.that("cause", ["outOfMemory", "rendererDied"].contains(&cause.as_str()), &cause);
        run.wait_for("gapEnded", 1);
        sleep(Duration::from_secs(2));
        run.ctl("stop");
        let ended = run.end(Duration::ZERO);
        ended.assert_done();
        checks.loaded(&ended.load);
        checks.at_least("length in s", &measure(&file)["duration_s"]["container"], 4.0);
    });
}

/// The session folder of a recording whose recorder was killed after some seconds.
fn unfinished_session(scratch: &Scratch) {
    let server = Server::start();
    let file = scratch.join("unused.mp4");
    let mut run = Panorec::record(&server.url("clock.html"), &file, scratch).spawn();
    run.wait_recording();
    sleep(Duration::from_secs(4));
    run.kill9_panorec();
    run.wait_gone(Duration::from_secs(15)).expect("nobody left behind");
}

/// Publishes a copy of `session` after `harm` was done to it.
fn publish_harmed(session: &Path, scratch: &Scratch, name: &str, harm: impl Fn(&Path)) -> Ended {
    let copy = scratch.join(name);
    let copied = Command::new("cp").arg("-a").arg(session).arg(&copy).status();
    assert!(copied.expect("cp starts").success());
    harm(&copy);
    Panorec::new("publish").arg(&copy).run(seconds(0.0))
}

fn part(session: &Path) -> std::path::PathBuf {
    session.join("recorder/parts/1-1.webm")
}

fn append(session: &Path, line: &str) {
    let journal = session.join("recorder/runs/1/journal.jsonl");
    let mut journal = OpenOptions::new().append(true).open(journal).expect("the journal");
    writeln!(journal, "{line}").expect("written");
}

#[test]
fn nothing_outside_a_hostile_folder_is_read() {
    let scratch = Scratch::new();
    unfinished_session(&scratch);
    let session = scratch.join("session");
    let secret = scratch.join("secret.webm");
    fs::copy(part(&session), &secret).expect("copied");
    let replace = |path: &Path, text: String| {
        fs::remove_file(path).expect("there");
        fs::write(path, text).expect("written");
    };
    let refused = |what: &str, ended: &Ended| {
        println!("    {what}: code {:?}, {:.2} s, {}", ended.code, ended.took.as_secs_f64(), ended.stderr.trim());
        // A newer journal is refused as bad usage: the way out is a newer panorec.
        let code = if what.contains("newer version") { 2 } else { 5 };
        assert_eq!(ended.code, Some(code), "{what} was not refused: {}", ended.stderr);
        assert!(ended.took < Duration::from_secs(30), "{what}: took {:?}", ended.took);
    };
    refused(
        "a part that is a link",
        &publish_harmed(&session, &scratch, "link", |copy| {
            fs::remove_file(part(copy)).expect("there");
            symlink(&secret, part(copy)).expect("linked");
        }),
    );
    refused(
        "a folder of parts that is a link",
        &publish_harmed(&session, &scratch, "folder", |copy| {
            let parts = copy.join("recorder/parts");
            fs::rename(&parts, scratch.join("elsewhere")).expect("moved");
            symlink(scratch.join("elsewhere"), parts).expect("linked");
        }),
    );
    refused(
        "a part that is a playlist",
        &publish_harmed(&session, &scratch, "playlist", |copy| {
            let list = format!("#EXTM3U\n#EXTINF:5,\nfile://{}\n#EXT-X-ENDLIST\n", secret.display());
            replace(&part(copy), list);
        }),
    );
    refused(
        "a part that is a concat script",
        &publish_harmed(&session, &scratch, "concat", |copy| {
            replace(&part(copy), format!("ffconcat version 1.0\nfile '{}'\n", secret.display()));
        }),
    );
    refused(
        "a journal of one gigabyte",
        &publish_harmed(&session, &scratch, "journal", |copy| {
            let journal = copy.join("recorder/runs/1/journal.jsonl");
            File::options().write(true).open(journal).and_then(|f| f.set_len(1 << 30)).expect("grown");
        }),
    );
    let at = r#""at":{"wall":"2026-01-01T00:00:00Z","monoUs":1}"#;
    refused(
        "an event that names a part elsewhere",
        &publish_harmed(&session, &scratch, "name", |copy| {
            append(copy, &format!(r#"{{"v":1,{at},"event":"partOpened","part":"../../secret.webm","videoUs":9}}"#));
        }),
    );
    refused(
        "an event of a newer version",
        &publish_harmed(&session, &scratch, "version", |copy| {
            append(copy, &format!(r#"{{"v":999,{at},"event":"pageLoaded"}}"#));
        }),
    );
}
