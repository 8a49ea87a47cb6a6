//! FFmpeg's command line. Pure.

use crate::media::AudioCodec;
use crate::media::grid::AudioGrid;
use crate::session::request::{Codec, Request};

/// Pictures that x264 looks ahead: with 5 a file is as small as with the default of 10, without
/// any nearly twice the size.
const LOOK_AHEAD: u32 = 5;
/// Pixels a second that one x264 thread is trusted with, at the preset veryfast.
const PIXELS_A_THREAD: u64 = 1280 * 720 * 45;

/// How pictures and sound are encoded.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Settings {
    /// Pixels, even.
    pub width: u32,
    pub height: u32,
    /// Frames a second, at most.
    pub frame_rate: u32,
    pub codec: Codec,
    pub crf: u8,
    pub max_bitrate_kbps: u32,
    pub preset: &'static str,
    pub audio_bitrate_kbps: u32,
    /// A key frame at least this often, in microseconds of the video.
    pub key_interval_us: i64,
    /// A picture at each tick, changed or not.
    pub constant_frame_rate: bool,
}

impl Settings {
    /// As a request asks for it.
    pub fn of(request: &Request) -> Self {
        Self {
            width: request.size.width(),
            height: request.size.height(),
            frame_rate: request.frame_rate.get().into(),
            codec: request.codec,
            crf: request.crf.get(),
            max_bitrate_kbps: request.max_bitrate_kbps.get(),
            preset: request.preset.as_str(),
            audio_bitrate_kbps: request.audio_bitrate_kbps.get(),
            key_interval_us: i64::from(request.key_frame_interval_seconds.get()) * 1_000_000,
            constant_frame_rate: request.constant_frame_rate,
        }
    }

    pub fn audio_codec(&self) -> AudioCodec {
        match self.codec {
            Codec::H264 => AudioCodec::Aac,
            Codec::Vp8 | Codec::Vp9 => AudioCodec::Opus,
        }
    }

    pub fn grid(&self) -> AudioGrid {
        match self.codec {
            Codec::H264 => AudioGrid::AAC,
            Codec::Vp8 | Codec::Vp9 => AudioGrid::OPUS,
        }
    }

    fn threads(&self) -> u32 {
        let pixels = u64::from(self.width) * u64::from(self.height) * u64::from(self.frame_rate);
        let cores = std::thread::available_parallelism().map_or(1, |n| n.get() as u32);
        (pixels.div_ceil(PIXELS_A_THREAD) as u32).clamp(1, cores.max(1))
    }

    /// How many pictures the encoder keeps back before it gives the first.
    pub fn held_back(&self) -> u32 {
        match self.codec {
            Codec::H264 => LOOK_AHEAD + self.threads() + 1,
            Codec::Vp8 | Codec::Vp9 => 1,
        }
    }

    /// The arguments: one raw stream on stdin, one encoded stream on stdout.
    pub fn arguments(&self) -> Vec<String> {
        let mut arguments: Vec<String> = Vec::new();
        let mut add = |text: &str| arguments.extend(text.split(' ').map(str::to_owned));
        add("-hide_banner -loglevel warning -nostdin -protocol_whitelist pipe");
        // The head says all there is to know; probing would only wait.
        add("-probesize 4096 -analyzeduration 0 -fpsprobesize 0 -f matroska -i pipe:0");
        add("-map 0:v:0 -map 0:a:0 -fps_mode passthrough -enc_time_base:v 1:1000000");
        add(&format!("-threads:v {}", self.threads()));
        // An odd microsecond marks a picture that must be a key frame, see `feed`.
        add("-force_key_frames expr:eq(mod(round(t*1000000),2),1)");
        add(&self.video());
        add("-colorspace bt709 -color_primaries bt709 -color_trc bt709 -color_range tv");
        add(&match self.audio_codec() {
            AudioCodec::Opus => format!("-c:a libopus -frame_duration 20 -b:a {}k", self.audio_bitrate_kbps),
            _ => format!("-c:a aac -b:a {}k", self.audio_bitrate_kbps),
        });
        // Each packet as soon as it is there: on a still page the pictures come much later than
        // the sound, and the sound must not wait for them.
        add("-avoid_negative_ts disabled -max_interleave_delta 1 -flush_packets 1");
        add("-cluster_time_limit 1 -f matroska pipe:1");
        arguments
    }

    fn video(&self) -> String {
        let Self { crf, max_bitrate_kbps: rate, preset, frame_rate, .. } = self;
        let key_frames = "-g 1000000";
        match self.codec {
            Codec::H264 => format!(
                "-c:v libx264 -preset {preset} -crf {crf} -maxrate {rate}k -bufsize {}k -bf 0 \
                 -rc-lookahead {LOOK_AHEAD} {key_frames} -forced-idr 1 \
                 -x264-params fps={frame_rate}/1 \
                 -bsf:v h264_metadata=tick_rate={}:fixed_frame_rate_flag=0",
                rate * 2,
                frame_rate * 2,
            ),
            Codec::Vp8 | Codec::Vp9 => format!(
                "-c:v {} -deadline realtime -cpu-used 8 -lag-in-frames 0 -crf {crf} -b:v {rate}k {key_frames}",
                if self.codec == Codec::Vp8 { "libvpx -auto-alt-ref 0" } else { "libvpx-vp9 -row-mt 1" },
            ),
        }
    }
}
