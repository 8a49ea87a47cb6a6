//! The display mode for a recording: exact size, refresh rate by the frame rate. Pure.

use std::fmt;

/// The dummy driver (0.4.0) silently falls back to another mode below and above these pixel
/// clocks; found by trying, with room to spare. In kHz.
const CLOCK_KHZ: std::ops::RangeInclusive<u64> = 20_000..=299_000;
/// The smallest screen that Xorg's dummy driver makes, in pixels.
const SMALLEST_SCREEN: (u32, u32) = (64, 128);
/// Chrome takes its frame clock from the display; below this, video players stutter.
const LOWEST_HZ: u32 = 24;

/// A screen of exactly this size and refresh rate.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Mode {
    /// Screen size in pixels; larger than the picture only where that is tiny.
    pub width: u32,
    pub height: u32,
    /// Refresh rate in Hz: a multiple of the frame rate where the driver can do it.
    pub hz: u32,
    htotal: u32,
    vtotal: u32,
}

impl Mode {
    /// The mode for a picture of `width` x `height` pixels at `frame_rate` frames a second.
    pub fn choose(width: u32, height: u32, frame_rate: u32) -> Self {
        let (width, height) = (width.max(SMALLEST_SCREEN.0), height.max(SMALLEST_SCREEN.1));
        // Little blanking: nobody scans this screen out, and the clock stays low.
        let (mut htotal, mut vtotal) = (width + 160, height + 30);
        let clock = |h: u32, v: u32, hz: u32| u64::from(h) * u64::from(v) * u64::from(hz) / 1000;
        let multiple = frame_rate * LOWEST_HZ.div_ceil(frame_rate);
        let highest = (CLOCK_KHZ.end() * 1000 / (u64::from(htotal) * u64::from(vtotal))) as u32;
        let hz = multiple.min(highest);
        while clock(htotal, vtotal, hz) < *CLOCK_KHZ.start() {
            htotal = htotal * 5 / 4;
            vtotal = vtotal * 5 / 4;
        }
        Self { width, height, hz, htotal, vtotal }
    }

    /// How long a picture is shown, in microseconds.
    pub fn refresh_us(&self) -> i64 {
        1_000_000 / i64::from(self.hz)
    }

    /// The name under which RandR lists it.
    pub fn name(&self) -> String {
        format!("{}x{}r{}", self.width, self.height, self.hz)
    }
}

impl fmt::Display for Mode {
    /// As a line of an xorg.conf Monitor section.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mhz = f64::from(self.htotal) * f64::from(self.vtotal) * f64::from(self.hz) / 1e6;
        write!(
            f,
            "Modeline \"{}\" {mhz:.3} {} {} {} {} {} {} {} {}",
            self.name(),
            self.width,
            self.width + 16,
            self.width + 32,
            self.htotal,
            self.height,
            self.height + 3,
            self.height + 8,
            self.vtotal
        )
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn refresh_is_a_multiple_of_the_frame_rate_and_never_below_24() {
        let hz = |rate| Mode::choose(1280, 720, rate).hz;
        assert_eq!([hz(1), hz(10), hz(15), hz(24), hz(25), hz(30), hz(60)], [24, 30, 30, 24, 25, 30, 60]);
    }

    #[test]
    fn clocks_stay_where_the_driver_takes_them() {
        for (width, height) in [(16, 16), (64, 64), (1280, 720), (2560, 2560), (2560, 16)] {
            for rate in 1..=60 {
                let mode = Mode::choose(width, height, rate);
                let khz = u64::from(mode.htotal) * u64::from(mode.vtotal) * u64::from(mode.hz) / 1000;
                assert!(CLOCK_KHZ.contains(&khz), "{mode}: {khz} kHz");
                assert!(mode.htotal < 16_384 && mode.vtotal < 16_384, "{mode}");
            }
        }
    }

    #[test]
    fn the_largest_picture_gives_up_refresh_rate() {
        assert!(Mode::choose(2560, 2560, 60).hz >= 40);
        assert_eq!(Mode::choose(2560, 2560, 30).hz, 30);
    }
}
