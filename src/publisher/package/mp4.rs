//! One MP4, by stream copy.

use std::fs::File;
use std::io::{self, Read, Seek, SeekFrom};
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
    ffmpeg::run("packaging the MP4", work.path(), arguments, &plan.tracks(), |feed| {
        while let Some(spliced) = splicer.next_packet()? {
            report.at(spliced.packet.pts_us);
            feed.write_packet(&spliced.packet)?;
        }
        Ok(())
    })?;
    let made = work.path().join("video.mp4");
    let whole = is_whole(&made).map_err(PublishError::io("check the MP4"))?;
    super::check(whole, work.path())?;
    let path = output.join(format!("{name}.mp4"));
    super::put_in_place(&made, &path)?;
    Ok(Made { files: vec![path], damaged: splicer.damaged() })
}

/// Whether the file's boxes fill it exactly, with the index before the media.
fn is_whole(path: &Path) -> io::Result<bool> {
    let mut file = File::open(path)?;
    let length = file.metadata()?.len();
    let (mut at, mut index) = (0, false);
    while at < length {
        let mut head = [0; 8];
        file.seek(SeekFrom::Start(at))?;
        if file.read_exact(&mut head).is_err() {
            return Ok(false);
        }
        let [a, b, c, d, kind @ ..] = head;
        let size = match u32::from_be_bytes([a, b, c, d]) {
            // Above 4 GiB the size follows.
            1 => {
                let mut long = [0; 8];
                file.read_exact(&mut long)?;
                u64::from_be_bytes(long)
            }
            size => u64::from(size),
        };
        match &kind {
            b"moov" => index = true,
            b"mdat" if !index => return Ok(false),
            _ => {}
        }
        if size < 8 {
            return Ok(false);
        }
        at = at.saturating_add(size);
    }
    Ok(index && at == length)
}
