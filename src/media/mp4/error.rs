//! Why there is no MP4.

use std::io;

use crate::media::packet::{AudioCodec, TrackKind, VideoCodec};

/// What was not taken, or not written. A muxer that gave one of these is of no more use.
#[derive(Debug, thiserror::Error)]
pub enum Mp4Error {
    #[error("neither pictures nor sound were told; an MP4 needs one of them")]
    NoTracks,
    #[error("the pictures are {0:?}; only H.264 is put into an MP4")]
    NotH264(VideoCodec),
    #[error("the sound is {0:?}; only AAC is put into an MP4")]
    NotAac(AudioCodec),
    #[error("the avcC record of the pictures {0}")]
    BadAvcc(&'static str),
    #[error("the AudioSpecificConfig of the sound {0}")]
    BadAudioConfig(&'static str),
    #[error("the pictures are {width}x{height} pixels; an MP4 takes 1 to 65535 each way")]
    BadSize { width: u32, height: u32 },
    #[error("the sound has {0} channels; an MP4 takes 1 to 65535")]
    BadChannels(u32),
    #[error("a packet came for the {0:?} track, which was not told")]
    UnknownTrack(TrackKind),
    #[error("a packet of the {track:?} track at {pts_us} us came after the one at {last_us} us")]
    OutOfOrder { track: TrackKind, pts_us: i64, last_us: i64 },
    #[error("a packet of the {track:?} track at {pts_us} us lies or lasts beyond any recording")]
    BadTime { track: TrackKind, pts_us: i64 },
    #[error("a packet has {0} bytes; an MP4 takes less than 4 GiB")]
    PacketTooLong(u64),
    #[error("{0} is longer than an MP4 can tell")]
    TooLarge(&'static str),
    #[error("no packet came that is presented, so there is nothing to make an MP4 of")]
    Empty,
    #[error("the head takes {least} bytes, or from 8 more on up to {most}, not {length}")]
    BadHeadLength { length: u64, least: u64, most: u64 },
    #[error("a box cannot be encoded: {0}")]
    Encode(#[from] mp4_atom::Error),
    #[error("cannot {doing}: {source}")]
    Io { doing: &'static str, source: io::Error },
}

impl Mp4Error {
    pub(super) fn io(doing: &'static str) -> impl FnOnce(io::Error) -> Mp4Error {
        move |source| Mp4Error::Io { doing, source }
    }
}
