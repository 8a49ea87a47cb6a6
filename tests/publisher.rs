//! From real parts to finished files, checked with the real FFmpeg.

mod support;

use std::fs::{self, File};
use std::io;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::OnceLock;
use std::time::Instant;

use panorec::media::grid::{sample_at, us_of};
use panorec::media::{AudioGrid, Packet, TrackKind};
use panorec::publisher::finish::{Finished, Kind, Order, finish};
use panorec::publisher::package::encrypt::HlsKeyBytes;
use panorec::publisher::package::{HlsEncryption, HlsSettings};
use panorec::publisher::plan::plan;
use panorec::publisher::splice::Splicer;
use panorec::publisher::{PublishError, usable_end};
use panorec::session::fold::MediaPart;
use panorec::session::name::{PartName, RunNumber};
use panorec::store::{FolderStore, Store, StoreError};
use proptest::prelude::*;
use support::*;

/// Parts on disk and what the journal would say of them.
struct Session {
    folder: tempfile::TempDir,
    parts: Vec<MediaPart>,
}

impl Session {
    fn new() -> Self {
        Session { folder: tempfile::tempdir().unwrap(), parts: Vec::new() }
    }

    fn add(&mut self, bytes: &[u8], start: i64, end: Option<i64>) -> PathBuf {
        let name = PartName { run: RunNumber(1), part: self.parts.len() as u32 + 1 };
        let path = self.folder.path().join(name.to_string());
        write(&path, bytes);
        let us = |sample| us_of(sample) as u64;
        self.parts.push(MediaPart { name, start_us: us(start), end_us: end.map(us) });
        path
    }

    /// An encoder of its own for each stretch, one after the other.
    fn recorded(stretches: &[Stretch]) -> Self {
        let mut session = Session::new();
        for stretch in stretches {
            session.add(&part(*stretch), stretch.from, Some(stretch.to));
        }
        session
    }

    fn output(&self) -> PathBuf {
        self.folder.path().join("output")
    }

    fn try_finish(&self, kind: Kind) -> Result<Option<Finished>, PublishError> {
        let order = Order { name: "video", kind, thumbnail: false, contact_sheet: false };
        let open = |name: PartName| -> io::Result<File> { File::open(self.folder.path().join(name.to_string())) };
        finish(&self.parts, &open, &self.output(), &order, &mut |_| {})
    }

    fn mp4(&self) -> PathBuf {
        let made = self.try_finish(Kind::Mp4).unwrap().unwrap();
        assert_eq!(fs::read_dir(self.output()).unwrap().count(), 1, "nothing else is left");
        assert_decodes_silently(&made.files[0]);
        made.files[0].clone()
    }

    fn hls(&self, segment_seconds: u32, encryption: Option<HlsEncryption>) -> Vec<PathBuf> {
        let kind = Kind::Hls(HlsSettings { segment_seconds, encryption });
        self.try_finish(kind).unwrap().unwrap().files
    }
}

/// A place on the grid of AAC near a number of seconds.
fn grid(seconds: f64) -> i64 {
    AudioGrid::AAC.nearest((seconds * 48_000.0) as i64)
}

fn stretch(from: i64, to: i64) -> Stretch {
    Stretch { from, to, ..Stretch::seconds(0, 0) }
}

fn ffmpeg_stdout(path: &Path, before: &[&str], args: &[&str]) -> Vec<u8> {
    let mut command = Command::new("ffmpeg");
    command.args(["-v", "error", "-nostdin"]).args(before).arg("-i").arg(path).args(args);
    let out = command.output().unwrap();
    assert!(out.stderr.is_empty(), "{}", String::from_utf8_lossy(&out.stderr));
    out.stdout
}

/// The left channel.
fn decoded_sound(path: &Path) -> Vec<i16> {
    let args = ["-map", "0:a", "-f", "s16le", "-ac", "2", "pipe:1"];
    let bytes = ffmpeg_stdout(path, &["-allowed_extensions", "ALL"][..0], &args);
    bytes.chunks_exact(4).map(|pair| i16::from_le_bytes([pair[0], pair[1]])).collect()
}

/// Where beeps begin, in samples: loud after 50 ms of quiet.
fn beeps(sound: &[i16]) -> Vec<usize> {
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
fn flashes(path: &Path) -> Vec<f64> {
    let frames = frame_times(path);
    let args = ["-map", "0:v", "-fps_mode", "passthrough", "-vf", "scale=1:1:flags=area"];
    let out = ["-f", "rawvideo", "-pix_fmt", "gray", "pipe:1"];
    let grey = ffmpeg_stdout(path, &[], &[&args[..], &out[..]].concat());
    assert_eq!(grey.len(), frames.len());
    let lit: Vec<bool> = grey.iter().map(|level| *level > 200).collect();
    let starts = (0..lit.len()).filter(|&at| lit[at] && (at == 0 || !lit[at - 1]));
    starts.map(|at| frames[at]).collect()
}

fn frame_times(path: &Path) -> Vec<f64> {
    let args = ["-select_streams", "v", "-show_entries", "frame=pts_time"];
    let said = probe(path, &args);
    said.lines().filter_map(|line| line.strip_prefix("pts_time=")?.parse().ok()).collect()
}

fn assert_in_sync(path: &Path, seconds: usize) {
    let beeps = beeps(&decoded_sound(path));
    let flashes = flashes(path);
    assert_eq!((beeps.len(), flashes.len()), (seconds, seconds), "{beeps:?} {flashes:?}");
    for second in 0..seconds {
        let beep = beeps[second] as f64 / 48_000.0 - second as f64;
        // An encoder's start blurs 21 ms; elsewhere the beep is found within a few.
        assert!((-0.022..0.022).contains(&beep), "beep {second} is {beep} s off");
        let flash = flashes[second] - second as f64;
        assert!((-0.002..0.036).contains(&flash), "flash {second} is {flash} s off");
    }
}

fn boxes(path: &Path) -> Vec<String> {
    let bytes = fs::read(path).unwrap();
    let (mut at, mut names) = (0, Vec::new());
    while at + 8 <= bytes.len() {
        let size = u32::from_be_bytes(bytes[at..at + 4].try_into().unwrap()) as usize;
        names.push(String::from_utf8_lossy(&bytes[at + 4..at + 8]).into_owned());
        at += size;
    }
    names
}

fn has(path: &Path, bytes: &[u8]) -> bool {
    fs::read(path).unwrap().windows(bytes.len()).any(|window| window == bytes)
}

#[test]
fn a_restarted_encoder_joins_to_the_sample() {
    let (joint, end) = (grid(2.45), grid(5.2));
    let session = Session::recorded(&[stretch(0, joint), stretch(joint, end)]);
    let mp4 = session.mp4();
    assert_eq!(decoded_sound(&mp4).len() as i64, end);
    assert_in_sync(&mp4, 6);
    let names = boxes(&mp4);
    let place = |name| names.iter().position(|other| other == name).unwrap();
    assert!(place("moov") < place("mdat"), "{names:?}");
    for name in [&b"avc1"[..], b"mp4a", b"nclx\0\x01\0\x01\0\x01\0"] {
        assert!(has(&mp4, name), "{}", String::from_utf8_lossy(name));
    }
    assert!(!has(&mp4, b"elst"));
    let said = probe(&mp4, &["-show_entries", "stream=start_time,duration"]);
    let wanted = end as f64 / 48_000.0;
    for line in said.lines() {
        let (name, value) = line.split_once('=').unwrap();
        let value: f64 = value.parse().unwrap();
        let wanted = if name == "duration" { wanted } else { 0.0 };
        assert!((value - wanted).abs() < 0.0001, "{line}, not {wanted}");
    }
}

#[test]
fn a_part_that_only_ended_goes_on_without_a_seam() {
    let end = grid(7.5);
    let (tracks, packets) = encode(stretch(0, end));
    let key = packets.iter().find(|packet| packet.track == TrackKind::Video && packet.key && packet.pts_us > 3_900_000);
    let key_us = key.unwrap().pts_us;
    let joint = AudioGrid::AAC.floor(sample_at(key_us));
    let (mut first, mut second) = (Vec::new(), Vec::new());
    for mut packet in packets {
        let limit = if packet.track == TrackKind::Video { key_us } else { us_of(joint) };
        if packet.pts_us < limit {
            first.push(packet);
        } else {
            packet.pts_us -= us_of(joint);
            second.push(packet);
        }
    }
    let mut session = Session::new();
    session.add(&write_part(&tracks, &first), 0, Some(joint));
    let mut unprimed = tracks.clone();
    unprimed.audio.as_mut().unwrap().codec_delay_ns = 0;
    session.add(&write_part(&unprimed, &second), joint, Some(end));
    let mp4 = session.mp4();
    assert_eq!(frame_times(&mp4).len(), 226);
    assert_in_sync(&mp4, 8);
    let text = fs::read_to_string(&session.hls(3, None)[0]).unwrap();
    assert!(!text.contains("DISCONTINUITY"), "{text}");
}

#[test]
fn twenty_parts_stay_in_sync() {
    let edges: Vec<i64> = (0..=20).map(|index| grid(index as f64 * 0.77)).collect();
    let stretches: Vec<_> = edges.windows(2).map(|pair| stretch(pair[0], pair[1])).collect();
    let session = Session::recorded(&stretches);
    let mp4 = session.mp4();
    assert_eq!(decoded_sound(&mp4).len() as i64, edges[20]);
    assert_in_sync(&mp4, 16);
}

#[test]
fn a_torn_part_costs_its_last_packets_only() {
    let (joint, end) = (grid(3.0), grid(5.0));
    let whole = part(stretch(0, joint));
    let torn = &whole[..whole.len() * 4 / 5];
    let usable = usable_end(torn, 0).unwrap();
    assert!((1_800_000..3_000_000).contains(&usable), "{usable}");
    // The next run begins where it saw that the part ends.
    let from = sample_at(usable as i64);
    assert_eq!(from % 1024, 0);
    let mut session = Session::new();
    session.add(torn, 0, Some(from));
    session.add(&part(stretch(from, end)), from, None);
    let mp4 = session.mp4();
    // The last packet of an encoder is filled up when it closes.
    assert_eq!(decoded_sound(&mp4).len() as i64, end);
    assert_in_sync(&mp4, 5);
}

#[test]
fn what_the_journal_tells_and_the_part_lacks_is_silent() {
    let (joint, end) = (grid(3.0), grid(5.0));
    let whole = part(stretch(0, joint));
    let mut session = Session::new();
    session.add(&whole[..whole.len() / 2], 0, Some(joint));
    session.add(&part(stretch(joint, end)), joint, Some(end));
    let made = session.try_finish(Kind::Mp4).unwrap().unwrap();
    assert!(made.warnings[0].contains("1-1.webm"), "{:?}", made.warnings);
    assert_decodes_silently(&made.files[0]);
    let sound = decoded_sound(&made.files[0]);
    assert_eq!(sound.len() as i64, end);
    let beeps = beeps(&sound);
    assert!(beeps.iter().any(|beep| beep.abs_diff(4 * 48_000) < 500), "{beeps:?}");
}

#[test]
fn a_still_page_lasts_as_long_as_its_sound() {
    let end = grid(12.4);
    let session = Session::recorded(&[Stretch { fps: 1, ..stretch(0, end) }]);
    let mp4 = session.mp4();
    assert_eq!(frame_times(&mp4).len(), 13);
    let said = probe(&mp4, &["-show_entries", "stream=duration"]);
    for line in said.lines() {
        let seconds: f64 = line.split_once('=').unwrap().1.parse().unwrap();
        assert!((seconds - end as f64 / 48_000.0).abs() < 0.0001, "{line}");
    }
    let files = session.hls(5, None);
    check_playlist(&files, 5.0, 2.0, end);
}

#[test]
fn vp8_and_vp9_become_h264() {
    for codec in ["vp8", "vp9"] {
        // Opus encoders start a pre-skip after the place where their first packet lies.
        let joint = AudioGrid::OPUS.nearest(110_000);
        let mut session = Session::new();
        for (from, to) in [(0, joint), (joint, AudioGrid::OPUS.nearest(240_000))] {
            let (tracks, packets) = encode(Stretch { codec, ..stretch(from + 312, to + 312) });
            let late = |packet: Packet| Packet { pts_us: packet.pts_us + 6_500, ..packet };
            let packets: Vec<_> = packets.into_iter().map(late).collect();
            session.add(&write_part(&tracks, &packets), from, Some(to));
        }
        let mp4 = session.mp4();
        let said = probe(&mp4, &["-show_entries", "stream=codec_name,color_space,duration"]);
        assert!(said.contains("codec_name=h264") && said.contains("codec_name=aac"), "{said}");
        assert!(said.contains("color_space=bt709"), "{said}");
        assert_in_sync(&mp4, 5);
    }
}

/// Checks a playlist against its files, and gives the durations.
fn check_playlist(files: &[PathBuf], segment: f64, key_interval: f64, end: i64) -> Vec<f64> {
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

#[test]
fn nothing_recorded_is_no_error() {
    let mut session = Session::new();
    assert_eq!(session.try_finish(Kind::Mp4).unwrap(), None);
    session.add(b"", 0, None);
    session.add(&part(stretch(0, grid(1.0)))[..300], 0, None);
    assert_eq!(session.try_finish(Kind::Mp4).unwrap(), None);
}

#[test]
fn what_is_no_part_is_refused_by_name() {
    let hostile: [&[u8]; 3] =
        [b"ffconcat version 1.0\nfile /etc/passwd\n", b"#EXTM3U\n", &[0x1a, 0x45, 0xdf, 0xa3, 0x80]];
    for bytes in hostile {
        let mut session = Session::new();
        session.add(&part(stretch(0, grid(1.0))), 0, Some(grid(1.0)));
        session.add(bytes, grid(1.0), None);
        let error = session.try_finish(Kind::Mp4).unwrap_err().to_string();
        assert!(error.contains("1-2.webm"), "{error}");
        assert!(!session.output().join("video.mp4").exists());
    }
    // A forged journal.
    let mut session = Session::new();
    session.add(&part(stretch(0, grid(1.0))), 0, Some(grid(7200.0)));
    assert!(matches!(session.try_finish(Kind::Mp4), Err(PublishError::Timeline { .. })));
}

#[test]
fn pictures_are_made_on_request() {
    let session = Session::recorded(&[stretch(0, grid(9.0))]);
    let order = Order { name: "v", kind: Kind::Mp4, thumbnail: true, contact_sheet: true };
    let open = |name: PartName| File::open(session.folder.path().join(name.to_string()));
    let made = finish(&session.parts, &open, &session.output(), &order, &mut |_| {});
    let made = made.unwrap().unwrap();
    let size = |path: &Path| {
        let said = probe(path, &["-show_entries", "stream=codec_name,width,height"]);
        said.replace('\n', " ")
    };
    assert_eq!(size(&made.pictures[0]), "codec_name=mjpeg width=160 height=96 ");
    let sheet = size(&made.pictures[1]);
    assert!(sheet.starts_with("codec_name=png width=1300"), "{sheet}");
}

/// Ten minutes of about 100 MB: 30 s encoded once and repeated in parts that go on from each other.
#[test]
fn ten_minutes_are_finished_within_two_seconds() {
    let length = grid(30.0);
    let (tracks, mut packets) = encode(stretch(0, length));
    // As heavy as a busy page: filler units (NAL type 12) that decoders skip.
    for packet in packets.iter_mut().filter(|packet| packet.track == TrackKind::Video) {
        let filler = 5_000u32;
        packet.data.extend(filler.to_be_bytes());
        packet.data.push(12);
        packet.data.extend(vec![0xff; filler as usize - 2]);
        packet.data.push(0x80);
    }
    let bytes = write_part(&tracks, &packets);
    let mut session = Session::new();
    for index in 0..20 {
        session.add(&bytes, index * length, Some((index + 1) * length));
    }
    let begun = Instant::now();
    let made = session.try_finish(Kind::Mp4).unwrap().unwrap();
    let took = begun.elapsed();
    let size = fs::metadata(&made.files[0]).unwrap().len();
    println!("ten minutes, {} MB: finished in {took:?}", size / 1_000_000);
    assert_eq!(made.duration_us, us_of(20 * length));
    assert!(size > 80_000_000);
    assert!(took.as_secs_f64() < if cfg!(debug_assertions) { 6.0 } else { 2.0 }, "{took:?}");
}

#[test]
fn files_are_delivered_whole_also_to_another_file_system() {
    let here = tempfile::tempdir().unwrap();
    let far = tempfile::tempdir_in("/dev/shm").unwrap();
    for folder in [here.path().join("."), far.path().to_owned()] {
        let file = here.path().join("made");
        write(&file, &[7; 300_000]);
        write(&folder.join("video.mp4"), b"an older one");
        let delivered = FolderStore::new(&folder).deliver(&file, "video.mp4").unwrap();
        assert_eq!(delivered.size_bytes, 300_000);
        assert_eq!(fs::read(folder.join("video.mp4")).unwrap(), vec![7; 300_000]);
        assert!(!file.exists());
        assert_eq!(fs::read_dir(&folder).unwrap().count(), 1);
        fs::remove_file(folder.join("video.mp4")).unwrap();
    }
    let file = here.path().join("made");
    write(&file, b"x");
    let error = FolderStore::new(here.path().join("missing")).deliver(&file, "v").unwrap_err();
    assert!(matches!(error, StoreError::Write { .. }) && file.exists(), "{error}");
}

const FULL_DISK: &str = "PANOREC_TEST_FULL_DISK";

/// Runs itself once more where a small file system can be mounted without being root.
#[test]
fn a_full_disk_is_told_and_nothing_is_lost() {
    if let Some(small) = std::env::var_os(FULL_DISK) {
        return fill_up(Path::new(&small));
    }
    let small = tempfile::tempdir().unwrap();
    let out = Command::new("unshare")
        .args(["--user", "--map-root-user", "--mount", "sh", "-c"])
        .arg("mount -t tmpfs -o size=64k none \"$1\" && shift && exec \"$@\"")
        .arg("sh")
        .arg(small.path())
        .arg(std::env::current_exe().unwrap())
        .args(["--exact", "a_full_disk_is_told_and_nothing_is_lost", "--nocapture"])
        .env(FULL_DISK, small.path())
        .output()
        .unwrap();
    let said = [out.stdout, out.stderr].concat();
    assert!(out.status.success(), "{}", String::from_utf8_lossy(&said));
}

fn fill_up(small: &Path) {
    let session = Session::recorded(&[stretch(0, grid(9.0))]);
    let order = Order { name: "video", kind: Kind::Mp4, thumbnail: false, contact_sheet: false };
    let open = |name: PartName| File::open(session.folder.path().join(name.to_string()));
    let kinds = [Kind::Mp4, Kind::Hls(HlsSettings { segment_seconds: 3, encryption: None })];
    for kind in kinds {
        let order = Order { kind, ..order.clone() };
        let refused = finish(&session.parts, &open, small, &order, &mut |_| {});
        assert!(matches!(refused, Err(PublishError::DiskFull)), "{refused:?}");
        for left in fs::read_dir(small).unwrap() {
            fs::remove_file(left.unwrap().path()).unwrap();
        }
    }
    let mp4 = session.mp4();
    let error = FolderStore::new(small).deliver(&mp4, "video.mp4").unwrap_err();
    assert!(matches!(error, StoreError::Full { .. }), "{error}");
    assert!(mp4.exists());
    assert_eq!(fs::read_dir(small).unwrap().count(), 0);
}

/// What a splice of hostile parts gives, if it gives anything, is in order.
fn assert_spliced_in_order(parts: &[(Vec<u8>, u64, Option<u64>)]) {
    let folder = tempfile::tempdir().unwrap();
    let path = |name: PartName| folder.path().join(name.to_string());
    let mut listed = Vec::new();
    for (index, (bytes, start_us, end_us)) in parts.iter().enumerate() {
        let name = PartName { run: RunNumber(1), part: index as u32 };
        write(&path(name), bytes);
        listed.push(MediaPart { name, start_us: *start_us, end_us: *end_us });
    }
    let open = |name| File::open(path(name));
    let Ok(Some(plan)) = plan(&listed, &open) else {
        return;
    };
    let mut splicer = Splicer::new(&plan, &open);
    let mut last = [-1; 2];
    while let Ok(Some(spliced)) = splicer.next_packet() {
        let packet = spliced.packet;
        let last = &mut last[packet.track as usize];
        assert!(packet.pts_us > *last && packet.pts_us <= plan.duration_us());
        *last = packet.pts_us;
    }
}

fn small_part() -> &'static [u8] {
    static PART: OnceLock<Vec<u8>> = OnceLock::new();
    PART.get_or_init(|| part(Stretch { fps: 5, ..stretch(0, grid(1.0)) }))
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::with_cases(150) })]

    #[test]
    fn hostile_parts_and_journals_never_panic(
        parts in prop::collection::vec(
            (
                prop::collection::vec((any::<prop::sample::Index>(), any::<u8>()), 0..6),
                prop_oneof![0..3_000_000u64, any::<u64>()],
                prop::option::of(prop_oneof![0..4_000_000u64, any::<u64>()]),
            ),
            1..4,
        ),
    ) {
        let damaged = |flips: Vec<(prop::sample::Index, u8)>| {
            let mut bytes = small_part().to_vec();
            for (index, value) in flips {
                let at = index.index(bytes.len());
                bytes[at] = value;
            }
            bytes
        };
        let parts: Vec<_> =
            parts.into_iter().map(|(flips, start, end)| (damaged(flips), start, end)).collect();
        assert_spliced_in_order(&parts);
    }
}
