//! The arguments of Tencent Cloud VOD. Help texts; what they mean together is checked here, what is behind them
//! is not.

use std::path::PathBuf;

use clap::Args;
use jiff::Timestamp;
use url::Url;

use crate::complaint::Complaint;
use crate::session::request::{VodDestination, VodText};

#[derive(Debug, Clone, Default, PartialEq, Eq, Args)]
pub struct VodArgs {
    /// JSON with secretId and secretKey, and token where they are temporary
    #[arg(long, value_name = "FILE")]
    pub vod_credentials: Option<PathBuf>,
    /// The application; accounts since December 2023 need it
    #[arg(long, value_name = "ID")]
    pub vod_sub_app_id: Option<u64>,
    /// The media's name [default: the file's, without its extension]
    #[arg(long, value_name = "TEXT")]
    pub vod_media_name: Option<VodText<255>>,
    /// When VOD deletes the media, such as 2027-10-01T10:00:00Z [default: never]
    #[arg(long, value_name = "TIME")]
    pub vod_expire_time: Option<Timestamp>,
    /// Where the media is stored, such as ap-shanghai [default: as the application has it]
    #[arg(long, value_name = "NAME")]
    pub vod_storage_region: Option<VodText<64>>,
    /// The media's class (category)
    #[arg(long, value_name = "ID")]
    pub vod_class_id: Option<u64>,
    /// The task flow that VOD begins with the media
    #[arg(long, value_name = "NAME")]
    pub vod_procedure: Option<VodText<255>>,
    /// A text that VOD gives back when it tells of the task flow, at most 1000 characters
    #[arg(long, value_name = "TEXT")]
    pub vod_session_context: Option<VodText<1000>>,
    /// A text that VOD gives back when it tells of the upload, at most 250 characters
    #[arg(long, value_name = "TEXT")]
    pub vod_source_context: Option<VodText<250>>,
    /// The region that requests name [default: ap-guangzhou]
    #[arg(long, value_name = "NAME")]
    pub vod_region: Option<VodText<64>>,
    /// The API's address [default: https://vod.tencentcloudapi.com]
    #[arg(long, value_name = "URL")]
    pub vod_endpoint: Option<Url>,
    /// Where the files are sent [default: COS, in the region that VOD names]
    #[arg(long, value_name = "URL")]
    pub vod_store_endpoint: Option<Url>,
    /// How long a VOD that fails is tried again, before the file waits for `panorec publish` [default: 1h]
    #[arg(long, value_name = "TIME", value_parser = super::s3::deadline)]
    pub vod_deadline: Option<u64>,
}

impl VodArgs {
    /// What is asked of VOD.
    pub(in crate::local) fn destination(self) -> Result<VodDestination, Complaint> {
        for (flag, url) in [("--vod-endpoint", &self.vod_endpoint), ("--vod-store-endpoint", &self.vod_store_endpoint)]
        {
            if url.as_ref().is_some_and(|url| !matches!(url.scheme(), "http" | "https") || url.cannot_be_a_base()) {
                return Err(Complaint::usage(format!("{flag} must be an http or https URL")));
            }
        }
        let Some(file) = self.vod_credentials else {
            return Err(Complaint::usage(
                "VOD wants credentials; give --vod-credentials a JSON file with secretId and secretKey",
            ));
        };
        let absolute = std::path::absolute(&file);
        let file = absolute.map_err(|error| Complaint::usage(format!("{}: {error}", file.display())))?;
        Ok(VodDestination {
            sub_app_id: self.vod_sub_app_id,
            media_name: self.vod_media_name,
            expire_time: self.vod_expire_time,
            storage_region: self.vod_storage_region,
            class_id: self.vod_class_id,
            source_context: self.vod_source_context,
            procedure: self.vod_procedure,
            session_context: self.vod_session_context,
            endpoint: self.vod_endpoint,
            region: self.vod_region.unwrap_or_else(VodDestination::default_region),
            store_endpoint: self.vod_store_endpoint,
            deadline_seconds: self.vod_deadline.unwrap_or(VodDestination::DEADLINE_SECONDS),
            ..VodDestination::new(file)
        })
    }

    /// The first of these that was given.
    pub(in crate::local) fn given(&self) -> Option<&'static str> {
        [
            ("--vod-credentials", self.vod_credentials.is_some()),
            ("--vod-sub-app-id", self.vod_sub_app_id.is_some()),
            ("--vod-media-name", self.vod_media_name.is_some()),
            ("--vod-expire-time", self.vod_expire_time.is_some()),
            ("--vod-storage-region", self.vod_storage_region.is_some()),
            ("--vod-class-id", self.vod_class_id.is_some()),
            ("--vod-procedure", self.vod_procedure.is_some()),
            ("--vod-session-context", self.vod_session_context.is_some()),
            ("--vod-source-context", self.vod_source_context.is_some()),
            ("--vod-region", self.vod_region.is_some()),
            ("--vod-endpoint", self.vod_endpoint.is_some()),
            ("--vod-store-endpoint", self.vod_store_endpoint.is_some()),
            ("--vod-deadline", self.vod_deadline.is_some()),
        ]
        .into_iter()
        .find_map(|(flag, given)| given.then_some(flag))
    }
}
