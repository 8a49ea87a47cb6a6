//! From a spec to what the two halves are asked to do, or to the field that cannot be followed:
//! what the schema and its rules cannot tell.

use std::path::PathBuf;

use jiff::Timestamp;
use url::Url;

use super::destination;
use super::installation::Installation;
use super::spec::{self, EncryptionSpec, OutputSpec, RecordingSpec};
use crate::session::name::TaskId;
use crate::session::request::{
    Callback, Delivery, FileName, Format, HlsKey, PageUrl, PictureSize, PlainText, Request, Served,
};

/// The login state of the page, where the pod has it: a key of the Secret named by
/// page.loginSecretRef.
pub const LOGIN_FILE: &str = "/run/secrets/panorec/login/panorec-login.json";

/// The HLS key, where the pod has it: a key of the Secret named by encryption.keySecretRef.
pub const HLS_KEY_FILE: &str = "/run/secrets/panorec/hls/panorec-hls.key";

/// What a callback carries of secrets, where the pod has it: a key of the Secret named by callback.secretRef.
pub const CALLBACK_FILE: &str = "/run/secrets/panorec/callback/panorec-callback.json";

/// Where the publisher writes an HLS key that the spec holds itself.
const OWN_HLS_KEY_FILE: &str = "/tmp/panorec-hls.key";

/// What of a Recording's metadata counts.
#[derive(Debug, Clone, Copy)]
pub struct Origin<'a> {
    pub namespace: &'a str,
    /// metadata.name
    pub name: &'a str,
    pub uid: &'a str,
    /// metadata.creationTimestamp
    pub created: Timestamp,
}

/// What a Recording asks of a session, and the Secrets that it needs.
#[derive(Debug, Clone, PartialEq)]
pub struct Asked {
    pub request: Request,
    /// Without any secret.
    pub delivery: Delivery,
    /// The HLS key that the spec holds itself: 32 hexadecimal digits, for the publisher alone.
    pub hls_key: Option<String>,
    /// The Secret to mount for [`LOGIN_FILE`], for the recorder.
    pub login_secret: Option<String>,
    /// The Secret to mount for [`HLS_KEY_FILE`], for the publisher.
    pub hls_key_secret: Option<String>,
    /// The Secret to mount for [`super::S3_FILE`], for the publisher.
    pub s3_secret: Option<String>,
    /// The Secret to mount for [`super::VOD_FILE`], for the publisher.
    pub vod_secret: Option<String>,
    /// The Secret to mount for [`super::INTERMEDIATE_FILE`], for the publisher.
    pub intermediate_secret: Option<String>,
    /// The Secret to mount for [`CALLBACK_FILE`], for the publisher.
    pub callback_secret: Option<String>,
    /// What a person should know: sentences.
    pub notes: Vec<String>,
}

/// A field that cannot be followed.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{field}: {why}")]
pub struct Rejection {
    /// The field's path, such as `spec.output.name`.
    pub field: &'static str,
    /// What is wrong with it and what to do: a sentence without its full stop.
    pub why: String,
}

/// Makes the thing that a rejection of this field is made by.
pub(super) fn reject<E: ToString>(field: &'static str) -> impl Fn(E) -> Rejection {
    move |why| Rejection { field, why: why.to_string() }
}

/// What a spec asks of a session, with what the installation gives.
///
/// # Errors
/// The first field that cannot be followed.
pub fn ask(spec: &RecordingSpec, origin: Origin<'_>, installation: &Installation) -> Result<Asked, Rejection> {
    let mut notes = Vec::new();
    let request = request(spec, &mut notes)?;
    let output = &spec.output;
    check_directory(&output.directory).map_err(reject("spec.output.directory"))?;
    let callback = spec.callback.as_ref().map(callback).transpose()?;
    let chosen = destination::choose(output, origin, installation)?;
    let kept = destination::intermediate(&spec.intermediate, &chosen.destination, origin, installation)?;
    let (intermediate, intermediate_secret) = kept.unzip();
    let delivery = Delivery {
        task_id: origin.name.parse::<TaskId>().map_err(reject("metadata.name"))?,
        format: output.format,
        destination: chosen.destination,
        name: file_name(output, origin.created)?,
        segment_seconds: output.segment_seconds,
        live_playlist: output.live_playlist && output.format == Format::Hls,
        key: output.encryption.as_ref().map(hls_key).transpose()?,
        thumbnail: output.thumbnail,
        contact_sheet: false,
        intermediate,
        callback,
        served: Some(Served { created: origin.created, files: None }),
        remove_session: false,
    };
    let encryption = output.encryption.as_ref();
    Ok(Asked {
        request,
        delivery,
        hls_key: encryption.and_then(|encryption| encryption.key.clone()),
        login_secret: spec.page.login_secret_ref.as_ref().map(|secret| secret.name.clone()),
        hls_key_secret: encryption.and_then(|encryption| Some(encryption.key_secret_ref.as_ref()?.name.clone())),
        s3_secret: chosen.s3_secret,
        vod_secret: chosen.vod_secret,
        intermediate_secret: intermediate_secret.flatten(),
        callback_secret: spec.callback.as_ref().and_then(|callback| Some(callback.secret_ref.as_ref()?.name.clone())),
        notes,
    })
}

fn callback(spec: &spec::Callback) -> Result<Callback, Rejection> {
    Ok(Callback {
        url: web_url("spec.callback.url", &spec.url)?,
        attempts: spec.attempts,
        timeout_ms: spec.timeout_seconds.saturating_mul(1_000),
        pause_ms: spec.pause_seconds.saturating_mul(1_000),
        secret: spec.secret_ref.as_ref().map(|_| PathBuf::from(CALLBACK_FILE)),
        user_data: spec
            .user_data
            .as_deref()
            .map(serde_json::from_str)
            .transpose()
            .map_err(reject("spec.callback.userData"))?,
    })
}

/// What the recorder is asked to do.
fn request(spec: &RecordingSpec, notes: &mut Vec<String>) -> Result<Request, Rejection> {
    let (page, video) = (&spec.page, &spec.output.video);
    let rounded = PictureSize::rounded_up_to_even(spec.width, spec.height).map_err(reject("spec.width"))?;
    if let Some((width, height)) = rounded.asked {
        notes.push(format!("{width}x{height} has an odd side; the picture is {} instead", rounded.size));
    }
    let crf = video.crf.unwrap_or(video.codec.default_crf());
    video.codec.check(crf).map_err(reject("spec.output.video.crf"))?;
    let line = |field, text: &Option<String>| text.as_deref().map(PlainText::new).transpose().map_err(reject(field));
    Ok(Request {
        size: rounded.size,
        frame_rate: spec.frame_rate,
        start: spec.start,
        start_timeout_seconds: spec.start_timeout_seconds,
        max_duration_seconds: spec.max_duration_seconds,
        pause_mode: spec.pause_mode,
        codec: video.codec,
        crf,
        max_bitrate_kbps: video.max_bitrate_kbps,
        preset: video.preset,
        key_frame_interval_seconds: video.key_frame_interval_seconds,
        audio_bitrate_kbps: spec.output.audio.bitrate_kbps,
        user_agent: line("spec.page.userAgent", &page.user_agent)?,
        title: line("spec.page.title", &page.title)?,
        login_file: page.login_secret_ref.as_ref().map(|_| PathBuf::from(LOGIN_FILE)),
        ..Request::new(PageUrl::parse(&spec.url).map_err(reject("spec.url"))?)
    })
}

fn file_name(output: &OutputSpec, created: Timestamp) -> Result<FileName, Rejection> {
    let name = match (output.name.as_str(), output.format) {
        ("", Format::Mp4) => &created.as_millisecond().to_string(),
        ("", Format::Hls) => "playlist",
        (name, _) => name,
    };
    name.parse().map_err(reject("spec.output.name"))
}

fn check_directory(directory: &str) -> Result<(), &'static str> {
    if directory.starts_with('/') || directory.split('/').any(|part| matches!(part, "." | "..")) {
        return Err("it must be a folder below the destination's root: without '/' at its start, '.' or '..' in it");
    }
    if directory.contains(char::is_control) {
        return Err("it must not hold control characters");
    }
    Ok(())
}

fn hls_key(encryption: &EncryptionSpec) -> Result<HlsKey, Rejection> {
    let file = if encryption.key.is_some() { OWN_HLS_KEY_FILE } else { HLS_KEY_FILE };
    Ok(HlsKey {
        file: file.into(),
        url: web_url("spec.output.encryption.keyURL", &encryption.key_url)?,
        iv: encryption.iv.as_deref().map(str::parse).transpose().map_err(reject("spec.output.encryption.iv"))?,
    })
}

/// A full http or https URL.
pub(super) fn web_url(field: &'static str, text: &str) -> Result<Url, Rejection> {
    let url = Url::parse(text).map_err(|error| {
        reject(field)(format!("the URL cannot be read ({error}); write it like https://example.com/path"))
    })?;
    match url.scheme() {
        "http" | "https" => Ok(url),
        scheme => Err(reject(field)(format!("the URL must be http or https, not {scheme:?}"))),
    }
}
