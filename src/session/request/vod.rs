//! A media in Tencent Cloud VOD.

use std::fmt;
use std::path::PathBuf;
use std::str::FromStr;

use jiff::Timestamp;
use serde::{Deserialize, Deserializer, Serialize};
use url::Url;

/// Where the API is.
const ENDPOINT: &str = "https://vod.tencentcloudapi.com";
/// The region that requests name when nobody says one; VOD itself is in none.
const REGION: &str = "ap-guangzhou";

/// How the video becomes a media of VOD. No secret is in it.
///
/// What ApplyUpload takes: <https://www.tencentcloud.com/document/product/266/34120>.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct VodDestination {
    /// The application; None: the account's default one, which accounts since December 2023 lack.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub sub_app_id: Option<u64>,
    /// None: the file's name without its extension.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub media_name: Option<VodText<255>>,
    /// When VOD deletes the media; None: never.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub expire_time: Option<Timestamp>,
    /// Where the media is stored, such as ap-shanghai; None: as the application has it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub storage_region: Option<VodText<64>>,
    /// The class (category); None: 0, "other".
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub class_id: Option<u64>,
    /// VOD gives it back when it tells of the upload.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub source_context: Option<VodText<250>>,
    /// The task flow that begins after the upload.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub procedure: Option<VodText<255>>,
    /// VOD gives it back when it tells of the task flow.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub session_context: Option<VodText<1000>>,
    /// The API's address; None: Tencent Cloud's own.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub endpoint: Option<Url>,
    /// What requests name as their region (X-TC-Region).
    #[serde(default = "default_region")]
    pub region: VodText<64>,
    /// A JSON file: `secretId`, `secretKey` and perhaps `token`. An absolute path.
    pub credentials_file: PathBuf,
    /// Where the files are sent, when that is not COS in the region that VOD names.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub store_endpoint: Option<Url>,
    /// Transient failures are tried again for so long, in seconds.
    #[serde(default = "default_deadline")]
    pub deadline_seconds: u64,
}

fn default_region() -> VodText<64> {
    VodDestination::default_region()
}

fn default_deadline() -> u64 {
    VodDestination::DEADLINE_SECONDS
}

impl VodDestination {
    /// How long transient failures are tried again, unless somebody says otherwise.
    pub const DEADLINE_SECONDS: u64 = 3_600;

    /// What is asked of VOD when nothing but the credentials is said.
    pub fn new(credentials_file: PathBuf) -> VodDestination {
        VodDestination {
            sub_app_id: None,
            media_name: None,
            expire_time: None,
            storage_region: None,
            class_id: None,
            source_context: None,
            procedure: None,
            session_context: None,
            endpoint: None,
            region: VodDestination::default_region(),
            credentials_file,
            store_endpoint: None,
            deadline_seconds: VodDestination::DEADLINE_SECONDS,
        }
    }

    /// The API's address.
    ///
    /// # Errors
    /// None but for a mistake in this file.
    pub fn endpoint(&self) -> Result<Url, url::ParseError> {
        self.endpoint.clone().map_or_else(|| Url::parse(ENDPOINT), Ok)
    }

    /// The region that requests name when nobody says one.
    pub fn default_region() -> VodText<64> {
        VodText(REGION.to_owned())
    }
}

impl fmt::Display for VodDestination {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("vod://")?;
        self.sub_app_id.map_or(Ok(()), |id| id.fmt(f))
    }
}

/// A text of at least one character and at most so many.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(transparent)]
pub struct VodText<const MOST: usize>(String);

impl<const MOST: usize> VodText<MOST> {
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

/// Why a text is none for VOD.
#[derive(Debug, thiserror::Error)]
#[error("VOD takes 1 to {most} characters here, not {given}")]
pub struct BadVodText {
    most: usize,
    given: usize,
}

impl<const MOST: usize> FromStr for VodText<MOST> {
    type Err = BadVodText;

    fn from_str(text: &str) -> Result<VodText<MOST>, BadVodText> {
        match text.chars().count() {
            given if (1..=MOST).contains(&given) => Ok(VodText(text.to_owned())),
            given => Err(BadVodText { most: MOST, given }),
        }
    }
}

impl<const MOST: usize> fmt::Display for VodText<MOST> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl<'de, const MOST: usize> Deserialize<'de> for VodText<MOST> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        String::deserialize(deserializer)?.parse().map_err(serde::de::Error::custom)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn it_is_read_back_as_it_was_written() {
        let least = VodDestination::new("/run/panorec-vod.json".into());
        let all = VodDestination {
            sub_app_id: Some(1_500_007_120),
            media_name: Some("Maths 3".parse().unwrap()),
            expire_time: Some("2027-10-01T18:00:00+08:00".parse().unwrap()),
            storage_region: Some("ap-shanghai".parse().unwrap()),
            class_id: Some(0),
            source_context: Some("lesson".parse().unwrap()),
            procedure: Some("SimpleAesEncryptPreset".parse().unwrap()),
            session_context: Some("a\nb".parse().unwrap()),
            store_endpoint: Some("http://127.0.0.1:9000".parse().unwrap()),
            ..least.clone()
        };
        for destination in [least, all] {
            let text = serde_json::to_string(&destination).unwrap();
            assert_eq!(serde_json::from_str::<VodDestination>(&text).unwrap(), destination, "{text}");
        }
        let read: VodDestination = serde_json::from_str(r#"{"credentialsFile":"/run/panorec-vod.json"}"#).unwrap();
        assert_eq!(read, VodDestination::new("/run/panorec-vod.json".into()));
        assert_eq!(read.endpoint().unwrap().as_str(), "https://vod.tencentcloudapi.com/");
        assert!(serde_json::from_str::<VodDestination>(r#"{"credentialsFile":"/a","secretKey":"b"}"#).is_err());
    }

    #[test]
    fn texts_are_counted_in_characters() {
        assert!("".parse::<VodText<250>>().is_err());
        assert!("é".repeat(250).parse::<VodText<250>>().is_ok());
        let said = "é".repeat(251).parse::<VodText<250>>().unwrap_err().to_string();
        assert_eq!(said, "VOD takes 1 to 250 characters here, not 251");
    }
}
