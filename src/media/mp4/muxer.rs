//! Takes packets, gives their bytes away chunk by chunk, and keeps the tables.

use std::io;
use std::path::Path;

use crate::media::packet::{Packet, TrackKind, Tracks};

use super::error::Mp4Error;
use super::format::Format;
use super::index::Mp4Index;
use super::track::Track;

/// What a chunk lasts, in microseconds: chunk tables stay small, and players jump little between the tracks.
const CHUNK_US: i64 = 500_000;
/// What both tracks' chunks have together; a packet that is longer is alone.
const CHUNK_BYTES: usize = 4 << 20;

/// Makes an MP4 of H.264 and AAC-LC (48 kHz) packets. Pictures must come in the order they are shown in: a packet's
/// time is its decoding time, too.
#[derive(Debug)]
pub struct Mp4Muxer {
    /// Pictures first.
    tracks: Vec<Track>,
    held_bytes: usize,
    media_bytes: u64,
}

impl Mp4Muxer {
    /// `spill` is a folder in which unnamed files are made when the sample tables outgrow some 64 KiB each.
    ///
    /// # Errors
    /// When there is no track, or one that is not of H.264 or AAC-LC, or whose codec private data is broken.
    pub fn new(tracks: &Tracks, spill: &Path) -> Result<Mp4Muxer, Mp4Error> {
        let video = tracks.video.as_ref().map(Format::video).transpose()?;
        let audio = tracks.audio.as_ref().map(Format::audio).transpose()?;
        let tracks: Vec<_> = [video, audio].into_iter().flatten().map(|format| Track::new(format, spill)).collect();
        if tracks.is_empty() {
            return Err(Mp4Error::NoTracks);
        }
        Ok(Mp4Muxer { tracks, held_bytes: 0, media_bytes: 0 })
    }

    /// Takes the next packet. What is complete is given to `media`, piece by piece in the order of the file; the
    /// concatenation is what mdat holds. Times below 0 are priming, which is decoded and not presented. Empty packets are
    /// left out, as FFmpeg does.
    ///
    /// # Errors
    /// A packet that does not come after the last one of its track, or has a time or a length that an MP4 cannot tell;
    /// what `media` gives; what writing to the spill folder gives.
    pub fn push(&mut self, packet: Packet, media: &mut dyn FnMut(&[u8]) -> io::Result<()>) -> Result<(), Mp4Error> {
        let long = self.track(packet.track)?.held_us(packet.pts_us) >= CHUNK_US;
        let length = packet.data.len();
        if length == 0 {
            return Ok(());
        }
        if long || self.held_bytes.saturating_add(length) > CHUNK_BYTES {
            self.release(media)?;
        }
        self.held_bytes += length;
        self.track(packet.track)?.take(packet)
    }

    /// Gives the last chunks away, and the index of all. A track of which nothing is presented is left out of it.
    ///
    /// # Errors
    /// When no track is left; what `media` and the spill folder give.
    pub fn finish(mut self, media: &mut dyn FnMut(&[u8]) -> io::Result<()>) -> Result<Mp4Index, Mp4Error> {
        self.release(media)?;
        let mut tracks = Vec::new();
        for track in self.tracks {
            tracks.extend(track.finish()?);
        }
        Mp4Index::new(tracks, self.media_bytes)
    }

    fn track(&mut self, kind: TrackKind) -> Result<&mut Track, Mp4Error> {
        self.tracks.iter_mut().find(|track| track.kind() == kind).ok_or(Mp4Error::UnknownTrack(kind))
    }

    /// Closes the open chunks: that of the pictures, then that of the sound.
    fn release(&mut self, media: &mut dyn FnMut(&[u8]) -> io::Result<()>) -> Result<(), Mp4Error> {
        for track in &mut self.tracks {
            self.media_bytes += track.release(self.media_bytes, media)?;
        }
        self.held_bytes = 0;
        Ok(())
    }
}
