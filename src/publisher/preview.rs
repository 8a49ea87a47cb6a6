//! The last picture of a recording while it is being made.

use std::fs::File;
use std::io::Read;
use std::os::unix::fs::FileExt;
use std::path::Path;

use super::error::PublishError;
use super::ffmpeg::{self, Ffmpeg};
use crate::media::matroska::MatroskaReader;
use crate::media::{Packet, TrackKind, Tracks};
use crate::session::fold::Folded;
use crate::session::folder::SessionDir;

/// The tracks are within this much of a part's beginning, in bytes.
const HEAD: usize = 64 << 10;
/// How much of a part's end is looked at, in bytes: less is quick, more has a key frame for sure.
const TAILS: [u64; 3] = [1 << 20, 8 << 20, 32 << 20];
/// The begin of a cluster (Matroska's Cluster element).
const CLUSTER: [u8; 4] = [0x1F, 0x43, 0xB6, 0x75];
/// The same bytes can stand inside a picture: so many begins are tried.
const BEGINS: usize = 4;
/// The largest picture as a JPEG, in bytes.
const PICTURE: u64 = 16 << 20;

/// The last picture of the newest part that has one, as a JPEG; `folder` is FFmpeg's to work in.
/// None: there is no picture yet.
///
/// # Errors
/// A part that cannot be read; FFmpeg's failures.
pub fn preview(session: &SessionDir, folded: &Folded, folder: &Path) -> Result<Option<Vec<u8>>, PublishError> {
    // The newest part may be too new to have a whole picture.
    let mut newest: Vec<_> = folded.parts().map(|part| part.name).collect();
    newest.reverse();
    for name in newest.into_iter().take(2) {
        let file = session.open_part(name)?;
        if let Some((tracks, packets)) = last_pictures(&file)? {
            // The last packet may be torn; the key frame is there.
            return match decode(&tracks, &packets, folder) {
                Ok(Some(picture)) => Ok(Some(picture)),
                _ => decode(&tracks, &packets[..1], folder),
            };
        }
    }
    Ok(None)
}

/// The last key frame and the pictures after it.
fn last_pictures(file: &File) -> Result<Option<(Tracks, Vec<Packet>)>, PublishError> {
    let length = file.metadata().map_err(PublishError::io("look at a part"))?.len();
    let head = read_at(file, 0, HEAD)?;
    let Some(first) = begins(&head).next() else { return Ok(None) };
    for tail in TAILS {
        let start = length.saturating_sub(tail).max(first as u64);
        let bytes = read_at(file, start, tail as usize)?;
        for begin in begins(&bytes).take(BEGINS) {
            let found = pictures_of(head[..first].chain(&bytes[begin..]));
            if found.is_some() {
                return Ok(found);
            }
        }
        if start == first as u64 {
            break;
        }
    }
    Ok(None)
}

/// What can be read; the end of a part that is being written may be torn.
fn pictures_of(part: impl Read) -> Option<(Tracks, Vec<Packet>)> {
    let mut reader = MatroskaReader::new(part).ok()?;
    let tracks = Tracks { video: reader.tracks().video.clone(), audio: None };
    tracks.video.as_ref()?;
    let mut packets = Vec::new();
    while let Ok(Some(packet)) = reader.next_packet() {
        if packet.track != TrackKind::Video {
            continue;
        }
        if packet.key {
            packets.clear();
        }
        if packet.key || !packets.is_empty() {
            packets.push(packet);
        }
    }
    (!packets.is_empty()).then_some((tracks, packets))
}

fn decode(tracks: &Tracks, packets: &[Packet], folder: &Path) -> Result<Option<Vec<u8>>, PublishError> {
    let filter = format!("select=gte(n\\,{})", packets.len().saturating_sub(1));
    let arguments = ["-vf", &filter, "-fps_mode", "passthrough", "-frames:v", "1", "-q:v", "4"];
    let output = ["-c:v", "mjpeg", "-f", "image2pipe", "pipe:1"];
    let (mut ffmpeg, stdin) = Ffmpeg::start("making a preview", folder, arguments.iter().chain(&output).copied())?;
    let stdout = ffmpeg.stdout();
    let (fed, picture) = std::thread::scope(|scope| {
        let reader = scope.spawn(move || {
            let mut picture = Vec::new();
            stdout.map(|stdout| stdout.take(PICTURE).read_to_end(&mut picture));
            picture
        });
        let fed = ffmpeg::feed_all(stdin, tracks, |feed| {
            for packet in packets {
                feed.write_packet(packet)?;
            }
            Ok(())
        });
        (fed, reader.join().unwrap_or_default())
    });
    if picture.is_empty() {
        ffmpeg::conclude(fed, ffmpeg)?;
        return Ok(None);
    }
    // With its picture made, FFmpeg reads no further.
    Ok(Some(picture))
}

fn begins(bytes: &[u8]) -> impl Iterator<Item = usize> + '_ {
    bytes.windows(CLUSTER.len()).enumerate().filter(|(_, window)| *window == CLUSTER).map(|(at, _)| at)
}

fn read_at(file: &File, offset: u64, most: usize) -> Result<Vec<u8>, PublishError> {
    let mut bytes = vec![0; most];
    let mut filled = 0;
    while filled < most {
        match file.read_at(&mut bytes[filled..], offset + filled as u64).map_err(PublishError::io("read a part"))? {
            0 => break,
            read => filled += read,
        }
    }
    bytes.truncate(filled);
    Ok(bytes)
}
