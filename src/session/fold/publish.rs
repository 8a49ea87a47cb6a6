//! The publisher's half of the fold.

use std::collections::BTreeMap;

use jiff::Timestamp;

use super::phase::Phase;
use super::warnings::shortened;
use crate::session::event::{Moment, PublishFailure, PublisherEvent, Video};
use crate::session::name::RunNumber;

/// A try to tell of the end.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CallbackTry {
    /// 1, 2, 3 …
    pub attempt: u32,
    /// None: it was taken.
    pub error: Option<String>,
}

/// What became of the finished files.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Published {
    /// The newest run, if any ran.
    pub run: Option<RunNumber>,
    /// Where the files are; None until everything is where it belongs.
    pub videos: Option<Vec<Video>>,
    /// Why the newest run failed.
    pub failure: Option<(PublishFailure, String)>,
    /// The callback was tried as often as it may be, and failed last with this.
    pub callback_failure: Option<String>,
    /// The last try of the callback, so that a newer run goes on counting.
    pub callback: Option<CallbackTry>,
    /// Uploads in parts that were begun and not brought to their end, by their keys.
    pub uploads: BTreeMap<String, String>,
    /// When the files were delivered, or when it was clear that they will not be.
    pub finish_time: Option<Timestamp>,
    started: Option<Moment>,
}

impl Published {
    /// Takes in an event; returns the phase that it leads to.
    pub(super) fn apply(&mut self, at: Moment, event: &PublisherEvent) -> Option<Phase> {
        match event {
            PublisherEvent::RunStarted { run } => {
                self.run = Some(*run);
                self.started = Some(at);
                // A new run tries again.
                self.failure = None;
                self.callback_failure = None;
            }
            PublisherEvent::TranscodeStarted => return Some(Phase::Transcode),
            PublisherEvent::UploadStarted => return Some(Phase::Upload),
            PublisherEvent::PartsBegun { key, upload_id } => {
                self.uploads.insert(key.clone(), upload_id.clone());
            }
            PublisherEvent::Delivered { videos } => {
                self.videos = Some(videos.clone());
                self.uploads.clear();
                self.callback = None;
                self.finish_time = self.wall(at);
            }
            PublisherEvent::CallbackStarted => return Some(Phase::Callback),
            PublisherEvent::CallbackTrying { attempt } => {
                let error = Some("the publisher ended before the answer came".to_owned());
                self.callback = Some(CallbackTry { attempt: *attempt, error });
            }
            PublisherEvent::CallbackTried { attempt, error } => {
                self.callback = Some(CallbackTry { attempt: *attempt, error: error.as_deref().map(shortened) });
            }
            PublisherEvent::CallbackFailed { message } => {
                self.callback_failure = Some(shortened(message));
            }
            PublisherEvent::Failed { failure, message } => {
                self.failure = Some((*failure, shortened(message)));
                self.callback = None;
                self.finish_time = self.wall(at);
            }
            PublisherEvent::Finished => {
                if self.finish_time.is_none() {
                    self.finish_time = self.wall(at);
                }
                return Some(Phase::Finished);
            }
            PublisherEvent::MediaMeasured { .. } | PublisherEvent::Warning { .. } => {}
        }
        None
    }

    /// The wall clock as the run found it at its start, carried on by the monotonic clock.
    fn wall(&self, at: Moment) -> Option<Timestamp> {
        let start = self.started.unwrap_or(at);
        let passed = at.mono_us.saturating_sub(start.mono_us);
        let passed = jiff::SignedDuration::from_micros(i64::try_from(passed).unwrap_or(i64::MAX));
        start.wall.saturating_add(passed).ok()
    }
}
