//! Playlists and segments.

use crate::parts::*;
use crate::support::*;
use panorec::publisher::package::HlsEncryption;
use panorec::publisher::package::encrypt::HlsKeyBytes;
use std::fs::{self};
use std::path::PathBuf;
use std::process::Command;

/// Checks a playlist against its files, and gives the durations.
pub fn check_playlist(files: &[PathBuf], segment: f64, key_interval: f64, end: i64) -> Vec<f64> {
    let text = fs::read_to_string(&files[0]).unwrap();
    let list = m3u8_rs::parse_media_playlist_res(text.as_bytes()).unwrap();
    assert!(list.end_list && list.independent_segments);
    let durations: Vec<f64> = list.segments.iter().map(|s| f64::from(s.duration)).collect();
    let longest = durations.iter().copied().fold(0.0, f64::max);
    assert!(longest <= segment + key_interval + 0.05, "{durations:?}");
    assert_eq!(list.target_duration, longest.ceil() as u64);
    let total: f64 = durations.iter().sum();
    assert!((total - end as f64 / 48_000.0).abs() < 0.0001, "{total}");
    for (listed, file) in list.segments.iter().zip(&files[1..]) {
        assert_eq!(listed.uri, file.file_name().unwrap().to_str().unwrap());
    }
    assert_eq!(list.segments.len(), files.len() - 1);
    durations
}

#[test]
fn hls_is_cut_at_key_frames_and_tells_where_an_encoder_began() {
    let (joint, end) = (grid(9.3), grid(16.9));
    let session = Session::recorded(&[stretch(0, joint), stretch(joint, end)]);
    let files = session.hls(3, None);
    let durations = check_playlist(&files, 3.0, 2.0, end);
    let text = fs::read_to_string(&files[0]).unwrap();
    assert_eq!(text.matches("#EXT-X-DISCONTINUITY\n").count(), 1);
    // Each segment begins with a key frame and really lasts as long as it is said to.
    for (file, duration) in files[1..].iter().zip(&durations) {
        let said = probe(file, &["-select_streams", "v", "-show_entries", "packet=flags,pts_time"]);
        let flags: Vec<_> = said.lines().filter(|line| line.starts_with("flags")).collect();
        assert!(flags[0].contains('K'), "{}", file.display());
        assert!((flags.len() as f64 / 30.0 - duration).abs() < 0.07, "{} {duration}", flags.len());
        assert_decodes_silently(file);
    }
    assert_decodes_silently(&files[0]);
    assert_eq!(decoded_sound(&files[0]).len() as i64, end);
    assert_in_sync(&files[0], 17);
}

#[test]
fn encrypted_segments_open_with_the_key_and_hold_no_trace_of_it() {
    let end = grid(7.0);
    let session = Session::recorded(&[stretch(0, end)]);
    let plain = session.hls(2, None);
    let plain: Vec<Vec<u8>> = plain[1..].iter().map(|file| fs::read(file).unwrap()).collect();
    let key = *b"sixteen bytes k!";
    let key_file = session.folder.path().join("key");
    write(&key_file, &key);
    for iv in [None, Some([0x5a; 16])] {
        let encryption = HlsEncryption {
            key: HlsKeyBytes::read(&key_file).unwrap(),
            key_url: format!("file:{}", key_file.display()),
            iv,
        };
        let files = session.hls(2, Some(encryption));
        check_playlist(&files, 2.0, 2.0, end);
        let text = fs::read_to_string(&files[0]).unwrap();
        assert_eq!(text.contains("IV=0x5A5A"), iv.is_some());
        for (sequence, file) in files[1..].iter().enumerate() {
            let iv = iv.map_or(sequence as u128, u128::from_be_bytes);
            let hex: String = key.iter().map(|byte| format!("{byte:02x}")).collect();
            let out = Command::new("openssl")
                .args(["enc", "-d", "-aes-128-cbc", "-K", &hex, "-iv", &format!("{iv:032x}")])
                .arg("-in")
                .arg(file)
                .output()
                .unwrap();
            assert!(out.stdout == plain[sequence], "segment {sequence}");
        }
        for file in fs::read_dir(session.output()).unwrap() {
            assert!(!has(&file.unwrap().path(), &key));
        }
        // FFmpeg reads the key by its address.
        let before = ["-allowed_extensions", "ALL", "-protocol_whitelist", "file,crypto"];
        let args = ["-map", "0:a", "-f", "s16le", "pipe:1"];
        assert_eq!(ffmpeg_stdout(&files[0], &before, &args).len() as i64, end * 4);
    }
}
