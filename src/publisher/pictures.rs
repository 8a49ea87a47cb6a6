//! A thumbnail and a contact sheet, from key frames only.

use std::ffi::OsString;
use std::path::{Path, PathBuf};

use super::error::PublishError;
use super::ffmpeg;
use super::plan::{OpenPart, Plan};
use super::splice::Splicer;
use crate::media::{Packet, TrackKind, Tracks};

/// Makes a picture of the video in the output folder.
pub(super) type Make = fn(&Plan, &OpenPart<'_>, &Path, &str) -> Result<PathBuf, PublishError>;

/// The thumbnail is chosen out of this many key frames.
const CANDIDATES: usize = 10;
const COLUMNS: usize = 4;
const TILES: usize = 16;

/// Makes `<name>.jpg`: the picture of the first half minute that is most like the others, so that
/// it is not the blank page at the beginning.
pub(super) fn thumbnail(plan: &Plan, open: &OpenPart<'_>, output: &Path, name: &str) -> Result<PathBuf, PublishError> {
    let path = output.join(format!("{name}.jpg"));
    let mut frames = KeyFrames::new(plan, open);
    let mut chosen = Vec::new();
    while chosen.len() < CANDIDATES
        && let Some(frame) = frames.next()?
    {
        chosen.push(frame);
    }
    let filter = format!("thumbnail=n={}", chosen.len().max(2));
    make("making the thumbnail", plan, output, &path, &filter, &chosen)?;
    Ok(path)
}

/// Makes `<name>-contact.png`: sixteen pictures over the whole length, each with its time.
pub(super) fn contact_sheet(
    plan: &Plan,
    open: &OpenPart<'_>,
    output: &Path,
    name: &str,
) -> Result<PathBuf, PublishError> {
    let path = output.join(format!("{name}-contact.png"));
    let mut frames = KeyFrames::new(plan, open);
    let mut chosen: Vec<Packet> = Vec::new();
    let mut last: Option<Packet> = None;
    let wanted_at = |tile: usize| plan.duration_us() * tile as i64 / TILES as i64;
    // The last key frame before each place.
    while let Some(frame) = frames.next()? {
        if let Some(before) = last.replace(frame)
            && last.as_ref().is_some_and(|frame| frame.pts_us > wanted_at(chosen.len()))
        {
            chosen.push(before);
        }
    }
    chosen.extend(last);
    chosen.truncate(TILES);
    let rows = chosen.len().div_ceil(COLUMNS).max(1);
    let tile = format!("scale=320:-2,tile={COLUMNS}x{rows}:padding=4:margin=4:color=0x202020");
    let label = "drawtext=text='%{pts\\:hms}':x=6:y=h-th-6:fontsize=18:fontcolor=white:\
                 box=1:boxcolor=black@0.6:boxborderw=3";
    let labelled = tile.replace(",tile", &format!(",{label},tile"));
    let doing = "making the contact sheet";
    // A machine without fonts gets a sheet without times.
    make(doing, plan, output, &path, &labelled, &chosen)
        .or_else(|_| make(doing, plan, output, &path, &tile, &chosen))?;
    Ok(path)
}

/// Decodes key frames and puts the first picture that a filter gives into a file.
fn make(
    doing: &'static str,
    plan: &Plan,
    output: &Path,
    path: &Path,
    filter: &str,
    frames: &[Packet],
) -> Result<(), PublishError> {
    let mut target = OsString::from("file:");
    target.push(path.file_name().unwrap_or_default());
    let arguments = ["-vf", filter, "-fps_mode", "passthrough", "-frames:v", "1", "-q:v", "3"]
        .into_iter()
        .chain(["-update", "1", "-f", "image2"])
        .map(OsString::from)
        .chain([target]);
    let tracks = Tracks { video: Some(plan.head.video.clone()), audio: None };
    ffmpeg::run(doing, output, arguments, &tracks, |feed| {
        for frame in frames {
            feed.write_packet(frame)?;
        }
        Ok(())
    })
}

struct KeyFrames<'a>(Splicer<'a>);

impl<'a> KeyFrames<'a> {
    fn new(plan: &'a Plan, open: &'a OpenPart<'a>) -> Self {
        KeyFrames(Splicer::new(plan, open))
    }

    fn next(&mut self) -> Result<Option<Packet>, PublishError> {
        while let Some(spliced) = self.0.next_packet()? {
            if spliced.packet.track == TrackKind::Video && spliced.packet.key {
                return Ok(Some(spliced.packet));
            }
        }
        Ok(None)
    }
}
