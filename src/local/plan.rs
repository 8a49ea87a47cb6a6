//! From the arguments of `panorec record` to what the two halves are asked to do.

use std::path::{Path, PathBuf};

use jiff::Zoned;

use super::cli::RecordArgs;
use super::output::{Output, Place};
use crate::complaint::Complaint;
use crate::recorder::browser::Login;
use crate::session::name::TaskId;
use crate::session::request::{Codec, Delivery, Destination, Format, HlsKey, PageUrl, PictureSize, Request};

/// A recording that can begin.
#[derive(Debug)]
pub(super) struct Plan {
    pub request: Request,
    pub delivery: Delivery,
    pub session: PathBuf,
    /// What a person should know before it begins.
    pub notes: Vec<String>,
}

impl Plan {
    /// Checks everything that can be checked before Chrome starts.
    pub(super) fn of(args: RecordArgs) -> Result<Plan, Complaint> {
        let url = PageUrl::parse(&args.url).map_err(Complaint::usage)?;
        let format = args.format.map(Format::from);
        let output = Output::choose(args.output.as_deref(), format, &url, &Zoned::now())?;
        let key = hls_key(&args, output.format)?;
        let rounded = PictureSize::rounded_up_to_even(args.width, args.height).map_err(Complaint::usage)?;
        let codec = Codec::from(args.codec);
        let crf = args.crf.unwrap_or(codec.default_crf());
        codec.check(crf).map_err(Complaint::usage)?;
        let login_file = args.login.as_deref().map(login_file).transpose()?;
        output.check()?;
        let for_bucket = (args.s3.given(), "is for a bucket; give -o s3://BUCKET/FOLDER/, or leave it out");
        let for_vod = (args.vod.given(), "is for VOD; give -o vod://NAME.mp4, or leave it out");
        let has_no_place = (args.contact_sheet.then_some("--contact-sheet"), "has no place in VOD; leave it out");
        let unfit: &[_] = match output.place {
            Place::Folder(_) => &[for_bucket, for_vod],
            Place::Bucket { .. } => &[for_vod],
            Place::Vod => &[for_bucket, has_no_place],
        };
        if let Some((flag, why)) = unfit.iter().find_map(|(flag, why)| Some((flag.as_ref()?, why))) {
            return Err(Complaint::usage(format!("{flag} {why}")));
        }
        let destination = match output.place {
            Place::Folder(path) => Destination::Folder { path },
            Place::Bucket { scheme, bucket, prefix } => {
                Destination::S3(Box::new(args.s3.destination(scheme, bucket, prefix)?))
            }
            Place::Vod => Destination::Vod(Box::new(args.vod.destination()?)),
        };

        let task_id = TaskId::random();
        let remove_session = args.session.is_none();
        let session = match args.session {
            Some(path) => path,
            None => state_folder()?.join(task_id.as_str()),
        };
        let notes = rounded.asked.map(|(width, height)| {
            format!("{width}x{height} has an odd side; the picture is {} instead", rounded.size)
        });
        Ok(Plan {
            request: Request {
                url,
                size: rounded.size,
                frame_rate: args.frame_rate,
                start: args.start.into(),
                start_timeout_seconds: args.start_timeout,
                max_duration_seconds: args.max_duration,
                duration_seconds: args.duration,
                pause_mode: args.pause_mode.into(),
                codec,
                crf,
                max_bitrate_kbps: args.max_bitrate,
                preset: args.preset.into(),
                key_frame_interval_seconds: args.key_frame_interval,
                audio_bitrate_kbps: args.audio_bitrate,
                constant_frame_rate: args.constant_frame_rate,
                user_agent: args.user_agent,
                title: args.title,
                login_file,
                allow_no_sandbox: args.allow_no_sandbox,
            },
            delivery: Delivery {
                task_id,
                format: output.format,
                destination,
                name: output.name,
                segment_seconds: args.segment_seconds.unwrap_or_default(),
                live_playlist: args.live_playlist,
                key,
                thumbnail: args.thumbnail,
                contact_sheet: args.contact_sheet,
                intermediate: None,
                callback: None,
                served: None,
                remove_session,
            },
            session,
            notes: notes.into_iter().collect(),
        })
    }
}

/// Options of HLS make sense together and with HLS only.
fn hls_key(args: &RecordArgs, format: Format) -> Result<Option<HlsKey>, Complaint> {
    if format != Format::Hls {
        let flag = if args.hls_key_file.is_some() {
            "--hls-key-file"
        } else if args.segment_seconds.is_some() {
            "--segment-seconds"
        } else if args.live_playlist {
            "--live-playlist"
        } else {
            return Ok(None);
        };
        return Err(Complaint::usage(format!("{flag} is for HLS; add --format hls, or leave it out")));
    }
    let (Some(file), Some(url)) = (&args.hls_key_file, &args.hls_key_url) else {
        return Ok(None);
    };
    Ok(Some(HlsKey { file: readable_key(file)?, url: url.clone(), iv: args.hls_iv }))
}

/// The absolute path of a key file that holds a key.
fn readable_key(file: &Path) -> Result<PathBuf, Complaint> {
    let shown = file.display();
    let complain = |error: std::io::Error| {
        Complaint::usage(format!("the key file {shown} cannot be read ({error}); give --hls-key-file a readable one"))
    };
    let meta = std::fs::metadata(file).map_err(complain)?;
    let is_key = meta.is_file() && meta.len() <= 64 && {
        let bytes = std::fs::read(file).map_err(complain)?;
        let text = bytes.trim_ascii();
        bytes.len() == 16 || (text.len() == 32 && text.iter().all(u8::is_ascii_hexdigit))
    };
    if !is_key {
        return Err(Complaint::usage(format!(
            "{shown} holds no AES-128 key; it must be 16 bytes or 32 hexadecimal digits, as from \
             `openssl rand 16`"
        )));
    }
    std::path::absolute(file).map_err(complain)
}

/// The absolute path of a login file that can be used.
fn login_file(file: &Path) -> Result<PathBuf, Complaint> {
    Login::read(file).map_err(Complaint::usage)?;
    std::path::absolute(file).map_err(Complaint::usage)
}

/// Where sessions live when nobody says where: the user's state folder (XDG base directories).
pub(crate) fn state_folder() -> Result<PathBuf, Complaint> {
    let absolute = |name: &str| std::env::var_os(name).map(PathBuf::from).filter(|path| path.is_absolute());
    absolute("XDG_STATE_HOME")
        .or_else(|| Some(absolute("HOME")?.join(".local/state")))
        .map(|state| state.join("panorec"))
        .ok_or_else(|| Complaint::usage("HOME is not set; say where to keep the session by --session DIR"))
}
