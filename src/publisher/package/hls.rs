//! HLS: a VOD playlist and MPEG-TS segments cut at key frames, by stream copy.

use std::fs::{self, File};
use std::path::Path;
use std::time::{Duration, Instant};

use m3u8_rs::parse_media_playlist_res;

use super::encrypt::HlsEncryption;
use super::playlist::{Listing, Segment, playlist, segment_name};
use super::{Made, WorkFolder, check, put_in_place};
use crate::media::{TrackKind, Tracks};
use crate::publisher::error::PublishError;
use crate::publisher::ffmpeg;
use crate::publisher::plan::{OpenPart, Plan};
use crate::publisher::progress::Report;
use crate::publisher::splice::{Spliced, Splicer};

/// How far FFmpeg's place of a cut (rounded by TS's clock and its own list) may be from a key frame.
const SNAP_US: i64 = 50_000;
/// FFmpeg closes a segment a little after it was given the key frame: it is looked at again after this.
const LOOK: Duration = Duration::from_millis(500);
/// MPEG-TS consists of packets of this many bytes.
const TS_PACKET: u64 = 188;

/// What an HLS output is like.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct HlsSettings {
    /// A segment ends at the first key frame after this long.
    pub segment_seconds: u32,
    pub encryption: Option<HlsEncryption>,
}

/// Makes `<name>.m3u8` and `<name>-00000.ts` … in the output folder; the playlist comes last. Gives
/// all files, the playlist first.
pub(in crate::publisher) fn hls(
    plan: &Plan,
    open: &OpenPart<'_>,
    settings: &HlsSettings,
    output: &Path,
    name: &str,
    report: &mut Report<'_>,
) -> Result<Made, PublishError> {
    let work = WorkFolder::create(output, ".packaging")?;
    let mut splicer = Splicer::new(plan, open);
    let mut files = vec![output.join(format!("{name}.m3u8"))];
    let mut cutter = Cutter::new(settings, &work, output, name);
    cutter.cut_all(&mut splicer, &plan.tracks(), &mut |at_us| report.at(at_us), &mut |file, _| {
        files.push(file.to_owned());
        Ok(())
    })?;
    cutter.write_playlist(&files[0], Listing::Whole)?;
    Ok(Made { files, damaged: splicer.damaged() })
}

/// Takes each finished segment, with all so far, the newest last.
pub(in crate::publisher) type Ready<'r> = dyn FnMut(&Path, &Cutter<'_>) -> Result<(), PublishError> + 'r;

/// Cuts a stream into segments, each of them finished as soon as the next one begins.
pub(in crate::publisher) struct Cutter<'c> {
    settings: &'c HlsSettings,
    work: &'c WorkFolder,
    output: &'c Path,
    name: &'c str,
    segments: Vec<Segment>,
}

/// One encoder's stretch of the stream, while FFmpeg cuts it.
struct Epoch {
    /// Where it begins in the video, in microseconds.
    start_us: i64,
    /// Of the video, in microseconds.
    key_frames: Vec<i64>,
    /// Where the segments so far end.
    edges: Vec<i64>,
    /// FFmpeg's list as it was read last, in bytes: a longer one has news.
    list_bytes: u64,
}

impl<'c> Cutter<'c> {
    pub(in crate::publisher) fn new(
        settings: &'c HlsSettings,
        work: &'c WorkFolder,
        output: &'c Path,
        name: &'c str,
    ) -> Cutter<'c> {
        Cutter { settings, work, output, name, segments: Vec::new() }
    }

    /// Cuts everything that the splicer gives.
    pub(in crate::publisher) fn cut_all(
        &mut self,
        splicer: &mut Splicer<'_>,
        tracks: &Tracks,
        report: &mut dyn FnMut(i64),
        ready: &mut Ready<'_>,
    ) -> Result<(), PublishError> {
        let mut first = splicer.next_packet()?;
        while let Some(packet) = first.take() {
            first = self.cut(packet, splicer, tracks, report, ready)?;
        }
        Ok(())
    }

    /// Writes the playlist of the segments so far.
    pub(in crate::publisher) fn write_playlist(&self, path: &Path, listing: Listing) -> Result<(), PublishError> {
        let text = playlist(self.name, &self.segments, self.settings.encryption.as_ref(), listing);
        let made = self.work.path().join("playlist.m3u8");
        fs::write(&made, text).map_err(PublishError::io("write the playlist"))?;
        put_in_place(&made, path)
    }

    /// Cuts what one encoder made, from its first packet on. Gives the first packet of the next one.
    fn cut(
        &mut self,
        first: Spliced,
        splicer: &mut Splicer<'_>,
        tracks: &Tracks,
        report: &mut dyn FnMut(i64),
        ready: &mut Ready<'_>,
    ) -> Result<Option<Spliced>, PublishError> {
        let work = self.work.path();
        let seconds = self.settings.segment_seconds.to_string();
        let arguments = ["-map", "0:v:0", "-map", "0:a:0", "-c", "copy", "-muxdelay", "0"]
            .into_iter()
            .chain(["-f", "hls", "-hls_time", &seconds, "-hls_list_size", "0", "-hls_flags", "temp_file"])
            .chain(["-hls_segment_type", "mpegts", "-hls_segment_filename", "%d.ts", "list.m3u8"]);
        remove_if_there(&work.join("list.m3u8"))?;
        let (first_part, mut last_part) = (first.part, first.part);
        let start_us = splicer.place_us(splicer.part(first_part).start);
        let mut epoch = Epoch { start_us, key_frames: Vec::new(), edges: vec![start_us], list_bytes: 0 };
        let (mut carried, mut next) = (Some(first), None);
        let mut looked = Instant::now();
        ffmpeg::run("cutting HLS segments", work, arguments, tracks, |feed| {
            while let Some(spliced) = carried.take().map_or_else(|| splicer.next_packet(), |s| Ok(Some(s)))? {
                if spliced.part > first_part && splicer.part(spliced.part).fresh_encoder {
                    next = Some(spliced);
                    break;
                }
                last_part = last_part.max(spliced.part);
                let packet = &spliced.packet;
                let key_frame = packet.track == TrackKind::Video && packet.key;
                if key_frame {
                    epoch.key_frames.push(packet.pts_us);
                }
                report(packet.pts_us);
                feed.write_packet(packet)?;
                if key_frame || looked.elapsed() >= LOOK {
                    looked = Instant::now();
                    self.take_closed(&mut epoch, ready)?;
                }
            }
            Ok(())
        })?;
        let end_us = splicer.place_us(splicer.part(last_part).end);
        self.take_last(&mut epoch, end_us, ready)?;
        Ok(next)
    }

    /// Finishes what FFmpeg has closed so far: each ends at a key frame.
    fn take_closed(&mut self, epoch: &mut Epoch, ready: &mut Ready<'_>) -> Result<(), PublishError> {
        let told = match fs::metadata(self.work.path().join("list.m3u8")) {
            Ok(list) if list.len() > epoch.list_bytes => {
                epoch.list_bytes = list.len();
                self.told()?
            }
            _ => return Ok(()),
        };
        self.take(epoch, &told, ready)
    }

    /// Finishes all that is left; the last segment lasts until the end of the sound.
    fn take_last(&mut self, epoch: &mut Epoch, end_us: i64, ready: &mut Ready<'_>) -> Result<(), PublishError> {
        let list_made = fs::metadata(self.work.path().join("list.m3u8")).is_ok_and(|made| made.len() > 0);
        check(list_made, self.work.path())?;
        let told = self.told()?;
        let Some((_, inner)) = told.split_last().filter(|_| told.len() >= epoch.edges.len()) else {
            return Err(PublishError::Segments("there are none"));
        };
        self.take(epoch, inner, ready)?;
        self.finish(epoch, end_us, ready)
    }

    /// How long FFmpeg says that its segments are, in seconds.
    fn told(&self) -> Result<Vec<f64>, PublishError> {
        let list = fs::read(self.work.path().join("list.m3u8")).map_err(PublishError::io("read the segments"))?;
        let list = parse_media_playlist_res(&list).map_err(|_| PublishError::Segments("it cannot be parsed"))?;
        Ok(list.segments.iter().map(|segment| segment.duration.into()).collect())
    }

    fn take(&mut self, epoch: &mut Epoch, told: &[f64], ready: &mut Ready<'_>) -> Result<(), PublishError> {
        for &seconds in told.iter().skip(epoch.edges.len() - 1) {
            let end_us = epoch.edge_after(seconds)?;
            self.finish(epoch, end_us, ready)?;
        }
        Ok(())
    }

    /// Finishes the next segment of the epoch, which ends there.
    fn finish(&mut self, epoch: &mut Epoch, end_us: i64, ready: &mut Ready<'_>) -> Result<(), PublishError> {
        let duration_us = end_us - epoch.last_edge();
        if duration_us <= 0 {
            return Err(PublishError::Segments("a segment has no length"));
        }
        let index = epoch.edges.len() - 1;
        let made = self.work.path().join(format!("{index}.ts"));
        let file = self.output.join(segment_name(self.name, self.segments.len()));
        finish_segment(&made, &file, self.segments.len() as u64, self.settings, self.work.path())?;
        let discontinuity = index == 0 && !self.segments.is_empty();
        self.segments.push(Segment { duration_us, discontinuity });
        epoch.edges.push(end_us);
        ready(&file, self)
    }
}

impl Epoch {
    fn last_edge(&self) -> i64 {
        self.edges.last().copied().unwrap_or(self.start_us)
    }

    /// FFmpeg's duration (seconds, rounded) made exact: cuts are at key frames.
    fn edge_after(&self, seconds: f64) -> Result<i64, PublishError> {
        // The first picture may be later than the first sound; FFmpeg counts from the picture.
        let from = match self.edges.len() {
            1 => self.key_frames.first().copied().unwrap_or(self.start_us),
            // Rounding does not add up this way.
            _ => self.last_edge(),
        };
        let at = from as f64 + seconds * 1e6;
        let after = self.key_frames.partition_point(|key| (*key as f64) < at);
        let near = self.key_frames[after.saturating_sub(1)..].iter().take(2);
        let nearest = near.min_by_key(|key| (**key - at as i64).abs());
        let found = nearest.filter(|key| (**key - at as i64).abs() <= SNAP_US).copied();
        found.ok_or(PublishError::Segments("a cut is not at a key frame"))
    }
}

fn remove_if_there(path: &Path) -> Result<(), PublishError> {
    match fs::remove_file(path) {
        Err(error) if error.kind() != std::io::ErrorKind::NotFound => {
            Err(PublishError::io("make room for the segments")(error))
        }
        _ => Ok(()),
    }
}

/// Encrypts a segment where that is asked for, and puts it in its place.
fn finish_segment(
    made: &Path,
    file: &Path,
    sequence: u64,
    settings: &HlsSettings,
    work: &Path,
) -> Result<(), PublishError> {
    let length = fs::metadata(made).map_or(0, |made| made.len());
    check(length > 0 && length.is_multiple_of(TS_PACKET), work)?;
    let Some(encryption) = &settings.encryption else {
        return put_in_place(made, file);
    };
    let doing = "encrypt a segment";
    let secret = work.join("secret.ts");
    let from = File::open(made).map_err(PublishError::io(doing))?;
    let to = File::create(&secret).map_err(PublishError::io(doing))?;
    encryption.encrypt(sequence, from, to).map_err(PublishError::io(doing))?;
    fs::remove_file(made).map_err(PublishError::io(doing))?;
    put_in_place(&secret, file)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn epoch(key_frames: &[i64]) -> Epoch {
        Epoch { start_us: 0, key_frames: key_frames.to_vec(), edges: vec![0], list_bytes: 0 }
    }

    #[test]
    fn durations_become_exact() {
        let mut epoch = epoch(&[0, 2_000_000, 4_033_333, 6_000_000]);
        assert_eq!(epoch.edge_after(4.033).unwrap(), 4_033_333);
        epoch.edges.push(4_033_333);
        assert_eq!(epoch.edge_after(1.967).unwrap(), 6_000_000);
    }

    #[test]
    fn a_cut_elsewhere_is_refused() {
        assert!(epoch(&[0, 2_000_000, 4_000_000]).edge_after(3.0).is_err());
        assert!(epoch(&[]).edge_after(1.0).is_err());
    }
}
