//! Writes what both writers begin with: the EBML header and the track entries.

use super::ids;
use crate::media::ebml::Put;
use crate::media::packet::{AudioCodec, AudioTrack, TrackKind, Tracks, VideoCodec, VideoTrack};

/// ITU-T H.273: 1 is BT.709 for primaries, transfer and matrix.
const BT709: u64 = 1;
/// Matroska's Range: 1 is broadcast (limited).
const RANGE_LIMITED: u64 = 1;

pub(super) const fn number(kind: TrackKind) -> u8 {
    match kind {
        TrackKind::Video => 1,
        TrackKind::Audio => 2,
    }
}

/// WebM where the codecs allow it; everything else is Matroska.
fn doc_type(tracks: &Tracks) -> &'static str {
    let video = tracks.video.as_ref().map(|video| video.codec);
    let audio = tracks.audio.as_ref().map(|audio| audio.codec);
    let web_video = matches!(video, None | Some(VideoCodec::Vp8 | VideoCodec::Vp9));
    if web_video && matches!(audio, None | Some(AudioCodec::Opus)) { "webm" } else { "matroska" }
}

pub(super) fn ebml_header(tracks: &Tracks) -> Vec<u8> {
    let mut out = Vec::new();
    out.put_master(ids::EBML, |head| {
        head.put_uint(ids::EBML_VERSION, 1);
        head.put_uint(ids::EBML_READ_VERSION, 1);
        head.put_uint(ids::EBML_MAX_ID_LENGTH, 4);
        head.put_uint(ids::EBML_MAX_SIZE_LENGTH, 8);
        head.put_text(ids::DOC_TYPE, doc_type(tracks));
        head.put_uint(ids::DOC_TYPE_VERSION, 4);
        head.put_uint(ids::DOC_TYPE_READ_VERSION, 2);
    });
    out
}

pub(super) fn put_tracks(out: &mut Vec<u8>, tracks: &Tracks) {
    out.put_master(ids::TRACKS, |out| {
        if let Some(video) = &tracks.video {
            out.put_master(ids::TRACK_ENTRY, |entry| put_video(entry, video));
        }
        if let Some(audio) = &tracks.audio {
            out.put_master(ids::TRACK_ENTRY, |entry| put_audio(entry, audio));
        }
    });
}

fn put_common(entry: &mut Vec<u8>, kind: TrackKind, track_type: u64, codec: &str, private: &[u8]) {
    entry.put_uint(ids::TRACK_NUMBER, number(kind).into());
    entry.put_uint(ids::TRACK_UID, number(kind).into());
    entry.put_uint(ids::TRACK_TYPE, track_type);
    entry.put_uint(ids::FLAG_LACING, 0);
    entry.put_text(ids::CODEC_ID, codec);
    if !private.is_empty() {
        entry.put_bytes(ids::CODEC_PRIVATE, private);
    }
}

fn put_video(entry: &mut Vec<u8>, video: &VideoTrack) {
    let codec = match video.codec {
        VideoCodec::H264 => "V_MPEG4/ISO/AVC",
        VideoCodec::Vp8 => "V_VP8",
        VideoCodec::Vp9 => "V_VP9",
        VideoCodec::RawI420 => "V_UNCOMPRESSED",
    };
    put_common(entry, TrackKind::Video, ids::TYPE_VIDEO, codec, &video.codec_private);
    entry.put_master(ids::VIDEO, |out| {
        out.put_uint(ids::PIXEL_WIDTH, video.width.into());
        out.put_uint(ids::PIXEL_HEIGHT, video.height.into());
        out.put_uint(ids::FLAG_INTERLACED, 2);
        if video.codec == VideoCodec::RawI420 {
            out.put_text(ids::COLOUR_SPACE, "I420");
        }
        out.put_master(ids::COLOUR, |out| {
            out.put_uint(ids::MATRIX_COEFFICIENTS, BT709);
            out.put_uint(ids::RANGE, RANGE_LIMITED);
            out.put_uint(ids::TRANSFER_CHARACTERISTICS, BT709);
            out.put_uint(ids::PRIMARIES, BT709);
        });
    });
}

fn put_audio(entry: &mut Vec<u8>, audio: &AudioTrack) {
    let codec = match audio.codec {
        AudioCodec::Aac => "A_AAC",
        AudioCodec::Opus => "A_OPUS",
        AudioCodec::PcmS16le => "A_PCM/INT/LIT",
    };
    put_common(entry, TrackKind::Audio, ids::TYPE_AUDIO, codec, &audio.codec_private);
    if audio.codec_delay_ns > 0 {
        entry.put_uint(ids::CODEC_DELAY, audio.codec_delay_ns);
    }
    if audio.seek_preroll_ns > 0 {
        entry.put_uint(ids::SEEK_PRE_ROLL, audio.seek_preroll_ns);
    }
    entry.put_master(ids::AUDIO, |out| {
        out.put_float(ids::SAMPLING_FREQUENCY, audio.sample_rate.into());
        out.put_uint(ids::CHANNELS, audio.channels.into());
        if audio.codec == AudioCodec::PcmS16le {
            out.put_uint(ids::BIT_DEPTH, 16);
        }
    });
}

/// Info without a duration, or with room for one.
pub(super) fn put_info(out: &mut Vec<u8>, timestamp_scale_ns: u64, room: usize) {
    out.put_master(ids::INFO, |info| {
        info.put_uint(ids::TIMESTAMP_SCALE, timestamp_scale_ns);
        info.put_text(ids::MUXING_APP, "panorec");
        info.put_text(ids::WRITING_APP, "panorec");
        if room > 0 {
            info.put_void(room);
        }
    });
}
