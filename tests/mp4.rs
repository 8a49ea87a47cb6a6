//! The MP4 muxer against FFmpeg and a second parser: hundreds of random recordings, and real ones decoded.

mod support;

use std::fmt;
use std::fs::File;
use std::io::{self, BufWriter, Write};
use std::path::Path;
use std::process::Command;
use std::sync::OnceLock;
use std::time::Instant;

use panorec::media::grid::{sample_at, us_of};
use panorec::media::mp4::{Mp4Error, Mp4Index, Mp4Muxer, head_bytes_at_most};
use panorec::media::{Packet, TrackKind, Tracks};
use proptest::prelude::*;
use serde_json::Value;
use support::*;

const KINDS: [TrackKind; 2] = [TrackKind::Video, TrackKind::Audio];
/// What the last picture of a random recording lasts.
const LAST_US: u64 = 40_000;

/// A second of real media: tracks for all tests.
fn real() -> &'static (Tracks, Vec<Packet>) {
    static REAL: OnceLock<(Tracks, Vec<Packet>)> = OnceLock::new();
    REAL.get_or_init(|| encode(Stretch { fps: 5, ..Stretch::seconds(0, 1) }))
}

fn mux(tracks: &Tracks, packets: &[Packet], padding: u64) -> Result<(Vec<u8>, Mp4Index), Mp4Error> {
    let mut media = Vec::new();
    let mut keep = |bytes: &[u8]| {
        media.extend_from_slice(bytes);
        Ok(())
    };
    let mut muxer = Mp4Muxer::new(tracks, &std::env::temp_dir())?;
    for packet in packets {
        muxer.push(packet.clone(), &mut keep)?;
    }
    let index = muxer.finish(&mut keep)?;
    let mut file = Vec::new();
    index.write_head(index.head_bytes() + padding, &mut file)?;
    file.extend(media);
    Ok((file, index))
}

/// A sample as it must be found in the file; times in ticks, relative to the movie.
#[derive(Debug, PartialEq)]
struct Sample {
    at: i64,
    lasts: i64,
    key: bool,
    size: usize,
}

/// What must be found, calculated from the packets alone.
fn expected(packets: &[Packet], kind: TrackKind) -> Vec<Sample> {
    let ticks = |us: i64| match kind {
        TrackKind::Video => (us * 90_000 + 500_000).div_euclid(1_000_000),
        TrackKind::Audio => sample_at(us),
    };
    let of: Vec<_> = packets.iter().filter(|packet| packet.track == kind).collect();
    // A track of nothing but priming is left out.
    if of.last().is_none_or(|last| last.pts_us < -10_000) {
        return Vec::new();
    }
    let end = |at: usize| match (of.get(at + 1), kind) {
        (Some(next), _) => ticks(next.pts_us),
        (None, TrackKind::Video) => ticks(of[at].pts_us + of[at].duration_us.unwrap() as i64),
        (None, TrackKind::Audio) => ticks(of[at].pts_us) + 1024,
    };
    let sample = |(at, packet): (usize, &&Packet)| {
        let start = ticks(packet.pts_us);
        Sample { at: start, lasts: end(at) - start, key: packet.key, size: packet.data.len() }
    };
    of.iter().enumerate().map(sample).collect()
}

/// Says the first difference alone.
fn assert_same(found: &[Sample], wanted: &[Sample], who: &str) {
    let differ = found.iter().zip(wanted).enumerate().find(|(_, (found, wanted))| found != wanted);
    assert!(differ.is_none(), "{who} finds another sample than is wanted: {differ:?}");
    assert_eq!(found.len(), wanted.len(), "samples that {who} finds, and that are wanted");
}

fn ffprobe(path: &Path, what: &[&str]) -> Value {
    // All of the file is looked at before anything is told: what is in the packets is noise, and a stream that FFmpeg
    // saw no packet of has the duration of the others.
    let output = Command::new("ffprobe")
        .args(["-v", "error", "-fflags", "+noparse", "-probesize", "100M", "-analyzeduration", "100M"])
        .args(what)
        .args(["-of", "json"])
        .arg(path)
        .output()
        .unwrap();
    let said = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success() && !said.contains("mov,mp4"), "{said}");
    serde_json::from_slice(&output.stdout).unwrap()
}

/// A number of a packet or a stream.
fn number(of: &Value, name: &str) -> i64 {
    let number = of[name].as_i64().or_else(|| of[name].as_str()?.parse().ok());
    number.unwrap_or_else(|| panic!("no {name} in {of}"))
}

/// Everything that ffprobe tells of the container.
fn check_with_ffprobe(path: &Path, file: &[u8], packets: &[Packet], index: &Mp4Index) {
    let told = ffprobe(path, &["-show_packets", "-show_streams", "-show_format"]);
    let streams: Vec<_> = KINDS.iter().filter(|kind| !expected(packets, **kind).is_empty()).collect();
    assert_eq!(told["streams"].as_array().unwrap().len(), streams.len());
    let mut end_us = 0;
    for (number_of_stream, kind) in streams.into_iter().enumerate() {
        let of_stream = |packet: &&Value| number(packet, "stream_index") == number_of_stream as i64;
        let wanted = expected(packets, *kind);
        let (first, last) = (&wanted[0], wanted.last().unwrap());
        let late = first.at > 0;
        let found: Vec<_> = told["packets"].as_array().unwrap().iter().filter(of_stream).collect();
        let sample = |packet: &&Value| Sample {
            at: number(packet, "pts"),
            // FFmpeg takes a track's duration for its end, so it is wrong about the last of one that begins later.
            lasts: if late && number(packet, "pts") == last.at { last.lasts } else { number(packet, "duration") },
            key: packet["flags"].as_str().unwrap().starts_with('K'),
            size: number(packet, "size") as usize,
        };
        assert_same(&found.iter().map(sample).collect::<Vec<_>>(), &wanted, "ffprobe");
        for (packet, sent) in found.iter().zip(packets.iter().filter(|packet| packet.track == *kind)) {
            assert_eq!(packet["pts"], packet["dts"]);
            let place = number(packet, "pos") as usize;
            assert!(file[place..].starts_with(&sent.data), "another packet lies at {place}");
        }
        let stream = &told["streams"][number_of_stream];
        let (kind_told, scale) = if *kind == TrackKind::Video { ("video", "1/90000") } else { ("audio", "1/48000") };
        assert_eq!((stream["codec_type"].as_str(), stream["time_base"].as_str()), (Some(kind_told), Some(scale)));
        assert_eq!(number(stream, "nb_frames"), wanted.len() as i64);
        // Priming is decoded and not presented.
        assert_eq!(number(stream, "start_pts"), first.at.max(0));
        assert_eq!(number(stream, "duration_ts"), (last.at + last.lasts - first.at.max(0)).max(0));
        let us = |ticks: i64| if *kind == TrackKind::Video { ticks * 100 / 9 } else { us_of(ticks) };
        end_us = end_us.max(us(last.at + last.lasts));
    }
    assert!((index.duration_us() - end_us).abs() <= 1);
    let duration: f64 = told["format"]["duration"].as_str().unwrap().parse().unwrap();
    assert!((duration - end_us as f64 / 1e6).abs() < 3e-6, "{duration} s, not {end_us} us");
}

/// The same by re_mp4, which knows no edit lists: times begin with the track.
fn check_with_re_mp4(file: &[u8], packets: &[Packet]) {
    let told = re_mp4::Mp4::read_bytes(file).unwrap();
    let mut tracks = told.tracks().values();
    for kind in KINDS {
        let wanted = expected(packets, kind);
        let Some(first) = wanted.first() else { continue };
        let track = tracks.next().unwrap();
        let sample = |sample: &re_mp4::Sample| Sample {
            at: sample.decode_timestamp + first.at,
            lasts: sample.duration as i64,
            key: sample.is_sync,
            size: sample.size as usize,
        };
        assert_same(&track.samples.iter().map(sample).collect::<Vec<_>>(), &wanted, "re_mp4");
        for (sample, sent) in track.samples.iter().zip(packets.iter().filter(|packet| packet.track == kind)) {
            assert!(file[sample.offset as usize..].starts_with(&sent.data));
            assert_eq!(sample.composition_timestamp, sample.decode_timestamp);
        }
        let kind_told = if kind == TrackKind::Video { re_mp4::TrackKind::Video } else { re_mp4::TrackKind::Audio };
        assert_eq!(track.kind, Some(kind_told));
    }
    assert!(tracks.next().is_none());
}

/// Packets, said in a word each when a test fails.
struct History(Vec<Packet>);

impl fmt::Debug for History {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for packet in &self.0 {
            let Packet { track, pts_us, key, data, .. } = packet;
            write!(f, "{track:?}@{pts_us}:{}{} ", data.len(), if *key { "K" } else { "" })?;
        }
        Ok(())
    }
}

/// Recordings: frame rates from a still page's to a hurried one's, with jitter, stretches that stand still, holes and
/// priming; packets from bytes to more than a chunk.
fn histories() -> impl Strategy<Value = History> {
    let gap =
        prop_oneof![8 => 15_000_i64..45_000, 2 => Just(1_000_000), 1 => 100_i64..3_000, 1 => 1_000_000_i64..9_000_000];
    let length = prop_oneof![300 => 1_usize..2_000, 30 => 10_000_usize..200_000, 1 => 1_000_000_usize..5_000_000];
    let pictures = prop::collection::vec((gap, length, prop::bool::weighted(0.1)), 0..80);
    let sounds = prop::collection::vec((prop_oneof![30 => Just(1_i64), 1 => 2_i64..200], 1_usize..700), 0..400);
    let first_us = prop_oneof![2 => Just(0), 1 => 1_i64..3_000_000];
    let first_sound = prop_oneof![2 => Just(0), 1 => Just(-1_i64), 1 => -4_i64..100];
    (first_us, pictures, first_sound, sounds)
        .prop_map(|(mut us, pictures, mut index, sounds)| {
            let mut packets = Vec::new();
            let mut add = |track, pts_us, duration_us, key, length: usize| {
                // Each packet begins with its number, so that no place can be mistaken for another.
                let mut data = (packets.len() as u32 + 1).to_be_bytes().repeat(length.div_ceil(4));
                data.truncate(length);
                packets.push(Packet { track, pts_us, duration_us, key, data });
            };
            for (n, (gap_us, length, key)) in pictures.into_iter().enumerate() {
                add(TrackKind::Video, us, Some(LAST_US), key || n == 0, length);
                us += gap_us;
            }
            for (gap, length) in sounds {
                add(TrackKind::Audio, us_of(index * 1024), None, true, length);
                index += gap;
            }
            packets.sort_by_key(|packet| packet.pts_us);
            History(packets)
        })
        .prop_filter("nothing is presented", |packets| packets.0.iter().any(|packet| packet.pts_us >= 0))
}

proptest! {
    #![proptest_config(ProptestConfig {
        failure_persistence: None,
        max_shrink_iters: 200,
        ..ProptestConfig::with_cases(300)
    })]

    #[test]
    fn random_recordings_are_what_ffprobe_and_a_second_parser_find(
        History(packets) in histories(),
        padding in prop_oneof![Just(0_u64), 8_u64..100_000],
    ) {
        let (file, index) = mux(&real().0, &packets, padding).unwrap();
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("random.mp4");
        write(&path, &file);
        check_with_ffprobe(&path, &file, &packets, &index);
        check_with_re_mp4(&file, &packets);
    }
}

fn decode(path: &Path, args: &[&str]) -> Vec<u8> {
    let output = Command::new("ffmpeg")
        .args(["-v", "error", "-nostdin", "-i"])
        .arg(path)
        .args(args)
        .arg("pipe:1")
        .output()
        .unwrap();
    let said = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success() && said.is_empty(), "{}: {said}", path.display());
    output.stdout
}

/// The hash of each picture.
fn pictures(path: &Path) -> Vec<String> {
    let told = decode(path, &["-map", "0:v", "-fps_mode", "passthrough", "-f", "framemd5"]);
    let told = String::from_utf8(told).unwrap();
    let hash = |line: &str| line.rsplit(',').next().unwrap().trim().to_owned();
    told.lines().filter(|line| !line.starts_with('#')).map(hash).collect()
}

#[test]
fn real_media_decodes_to_the_same_pictures_and_samples() {
    let (tracks, mut packets) = encode(Stretch::seconds(0, 5));
    let folder = tempfile::tempdir().unwrap();
    let (part, mp4) = (folder.path().join("part.webm"), folder.path().join("muxed.mp4"));
    write(&part, &write_part(&tracks, &packets));
    packets.sort_by_key(|packet| packet.pts_us);
    for packet in packets.iter_mut().filter(|packet| packet.track == TrackKind::Video) {
        packet.duration_us = Some(1_000_000 / 30);
    }
    let (file, index) = mux(&tracks, &packets, 0).unwrap();
    write(&mp4, &file);
    assert_decodes_silently(&mp4);
    check_with_ffprobe(&mp4, &file, &packets, &index);
    check_with_re_mp4(&file, &packets);
    assert_eq!((pictures(&mp4).len(), pictures(&mp4)), (150, pictures(&part)));
    // Two channels of 16 bits. FFmpeg 5.1 gives the priming of a part away, too.
    let samples = |path| decode(path, &["-map", "0:a", "-f", "s16le", "-ac", "2"]);
    assert_eq!(samples(&mp4).len(), count(&packets, TrackKind::Audio) * 1024 * 4 - 1024 * 4);
    assert!(samples(&part).ends_with(&samples(&mp4)));
    let said = probe(&mp4, &["-show_entries", "stream=color_space,color_range,color_primaries,color_transfer"]);
    for line in ["color_range=tv", "color_space=bt709", "color_transfer=bt709", "color_primaries=bt709"] {
        assert!(said.contains(line), "{said}");
    }
}

#[test]
fn the_end_of_a_large_file_is_found() {
    const PACKETS: i64 = 80;
    const LENGTH: usize = 64 << 20;
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("large.mp4");
    let mut muxer = Mp4Muxer::new(&real().0, folder.path()).unwrap();
    for n in 0..PACKETS {
        // Neither this memory nor the file's is ever touched.
        let (track, pts_us) = (TrackKind::Video, n * 1_000_000);
        let packet = Packet { track, pts_us, duration_us: Some(1_000_000), key: true, data: vec![0; LENGTH] };
        muxer.push(packet, &mut |_| Ok(())).unwrap();
    }
    let index = muxer.finish(&mut |_| Ok(())).unwrap();
    let mut file = File::create(&path).unwrap();
    index.write_head(1 << 20, &mut file).unwrap();
    file.set_len((1 << 20) + index.media_bytes()).unwrap();
    let told = ffprobe(&path, &["-show_packets", "-select_streams", "v", "-read_intervals", "79%"]);
    let [last] = &told["packets"].as_array().unwrap()[..] else { panic!("{told}") };
    let place = (1 << 20) + (PACKETS - 1) * LENGTH as i64;
    let found = ["pts", "size", "pos"].map(|name| number(last, name));
    assert_eq!(found, [(PACKETS - 1) * 90_000, LENGTH as i64, place]);
}

/// The high-water mark of this process's memory, in KiB.
fn peak_kib() -> u64 {
    let status = std::fs::read_to_string("/proc/self/status").unwrap();
    let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:")).unwrap();
    line.trim().trim_end_matches(" kB").parse().unwrap()
}

/// Frames on their grid as parts tell them (milliseconds), a key frame every two seconds, and sound; tiny packets.
fn mux_hours(hours: i64, fps: i64) {
    // The high-water mark begins anew (proc(5), clear_refs).
    std::fs::write("/proc/self/clear_refs", "5").unwrap();
    let before = peak_kib();
    let begun = Instant::now();
    let folder = tempfile::tempdir().unwrap();
    let mut muxer = Mp4Muxer::new(&real().0, folder.path()).unwrap();
    let (mut frame, mut sound, end_us) = (0, 0, hours * 3_600_000_000);
    let mut media = |_: &[u8]| Ok(());
    loop {
        let (frame_us, sound_us) = (frame * 1000 / fps * 1000, us_of(sound * 1024));
        let (track, pts_us) =
            if frame_us <= sound_us { (TrackKind::Video, frame_us) } else { (TrackKind::Audio, sound_us) };
        if pts_us >= end_us {
            break;
        }
        let (duration_us, key) = match track {
            TrackKind::Video => (Some(1_000_000 / fps as u64), frame % (2 * fps) == 0),
            TrackKind::Audio => (None, true),
        };
        match track {
            TrackKind::Video => frame += 1,
            TrackKind::Audio => sound += 1,
        }
        muxer.push(Packet { track, pts_us, duration_us, key, data: vec![0; 8] }, &mut media).unwrap();
    }
    let index = muxer.finish(&mut media).unwrap();
    let muxed = begun.elapsed();
    let mut out = BufWriter::new(io::sink());
    index.write_head(index.head_bytes(), &mut out).unwrap();
    out.flush().unwrap();
    let (head, bound) = (index.head_bytes(), head_bytes_at_most(hours as u32 * 3600, fps as u32));
    let grown = peak_kib() - before;
    println!(
        "    {hours} h, {fps} fps: {frame} + {sound} packets in {:.2} s, head {head} bytes (at most {bound}) in {:.2} s, \
         {grown} KiB more at the peak",
        muxed.as_secs_f64(),
        (begun.elapsed() - muxed).as_secs_f64()
    );
    assert!(head <= bound && grown < 4 << 10);
}

#[test]
#[ignore = "a minute without optimization, and memory is measured, so nothing may run beside it"]
fn days_of_recording_take_little_memory() {
    real();
    for (hours, fps) in [(1, 30), (6, 30), (72, 30), (72, 60)] {
        mux_hours(hours, fps);
    }
}
