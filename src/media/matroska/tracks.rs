//! Reads the Tracks element.

use super::ids;
use super::read::ReadError;
use crate::media::ebml::{children, float, uint};
use crate::media::packet::{AudioCodec, AudioTrack, TrackKind, Tracks, VideoCodec, VideoTrack};

const MAX_TRACKS: usize = 8;
const MAX_CODEC_PRIVATE: usize = 64 << 10;
/// Larger than any picture or delay that panorec makes; keeps later arithmetic from overflowing.
const MAX_SIDE: u64 = 16_384;
const MAX_DELAY_NS: u64 = 10_000_000_000;

/// The tracks, and which number stands for which kind.
pub(super) type Numbered = (Tracks, Vec<(u64, TrackKind)>);

pub(super) fn parse(body: &[u8], at: u64) -> Result<Numbered, ReadError> {
    let mut tracks = Tracks::default();
    let mut numbers = Vec::new();
    for child in children(body, at) {
        let (header, body) = child?;
        if header.id != ids::TRACK_ENTRY {
            continue;
        }
        if numbers.len() == MAX_TRACKS {
            return Err(ReadError::Unsupported("more than 8 tracks"));
        }
        let entry = Entry::parse(body, header.at)?;
        let (number, kind) = (entry.number, entry.kind()?);
        if numbers.iter().any(|known: &(u64, TrackKind)| known.0 == number || known.1 == kind) {
            return Err(ReadError::Unsupported("two tracks of one kind or number"));
        }
        match kind {
            TrackKind::Video => tracks.video = Some(entry.video()?),
            TrackKind::Audio => tracks.audio = Some(entry.audio()?),
        }
        numbers.push((number, kind));
    }
    if numbers.is_empty() {
        return Err(ReadError::Unsupported("no track at all"));
    }
    Ok((tracks, numbers))
}

#[derive(Default)]
struct Entry {
    number: u64,
    track_type: u64,
    codec: Vec<u8>,
    codec_private: Vec<u8>,
    codec_delay_ns: u64,
    seek_preroll_ns: u64,
    width: u64,
    height: u64,
    colour_space: Vec<u8>,
    sampling_frequency: f64,
    channels: u64,
}

impl Entry {
    fn parse(body: &[u8], at: u64) -> Result<Entry, ReadError> {
        // Defaults as RFC 9559 has them.
        let mut entry = Entry { sampling_frequency: 8000.0, channels: 1, ..Entry::default() };
        for child in children(body, at) {
            let (header, body) = child?;
            match header.id {
                ids::TRACK_NUMBER => entry.number = uint(body, header.at)?,
                ids::TRACK_TYPE => entry.track_type = uint(body, header.at)?,
                ids::CODEC_ID => entry.codec = text(body).to_vec(),
                ids::CODEC_PRIVATE if body.len() > MAX_CODEC_PRIVATE => {
                    return Err(ReadError::Unsupported("codec private data above 64 KiB"));
                }
                ids::CODEC_PRIVATE => entry.codec_private = body.to_vec(),
                ids::CODEC_DELAY => entry.codec_delay_ns = uint(body, header.at)?,
                ids::SEEK_PRE_ROLL => entry.seek_preroll_ns = uint(body, header.at)?,
                ids::CONTENT_ENCODINGS => {
                    return Err(ReadError::Unsupported("compressed or encrypted tracks"));
                }
                ids::VIDEO => entry.parse_video(body, header.at)?,
                ids::AUDIO => entry.parse_audio(body, header.at)?,
                _ => {}
            }
        }
        Ok(entry)
    }

    fn parse_video(&mut self, body: &[u8], at: u64) -> Result<(), ReadError> {
        for child in children(body, at) {
            let (header, body) = child?;
            match header.id {
                ids::PIXEL_WIDTH => self.width = uint(body, header.at)?,
                ids::PIXEL_HEIGHT => self.height = uint(body, header.at)?,
                ids::COLOUR_SPACE => self.colour_space = body.to_vec(),
                _ => {}
            }
        }
        Ok(())
    }

    fn parse_audio(&mut self, body: &[u8], at: u64) -> Result<(), ReadError> {
        for child in children(body, at) {
            let (header, body) = child?;
            match header.id {
                ids::SAMPLING_FREQUENCY => self.sampling_frequency = float(body, header.at)?,
                ids::CHANNELS => self.channels = uint(body, header.at)?,
                _ => {}
            }
        }
        Ok(())
    }

    fn kind(&self) -> Result<TrackKind, ReadError> {
        match self.track_type {
            ids::TYPE_VIDEO => Ok(TrackKind::Video),
            ids::TYPE_AUDIO => Ok(TrackKind::Audio),
            _ => Err(ReadError::Unsupported("a track that is neither video nor audio")),
        }
    }

    fn video(self) -> Result<VideoTrack, ReadError> {
        let codec = match &self.codec[..] {
            b"V_MPEG4/ISO/AVC" => VideoCodec::H264,
            b"V_VP8" => VideoCodec::Vp8,
            b"V_VP9" => VideoCodec::Vp9,
            b"V_UNCOMPRESSED" if self.colour_space == b"I420" => VideoCodec::RawI420,
            other => return Err(ReadError::codec(other)),
        };
        if !(1..=MAX_SIDE).contains(&self.width) || !(1..=MAX_SIDE).contains(&self.height) {
            return Err(ReadError::Unsupported("a picture without size, or above 16384 pixels"));
        }
        Ok(VideoTrack {
            codec,
            codec_private: self.codec_private,
            width: self.width as u32,
            height: self.height as u32,
        })
    }

    fn audio(self) -> Result<AudioTrack, ReadError> {
        let codec = match &self.codec[..] {
            b"A_AAC" => AudioCodec::Aac,
            b"A_OPUS" => AudioCodec::Opus,
            b"A_PCM/INT/LIT" => AudioCodec::PcmS16le,
            other => return Err(ReadError::codec(other)),
        };
        if !(8000.0..=192_000.0).contains(&self.sampling_frequency) {
            return Err(ReadError::Unsupported("a sampling rate outside 8..192 kHz"));
        }
        if !(1..=8).contains(&self.channels) {
            return Err(ReadError::Unsupported("no or more than 8 audio channels"));
        }
        if self.codec_delay_ns > MAX_DELAY_NS || self.seek_preroll_ns > MAX_DELAY_NS {
            return Err(ReadError::Unsupported("a codec delay above 10 s"));
        }
        Ok(AudioTrack {
            codec,
            codec_private: self.codec_private,
            sample_rate: self.sampling_frequency as u32,
            channels: self.channels as u32,
            codec_delay_ns: self.codec_delay_ns,
            seek_preroll_ns: self.seek_preroll_ns,
        })
    }
}

/// EBML strings may be padded with zeros.
pub(super) fn text(body: &[u8]) -> &[u8] {
    let end = body.iter().position(|byte| *byte == 0).unwrap_or(body.len());
    &body[..end]
}
