//! What a stream consists of: tracks and packets.

/// Sound is 48 kHz everywhere: from Pulse to the finished file.
pub const SAMPLE_RATE: u32 = 48_000;

#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum TrackKind {
    Video,
    Audio,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum VideoCodec {
    /// Length-prefixed NAL units; the codec private data is an avcC record.
    H264,
    Vp8,
    Vp9,
    /// Planar 4:2:0, 8 bit, BT.709 limited range, planes without padding.
    RawI420,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum AudioCodec {
    /// Raw AAC access units; the codec private data is an AudioSpecificConfig.
    Aac,
    /// The codec private data is an OpusHead.
    Opus,
    PcmS16le,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub struct VideoTrack {
    pub codec: VideoCodec,
    /// Empty where the codec has none (VP8, VP9, raw).
    pub codec_private: Vec<u8>,
    /// Pixels.
    pub width: u32,
    pub height: u32,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AudioTrack {
    pub codec: AudioCodec,
    pub codec_private: Vec<u8>,
    /// Hz.
    pub sample_rate: u32,
    pub channels: u32,
    /// How long the encoder's priming is: packet times are media time minus this.
    pub codec_delay_ns: u64,
    /// How much has to be decoded before a seek's target sounds right.
    pub seek_preroll_ns: u64,
}

/// At most one track of each kind: that is all that panorec records.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Tracks {
    pub video: Option<VideoTrack>,
    pub audio: Option<AudioTrack>,
}

/// One encoded (or raw) picture or stretch of sound.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Packet {
    pub track: TrackKind,
    /// Presentation time in microseconds; an encoder's priming lies before 0.
    pub pts_us: i64,
    pub duration_us: Option<u64>,
    /// Whether decoding can begin here; always true for sound.
    pub key: bool,
    pub data: Vec<u8>,
}
