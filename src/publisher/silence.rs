//! Silent packets, for holes in the sound.

use crate::media::{AudioCodec, AudioTrack, Packet, TrackKind};

/// An AAC-LC access unit of digital silence, two channels (a channel pair with nothing coded) and
/// one; hls.js uses the same ones.
const AAC_STEREO: &[u8] = &[0x21, 0x00, 0x49, 0x90, 0x02, 0x19, 0x00, 0x23, 0x80];
const AAC_MONO: &[u8] = &[0x00, 0xc8, 0x00, 0x80, 0x23, 0x80];
/// RFC 6716: CELT, full band, 20 ms, one frame; the third bit of the first byte is stereo.
const OPUS_STEREO: &[u8] = &[0xfc, 0xff, 0xfe];
const OPUS_MONO: &[u8] = &[0xf8, 0xff, 0xfe];

/// One packet of silence.
pub(super) fn silent_packet(audio: &AudioTrack, pts_us: i64) -> Packet {
    let data = match (audio.codec, audio.channels) {
        (AudioCodec::Aac, 1) => AAC_MONO,
        (AudioCodec::Aac, _) => AAC_STEREO,
        (AudioCodec::Opus, 1) => OPUS_MONO,
        (AudioCodec::Opus, _) => OPUS_STEREO,
        (AudioCodec::PcmS16le, _) => &[],
    };
    Packet { track: TrackKind::Audio, pts_us, duration_us: None, key: true, data: data.to_vec() }
}
