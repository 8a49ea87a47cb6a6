//! Makes the finished files in the output folder; where they go is the next step's.

use std::fs::{self, File};
use std::path::{Path, PathBuf};

use super::error::PublishError;
use super::package::{self, HlsSettings, Made, WorkFolder};
use super::pictures;
use super::plan::{OpenPart, Plan, plan};
use super::progress::{Progress, Report, Stage};
use super::transcode;
use crate::session::fold::MediaPart;
use crate::session::name::{PartName, RunNumber};

/// The kind of file that is wanted.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Kind {
    Mp4,
    Hls(HlsSettings),
}

/// What is to be made.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Order<'a> {
    /// The files' name without extension.
    pub name: &'a str,
    pub kind: Kind,
    pub thumbnail: bool,
    pub contact_sheet: bool,
}

/// What was made, in the output folder.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Finished {
    /// The MP4, or the playlist and then its segments.
    pub files: Vec<PathBuf>,
    /// `<name>.jpg` and `<name>-contact.png`, as asked for.
    pub pictures: Vec<PathBuf>,
    /// How long the video is, in microseconds.
    pub duration_us: i64,
    /// What a person should know about it.
    pub warnings: Vec<String>,
}

/// Makes one video out of the parts. None when nothing in them is usable.
///
/// # Errors
/// A part that is no part (it is named), FFmpeg's failures, a full disk. What is half made is
/// removed.
pub fn finish(
    parts: &[MediaPart],
    open: &OpenPart<'_>,
    output: &Path,
    order: &Order<'_>,
    progress: &mut dyn FnMut(Progress),
) -> Result<Option<Finished>, PublishError> {
    let Some(spliced) = plan(parts, open)? else {
        return Ok(None);
    };
    fs::create_dir_all(output).map_err(PublishError::io("make the output folder"))?;
    let transcoded =
        transcode::is_needed(&spliced).then(|| Transcoded::make(&spliced, open, output, progress)).transpose()?;
    match &transcoded {
        None => make(&spliced, open, output, order, progress),
        Some(one) => make(&one.plan, &|_| File::open(&one.path), output, order, progress),
    }
    .map(Some)
}

fn make(
    plan: &Plan,
    open: &OpenPart<'_>,
    output: &Path,
    order: &Order<'_>,
    progress: &mut dyn FnMut(Progress),
) -> Result<Finished, PublishError> {
    let mut report = Report::new(progress, Stage::Packaging, plan.duration_us());
    let Made { files, damaged } = match &order.kind {
        Kind::Mp4 => package::mp4(plan, open, output, order.name, &mut report)?,
        Kind::Hls(settings) => package::hls(plan, open, settings, output, order.name, &mut report)?,
    };
    let mut warnings: Vec<String> = damaged.into_iter().map(lost_end).collect();
    let pictures = make_pictures(plan, open, output, order, &mut warnings);
    Ok(Finished { files, pictures, duration_us: plan.duration_us(), warnings })
}

/// What a person is told of a part that ended before it should have.
pub(super) fn lost_end(part: PartName) -> String {
    format!("the end of part {part} was lost; silence and the last picture stand in its place")
}

/// The pictures that are asked for, as far as they can be made.
pub(super) fn make_pictures(
    plan: &Plan,
    open: &OpenPart<'_>,
    output: &Path,
    order: &Order<'_>,
    warnings: &mut Vec<String>,
) -> Vec<PathBuf> {
    let mut pictures = Vec::new();
    let mut picture = |wanted: bool, make: pictures::Make| {
        if !wanted {
            return;
        }
        // The video is there; a picture less is no reason to have none.
        match make(plan, open, output, order.name) {
            Ok(path) => pictures.push(path),
            Err(error) => warnings.push(format!("a picture is missing: {error}")),
        }
    };
    picture(order.thumbnail, pictures::thumbnail);
    picture(order.contact_sheet, pictures::contact_sheet);
    pictures
}

/// The recording as one part of H.264 and AAC; its file goes when this does.
struct Transcoded {
    plan: Plan,
    path: PathBuf,
    _folder: WorkFolder,
}

impl Transcoded {
    fn make(
        spliced: &Plan,
        open: &OpenPart<'_>,
        output: &Path,
        progress: &mut dyn FnMut(Progress),
    ) -> Result<Transcoded, PublishError> {
        let folder = WorkFolder::create(output, ".transcoded")?;
        let mut report = Report::new(progress, Stage::Transcoding, spliced.duration_us());
        let path = transcode::transcode(spliced, open, folder.path(), &mut report)?;
        let name = PartName { run: RunNumber(0), part: 0 };
        // The encoder fills its last packet up; the video ends where it did.
        let end_us = Some(spliced.duration_us() as u64);
        let whole = MediaPart { name, start_us: 0, end_us };
        let made = plan(&[whole], &|_| File::open(&path))?;
        let what = "the transcoded part holds nothing";
        let made = made.ok_or(PublishError::Segments(what))?;
        Ok(Transcoded { plan: made, path, _folder: folder })
    }
}
