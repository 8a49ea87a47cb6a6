//! What the publisher is asked to make, and where it goes.

use std::fmt;
use std::path::PathBuf;
use std::str::FromStr;

use jiff::Timestamp;
use schemars::JsonSchema;
use serde::{Deserialize, Deserializer, Serialize, Serializer};
use url::Url;

use super::bounds::SegmentDuration;
use super::callback::Callback;
use super::s3::S3Destination;
use super::vod::VodDestination;
use crate::session::name::TaskId;

/// What the publisher is asked to do: `publisher/delivery.json`. No secret is in it.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Delivery {
    pub task_id: TaskId,
    pub format: Format,
    pub destination: Destination,
    /// The name of the file without its extension: `<name>.mp4`, or `<name>.m3u8` and its
    /// segments.
    pub name: FileName,
    pub segment_seconds: SegmentDuration,
    /// HLS: bring the playlist to its place after each segment, so that players can follow.
    #[serde(default)]
    pub live_playlist: bool,
    /// HLS: encrypt the segments.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub key: Option<HlsKey>,
    pub thumbnail: bool,
    pub contact_sheet: bool,
    /// Where the recording is kept besides the session's folder until it is delivered.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub intermediate: Option<Intermediate>,
    /// Where the result is posted once everything is over.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub callback: Option<Callback>,
    /// Of a recording that a client asked for.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub served: Option<Served>,
    /// Remove the session folder once everything is delivered.
    pub remove_session: bool,
}

/// What counts of a client's request besides what is to be made.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Served {
    /// When it was asked for: the recording may have waited for its turn since.
    pub created: Timestamp,
    /// The URL of a folder in which files that stay in the session can be had, if they can.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub files: Option<Url>,
}

impl Served {
    /// The URL of a file that stays in the session.
    pub fn url(&self, name: &str) -> Option<Url> {
        let mut url = self.files.clone()?;
        if let Ok(mut path) = url.path_segments_mut() {
            path.pop_if_empty().push(name);
        }
        Some(url)
    }
}

/// Where the finished files go.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub enum Destination {
    /// A folder that is there already; an absolute path.
    Folder { path: PathBuf },
    /// They stay where they are made: in the session's `publisher/output`.
    Session,
    /// A bucket.
    S3(Box<S3Destination>),
    /// A media in Tencent Cloud VOD.
    Vod(Box<VodDestination>),
}

/// A place for the recording that outlives the disk of the session.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Intermediate {
    /// A bucket; its prefix is the session's own.
    pub place: Box<S3Destination>,
    /// Leave the media there once it is delivered.
    #[serde(default)]
    pub keep: bool,
}

/// The kind of the finished file.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize, JsonSchema)]
pub enum Format {
    #[default]
    #[serde(rename = "MP4")]
    Mp4,
    #[serde(rename = "HLS")]
    Hls,
}

impl Format {
    /// The extension of the file that a player opens.
    pub fn extension(self) -> &'static str {
        match self {
            Format::Mp4 => "mp4",
            Format::Hls => "m3u8",
        }
    }
}

/// AES-128 of HLS segments.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct HlsKey {
    /// The file that holds the key: 16 bytes, or 32 hexadecimal digits. An absolute path.
    pub file: PathBuf,
    /// Where players get the key; written into the playlist.
    pub url: Url,
    /// The initialization vector; None: each segment's media sequence number, as RFC 8216 has it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub iv: Option<HlsIv>,
}

/// Why a delivery cannot be made.
#[derive(Debug, thiserror::Error)]
pub enum BadDelivery {
    #[error("{0:?} is not a file name: 1 to 200 bytes, no '/', no control characters, no leading '.'")]
    FileName(String),
    #[error("the HLS initialization vector must be 32 hexadecimal digits (16 bytes)")]
    Iv,
}

/// A name for a file, without a path.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(transparent)]
pub struct FileName(String);

impl FileName {
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for FileName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl FromStr for FileName {
    type Err = BadDelivery;

    fn from_str(text: &str) -> Result<FileName, BadDelivery> {
        let fits = (1..=200).contains(&text.len())
            && !text.starts_with('.')
            && !text.chars().any(|c| c == '/' || c.is_control());
        if fits { Ok(FileName(text.to_owned())) } else { Err(BadDelivery::FileName(text.chars().take(80).collect())) }
    }
}

impl<'de> Deserialize<'de> for FileName {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = String::deserialize(deserializer)?;
        text.parse().map_err(serde::de::Error::custom)
    }
}

/// An AES initialization vector; 32 hexadecimal digits in text, `0x` before them allowed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct HlsIv(pub [u8; 16]);

impl FromStr for HlsIv {
    type Err = BadDelivery;

    fn from_str(text: &str) -> Result<HlsIv, BadDelivery> {
        let digits = text.strip_prefix("0x").or(text.strip_prefix("0X")).unwrap_or(text);
        if digits.len() != 32 || !digits.bytes().all(|byte| byte.is_ascii_hexdigit()) {
            return Err(BadDelivery::Iv);
        }
        let value = u128::from_str_radix(digits, 16).map_err(|_| BadDelivery::Iv)?;
        Ok(HlsIv(value.to_be_bytes()))
    }
}

impl fmt::Display for HlsIv {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:032x}", u128::from_be_bytes(self.0))
    }
}

impl Serialize for HlsIv {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for HlsIv {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = String::deserialize(deserializer)?;
        text.parse().map_err(serde::de::Error::custom)
    }
}
