//! How much of a video is black, or silent: stretches that last, added up. Pure.

use crate::recorder::capture::Picture;

/// Shorter stretches do not count: between two words it is silent, between two slides black. (FFmpeg's
/// blackdetect and silencedetect count from 2 s on as well.)
const LEAST_US: i64 = 2_000_000;
/// Up to this luma a point is black: a tenth of the way from black (16) to white (235), as blackdetect has it.
const BLACK_LUMA: u8 = 16 + 22;
/// A picture is black when so many of a hundred points are not: a mouse pointer, a line of text do not
/// make a page. As blackdetect has it.
const LIT_PERCENT: usize = 2;
/// Points are this far apart, in pixels, both ways.
const STEP: usize = 16;
/// Up to this sample it is silent: -60 dB of full scale, as silencedetect has it.
const SILENT_PEAK: u16 = 32;

/// Adds up the stretches in which something holds and goes on holding.
#[derive(Debug, Default)]
pub struct Lasting {
    stretch_us: i64,
    total_us: i64,
}

impl Lasting {
    /// The next `length_us` of the video, in which it holds or not.
    pub fn pass(&mut self, holds: bool, length_us: i64) {
        if !holds {
            self.stretch_us = 0;
            return;
        }
        let before = self.stretch_us;
        self.stretch_us += length_us;
        if self.stretch_us >= LEAST_US {
            self.total_us += if before < LEAST_US { self.stretch_us } else { length_us };
        }
    }

    /// How long it has held in all, in microseconds.
    pub fn total_us(&self) -> i64 {
        self.total_us
    }
}

/// How long the pictures of a video are black.
#[derive(Debug, Default)]
pub struct Blackness {
    lasting: Lasting,
    /// Where the last picture is, in microseconds of the video, and whether it is black.
    last: Option<(i64, bool)>,
}

impl Blackness {
    /// The next picture; `wanted`: what it shows instead of the page is meant to be as it is.
    pub fn see(&mut self, picture: &Picture, place_us: i64, wanted: bool) {
        if let Some((from_us, black)) = self.last {
            self.lasting.pass(black, place_us - from_us);
        }
        self.last = Some((place_us, !wanted && is_black(picture)));
    }

    /// What comes next does not go on from the last picture.
    pub fn restart(&mut self) {
        self.last = None;
    }

    /// How long they have been black in all, in microseconds.
    pub fn total_us(&self) -> i64 {
        self.lasting.total_us()
    }
}

/// Whether there is nothing to see. Looks at few points, and at a picture of something at fewer.
fn is_black(picture: &Picture) -> bool {
    let [luma, ..] = picture.planes();
    let points = || luma.chunks(picture.width as usize).step_by(STEP).flat_map(|row| row.iter().step_by(STEP));
    let most = points().count() * LIT_PERCENT / 100;
    points().filter(|point| **point > BLACK_LUMA).nth(most).is_none()
}

/// Whether there is nothing to hear in these samples of 16 bits.
pub fn is_silent(data: &[u8]) -> bool {
    data.chunks_exact(2).all(|sample| i16::from_le_bytes([sample[0], sample[1]]).unsigned_abs() <= SILENT_PEAK)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_what_lasts_counts() {
        let mut black = Lasting::default();
        for _ in 0..3 {
            black.pass(true, 1_900_000);
            black.pass(false, 100_000);
        }
        assert_eq!(black.total_us(), 0);
        for _ in 0..25 {
            black.pass(true, 100_000);
        }
        assert_eq!(black.total_us(), 2_500_000);
        black.pass(false, 1);
        black.pass(true, 2_000_000);
        assert_eq!(black.total_us(), 4_500_000);
    }

    #[test]
    fn a_few_lit_points_make_no_page() {
        let mut picture = Picture::black(640, 360);
        assert!(is_black(&picture));
        let rows = |picture: &mut Picture, rows: usize| picture.planes_mut()[0][..640 * rows].fill(200);
        // No row of points, or one of 23, is 0 or 4 of a hundred.
        picture.planes_mut()[0][640..640 * 16].fill(200);
        assert!(is_black(&picture));
        rows(&mut picture, 1);
        assert!(!is_black(&picture));
        assert!(is_black(&Picture::black(2, 2)));
        picture.planes_mut()[0].fill(BLACK_LUMA);
        assert!(is_black(&picture));
    }

    #[test]
    fn a_whisper_is_heard() {
        let sound = |peak: i16| [0, peak, -peak, 0].iter().flat_map(|sample| sample.to_le_bytes()).collect::<Vec<u8>>();
        assert!(is_silent(&[]) && is_silent(&sound(0)) && is_silent(&sound(32)));
        assert!(!is_silent(&sound(33)));
        assert!(!is_silent(&i16::MIN.to_le_bytes()));
    }
}
