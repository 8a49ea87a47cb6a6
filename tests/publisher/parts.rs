//! A session of real parts, and how its files are looked at.

use crate::support::*;
use panorec::media::AudioGrid;
use panorec::media::grid::us_of;
use panorec::publisher::PublishError;
use panorec::publisher::finish::{Finished, Kind, Order, finish};
use panorec::publisher::package::{HlsEncryption, HlsSettings};
use panorec::session::fold::MediaPart;
use panorec::session::name::{PartName, RunNumber};
use std::fs::{self, File};
use std::io;
use std::path::{Path, PathBuf};
use std::process::Command;

/// Parts on disk and what the journal would say of them.
pub struct Session {
    pub folder: tempfile::TempDir,
    pub parts: Vec<MediaPart>,
}

impl Session {
    pub fn new() -> Self {
        Session { folder: tempfile::tempdir().unwrap(), parts: Vec::new() }
    }

    pub fn add(&mut self, bytes: &[u8], start: i64, end: Option<i64>) -> PathBuf {
        let name = PartName { run: RunNumber(1), part: self.parts.len() as u32 + 1 };
        let path = self.folder.path().join(name.to_string());
        write(&path, bytes);
        let us = |sample| us_of(sample) as u64;
        self.parts.push(MediaPart { name, start_us: us(start), end_us: end.map(us) });
        path
    }

    /// An encoder of its own for each stretch, one after the other.
    pub fn recorded(stretches: &[Stretch]) -> Self {
        let mut session = Session::new();
        for stretch in stretches {
            session.add(&part(*stretch), stretch.from, Some(stretch.to));
        }
        session
    }

    pub fn output(&self) -> PathBuf {
        self.folder.path().join("output")
    }

    pub fn try_finish(&self, kind: Kind) -> Result<Option<Finished>, PublishError> {
        let order = Order { name: "video", kind, thumbnail: false, contact_sheet: false };
        let open = |name: PartName| -> io::Result<File> { File::open(self.folder.path().join(name.to_string())) };
        finish(&self.parts, &open, &self.output(), &order, &mut |_| {})
    }

    pub fn mp4(&self) -> PathBuf {
        let made = self.try_finish(Kind::Mp4).unwrap().unwrap();
        assert_eq!(fs::read_dir(self.output()).unwrap().count(), 1, "nothing else is left");
        assert_decodes_silently(&made.files[0]);
        made.files[0].clone()
    }

    pub fn hls(&self, segment_seconds: u32, encryption: Option<HlsEncryption>) -> Vec<PathBuf> {
        let kind = Kind::Hls(HlsSettings { segment_seconds, encryption });
        self.try_finish(kind).unwrap().unwrap().files
    }
}

/// A place on the grid of AAC near a number of seconds.
pub fn grid(seconds: f64) -> i64 {
    AudioGrid::AAC.nearest((seconds * 48_000.0) as i64)
}

pub fn stretch(from: i64, to: i64) -> Stretch {
    Stretch { from, to, ..Stretch::seconds(0, 0) }
}

pub fn ffmpeg_stdout(path: &Path, before: &[&str], args: &[&str]) -> Vec<u8> {
    let mut command = Command::new("ffmpeg");
    command.args(["-v", "error", "-nostdin"]).args(before).arg("-i").arg(path).args(args);
    let out = command.output().unwrap();
    assert!(out.stderr.is_empty(), "{}", String::from_utf8_lossy(&out.stderr));
    out.stdout
}

/// The left channel.
pub fn decoded_sound(path: &Path) -> Vec<i16> {
    let args = ["-map", "0:a", "-f", "s16le", "-ac", "2", "pipe:1"];
    let bytes = ffmpeg_stdout(path, &["-allowed_extensions", "ALL"][..0], &args);
    bytes.chunks_exact(4).map(|pair| i16::from_le_bytes([pair[0], pair[1]])).collect()
}

/// Where beeps begin, in samples: loud after 50 ms of quiet.
pub fn beeps(sound: &[i16]) -> Vec<usize> {
    let mut found = Vec::new();
    let mut quiet = 2400;
    for (at, sample) in sound.iter().enumerate() {
        if sample.unsigned_abs() > 3000 {
            if quiet >= 2400 {
                found.push(at);
            }
            quiet = 0;
        } else {
            quiet += 1;
        }
    }
    found
}

/// The times in seconds at which the picture turns white.
pub fn flashes(path: &Path) -> Vec<f64> {
    let frames = frame_times(path);
    let args = ["-map", "0:v", "-fps_mode", "passthrough", "-vf", "scale=1:1:flags=area"];
    let out = ["-f", "rawvideo", "-pix_fmt", "gray", "pipe:1"];
    let grey = ffmpeg_stdout(path, &[], &[&args[..], &out[..]].concat());
    assert_eq!(grey.len(), frames.len());
    let lit: Vec<bool> = grey.iter().map(|level| *level > 200).collect();
    let starts = (0..lit.len()).filter(|&at| lit[at] && (at == 0 || !lit[at - 1]));
    starts.map(|at| frames[at]).collect()
}

pub fn frame_times(path: &Path) -> Vec<f64> {
    let args = ["-select_streams", "v", "-show_entries", "frame=pts_time"];
    let said = probe(path, &args);
    said.lines().filter_map(|line| line.strip_prefix("pts_time=")?.parse().ok()).collect()
}

/// Beeps are on the second; an encoder's start blurs 21 ms, elsewhere they are found within a few.
pub fn assert_beeps(path: &Path, seconds: usize) {
    let found = beeps(&decoded_sound(path));
    assert_eq!(found.len(), seconds, "{found:?}");
    for (second, at) in found.into_iter().enumerate() {
        assert!(at.abs_diff(second * 48_000) < 1_056, "beep {second} at {at}");
    }
}

pub fn assert_in_sync(path: &Path, seconds: usize) {
    assert_beeps(path, seconds);
    let flashes = flashes(path);
    assert_eq!(flashes.len(), seconds, "{flashes:?}");
    for (second, at) in flashes.into_iter().enumerate() {
        let flash = at - second as f64;
        assert!((-0.002..0.036).contains(&flash), "flash {second} is {flash} s off");
    }
}

pub fn boxes(path: &Path) -> Vec<String> {
    let bytes = fs::read(path).unwrap();
    let (mut at, mut names) = (0, Vec::new());
    while at + 8 <= bytes.len() {
        let size = u32::from_be_bytes(bytes[at..at + 4].try_into().unwrap()) as usize;
        names.push(String::from_utf8_lossy(&bytes[at + 4..at + 8]).into_owned());
        at += size;
    }
    names
}

pub fn has(path: &Path, bytes: &[u8]) -> bool {
    fs::read(path).unwrap().windows(bytes.len()).any(|window| window == bytes)
}
