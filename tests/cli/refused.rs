//! What is refused, with a sentence that says what to do, before anything starts.

use std::fs;

use crate::{PAGE, Place, says};

#[test]
fn values_out_of_bounds_are_refused_with_the_bounds() {
    let place = Place::new();
    for (flag, value, bounds) in [
        ("--width", "0", "16 to 2560 pixels"),
        ("--width", "5000", "16 to 2560 pixels"),
        ("--height", "15", "16 to 2560 pixels"),
        ("--height", "tall", "16 to 2560 pixels"),
        ("--frame-rate", "0", "1 to 60"),
        ("--frame-rate", "61", "1 to 60"),
        ("--duration", "0", "more than 0"),
        ("--duration", "soon", "more than 0"),
        ("--max-duration", "259201", "1 to 259200 seconds"),
        ("--start-timeout", "0", "1 to 259200 seconds"),
        ("--crf", "64", "0 to 63"),
        ("--crf", "52", "0 to 51"),
        ("--segment-seconds", "0", "1 to 600 seconds"),
        ("--user-agent", "", "1 to 1024 bytes"),
        ("--codec", "av1", "h264, vp8, vp9"),
        ("--pause-mode", "stop", "cut, freeze, black"),
    ] {
        says(&place.record_is_refused(&[flag, value]), bounds);
    }
    says(&place.record_is_refused(&["--codec", "vp9", "--crf", "3"]), "4 to 63");
}

#[test]
fn only_pages_can_be_recorded_and_no_secret_is_repeated() {
    let place = Place::new();
    for (url, words) in [
        ("file:///etc/passwd", "only http and https"),
        ("chrome://settings?key=secret", "only http and https"),
        ("school.example/lesson?key=secret", "https://example.com"),
        ("https://?key=secret", "https://example.com"),
        ("http://exa mple/?key=secret", "https://example.com"),
    ] {
        let said = place.is_refused(&["record", url]);
        says(&said, words);
        assert!(!said.contains("secret"), "{said}");
        assert_eq!(said.lines().count(), 1, "{said}");
    }
}

#[test]
fn an_output_that_cannot_be_written_is_refused_before_anything_starts() {
    let place = Place::new();
    fs::write(place.path().join("file"), "").unwrap();
    for (output, words) in [
        ("missing/a.mp4", "is not there; make it"),
        ("missing/", "is not there; make it"),
        ("file/a.mp4", "give -o"),
        ("a.webm", ".mp4 or .m3u8"),
        ("lesson", ".mp4 or .m3u8"),
        // Writable by nobody, root included.
        ("/proc/a.mp4", "cannot be written to"),
    ] {
        let said = place.record_is_refused(&["-o", output]);
        says(&said, words);
        assert_eq!(said.lines().count(), 1, "{said}");
    }
    let link = place.path().join("link.mp4");
    std::os::unix::fs::symlink("/dev/null", link).unwrap();
    says(&place.record_is_refused(&["-o", "link.mp4"]), "is not a file");
    let left = fs::read_dir(place.path()).unwrap().count();
    assert_eq!(left, 2, "something was left behind");
}

#[test]
fn options_that_do_not_go_together_are_refused() {
    let place = Place::new();
    fs::write(place.path().join("key"), [7; 16]).unwrap();
    fs::write(place.path().join("short"), [7; 15]).unwrap();
    fs::write(place.path().join("login"), r#"{"cookies": [{"name": "secret"}]}"#).unwrap();
    let url = "https://keys.example/1";
    for (args, words) in [
        (&["-o", "a.mp4", "--format", "hls"][..], "end the name with .m3u8"),
        (&["--segment-seconds", "6"], "add --format hls"),
        (&["--hls-key-file", "key", "--hls-key-url", url], "add --format hls"),
        (&["--format", "hls", "--hls-key-file", "key"], "--hls-key-url"),
        (&["--format", "hls", "--hls-key-url", url], "--hls-key-file"),
        (&["--format", "hls", "--hls-iv", "00112233445566778899aabbccddeeff"], "--hls-key-file"),
        (&["-o", "a.m3u8", "--hls-key-file", "short", "--hls-key-url", url], "16 bytes or 32 hexadecimal digits"),
        (&["-o", "a.m3u8", "--hls-key-file", "none", "--hls-key-url", url], "cannot be read"),
        (&["-o", "a.m3u8", "--hls-key-file", "key", "--hls-key-url", url, "--hls-iv", "12"], "32 hexadecimal digits"),
        (&["--login", "none"], "cannot be read"),
        (&["--login", "login"], "a field is missing"),
    ] {
        let said = place.record_is_refused(args);
        says(&said, words);
        assert!(!said.contains("secret"), "{said}");
    }
}

#[test]
fn a_session_folder_must_be_new_to_record_and_a_session_to_resume() {
    let place = Place::new();
    fs::create_dir_all(place.path().join("old/recorder")).unwrap();
    fs::write(place.path().join("file"), "").unwrap();
    says(&place.record_is_refused(&["--session", "old"]), "panorec resume");
    says(&place.record_is_refused(&["--session", "file/session"]), "--session DIR");
    for command in ["resume", "publish"] {
        says(&place.is_refused(&[command, "old"]), "holds no session");
        says(&place.is_refused(&[command, "missing"]), "holds no session");
    }
    says(&place.is_refused(&["ctl", "missing", "stop"]), "holds no session");
    says(&place.is_refused(&["ctl", "missing", "explode"]), "pause, resume, refresh, stop");
}

#[test]
fn an_action_that_cannot_be_asked_is_refused_before_anything_is_sent() {
    let place = Place::new();
    fs::write(place.path().join("list"), "[]").unwrap();
    for (args, words) in [
        (&["start"][..], "URL"),
        (&["start", "--data", "none"], "cannot be used"),
        (&["start", "--data", "list"], "Data must be an object"),
        (&["start", PAGE, "--client-token", "a b"], "1 to 64 visible ASCII characters"),
        (&["start", PAGE, "--user-data", "{"], "it must be JSON"),
        (&["list", "--from", "yesterday"], "2026-03-01"),
        (&["describe", "lesson", "--wait", "done"], "finished"),
        (&["describe", "lesson", "--within", "1h"], "--wait"),
        (&["list", "--algorithm", "hmac-md5"], "hmac-sha256"),
        (&["list", "--url", "https://gateway.example/?a=1"], "base URL"),
        (&["list", "--key-id", "school"], "--key-file FILE"),
        (&["list", "--key-id", "school", "--key-file", "none"], "cannot be used"),
    ] {
        says(&place.is_refused(&[&["action"], args].concat()), words);
    }
}

#[test]
fn no_command_or_a_wrong_one_is_bad_usage() {
    let place = Place::new();
    says(&place.is_refused(&[]), "Usage: panorec");
    says(&place.is_refused(&["rekord"]), "record");
    says(&place.is_refused(&["record"]), "<URL>");
    says(&place.is_refused(&["publish", "x", "--from", "start"]), "splice, upload, callback");
}

#[test]
fn serve_is_refused_where_it_would_be_open_to_all_or_unfit() {
    let place = Place::new();
    let data = place.path().join("data");
    let data = data.to_str().unwrap();
    for (args, words) in [
        (&["--listen", "0.0.0.0:0"][..], "give --keys FILE, or listen at 127.0.0.1"),
        (&["--listen", "127.0.0.1:0", "--s3-domain", "https://a.example/"], "Output.Cos.Domain"),
        (&["--listen", "127.0.0.1:0", "--public-url", "ftp://a.example/"], "--public-url must be"),
        (&["--listen", "127.0.0.1:0", "--max-recordings", "0"], "--max-recordings"),
        (&["--listen", "127.0.0.1:0", "--keep", "soon"], "--keep"),
        (&["--listen", "127.0.0.1:0", "--keys", "missing.json"], "missing.json"),
    ] {
        says(&place.is_refused(&[&["serve", "--data", data], args].concat()), words);
    }
}
