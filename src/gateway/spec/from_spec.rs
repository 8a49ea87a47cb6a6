//! From a Recording, whoever made it, to what DescribeDetail shows of what was asked for.

use crate::gateway::action::{Cos, Headers, MediaInfo, Output, Parameters, ProcedureInfo, StorageType, Video, Vod};
use crate::resource::RecordingSpec;
use crate::resource::spec::{IntermediateType, OutputSpec, S3Spec, VodSpec};
use crate::session::request::{BadUrl, PageUrl, PlainText, Start};

/// What was asked for, in the words of a Start. A Recording may ask for what a Start cannot, and for what cannot be:
/// that is left out.
///
/// # Errors
/// Its URL is none of a page.
pub fn from_spec(spec: &RecordingSpec) -> Result<Parameters, BadUrl> {
    let line = |text: &Option<String>| text.as_deref().and_then(|text| PlainText::new(text).ok());
    Ok(Parameters {
        record_url: PageUrl::parse(&spec.url)?,
        manual_start: spec.start == Start::Manual,
        width: spec.width,
        height: spec.height,
        callback_url: spec.callback.as_ref().and_then(|callback| callback.url.parse().ok()),
        max_duration_limit: spec.max_duration_seconds,
        storage_type: match spec.intermediate.kind {
            IntermediateType::Volume => StorageType::Cfs,
            IntermediateType::Bucket => StorageType::Cos,
        },
        output: output(&spec.output),
        headers: Headers { user_agent: line(&spec.page.user_agent) },
        page_title: line(&spec.page.title),
        frame_rate: spec.frame_rate,
        max_bitrate: spec.output.video.max_bitrate_kbps,
        codec: spec.output.video.codec,
        pause_mode: spec.pause_mode,
        thumbnail: spec.output.thumbnail,
        user_data: spec.callback.as_ref().and_then(|callback| serde_json::from_str(callback.user_data.as_ref()?).ok()),
    })
}

fn output(spec: &OutputSpec) -> Output {
    let destination = spec.destination.as_ref();
    let s3 = destination.and_then(|destination| destination.s3.as_ref());
    let encryption = spec.encryption.as_ref();
    let named = !spec.directory.is_empty() || !spec.name.is_empty();
    Output {
        cos: (s3.is_some() || named).then(|| cos(spec, s3)),
        vod: destination.and_then(|destination| destination.vod.as_ref()).map(vod),
        video: Video {
            muxer: spec.format.into(),
            auth_url: encryption.and_then(|encryption| encryption.key_url.parse().ok()),
            encrypt_iv: encryption.and_then(|encryption| encryption.iv.as_ref()?.parse().ok()),
        },
    }
}

fn cos(spec: &OutputSpec, s3: Option<&S3Spec>) -> Cos {
    Cos {
        domain: s3.and_then(|s3| {
            let domain = s3.public_domain.as_ref()?;
            Some(domain.strip_prefix("http://").unwrap_or(domain).to_owned())
        }),
        bucket: s3.and_then(|s3| s3.bucket.parse().ok()),
        region: s3.and_then(|s3| s3.region.as_ref()?.parse().ok()),
        target_dir: Some(spec.directory.trim_end_matches('/'))
            .filter(|folder| !folder.is_empty())
            .and_then(|folder| folder.parse().ok()),
        target_name: spec.name.parse().ok(),
    }
}

fn vod(spec: &VodSpec) -> Vod {
    Vod {
        media_info: MediaInfo {
            media_name: spec.media_name.as_ref().and_then(|text| text.parse().ok()),
            expire_time: spec.expire_time.as_ref().and_then(|text| text.parse().ok()),
            storage_region: spec.storage_region.as_ref().and_then(|text| text.parse().ok()),
            class_id: spec.class_id,
            source_context: spec.source_context.as_ref().and_then(|text| text.parse().ok()),
        },
        procedure_info: ProcedureInfo {
            procedure: spec.procedure.as_ref().and_then(|text| text.parse().ok()),
            session_context: spec.session_context.as_ref().and_then(|text| text.parse().ok()),
        },
        sub_app_id: spec.sub_app_id,
    }
}
