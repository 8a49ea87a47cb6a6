//! Makes real parts: a pattern and beeps through the feed, FFmpeg and the part writer.
#![allow(dead_code)] // each test binary uses its share

use std::f64::consts::TAU;
use std::fs::File;
use std::io::{self, Cursor, Write};
use std::path::Path;
use std::process::{Command, Stdio};

use panorec::media::grid::{sample_at, us_of};
use panorec::media::matroska::feed::raw_tracks;
use panorec::media::matroska::{FeedWriter, PartWriter};
use panorec::media::{EncodedReader, Packet, TrackKind, Tracks};

pub const WIDTH: usize = 160;
pub const HEIGHT: usize = 96;

/// What one encoder is fed with: global video time, so that two stretches continue each other.
#[derive(Debug, Clone, Copy)]
pub struct Stretch {
    /// The first sample.
    pub from: i64,
    /// One past the last sample.
    pub to: i64,
    pub fps: i64,
    pub codec: &'static str,
}

impl Stretch {
    pub fn seconds(from: i64, to: i64) -> Self {
        Stretch { from: from * 48_000, to: to * 48_000, fps: 30, codec: "h264" }
    }
}

/// The samples from `from`: a 1 kHz beep of 100 ms on each whole second, a faint 300 Hz throughout.
pub fn samples(from: i64, count: i64) -> Vec<u8> {
    let sample = |n: i64| {
        let t = n as f64 / 48_000.0;
        let beep = if n.rem_euclid(48_000) < 4_800 { 0.5 * (TAU * 1000.0 * t).sin() } else { 0.0 };
        (20_000.0 * (beep + 0.02 * (TAU * 300.0 * t).sin())) as i16
    };
    (from..from + count).flat_map(|n| [sample(n), sample(n)]).flat_map(i16::to_le_bytes).collect()
}

/// A picture at a time: a moving bar; white in the first 100 ms of each whole second.
pub fn picture(us: i64) -> [Vec<u8>; 3] {
    let flash = us.rem_euclid(1_000_000) < 100_000;
    let bar = (us / 10_000) as usize % WIDTH;
    let luma = (0..WIDTH * HEIGHT).map(|at| match (flash, at % WIDTH) {
        (true, _) => 235,
        (false, x) if x.abs_diff(bar) < 8 => 180,
        (false, x) => 40 + (x / 4) as u8,
    });
    let chroma = vec![110; WIDTH * HEIGHT / 4];
    [luma.collect(), chroma.clone(), vec![140; WIDTH * HEIGHT / 4]]
}

/// Feeds a stretch to FFmpeg and gives what the encoder made of it.
pub fn encode(stretch: Stretch) -> (Tracks, Vec<Packet>) {
    let (video, audio): (&[&str], _) = match stretch.codec {
        "h264" => (&["-c:v", "libx264", "-preset", "veryfast", "-bf", "0", "-x264-params", "rc-lookahead=5"], "aac"),
        "vp8" => (&["-c:v", "libvpx", "-deadline", "realtime", "-cpu-used", "8"], "libopus"),
        "vp9" => (&["-c:v", "libvpx-vp9", "-deadline", "realtime", "-cpu-used", "8"], "libopus"),
        other => panic!("no codec {other}"),
    };
    let mut child = Command::new("ffmpeg")
        .args(["-v", "error", "-nostdin", "-f", "matroska", "-i", "pipe:0"])
        .args(["-fps_mode", "passthrough", "-enc_time_base", "1:1000"])
        .args(video)
        .args(["-force_key_frames", "expr:gte(t,n_forced*2)"])
        .args(["-c:a", audio, "-b:a", "128k", "-avoid_negative_ts", "disabled"])
        .args(["-f", "matroska", "-flush_packets", "1", "pipe:1"])
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    let stdin = child.stdin.take().unwrap();
    let feeder = std::thread::spawn(move || feed(stdin, stretch).unwrap());
    let mut reader = EncodedReader::new(child.stdout.take().unwrap()).unwrap();
    let tracks = reader.tracks().clone();
    let mut packets = Vec::new();
    while let Some(packet) = reader.next_packet().unwrap() {
        packets.push(packet);
    }
    feeder.join().unwrap();
    assert!(child.wait().unwrap().success());
    (tracks, packets)
}

fn feed(out: impl Write, stretch: Stretch) -> io::Result<()> {
    let mut feed = FeedWriter::new(out, &raw_tracks(WIDTH as u32, HEIGHT as u32))?;
    let origin = us_of(stretch.from);
    let mut next_frame = (origin * stretch.fps).div_euclid(1_000_000);
    let mut at = stretch.from;
    let mut first = true;
    while at < stretch.to {
        let count = 480.min(stretch.to - at);
        // The first picture is at the stretch's start; the others are on the frame grid.
        while next_frame * 1_000_000 / stretch.fps < us_of(at + count) {
            let us = (next_frame * 1_000_000 / stretch.fps).max(origin);
            // Less than half a frame after the first one there is none: as the recorder does.
            if !first && us - origin < 500_000 / stretch.fps {
                next_frame += 1;
                continue;
            }
            first = false;
            let [y, u, v] = picture(us);
            feed.write_video(us - origin, &y, &u, &v)?;
            next_frame += 1;
        }
        feed.write_audio(us_of(at - stretch.from), &samples(at, count))?;
        at += count;
    }
    Ok(())
}

/// Encodes a stretch into a finished part.
pub fn part(stretch: Stretch) -> Vec<u8> {
    let (tracks, packets) = encode(stretch);
    write_part(&tracks, &packets)
}

pub fn write_part(tracks: &Tracks, packets: &[Packet]) -> Vec<u8> {
    let mut writer = PartWriter::new(Cursor::new(Vec::new()), tracks).unwrap();
    for packet in packets {
        writer.write(packet).unwrap();
    }
    writer.finish().unwrap().into_inner()
}

/// FFmpeg decodes the whole file without a word.
pub fn assert_decodes_silently(path: &Path) {
    let out = Command::new("ffmpeg")
        .args(["-v", "error", "-nostdin", "-i"])
        .arg(path)
        .args(["-f", "null", "-"])
        .output()
        .unwrap();
    let said = String::from_utf8_lossy(&out.stderr);
    assert!(out.status.success() && said.is_empty(), "{}: {said}", path.display());
}

/// What ffprobe says for `-show_entries`, as one line per entry.
pub fn probe(path: &Path, args: &[&str]) -> String {
    let out =
        Command::new("ffprobe").args(["-v", "error", "-of", "default=nw=1"]).args(args).arg(path).output().unwrap();
    assert!(out.stderr.is_empty(), "{}", String::from_utf8_lossy(&out.stderr));
    String::from_utf8(out.stdout).unwrap()
}

pub fn write(path: &Path, bytes: &[u8]) {
    File::create(path).unwrap().write_all(bytes).unwrap();
}

pub fn count(packets: &[Packet], track: TrackKind) -> usize {
    packets.iter().filter(|packet| packet.track == track).count()
}

pub fn nearest_sample(us: i64) -> i64 {
    sample_at(us)
}
