//! The command line, as a person or a script meets it. No Chrome is started here.

mod offered;
mod refused;
mod sessions;

use std::path::Path;
use std::process::{Command, Output, Stdio};

use tempfile::TempDir;

const PAGE: &str = "https://school.example/lesson?key=secret";

/// A folder to be in.
struct Place {
    dir: TempDir,
}

impl Place {
    fn new() -> Place {
        Place { dir: tempfile::tempdir().unwrap() }
    }

    fn path(&self) -> &Path {
        self.dir.path()
    }

    fn command(&self, args: &[&str]) -> Command {
        let mut command = Command::new(env!("CARGO_BIN_EXE_panorec"));
        command
            .args(args)
            .current_dir(self.path())
            .env("XDG_STATE_HOME", self.path().join("state"))
            .env_remove("PANOREC_LOG")
            .stdin(Stdio::null());
        command
    }

    fn panorec(&self, args: &[&str]) -> Output {
        self.command(args).output().unwrap()
    }

    /// `panorec record PAGE` with these arguments; the code and what was said.
    #[track_caller]
    fn record_is_refused(&self, args: &[&str]) -> String {
        let args = [&["record", PAGE], args].concat();
        self.is_refused(&args)
    }

    #[track_caller]
    fn is_refused(&self, args: &[&str]) -> String {
        let output = self.panorec(args);
        let said = String::from_utf8(output.stderr).unwrap();
        assert_eq!(output.status.code(), Some(2), "{args:?}: {said}");
        assert!(output.stdout.is_empty());
        assert!(!self.path().join("state").exists(), "a session was made");
        said
    }
}

#[track_caller]
fn says(said: &str, words: &str) {
    assert!(said.contains(words), "{said:?} does not say {words:?}");
}
