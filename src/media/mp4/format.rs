//! What the samples of a track are: checked when a track is told, so that a head can be made of it for certain.

use mp4_atom::{Atom, Avcc};

use crate::media::grid::sample_at;
use crate::media::packet::{AudioCodec, AudioTrack, SAMPLE_RATE, TrackKind, VideoCodec, VideoTrack};

use super::error::Mp4Error;

/// The clock of MPEG: whole ticks for 24, 25, 30 and 60 frames a second and for milliseconds.
const VIDEO_TIMESCALE: u32 = 90_000;
/// An avcC record has about 50 bytes.
pub(super) const MAX_AVCC: usize = 4096;
/// An AudioSpecificConfig has 2 to 5 bytes; the lengths of its descriptors are written as one byte each.
const MAX_AUDIO_CONFIG: usize = 64;

/// The samples of one track.
#[derive(Debug)]
pub(super) enum Format {
    /// H.264, length-prefixed. Pixels.
    Video { width: u16, height: u16, avcc: Avcc },
    /// AAC-LC at 48 kHz in packets of 1024 samples; `config` is the AudioSpecificConfig.
    Audio { channels: u16, config: Vec<u8> },
}

impl Format {
    pub fn video(track: &VideoTrack) -> Result<Format, Mp4Error> {
        if track.codec != VideoCodec::H264 {
            return Err(Mp4Error::NotH264(track.codec));
        }
        let avcc = avcc(&track.codec_private).map_err(Mp4Error::BadAvcc)?;
        match (u16::try_from(track.width), u16::try_from(track.height)) {
            (Ok(width @ 1..), Ok(height @ 1..)) => Ok(Format::Video { width, height, avcc }),
            _ => Err(Mp4Error::BadSize { width: track.width, height: track.height }),
        }
    }

    pub fn audio(track: &AudioTrack) -> Result<Format, Mp4Error> {
        if track.codec != AudioCodec::Aac {
            return Err(Mp4Error::NotAac(track.codec));
        }
        if track.sample_rate != SAMPLE_RATE {
            return Err(Mp4Error::BadAudioConfig("is not of 48 kHz"));
        }
        check_audio_config(&track.codec_private).map_err(Mp4Error::BadAudioConfig)?;
        match u16::try_from(track.channels) {
            Ok(channels @ 1..) => Ok(Format::Audio { channels, config: track.codec_private.clone() }),
            _ => Err(Mp4Error::BadChannels(track.channels)),
        }
    }

    pub fn kind(&self) -> TrackKind {
        match self {
            Format::Video { .. } => TrackKind::Video,
            Format::Audio { .. } => TrackKind::Audio,
        }
    }

    /// Ticks a second.
    pub fn timescale(&self) -> u32 {
        match self {
            Format::Video { .. } => VIDEO_TIMESCALE,
            Format::Audio { .. } => SAMPLE_RATE,
        }
    }

    /// The tick nearest to a time in microseconds, which is less than 11 days from 0.
    pub fn ticks(&self, us: i64) -> i64 {
        match self {
            Format::Video { .. } => (us * 9 + 50).div_euclid(100),
            Format::Audio { .. } => sample_at(us),
        }
    }
}

/// ISO/IEC 14496-15, 5.3.3.1.
fn avcc(bytes: &[u8]) -> Result<Avcc, &'static str> {
    if bytes.len() > MAX_AVCC {
        return Err("is longer than 4 KiB");
    }
    let mut rest = bytes;
    let avcc = Avcc::decode_body(&mut rest).map_err(|_| "is broken")?;
    if !rest.is_empty() {
        Err("goes on after its end")
    } else if avcc.sequence_parameter_sets.is_empty() || avcc.picture_parameter_sets.is_empty() {
        Err("has no parameter sets")
    } else {
        Ok(avcc)
    }
}

/// ISO/IEC 14496-3, 1.6.2.1 and 4.4.1: five bits of object type, four of the rate, four of the channels, one of the
/// packet's length.
fn check_audio_config(config: &[u8]) -> Result<(), &'static str> {
    let &[first, second, ..] = config else {
        return Err("is too short");
    };
    let bits = u16::from_be_bytes([first, second]);
    if config.len() > MAX_AUDIO_CONFIG {
        Err("is longer than 64 bytes")
    } else if bits >> 11 != 2 {
        Err("is not of AAC-LC")
    } else if bits >> 7 & 0xf != 3 {
        Err("is not of 48 kHz")
    } else if bits >> 2 & 1 != 0 {
        Err("is of packets with 960 samples")
    } else {
        Ok(())
    }
}
