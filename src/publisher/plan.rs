//! Which stretch of which part makes up the video: the journal's word, checked against the files.

use std::fs::File;
use std::io::{self, Read};

use super::error::PublishError;
use super::measure::{Depth, Survey, survey};
use crate::media::grid::{SAMPLES_PER_SECOND, sample_at, us_of};
use crate::media::packet::{AudioTrack, VideoTrack};
use crate::media::{AudioGrid, Tracks};
use crate::session::fold::MediaPart;
use crate::session::name::PartName;

/// A hole that is filled with silence and the last picture; a longer one is a forged journal.
pub(super) const MAX_HOLE: i64 = 3600 * SAMPLES_PER_SECOND;
/// About 11 days: more than any recording, small enough to calculate with.
const MAX_VIDEO_US: u64 = 1_000_000_000_000;

/// Opens parts; the files are hostile, and the opener follows no links.
pub type OpenPart<'a> = dyn Fn(PartName) -> io::Result<File> + 'a;

/// A stretch of a part, in samples of the recording, on the audio grid.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct PlannedPart {
    pub name: PartName,
    /// What the times inside the part are relative to, in microseconds of video time.
    pub origin_us: i64,
    pub start: i64,
    /// One past the last sample.
    pub end: i64,
    /// An encoder was started for this part, so nothing in it refers to the part before.
    pub fresh_encoder: bool,
}

/// What all parts of one video have in common.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Head {
    /// The first sample.
    pub start: i64,
    pub video: VideoTrack,
    pub audio: AudioTrack,
    pub grid: AudioGrid,
}

impl Head {
    /// The tracks of the spliced stream, which has no priming left.
    pub fn tracks(&self) -> Tracks {
        let audio = AudioTrack { codec_delay_ns: 0, ..self.audio.clone() };
        Tracks { video: Some(self.video.clone()), audio: Some(audio) }
    }
}

/// The parts of one video, in order and without overlaps; at least one.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Plan {
    pub head: Head,
    pub parts: Vec<PlannedPart>,
}

impl Plan {
    /// How long the video is, in microseconds.
    pub fn duration_us(&self) -> i64 {
        self.parts.last().map_or(0, |part| us_of(part.end - self.head.start))
    }

    /// The tracks of the spliced stream.
    pub fn tracks(&self) -> Tracks {
        self.head.tracks()
    }
}

/// Looks at the parts and plans the video; None when there is nothing usable in them.
///
/// # Errors
/// A part that is no part, cannot be opened, or does not fit the others.
pub fn plan(parts: &[MediaPart], open: &OpenPart<'_>) -> Result<Option<Plan>, PublishError> {
    let mut plan: Option<Plan> = None;
    for part in parts {
        let Some((planned, seen)) = look_at(part, open)? else {
            continue;
        };
        match &mut plan {
            None => plan = Plan::begin(planned, seen),
            Some(plan) => plan.append(planned, &seen)?,
        }
    }
    Ok(plan)
}

/// None when nothing of the part is usable.
fn look_at(part: &MediaPart, open: &OpenPart<'_>) -> Result<Option<(PlannedPart, Survey)>, PublishError> {
    let file = open(part.name).map_err(|source| PublishError::OpenPart { part: part.name, source })?;
    let depth = if part.end_us.is_some() { Depth::Beginning } else { Depth::Whole };
    let Some((mut planned, seen)) = begin_of(part, file, depth)? else { return Ok(None) };
    planned.end = part.end_us.map_or(seen.end, |us| seen.grid.at_us(us as i64));
    Ok((planned.end > planned.start).then_some((planned, seen)))
}

/// What a part is by its beginning; its end is not yet what it will be. None when nothing of it is usable.
pub(super) fn begin_of(
    part: &MediaPart,
    bytes: impl Read,
    depth: Depth,
) -> Result<Option<(PlannedPart, Survey)>, PublishError> {
    let name = part.name;
    if part.start_us.max(part.end_us.unwrap_or(0)) > MAX_VIDEO_US {
        return Err(PublishError::Timeline { part: name, what: "lies beyond any recording" });
    }
    let seen =
        survey(bytes, part.start_us as i64, depth).map_err(|source| PublishError::Part { part: name, source })?;
    let Some(seen) = seen.filter(|seen| seen.key_frame) else {
        tracing::warn!(part = %name, "nothing in it is usable; left out");
        return Ok(None);
    };
    let planned = PlannedPart {
        name,
        origin_us: part.start_us as i64,
        start: seen.grid.nearest(sample_at(part.start_us as i64)),
        end: seen.end,
        fresh_encoder: seen.fresh_encoder,
    };
    Ok(Some((planned, seen)))
}

impl Plan {
    pub(super) fn begin(part: PlannedPart, seen: Survey) -> Option<Plan> {
        let (video, audio) = (seen.tracks.video?, seen.tracks.audio?);
        let head = Head { start: part.start, video, audio, grid: seen.grid };
        Some(Plan { head, parts: vec![part] })
    }

    /// Adds a part, unless it ends before the one before does.
    pub(super) fn append(&mut self, mut part: PlannedPart, seen: &Survey) -> Result<(), PublishError> {
        let unlike = |what| Err(PublishError::Unlike { part: part.name, what });
        let (Some(video), Some(audio)) = (&seen.tracks.video, &seen.tracks.audio) else {
            return unlike("has no picture or no sound");
        };
        let head = &self.head;
        if (video.codec, video.width, video.height) != (head.video.codec, head.video.width, head.video.height) {
            return unlike("has a picture of another codec or size");
        }
        if (audio.codec, audio.sample_rate, audio.channels, &audio.codec_private)
            != (head.audio.codec, head.audio.sample_rate, head.audio.channels, &head.audio.codec_private)
        {
            return unlike("has sound of another kind");
        }
        let end = self.parts.last().map_or(0, |last| last.end);
        if part.start - end > MAX_HOLE {
            let what = "begins more than an hour after the one before";
            return Err(PublishError::Timeline { part: part.name, what });
        }
        part.start = part.start.max(end);
        if part.end > part.start {
            self.parts.push(part);
        }
        Ok(())
    }
}
