//! When a recording begins, and when it ends.

use super::*;
use crate::recorder::capture::Picture;
use crate::session::request::{PageUrl, Request};

fn feeder() -> (Loop, Receiver<FeederEvent>) {
    let (tell, told) = channel();
    let request = Request::new(PageUrl::parse("https://example.org/").expect("an address"));
    let feeder = Loop {
        feed: Feed::new(&Settings::of(&request), 0),
        encoder: None,
        shared: Arc::default(),
        tell: Box::new(move |event| drop(tell.send(event))),
        joining: None,
        unfilling: None,
        ending: None,
    };
    (feeder, told)
}

fn frame(at_us: i64) -> Order {
    Order::Frame(Frame { at_us, refresh: false, picture: Arc::new(Picture::black(2, 2)) })
}

fn turn<const N: usize>(feeder: &mut Loop, now: i64, orders: [Order; N]) {
    let frames = orders.iter().filter(|order| matches!(order, Order::Frame(_))).count();
    feeder.shared.coming.fetch_add(frames, Ordering::Relaxed);
    assert!(feeder.turn(orders.into_iter(), now).is_continue());
}

/// A still page gives one picture, when it is wished for; then nothing wakes the feeder but time.
#[test]
fn a_still_page_is_begun_with_however_late_its_picture_is_seen() {
    for (lag_us, change_us) in [(-16_667, 0), (16_667, 0), (50_000, 0), (83_333, 0), (50_000, -66_667), (0, 50_000)] {
        let (mut feeder, told) = feeder();
        let from_us = 10_000_000;
        turn(&mut feeder, from_us, [Order::SetLag(lag_us), Order::Join { from_us }, frame(from_us + 100)]);
        for now in (from_us..from_us + 90_000).step_by(1_000) {
            turn(&mut feeder, now, []);
        }
        turn(&mut feeder, from_us + 90_000, [Order::SetLag(lag_us + change_us)]);
        for now in (from_us + 90_000..from_us + 400_000).step_by(1_000) {
            turn(&mut feeder, now, []);
        }
        let joined = told.try_iter().any(|event| matches!(event, FeederEvent::Joined { .. }));
        assert!(joined, "lag {lag_us}, changed by {change_us}");
    }
}

/// The encoder was slow, so the cut is found half a second late, behind the pictures before it.
#[test]
fn what_comes_after_a_cut_is_not_committed_however_late_the_cut_is_found() {
    let (mut feeder, told) = feeder();
    let from_us = 10_000_000;
    turn(&mut feeder, from_us + 400_000, [Order::Join { from_us }, frame(from_us)]);
    let at_us = from_us + 3_000_000;
    // Ten seconds of sound, all of it silence.
    for n in 0..1_000 {
        let chunk = Chunk { at_us: from_us + n * 10_000, data: vec![0; 480 * 4] };
        feeder.shared.chunks.lock().expect("not poisoned").push_back(chunk);
    }
    let orders = [frame(at_us - 60_000), frame(at_us - 30_000), Order::Cut { at_us, last: false }];
    turn(&mut feeder, at_us + 500_000, orders);
    let place_us = told.try_iter().find_map(|event| match event {
        FeederEvent::Cut { place_us, .. } => Some(place_us),
        _ => None,
    });
    let silent_us = feeder.feed.totals.silent_us;
    assert_eq!(place_us, Some(3_000_000));
    assert!((silent_us - 3_000_000).abs() <= 21, "{silent_us} us of sound");
}
