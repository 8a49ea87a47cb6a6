//! Containers against the real FFmpeg, and against bytes that mean harm.

mod support;

use std::io::Cursor;

use panorec::media::grid::us_of;
use panorec::media::matroska::{MatroskaReader, ReadError};
use panorec::media::{AudioCodec, AudioGrid, Packet, TrackKind, VideoCodec};
use proptest::prelude::*;
use support::*;

fn read_all(bytes: &[u8]) -> Result<(Vec<Packet>, bool), ReadError> {
    let mut reader = MatroskaReader::new(bytes)?;
    let mut packets = Vec::new();
    while let Some(packet) = reader.next_packet()? {
        packets.push(packet);
    }
    Ok((packets, reader.torn()))
}

#[test]
fn h264_and_aac_go_through_the_encoder_into_a_part() {
    let stretch = Stretch { from: 0, to: 234 * 1024, ..Stretch::seconds(0, 5) };
    let (tracks, packets) = encode(stretch);
    let video = tracks.video.as_ref().unwrap();
    assert_eq!((video.codec, video.width, video.height), (VideoCodec::H264, 160, 96));
    assert_eq!(video.codec_private[0], 1, "an avcC record");
    let audio = tracks.audio.as_ref().unwrap();
    assert_eq!((audio.codec, audio.codec_delay_ns), (AudioCodec::Aac, 21_333_333));

    let frames: Vec<_> = packets.iter().filter(|p| p.track == TrackKind::Video).collect();
    for (index, frame) in frames.iter().enumerate() {
        let wanted = index as i64 * 1_000_000 / 30;
        assert!((frame.pts_us - wanted).abs() <= 1000, "frame {index}: {}", frame.pts_us);
    }
    assert_eq!(frames.len(), 150);
    assert!(frames[0].key && frames[60].key && !frames[59].key);
    for (index, packet) in packets.iter().filter(|p| p.track == TrackKind::Audio).enumerate() {
        assert_eq!(packet.pts_us, us_of((index as i64 - 1) * 1024));
    }
    assert_eq!(count(&packets, TrackKind::Audio), 235);

    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("1-1.webm");
    let bytes = write_part(&tracks, &packets);
    write(&path, &bytes);
    assert_decodes_silently(&path);
    let said = probe(&path, &["-show_entries", "format=duration:stream=color_space,color_range"]);
    assert!(said.contains("color_range=tv\ncolor_space=bt709"), "{said}");
    assert!(said.contains("duration=5.0"), "{said}");

    let (back, torn) = read_all(&bytes).unwrap();
    assert!(!torn);
    assert_eq!(back.len(), packets.len());
    for kind in [TrackKind::Video, TrackKind::Audio] {
        let of =
            |list: &[Packet]| -> Vec<Packet> { list.iter().filter(|packet| packet.track == kind).cloned().collect() };
        for (read, written) in of(&back).iter().zip(of(&packets)) {
            // Times are rounded to the millisecond; nothing else may change.
            assert!((read.pts_us - written.pts_us).abs() <= 1000);
            assert!(read.key == written.key && read.data == written.data);
            if kind == TrackKind::Audio {
                let grid = AudioGrid::AAC;
                assert_eq!(grid.at_us(read.pts_us), grid.at_us(written.pts_us));
            }
        }
    }
}

#[test]
fn vp8_and_vp9_with_opus_become_strict_webm() {
    for codec in ["vp8", "vp9"] {
        let (tracks, packets) = encode(Stretch { codec, ..Stretch::seconds(0, 3) });
        assert_eq!(tracks.audio.as_ref().unwrap().codec_delay_ns, 6_500_000);
        assert_eq!(tracks.audio.as_ref().unwrap().seek_preroll_ns, 80_000_000);
        let bytes = write_part(&tracks, &packets);
        assert!(bytes[..64].windows(4).any(|window| window == b"webm"));
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("1-1.webm");
        write(&path, &bytes);
        assert_decodes_silently(&path);
    }
}

#[test]
fn a_part_is_readable_at_every_moment_of_its_growth() {
    let (tracks, packets) = encode(Stretch::seconds(0, 2));
    let mut writer = panorec::media::matroska::PartWriter::new(Cursor::new(Vec::new()), &tracks).unwrap();
    for (index, packet) in packets.iter().enumerate() {
        writer.write(packet).unwrap();
        if index % 40 == 39 {
            writer.flush().unwrap();
            let (seen, torn) = read_all(writer.get_ref().get_ref()).unwrap();
            assert_eq!((seen.len(), torn), (index + 1, false));
        }
    }
}

#[test]
fn what_is_not_matroska_is_told_apart() {
    let not: [&[u8]; 4] = [
        b"#EXTM3U\n#EXTINF:1,\nhttp://example.org/1.ts\n",
        b"ffconcat version 1.0\nfile '/etc/passwd'\n",
        b"\0\0\0\x20ftypisom\0\0\x02\0isomiso2avc1mp41",
        &[0; 4096],
    ];
    for bytes in not {
        assert!(matches!(read_all(bytes), Err(ReadError::NotMatroska)), "{bytes:?}");
    }
    assert!(matches!(read_all(b""), Err(ReadError::Empty)));
}

fn small_part() -> &'static [u8] {
    static PART: std::sync::OnceLock<Vec<u8>> = std::sync::OnceLock::new();
    PART.get_or_init(|| part(Stretch { fps: 5, ..Stretch::seconds(0, 1) }))
}

#[test]
fn a_torn_tail_costs_only_the_packet_it_hit() {
    let whole = read_all(small_part()).unwrap().0;
    let mut best = 0;
    for end in 0..small_part().len() {
        match read_all(&small_part()[..end]) {
            Ok((packets, torn)) => {
                assert!(torn, "cut at {end}");
                assert!(packets.len() >= best && packets[..] == whole[..packets.len()]);
                best = packets.len();
            }
            Err(ReadError::Empty | ReadError::EndsInHeader | ReadError::NotMatroska) => {
                assert_eq!(best, 0);
            }
            Err(error) => panic!("cut at {end}: {error}"),
        }
    }
    assert_eq!(best, whole.len());
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::with_cases(400) })]

    #[test]
    fn flipped_bytes_never_panic(
        flips in prop::collection::vec((any::<prop::sample::Index>(), any::<u8>()), 1..12),
        head_only: bool,
    ) {
        let mut bytes = small_part().to_vec();
        let range = if head_only { 700 } else { bytes.len() };
        for (index, value) in flips {
            bytes[index.index(range)] = value;
        }
        if let Ok((packets, _)) = read_all(&bytes) {
            let sum: usize = packets.iter().map(|packet| packet.data.len()).sum();
            prop_assert!(sum <= bytes.len());
        }
    }

    #[test]
    fn noise_never_panics(noise in prop::collection::vec(any::<u8>(), 0..2000), at in 0usize..800) {
        let mut bytes = small_part()[..at].to_vec();
        bytes.extend(noise);
        let _ = read_all(&bytes);
    }
}
