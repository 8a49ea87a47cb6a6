//! Reading a Start: what the original checks, in its order and words, then everything else.

use std::fmt;
use std::str::FromStr;

use serde_json::Value;
use sha2::{Digest, Sha256};

use super::envelope::uuid;
use super::fields::Fields;
use super::output;
use super::parameters::{Headers, Parameters, StorageType, height, width};
use super::refusal::Refusal;
use crate::gateway::Secret;
use crate::session::name::TaskId;
use crate::session::request::{Codec, FrameRate, MaxBitrate, MaxDuration, PageUrl, PauseMode};

/// The sides that a picture may have, in pixels. The original takes smaller ones; they are recorded with 16.
const SMALLEST: u32 = 16;
const LARGEST: u32 = 2560;
/// In seconds.
const LONGEST: u32 = 36_000;
/// In bytes.
const LARGEST_USER_DATA: usize = 4096;

/// A recording that is asked for.
#[derive(Clone)]
pub struct Start {
    /// The id that the client wants for it.
    pub task_id: Option<TaskId>,
    pub client_token: Option<ClientToken>,
    pub parameters: Parameters,
    /// The key that HLS is encrypted with: 32 hexadecimal digits.
    pub encrypt_key: Option<Secret>,
    /// The login state for the page, as `panorec-login.json` has it.
    pub login_state: Option<Secret>,
}

/// What a client says again when it tries a Start again: 1 to 64 visible ASCII characters. An extension.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ClientToken(String);

/// The text is no such token.
#[derive(Debug, thiserror::Error)]
#[error("a token is 1 to 64 visible ASCII characters, such as a UUID")]
pub struct BadToken;

impl FromStr for ClientToken {
    type Err = BadToken;

    fn from_str(text: &str) -> Result<ClientToken, BadToken> {
        let fits = (1..=64).contains(&text.len()) && text.bytes().all(|byte| byte.is_ascii_graphic());
        if fits { Ok(ClientToken(text.to_owned())) } else { Err(BadToken) }
    }
}

impl fmt::Display for ClientToken {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl Start {
    pub(super) fn read(body: &Fields<'_>, data: &Fields<'_>) -> Result<Start, Refusal> {
        let record_url = data.text("RecordURL")?.ok_or_else(|| Refusal::parameter("RecordURL is missing"))?;
        let width = side(data, "Width", "Width must in range [1, 2560]", width())?;
        let height = side(data, "Height", "Height must in range [1, 2560]", height())?;
        let max_duration_limit = max_duration(data)?;
        let (output, encrypt_key) = output::read(data)?;
        // What follows the original does not check.
        let record_url = PageUrl::parse(&record_url).map_err(|error| {
            Refusal::parameter(format!("invalid RecordURL or unsupported RecordURL, please check again: {error}"))
        })?;
        let task_id = body.text("TaskID")?;
        let task_id = task_id.map(|text| uuid(&text).ok_or_else(|| body.refuse("TaskID", "must be a UUID")));
        let parameters = Parameters {
            record_url,
            manual_start: data.truth("ManualStart")?.unwrap_or_default(),
            width,
            height,
            callback_url: output::web_url(data, "CallbackURL")?,
            max_duration_limit,
            storage_type: data
                .word("StorageType", &[("cfs", StorageType::Cfs), ("cos", StorageType::Cos)])?
                .unwrap_or_default(),
            output,
            headers: Headers { user_agent: data.object("Headers", "Headers.")?.parsed("UserAgent")? },
            page_title: data.parsed("PageTitle")?,
            frame_rate: data.bounded("FrameRate", FrameRate::new)?.unwrap_or_default(),
            max_bitrate: data.bounded("MaxBitrate", MaxBitrate::new)?.unwrap_or_default(),
            codec: data
                .word("Codec", &[("H264", Codec::H264), ("VP8", Codec::Vp8), ("VP9", Codec::Vp9)])?
                .unwrap_or_default(),
            pause_mode: data
                .word(
                    "PauseMode",
                    &[("Cut", PauseMode::Cut), ("Freeze", PauseMode::Freeze), ("Black", PauseMode::Black)],
                )?
                .unwrap_or_default(),
            thumbnail: data.truth("Thumbnail")?.unwrap_or_default(),
            user_data: user_data(data)?,
        };
        Ok(Start {
            task_id: task_id.transpose()?,
            client_token: data.parsed("ClientToken")?,
            parameters,
            encrypt_key,
            login_state: login_state(data)?,
        })
    }

    /// The name of the task: the one that was asked for; with a ClientToken always the same for the same `scope`, such
    /// as the caller's namespace and key; else a new one. A UUID, version 4 by its form.
    pub fn name(&self, scope: &str) -> TaskId {
        match (&self.task_id, &self.client_token) {
            (Some(task_id), _) => task_id.clone(),
            (None, Some(token)) => named_by(scope, token).unwrap_or_else(TaskId::random),
            (None, None) => TaskId::random(),
        }
    }
}

/// Found again by whoever knows the token: nothing has to be kept before the recording itself is.
fn named_by(scope: &str, token: &ClientToken) -> Option<TaskId> {
    let digest = Sha256::new().chain_update(scope).chain_update([0]).chain_update(&token.0).finalize();
    let bytes = digest[..16].try_into().ok()?;
    uuid::Builder::from_random_bytes(bytes).into_uuid().to_string().parse().ok()
}

fn side(data: &Fields<'_>, name: &str, out_of_range: &str, default: u32) -> Result<u32, Refusal> {
    let side = data.whole(name, LARGEST.into(), out_of_range)?.and_then(|side| u32::try_from(side).ok());
    Ok(side.filter(|side| *side != 0).map_or(default, |side| side.max(SMALLEST)))
}

fn max_duration(data: &Fields<'_>) -> Result<MaxDuration, Refusal> {
    let out_of_range = "MaxDurationLimit must in range [0, 36000]";
    let seconds = data.whole("MaxDurationLimit", LONGEST.into(), out_of_range)?.and_then(|it| u32::try_from(it).ok());
    let seconds = seconds.filter(|seconds| *seconds != 0);
    seconds.map_or(Ok(MaxDuration::default()), MaxDuration::new).map_err(|_| Refusal::parameter(out_of_range))
}

fn login_state(data: &Fields<'_>) -> Result<Option<Secret>, Refusal> {
    match data.value("LoginState") {
        None => Ok(None),
        Some(state @ Value::Object(_)) => Ok(Some(Secret::new(state.to_string()))),
        Some(_) => Err(data.refuse("LoginState", "must be an object with cookies, headers and origins")),
    }
}

fn user_data(data: &Fields<'_>) -> Result<Option<Value>, Refusal> {
    let Some(value) = data.value("UserData") else { return Ok(None) };
    match value.to_string().len() <= LARGEST_USER_DATA {
        true => Ok(Some(value.clone())),
        false => Err(data.refuse("UserData", format!("must be at most {LARGEST_USER_DATA} bytes of JSON"))),
    }
}
