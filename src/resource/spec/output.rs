//! The finished video: its kind, its name and how it is encoded.

use kube::KubeSchema;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::destination::DestinationSpec;
use super::page::SecretRef;
use crate::session::request::{
    AudioBitrate, Codec, Crf, Format, KeyFrameInterval, MaxBitrate, Preset, SegmentDuration,
};

/// The finished video.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize, KubeSchema)]
#[x_kube(
    validation = Rule::new("!has(self.encryption) || self.format == 'HLS'")
        .message("spec.output.encryption is for HLS only; set spec.output.format to HLS, or leave the encryption out")
        .field_path(".encryption"),
)]
#[serde(rename_all = "camelCase")]
pub struct OutputSpec {
    /// The kind of the video. MP4: one file. HLS: a playlist (.m3u8) and its segments.
    #[serde(default)]
    pub format: Format,

    /// The folder (key prefix) in the destination, with '/' between its parts and without '..'; at most
    /// 512 characters. Left out or empty: the Recording's name if that is a UUID, else
    /// <namespace>/<name>-<8 digits of its UID>. Without effect with destination volume.
    #[serde(default)]
    #[schemars(length(max = 512))]
    pub directory: String,

    /// The file's name without its extension, at most 200 bytes, no '/'. Left out or empty: for MP4 the
    /// time of the Recording's creation in Unix milliseconds, for HLS `playlist`.
    #[serde(default)]
    #[schemars(length(max = 200))]
    #[x_kube(
        validation = ("self.matches('^([^./][^/]*)?$')",
            "spec.output.name must be a file name: without '/', and not beginning with '.'"),
    )]
    pub name: String,

    /// How the picture is encoded.
    #[serde(default)]
    pub video: VideoSpec,

    /// How the sound is encoded.
    #[serde(default)]
    pub audio: AudioSpec,

    /// HLS only: encrypts the segments by AES-128 (RFC 8216).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub encryption: Option<EncryptionSpec>,

    /// HLS only: whether the playlist is brought to its place after each segment, so that players can
    /// follow the recording while it goes on. Else it comes when all of it is there.
    #[serde(default)]
    pub live_playlist: bool,

    /// HLS only: seconds of a segment, 1 to 600.
    #[serde(default)]
    pub segment_seconds: SegmentDuration,

    /// Makes a picture of the video besides: <name>.jpg.
    #[serde(default)]
    pub thumbnail: bool,

    /// Where the video goes. Left out: what the installation has as its default.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub destination: Option<DestinationSpec>,
}

/// How the picture is encoded.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct VideoSpec {
    /// The codec of the recording. An MP4 or HLS made of H264 is a copy, made in moments; one made of
    /// VP8 or VP9 is transcoded at the end, to H.264.
    #[serde(default)]
    pub codec: Codec,

    /// Constant rate factor: lower is better and larger. H264: 0 to 51, VP8 and VP9: 4 to 63. Left out:
    /// 23 for H264, 20 for VP8, 32 for VP9.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub crf: Option<Crf>,

    /// Kilobits a second that the picture takes at most, 50 to 200000.
    #[serde(default)]
    pub max_bitrate_kbps: MaxBitrate,

    /// How hard the encoder tries, from ultrafast to medium: slower is smaller and takes more processor
    /// time.
    #[serde(default)]
    pub preset: Preset,

    /// Seconds between key frames at most, 1 to 30.
    #[serde(default)]
    pub key_frame_interval_seconds: KeyFrameInterval,
}

/// How the sound is encoded.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct AudioSpec {
    /// The codec of the sound in the finished video.
    #[serde(default)]
    pub codec: AudioCodec,

    /// Kilobits a second of the sound, 32 to 512.
    #[serde(default)]
    pub bitrate_kbps: AudioBitrate,
}

/// The codec of the sound in the finished video.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub enum AudioCodec {
    #[default]
    #[serde(rename = "AAC")]
    Aac,
}

/// AES-128 of HLS segments.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, KubeSchema)]
#[x_kube(
    validation = ("has(self.key) != has(self.keySecretRef)",
        "spec.output.encryption needs exactly one of key and keySecretRef"),
)]
#[serde(rename_all = "camelCase")]
pub struct EncryptionSpec {
    /// The key itself: 32 hexadecimal digits. Whoever may read the Recording can read it; keySecretRef
    /// keeps it from them.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = 64))]
    #[x_kube(
        validation = ("self.matches('^[0-9a-fA-F]{32}$')",
            "spec.output.encryption.key must be 32 hexadecimal digits (16 bytes), as from `openssl rand -hex 16`"),
    )]
    pub key: Option<String>,

    /// The Secret in this namespace whose key `panorec-hls.key` holds the key: 16 bytes, or 32
    /// hexadecimal digits.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub key_secret_ref: Option<SecretRef>,

    /// Where players get the key; written into the playlist. At most 8192 characters.
    #[serde(rename = "keyURL")]
    #[schemars(length(min = 1, max = 8192))]
    pub key_url: String,

    /// The initialization vector: 32 hexadecimal digits. Left out: each segment's sequence number.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = 64))]
    #[x_kube(
        validation = ("self.matches('^(0[xX])?[0-9a-fA-F]{32}$')",
            "spec.output.encryption.iv must be 32 hexadecimal digits (16 bytes)"),
    )]
    pub iv: Option<String>,
}
