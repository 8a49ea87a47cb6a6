//! One MP4, by stream copy.

use std::path::Path;

use super::{Made, WorkFolder};
use crate::publisher::error::PublishError;
use crate::publisher::ffmpeg;
use crate::publisher::plan::{OpenPart, Plan};
use crate::publisher::progress::Report;
use crate::publisher::splice::Splicer;

/// Makes `<name>.mp4` in the output folder: H.264 and AAC as they are, the index in front, times
/// from 0 on without an edit list.
pub(in crate::publisher) fn mp4(
    plan: &Plan,
    open: &OpenPart<'_>,
    output: &Path,
    name: &str,
    report: &mut Report<'_>,
) -> Result<Made, PublishError> {
    let work = WorkFolder::create(output, ".packaging")?;
    let arguments = ["-map", "0:v:0", "-map", "0:a:0", "-c", "copy"]
        .into_iter()
        // The clock of MPEG: whole for 24, 25, 30 and 60 frames a second and for milliseconds.
        .chain(["-video_track_timescale", "90000", "-use_editlist", "0"])
        .chain(["-movflags", "+faststart", "-f", "mp4", "file:video.mp4"]);
    let mut splicer = Splicer::new(plan, open);
    ffmpeg::run(
        "packaging the MP4",
        work.path(),
        arguments,
        &plan.tracks(),
        |feed| {
            while let Some(spliced) = splicer.next_packet()? {
                report.at(spliced.packet.pts_us);
                feed.write_packet(&spliced.packet)?;
            }
            Ok(())
        },
    )?;
    let path = output.join(format!("{name}.mp4"));
    super::put_in_place(&work.path().join("video.mp4"), &path)?;
    Ok(Made {
        files: vec![path],
        damaged: splicer.damaged(),
    })
}
