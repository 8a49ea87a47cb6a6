//! The two halves as this process runs them: the one place that calls recorder and publisher.

use std::fs::File;

use tokio::sync::{mpsc, watch};

use crate::complaint::Complaint;
use crate::publisher::{Progress, PublishError, Stage};
use crate::recorder::control::{Control, Ended, InternalFailure, Live, RecorderError};
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
) -> Result<Ended, RecorderError> {
    crate::recorder::run(run, request, folded, controls, live, InternalFailure::EndsRecording).await
}

/// Where the usable media of a part ends in the video.
pub(super) fn usable_end(part: MediaPart, file: File) -> Option<u64> {
    crate::publisher::usable_end(file, part.start_us).ok()
}

/// Makes and delivers the file, and journals every step up to `Finished` or `Failed`.
pub(super) fn publish(
    session: &SessionDir,
    run: PublisherRun,
    delivery: &Delivery,
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
    crate::publisher::publish(session, &run, delivery, &mut tell).map(drop).map_err(|error| match error {
        PublishError::Session(error) => error.into(),
        PublishError::Store(error) => Complaint::new(ExitCode::DeliveryFailed, error),
        error => Complaint::new(ExitCode::FinishingFailed, error),
    })
}
