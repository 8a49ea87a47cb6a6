//! What is offered: help and completions.

use crate::{Place, says};

#[test]
fn help_has_examples_and_names_every_flag_of_the_contract() {
    let place = Place::new();
    let help = |args: &[&str]| {
        let output = place.panorec(args);
        assert_eq!(output.status.code(), Some(0));
        String::from_utf8(output.stdout).unwrap()
    };
    let record = help(&["record", "--help"]);
    for flag in [
        "--output",
        "--width",
        "--height",
        "--frame-rate",
        "--duration",
        "--max-duration",
        "--format",
        "--codec",
        "--crf",
        "--pause-mode",
        "--start",
        "--start-timeout",
        "--constant-frame-rate",
        "--segment-seconds",
        "--hls-key-file",
        "--hls-key-url",
        "--hls-iv",
        "--thumbnail",
        "--user-agent",
        "--title",
        "--allow-no-sandbox",
        "--session",
        "--json",
    ] {
        says(&record, flag);
    }
    says(&record, "panorec record https://example.com/lesson -o lesson.mp4 --duration 10m");
    for command in ["resume", "ctl", "publish", "discard", "serve", "completions"] {
        says(&help(&[command, "--help"]), &format!("  panorec {command} "));
    }
    says(&help(&["action", "--help"]), "  panorec action describe ");
    for command in ["start", "describe", "list", "raw"] {
        says(&help(&["action", command, "--help"]), &format!("  panorec action {command} "));
    }
    says(&help(&["--help"]), "8 interrupted and\nresumable");
    says(&help(&["--version"]), env!("CARGO_PKG_VERSION"));
}

#[test]
fn completions_know_the_subcommands() {
    let place = Place::new();
    for shell in ["bash", "zsh", "fish"] {
        let output = place.panorec(&["completions", shell]);
        assert_eq!(output.status.code(), Some(0));
        let script = String::from_utf8(output.stdout).unwrap();
        for word in
            ["record", "resume", "ctl", "publish", "discard", "serve", "constant-frame-rate", "action", "hmac-sha384"]
        {
            says(&script, word);
        }
    }
}

#[test]
fn crd_prints_the_definition_that_is_committed() {
    let output = Place::new().panorec(&["crd"]);
    assert_eq!(output.status.code(), Some(0));
    assert!(output.stdout == include_bytes!("../../crds/recording.yaml"));
}
