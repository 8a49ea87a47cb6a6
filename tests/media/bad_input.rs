//! What goes wrong before or around a recording: a sentence that helps, and the right exit code.

use std::fs;
use std::net::TcpListener;
use std::path::{Path, PathBuf};
use std::thread::sleep;
use std::time::{Duration, Instant};

use crate::support::tls::SelfSigned;
use crate::support::{Ended, Panorec, Scratch, Server, judged, probe, seconds};

/// Fails with the code, says each of the words, and in a sentence rather than a dump.
fn says(ended: &Ended, code: i32, words: &[&str]) {
    let text = ended.stderr.to_lowercase();
    println!("    code {:?}: {}", ended.code, ended.stderr.trim());
    assert_eq!(ended.code, Some(code), "{}", ended.stderr);
    for word in words {
        assert!(text.contains(&word.to_lowercase()), "does not say {word:?}: {}", ended.stderr);
    }
    assert!(!text.contains("panicked") && !text.contains("backtrace"), "{}", ended.stderr);
    assert!(ended.stderr.lines().all(|line| !line.contains("Os { ")), "a dump: {}", ended.stderr);
}

fn record(url: &str, args: &str) -> Ended {
    let scratch = Scratch::new();
    let file = scratch.join("out.mp4");
    let ended = Panorec::record(url, &file, &scratch).args(args).run(seconds(20.0));
    assert!(!file.exists(), "a file although it failed");
    ended
}

#[test]
fn sizes_out_of_range_are_refused_with_the_range() {
    for args in ["--width 0", "--width 5000", "--height 15", "--frame-rate 61", "--frame-rate 0"] {
        says(&record("http://127.0.0.1:1/", args), 2, &[args.split(' ').next().expect("an option")]);
    }
    says(&record("http://127.0.0.1:1/", "--width 5000"), 2, &["16", "2560"]);
}

#[test]
fn only_http_and_https_are_recorded() {
    for url in ["file:///etc/passwd", "javascript:alert(1)", "chrome://gpu", "about:blank", "no address"] {
        says(&record(url, ""), 2, &["http"]);
    }
}

#[test]
fn an_output_that_cannot_be_written_is_told_before_anything_is_recorded() {
    let scratch = Scratch::new();
    let server = Server::start();
    let url = server.url("clock.html");
    let missing = scratch.join("no/such/folder/out.mp4");
    let ended = Panorec::record(&url, &missing, &scratch).args("--duration 3").run(seconds(3.0));
    says(&ended, 2, &["no/such/folder"]);
    // A folder that even root cannot write to.
    let ended = Panorec::record(&url, Path::new("/proc/out.mp4"), &scratch).args("--duration 3").run(seconds(3.0));
    says(&ended, 2, &["/proc"]);
    assert!(server.asked().is_empty(), "the page was opened first");
}

#[test]
fn a_name_that_does_not_resolve_is_told() {
    says(&record("http://no-such-host.invalid/lesson?token=hidden", ""), 3, &["no-such-host.invalid"]);
}

#[test]
fn a_refused_connection_is_told() {
    let listener = TcpListener::bind("127.0.0.1:0").expect("a port");
    let address = listener.local_addr().expect("bound");
    drop(listener);
    says(&record(&format!("http://{address}/"), ""), 3, &["refused"]);
}

#[test]
fn a_page_that_never_answers_is_given_up_after_a_minute() {
    // Connections are taken by the kernel, and nobody reads what they say.
    let silent = TcpListener::bind("127.0.0.1:0").expect("a port");
    let address = silent.local_addr().expect("bound");
    let began = Instant::now();
    says(&record(&format!("http://{address}/"), ""), 3, &["60 s", "reach"]);
    let took = began.elapsed();
    println!("    given up after {took:.1?}");
    assert!(took >= Duration::from_secs(60), "given up too early");
}

#[test]
fn a_certificate_that_nobody_signed_is_told() {
    let server = SelfSigned::start();
    says(&record(&server.url(), ""), 3, &["certificate"]);
}

#[test]
fn a_page_that_is_not_there_is_told_with_its_status() {
    let server = Server::start();
    says(&record(&server.url("status/404"), ""), 3, &["404"]);
    says(&record(&server.url("status/410"), ""), 3, &["410"]);
}

#[test]
fn an_address_that_is_no_page_or_wants_a_login_is_told_at_once() {
    let server = Server::start();
    for path in ["status/204", "download"] {
        let ended = record(&server.url(path), "");
        println!("    told after {:.1?}", ended.took);
        assert!(ended.took < Duration::from_secs(25), "it took {:?}", ended.took);
        says(&ended, 3, &["no page"]);
    }
    says(&record(&server.url("wants-login"), ""), 3, &["401", "--login"]);
}

#[test]
fn queries_of_addresses_are_kept_out_of_what_is_printed() {
    let server = Server::start();
    let ended = record(&server.url("status/404?token=very-secret"), "");
    assert!(!ended.stderr.contains("very-secret"), "{}", ended.stderr);
}

#[test]
fn a_redirect_is_followed_and_a_slow_page_is_waited_for() {
    let server = Server::start();
    for path in ["redirect?to=/clock.html", "slow?seconds=3"] {
        let scratch = Scratch::new();
        let file = scratch.join("out.mp4");
        let ended = Panorec::record(&server.url(path), &file, &scratch).args("--duration 2").run(seconds(10.0));
        ended.assert_done();
    }
}

#[test]
fn a_full_disk_ends_the_recording_and_keeps_what_there_is() {
    // SAFETY: plain system call without arguments.
    if unsafe { libc::geteuid() } != 0 {
        println!("    not run: a small disk can be mounted by root alone");
        return;
    }
    judged(|checks| {
        let server = Server::start();
        let scratch = Scratch::new();
        let disk = scratch.join("disk");
        fs::create_dir(&disk).expect("a folder");
        let file = scratch.join("out.mp4");
        let session = disk.join("session");
        let mount = format!("mount -t tmpfs -o size=64m,mode=755 panorec-test {} && exec \"$@\"", disk.display());
        // The mount is seen by panorec alone and goes with it.
        let mut run = Panorec::new("record")
            .arg(server.url("clock.html"))
            .arg("-o")
            .arg(&file)
            .arg("--session")
            .arg(&session)
            .arg("--json")
            .inside("unshare", &["--mount", "--propagation", "private"], &mount)
            .session_seen_at(move |pid| PathBuf::from(format!("/proc/{pid}/root{}", session.display())))
            .spawn();
        run.wait_recording();
        sleep(Duration::from_secs(4));
        let filler = run.session().join("../filler");
        let mut full = fs::File::create(filler).expect("a file on the small disk");
        std::io::copy(&mut std::io::repeat(1), &mut full).expect_err("the disk is full");
        drop(full);
        let ended = run.end(Duration::ZERO);
        checks.loaded(&ended.load);
        checks.that("code", [Some(0), Some(5)].contains(&ended.code), format!("{:?}", ended.code));
        let said = ended.stderr.to_lowercase();
        checks.that("says why", said.contains("disk") || said.contains("space"), ended.stderr.trim());
        checks.that("the file", file.is_file(), file.display());
        if file.is_file() {
            let length = probe(&file)["format"]["duration"].as_str().and_then(|s| s.parse().ok());
            checks.at_least("kept in s", &serde_json::json!(length.unwrap_or(0.0)), 2.5);
        }
    });
}
