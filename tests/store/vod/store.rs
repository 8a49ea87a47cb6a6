//! The store by itself: what it asks, and what it makes of the answers.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use panorec::egress::Resolver;
use panorec::session::request::VodDestination;
use panorec::store::{StoreError, VodError, VodStore};
use serde_json::json;

use super::api::{Again, Fate, SECRET_ID, SECRET_KEY, SUB_APP_ID, Scope};
use super::{Journal, Stand};
use crate::MIB;
use crate::proxy::Verdict;

#[test]
fn vod_makes_one_media_of_an_mp4_and_one_of_a_playlist_with_its_segments() {
    for kind in ["mp4", "m3u8"] {
        let stand = Stand::new(|_, _| Fate::Answered);
        let files = match kind {
            "mp4" => vec![stand.place.file("lesson 1.mp4", 20 * MIB + 7)],
            _ => stand.place.hls(5, MIB),
        };
        let pictures = [stand.place.file("lesson 1-contact.png", 1_000), stand.place.file("lesson 1.jpg", 2_000)];
        let journal = Journal::default();
        let destination = stand.destination();
        let began = Instant::now();
        let delivered = stand.deliver(&destination, &journal, &files, &pictures).expect("delivered");
        println!("    {kind}: {:.1} s, {delivered:?}", began.elapsed().as_secs_f64());
        stand.assert_media(&delivered, &files);
        let cover = stand.vod.world().media[0].cover.clone().expect("a cover");
        assert_eq!(stand.server.read(&cover), std::fs::read(&pictures[1]).expect("read"));
        assert_eq!(*journal.warnings.borrow(), ["VOD has no place for lesson 1-contact.png; it was left out"]);
        let world = stand.vod.world();
        assert_eq!(world.asked[0].body["MediaType"], kind);
        assert_eq!(world.asked[0].body["MediaName"], "lesson 1");
        assert!(world.asked.iter().all(|asked| asked.refused.is_none()), "{:#?}", world.asked);
        drop(world);
        assert_eq!((stand.vod.count("ApplyUpload"), stand.vod.count("CommitUpload")), (1, 1));
        assert_eq!(stand.server.open_uploads(), "0");
    }
}

#[test]
fn all_that_is_said_of_the_media_reaches_vod() {
    let stand = Stand::new(|_, _| Fate::Answered);
    let destination = VodDestination {
        media_name: Some("Maths 3".parse().expect("a text")),
        expire_time: Some("2027-10-01T18:00:00+08:00".parse().expect("a time")),
        storage_region: Some("ap-shanghai".parse().expect("a text")),
        class_id: Some(7),
        source_context: Some("c".repeat(250).parse().expect("a text")),
        procedure: Some("flow".parse().expect("a text")),
        session_context: Some("é\n\"".parse().expect("a text")),
        ..stand.destination()
    };
    let keys = json!({ "secretId": SECRET_ID, "secretKey": SECRET_KEY, "token": "a temporary one's" });
    std::fs::write(&destination.credentials_file, keys.to_string()).expect("written");
    let file = stand.place.file("a.mp4", 1_000);
    stand.deliver(&destination, &Journal::default(), &[file], &[]).expect("delivered");
    assert!(stand.vod.world().asked.iter().all(|asked| asked.token == "a temporary one's"));
    let asked = stand.vod.world().asked[0].body.clone();
    let wanted = json!({
        "MediaType": "mp4", "SubAppId": SUB_APP_ID, "MediaName": "Maths 3", "ExpireTime": "2027-10-01T10:00:00Z",
        "StorageRegion": "ap-shanghai", "ClassId": 7, "SourceContext": "c".repeat(250), "Procedure": "flow",
        "SessionContext": "é\n\"",
    });
    assert_eq!(asked, wanted);
}

#[test]
fn vod_that_fails_for_a_while_is_outlasted() {
    let stand = Stand::new(|action, nth| match (action, nth) {
        ("ApplyUpload", 1) => Fate::Refused("RequestLimitExceeded"),
        ("ApplyUpload", 2) => Fate::Status(503),
        ("ApplyUpload", 3) | ("CommitUpload", 3) => Fate::Lost,
        ("CommitUpload", 1) => Fate::Refused("InternalError"),
        ("CommitUpload", 2) => Fate::Status(429),
        _ => Fate::Answered,
    });
    let files = [stand.place.file("a.mp4", MIB)];
    let began = Instant::now();
    let delivered = stand.deliver(&stand.destination(), &Journal::default(), &files, &[]).expect("delivered");
    println!("    after {:.1} s", began.elapsed().as_secs_f64());
    stand.assert_media(&delivered, &files);
    assert_eq!((stand.vod.count("ApplyUpload"), stand.vod.count("CommitUpload")), (4, 4));
}

#[test]
fn a_commit_whose_answer_was_lost_is_asked_again_and_makes_no_second_media() {
    for again in [Again::Same, Again::Refused] {
        let stand = Stand::new(|action, nth| match (action, nth) {
            ("CommitUpload", 1) => Fate::Lost,
            _ => Fate::Answered,
        });
        stand.vod.world().again = again;
        let files = stand.place.hls(3, 1_000);
        let delivered = stand.deliver(&stand.destination(), &Journal::default(), &files, &[]).expect("delivered");
        stand.assert_media(&delivered, &files);
        println!("    {again:?}: {:?}", stand.refusals("CommitUpload"));
        assert_eq!((stand.vod.count("ApplyUpload"), stand.vod.count("CommitUpload")), (1, 2), "{again:?}");
        assert_eq!(stand.puts(), 4, "{again:?}");
    }
}

#[test]
fn an_upload_that_vod_has_lost_is_begun_anew() {
    let stand = Stand::new(|action, nth| match (action, nth) {
        ("CommitUpload", 1) => Fate::Refused("InvalidParameterValue.VodSessionKey"),
        ("CommitUpload", 2) => Fate::Refused("ResourceNotFound"),
        _ => Fate::Answered,
    });
    let files = stand.place.hls(3, 1_000);
    let delivered = stand.deliver(&stand.destination(), &Journal::default(), &files, &[]).expect("delivered");
    stand.assert_media(&delivered, &files);
    assert_eq!((stand.vod.count("ApplyUpload"), stand.vod.count("CommitUpload")), (3, 3));
}

#[test]
fn keys_that_end_in_the_middle_are_replaced() {
    // Where the new keys are good for the old place, it goes on there with the parts that are there; else at theirs.
    for (scope, session, fewest, most) in [(Scope::Bucket, 0, 9, 10), (Scope::OwnPlace, 1, 13, 14)] {
        let parts = Arc::new(AtomicUsize::new(0));
        let stand = Stand::guarded(
            |_, _| Fate::Answered,
            move |seen, ended| {
                if seen.is_part() && parts.fetch_add(1, Ordering::Relaxed) == 4 {
                    ended.insert(0);
                }
                Verdict::Pass
            },
        );
        stand.vod.world().scope = scope;
        stand.vod.world().may_look = false;
        let files = [stand.place.file("long.mp4", 60 * MIB)];
        let delivered = stand.deliver(&stand.destination(), &Journal::default(), &files, &[]).expect("delivered");
        stand.assert_media(&delivered, &files);
        let seen = stand.proxy.seen();
        let parts = seen.iter().filter(|seen| seen.is_part());
        let (sent, bytes) = (parts.clone().count(), parts.map(|part| part.bytes).sum::<usize>());
        println!("    {scope:?}: {sent} parts were sent of 8, {} MiB of 60", bytes / MIB);
        assert!((fewest..=most).contains(&sent), "{scope:?}: {sent}");
        assert_eq!(stand.vod.world().media[0].session_key, format!("session/{session}+of=the tests"));
        assert_eq!(stand.vod.count("ApplyUpload"), 2);
    }
    // Segments that had arrived are sent to the new place, too.
    let stand = Stand::guarded(
        |_, _| Fate::Answered,
        |seen, ended| {
            if seen.method == "PUT" && seen.target.contains("00001.ts") {
                ended.insert(0);
            }
            Verdict::Pass
        },
    );
    let files = stand.place.hls(5, 1_000);
    let delivered = stand.deliver(&stand.destination(), &Journal::default(), &files, &[]).expect("delivered");
    stand.assert_media(&delivered, &files);
}

#[test]
fn keys_are_replaced_before_they_end_and_ones_that_last_for_nothing_end_it() {
    let lasting = |scope| {
        let stand = Stand::new(|_, _| Fate::Answered);
        stand.vod.world().scope = scope;
        stand.vod.world().lasts = 30;
        let files = stand.place.hls(5, 1_000);
        let delivered = stand.deliver(&stand.destination(), &Journal::default(), &files, &[]);
        (stand, files, delivered)
    };
    let (stand, files, delivered) = lasting(Scope::Bucket);
    stand.assert_media(&delivered.expect("delivered"), &files);
    assert_eq!((stand.vod.count("ApplyUpload"), stand.puts()), (6, 6));
    let (stand, _, delivered) = lasting(Scope::OwnPlace);
    let error = delivered.expect_err("it would go on for ever");
    println!("    {error}; {} places", stand.vod.count("ApplyUpload"));
    assert!(matches!(error, StoreError::Vod(VodError::TooSlow)), "{error}");
    assert!(stand.vod.count("ApplyUpload") <= 6);
}

#[test]
fn what_does_not_pass_is_told_and_nothing_is_kept_from_a_next_try() {
    let stand = Stand::new(|_, _| Fate::Answered);
    let files = [stand.place.file("a.mp4", 1_000)];
    let error_of = |destination: &VodDestination, stand: &Stand| {
        let began = Instant::now();
        let error = stand.deliver(destination, &Journal::default(), &files, &[]).expect_err("refused");
        assert!(began.elapsed() < Duration::from_secs(5), "{:?}", began.elapsed());
        println!("    {error}");
        assert!(!error.to_string().contains(SECRET_KEY), "{error}");
        error
    };
    let good = stand.destination();
    stand.place.vod_credentials("wrong");
    let error = error_of(&good, &stand);
    assert!(matches!(error, StoreError::Vod(VodError::Credentials { .. })), "{error}");
    let said = error.to_string();
    assert!(said.starts_with("VOD does not take these credentials (AuthFailure.SignatureFailure"), "{said}");
    assert!(said.ends_with("; mend them and publish again"), "{said}");
    let refused = VodStore::check(&good, "a.mp4", &Resolver::default()).expect_err("refused");
    assert!(matches!(refused, VodError::Credentials { .. }), "{refused}");
    stand.place.vod_credentials(SECRET_KEY);
    VodStore::check(&good, "a.mp4", &Resolver::default()).expect("it is taken");
    let error = error_of(&VodDestination { sub_app_id: Some(1), ..good.clone() }, &stand);
    assert!(matches!(error, StoreError::Vod(VodError::Refused { .. })), "{error}");
    assert_eq!(stand.vod.world().media.len(), 0);
    let delivered = stand.deliver(&good, &Journal::default(), &files, &[]).expect("delivered");
    stand.assert_media(&delivered, &files);

    let denied = Stand::new(|action, _| match action {
        "CommitUpload" => Fate::Refused("UnauthorizedOperation"),
        _ => Fate::Answered,
    });
    let error = error_of(&denied.destination(), &denied);
    assert!(matches!(error, StoreError::Vod(VodError::Denied { action: "CommitUpload", .. })), "{error}");

    // Keys that are good for nothing from the beginning.
    let useless = Stand::guarded(
        |_, _| Fate::Answered,
        |_, ended| {
            ended.extend(0..16);
            Verdict::Pass
        },
    );
    let error = error_of(&useless.destination(), &useless);
    assert!(matches!(error, StoreError::Vod(VodError::Certificate { .. })), "{error}");

    let gone = std::net::TcpListener::bind("127.0.0.1:0").and_then(|held| held.local_addr()).expect("a port");
    let gone = format!("http://{gone}").parse().expect("a URL");
    let gone = VodDestination { endpoint: Some(gone), deadline_seconds: 2, ..stand.destination() };
    let error = stand.deliver(&gone, &Journal::default(), &files, &[]).expect_err("nobody is there");
    println!("    {error}");
    assert!(matches!(error, StoreError::Vod(VodError::Unreachable { seconds: 2, .. })), "{error}");
}

#[test]
fn what_vod_counts_otherwise_is_a_warning() {
    let stand = Stand::new(|_, _| Fate::Answered);
    stand.vod.world().miscounts = 1;
    let files = [stand.place.file("a.mp4", 1_000)];
    let journal = Journal::default();
    let delivered = stand.deliver(&stand.destination(), &journal, &files, &[]).expect("delivered");
    let id = delivered.file_id.as_deref().expect("an id");
    let warned = journal.warnings.borrow();
    assert_eq!(*warned, [format!("VOD found 1001 bytes where 1000 were sent; look at the media {id} there")]);
}
