//! HLS: a VOD playlist and MPEG-TS segments cut at key frames, by stream copy.

use std::fs::{self, File};
use std::ops::Range;
use std::path::Path;

use m3u8_rs::parse_media_playlist_res;

use super::encrypt::HlsEncryption;
use super::playlist::{Segment, playlist, segment_name};
use super::{Made, WorkFolder, check, put_in_place};
use crate::media::TrackKind;
use crate::media::grid::us_of;
use crate::publisher::error::PublishError;
use crate::publisher::ffmpeg;
use crate::publisher::plan::{OpenPart, Plan};
use crate::publisher::progress::Report;
use crate::publisher::splice::{Spliced, Splicer};

/// How far FFmpeg's place of a cut (rounded by TS's clock and its own list) may be from a key frame.
const SNAP_US: i64 = 50_000;
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
    let mut segments = Vec::new();
    let mut splicer = Splicer::new(plan, open);
    let mut carried = None;
    let mut files = vec![output.join(format!("{name}.m3u8"))];
    for epoch in epochs(plan) {
        let cuts = cut(plan, &epoch, settings, work.path(), &mut splicer, &mut carried, report)?;
        for (index, duration_us) in cuts.into_iter().enumerate() {
            let made = work.path().join(format!("{index}.ts"));
            let file = output.join(segment_name(name, segments.len()));
            finish_segment(&made, &file, segments.len() as u64, settings, work.path())?;
            files.push(file);
            let discontinuity = index == 0 && !segments.is_empty();
            segments.push(Segment { duration_us, discontinuity });
        }
    }
    let text = playlist(name, &segments, settings.encryption.as_ref());
    let made = work.path().join("playlist.m3u8");
    fs::write(&made, text).map_err(PublishError::io("write the playlist"))?;
    put_in_place(&made, &files[0])?;
    Ok(Made { files, damaged: splicer.damaged() })
}

/// Stretches of parts that one encoder made.
fn epochs(plan: &Plan) -> Vec<Range<usize>> {
    let mut epochs: Vec<Range<usize>> = Vec::new();
    for (index, part) in plan.parts.iter().enumerate() {
        match epochs.last_mut() {
            Some(last) if !part.fresh_encoder => last.end = index + 1,
            _ => epochs.push(index..index + 1),
        }
    }
    epochs
}

/// Cuts one epoch into `0.ts`, `1.ts` … and gives their durations in microseconds.
fn cut(
    plan: &Plan,
    epoch: &Range<usize>,
    settings: &HlsSettings,
    work: &Path,
    splicer: &mut Splicer<'_>,
    carried: &mut Option<Spliced>,
    report: &mut Report<'_>,
) -> Result<Vec<i64>, PublishError> {
    let seconds = settings.segment_seconds.to_string();
    let arguments = ["-map", "0:v:0", "-map", "0:a:0", "-c", "copy", "-muxdelay", "0"]
        .into_iter()
        .chain(["-f", "hls", "-hls_time", &seconds, "-hls_list_size", "0", "-hls_playlist_type", "vod"])
        .chain(["-hls_segment_type", "mpegts", "-hls_segment_filename", "%d.ts", "list.m3u8"]);
    let mut key_frames = Vec::new();
    ffmpeg::run("cutting HLS segments", work, arguments, &plan.tracks(), |feed| {
        while let Some(spliced) = carried.take().map_or_else(|| splicer.next_packet(), |s| Ok(Some(s)))? {
            if spliced.part >= epoch.end {
                *carried = Some(spliced);
                break;
            }
            let packet = &spliced.packet;
            if packet.track == TrackKind::Video && packet.key {
                key_frames.push(packet.pts_us);
            }
            report.at(packet.pts_us);
            feed.write_packet(packet)?;
        }
        Ok(())
    })?;
    let list_made = fs::metadata(work.join("list.m3u8")).is_ok_and(|made| made.len() > 0);
    check(list_made, work)?;
    let list = fs::read(work.join("list.m3u8")).map_err(PublishError::io("read the segments"))?;
    let list = parse_media_playlist_res(&list).map_err(|_| PublishError::Segments("it cannot be parsed"))?;
    let told: Vec<f64> = list.segments.iter().map(|segment| segment.duration.into()).collect();
    let place = |sample| us_of(sample - plan.start());
    let start = place(plan.parts[epoch.start].start);
    let end = place(plan.parts[epoch.end - 1].end);
    exact_durations(&told, &key_frames, start..end)
}

/// FFmpeg's durations (seconds, rounded, the last one short) made exact: cuts are at key frames,
/// and the last segment lasts until the end of the sound.
fn exact_durations(told: &[f64], key_frames: &[i64], place: Range<i64>) -> Result<Vec<i64>, PublishError> {
    let Some((_, inner)) = told.split_last() else {
        return Err(PublishError::Segments("there are none"));
    };
    let first = key_frames.first().copied().unwrap_or(place.start);
    let mut edges = vec![place.start];
    let mut at = first as f64;
    for seconds in inner {
        at += seconds * 1e6;
        let after = key_frames.partition_point(|key| (*key as f64) < at);
        let near = key_frames[after.saturating_sub(1)..].iter().take(2);
        let nearest = near.min_by_key(|key| (**key - at as i64).abs());
        let Some(&key) = nearest.filter(|key| (**key - at as i64).abs() <= SNAP_US) else {
            return Err(PublishError::Segments("a cut is not at a key frame"));
        };
        // Rounding does not add up this way.
        at = key as f64;
        edges.push(key);
    }
    edges.push(place.end);
    let durations: Vec<i64> = edges.windows(2).map(|pair| pair[1] - pair[0]).collect();
    if durations.iter().any(|duration| *duration <= 0) {
        return Err(PublishError::Segments("a segment has no length"));
    }
    Ok(durations)
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

    #[test]
    fn durations_become_exact() {
        let keys = [0, 2_000_000, 4_033_333, 6_000_000];
        let exact = exact_durations(&[4.033, 1.5], &keys, 0..7_000_000).unwrap();
        assert_eq!(exact, [4_033_333, 2_966_667]);
    }

    #[test]
    fn a_cut_elsewhere_is_refused() {
        assert!(exact_durations(&[3.0, 1.0], &[0, 2_000_000, 4_000_000], 0..5_000_000).is_err());
        assert!(exact_durations(&[], &[0], 0..5_000_000).is_err());
    }
}
