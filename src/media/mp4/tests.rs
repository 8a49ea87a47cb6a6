//! The muxer against mp4-atom's reader: what went in comes out, and what is hostile is an error.

mod read;

use std::{fmt, io};

use mp4_atom::{Codec, Decode, Ftyp, Moov};
use proptest::prelude::*;

use self::read::{Sample, boxes, moov, samples};
use super::{Mp4Error, Mp4Index, Mp4Muxer, head_bytes_at_most};
use crate::media::grid::us_of;
use crate::media::packet::{AudioCodec, AudioTrack, Packet, TrackKind, Tracks, VideoCodec, VideoTrack};

const AVCC: &[u8] = &[1, 100, 0, 11, 0xff, 0xe1, 0, 4, 0x67, 100, 0, 11, 1, 0, 2, 0x68, 0xee, 0xfd, 0xf8, 0xf8, 0];
const AUDIO_CONFIG: &[u8] = &[0x11, 0x90, 0x56, 0xe5, 0];

const KINDS: [TrackKind; 2] = [TrackKind::Video, TrackKind::Audio];

fn tracks() -> Tracks {
    let codec_private = AVCC.to_vec();
    let video = VideoTrack { codec: VideoCodec::H264, codec_private, width: 1280, height: 720 };
    let audio = AudioTrack {
        codec: AudioCodec::Aac,
        codec_private: AUDIO_CONFIG.to_vec(),
        sample_rate: 48_000,
        channels: 2,
        codec_delay_ns: 0,
        seek_preroll_ns: 0,
    };
    Tracks { video: Some(video), audio: Some(audio) }
}

fn picture(pts_us: i64, key: bool, data: Vec<u8>) -> Packet {
    Packet { track: TrackKind::Video, pts_us, duration_us: Some(20_000), key, data }
}

/// The n-th packet of sound.
fn sound(index: i64, data: Vec<u8>) -> Packet {
    Packet { track: TrackKind::Audio, pts_us: us_of(index * 1024), duration_us: None, key: true, data }
}

struct Muxed {
    media: Vec<u8>,
    index: Mp4Index,
}

fn mux(packets: &[Packet]) -> Result<Muxed, Mp4Error> {
    let mut media = Vec::new();
    let mut keep = |bytes: &[u8]| {
        media.extend_from_slice(bytes);
        Ok(())
    };
    let mut muxer = Mp4Muxer::new(&tracks(), &std::env::temp_dir())?;
    for packet in packets {
        muxer.push(packet.clone(), &mut keep)?;
    }
    let index = muxer.finish(&mut keep)?;
    Ok(Muxed { media, index })
}

impl Muxed {
    fn head(&self, length: u64) -> Result<Vec<u8>, Mp4Error> {
        let mut head = Vec::new();
        self.index.write_head(length, &mut head).map(|()| head)
    }

    fn file(&self, length: u64) -> Vec<u8> {
        let head = self.head(length).unwrap();
        assert_eq!(head.len() as u64, length);
        [&head, &self.media[..]].concat()
    }
}

/// What must be found, by another calculation than the muxer's.
fn expected(packets: &[Packet], kind: TrackKind) -> Vec<Sample> {
    let rate = if kind == TrackKind::Video { 90_000.0 } else { 48_000.0 };
    let ticks = |us: i64| (us as f64 * rate / 1e6 + 0.5).floor() as i64;
    let of: Vec<_> = packets.iter().filter(|packet| packet.track == kind).collect();
    let next = of.iter().skip(1).map(|packet| ticks(packet.pts_us));
    let last = of.last().map(|last| match kind {
        TrackKind::Video => ticks(last.pts_us + 20_000),
        TrackKind::Audio => ticks(last.pts_us) + 1024,
    });
    let sample = |(packet, next): (&&Packet, i64)| Sample {
        at: (ticks(packet.pts_us) - ticks(of[0].pts_us)) as u64,
        lasts: (next - ticks(packet.pts_us)) as u32,
        key: packet.key,
        data: packet.data.clone(),
    };
    of.iter().zip(next.chain(last)).map(sample).collect()
}

/// Whether a track is more than priming.
fn presented(packets: &[Packet], kind: TrackKind) -> bool {
    let lasts = if kind == TrackKind::Video { 20_000 } else { 21_333 };
    packets.iter().any(|packet| packet.track == kind && packet.pts_us + lasts > 0)
}

/// Packets, said in a word each when a test fails.
struct History(Vec<Packet>);

impl fmt::Debug for History {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut word = |packet: &Packet| write!(f, "{:?}@{}:{} ", packet.track, packet.pts_us, packet.data.len());
        self.0.iter().try_for_each(&mut word)
    }
}

/// Packets in the order of time: pictures at any time, sound on its grid, with holes and priming.
fn histories() -> impl Strategy<Value = History> {
    let pictures = prop::collection::vec((100_i64..300_000, 1_usize..3000, any::<bool>()), 0..100);
    let sounds = prop::collection::vec((prop_oneof![9 => Just(1_i64), 1 => 2_i64..9], 1_usize..600), 0..200);
    (prop_oneof![Just(0), -1000_i64..2_000_000], pictures, -3_i64..4, sounds)
        .prop_map(|(mut us, pictures, mut index, sounds)| {
            let mut packets = Vec::new();
            for (gap_us, length, key) in pictures {
                packets.push(picture(us, key, vec![packets.len() as u8; length]));
                us += gap_us;
            }
            for (gap, length) in sounds {
                packets.push(sound(index, vec![packets.len() as u8; length]));
                index += gap;
            }
            packets.sort_by_key(|packet| packet.pts_us);
            History(packets)
        })
        .prop_filter("an MP4 of nothing", |History(packets)| KINDS.iter().any(|kind| presented(packets, *kind)))
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::with_cases(128) })]

    #[test]
    fn every_packet_is_found_again(History(packets) in histories(), padding in prop_oneof![Just(0_u64), 8_u64..9000]) {
        let muxed = mux(&packets).unwrap();
        let file = muxed.file(muxed.index.head_bytes() + padding);
        let names: Vec<_> = boxes(&file).into_iter().map(|found| found.0).collect();
        let wanted: &[_] = if padding == 0 { &["ftyp", "moov", "mdat"] } else { &["ftyp", "moov", "free", "mdat"] };
        prop_assert_eq!(names, wanted);
        prop_assert_eq!(muxed.index.media_bytes(), muxed.media.len() as u64);
        let moov = moov(&file);
        let mut found = moov.trak.iter();
        let mut end = 0;
        for kind in KINDS {
            let wanted = expected(&packets, kind);
            if let Some(first) = packets.iter().find(|packet| packet.track == kind).filter(|_| presented(&packets, kind)) {
                let trak = found.next().unwrap();
                prop_assert_eq!(samples(trak, &file), wanted);
                end = end.max(trak.tkhd.duration);
                prop_assert_eq!(trak.edts.is_some(), first.pts_us != 0);
            }
        }
        prop_assert!(found.next().is_none());
        prop_assert_eq!(moov.mvhd.duration, end);
    }

    #[test]
    fn the_same_packets_give_the_same_bytes(History(packets) in histories()) {
        let (one, two) = (mux(&packets).unwrap(), mux(&packets).unwrap());
        let length = one.index.head_bytes();
        prop_assert!(one.media == two.media && one.head(length).unwrap() == two.head(length).unwrap());
        prop_assert_eq!(one.head(length).unwrap(), one.head(length).unwrap());
    }

    #[test]
    fn a_head_has_the_length_that_was_asked_for(History(packets) in histories(), padding in 0_u64..40) {
        let muxed = mux(&packets).unwrap();
        let least = muxed.index.head_bytes();
        match muxed.head(least + padding) {
            Ok(head) => prop_assert_eq!(head.len() as u64, least + padding),
            Err(error) => prop_assert!((1..8).contains(&padding), "{}", error),
        }
        prop_assert!(muxed.head(least - 1).is_err());
    }

    #[test]
    fn the_head_stays_below_its_bound(gaps in prop::collection::vec(16_667_i64..40_000, 1..2000), key: bool) {
        let pictures = gaps.iter().scan(0, |us, gap| Some(std::mem::replace(us, *us + gap)));
        let mut packets: Vec<_> = pictures.map(|us| picture(us, key || us % 2 == 0, vec![0; 9])).collect();
        let seconds = packets.last().unwrap().pts_us / 1_000_000 + 1;
        packets.extend((0..seconds * 46).map(|index| sound(index, vec![0; 9])));
        packets.sort_by_key(|packet| packet.pts_us);
        prop_assert!(mux(&packets).unwrap().index.head_bytes() <= head_bytes_at_most(seconds as u32, 60));
    }

    #[test]
    fn hostile_packets_are_errors(hostile in prop::collection::vec(
        (any::<bool>(), any::<i64>(), any::<Option<u64>>(), any::<bool>(), 0_usize..9, 0_u32..64), 0..9,
    )) {
        let packet = |(video, pts_us, duration_us, key, length, shift)| Packet {
            track: if video { TrackKind::Video } else { TrackKind::Audio },
            pts_us: pts_us >> shift,
            duration_us: Option::map(duration_us, |us: u64| us >> shift),
            key,
            data: vec![0; length],
        };
        let packets: Vec<_> = hostile.into_iter().map(packet).collect();
        if let Ok(muxed) = mux(&packets) {
            let file = muxed.file(muxed.index.head_bytes());
            prop_assert!(moov(&file).trak.iter().all(|trak| !samples(trak, &file).is_empty()));
        }
    }

    #[test]
    fn hostile_codec_data_is_an_error(
        flips in prop::collection::vec((any::<prop::sample::Index>(), any::<u8>()), 0..4),
        more in prop::collection::vec(any::<u8>(), 0..9),
        cut in any::<prop::sample::Index>(),
    ) {
        let damage = |bytes: &mut Vec<u8>| {
            bytes.extend_from_slice(&more);
            for (at, value) in &flips {
                let at = at.index(bytes.len());
                bytes[at] = *value;
            }
            bytes.truncate(cut.index(bytes.len() + 1));
        };
        let mut tracks = tracks();
        damage(&mut tracks.video.as_mut().unwrap().codec_private);
        damage(&mut tracks.audio.as_mut().unwrap().codec_private);
        let _ = Mp4Muxer::new(&tracks, &std::env::temp_dir());
    }
}

fn data() -> Vec<u8> {
    vec![7; 10]
}

#[test]
fn rounding_errors_do_not_add_up() {
    // Sixty frames a second for an hour, as the part's milliseconds tell them.
    let packets: Vec<_> = (0..216_000).map(|n| picture((n * 1000 + 30) / 60 * 1000, n % 60 == 0, data())).collect();
    let muxed = mux(&packets).unwrap();
    let file = muxed.file(muxed.index.head_bytes());
    assert_eq!(samples(&moov(&file).trak[0], &file), expected(&packets, TrackKind::Video));
    assert_eq!(muxed.index.duration_us(), packets.last().unwrap().pts_us + 20_000);
}

#[test]
fn priming_is_left_out_by_an_edit_list() {
    let mut packets: Vec<_> = (-1..10).map(|index| sound(index, data())).collect();
    packets.push(picture(0, true, data()));
    let muxed = mux(&packets).unwrap();
    let moov = moov(&muxed.file(muxed.index.head_bytes()));
    assert!(moov.trak[0].edts.is_none());
    let elst = moov.trak[1].edts.as_ref().unwrap().elst.as_ref().unwrap();
    assert_eq!(elst.entries.len(), 1);
    assert_eq!((elst.entries[0].media_time, elst.entries[0].segment_duration), (Some(1024), 10 * 1024 * 15));
    assert_eq!((moov.trak[1].tkhd.duration, moov.trak[1].mdia.mdhd.duration), (10 * 1024 * 15, 11 * 1024));
    assert_eq!((moov.mvhd.duration, muxed.index.duration_us()), (10 * 1024 * 15, us_of(10 * 1024)));
}

#[test]
fn a_track_of_nothing_but_priming_is_left_out() {
    let muxed = mux(&[sound(-3, data()), picture(0, true, data())]).unwrap();
    let moov = moov(&muxed.file(muxed.index.head_bytes()));
    assert_eq!((moov.trak.len(), moov.mvhd.next_track_id), (1, 2));
    assert!(matches!(mux(&[sound(-1, data())]), Err(Mp4Error::Empty)));
}

#[test]
fn a_late_picture_waits_by_an_edit_list() {
    let muxed = mux(&[sound(0, data()), picture(500_000, true, data())]).unwrap();
    let moov = moov(&muxed.file(muxed.index.head_bytes()));
    let elst = moov.trak[0].edts.as_ref().unwrap().elst.as_ref().unwrap();
    let entries: Vec<_> = elst.entries.iter().map(|entry| (entry.segment_duration, entry.media_time)).collect();
    assert_eq!(entries, [(360_000, None), (14_400, Some(0))]);
    assert_eq!(muxed.index.duration_us(), 520_000);
}

#[test]
fn the_sample_descriptions_say_what_is_in_the_file() {
    let muxed = mux(&[picture(0, true, data()), sound(0, vec![0; 300]), sound(1, vec![0; 300])]).unwrap();
    let file = muxed.file(muxed.index.head_bytes());
    let ftyp = Ftyp::decode(&mut &file[..]).unwrap();
    assert_eq!((ftyp.major_brand, &ftyp.compatible_brands[2]), (b"isom".into(), &b"avc1".into()));
    let moov = moov(&file);
    let Codec::Avc1(avc1) = &moov.trak[0].mdia.minf.stbl.stsd.codecs[0] else { panic!() };
    assert_eq!((avc1.visual.width, avc1.visual.height), (1280, 720));
    assert_eq!(moov.trak[0].tkhd.width.integer(), 1280);
    assert!(file.windows(AVCC.len()).any(|window| window == AVCC));
    assert!(file.windows(11).any(|window| window == b"nclx\0\x01\0\x01\0\x01\0"));
    let Codec::Mp4a(mp4a) = &moov.trak[1].mdia.minf.stbl.stsd.codecs[0] else { panic!() };
    assert_eq!((mp4a.audio.channel_count, mp4a.audio.sample_rate.integer()), (2, 48_000));
    let config = &mp4a.esds.es_desc.dec_config;
    assert_eq!(config.dec_specific.as_ref().unwrap().raw, AUDIO_CONFIG);
    assert_eq!((config.avg_bitrate, config.max_bitrate), (600 * 8 * 48_000 / 2048, 600 * 8 * 48_000 / 2048));
}

#[test]
fn tables_that_outgrow_memory_go_to_files_without_a_name() {
    let folder = tempfile::tempdir().unwrap();
    let mut media = 0;
    let mut count = |bytes: &[u8]| {
        media += bytes.len() as u64;
        Ok(())
    };
    let mut muxer = Mp4Muxer::new(&tracks(), folder.path()).unwrap();
    let packets: Vec<_> = (0..100_000).map(|index| sound(index, vec![index as u8; 1 + index as usize % 7])).collect();
    packets.iter().for_each(|packet| muxer.push(packet.clone(), &mut count).unwrap());
    let index = muxer.finish(&mut count).unwrap();
    assert_eq!(std::fs::read_dir(folder.path()).unwrap().count(), 0);
    let mut file = Vec::new();
    index.write_head(index.head_bytes(), &mut file).unwrap();
    file.extend(packets.iter().flat_map(|packet| &packet.data));
    assert_eq!(samples(&moov(&file).trak[0], &file), expected(&packets, TrackKind::Audio));
}

#[test]
fn a_spill_folder_that_is_gone_is_an_error() {
    let folder = tempfile::tempdir().unwrap();
    let mut muxer = Mp4Muxer::new(&tracks(), &folder.path().join("gone")).unwrap();
    let error = (0..100_000).find_map(|index| muxer.push(sound(index, data()), &mut |_| Ok(())).err());
    assert!(matches!(error, Some(Mp4Error::Io { .. })), "{error:?}");
}

#[test]
fn offsets_are_narrow_as_long_as_they_fit_and_wide_for_a_terabyte() {
    // Memory that is never touched: the pages are not there.
    let huge = |count: i64| {
        let mut muxer = Mp4Muxer::new(&tracks(), &std::env::temp_dir()).unwrap();
        for n in 0..count {
            muxer.push(picture(n * 40_000, n == 0, vec![0; 64 << 20]), &mut |_| Ok(())).unwrap();
        }
        muxer.finish(&mut |_| Ok(())).unwrap()
    };
    let head = |index: &Mp4Index, length| {
        let mut head = Vec::new();
        index.write_head(length, &mut head).map(|()| head)
    };
    let index = huge(16 << 10);
    let bytes = head(&index, index.head_bytes()).unwrap();
    let stbl = Moov::decode(&mut &bytes[32..bytes.len() - 16]).unwrap().trak.remove(0).mdia.minf.stbl;
    let place = index.head_bytes() + ((16 << 10) - 1) * (64 << 20);
    assert_eq!(stbl.co64.unwrap().entries.last(), Some(&place));
    assert_eq!(bytes[bytes.len() - 8..], ((1_u64 << 40) + 16).to_be_bytes());

    let index = huge(47);
    let bytes = head(&index, 1 << 20).unwrap();
    let moov_end = index.head_bytes() as usize - 16;
    let stbl = Moov::decode(&mut &bytes[32..moov_end]).unwrap().trak.remove(0).mdia.minf.stbl;
    assert_eq!(stbl.stco.unwrap().entries.last(), Some(&((1 << 20) + 46 * (64 << 20))));
    assert!(matches!(head(&index, (1 << 32) - 47 * (64 << 20)), Err(Mp4Error::BadHeadLength { .. })));
}

#[test]
fn what_is_no_mp4_of_ours_is_refused() {
    let refused = |change: &dyn Fn(&mut VideoTrack, &mut AudioTrack)| {
        let mut tracks = tracks();
        change(tracks.video.as_mut().unwrap(), tracks.audio.as_mut().unwrap());
        Mp4Muxer::new(&tracks, &std::env::temp_dir()).unwrap_err()
    };
    assert!(matches!(refused(&|video, _| video.codec = VideoCodec::Vp9), Mp4Error::NotH264(VideoCodec::Vp9)));
    assert!(matches!(refused(&|_, audio| audio.codec = AudioCodec::Opus), Mp4Error::NotAac(AudioCodec::Opus)));
    assert!(matches!(refused(&|video, _| video.width = 0x1_0000), Mp4Error::BadSize { .. }));
    assert!(matches!(refused(&|video, _| video.height = 0), Mp4Error::BadSize { .. }));
    assert!(matches!(refused(&|video, _| video.codec_private.clear()), Mp4Error::BadAvcc(_)));
    assert!(matches!(refused(&|video, _| video.codec_private[5] = 0xe0), Mp4Error::BadAvcc(_)));
    assert!(matches!(refused(&|_, audio| audio.codec_private[0] = 0x29), Mp4Error::BadAudioConfig(_)));
    assert!(matches!(refused(&|_, audio| audio.sample_rate = 44_100), Mp4Error::BadAudioConfig(_)));
    assert!(matches!(refused(&|_, audio| audio.channels = 0), Mp4Error::BadChannels(0)));
    let no_tracks = Mp4Muxer::new(&Tracks::default(), &std::env::temp_dir());
    assert!(matches!(no_tracks, Err(Mp4Error::NoTracks)));
}

#[test]
fn what_cannot_follow_is_refused() {
    let second = |second: Packet| mux(&[picture(1000, true, data()), sound(0, data()), second]).err().unwrap();
    assert!(matches!(second(picture(1000, false, data())), Mp4Error::OutOfOrder { last_us: 1000, .. }));
    assert!(matches!(second(picture(-5, false, data())), Mp4Error::OutOfOrder { .. }));
    assert!(matches!(second(sound(0, data())), Mp4Error::OutOfOrder { last_us: 0, .. }));
    assert!(matches!(second(picture(i64::MAX, false, data())), Mp4Error::BadTime { .. }));
    // More ticks than 32 bits hold.
    assert!(matches!(second(picture(48_000_000_000, false, data())), Mp4Error::BadTime { .. }));
    let endless = Packet { duration_us: Some(u64::MAX), ..picture(2000, false, data()) };
    assert!(matches!(second(endless), Mp4Error::BadTime { .. }));
    assert!(matches!(mux(&[]), Err(Mp4Error::Empty)));
    assert!(matches!(mux(&[picture(0, true, Vec::new())]), Err(Mp4Error::Empty)));
    let mut muxer = Mp4Muxer::new(&Tracks { audio: None, ..tracks() }, &std::env::temp_dir()).unwrap();
    let untold = muxer.push(sound(0, data()), &mut |_| Ok(()));
    assert!(matches!(untold, Err(Mp4Error::UnknownTrack(TrackKind::Audio))));
    let mut muxer = Mp4Muxer::new(&tracks(), &std::env::temp_dir()).unwrap();
    muxer.push(sound(0, data()), &mut |_| Ok(())).unwrap();
    let full = muxer.finish(&mut |_| Err(io::ErrorKind::StorageFull.into()));
    assert!(matches!(full, Err(Mp4Error::Io { .. })));
}
