//! From a Start to the Recording that it asks for.

use std::collections::BTreeMap;

use serde::Deserialize;

use crate::gateway::Secret;
use crate::gateway::action::{Cos, Parameters, Refusal, Start, StorageType, Vod};
use crate::resource::RecordingSpec;
use crate::resource::spec::{
    AudioSpec, Callback, DestinationSpec, EncryptionSpec, IntentSpec, Intermediate, IntermediateType, OutputSpec,
    PageSpec, S3Spec, SecretRef, VideoSpec, VodSpec,
};
use crate::session::name::TaskId;
use crate::session::request::{self, SegmentDuration, StartTimeout};

/// The keys of a Secret, as the resource fixes them.
const HLS_KEY: &str = "panorec-hls.key";
const LOGIN: &str = "panorec-login.json";

/// What the installation gives to a Start that does not say it: places, and the Secrets of their credentials in the
/// caller's namespace.
#[derive(Debug, Clone, Default, PartialEq, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Installed {
    /// For `Output.Cos`: its bucket and region where the Start names none; the rest is as it is here.
    #[serde(default)]
    pub s3: Option<S3Spec>,
    /// For `Output.Vod`, in the same way.
    #[serde(default)]
    pub vod: Option<VodSpec>,
    /// The bucket of the pieces with StorageType `cos`; None: the target bucket.
    #[serde(default)]
    pub intermediate: Option<S3Spec>,
}

/// A Recording to be made, and what goes into its Secret.
pub struct Made {
    pub spec: RecordingSpec,
    /// By its keys in a Secret that has the Recording's name and is owned by it; empty: there is none to be made.
    pub secret: BTreeMap<&'static str, Secret>,
}

/// The Recording that a Start asks for, to be made with the name `task_id`.
///
/// # Errors
/// It names no bucket, and the installation has none.
pub fn to_spec(start: &Start, task_id: &TaskId, installed: &Installed) -> Result<Made, Refusal> {
    let asked = &start.parameters;
    let mut secret = BTreeMap::new();
    let mut kept = |key: &'static str, value: &Option<Secret>| {
        let value = value.clone()?;
        secret.insert(key, value);
        Some(SecretRef { name: task_id.to_string() })
    };
    let login_secret_ref = kept(LOGIN, &start.login_state);
    let key_secret_ref = kept(HLS_KEY, &start.encrypt_key);
    let video = &asked.output.video;
    let encryption = key_secret_ref.zip(video.auth_url.as_ref()).map(|(secret, url)| EncryptionSpec {
        key: None,
        key_secret_ref: Some(secret),
        key_url: url.to_string(),
        iv: video.encrypt_iv.map(|iv| iv.to_string()),
    });
    // A manual start is waited for as long as the recording may take.
    let limit = asked.max_duration_limit;
    let start_timeout = StartTimeout::new(limit.get()).map_err(|error| Refusal::parameter(error.to_string()))?;
    let spec = RecordingSpec {
        url: asked.record_url.as_str().to_owned(),
        width: asked.width,
        height: asked.height,
        frame_rate: asked.frame_rate,
        start: if asked.manual_start { request::Start::Manual } else { request::Start::Automatic },
        start_timeout_seconds: if asked.manual_start { start_timeout } else { StartTimeout::default() },
        max_duration_seconds: limit,
        intent: IntentSpec::default(),
        pause_mode: asked.pause_mode,
        page: PageSpec {
            user_agent: asked.headers.user_agent.as_ref().map(|line| line.as_str().to_owned()),
            title: asked.page_title.as_ref().map(|line| line.as_str().to_owned()),
            login_secret_ref,
        },
        intermediate: intermediate(asked, installed)?,
        output: OutputSpec { encryption, ..output(asked, installed)? },
        callback: asked.callback_url.as_ref().map(|url| Callback {
            user_data: asked.user_data.as_ref().map(ToString::to_string),
            ..Callback::to(url.to_string())
        }),
        ttl_seconds_after_finished: None,
    };
    Ok(Made { spec, secret })
}

fn output(asked: &Parameters, installed: &Installed) -> Result<OutputSpec, Refusal> {
    // What is said of the file in a bucket means nothing in VOD.
    let cos = asked.output.cos.as_ref().filter(|_| asked.output.vod.is_none());
    let destination = match (&asked.output.vod, cos) {
        (Some(vod), _) => Some(DestinationSpec { vod: Some(media(vod, installed)?), ..DestinationSpec::default() }),
        (None, Some(cos)) => {
            s3(cos, installed)?.map(|s3| DestinationSpec { s3: Some(s3), ..DestinationSpec::default() })
        }
        (None, None) => None,
    };
    let named = |text: Option<&str>| text.unwrap_or_default().to_owned();
    Ok(OutputSpec {
        format: asked.output.video.muxer.into(),
        // The resource's own default is the name, which is the TaskID.
        directory: named(cos.and_then(|cos| Some(cos.target_dir.as_ref()?.as_str()))),
        name: named(cos.and_then(|cos| Some(cos.target_name.as_ref()?.as_str()))),
        video: VideoSpec { codec: asked.codec, max_bitrate_kbps: asked.max_bitrate, ..VideoSpec::default() },
        audio: AudioSpec::default(),
        encryption: None,
        live_playlist: false,
        segment_seconds: SegmentDuration::default(),
        thumbnail: asked.thumbnail,
        destination,
    })
}

/// The bucket of a Start; None: wherever the installation's videos go.
fn s3(cos: &Cos, installed: &Installed) -> Result<Option<S3Spec>, Refusal> {
    let Cos { domain, bucket, region, target_dir: _, target_name: _ } = cos;
    if installed.s3.is_none() && domain.is_none() && bucket.is_none() && region.is_none() {
        return Ok(None);
    }
    let named = bucket.as_ref().map(|bucket| bucket.as_str().to_owned());
    let own = installed.s3.clone().or_else(|| Some(S3Spec::new(named.clone()?)));
    let own = own.ok_or_else(|| Refusal::parameter("Output.Cos.Bucket is missing, and this installation has none"))?;
    let public_domain = domain.as_ref().map(|domain| match domain.contains("://") {
        true => domain.clone(),
        false => format!("http://{domain}"),
    });
    let bucket = named.unwrap_or_else(|| own.bucket.clone());
    Ok(Some(S3Spec {
        region: region.as_ref().map(|region| region.as_str().to_owned()).or_else(|| own.region.clone()),
        // The two exclude each other.
        presign_seconds: own.presign_seconds.filter(|_| public_domain.is_none()),
        // Its own domain is that of its own bucket.
        public_domain: public_domain.or_else(|| own.public_domain.clone().filter(|_| bucket == own.bucket)),
        bucket,
        ..own
    }))
}

fn media(vod: &Vod, installed: &Installed) -> Result<VodSpec, Refusal> {
    let own = installed.vod.clone().unwrap_or_default();
    if own.credentials_secret_ref.is_none() {
        return Err(Refusal::internal("create task failed(this installation has no credentials for VOD)"));
    }
    let text = |text: Option<&str>, own: Option<String>| text.map(str::to_owned).or(own);
    let (info, procedure) = (&vod.media_info, &vod.procedure_info);
    Ok(VodSpec {
        sub_app_id: vod.sub_app_id.or(own.sub_app_id),
        media_name: text(info.media_name.as_ref().map(|it| it.as_str()), own.media_name),
        expire_time: info.expire_time.map(|time| time.to_string()).or(own.expire_time),
        storage_region: text(info.storage_region.as_ref().map(|it| it.as_str()), own.storage_region),
        class_id: info.class_id.or(own.class_id),
        source_context: text(info.source_context.as_ref().map(|it| it.as_str()), own.source_context),
        procedure: text(procedure.procedure.as_ref().map(|it| it.as_str()), own.procedure),
        session_context: text(procedure.session_context.as_ref().map(|it| it.as_str()), own.session_context),
        credentials_secret_ref: own.credentials_secret_ref,
    })
}

/// Where the pieces are: with `cos` in their own bucket, else below raw/ in the target bucket.
fn intermediate(asked: &Parameters, installed: &Installed) -> Result<Intermediate, Refusal> {
    if asked.storage_type == StorageType::Cfs {
        return Ok(Intermediate::default());
    }
    let own = match (&installed.intermediate, &asked.output.vod) {
        (Some(own), _) => Some(own.clone()),
        // The destination's own, which the resource finds by itself.
        (None, None) => None,
        (None, Some(_)) => {
            let bucket = s3(asked.output.cos.as_ref().unwrap_or(&Cos::default()), installed)?;
            let missing = "Output.Cos.Bucket is missing: StorageType cos needs a bucket besides VOD";
            Some(bucket.ok_or_else(|| Refusal::parameter(missing))?)
        }
    };
    let own = own.map(|own| S3Spec { public_domain: None, presign_seconds: None, ..own });
    Ok(Intermediate { kind: IntermediateType::Bucket, s3: own, keep: false })
}
