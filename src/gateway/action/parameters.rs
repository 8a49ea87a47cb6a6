//! What a Start asks for, checked, with its defaults, and without any secret.

use jiff::Timestamp;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::Value;
use url::Url;

use crate::session::request::{
    BucketName, Codec, FileName, Format, FrameRate, HlsIv, KeyPrefix, MaxBitrate, MaxDuration, PageUrl, PauseMode,
    PlainText, RegionName, VodText,
};

/// `Data` of a Start as it is followed. Its JSON has the names of the Action API, and is what DescribeDetail shows.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "PascalCase")]
pub struct Parameters {
    #[serde(rename = "RecordURL")]
    #[schemars(with = "String", extend("format" = "uri", "pattern" = "^https?://", "maxLength" = 8192))]
    pub record_url: PageUrl,
    /// Waits for `window.startRecord()`.
    #[serde(default)]
    pub manual_start: bool,
    /// In pixels, 16 to 2560.
    #[serde(default = "width")]
    #[schemars(range(max = 2560))]
    pub width: u32,
    /// In pixels, 16 to 2560.
    #[serde(default = "height")]
    #[schemars(range(max = 2560))]
    pub height: u32,
    /// http or https.
    #[serde(default, rename = "CallbackURL", skip_serializing_if = "Option::is_none")]
    #[schemars(with = "Option<String>", extend("format" = "uri", "pattern" = "^https?://", "maxLength" = 8192))]
    pub callback_url: Option<Url>,
    /// Seconds of wall clock. A Start takes at most 36000.
    #[serde(default)]
    pub max_duration_limit: MaxDuration,
    #[serde(default)]
    pub storage_type: StorageType,
    #[serde(default)]
    pub output: Output,
    #[serde(default)]
    pub headers: Headers,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(with = "Option<String>", length(max = 1024))]
    pub page_title: Option<PlainText>,
    /// An extension, as all that follows.
    #[serde(default)]
    pub frame_rate: FrameRate,
    /// In kilobits a second.
    #[serde(default)]
    pub max_bitrate: MaxBitrate,
    #[serde(default)]
    pub codec: Codec,
    #[serde(default)]
    pub pause_mode: PauseMode,
    /// Whether a picture is made besides the video.
    #[serde(default)]
    pub thumbnail: bool,
    /// Handed on to the callback as it is; at most 4096 bytes of JSON.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub user_data: Option<Value>,
}

pub(super) fn width() -> u32 {
    1280
}

pub(super) fn height() -> u32 {
    720
}

/// Where the recording is kept until its video is finished.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum StorageType {
    /// On the shared file system.
    #[default]
    Cfs,
    /// In a bucket.
    Cos,
}

/// What Chrome says of itself.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "PascalCase")]
pub struct Headers {
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(with = "Option<String>", length(max = 1024))]
    pub user_agent: Option<PlainText>,
}

/// The video, and where it goes: VOD wins, and with neither it goes where the installation says.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "PascalCase")]
pub struct Output {
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub cos: Option<Cos>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub vod: Option<Vod>,
    #[serde(default)]
    pub video: Video,
}

/// A bucket; what is not said is the installation's.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "PascalCase")]
pub struct Cos {
    /// The host of FileURL, or an http or https URL.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub domain: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(with = "Option<String>")]
    pub bucket: Option<BucketName>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(with = "Option<String>")]
    pub region: Option<RegionName>,
    /// None: the TaskID.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(with = "Option<String>")]
    pub target_dir: Option<KeyPrefix>,
    /// Without its extension. None: of an MP4 the creation time in Unix milliseconds, of HLS `playlist`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(with = "Option<String>")]
    pub target_name: Option<FileName>,
}

/// A media in VOD.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "PascalCase")]
pub struct Vod {
    #[serde(default)]
    pub media_info: MediaInfo,
    #[serde(default)]
    pub procedure_info: ProcedureInfo,
    /// Up to 2^53 - 1, as all numbers of VOD.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub sub_app_id: Option<u64>,
}

/// What the media is.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "PascalCase")]
pub struct MediaInfo {
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(with = "Option<String>")]
    pub media_name: Option<VodText<255>>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub expire_time: Option<Timestamp>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(with = "Option<String>")]
    pub storage_region: Option<VodText<64>>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub class_id: Option<u64>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(with = "Option<String>")]
    pub source_context: Option<VodText<250>>,
}

/// What VOD does with the media.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "PascalCase")]
pub struct ProcedureInfo {
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(with = "Option<String>")]
    pub procedure: Option<VodText<255>>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(with = "Option<String>")]
    pub session_context: Option<VodText<1000>>,
}

/// The kind of the video.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "PascalCase")]
pub struct Video {
    #[serde(default)]
    pub muxer: Muxer,
    /// Where players get the key; given where the video is encrypted, and only there.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(with = "Option<String>", extend("format" = "uri", "pattern" = "^https?://", "maxLength" = 8192))]
    pub auth_url: Option<Url>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(with = "Option<String>", regex(pattern = "^[0-9A-Fa-f]{32}$"))]
    pub encrypt_iv: Option<HlsIv>,
}

/// The container.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum Muxer {
    #[default]
    Mp4,
    Hls,
}

impl From<Muxer> for Format {
    fn from(muxer: Muxer) -> Format {
        match muxer {
            Muxer::Mp4 => Format::Mp4,
            Muxer::Hls => Format::Hls,
        }
    }
}

impl From<Format> for Muxer {
    fn from(format: Format) -> Muxer {
        match format {
            Format::Mp4 => Muxer::Mp4,
            Format::Hls => Muxer::Hls,
        }
    }
}
