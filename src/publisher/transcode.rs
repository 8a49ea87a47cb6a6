//! Makes VP8, VP9 and Opus into H.264 and AAC: one part, which is then packaged like any other.

use std::fs::File;
use std::io::{self, BufWriter};
use std::path::{Path, PathBuf};
use std::process::ChildStdout;

use super::error::PublishError;
use super::ffmpeg::{self, Ffmpeg};
use super::plan::{OpenPart, Plan};
use super::progress::Report;
use super::splice::Splicer;
use crate::media::matroska::{PartWriter, ReadError};
use crate::media::{AudioCodec, EncodedReader, VideoCodec};

const WRITING: &str = "write the transcoded part";

/// Whether MP4 and HLS take the recording as it is.
pub(super) fn is_needed(plan: &Plan) -> bool {
    plan.head.video.codec != VideoCodec::H264 || plan.head.audio.codec != AudioCodec::Aac
}

/// Makes one part of H.264 and AAC in `folder`. Its times are relative to the plan's start.
pub(super) fn transcode(
    plan: &Plan,
    open: &OpenPart<'_>,
    folder: &Path,
    report: &mut Report<'_>,
) -> Result<PathBuf, PublishError> {
    let path = folder.join("transcoded.webm");
    let arguments = ["-map", "0:v:0", "-map", "0:a:0"]
        .into_iter()
        .chain(video_arguments(plan.head.video.codec).iter().copied())
        // Keeps the sound without holes, which is what its times are counted by.
        .chain(["-af", "aresample=async=1000:first_pts=0", "-ar", "48000", "-ac", "2"])
        .chain(["-c:a", "aac", "-b:a", "128k"])
        .chain(["-avoid_negative_ts", "disabled", "-f", "matroska", "pipe:1"]);
    let (mut ffmpeg, stdin) = Ffmpeg::start("transcoding to H.264", folder, arguments)?;
    let file = File::create(&path).map_err(PublishError::io(WRITING))?;
    let stdout = ffmpeg.stdout();
    let writer = std::thread::spawn(move || stdout.map_or(Ok(()), |out| write_part(out, file)));
    let mut splicer = Splicer::new(plan, open);
    let fed = ffmpeg::feed_all(stdin, &plan.tracks(), |feed| {
        while let Some(spliced) = splicer.next_packet()? {
            report.at(spliced.packet.pts_us);
            feed.write_packet(&spliced.packet)?;
        }
        Ok(())
    });
    let written = writer.join().unwrap_or_else(|_| Err(PublishError::io(WRITING)(io::ErrorKind::Other.into())));
    // A full disk ends all three; else what FFmpeg says is why the other two ended.
    if matches!(written, Err(PublishError::DiskFull)) {
        return Err(PublishError::DiskFull);
    }
    ffmpeg::conclude(fed, ffmpeg)?;
    written.map(|()| path)
}

fn video_arguments(codec: VideoCodec) -> &'static [&'static str] {
    if codec == VideoCodec::H264 {
        return &["-c:v", "copy"];
    }
    // As the recorder encodes: no B-frames, key frames by time, the pictures' own times.
    &[
        "-c:v",
        "libx264",
        "-preset",
        "veryfast",
        "-crf",
        "21",
        "-bf",
        "0",
        "-pix_fmt",
        "yuv420p",
        "-force_key_frames",
        "expr:gte(t,n_forced*2)",
        "-fps_mode",
        "passthrough",
        "-enc_time_base",
        "1:1000",
        "-color_primaries",
        "bt709",
        "-color_trc",
        "bt709",
        "-colorspace",
        "bt709",
        "-color_range",
        "tv",
    ]
}

fn write_part(out: ChildStdout, file: File) -> Result<(), PublishError> {
    let failed = |source: ReadError| {
        let said = source.to_string();
        PublishError::Ffmpeg { doing: "transcoding to H.264", said: format!("its output {said}") }
    };
    let mut reader = EncodedReader::new(out).map_err(failed)?;
    let mut writer = PartWriter::new(BufWriter::new(file), reader.tracks()).map_err(PublishError::io(WRITING))?;
    while let Some(packet) = reader.next_packet().map_err(failed)? {
        writer.write(&packet).map_err(PublishError::io(WRITING))?;
    }
    writer.finish().map(drop).map_err(PublishError::io(WRITING))
}
