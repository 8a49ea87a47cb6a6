//! A recording in the words of the Action API: what Describe answers and the callback brings.

use jiff::Timestamp;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::fold::Phase;
use super::name::TaskId;
use super::status::{Report, StatusResult, Video};

/// The object of Describe, without its `RequestID`. Times are Unix seconds; what has no value is
/// left out.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "PascalCase")]
pub struct Described {
    #[serde(rename = "TaskID")]
    #[schemars(with = "String")]
    pub task_id: TaskId,
    pub status: Phase,
    /// Its place among those that wait for their turn, 1 being the next. An extension.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub queue_position: Option<u32>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub create_time: Option<i64>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub start_time: Option<i64>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub cancel_time: Option<i64>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub stop_time: Option<i64>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub finish_time: Option<i64>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub result: Option<DescribedResult>,
}

/// What came of a recording.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "PascalCase")]
pub struct DescribedResult {
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub error_code: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub error_message: Option<String>,
    /// Empty when nothing was recorded.
    pub videos: Vec<DescribedVideo>,
}

/// A finished file.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "PascalCase")]
pub struct DescribedVideo {
    pub filename: String,
    /// In bytes.
    pub file_size: u64,
    /// In seconds.
    pub file_duration: f64,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub file_id: Option<String>,
    #[serde(default, rename = "FileURL", skip_serializing_if = "Option::is_none")]
    pub file_url: Option<String>,
}

impl From<&Report> for Described {
    fn from(report: &Report) -> Described {
        let status = &report.status;
        Described {
            task_id: report.task_id.clone(),
            status: status.phase,
            queue_position: None,
            create_time: seconds(status.create_time),
            start_time: seconds(status.start_time),
            cancel_time: seconds(status.cancel_time),
            stop_time: seconds(status.stop_time),
            finish_time: seconds(status.finish_time),
            result: status.result.as_ref().map(DescribedResult::from),
        }
    }
}

impl From<&StatusResult> for DescribedResult {
    fn from(result: &StatusResult) -> DescribedResult {
        DescribedResult {
            error_code: said(&result.error_code),
            error_message: said(&result.error_message),
            videos: result.videos.iter().map(DescribedVideo::from).collect(),
        }
    }
}

impl From<&Video> for DescribedVideo {
    fn from(video: &Video) -> DescribedVideo {
        DescribedVideo {
            filename: video.filename.clone(),
            file_size: video.size_bytes,
            file_duration: video.duration_seconds,
            file_id: said(&video.file_id),
            file_url: said(&video.url),
        }
    }
}

/// A time of 0 is none to clients of the Action API.
fn seconds(time: Option<Timestamp>) -> Option<i64> {
    time.map(Timestamp::as_second).filter(|second| *second != 0)
}

fn said(text: &Option<String>) -> Option<String> {
    text.clone().filter(|text| !text.is_empty())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::session::fold::Folded;
    use crate::session::status::Items;

    #[test]
    fn a_finished_recording_is_described_as_the_action_api_does() {
        let mut report = Report::of("lesson-42".parse().unwrap(), &Folded::default(), Items::All);
        assert_eq!(
            serde_json::to_value(Described::from(&report)).unwrap(),
            serde_json::json!({"TaskID": "lesson-42", "Status": "normal"})
        );
        report.status.phase = Phase::Finished;
        report.status.create_time = Some("2021-05-14T06:36:13.9Z".parse().unwrap());
        report.status.start_time = Some(Timestamp::UNIX_EPOCH);
        report.status.result = Some(StatusResult {
            error_code: None,
            error_message: Some(String::new()),
            videos: vec![Video {
                filename: "1621406865789.mp4".into(),
                size_bytes: 169_780,
                duration_seconds: 9.5,
                url: Some("http://x/1.mp4".into()),
                file_id: None,
            }],
        });
        let json = serde_json::json!({
            "TaskID": "lesson-42", "Status": "finished", "CreateTime": 1_620_974_173,
            "Result": {"Videos": [{"Filename": "1621406865789.mp4", "FileSize": 169_780,
                                   "FileDuration": 9.5, "FileURL": "http://x/1.mp4"}]},
        });
        let described = Described::from(&report);
        assert_eq!(serde_json::to_value(&described).unwrap(), json);
        assert_eq!(serde_json::from_value::<Described>(json).unwrap(), described);
    }
}
