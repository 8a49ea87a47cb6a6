//! Whole sessions: finished, killed, gone on with, from the command line.

use std::io::Write;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use panorec::media::grid::{AudioGrid, us_of};
use panorec::session::event::RecorderEvent;
use panorec::session::folder::{RecorderRun, SessionDir};
use panorec::session::intent::By;
use panorec::session::name::{PartName, TaskId};
use panorec::session::request::{Delivery, Destination, Format, PageUrl, Request, SegmentDuration};
use panorec::store::Delivered;
use serde_json::Value;

use super::api::{Again, Fate, SECRET_KEY, SUB_APP_ID, Scope};
use super::{Stand, size};
use crate::media;
use crate::proxy::Verdict;
use crate::server::BUCKET;
use crate::support::{Stretch, part};

/// A session whose recording is over: five seconds.
fn session(stand: &Stand, format: Format) -> PathBuf {
    let delivery = Delivery {
        task_id: TaskId::random(),
        format,
        destination: Destination::Vod(Box::new(stand.destination())),
        name: "lesson 1".parse().expect("a name"),
        segment_seconds: SegmentDuration::new(2).expect("a length"),
        live_playlist: false,
        key: None,
        thumbnail: true,
        contact_sheet: false,
        intermediate: None,
        callback: None,
        served: None,
        remove_session: false,
    };
    let request = Request::new(PageUrl::parse("https://school.example/").expect("a URL"));
    let path = stand.place.0.path().join("session");
    let session = SessionDir::create(&path, &request, &delivery).expect("a session");
    let run = RecorderRun::claim(&session).expect("a run");
    run.start(&session, |_, _| None).expect("begun");
    let name = PartName { run: run.number(), part: 1 };
    let end = AudioGrid::AAC.nearest(5 * 48_000);
    let end_us = us_of(end) as u64;
    run.append(RecorderEvent::PartOpened { part: name, video_us: 0 }).expect("journaled");
    let bytes = part(Stretch { from: 0, to: end, ..Stretch::seconds(0, 0) });
    run.create_part(name).expect("a part").write_all(&bytes).expect("written");
    run.append(RecorderEvent::PartClosed { part: name, end_video_us: end_us }).expect("journaled");
    run.append(RecorderEvent::Stopped { by: By::Intent, video_us: end_us }).expect("journaled");
    path
}

fn panorec() -> Command {
    Command::new(env!("CARGO_BIN_EXE_panorec"))
}

/// `panorec publish`, as talkative as it can be: its exit code, the first video of its result, and what it said.
fn publish(session: &Path) -> (Option<i32>, Value, String) {
    let mut publish = panorec();
    publish.env("PANOREC_LOG", "trace").arg("publish").arg(session).arg("--json");
    let output = publish.output().expect("panorec starts");
    let said = String::from_utf8_lossy(&output.stderr).into_owned();
    let report: Value = serde_json::from_slice(&output.stdout).unwrap_or_else(|error| panic!("{error}: {said}"));
    (output.status.code(), report["result"]["videos"][0].clone(), said)
}

/// What `panorec publish` made, the file that players open first.
fn made(session: &Path) -> Vec<PathBuf> {
    let output = std::fs::read_dir(session.join("publisher/output")).expect("the output");
    let mut files: Vec<PathBuf> = output.map(|file| file.expect("a file").path()).collect();
    files.retain(|file| file.extension().is_some_and(|extension| extension != "jpg"));
    files.sort_by_key(|file| (file.extension().is_some_and(|extension| extension == "ts"), file.clone()));
    files
}

fn assert_result(stand: &Stand, session: &Path, video: &Value) {
    let text = |name: &str| video[name].as_str().map(str::to_owned);
    let delivered = Delivered { name: String::new(), size_bytes: 0, url: text("url"), file_id: text("fileId") };
    let files = made(session);
    stand.assert_media(&delivered, &files);
    assert_eq!(video["sizeBytes"], files.iter().map(|file| size(file)).sum::<u64>());
}

#[test]
fn a_wrong_secret_ends_in_code_6_and_publish_delivers_once_it_is_mended() {
    for format in [Format::Mp4, Format::Hls] {
        let stand = Stand::new(|_, _| Fate::Answered);
        let session = session(&stand, format);
        stand.place.vod_credentials("wrong");
        let (code, video, said) = publish(&session);
        println!("    {}", said.lines().find(|line| line.starts_with("panorec: ")).unwrap_or_default());
        assert_eq!((code, &video), (Some(6), &Value::Null), "{said}");
        let wanted = "panorec: VOD does not take these credentials (AuthFailure.SignatureFailure";
        assert!(said.contains(wanted) && said.contains("mend them and publish again"), "{said}");
        stand.place.vod_credentials(SECRET_KEY);
        let (code, video, said) = publish(&session);
        assert_eq!(code, Some(0), "{said}");
        println!("    {video}");
        assert!(!said.contains("note:"), "{said}");
        assert_result(&stand, &session, &video);
        assert!(said.contains("TRACE"), "{said}");
        let journal = journals(&session);
        for secret in [SECRET_KEY, "temporary key", "token-"] {
            assert!(!journal.contains(secret) && !said.contains(secret), "{secret} is in the journal or the log");
        }
    }
}

/// All that the publisher's journals hold.
fn journals(session: &Path) -> String {
    let runs = std::fs::read_dir(session.join("publisher/runs")).expect("runs");
    runs.map(|run| std::fs::read_to_string(run.expect("a run").path().join("journal.jsonl")).unwrap_or_default())
        .collect()
}

/// `panorec publish` until `reached`, and then it is killed.
fn publish_until(session: &Path, reached: impl Fn() -> bool) {
    let mut child = panorec()
        .arg("publish")
        .arg(session)
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .spawn()
        .expect("panorec starts");
    let until = Instant::now() + Duration::from_secs(60);
    while !reached() {
        assert!(Instant::now() < until && child.try_wait().expect("a child").is_none(), "it did not come so far");
        std::thread::sleep(Duration::from_millis(20));
    }
    child.kill().expect("killed");
    child.wait().expect("reaped");
}

#[test]
fn a_publisher_killed_while_it_sends_goes_on_and_there_is_one_media() {
    for (scope, format) in [(Scope::Bucket, Format::Hls), (Scope::OwnPlace, Format::Hls), (Scope::Bucket, Format::Mp4)]
    {
        let (hold, held) = (Arc::new(AtomicBool::new(true)), Arc::new(AtomicBool::new(false)));
        let (holding, reached) = (Arc::clone(&hold), Arc::clone(&held));
        let stand = Stand::guarded(
            |_, _| Fate::Answered,
            move |seen, _| {
                // The cover is there; the next file hangs.
                if seen.method == "PUT" && !seen.target.contains("cover") {
                    reached.store(true, Ordering::Relaxed);
                    while holding.load(Ordering::Relaxed) {
                        std::thread::sleep(Duration::from_millis(10));
                    }
                }
                Verdict::Pass
            },
        );
        stand.vod.world().scope = scope;
        let session = session(&stand, format);
        publish_until(&session, || held.load(Ordering::Relaxed));
        assert_eq!((stand.vod.count("ApplyUpload"), stand.vod.count("CommitUpload")), (1, 0));
        hold.store(false, Ordering::Relaxed);
        let (code, video, said) = publish(&session);
        assert_eq!(code, Some(0), "{said}");
        assert_result(&stand, &session, &video);
        let number = if scope == Scope::Bucket { 0 } else { 1 };
        let session_key = stand.vod.world().media[0].session_key.clone();
        println!("    {scope:?}, {format:?}: {session_key}");
        assert_eq!(session_key, format!("session/{number}+of=the tests"));
    }
}

#[test]
fn a_publisher_killed_while_vod_commits_asks_for_the_same_again() {
    for again in [Again::Same, Again::Refused] {
        let stand = Stand::new(|action, nth| match (action, nth) {
            ("CommitUpload", 1) => Fate::Held,
            _ => Fate::Answered,
        });
        stand.vod.world().again = again;
        let session = session(&stand, Format::Hls);
        publish_until(&session, || stand.vod.count("CommitUpload") == 1);
        assert_eq!(stand.vod.world().media.len(), 1, "it was done, and nobody was told");
        let puts = stand.puts();
        let (code, video, said) = publish(&session);
        assert_eq!(code, Some(0), "{said}");
        assert_result(&stand, &session, &video);
        assert_eq!((stand.vod.count("ApplyUpload"), stand.vod.count("CommitUpload")), (1, 2));
        assert_eq!(stand.puts(), puts, "nothing was sent again");
        println!("    {again:?}: {:?}, {video}", stand.refusals("CommitUpload"));
    }
}

#[test]
fn a_recording_becomes_a_media_from_the_command_line() {
    let stand = Stand::new(|_, _| Fate::Answered);
    let pages = media::Server::start();
    let page = pages.url("clock.html");
    stand.place.vod_credentials(SECRET_KEY);
    let folder = stand.place.0.path();
    let record = |output: &str, session: &Path, more: &[&str]| {
        let ended = panorec()
            .args(["record", &page, "-o", output, "--duration", "5", "--json", "--session"])
            .arg(session)
            .arg("--vod-credentials")
            .arg(folder.join("panorec-vod.json"))
            .args(["--vod-endpoint", &stand.vod.url(), "--vod-store-endpoint", &stand.proxy.url()])
            .args(["--vod-sub-app-id", &SUB_APP_ID.to_string(), "--vod-source-context", "from the tests"])
            .args(more)
            .output()
            .expect("panorec starts");
        (ended.status.code(), ended.stdout, String::from_utf8_lossy(&ended.stderr).into_owned())
    };
    for (output, more, says) in [
        ("vod://a.mp4", ["--contact-sheet", "--thumbnail"], "--contact-sheet has no place in VOD"),
        ("vod://a.mp4", ["--s3-region", "x"], "--s3-region is for a bucket"),
        ("a.mp4", ["--vod-class-id", "1"], "--vod-credentials is for VOD; give -o vod://NAME.mp4"),
        ("vod://a.mp4", ["--vod-class-id", "x"], "--vod-class-id"),
    ] {
        let (code, _, said) = record(output, &folder.join("refused"), &more);
        assert!(code == Some(2) && said.contains(says), "{code:?}: {said}");
    }
    stand.place.vod_credentials("wrong");
    let (code, _, said) = record("vod://a.mp4", &folder.join("refused"), &[]);
    assert!(code == Some(2) && said.contains("VOD does not take these credentials"), "{code:?}: {said}");
    assert!(!folder.join("refused").exists());
    stand.place.vod_credentials(SECRET_KEY);
    for (name, more) in [("clip.mp4", ["--thumbnail"].as_slice()), ("clip.m3u8", &["--segment-seconds", "2"])] {
        let session = folder.join(name);
        let (code, json, said) = record(&format!("vod://{name}"), &session, more);
        assert_eq!(code, Some(0), "{said}");
        let report: Value = serde_json::from_slice(&json).expect("JSON");
        let video = &report["result"]["videos"][0];
        println!("    {video}");
        assert_result(&stand, &session, video);
        let medium = stand.vod.world().media.remove(0);
        assert_eq!(medium.cover.is_some(), name == "clip.mp4");
    }
    let world = stand.vod.world();
    let taken = world.asked.iter().filter(|asked| asked.action == "ApplyUpload" && asked.refused.is_none());
    assert!(taken.clone().count() == 4 && taken.clone().all(|asked| asked.body["SourceContext"] == "from the tests"));
    assert!(stand.proxy.seen().iter().all(|seen| seen.target.starts_with(&format!("/{BUCKET}/"))));
}
