//! One task from its creation to its end: its turn, its recording, its file.

use std::sync::Arc;
use std::time::Duration;

use tokio_util::sync::CancellationToken;
use tokio_util::task::AbortOnDropHandle;

use super::area::SecretFiles;
use super::ask;
use super::follow::follow;
use super::queue::{Queue, Turn};
use super::task::Task;
use crate::complaint::Complaint;
use crate::local::report;
use crate::local::screen::{Screen, clock, size};
use crate::local::work::{self, Attendant, Egress, Making, Outcome, Publishing, Recording};
use crate::publisher::MadeFrom;
use crate::publisher::callback::Tries;
use crate::recorder::control::{Control, Ended};
use crate::session::fold::{Folded, Phase};
use crate::session::folder::SessionDir;

/// After these times it is tried again to go on with a recording that this machine could not go on with; then no more.
const PATIENCE: [Duration; 4] =
    [Duration::from_secs(1), Duration::from_secs(5), Duration::from_secs(20), Duration::from_secs(60)];

/// What all tasks share.
pub(super) struct Work {
    pub queue: Arc<Queue>,
    pub egress: Egress,
    /// The end of this process.
    pub end: CancellationToken,
    pub screen: Screen,
}

/// A task's place in the queue, taken before its work begins so that nobody who came later comes before it.
pub(super) enum Place {
    Waiting(super::queue::Waiting),
    /// It has begun before.
    Turn(Turn),
    /// There is nothing to be recorded any more.
    NoNeed,
}

impl Work {
    pub(super) fn place(&self, task: &Task, folded: &Folded) -> Place {
        match folded.runs {
            _ if folded.is_stopped() => Place::NoNeed,
            0 => Place::Waiting(self.queue.join(task.asked.created, task.id.clone())),
            _ => Place::Turn(self.queue.take()),
        }
    }

    /// Sees a task to its end, or to that of this process.
    pub(super) async fn attend(&self, task: Arc<Task>, session: SessionDir, secrets: SecretFiles, place: Place) {
        let session = Arc::new(session);
        let following = AbortOnDropHandle::new(tokio::spawn(follow(Arc::clone(&session), Arc::clone(&task))));
        if let Some(turn) = self.turn(&task, place).await {
            match self.see_through(&task, &session, &secrets, turn).await {
                Ok(Outcome::Over) => self.say_end(&task, &session),
                Ok(Outcome::Interrupted) => {}
                Ok(Outcome::Superseded) => self.say(&task, "another panorec goes on with it"),
                Err(error) => self.say(&task, format_args!("cannot go on: {error}")),
            }
        }
        // Also what another process does with it is seen to the end.
        if self.end.run_until_cancelled(following).await.is_some() {
            remove_spent(&session, &secrets);
        }
    }

    /// Waits for the task's turn. None: this process ends.
    async fn turn(&self, task: &Task, place: Place) -> Option<Option<Turn>> {
        match place {
            Place::NoNeed => Some(None),
            Place::Turn(turn) => Some(Some(turn)),
            Place::Waiting(mut waiting) => tokio::select! {
                turn = waiting.turn() => Some(Some(turn)),
                // It is over without having begun, and needs no turn for that.
                () = task.told_to_stop() => Some(None),
                () = self.end.cancelled() => None,
            },
        }
    }

    async fn see_through(
        &self,
        task: &Task,
        session: &Arc<SessionDir>,
        secrets: &SecretFiles,
        turn: Option<Turn>,
    ) -> Result<Outcome, Complaint> {
        let folded = session.folded()?;
        let notes = if folded.runs == 0 { ask::notes(&task.asked.parameters) } else { Vec::new() };
        if folded.phase() == Phase::Finished {
            return Ok(Outcome::Over);
        }
        // What an older run delivered is not delivered twice.
        if folded.is_stopped() && folded.published.videos.is_some() && folded.published.failure.is_none() {
            Publishing::anew(session, MadeFrom::Files, &self.egress.delivery)?.call_back(session, Tries::GoOn).await?;
            return Ok(Outcome::Over);
        }
        let mut attended = Attended { work: self, task, session, secrets, turn };
        for patience in PATIENCE {
            let why = match work::record_and_finish(session, &notes, &self.egress, &mut attended).await {
                Err(error) if error.is_superseded => return Ok(Outcome::Superseded),
                Err(error) => error.to_string(),
                // A recorder that ends has ended the recording, unless a new run can mend what was wrong.
                Ok(Outcome::Over) if !session.folded()?.is_stopped() => "the recorder has ended".to_owned(),
                Ok(outcome) => return Ok(outcome),
            };
            self.say(task, format_args!("{why}; it is tried again in {} s", patience.as_secs()));
            if self.end.run_until_cancelled(tokio::time::sleep(patience)).await.is_none() {
                return Ok(Outcome::Interrupted);
            }
        }
        work::give_up(session, "this machine cannot go on with the recording".to_owned())?;
        work::record_and_finish(session, &[], &self.egress, &mut attended).await
    }

    fn say_end(&self, task: &Task, session: &SessionDir) {
        let ended = session.folded().map_err(Complaint::from).and_then(|folded| {
            report::write(session, &folded)?;
            Ok(folded)
        });
        let folded = match ended {
            Ok(folded) => folded,
            Err(error) => return self.say(task, format_args!("the result cannot be written: {error}")),
        };
        let failure = folded.published.failure.as_ref().map(|(_, message)| message);
        let failure = failure.or(folded.failure.as_ref().map(|failed| &failed.message));
        match (folded.published.videos.as_ref().and_then(|videos| videos.first()), failure) {
            (Some(video), _) => {
                let duration = clock((video.duration_seconds * 1e6) as u64);
                self.say(task, format_args!("finished: {}  {duration}  {}", video.filename, size(video.size_bytes)));
            }
            (None, Some(failure)) => self.say(task, format_args!("finished without a video: {failure}")),
            (None, None) => self.say(task, "finished: nothing was recorded"),
        }
    }

    fn say(&self, task: &Task, what: impl std::fmt::Display) {
        self.screen.say(format_args!("{}  {what}", task.id));
    }
}

fn remove_spent(session: &SessionDir, secrets: &SecretFiles) {
    match session.folded() {
        Ok(folded) => secrets.remove_spent(&folded),
        Err(error) => tracing::warn!(%error, "what is secret of a session stays"),
    }
}

/// A task that nobody looks at.
struct Attended<'a> {
    work: &'a Work,
    task: &'a Task,
    session: &'a SessionDir,
    secrets: &'a SecretFiles,
    /// Held while it records.
    turn: Option<Turn>,
}

impl Attendant for Attended<'_> {
    async fn record(&mut self, recording: Recording) -> Result<Ended, Complaint> {
        let Recording { orders, live: _, mut ended } = recording;
        // The rest of the URL may be a secret.
        self.work.say(self.task, format_args!("records {}", self.task.asked.parameters.record_url.host()));
        self.task.set_recorder_lives(true);
        let ended = tokio::select! {
            ended = &mut ended => ended,
            () = self.work.end.cancelled() => {
                orders.give(Control::StopRun);
                ended.await
            }
        };
        self.task.set_recorder_lives(false);
        ended
    }

    async fn make(&mut self, making: Making) -> Result<Outcome, Complaint> {
        drop(self.turn.take());
        remove_spent(self.session, self.secrets);
        let mut made = making.made;
        let made = tokio::select! {
            made = &mut made => made,
            // The next publisher goes on from the journal; FFmpeg ends with this process.
            () = self.work.end.cancelled() => return Ok(Outcome::Interrupted),
        };
        match made {
            // A failure that is in the journal is an end like another.
            Err(error) if !error.is_superseded && self.session.folded()?.published.failure.is_some() => {
                tracing::error!(%error, task = %self.task.id, "publishing failed");
                Ok(Outcome::Over)
            }
            made => made.map(|()| Outcome::Over),
        }
    }
}
