//! What was asked for, in two halves: what the recorder needs, and what the publisher needs.
//! Called by whoever starts a recording; read back by recorder and publisher from the folder.
//! Never: holds a secret; a key or a login is named by its file.

mod bounds;
mod callback;
mod delivery;
mod s3;
mod size;
mod vod;

pub use bounds::{
    AudioBitrate, BadValue, Crf, FrameRate, KeyFrameInterval, MaxBitrate, MaxDuration, SegmentDuration, StartTimeout,
    VideoDuration,
};
pub use callback::Callback;
pub use delivery::{BadDelivery, Delivery, Destination, FileName, Format, HlsIv, HlsKey, Intermediate, Served};
pub use s3::{
    Addressing, BadS3, BucketName, Credentials, Encryption, KeyPrefix, KmsKeyId, Link, Metadata, RegionName,
    S3Destination, Signature, Tags,
};
pub use size::{PictureSize, Rounded};
pub use vod::{BadVodText, VodDestination, VodText};

use std::fmt;
use std::ops::Deref;
use std::path::PathBuf;

use schemars::JsonSchema;
use serde::{Deserialize, Deserializer, Serialize};
use url::Url;

/// What the recorder is asked to do: `recorder/request.json`.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Request {
    pub url: PageUrl,
    pub size: PictureSize,
    pub frame_rate: FrameRate,
    pub start: Start,
    /// How long a manual start is waited for.
    pub start_timeout_seconds: StartTimeout,
    /// Wall clock since the session was created; pauses count.
    pub max_duration_seconds: MaxDuration,
    /// Stop when this much video has been recorded.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub duration_seconds: Option<VideoDuration>,
    pub pause_mode: PauseMode,
    pub codec: Codec,
    pub crf: Crf,
    pub max_bitrate_kbps: MaxBitrate,
    pub preset: Preset,
    pub key_frame_interval_seconds: KeyFrameInterval,
    pub audio_bitrate_kbps: AudioBitrate,
    pub constant_frame_rate: bool,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub user_agent: Option<PlainText>,
    /// A title that the page's document is given instead of its own.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub title: Option<PlainText>,
    /// The file that holds the login state for the page. An absolute path.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub login_file: Option<PathBuf>,
    /// Record even where Chrome's sandbox cannot be had. A person's own choice.
    pub allow_no_sandbox: bool,
}

impl Request {
    /// A request with the contract's defaults: 1280x720 at 30 frames a second, H.264.
    pub fn new(url: PageUrl) -> Request {
        Request {
            url,
            size: PictureSize::default(),
            frame_rate: FrameRate::default(),
            start: Start::Automatic,
            start_timeout_seconds: StartTimeout::default(),
            max_duration_seconds: MaxDuration::default(),
            duration_seconds: None,
            pause_mode: PauseMode::Cut,
            codec: Codec::H264,
            crf: Crf::default(),
            max_bitrate_kbps: MaxBitrate::default(),
            preset: Preset::Veryfast,
            key_frame_interval_seconds: KeyFrameInterval::default(),
            audio_bitrate_kbps: AudioBitrate::default(),
            constant_frame_rate: false,
            user_agent: None,
            title: None,
            login_file: None,
            allow_no_sandbox: false,
        }
    }
}

/// What starts the recording.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize, JsonSchema)]
pub enum Start {
    #[default]
    Automatic,
    /// The page calls window.startRecord().
    Manual,
}

/// What a pause does to the video.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize, JsonSchema)]
pub enum PauseMode {
    /// The paused stretch is left out.
    #[default]
    Cut,
    /// The last picture stands, in silence.
    Freeze,
    /// Black, in silence.
    Black,
}

/// The video codec of the parts; sound is AAC with H.264, and Opus with the others.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize, JsonSchema)]
pub enum Codec {
    #[default]
    H264,
    #[serde(rename = "VP8")]
    Vp8,
    #[serde(rename = "VP9")]
    Vp9,
}

impl Codec {
    /// Whether the codec's encoder has such a rate factor.
    pub fn check(self, crf: Crf) -> Result<(), BadValue> {
        let (what, min, max) = match self {
            Codec::H264 => ("the constant rate factor of h264", 0, 51),
            Codec::Vp8 => ("the constant rate factor of vp8", 4, 63),
            Codec::Vp9 => ("the constant rate factor of vp9", 4, 63),
        };
        if (min..=max).contains(&u32::from(crf.get())) {
            return Ok(());
        }
        Err(BadValue::OutOfRange { what, min, max, unit: "", given: crf.to_string() })
    }

    /// The constant rate factor used when none is asked for.
    pub fn default_crf(self) -> Crf {
        match self {
            Codec::H264 => Crf::default(),
            Codec::Vp8 => Crf::VP8,
            Codec::Vp9 => Crf::VP9,
        }
    }
}

/// How hard the encoder tries; x264's names.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum Preset {
    Ultrafast,
    Superfast,
    #[default]
    Veryfast,
    Faster,
    Fast,
    Medium,
}

impl Preset {
    /// x264's name.
    pub fn as_str(self) -> &'static str {
        match self {
            Preset::Ultrafast => "ultrafast",
            Preset::Superfast => "superfast",
            Preset::Veryfast => "veryfast",
            Preset::Faster => "faster",
            Preset::Fast => "fast",
            Preset::Medium => "medium",
        }
    }
}

/// The address of a page: http or https. Shown without what may be secret in it.
#[derive(Clone, PartialEq, Eq, Serialize)]
#[serde(transparent)]
pub struct PageUrl(Url);

impl PageUrl {
    /// Takes `text` as the address of a page.
    pub fn parse(text: &str) -> Result<PageUrl, BadUrl> {
        let url = Url::parse(text).map_err(|source| match source {
            url::ParseError::RelativeUrlWithoutBase => BadUrl::NoScheme(shown(text)),
            source => BadUrl::Malformed(source),
        })?;
        PageUrl::try_from(url)
    }

    /// The host that the page is on.
    pub fn host(&self) -> &str {
        self.0.host_str().unwrap_or_default()
    }
}

impl TryFrom<Url> for PageUrl {
    type Error = BadUrl;

    fn try_from(url: Url) -> Result<PageUrl, BadUrl> {
        if !matches!(url.scheme(), "http" | "https") {
            return Err(BadUrl::Scheme(shown(url.scheme())));
        }
        if url.as_str().len() > 8192 {
            return Err(BadUrl::TooLong);
        }
        Ok(PageUrl(url))
    }
}

impl Deref for PageUrl {
    type Target = Url;

    fn deref(&self) -> &Url {
        &self.0
    }
}

impl fmt::Display for PageUrl {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        Redacted(&self.0).fmt(f)
    }
}

impl fmt::Debug for PageUrl {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

impl<'de> Deserialize<'de> for PageUrl {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let url = Url::deserialize(deserializer)?;
        PageUrl::try_from(url).map_err(serde::de::Error::custom)
    }
}

/// Why a text is not the address of a page.
#[derive(Debug, thiserror::Error)]
pub enum BadUrl {
    #[error("{0:?} is not a full URL; write it with its scheme, like https://example.com/page")]
    NoScheme(String),
    #[error("the URL cannot be read ({0}); write it like https://example.com/page")]
    Malformed(url::ParseError),
    #[error("only http and https pages can be recorded, not {0:?}; serve the page and give that URL")]
    Scheme(String),
    #[error("the URL is longer than 8192 bytes; give a shorter one")]
    TooLong,
}

/// A URL for logs and messages: without user, password, query and fragment.
pub struct Redacted<'a>(pub &'a Url);

impl fmt::Display for Redacted<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Redacted(url) = self;
        write!(f, "{}://{}", url.scheme(), url.host_str().unwrap_or_default())?;
        if let Some(port) = url.port() {
            write!(f, ":{port}")?;
        }
        f.write_str(url.path())?;
        if url.query().is_some() {
            f.write_str("?…")?;
        }
        Ok(())
    }
}

/// A line of text without control characters, at most 1024 bytes.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(transparent)]
pub struct PlainText(String);

impl PlainText {
    pub fn new(text: &str) -> Result<PlainText, BadValue> {
        if text.is_empty() || text.len() > 1024 || text.chars().any(char::is_control) {
            return Err(BadValue::Text);
        }
        Ok(PlainText(text.to_owned()))
    }

    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl std::str::FromStr for PlainText {
    type Err = BadValue;

    fn from_str(text: &str) -> Result<PlainText, BadValue> {
        PlainText::new(text)
    }
}

impl<'de> Deserialize<'de> for PlainText {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        PlainText::new(&String::deserialize(deserializer)?).map_err(serde::de::Error::custom)
    }
}

fn shown(text: &str) -> String {
    let end = text.find(['?', '#']).unwrap_or(text.len());
    text.get(..end).unwrap_or_default().chars().take(80).collect()
}
