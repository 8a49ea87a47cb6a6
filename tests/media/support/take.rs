//! A recording that a test interferes with.

use std::path::PathBuf;
use std::time::Duration;

use serde_json::Value;

use super::measure::complaints;
use super::{Checks, Ended, Panorec, Run, Scratch, Server, measure};

/// A recording under way, of a page of the kit.
pub struct Take {
    pub run: Run,
    file: PathBuf,
    _server: Server,
    _scratch: Scratch,
}

impl Take {
    /// Begins to record with these arguments, and waits for the first frame.
    pub fn begin(page: &str, args: &str) -> Take {
        let server = Server::start();
        let url = server.url(page);
        Take::begin_at(server, &url, args)
    }

    /// The same, of a server's page by another address than its own.
    pub fn begin_at(server: Server, url: &str, args: &str) -> Take {
        let scratch = Scratch::new();
        let file = scratch.join("out.mp4");
        let mut run = Panorec::record(url, &file, &scratch).args(args).spawn();
        run.wait_recording();
        Take { run, file, _server: server, _scratch: scratch }
    }

    /// Stops it by `panorec ctl`, looks whether it plays, and measures the file.
    pub fn stop(self, checks: &mut Checks) -> (Ended, Value) {
        self.run.ctl("stop");
        self.end(checks)
    }

    /// Waits for its end, looks whether it plays, and measures the file.
    pub fn end(self, checks: &mut Checks) -> (Ended, Value) {
        let ended = self.run.end(Duration::ZERO);
        ended.assert_done();
        checks.loaded(&ended.load);
        let complaints = complaints(&self.file);
        checks.that("plays through", complaints.is_empty(), complaints);
        (ended, measure(&self.file))
    }
}
