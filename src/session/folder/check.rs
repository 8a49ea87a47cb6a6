//! Whether an event can be true: values in range, names that belong to the run.

use super::limits;
use crate::session::event::{Moment, PublisherEvent, RecorderEvent, SeenRun};
use crate::session::name::{PartName, RunNumber};

/// An event that can be checked by itself.
pub(super) trait Check {
    /// Refuses what no recorder or publisher of ours writes; the text says why.
    fn check(&self, run: RunNumber, is_first: bool, at: Moment) -> Result<(), String>;

    /// How many parts the event begins.
    fn parts(&self) -> usize {
        0
    }
}

impl Check for RecorderEvent {
    fn check(&self, run: RunNumber, is_first: bool, at: Moment) -> Result<(), String> {
        moment(at)?;
        if is_first != matches!(self, RecorderEvent::RunStarted { .. }) {
            return Err("a journal begins with runStarted, and only there".into());
        }
        match self {
            RecorderEvent::RunStarted { run: named, older } => {
                if *named != run {
                    return Err(format!("it names run {named} in the journal of run {run}"));
                }
                seen_runs(older, run)
            }
            RecorderEvent::PartOpened { part, video_us } => {
                own_part(*part, run)?;
                place(*video_us)
            }
            RecorderEvent::PartClosed { part, end_video_us } => {
                own_part(*part, run)?;
                place(*end_video_us)
            }
            RecorderEvent::Paused { video_us, .. }
            | RecorderEvent::Resumed { video_us }
            | RecorderEvent::GapBegan { video_us, .. }
            | RecorderEvent::GapEnded { video_us }
            | RecorderEvent::Stopped { video_us, .. } => place(*video_us),
            RecorderEvent::BrowserStarted { version: text, .. }
            | RecorderEvent::PageFailed { reason: text }
            | RecorderEvent::Warning { text }
            | RecorderEvent::Failed { message: text, .. } => short(text),
            RecorderEvent::Figures(figures) => {
                place(figures.longest_freeze_us)?;
                place(figures.black_us)?;
                place(figures.silent_us)
            }
            RecorderEvent::PageLoaded | RecorderEvent::Edge { .. } | RecorderEvent::Refreshed => Ok(()),
        }
    }

    fn parts(&self) -> usize {
        usize::from(matches!(self, RecorderEvent::PartOpened { .. }))
    }
}

impl Check for PublisherEvent {
    fn check(&self, _run: RunNumber, _is_first: bool, at: Moment) -> Result<(), String> {
        moment(at)
    }
}

fn moment(at: Moment) -> Result<(), String> {
    if at.mono_us > limits::MONO_US {
        return Err(format!("{} is no monotonic time", at.mono_us));
    }
    Ok(())
}

fn place(video_us: u64) -> Result<(), String> {
    if video_us > limits::VIDEO_US {
        return Err(format!("{video_us} microseconds are no place in a video"));
    }
    Ok(())
}

fn own_part(part: PartName, run: RunNumber) -> Result<(), String> {
    if part.run != run {
        return Err(format!("part {part} belongs to another run than {run}"));
    }
    Ok(())
}

fn short(text: &str) -> Result<(), String> {
    if text.len() > limits::TEXT_BYTES {
        return Err(format!("a text of {} bytes is too long", text.len()));
    }
    Ok(())
}

fn seen_runs(older: &[SeenRun], run: RunNumber) -> Result<(), String> {
    let ascending = older.is_sorted_by(|a, b| a.run < b.run);
    if !ascending || older.iter().any(|seen| seen.run >= run) {
        return Err("the older runs are not in order".into());
    }
    for seen in older {
        if seen.journal_bytes > limits::JOURNAL_BYTES {
            return Err(format!("{} bytes are too many for a journal", seen.journal_bytes));
        }
        for part in &seen.parts {
            own_part(part.part, seen.run)?;
            place(part.end_video_us)?;
        }
    }
    Ok(())
}
