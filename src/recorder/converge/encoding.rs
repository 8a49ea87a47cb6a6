//! The encoder and the parts, as the loop sees them.

use std::fs::File;
use std::io;
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};

use tokio::time::Instant;

use super::run::{Converge, MediaEvent, Noted, Rolling, Why};
use crate::media::grid::{sample_at, us_of};
use crate::recorder::child::Child;
use crate::recorder::clock::now_us;
use crate::recorder::control::RecorderError;
use crate::recorder::encoder::{Beginning, Encoder, FeederEvent, PartFiles, PartsEvent, PartsWriter, Sent, Timeline};
use crate::session::event::{Failure, GapCause, RecorderEvent};
use crate::session::folder::RecorderRun;
use crate::session::name::PartName;

/// Encoders that may fail in a row without giving anything.
const HOPELESS: u32 = 3;

/// A running encoder.
pub(super) struct Encoding {
    pub child: Child,
    /// Ends, and is waited for, with this value.
    pub _parts: PartsWriter,
    /// Where its video begins, in microseconds.
    pub base_us: i64,
    /// It has ended, or its input has: nothing more can go in.
    pub over: bool,
    /// When it must have given its last packet.
    pub deadline: Option<Instant>,
}

/// Makes the parts of a run, in the order of their numbers.
struct RunParts {
    run: Arc<RecorderRun>,
    last: Arc<AtomicU32>,
}

impl PartFiles for RunParts {
    fn next(&mut self) -> io::Result<(PartName, File)> {
        let part = self.last.fetch_add(1, Ordering::Relaxed) + 1;
        let name = PartName { run: self.run.number(), part };
        let file = self.run.create_part(name).map_err(io::Error::other)?;
        Ok((name, file))
    }
}

impl Converge {
    /// Starts an encoder that goes on where the video ends.
    pub(super) fn start_encoder(&mut self) -> Result<(), RecorderError> {
        let end = sample_at(self.timeline.length(i64::MIN));
        let base_us = us_of(self.settings.grid().start_for(end));
        let encoder = Encoder::start(&self.plan.workplace, &self.settings)?;
        let mut files = RunParts { run: Arc::clone(&self.run), last: Arc::clone(&self.last_part) };
        let first = files.next().map_err(|source| RecorderError::Part { path: "a part".into(), source })?;
        self.unnoted_part = Some(first.0);
        let sent = Sent::default();
        let media = self.media.clone();
        let beginning = Beginning { sent: sent.clone(), grid: self.settings.grid(), base_us, first };
        let bytes = Arc::clone(&self.bytes);
        let parts = PartsWriter::start(encoder.output, beginning, Box::new(files), bytes, move |event| {
            let _ = media.send(MediaEvent::Parts(event));
        });
        let parts = parts.map_err(RecorderError::Thread)?;
        let attached = self.feeder.handle().attach(&self.settings, encoder.input, sent, base_us);
        if let Err(error) = attached {
            tracing::warn!(%error, "the encoder took nothing");
        }
        self.timeline = Timeline::at(base_us);
        self.encoding = Some(Encoding { child: encoder.child, _parts: parts, base_us, over: false, deadline: None });
        Ok(())
    }

    pub(super) fn follow_media(&mut self, event: MediaEvent) -> Result<(), RecorderError> {
        match event {
            MediaEvent::Feeder(FeederEvent::Joined { at_us, place_us }) => self.joined(at_us, place_us),
            MediaEvent::Feeder(FeederEvent::Unfilled { place_us }) => self.unfilled(place_us),
            MediaEvent::Feeder(FeederEvent::Cut { at_us, place_us }) => self.was_cut(at_us, place_us),
            MediaEvent::Feeder(FeederEvent::Finished) => {
                if let Some(encoding) = &mut self.encoding {
                    encoding.over = true;
                }
                Ok(())
            }
            MediaEvent::Feeder(FeederEvent::EncoderFailed(error)) => self.encoder_ended(&error.to_string()),
            MediaEvent::Parts(PartsEvent::Opened { part, place_us }) => {
                self.note(RecorderEvent::PartOpened { part, video_us: place_us.max(0) as u64 })
            }
            MediaEvent::Parts(PartsEvent::Closed { part, end_us }) => {
                if self.unnoted_part == Some(part) {
                    return Ok(());
                }
                self.note(RecorderEvent::PartClosed { part, end_video_us: end_us.max(0) as u64 })
            }
            MediaEvent::Parts(PartsEvent::Ended { end_us }) => self.parts_ended(end_us),
            MediaEvent::Parts(PartsEvent::Failed { error, end_us }) => self.parts_failed(&error, end_us),
        }
    }

    /// The encoder is gone, or takes nothing any more. What it gave is known when its output ends.
    pub(super) fn encoder_ended(&mut self, error: &str) -> Result<(), RecorderError> {
        let Some(encoding) = &mut self.encoding else { return Ok(()) };
        if !encoding.over && self.rolling != Rolling::Finishing {
            tracing::warn!(error, "the encoder is gone, starting another");
            self.missing = GapCause::EncoderDied;
        }
        encoding.over = true;
        encoding.child.kill();
        Ok(())
    }

    /// The encoder's output has ended: everything that it gave is in the parts.
    fn parts_ended(&mut self, end_us: i64) -> Result<(), RecorderError> {
        let Some(encoding) = self.encoding.take() else { return Ok(()) };
        let gave_something = end_us > encoding.base_us;
        drop(encoding);
        if self.rolling == Rolling::Finishing {
            // A cut that was not answered yet is answered by this.
            let length = self.timeline.length(now_us());
            self.finished(length.min(end_us));
            return Ok(());
        }
        self.encoder_failures = if gave_something { 0 } else { self.encoder_failures + 1 };
        if self.encoder_failures >= HOPELESS {
            return self.fail(Failure::Internal, "FFmpeg ends as soon as it is started".to_owned());
        }
        self.hole_from(end_us)?;
        self.timeline = Timeline::at(end_us);
        self.start_encoder()
    }

    /// The hole that a dead encoder leaves begins where its last packet ends.
    fn hole_from(&mut self, end_us: i64) -> Result<(), RecorderError> {
        let video_us = end_us.max(0) as u64;
        if self.rolling == Rolling::Filled {
            self.rolling = Rolling::Yes;
        }
        if self.rolling == Rolling::Yes {
            self.feeder.handle().cut(now_us(), false);
            self.cuts.push_back(Why::Gap(GapCause::EncoderDied));
            self.rolling = Rolling::No;
        }
        if self.noted == Noted::Recording {
            let at_us = self.timeline.time_of(end_us).unwrap_or_else(now_us);
            self.note_at(at_us, RecorderEvent::GapBegan { cause: GapCause::EncoderDied, video_us })?;
            self.noted = Noted::Gap;
        }
        Ok(())
    }

    /// A part could not be written: there is no room, or the folder is gone.
    fn parts_failed(&mut self, error: &io::Error, end_us: i64) -> Result<(), RecorderError> {
        if let Some(encoding) = &mut self.encoding {
            encoding.over = true;
            encoding.child.kill();
        }
        self.encoding = None;
        let full = matches!(error.kind(), io::ErrorKind::StorageFull | io::ErrorKind::QuotaExceeded);
        let (failure, message) = if full {
            (Failure::DiskFull, "the disk is full: free some space; what was recorded until then is kept".to_owned())
        } else {
            (Failure::Internal, format!("a part could not be written: {error}"))
        };
        self.timeline.cut(now_us());
        let result = self.fail(failure, message);
        self.rolling = Rolling::Finishing;
        self.finished(end_us);
        match result {
            // A full disk takes no journal line either.
            Err(RecorderError::Folder(error)) if full => {
                tracing::error!(%error, "cannot journal that the disk is full");
                Ok(())
            }
            other => other,
        }
    }
}
