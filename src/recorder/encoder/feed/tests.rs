//! Which picture is shown where, by times as a display gives them.

use super::*;
use crate::session::request::{PageUrl, Request};

/// Remembers which picture, by its width, was shown where.
#[derive(Default)]
struct Shown(Vec<(u32, i64)>);

impl Sink for Shown {
    fn picture(&mut self, placed: Placed<'_>) -> io::Result<()> {
        self.0.push((placed.picture.width, placed.place_us));
        Ok(())
    }

    fn sound(&mut self, _: i64, _: &[u8]) -> io::Result<()> {
        Ok(())
    }

    fn boundary(&mut self, _: i64) {}
}

fn feed() -> Feed {
    let request = Request::new(PageUrl::parse("https://example.org/").expect("an address"));
    let settings = Settings::of(&request);
    Feed::new(&settings, 0)
}

/// Pushes pictures 2, 4, 6 ... at these times, and commits as the feeder does.
fn record(times: &[i64]) -> Vec<(u32, i64)> {
    let (mut feed, mut shown) = (feed(), Shown::default());
    for (i, at_us) in times.iter().enumerate() {
        feed.push_frame(Frame { at_us: *at_us, refresh: true, picture: Arc::new(Picture::black(2 + 2 * i as u32, 2)) });
        if feed.timeline.is_running() || feed.join(times[0], at_us + SETTLE_US).is_some() {
            feed.commit(at_us - HOLD_US, &mut shown).expect("committed");
        }
    }
    feed.commit(times[times.len() - 1] + 2 * 33_333, &mut shown).expect("committed");
    shown.0
}

#[test]
fn what_came_too_early_makes_nothing_after_it_late() {
    let refresh = |i: i64| 1_000_000 + i * 33_334;
    let mut times: Vec<i64> = (0..30).map(refresh).collect();
    // The page was busy for three refreshes; then two pictures come in one.
    times.extend([refresh(33) + 3_000, refresh(33) + 15_000]);
    times.extend((34..60).map(refresh));
    let shown = record(&times);
    let last = shown.last().expect("pictures");
    let at = times[last.0 as usize / 2 - 1];
    assert!((last.1 - (at - times[0])).abs() <= 17_000, "picture of {at} at {}", last.1);
    let late = shown.iter().filter(|(width, place)| {
        let at = times[*width as usize / 2 - 1];
        (place - (at - times[0])).abs() > 24_000
    });
    assert_eq!(late.count(), 0, "{shown:?}");
}

#[test]
fn a_second_picture_of_a_slot_is_shown_when_no_other_comes() {
    let times = [1_000_000, 1_033_334, 1_045_000];
    let shown = record(&times);
    assert_eq!(shown.iter().map(|(width, _)| *width).collect::<Vec<_>>(), [2, 4, 6], "{shown:?}");
}

#[test]
fn a_display_that_is_a_little_fast_is_followed_over_an_hour() {
    for (interval, jitter) in [(33_333, 900), (33_334, 0), (33_333, 6_000)] {
        let refresh = |i: i64| 1_000_000 + i * interval + i * 7_919 % (jitter + 1);
        let (mut feed, mut shown) = (feed(), Shown::default());
        let picture = Arc::new(Picture::black(2, 2));
        for i in 0..3_600 * 30 {
            feed.push_frame(Frame { at_us: refresh(i), refresh: true, picture: Arc::clone(&picture) });
            if feed.timeline.is_running() || feed.join(refresh(0), refresh(i) + SETTLE_US).is_some() {
                feed.commit(refresh(i) - HOLD_US, &mut shown).expect("committed");
            }
        }
        let first = shown.0.first().expect("pictures").1;
        let off = |i: usize| shown.0[i].1 - first - (refresh(i as i64) - refresh(0));
        let worst = (0..shown.0.len()).map(|i| off(i).abs()).max().expect("pictures");
        assert!(worst <= jitter + 400, "{interval} us: {worst} us off");
        let steps = shown.0.windows(2).map(|pair| pair[1].1 - pair[0].1);
        assert!(steps.clone().all(|step| (33_300..=33_366).contains(&step)), "{:?}", steps.max());
    }
}
