//! How much of a part is usable: its sound decides, on the audio grid.

use std::io::Read;

use crate::media::grid::{sample_at, us_of};
use crate::media::matroska::{MatroskaReader, ReadError};
use crate::media::{AudioGrid, TrackKind, Tracks};

/// How far a part is read.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Depth {
    /// Until its kind is known: the first sound and the first key frame.
    Beginning,
    Whole,
}

/// What a part holds, found by reading it.
#[derive(Debug)]
pub(super) struct Survey {
    pub tracks: Tracks,
    pub grid: AudioGrid,
    /// The sample after the last sound read; the part's start when there is none.
    pub end: i64,
    /// Whether there is a picture to begin with.
    pub key_frame: bool,
    /// Whether the part begins with an encoder's priming: the encoder was started for it.
    pub fresh_encoder: bool,
}

/// Where a part's usable media ends, as a place in the video, when it begins at `start_us`.
///
/// A part that a crash tore ends with its last whole packet of sound; the last picture is held
/// until then. One without any picture, or torn before its first packet, has no usable media: its
/// end is its start.
///
/// # Errors
/// When the file is no part at all, or cannot be read.
pub fn usable_end(part: impl Read, start_us: u64) -> Result<u64, ReadError> {
    match survey(part, start_us as i64, Depth::Whole)? {
        Some(survey) if survey.key_frame => Ok(us_of(survey.end).max(start_us as i64) as u64),
        _ => Ok(start_us),
    }
}

/// Reads a part. None when it was torn before its tracks were written.
pub(super) fn survey(part: impl Read, start_us: i64, depth: Depth) -> Result<Option<Survey>, ReadError> {
    let mut reader = match MatroskaReader::new(part) {
        Ok(reader) => reader,
        Err(ReadError::Empty | ReadError::EndsInHeader) => return Ok(None),
        Err(error) => return Err(error),
    };
    let tracks = reader.tracks().clone();
    let (Some(_), Some(audio)) = (&tracks.video, &tracks.audio) else {
        return Err(ReadError::Unsupported("no picture or no sound"));
    };
    let Some(grid) = AudioGrid::of(audio.codec) else {
        return Err(ReadError::Unsupported("raw sound"));
    };
    let start = sample_at(start_us);
    let mut survey = Survey { tracks, grid, end: start, key_frame: false, fresh_encoder: false };
    let mut first_sound = true;
    loop {
        let packet = match reader.next_packet() {
            Ok(Some(packet)) => packet,
            Ok(None) => break,
            Err(ReadError::Io(error)) => return Err(ReadError::Io(error)),
            // Damage costs what comes after it, not what was before.
            Err(_) => break,
        };
        match packet.track {
            TrackKind::Video => survey.key_frame |= packet.key,
            TrackKind::Audio => {
                let end = grid.at_us(start_us + packet.pts_us) + grid.samples_per_packet();
                if std::mem::take(&mut first_sound) {
                    survey.fresh_encoder = end <= start;
                }
                survey.end = survey.end.max(end);
            }
        }
        if depth == Depth::Beginning && survey.key_frame && !first_sound {
            break;
        }
    }
    Ok(Some(survey))
}
