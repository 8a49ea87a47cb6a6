//! Which time each sample of the sink was played at. Pure.

use std::collections::VecDeque;

use super::stream::SAMPLE_RATE;

/// How many blocks are looked at for the earliest arrival: a third of a second to a second.
const WINDOW: usize = 25;
/// How much before it arrives a sample counts as played, in microseconds: what the usual way of
/// recording a monitor, in fragments of 10 ms that count as played when they are complete, has.
const PLAYED_BEFORE_US: i64 = 10_000;
/// A sink that is slow by some millionths is followed after so many blocks: 4 to 16 s.
const PERIOD: u32 = 400;
/// A chunk that arrives so shortly after another is of the same block, in microseconds.
const SAME_BLOCK_US: i64 = 3_000;
/// One of so many chunks may be of the same block and yet arrive later than that.
const STRAY: usize = 8;
/// A deviation beyond this is a real jump (the daemon was stopped for a while), in microseconds.
const JUMP_US: i64 = 15_000;

/// Maps samples to the monotonic clock.
///
/// The null sink plays by the same clock that we read, so there is no drift to follow. It gives a
/// block away, in one or more chunks, when the first sample of it is to be played, however long
/// it is, or later, never earlier. So the earliest of the last arrivals, but for a stray one,
/// tells the time of the first sample.
#[derive(Debug, Default)]
pub struct SoundClock {
    /// Samples (of one channel) that have arrived.
    arrived: u64,
    last_arrival: Option<i64>,
    /// For the last blocks: the arrival, less the time that all samples before it take.
    origins: VecDeque<i64>,
    origin: Option<i64>,
    /// The lowest of what was the earliest in this period, and how many blocks it has had.
    period: Option<(i64, u32)>,
}

impl SoundClock {
    /// A chunk of `samples` arrived at `now_us`; returns when its first sample was played.
    pub fn arrive(&mut self, now_us: i64, samples: u64) -> i64 {
        let first = self.arrived;
        self.arrived += samples;
        let same_block = self.last_arrival.is_some_and(|last| now_us - last < SAME_BLOCK_US);
        self.last_arrival = Some(now_us);
        let origin = match self.origin {
            Some(origin) if same_block => origin,
            known => self.follow(known, now_us - PLAYED_BEFORE_US - length_us(first)),
        };
        self.origin = Some(origin);
        origin + length_us(first)
    }

    /// The origin after one more block that says when it was.
    fn follow(&mut self, known: Option<i64>, said: i64) -> i64 {
        if self.origins.len() == WINDOW {
            self.origins.pop_front();
        }
        self.origins.push_back(said);
        let earliest = self.earliest();
        let (lowest, blocks) = self.period.unwrap_or((earliest, 0));
        self.period = Some((lowest.min(earliest), blocks + 1));
        let Some(known) = known else {
            return earliest;
        };
        // Only a whole window tells a jump: one late chunk is none.
        let jumped = earliest > known + JUMP_US && self.origins.len() == WINDOW;
        if earliest < known || jumped {
            return earliest;
        }
        match self.period {
            Some((lowest, blocks)) if blocks >= PERIOD => {
                self.period = None;
                lowest.max(known)
            }
            _ => known,
        }
    }

    /// The earliest origin of the window, without the stray ones.
    fn earliest(&self) -> i64 {
        let mut origins: Vec<i64> = self.origins.iter().copied().collect();
        origins.sort_unstable();
        origins.get(origins.len() / STRAY).copied().unwrap_or_default()
    }
}

/// How long this many samples take, in microseconds.
fn length_us(samples: u64) -> i64 {
    (samples as i128 * 1_000_000 / i128::from(SAMPLE_RATE)) as i64
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn late_arrivals_do_not_move_the_sound() {
        let mut clock = SoundClock::default();
        for i in 0..1000 {
            let late = if i % 7 == 0 { 9_000 } else { 300 };
            let first = clock.arrive(1_010_000 + i * 10_000 + late, 480);
            if i > 10 {
                assert!((first - (1_000_300 + i * 10_000)).abs() < 400, "{i}: {first}");
            }
        }
    }

    #[test]
    fn neither_longer_blocks_nor_parts_of_one_move_the_sound() {
        let mut clock = SoundClock::default();
        let mut now = 1_000_000;
        for i in 0..1000 {
            let parts = if i / 100 % 2 == 0 { [1_920, 0] } else { [500, 57] };
            for samples in parts.into_iter().filter(|samples| *samples > 0) {
                let played = now - PLAYED_BEFORE_US + if samples == parts[0] { 0 } else { length_us(parts[0]) };
                let first = clock.arrive(now + i % 3 * 200, samples);
                assert!((first - played).abs() < 700, "{i}: {first}");
            }
            now += length_us(parts.iter().sum());
        }
    }

    #[test]
    fn the_rest_of_a_block_may_come_late() {
        let mut clock = SoundClock::default();
        for i in 0..2_000 {
            let now = 1_000_000 + i * 11_600;
            let played = clock.arrive(now, 500);
            assert!((played - (now - PLAYED_BEFORE_US)).abs() < 700, "{i}: {played}");
            // Its first sample is played 10.4 ms after the first of the block.
            clock.arrive(now + if i % 10 == 9 { 4_500 } else { 100 }, 57);
        }
    }

    #[test]
    fn a_slow_sink_is_followed() {
        let mut clock = SoundClock::default();
        for i in 0..50_000 {
            // 100 millionths too slow.
            let played = 1_000_000 + i * 10_001;
            let late = if i % 7 == 0 { 0 } else { 900 };
            let first = clock.arrive(played + PLAYED_BEFORE_US + late, 480);
            assert!((first - played).abs() < 1_500, "{i}: {first} for {played}");
        }
    }

    #[test]
    fn a_halt_of_the_daemon_is_a_jump() {
        let mut clock = SoundClock::default();
        let mut last = 0;
        for i in 0..300 {
            let halt = if i < 100 { 0 } else { 400_000 };
            last = clock.arrive((i + 1) * 10_000 + halt, 480);
        }
        assert!((last - (299 * 10_000 + 400_000)).abs() < 1_000);
    }
}
