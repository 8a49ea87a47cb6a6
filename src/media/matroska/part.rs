//! Writes a part: what the recorder keeps, playable by itself at any moment of its growth.

use std::io::{self, Seek, SeekFrom, Write};
use std::ops::Range;

use super::{head, ids};
use crate::media::ebml::{Put, UNKNOWN_SIZE};
use crate::media::packet::{Packet, TrackKind, Tracks};

/// One millisecond: strict WebM has no other, and players expect it.
const SCALE_NS: i64 = 1_000_000;
const CLUSTER_MS: i64 = 500;
/// Block times are signed 16 bit numbers relative to their cluster's.
const MAX_SPAN_MS: i64 = 30_000;
const MAX_CLUSTER_BYTES: usize = 8 << 20;
/// A SeekHead for Info, Tracks and Cues fits; until the end a Void stands there.
const SEEK_HEAD_ROOM: usize = 96;
/// ID, size and an eight-byte float.
const DURATION_ROOM: usize = 11;

/// Writes packets into Matroska named .webm. One cluster is held in memory, of at most half a
/// second; [`flush`](PartWriter::flush) writes it out before that.
#[derive(Debug)]
pub struct PartWriter<W> {
    out: W,
    /// Bytes written to `out`.
    written: u64,
    segment: u64,
    info: u64,
    duration: u64,
    tracks: u64,
    codec_delay_ns: i64,
    cluster: Cluster,
    cues: Vec<Cue>,
    end_ms: i64,
    /// The last video packet's time; a picture is taken to last as long as the one before it.
    last_video: Option<(i64, i64)>,
}

#[derive(Debug, Default)]
struct Cluster {
    data: Vec<u8>,
    blocks: Vec<Block>,
    /// The first block's time of each track.
    first_ms: [Option<i64>; 2],
}

#[derive(Debug)]
struct Block {
    ms: i64,
    track: TrackKind,
    key: bool,
    data: Range<usize>,
}

#[derive(Debug)]
struct Cue {
    ms: u64,
    track: TrackKind,
    cluster: u64,
}

impl<W: Write> PartWriter<W> {
    /// Writes the head of a part.
    pub fn new(mut out: W, tracks: &Tracks) -> io::Result<Self> {
        let mut bytes = head::ebml_header(tracks);
        bytes.put_id(ids::SEGMENT);
        bytes.extend(UNKNOWN_SIZE);
        let segment = bytes.len() as u64;
        bytes.put_void(SEEK_HEAD_ROOM);
        let info = bytes.len() as u64;
        head::put_info(&mut bytes, SCALE_NS as u64, DURATION_ROOM);
        let duration = (bytes.len() - DURATION_ROOM) as u64;
        let tracks_at = bytes.len() as u64;
        head::put_tracks(&mut bytes, tracks);
        out.write_all(&bytes)?;
        out.flush()?;
        Ok(PartWriter {
            out,
            written: bytes.len() as u64,
            segment,
            info,
            duration,
            tracks: tracks_at,
            codec_delay_ns: tracks.audio.as_ref().map_or(0, |audio| audio.codec_delay_ns as i64),
            cluster: Cluster::default(),
            cues: Vec::new(),
            end_ms: 0,
            last_video: None,
        })
    }

    /// Takes a packet. Times are relative to the part's start, as the reader gives them: without
    /// the codec delay, priming below 0. Video may lag behind the sound.
    ///
    /// # Errors
    /// `InvalidInput` for a packet before the priming; else what writing gives.
    pub fn write(&mut self, packet: &Packet) -> io::Result<()> {
        let delay = if packet.track == TrackKind::Audio { self.codec_delay_ns } else { 0 };
        let ns = packet.pts_us.saturating_mul(1000).saturating_add(delay);
        let ms = ns.saturating_add(SCALE_NS / 2).div_euclid(SCALE_NS);
        if ms < 0 {
            let what = "a packet before the part's start";
            return Err(io::Error::new(io::ErrorKind::InvalidInput, what));
        }
        if self.cluster.must_close_before(packet, ms) {
            self.close_cluster()?;
        }
        self.note_end(packet, ms);
        self.cluster.push(packet, ms);
        Ok(())
    }

    /// Writes the open cluster out, so that what was taken is with the operating system. Syncing
    /// to disk is the caller's.
    pub fn flush(&mut self) -> io::Result<()> {
        self.close_cluster()?;
        self.out.flush()
    }

    /// Bytes written so far.
    pub fn written(&self) -> u64 {
        self.written
    }

    pub fn get_ref(&self) -> &W {
        &self.out
    }

    fn note_end(&mut self, packet: &Packet, ms: i64) {
        let end = match (packet.duration_us, packet.track, self.last_video) {
            (Some(us), _, _) => ms + (us / 1000) as i64,
            (None, TrackKind::Video, Some((_, last))) => ms + (ms - last).clamp(0, 1000),
            _ => ms,
        };
        if packet.track == TrackKind::Video {
            self.last_video = Some((self.last_video.map_or(ms, |(_, last)| last), ms));
        }
        self.end_ms = self.end_ms.max(end);
    }

    fn close_cluster(&mut self) -> io::Result<()> {
        if self.cluster.blocks.is_empty() {
            return Ok(());
        }
        let (start_ms, bytes) = self.cluster.encode();
        let audio_only = self.last_video.is_none();
        for block in &self.cluster.blocks {
            let wanted = block.track == TrackKind::Video || audio_only;
            // Sound can be entered anywhere: one cue a cluster is enough.
            let repeated = self.cues.last().is_some_and(|cue| cue.cluster == self.written);
            if block.key && wanted && !repeated {
                self.cues.push(Cue { ms: block.ms as u64, track: block.track, cluster: self.written });
            }
        }
        debug_assert!(start_ms >= 0);
        self.out.write_all(&bytes)?;
        self.written += bytes.len() as u64;
        self.cluster.clear();
        Ok(())
    }
}

impl<W: Write + Seek> PartWriter<W> {
    /// Completes the part: cues, duration, sizes. Without this the part plays too, it is only not
    /// seekable. Gives the output back, for syncing.
    pub fn finish(mut self) -> io::Result<W> {
        self.close_cluster()?;
        let cues = self.written;
        let bytes = self.encode_cues();
        self.out.write_all(&bytes)?;
        self.written += bytes.len() as u64;

        let mut size = vec![0x01];
        size.extend_from_slice(&(self.written - self.segment).to_be_bytes()[1..]);
        self.patch(self.segment - 8, &size)?;

        let mut duration = Vec::new();
        duration.put_float(ids::DURATION, self.end_ms as f64);
        self.patch(self.duration, &duration)?;

        let mut seek_head = Vec::new();
        seek_head.put_master(ids::SEEK_HEAD, |out| {
            for (id, at) in [(ids::INFO, self.info), (ids::TRACKS, self.tracks), (ids::CUES, cues)] {
                out.put_master(ids::SEEK, |seek| {
                    seek.put_bytes(ids::SEEK_ID, &id.to_be_bytes());
                    seek.put_uint(ids::SEEK_POSITION, at - self.segment);
                });
            }
        });
        seek_head.put_void(SEEK_HEAD_ROOM - seek_head.len());
        self.patch(self.segment, &seek_head)?;

        self.out.seek(SeekFrom::Start(self.written))?;
        self.out.flush()?;
        Ok(self.out)
    }

    fn patch(&mut self, at: u64, bytes: &[u8]) -> io::Result<()> {
        self.out.seek(SeekFrom::Start(at))?;
        self.out.write_all(bytes)
    }

    fn encode_cues(&self) -> Vec<u8> {
        let mut bytes = Vec::new();
        if self.cues.is_empty() {
            return bytes;
        }
        bytes.put_master(ids::CUES, |out| {
            for cue in &self.cues {
                out.put_master(ids::CUE_POINT, |point| {
                    point.put_uint(ids::CUE_TIME, cue.ms);
                    point.put_master(ids::CUE_TRACK_POSITIONS, |positions| {
                        positions.put_uint(ids::CUE_TRACK, head::number(cue.track).into());
                        let position = cue.cluster - self.segment;
                        positions.put_uint(ids::CUE_CLUSTER_POSITION, position);
                    });
                });
            }
        });
        bytes
    }
}

impl Cluster {
    fn must_close_before(&self, packet: &Packet, ms: i64) -> bool {
        let Some(first) = self.blocks.first() else {
            return false;
        };
        let key_frame = packet.track == TrackKind::Video && packet.key;
        let long = self.first_ms[packet.track as usize].is_some_and(|t| ms - t >= CLUSTER_MS);
        let wide = (ms - first.ms).abs() >= MAX_SPAN_MS / 2;
        key_frame || long || wide || self.data.len() + packet.data.len() > MAX_CLUSTER_BYTES
    }

    fn push(&mut self, packet: &Packet, ms: i64) {
        self.first_ms[packet.track as usize].get_or_insert(ms);
        let from = self.data.len();
        self.data.extend_from_slice(&packet.data);
        let data = from..self.data.len();
        self.blocks.push(Block { ms, track: packet.track, key: packet.key, data });
    }

    /// The cluster's time, and its bytes with the blocks in the order of time: WebM asks for it.
    fn encode(&mut self) -> (i64, Vec<u8>) {
        self.blocks.sort_by_key(|block| block.ms);
        let start = self.blocks.first().map_or(0, |block| block.ms);
        let mut body = Vec::with_capacity(self.data.len() + 16 * self.blocks.len() + 16);
        body.put_uint(ids::TIMESTAMP, start as u64);
        for block in &self.blocks {
            let relative = ((block.ms - start) as i16).to_be_bytes();
            let flags = if block.key { 0x80 } else { 0 };
            body.put_id(ids::SIMPLE_BLOCK);
            body.put_size(4 + block.data.len() as u64);
            let track = 0x80 | head::number(block.track);
            body.extend([track, relative[0], relative[1], flags]);
            body.extend_from_slice(&self.data[block.data.clone()]);
        }
        let mut bytes = Vec::with_capacity(body.len() + 12);
        bytes.put_bytes(ids::CLUSTER, &body);
        (start, bytes)
    }

    fn clear(&mut self) {
        self.data.clear();
        self.blocks.clear();
        self.first_ms = [None; 2];
    }
}
