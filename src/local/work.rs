//! A session at work in this process, whoever looks after it: a person at a terminal, or `panorec serve`.

use std::pin::Pin;
use std::sync::Arc;

use tokio::sync::{mpsc, watch};
use tokio_util::task::AbortOnDropHandle;

use super::halves::{self, Finishing};
use crate::complaint::Complaint;
use crate::egress::Resolver;
use crate::publisher::MadeFrom;
use crate::publisher::callback::Tries;
use crate::recorder::control::{Control, Ended, Live};
use crate::session::event::{Failure, PublisherEvent, RecorderEvent};
use crate::session::fold::Folded;
use crate::session::folder::{FolderWatch, PublisherRun, RecorderRun, SessionDir};
use crate::session::intent::{By, IntentState};
use crate::session::request::Delivery;

/// How far a session came.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Outcome {
    /// As the fold says.
    Over,
    Interrupted,
    Superseded,
}

/// Whoever looks after a session while it is at work.
pub(super) trait Attendant {
    /// Sees a recording to its end, with orders of its own.
    fn record(&mut self, recording: Recording) -> impl Future<Output = Result<Ended, Complaint>> + Send;

    /// Sees the making of the file to its end. Whatever is not over is left to a next run.
    fn make(&mut self, making: Making) -> impl Future<Output = Result<Outcome, Complaint>> + Send;
}

type Running<T> = Pin<Box<dyn Future<Output = Result<T, Complaint>> + Send>>;

/// A life of the recorder.
pub(super) struct Recording {
    pub orders: Orders,
    /// How it goes.
    pub live: watch::Receiver<Live>,
    /// Comes to its end with it; what is told to the session meanwhile is handed on.
    pub ended: Running<Ended>,
}

/// Orders to a running recorder.
#[derive(Clone)]
pub(super) struct Orders(mpsc::Sender<Control>);

impl Orders {
    pub(super) fn give(&self, order: Control) {
        // A full channel means that the recorder is stuck; the order would not help.
        if let Err(error) = self.0.try_send(order) {
            tracing::warn!(%error, "the recorder takes no orders");
        }
    }
}

/// A file that is being made and delivered.
pub(super) struct Making {
    pub progress: watch::Receiver<Option<Finishing>>,
    pub made: Running<()>,
}

/// What a recording may reach.
#[derive(Clone, Default)]
pub(super) struct Egress {
    /// Its page.
    pub page: Resolver,
    /// Its delivery: stores and callback.
    pub delivery: Resolver,
}

/// Records, unless that is over, and then makes and delivers the file.
pub(super) async fn record_and_finish(
    dir: &Arc<SessionDir>,
    notes: &[String],
    egress: &Egress,
    attendant: &mut impl Attendant,
) -> Result<Outcome, Complaint> {
    let mut publishing = None;
    if !dir.folded()?.is_stopped() {
        let begun = publishing.insert(Publishing::begin(dir, &egress.delivery)?);
        let following = begun.follow(dir);
        let ended = match Recording::begin(dir, notes, &egress.page)? {
            Some(recording) => attendant.record(recording).await,
            None => Ok(Ended::Over),
        };
        drop(following);
        match ended? {
            Ended::Over => {}
            Ended::Interrupted => return Ok(Outcome::Interrupted),
            Ended::Superseded => return Ok(Outcome::Superseded),
        }
    }
    // A recorder that failed in a way that a new run can mend has not ended the recording.
    if dir.folded()?.is_stopped() {
        let publishing = publishing.map_or_else(|| Publishing::anew(dir, MadeFrom::Parts, &egress.delivery), Ok)?;
        return finish(dir, publishing, attendant).await;
    }
    Ok(Outcome::Over)
}

/// Makes and delivers the file, and tells of it.
pub(super) async fn finish(
    dir: &Arc<SessionDir>,
    publishing: Publishing,
    attendant: &mut impl Attendant,
) -> Result<Outcome, Complaint> {
    let (run, delivery) = (Arc::clone(&publishing.run), publishing.delivery.clone());
    let resolver = publishing.resolver.clone();
    match attendant.make(publishing.make(dir)).await? {
        Outcome::Over => {}
        other => return Ok(other),
    }
    halves::conclude(dir, &run, &delivery, &resolver, Tries::GoOn).await?;
    Ok(Outcome::Over)
}

impl Recording {
    /// Begins the next life of the recorder. None: the recording is over.
    fn begin(dir: &Arc<SessionDir>, notes: &[String], egress: &Resolver) -> Result<Option<Recording>, Complaint> {
        let (request, egress) = (dir.request()?, egress.clone());
        // From here on nothing that is told goes unnoticed.
        let mut told = FolderWatch::new(&dir.intent_folder());
        let (run, folded) = take_over(dir, notes)?;
        if folded.is_stopped() {
            return Ok(None);
        }
        let (orders, controls) = mpsc::channel(64);
        let (show, live) = watch::channel(Live::before(&folded));
        let orders = Orders(orders);
        let (dir, handing_on) = (Arc::clone(dir), orders.clone());
        let ended = Box::pin(async move {
            let mut recording = Box::pin(halves::record(run, request, folded, controls, show, egress));
            loop {
                tokio::select! {
                    ended = &mut recording => return Ok(ended?),
                    () = told.changed() => if let Some(intent) = dir.intent()? {
                        handing_on.give(Control::Told { intent, journaled: None });
                    },
                }
            }
        });
        Ok(Some(Recording { orders, live, ended }))
    }
}

/// Claims the next run of the recorder and journals what it begins with: what it saw of the older runs, what was told
/// while none lived, what a person was told of this recording.
fn take_over(dir: &SessionDir, notes: &[String]) -> Result<(RecorderRun, Folded), Complaint> {
    let run = RecorderRun::claim(dir)?;
    let mut folded = run.start(dir, halves::usable_end)?;
    for text in notes {
        let entry = run.append(RecorderEvent::Warning { text: text.clone() })?;
        folded.apply_recorder(run.number(), &entry);
    }
    run.take_in(&mut folded, dir.intent()?)?;
    Ok((run, folded))
}

/// Ends a recording that no recorder can go on with; what was recorded is kept.
pub(super) fn give_up(dir: &SessionDir, message: String) -> Result<(), Complaint> {
    let (run, folded) = take_over(dir, &[])?;
    if !folded.is_stopped() {
        let stopped = Some(IntentState::Stopped);
        run.append(RecorderEvent::Edge { by: By::Recorder, state: stopped, reload: false, told: None })?;
        run.append(RecorderEvent::Failed { failure: Failure::Internal, message })?;
    }
    Ok(())
}

/// A publisher's run, and what it publishes while it is recorded.
pub(super) struct Publishing {
    run: Arc<PublisherRun>,
    delivery: Delivery,
    resolver: Resolver,
    from: MadeFrom,
}

impl Publishing {
    /// One that publishes while it is recorded, where that can be done.
    fn begin(dir: &Arc<SessionDir>, resolver: &Resolver) -> Result<Publishing, Complaint> {
        let (run, delivery) = (Arc::new(PublisherRun::claim(dir)?), dir.delivery()?);
        let live = halves::publish_live(dir, &run, &delivery, resolver)?;
        let from = live.map_or(MadeFrom::Parts, MadeFrom::Live);
        Ok(Publishing { run, delivery, resolver: resolver.clone(), from })
    }

    /// One that does it when everything is recorded.
    pub(super) fn anew(dir: &SessionDir, from: MadeFrom, resolver: &Resolver) -> Result<Publishing, Complaint> {
        let (run, delivery) = (Arc::new(PublisherRun::claim(dir)?), dir.delivery()?);
        run.append(PublisherEvent::RunStarted { run: run.number() })?;
        Ok(Publishing { run, delivery, resolver: resolver.clone(), from })
    }

    /// Tells of what is delivered already.
    pub(super) async fn call_back(self, dir: &SessionDir, tries: Tries) -> Result<(), Complaint> {
        halves::conclude(dir, &self.run, &self.delivery, &self.resolver, tries).await
    }

    /// Tells it what is recorded, until the answer is dropped.
    fn follow(&self, dir: &Arc<SessionDir>) -> AbortOnDropHandle<()> {
        let followed = match &self.from {
            MadeFrom::Live(live) => Some(Arc::clone(live.followed())),
            MadeFrom::Parts | MadeFrom::Files => None,
        };
        let dir = Arc::clone(dir);
        AbortOnDropHandle::new(tokio::spawn(async move {
            let Some(followed) = followed else { return };
            let mut watch = FolderWatch::new(&dir.recorder_runs_folder());
            loop {
                match dir.folded() {
                    Ok(folded) => {
                        if let Some(run) = folded.run {
                            watch.add(&dir.recorder_runs_folder().join(run.to_string()));
                        }
                        followed.tell(&folded, false);
                    }
                    // Whoever finishes says what is wrong with it.
                    Err(error) => return tracing::warn!(%error, "the journal cannot be followed"),
                }
                watch.changed().await;
            }
        }))
    }

    fn make(self, dir: &Arc<SessionDir>) -> Making {
        let Publishing { run, delivery, resolver, from } = self;
        let (report, progress) = watch::channel(None::<Finishing>);
        let dir = Arc::clone(dir);
        let making = tokio::task::spawn_blocking(move || {
            let mut tell = |progress| {
                report.send_replace(Some(progress));
            };
            halves::publish(&dir, &run, &delivery, &resolver, from, &mut tell)
        });
        let made = Box::pin(async move {
            making.await.map_err(|error| Complaint::internal(format!("the publisher broke: {error}")))?
        });
        Making { progress, made }
    }
}
