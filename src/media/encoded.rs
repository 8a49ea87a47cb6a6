//! Reads what FFmpeg's encoders give, with exact times for the sound.
//!
//! FFmpeg's Matroska rounds to the millisecond, and its versions disagree about priming: 5.1 tells
//! no codec delay for AAC and does not add Opus's to the times, later ones do both. An encoder
//! that is fed without holes makes packets of one length, so counting them is exact.

use std::io::Read;

use super::grid::{AudioGrid, SAMPLES_PER_SECOND, us_of};
use super::matroska::{MatroskaReader, ReadError};
use super::packet::{Packet, TrackKind, Tracks};

/// Packets of one FFmpeg process: video as stamped, sound counted from the first sample fed
/// (its time is 0; priming lies before). The feed must hold sound without holes, and FFmpeg be run
/// with `-avoid_negative_ts disabled`, so that it leaves the times of the pictures alone.
#[derive(Debug)]
pub struct EncodedReader<R> {
    inner: MatroskaReader<R>,
    tracks: Tracks,
    sound: Option<(AudioGrid, i64)>,
}

impl<R: Read> EncodedReader<R> {
    /// Blocks until FFmpeg has written its header.
    pub fn new(inner: R) -> Result<Self, ReadError> {
        let inner = MatroskaReader::new(inner)?;
        let mut tracks = inner.tracks().clone();
        let mut sound = None;
        if let Some(audio) = &mut tracks.audio
            && let Some(grid) = AudioGrid::of(audio.codec)
        {
            audio.codec_delay_ns = grid.preskip() as u64 * 1_000_000_000 / SAMPLES_PER_SECOND as u64;
            sound = Some((grid, -grid.preskip()));
        }
        Ok(EncodedReader { inner, tracks, sound })
    }

    /// The tracks, with the codec delay of the sound told.
    pub fn tracks(&self) -> &Tracks {
        &self.tracks
    }

    /// The next packet; None when FFmpeg closed its output, also in the middle of a packet.
    pub fn next_packet(&mut self) -> Result<Option<Packet>, ReadError> {
        let Some(mut packet) = self.inner.next_packet()? else {
            return Ok(None);
        };
        if packet.track == TrackKind::Audio
            && let Some((grid, next)) = &mut self.sound
        {
            packet.pts_us = us_of(*next);
            *next += grid.samples_per_packet();
        }
        Ok(Some(packet))
    }
}
