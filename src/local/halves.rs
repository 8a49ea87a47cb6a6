//! The two halves as this process runs them: the one place that calls recorder and publisher.

use std::fs::File;
use std::sync::Arc;

use tokio::sync::{mpsc, watch};

use crate::complaint::Complaint;
use crate::egress::Resolver;
use crate::publisher::callback::Tries;
use crate::publisher::{self, MadeFrom, Progress, Publication, PublishError, Stage};
use crate::recorder::control::{Control, Ended, InternalFailure, Live, RecorderError};
use crate::session::event::PublisherEvent;
use crate::session::exit::ExitCode;
use crate::session::fold::{Folded, MediaPart};
use crate::session::folder::{PublisherRun, RecorderRun, SessionDir};
use crate::session::request::{Delivery, Request};

/// How far finishing is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Finishing {
    pub what: &'static str,
    /// Of the video, in microseconds.
    pub done_us: u64,
    pub total_us: u64,
}

/// Records until the recording is over or interrupted. `folded` has the run's `RunStarted` in it.
pub(super) async fn record(
    run: RecorderRun,
    request: Request,
    folded: Folded,
    controls: mpsc::Receiver<Control>,
    live: watch::Sender<Live>,
    egress: Resolver,
) -> Result<Ended, RecorderError> {
    crate::recorder::run(run, request, folded, controls, live, InternalFailure::EndsRecording, egress).await
}

/// Where the usable media of a part ends in the video.
pub(super) fn usable_end(part: MediaPart, file: File) -> Option<u64> {
    crate::publisher::usable_end(file, part.start_us).ok()
}

/// Begins to publish while it is recorded, where this delivery allows it. Journals `RunStarted`.
pub(super) fn publish_live(
    session: &Arc<SessionDir>,
    run: &Arc<PublisherRun>,
    delivery: &Delivery,
    resolver: &Resolver,
) -> Result<Option<publisher::Live>, Complaint> {
    run.append(PublisherEvent::RunStarted { run: run.number() })?;
    Ok(publisher::Live::start(session, run, delivery, resolver))
}

/// Makes and delivers the file, and journals every step after `RunStarted` up to `Delivered` or `Failed`.
pub(super) fn publish(
    session: &SessionDir,
    run: &PublisherRun,
    delivery: &Delivery,
    resolver: &Resolver,
    from: MadeFrom,
    progress: &mut dyn FnMut(Finishing),
) -> Result<(), Complaint> {
    let mut tell = |progress_so_far: Progress| {
        let what = match progress_so_far.stage {
            Stage::Transcoding => "transcoding",
            Stage::Packaging => "finishing",
            Stage::Delivering => "delivering",
        };
        let us = |signed: i64| signed.max(0) as u64;
        progress(Finishing { what, done_us: us(progress_so_far.done_us), total_us: us(progress_so_far.total_us) });
    };
    let publication = Publication { session, run, delivery, resolver };
    publication.make(from, &mut tell).map(drop).map_err(|error| match error {
        PublishError::Session(error) => error.into(),
        PublishError::Store(error) => Complaint::new(ExitCode::DeliveryFailed, error),
        error => Complaint::new(ExitCode::FinishingFailed, error),
    })
}

/// Tells of the end where that is asked for, and journals that everything is done.
pub(super) async fn conclude(
    session: &SessionDir,
    run: &PublisherRun,
    delivery: &Delivery,
    resolver: &Resolver,
    tries: Tries,
) -> Result<(), Complaint> {
    let publication = Publication { session, run, delivery, resolver };
    publication.call_back(tries).await?;
    run.append(PublisherEvent::Finished)?;
    Ok(())
}
