//! What is asked of VOD, and what it answers: the fields that panorec uses of three actions.
//! Sources: <https://www.tencentcloud.com/document/product/266/34120> (ApplyUpload), 34119 (CommitUpload),
//! 34181 (DescribeMediaInfos).

use serde::{Deserialize, Serialize};

/// An action: its name, what it takes, what it gives.
pub(super) trait Action: Serialize {
    const NAME: &'static str;
    type Answer: serde::de::DeserializeOwned;
}

/// Asks for a place to upload to. Nothing is a media before CommitUpload.
#[derive(Debug, Serialize)]
#[serde(rename_all = "PascalCase")]
pub(super) struct ApplyUpload<'a> {
    /// `mp4`, or `m3u8` for HLS.
    pub media_type: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub sub_app_id: Option<u64>,
    pub media_name: &'a str,
    /// `jpg`, where a picture is sent, too.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub cover_type: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub procedure: Option<&'a str>,
    /// `2027-10-01T10:00:00Z`
    #[serde(skip_serializing_if = "Option::is_none")]
    pub expire_time: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub storage_region: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub class_id: Option<u64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub source_context: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub session_context: Option<&'a str>,
}

/// No Debug: it holds keys.
#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
pub(super) struct UploadApplied {
    pub storage_bucket: String,
    pub storage_region: String,
    pub vod_session_key: String,
    /// A key with a '/' before it.
    pub media_storage_path: String,
    #[serde(default)]
    pub cover_storage_path: Option<String>,
    /// None: the account's own keys are good for the bucket; VOD's own SDKs do so.
    #[serde(default)]
    pub temp_certificate: Option<Certificate>,
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
pub(super) struct Certificate {
    pub secret_id: String,
    pub secret_key: String,
    pub token: String,
    /// Unix time in seconds.
    pub expired_time: i64,
}

impl Action for ApplyUpload<'_> {
    const NAME: &'static str = "ApplyUpload";
    type Answer = UploadApplied;
}

/// Makes a media of what has been uploaded.
#[derive(Debug, Serialize)]
#[serde(rename_all = "PascalCase")]
pub(super) struct CommitUpload<'a> {
    pub vod_session_key: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub sub_app_id: Option<u64>,
}

#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "PascalCase")]
pub(super) struct UploadCommitted {
    /// Digits.
    pub file_id: String,
    #[serde(default)]
    pub media_url: Option<String>,
}

impl Action for CommitUpload<'_> {
    const NAME: &'static str = "CommitUpload";
    type Answer = UploadCommitted;
}

/// Asks what VOD knows of media.
#[derive(Debug, Serialize)]
#[serde(rename_all = "PascalCase")]
pub(super) struct DescribeMediaInfos<'a> {
    pub file_ids: [&'a str; 1],
    #[serde(skip_serializing_if = "Option::is_none")]
    pub sub_app_id: Option<u64>,
    pub filters: [&'a str; 2],
}

impl<'a> DescribeMediaInfos<'a> {
    pub(super) fn of(file_id: &'a str, sub_app_id: Option<u64>) -> DescribeMediaInfos<'a> {
        DescribeMediaInfos { file_ids: [file_id], sub_app_id, filters: ["basicInfo", "metaData"] }
    }
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "PascalCase")]
pub(super) struct MediaInfos {
    #[serde(default)]
    pub media_info_set: Option<Vec<MediaInfo>>,
}

impl MediaInfos {
    /// What is told of one of them.
    pub(super) fn of(self, file_id: &str) -> Option<MediaInfo> {
        self.media_info_set.unwrap_or_default().into_iter().find(|info| info.file_id == file_id)
    }
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "PascalCase")]
pub(super) struct MediaInfo {
    pub file_id: String,
    #[serde(default)]
    pub basic_info: Option<BasicInfo>,
    /// Not there before VOD has looked into the file.
    #[serde(default)]
    pub meta_data: Option<MetaData>,
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "PascalCase")]
pub(super) struct BasicInfo {
    #[serde(default)]
    pub media_url: Option<String>,
}

#[derive(Debug, Clone, Copy, PartialEq, Deserialize)]
#[serde(rename_all = "PascalCase")]
pub(super) struct MetaData {
    /// In bytes; of HLS the playlist and all its segments.
    #[serde(default)]
    pub size: Option<u64>,
    /// In seconds.
    #[serde(default)]
    pub duration: Option<f64>,
}

impl Action for DescribeMediaInfos<'_> {
    const NAME: &'static str = "DescribeMediaInfos";
    type Answer = MediaInfos;
}
