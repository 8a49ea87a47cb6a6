//! Reading `Output` of a Start.

use std::fmt::Display;
use std::str::FromStr;

use url::Url;

use super::fields::Fields;
use super::parameters::{Cos, MediaInfo, Muxer, Output, ProcedureInfo, Video, Vod};
use super::refusal::Refusal;
use crate::gateway::Secret;
use crate::session::request::{FileName, Format, KeyPrefix, VodText};

/// As long as a URL may be, in bytes.
const LONGEST_URL: usize = 8192;

/// Reads `Output`, and the key that HLS is encrypted with: 32 hexadecimal digits. First what the original checks, in
/// its order.
pub(super) fn read(data: &Fields<'_>) -> Result<(Output, Option<Secret>), Refusal> {
    let output = data.object("Output", "")?;
    let video = output.object("Video", "Output.Video.")?.given();
    let muxer = video.map(muxer).transpose()?.unwrap_or_default();
    let encryption = video.filter(|_| muxer == Muxer::Hls);
    let key = encryption.map(|video| video.text("EncryptKey")).transpose()?.flatten();
    let encryption = encryption.filter(|_| key.is_some());
    if let Some(video) = encryption
        && video.text("AuthUrl")?.is_none()
    {
        return Err(Refusal::parameter("The AuthUrl must be set with EncryptKey"));
    }
    let vod = output.object("Vod", "Vod.")?.given().map(vod).transpose()?;
    if let (Some(video), Some(key)) = (encryption, &key)
        && !(key.len() == 32 && key.bytes().all(|byte| byte.is_ascii_hexdigit()))
    {
        return Err(
            video.refuse("EncryptKey", "must be 32 hexadecimal digits (16 bytes), as from `openssl rand -hex 16`")
        );
    }
    let video = Video {
        muxer,
        auth_url: encryption.map(|video| web_url(&video, "AuthUrl")).transpose()?.flatten(),
        encrypt_iv: encryption.map(|video| video.parsed("EncryptIv")).transpose()?.flatten(),
    };
    let cos = output.object("Cos", "Output.Cos.")?.given().map(|given| cos(&given, muxer.into())).transpose()?;
    Ok((Output { cos, vod, video }, key.map(Secret::new)))
}

fn muxer(video: Fields<'_>) -> Result<Muxer, Refusal> {
    match video.text("Muxer")?.as_deref() {
        None => Err(Refusal::parameter("Muxer must set in OutputVideo")),
        Some("mp4") => Ok(Muxer::Mp4),
        Some("hls") => Ok(Muxer::Hls),
        Some(_) => Err(Refusal::parameter("OutputVideoFormat must be one of mp4, hls")),
    }
}

fn vod(vod: Fields<'_>) -> Result<Vod, Refusal> {
    let media = vod.object("MediaInfo", "Vod.MediaInfo.")?;
    let procedure = vod.object("ProcedureInfo", "Vod.ProcedureInfo.")?;
    let media_name = written(&media, "MediaName")?;
    let storage_region = written(&media, "StorageRegion")?;
    let expire_time = written(&media, "ExpireTime")?;
    let task_flow = written(&procedure, "Procedure")?;
    Ok(Vod {
        media_info: MediaInfo {
            media_name: parse(&media, "MediaName", media_name)?,
            expire_time: expire_time
                .map(|time| time.trim().parse().map_err(|_| invalid(&media, "ExpireTime")))
                .transpose()?,
            storage_region: parse(&media, "StorageRegion", storage_region)?,
            class_id: media.id("ClassId")?,
            source_context: context::<250>(&media, "SourceContext")?,
        },
        procedure_info: ProcedureInfo {
            procedure: parse(&procedure, "Procedure", task_flow)?,
            session_context: context::<1000>(&procedure, "SessionContext")?,
        },
        sub_app_id: vod.id("SubAppId")?,
    })
}

/// A text of VOD that a client did not make of nothing: of an unset variable, or of spaces.
fn written(fields: &Fields<'_>, name: &str) -> Result<Option<String>, Refusal> {
    let text = fields.raw_text(name)?;
    match text.as_deref().map(str::trim) {
        Some("" | "null" | "undefined") => Err(invalid(fields, name)),
        _ => Ok(text),
    }
}

fn invalid(fields: &Fields<'_>, name: &str) -> Refusal {
    fields.refuse(name, "is invalid, please check.")
}

/// A text that VOD gives back as it is.
fn context<const MOST: usize>(fields: &Fields<'_>, name: &str) -> Result<Option<VodText<MOST>>, Refusal> {
    let text = fields.raw_text(name)?.filter(|text| !text.trim().is_empty());
    parse(fields, name, text)
}

fn parse<T: FromStr<Err: Display>>(
    fields: &Fields<'_>,
    name: &str,
    text: Option<String>,
) -> Result<Option<T>, Refusal> {
    text.map(|text| text.parse().map_err(|error: T::Err| fields.invalid(name, error))).transpose()
}

fn cos(cos: &Fields<'_>, format: Format) -> Result<Cos, Refusal> {
    Ok(Cos {
        domain: domain(cos)?,
        bucket: parse(cos, "Bucket", cos.text("Bucket")?)?,
        region: parse(cos, "Region", cos.text("Region")?)?,
        target_dir: target_dir(cos)?,
        target_name: target_name(cos, format)?,
    })
}

/// The host of FileURL. A whole URL is taken too.
fn domain(cos: &Fields<'_>) -> Result<Option<String>, Refusal> {
    let Some(domain) = cos.text("Domain")? else { return Ok(None) };
    let url = if domain.contains("://") { domain.clone() } else { format!("http://{domain}") };
    let url = Url::parse(&url).ok().filter(|url| matches!(url.scheme(), "http" | "https"));
    let fits = url.is_some_and(|url| url.query().is_none() && url.fragment().is_none() && url.username().is_empty());
    match fits && domain.len() <= 2000 {
        true => Ok(Some(domain)),
        false => Err(cos.refuse("Domain", "must be a host, as in video.example.com")),
    }
}

/// A folder, however many slashes are written before, in and behind it.
fn target_dir(cos: &Fields<'_>) -> Result<Option<KeyPrefix>, Refusal> {
    let Some(text) = cos.text("TargetDir")? else { return Ok(None) };
    let parts: Vec<&str> = text.split('/').filter(|part| !matches!(*part, "" | ".")).collect();
    let folder = (!parts.is_empty()).then(|| parts.join("/"));
    parse(cos, "TargetDir", folder)
}

/// A file's name. The extension is added to the object, and once only.
fn target_name(cos: &Fields<'_>, format: Format) -> Result<Option<FileName>, Refusal> {
    let Some(text) = cos.text("TargetName")? else { return Ok(None) };
    let name = text.strip_suffix(format.extension()).and_then(|name| name.strip_suffix('.')).unwrap_or(&text);
    parse(cos, "TargetName", Some(name.to_owned()))
}

/// An http or https URL.
pub(super) fn web_url(fields: &Fields<'_>, name: &str) -> Result<Option<Url>, Refusal> {
    let Some(text) = fields.text(name)? else { return Ok(None) };
    let url = Url::parse(&text).ok().filter(|url| matches!(url.scheme(), "http" | "https"));
    let url = url.filter(|url| url.as_str().len() <= LONGEST_URL);
    let sentence = "must be an http or https URL of at most 8192 characters, as in https://example.com/path";
    url.map(Some).ok_or_else(|| fields.refuse(name, sentence))
}
