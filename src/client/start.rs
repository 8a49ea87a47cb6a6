//! `panorec action start`: from its options to the Data of a Start.

use std::path::PathBuf;
use std::time::Duration;

use clap::Args;
use serde::Serialize;
use serde_json::{Map, Value, json};

use super::files;
use super::request::Request;
use super::times::duration;
use crate::complaint::Complaint;
use crate::gateway::action::ClientToken;

/// What is left out is left to the gateway, and so are the bounds.
#[derive(Debug, Args)]
#[command(after_help = "\
Each call has a ClientToken of its own, so that it can be tried again until it is answered and makes
one recording only.

Examples:
  panorec action start https://example.com/lesson
  panorec action start https://example.com/lesson --width 1920 --height 1080 --max-duration 2h
  panorec action start https://example.com/lesson --cos-bucket lessons-1250000000 --cos-region ap-shanghai
  panorec action start https://example.com/lesson --format hls --hls-key-file key --hls-key-url https://keys.example/1
  panorec action start https://example.com/lesson --data defaults.json --user-data '{\"lesson\": 42}'
  panorec action start --data - < data.json")]
pub struct StartArgs {
    /// The page, http or https (RecordURL)
    // Not `url`, by which clap knows the gateway's.
    #[arg(value_name = "URL", required_unless_present = "data")]
    page: Option<String>,
    /// Begin with the Data in this file, or with what standard input says for -; options go over it
    #[arg(long, value_name = "FILE")]
    data: Option<PathBuf>,
    /// The id of the task, a UUID (TaskID) [default: one that the gateway makes]
    #[arg(long, value_name = "UUID")]
    task_id: Option<String>,
    /// What makes a second try the same Start (ClientToken) [default: a new one]
    #[arg(long, value_name = "TOKEN")]
    client_token: Option<ClientToken>,

    /// Wait for window.startRecord() of the page (ManualStart)
    #[arg(long)]
    manual_start: bool,
    /// Width of the picture in pixels, up to 2560 (Width)
    #[arg(long, value_name = "PIXELS")]
    width: Option<u32>,
    /// Height of the picture in pixels, up to 2560 (Height)
    #[arg(long, value_name = "PIXELS")]
    height: Option<u32>,
    /// Where the result is posted to (CallbackURL)
    #[arg(long, value_name = "URL")]
    callback_url: Option<String>,
    /// Stop after so much time, pauses included, up to 10h (MaxDurationLimit)
    #[arg(long, value_name = "TIME", value_parser = duration)]
    max_duration: Option<Duration>,
    /// Where it lies until its video is finished: the file system or a bucket (StorageType)
    #[arg(long, value_name = "WHERE", value_parser = ["cfs", "cos"])]
    storage_type: Option<String>,
    /// A title for the page instead of its own (PageTitle)
    #[arg(long, value_name = "TEXT")]
    title: Option<String>,
    /// The user agent that the page sees (Headers.UserAgent)
    #[arg(long, value_name = "TEXT")]
    user_agent: Option<String>,
    /// Sign in with the cookies, headers and local storage in this file (LoginState)
    #[arg(long, value_name = "FILE")]
    login: Option<PathBuf>,
    /// Frames a second at most, 1 to 60 (FrameRate)
    #[arg(long, value_name = "FPS")]
    frame_rate: Option<u32>,
    /// Kilobits a second that the picture may take at most (MaxBitrate)
    #[arg(long, value_name = "KBPS")]
    max_bitrate: Option<u32>,
    /// The video codec while recording (Codec)
    #[arg(long, value_name = "CODEC", value_parser = ["h264", "vp8", "vp9"])]
    codec: Option<String>,
    /// What a pause does to the video (PauseMode)
    #[arg(long, value_name = "MODE", value_parser = ["cut", "freeze", "black"])]
    pause_mode: Option<String>,
    /// Also make a picture of the video (Thumbnail)
    #[arg(long)]
    thumbnail: bool,
    /// What the callback hands on (UserData)
    #[arg(long, value_name = "JSON", value_parser = any_json)]
    user_data: Option<Value>,

    /// The kind of file (Output.Video.Muxer)
    #[arg(long, value_name = "FORMAT", value_parser = ["mp4", "hls"], help_heading = "Video")]
    format: Option<String>,
    /// HLS: encrypt with the key in this file, 16 bytes or 32 hexadecimal digits (Output.Video.EncryptKey)
    #[arg(long, value_name = "FILE", help_heading = "Video")]
    hls_key_file: Option<PathBuf>,
    /// HLS: where players get the key (Output.Video.AuthUrl)
    #[arg(long, value_name = "URL", help_heading = "Video")]
    hls_key_url: Option<String>,
    /// HLS: the initialization vector, 32 hexadecimal digits (Output.Video.EncryptIv)
    #[arg(long, value_name = "HEX", help_heading = "Video")]
    hls_iv: Option<String>,

    #[command(flatten)]
    cos: CosArgs,
    #[command(flatten)]
    vod: VodArgs,
}

/// Output.Cos.
#[derive(Debug, Args)]
#[command(next_help_heading = "To a bucket")]
struct CosArgs {
    /// The bucket (Output.Cos.Bucket)
    #[arg(long, value_name = "NAME")]
    cos_bucket: Option<String>,
    /// Its region (Output.Cos.Region)
    #[arg(long, value_name = "NAME")]
    cos_region: Option<String>,
    /// The host of FileURL (Output.Cos.Domain)
    #[arg(long, value_name = "HOST")]
    cos_domain: Option<String>,
    /// The folder in it (Output.Cos.TargetDir)
    #[arg(long, value_name = "FOLDER")]
    cos_target_dir: Option<String>,
    /// The file's name (Output.Cos.TargetName)
    #[arg(long, value_name = "NAME")]
    cos_target_name: Option<String>,
}

/// Output.Vod.
#[derive(Debug, Args)]
#[command(next_help_heading = "To VOD")]
struct VodArgs {
    /// Make it a media of VOD; so does each of the following (Output.Vod)
    #[arg(long)]
    vod: bool,
    /// The sub-application (Output.Vod.SubAppId)
    #[arg(long, value_name = "ID")]
    vod_sub_app_id: Option<u64>,
    /// The media's name (Output.Vod.MediaInfo.MediaName)
    #[arg(long, value_name = "TEXT")]
    vod_media_name: Option<String>,
    /// When it is removed, as in 2026-10-01T10:00:00Z (Output.Vod.MediaInfo.ExpireTime)
    #[arg(long, value_name = "TIME")]
    vod_expire_time: Option<String>,
    /// Where it is stored (Output.Vod.MediaInfo.StorageRegion)
    #[arg(long, value_name = "NAME")]
    vod_storage_region: Option<String>,
    /// Its class (Output.Vod.MediaInfo.ClassId)
    #[arg(long, value_name = "ID")]
    vod_class_id: Option<u64>,
    /// What VOD's own callbacks of the upload hand on (Output.Vod.MediaInfo.SourceContext)
    #[arg(long, value_name = "TEXT")]
    vod_source_context: Option<String>,
    /// The task flow that it goes through (Output.Vod.ProcedureInfo.Procedure)
    #[arg(long, value_name = "NAME")]
    vod_procedure: Option<String>,
    /// What VOD's own callbacks of the task flow hand on (Output.Vod.ProcedureInfo.SessionContext)
    #[arg(long, value_name = "TEXT")]
    vod_session_context: Option<String>,
}

impl StartArgs {
    /// The request, and the token that it can be tried again with.
    pub(super) fn request(&self) -> Result<(Request, String), Complaint> {
        let base = self.data.as_ref().map(|path| files::json(path, "Data")).transpose()?;
        let mut data = Data::of(base)?;
        self.put(&mut data)?;
        let token = data.token();
        let mut body = json!({ "Action": "Start", "Data": data.0 });
        if let (Some(task_id), Some(body)) = (&self.task_id, body.as_object_mut()) {
            body.insert("TaskID".to_owned(), json!(task_id));
        }
        Ok((Request::raw(body.to_string()), token))
    }

    fn put(&self, data: &mut Data) -> Result<(), Complaint> {
        data.put("RecordURL", &self.page)?;
        data.put("ClientToken", &self.client_token.as_ref().map(ToString::to_string))?;
        data.put("ManualStart", &self.manual_start.then_some(true))?;
        data.put("Width", &self.width)?;
        data.put("Height", &self.height)?;
        data.put("CallbackURL", &self.callback_url)?;
        data.put("MaxDurationLimit", &self.max_duration.map(|time| time.as_secs()))?;
        data.put("StorageType", &self.storage_type)?;
        data.put("PageTitle", &self.title)?;
        data.put("Headers.UserAgent", &self.user_agent)?;
        data.put("LoginState", &self.login.as_ref().map(|path| files::json(path, "the login state")).transpose()?)?;
        data.put("FrameRate", &self.frame_rate)?;
        data.put("MaxBitrate", &self.max_bitrate)?;
        data.put("Codec", &self.codec)?;
        data.put("PauseMode", &self.pause_mode)?;
        data.put("Thumbnail", &self.thumbnail.then_some(true))?;
        data.put("UserData", &self.user_data)?;
        let key = self.hls_key_file.as_ref().map(|path| files::hex_key(path)).transpose()?;
        data.put("Output.Video.Muxer", &self.format)?;
        data.put("Output.Video.EncryptKey", &key.as_ref().map(|key| key.expose()))?;
        data.put("Output.Video.AuthUrl", &self.hls_key_url)?;
        data.put("Output.Video.EncryptIv", &self.hls_iv)?;
        data.put("Output.Cos.Bucket", &self.cos.cos_bucket)?;
        data.put("Output.Cos.Region", &self.cos.cos_region)?;
        data.put("Output.Cos.Domain", &self.cos.cos_domain)?;
        data.put("Output.Cos.TargetDir", &self.cos.cos_target_dir)?;
        data.put("Output.Cos.TargetName", &self.cos.cos_target_name)?;
        let vod = &self.vod;
        if vod.vod {
            data.object("Output.Vod")?;
        }
        data.put("Output.Vod.SubAppId", &vod.vod_sub_app_id)?;
        data.put("Output.Vod.MediaInfo.MediaName", &vod.vod_media_name)?;
        data.put("Output.Vod.MediaInfo.ExpireTime", &vod.vod_expire_time)?;
        data.put("Output.Vod.MediaInfo.StorageRegion", &vod.vod_storage_region)?;
        data.put("Output.Vod.MediaInfo.ClassId", &vod.vod_class_id)?;
        data.put("Output.Vod.MediaInfo.SourceContext", &vod.vod_source_context)?;
        data.put("Output.Vod.ProcedureInfo.Procedure", &vod.vod_procedure)?;
        data.put("Output.Vod.ProcedureInfo.SessionContext", &vod.vod_session_context)
    }
}

/// The object that is sent.
struct Data(Map<String, Value>);

impl Data {
    fn of(base: Option<Value>) -> Result<Data, Complaint> {
        match base {
            None => Ok(Data(Map::new())),
            Some(Value::Object(base)) => Ok(Data(base)),
            Some(_) => Err(Complaint::usage("Data must be an object, like {\"RecordURL\": \"https://example.com/\"}")),
        }
    }

    /// Puts a value, if there is one, at its place, as in `Output.Cos.Bucket`.
    fn put(&mut self, place: &str, value: &Option<impl Serialize>) -> Result<(), Complaint> {
        let Some(value) = value else { return Ok(()) };
        let value = serde_json::to_value(value).map_err(Complaint::internal)?;
        let (object, name) = match place.rsplit_once('.') {
            Some((above, name)) => (self.object(above)?, name),
            None => (&mut self.0, place),
        };
        object.insert(name.to_owned(), value);
        Ok(())
    }

    /// The object at a place, made where it is missing.
    fn object(&mut self, place: &str) -> Result<&mut Map<String, Value>, Complaint> {
        let mut object = &mut self.0;
        for name in place.split('.') {
            let value = object.entry(name).or_insert(Value::Null);
            if value.is_null() {
                *value = Value::Object(Map::new());
            }
            object = value.as_object_mut().ok_or_else(|| Complaint::usage(format!("{place} must be an object")))?;
        }
        Ok(object)
    }

    /// The ClientToken; a new one where none was given.
    fn token(&mut self) -> String {
        let given = self.0.get("ClientToken").and_then(Value::as_str).filter(|token| !token.trim().is_empty());
        let token = given.map_or_else(|| uuid::Uuid::new_v4().to_string(), str::to_owned);
        self.0.insert("ClientToken".to_owned(), json!(token));
        token
    }
}

fn any_json(text: &str) -> Result<Value, &'static str> {
    serde_json::from_str(text).map_err(|_| "it must be JSON, like '{\"lesson\": 42}' or '\"text\"'")
}

#[cfg(test)]
#[path = "start_tests.rs"]
mod tests;
