//! When a recording begins.

use super::*;
use crate::recorder::capture::Picture;
use crate::session::request::{PageUrl, Request};

/// A still page gives one picture, when it is wished for; then nothing wakes the feeder but time.
#[test]
fn a_still_page_is_begun_with_however_late_its_picture_is_seen() {
    for (lag_us, change_us) in [(-16_667, 0), (16_667, 0), (50_000, 0), (83_333, 0), (50_000, -66_667), (0, 50_000)] {
        let (tell, told) = channel();
        let request = Request::new(PageUrl::parse("https://example.org/").expect("an address"));
        let mut feeder = Loop {
            feed: Feed::new(&Settings::of(&request), 0),
            encoder: None,
            shared: Arc::default(),
            tell: Box::new(move |event| drop(tell.send(event))),
            joining: None,
            unfilling: None,
            ending: None,
        };
        let from_us = 10_000_000;
        feeder.follow(Order::SetLag(lag_us));
        feeder.follow(Order::Join { from_us });
        feeder.shared.coming.store(1, Ordering::Relaxed);
        feeder.follow(Order::Frame(Frame {
            at_us: from_us + 100,
            refresh: false,
            picture: Arc::new(Picture::black(2, 2)),
        }));
        for now in (from_us..from_us + 90_000).step_by(1_000) {
            feeder.commit(now).expect("committed");
        }
        feeder.follow(Order::SetLag(lag_us + change_us));
        for now in (from_us + 90_000..from_us + 400_000).step_by(1_000) {
            feeder.commit(now).expect("committed");
        }
        let joined = told.try_iter().any(|event| matches!(event, FeederEvent::Joined { .. }));
        assert!(joined, "lag {lag_us}, changed by {change_us}");
    }
}
