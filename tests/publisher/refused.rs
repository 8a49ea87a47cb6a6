//! What is no part, and what means harm.

use crate::parts::*;
use crate::support::*;
use panorec::publisher::PublishError;
use panorec::publisher::finish::Kind;
use panorec::publisher::plan::plan;
use panorec::publisher::splice::Splicer;
use panorec::session::fold::MediaPart;
use panorec::session::name::{PartName, RunNumber};
use proptest::prelude::*;
use std::fs::File;
use std::sync::OnceLock;

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
