//! The arguments of `panorec record`.

use std::path::PathBuf;

use clap::{Args, ValueEnum};
use jiff::SignedDuration;
use url::Url;

use super::{S3Args, VodArgs};
use crate::egress::EgressArgs;
use crate::session::request::{
    AudioBitrate, BadValue, Codec, Crf, Format, FrameRate, HlsIv, KeyFrameInterval, MaxBitrate, MaxDuration, PauseMode,
    PictureSize, PlainText, Preset, SegmentDuration, Start, StartTimeout, VideoDuration,
};

#[derive(Debug, Args)]
#[command(after_help = "\
Keys while it records: p pause or resume, r reload the page, q stop.
Ctrl-C stops and finishes the file; a second one leaves the session for `panorec resume`.

Examples:
  panorec record https://example.com/lesson
  panorec record https://example.com/lesson -o lesson.mp4 --duration 10m
  panorec record https://example.com/lesson -o out/lesson.m3u8 --format hls --segment-seconds 6
  panorec record https://example.com/lesson --width 1920 --height 1080 --frame-rate 60
  panorec record https://example.com/lesson -o s3://lessons/2026/lesson.mp4 --s3-region eu-west-1
  panorec record https://example.com/lesson -o cos://lessons-1250000000/lesson.mp4 --s3-region ap-shanghai
  panorec record https://example.com/class --start manual --start-timeout 1h --json")]
pub struct RecordArgs {
    /// The page: http or https
    // Text here, for clap would repeat the query string of a bad one.
    #[arg(value_name = "URL")]
    pub url: String,
    /// Where the video goes: a .mp4 or .m3u8 file, a folder, s3://BUCKET/FOLDER/NAME.mp4,
    /// cos://BUCKET-APPID/FOLDER/NAME.mp4, or vod://NAME.mp4 [default: <host>-<time>.mp4 here]
    #[arg(short, long, value_name = "FILE")]
    pub output: Option<PathBuf>,

    /// Width of the picture in pixels, 16 to 2560; odd ones are rounded up
    #[arg(long, value_name = "PIXELS", default_value = "1280", value_parser = PictureSize::parse_width)]
    pub width: u32,
    /// Height of the picture in pixels, 16 to 2560; odd ones are rounded up
    #[arg(long, value_name = "PIXELS", default_value = "720", value_parser = PictureSize::parse_height)]
    pub height: u32,
    /// Frames a second at most, 1 to 60
    #[arg(long, value_name = "FPS", default_value_t)]
    pub frame_rate: FrameRate,
    /// Write every frame, changed or not; otherwise a still page takes one frame a second
    #[arg(long)]
    pub constant_frame_rate: bool,

    /// Stop after so much video: seconds, or like 90s, 10m, 1h30m
    #[arg(long, value_name = "TIME", value_parser = video_duration)]
    pub duration: Option<VideoDuration>,
    /// Stop after so much time since the start, pauses included
    #[arg(long, value_name = "TIME", default_value = "6h", value_parser = max_duration)]
    pub max_duration: MaxDuration,
    /// What starts the recording: the first picture, or window.startRecord() of the page
    #[arg(long, value_name = "HOW", value_enum, default_value = "automatic")]
    pub start: StartArg,
    /// How long a manual start is waited for
    #[arg(long, value_name = "TIME", default_value = "10m", value_parser = start_timeout)]
    pub start_timeout: StartTimeout,
    /// What a pause does to the video
    #[arg(long, value_name = "MODE", value_enum, default_value = "cut")]
    pub pause_mode: PauseModeArg,

    /// The kind of file [default: what -o ends with, else mp4]
    #[arg(long, value_name = "FORMAT", value_enum)]
    pub format: Option<FormatArg>,
    /// The video codec while recording; MP4 and HLS are made of h264 without encoding again
    #[arg(long, value_name = "CODEC", value_enum, default_value = "h264")]
    pub codec: CodecArg,
    /// Constant rate factor, lower is better and larger: h264 0 to 51, vp8 and vp9 4 to 63
    /// [default: 23 for h264, 20 for vp8, 32 for vp9]
    #[arg(long, value_name = "N")]
    pub crf: Option<Crf>,
    /// Kilobits a second that the picture may take at most
    #[arg(long, value_name = "KBPS", default_value_t)]
    pub max_bitrate: MaxBitrate,
    /// How hard the h264 encoder tries
    #[arg(long, value_name = "PRESET", value_enum, default_value = "veryfast")]
    pub preset: PresetArg,
    /// Seconds between key frames at most
    #[arg(long, value_name = "SECONDS", default_value_t)]
    pub key_frame_interval: KeyFrameInterval,
    /// Kilobits a second of the sound
    #[arg(long, value_name = "KBPS", default_value_t)]
    pub audio_bitrate: AudioBitrate,

    /// HLS: seconds of a segment [default: 30]
    #[arg(long, value_name = "SECONDS")]
    pub segment_seconds: Option<SegmentDuration>,
    /// HLS: write the playlist after each segment, so that players can follow the recording
    #[arg(long)]
    pub live_playlist: bool,
    /// HLS: encrypt with the key in this file, 16 bytes or 32 hexadecimal digits
    #[arg(long, value_name = "FILE", requires = "hls_key_url")]
    pub hls_key_file: Option<PathBuf>,
    /// HLS: where players get the key
    #[arg(long, value_name = "URL", requires = "hls_key_file")]
    pub hls_key_url: Option<Url>,
    /// HLS: the initialization vector, 32 hexadecimal digits
    #[arg(long, value_name = "HEX", requires = "hls_key_file")]
    pub hls_iv: Option<HlsIv>,
    /// Also make a picture of the video: <name>.jpg
    #[arg(long)]
    pub thumbnail: bool,
    /// Also make one picture of many moments: <name>-contact.png
    #[arg(long)]
    pub contact_sheet: bool,

    /// The user agent that the page sees
    #[arg(long, value_name = "TEXT")]
    pub user_agent: Option<PlainText>,
    /// A title for the page instead of its own
    #[arg(long, value_name = "TEXT")]
    pub title: Option<PlainText>,
    /// Sign in with the cookies, headers and local storage in this file: JSON as Playwright saves it,
    /// and "headers" for the page's own server; only its path is kept in the session
    #[arg(long, value_name = "FILE")]
    pub login: Option<PathBuf>,
    /// Record even where Chrome's sandbox cannot be had; the result says so
    #[arg(long)]
    pub allow_no_sandbox: bool,
    /// Keep the session in this folder [default: a folder of its own, removed with the last step]
    #[arg(long, value_name = "DIR")]
    pub session: Option<PathBuf>,
    /// Print the result as JSON on stdout
    #[arg(long)]
    pub json: bool,

    #[command(
        flatten,
        next_help_heading = "For pages that nobody has looked at; without any of these the page reaches everything"
    )]
    pub egress: EgressArgs,
    #[command(flatten, next_help_heading = "For -o s3://BUCKET/FOLDER/NAME.mp4, and cos:// of Tencent COS")]
    pub s3: S3Args,
    #[command(flatten, next_help_heading = "For -o vod://NAME.mp4 (Tencent Cloud VOD)")]
    pub vod: VodArgs,
}

/// The words of an enum on the command line, and what they stand for.
macro_rules! words {
    ($name:ident => $target:ident { $($(#[$doc:meta])* $variant:ident),+ $(,)? }) => {
        #[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
        pub enum $name {
            $($(#[$doc])* $variant),+
        }

        impl From<$name> for $target {
            fn from(word: $name) -> $target {
                match word {
                    $($name::$variant => $target::$variant),+
                }
            }
        }
    };
}

words!(StartArg => Start { Automatic, Manual });
words!(PauseModeArg => PauseMode {
    /// Leave the paused time out
    Cut,
    /// Show the last picture, in silence
    Freeze,
    /// Show black, in silence
    Black,
});
words!(FormatArg => Format { Mp4, Hls });
words!(CodecArg => Codec { H264, Vp8, Vp9 });
words!(PresetArg => Preset { Ultrafast, Superfast, Veryfast, Faster, Fast, Medium });

fn video_duration(text: &str) -> Result<VideoDuration, BadValue> {
    match seconds(text) {
        Some(seconds) => VideoDuration::from_seconds(seconds),
        None => text.parse(),
    }
}

fn max_duration(text: &str) -> Result<MaxDuration, BadValue> {
    match whole_seconds(text) {
        Some(seconds) => MaxDuration::new(seconds),
        None => text.parse(),
    }
}

fn start_timeout(text: &str) -> Result<StartTimeout, BadValue> {
    match whole_seconds(text) {
        Some(seconds) => StartTimeout::new(seconds),
        None => text.parse(),
    }
}

/// A number of seconds, or a duration with units.
fn seconds(text: &str) -> Option<f64> {
    let with_units = || Some(text.parse::<SignedDuration>().ok()?.as_secs_f64());
    text.parse().ok().or_else(with_units)
}

pub(super) fn whole_seconds(text: &str) -> Option<u32> {
    seconds(text)
        .filter(|seconds| seconds.fract() == 0.0 && (0.0..=f64::from(u32::MAX)).contains(seconds))
        .map(|seconds| seconds as u32)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_are_seconds_or_have_units() {
        for (text, expected) in [
            ("5", Some(5.0)),
            ("0.5", Some(0.5)),
            ("90s", Some(90.0)),
            ("10m", Some(600.0)),
            ("1h30m", Some(5400.0)),
            ("1h 30m", Some(5400.0)),
            ("500ms", Some(0.5)),
            ("soon", None),
            ("", None),
        ] {
            assert_eq!(seconds(text), expected, "{text:?}");
        }
        assert_eq!(whole_seconds("0.5"), None);
        assert_eq!(whole_seconds("-5"), None);
        for text in ["0", "-1", "nan", "inf", "1e9", "soon"] {
            assert!(video_duration(text).is_err(), "{text:?}");
        }
        assert!(max_duration("259200").is_ok());
        assert!(max_duration("259201").is_err());
    }
}
