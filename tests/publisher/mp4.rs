//! One MP4 out of parts.

use crate::hls::check_playlist;
use crate::parts::*;
use crate::support::*;
use panorec::media::grid::{sample_at, us_of};
use panorec::media::{AudioGrid, Packet, TrackKind};
use panorec::publisher::finish::{Kind, Order, finish};
use panorec::publisher::usable_end;
use panorec::session::name::PartName;
use std::fs::{self, File};
use std::path::Path;
use std::time::Instant;

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
fn pictures_that_lag_behind_the_sound_are_put_in_order() {
    let end = grid(14.0);
    let (tracks, mut packets) = encode(Stretch { fps: 1, ..stretch(0, end) });
    // As a look-ahead of five frames does on a still page.
    let lag_us = |packet: &Packet| if packet.track == TrackKind::Video { 6_000_000 } else { 0 };
    packets.sort_by_key(|packet| packet.pts_us + lag_us(packet));
    let mut session = Session::new();
    session.add(&write_part(&tracks, &packets), 0, Some(end));
    let mp4 = session.mp4();
    assert_eq!(frame_times(&mp4).len(), 14);
    assert_beeps(&mp4, 14);
    let files = session.hls(4, None);
    check_playlist(&files, 4.0, 2.0, end);
    // Each segment has its own sound.
    for file in &files[1..files.len() - 1] {
        let seconds = decoded_sound(file).len() as f64 / 48_000.0;
        assert!((3.9..6.1).contains(&seconds), "{} has {seconds} s of sound", file.display());
    }
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
