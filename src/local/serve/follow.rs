//! Following a session: what its journals and its intent say goes into memory as it comes.

use std::sync::Arc;

use super::task::Task;
use crate::session::fold::Phase;
use crate::session::folder::{FolderError, FolderWatch, JournalTail, SessionDir};
use crate::session::follow::{Follower, News};

/// Follows a session until it is finished, whoever is at work on it.
pub(super) async fn follow(session: Arc<SessionDir>, task: Arc<Task>) {
    let mut watch = FolderWatch::new(&session.recorder_runs_folder());
    watch.add(&session.publisher_runs_folder());
    watch.add(&session.intent_folder());
    let mut reading = Reading::default();
    loop {
        if let Err(error) = reading.catch_up(&session, &watch) {
            tracing::error!(%error, task = %task.id, "the session cannot be followed");
            return;
        }
        match session.intent() {
            Ok(said) => said.into_iter().for_each(|said| task.hear(said)),
            Err(error) => tracing::warn!(%error, task = %task.id, "what was said cannot be read"),
        }
        task.heed(reading.follower.folded());
        if reading.follower.folded().phase() == Phase::Finished {
            return;
        }
        watch.changed().await;
    }
}

#[derive(Default)]
struct Reading {
    tail: JournalTail,
    follower: Follower,
}

impl Reading {
    /// Reads what there is, and sees to it that what comes later wakes.
    fn catch_up(&mut self, session: &SessionDir, watch: &FolderWatch) -> Result<(), FolderError> {
        loop {
            let lines = self.tail.read(session)?;
            if lines.is_empty() {
                return Ok(());
            }
            if lines.into_iter().any(|line| self.follower.push(line) == News::Anew) {
                self.follower = std::mem::take(&mut self.follower).anew();
                self.tail = JournalTail::default();
            }
            // And once more after this: a line may have come before the watch.
            self.tail.newest_runs(session).iter().for_each(|run| watch.add(run));
        }
    }
}
