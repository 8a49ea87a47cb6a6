//! What the media tests stand on: pages served, panorec run, processes watched, files measured.
//! Called by the tests of this folder alone.
//! Never: leaves a process, a file outside its scratch folder or a device behind, also on failure.

pub mod cgroup;
pub mod checks;
pub mod click;
pub mod load;
pub mod measure;
pub mod ogg_ivf;
pub mod panorec;
pub mod peer;
pub mod player;
pub mod procs;
pub mod reference;
pub mod server;
pub mod take;
pub mod tls;

use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::OnceLock;

pub use checks::{Checks, judged};
pub use measure::{measure, measure_page, probe};
pub use panorec::{Ended, Kind, Panorec, Run};
pub use server::Server;
pub use take::Take;

/// The folder of this file's parent: tests/media.
pub fn here() -> &'static Path {
    Path::new(concat!(env!("CARGO_MANIFEST_DIR"), "/tests/media"))
}

/// The media files that pages play; made by kit/make_media.py on first use and kept in the target
/// folder until that program changes.
pub fn kit_media() -> &'static Path {
    static FOLDER: OnceLock<PathBuf> = OnceLock::new();
    FOLDER.get_or_init(|| {
        let folder = Path::new(env!("CARGO_TARGET_TMPDIR")).join("kit-media");
        let program = here().join("kit/make_media.py");
        let stamp = folder.join("made-by");
        let source = std::fs::read(&program).expect("kit/make_media.py");
        if std::fs::read(&stamp).ok().as_ref() != Some(&source) {
            let _ = std::fs::remove_dir_all(&folder);
            let status = Command::new("/usr/bin/python3").arg(&program).arg(&folder).status().expect("python3 starts");
            assert!(status.success(), "kit/make_media.py failed: see above");
            std::fs::write(&stamp, source).expect("the stamp");
        }
        folder
    })
}

/// A folder of one test, removed at its end; kept and named when the test panics, or always with
/// PANOREC_TEST_KEEP=1.
pub struct Scratch {
    folder: Option<tempfile::TempDir>,
}

impl Scratch {
    pub fn new() -> Scratch {
        let folder = tempfile::Builder::new().prefix("panorec-test-").tempdir();
        Scratch { folder: Some(folder.expect("a folder for temporary files")) }
    }

    pub fn path(&self) -> &Path {
        self.folder.as_ref().expect("there until dropped").path()
    }

    pub fn join(&self, name: &str) -> PathBuf {
        self.path().join(name)
    }
}

impl Drop for Scratch {
    fn drop(&mut self) {
        let folder = self.folder.take().expect("dropped once");
        if std::thread::panicking() || std::env::var_os("PANOREC_TEST_KEEP").is_some() {
            println!("    kept for a look: {}", folder.keep().display());
        }
    }
}

pub fn seconds(seconds: f64) -> std::time::Duration {
    std::time::Duration::from_secs_f64(seconds)
}
