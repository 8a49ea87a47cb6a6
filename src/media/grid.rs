//! The audio grid: where the packets of every part lie in the video, to the sample.
//!
//! The recording has one global sample index: video time x 48 kHz. The packets of all parts begin
//! at multiples of the packet length on it, so parts can be joined packet by packet without
//! losing or adding a sample, although containers round times to the millisecond.

use super::packet::{AudioCodec, SAMPLE_RATE};

/// [`SAMPLE_RATE`] for calculating with.
pub const SAMPLES_PER_SECOND: i64 = SAMPLE_RATE as i64;
const RATE: i64 = SAMPLES_PER_SECOND;

/// The grid of one audio codec. Sample indices are `i64`; before the recording's start (priming)
/// they are negative.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct AudioGrid {
    samples_per_packet: i64,
    preskip: i64,
}

impl AudioGrid {
    /// AAC-LC: 1024 samples a packet, and as many of priming.
    pub const AAC: AudioGrid = AudioGrid { samples_per_packet: 1024, preskip: 1024 };
    /// Opus as libopus makes it: 20 ms packets, 312 samples of pre-skip.
    pub const OPUS: AudioGrid = AudioGrid { samples_per_packet: 960, preskip: 312 };

    /// The grid of an encoded codec; None for PCM, which has no packets of its own.
    pub const fn of(codec: AudioCodec) -> Option<AudioGrid> {
        match codec {
            AudioCodec::Aac => Some(Self::AAC),
            AudioCodec::Opus => Some(Self::OPUS),
            AudioCodec::PcmS16le => None,
        }
    }

    pub const fn samples_per_packet(self) -> i64 {
        self.samples_per_packet
    }

    /// Samples that an encoder puts before the first one it is given.
    pub const fn preskip(self) -> i64 {
        self.preskip
    }

    /// The grid point nearest to a sample; halves go up.
    pub const fn nearest(self, sample: i64) -> i64 {
        self.floor(sample + self.samples_per_packet / 2)
    }

    /// The last grid point at or before a sample.
    pub const fn floor(self, sample: i64) -> i64 {
        sample - sample.rem_euclid(self.samples_per_packet)
    }

    /// The first grid point at or after a sample.
    pub const fn ceil(self, sample: i64) -> i64 {
        self.floor(sample + self.samples_per_packet - 1)
    }

    /// The first sample at or after `end` with which an encoder can be started so that its packets
    /// lie on the grid: s = pre-skip (mod packet length).
    pub const fn start_for(self, end: i64) -> i64 {
        let behind = (self.preskip - end).rem_euclid(self.samples_per_packet);
        end + behind
    }

    /// The grid point of a packet that a container shows at `us` (rounded to the millisecond).
    pub const fn at_us(self, us: i64) -> i64 {
        self.nearest(sample_at(us))
    }
}

/// The sample nearest to a time in microseconds.
pub const fn sample_at(us: i64) -> i64 {
    // In two steps, so that no time that fits into an i64 overflows.
    let (seconds, rest) = (us.div_euclid(1_000_000), us.rem_euclid(1_000_000));
    seconds * RATE + (rest * RATE + 500_000) / 1_000_000
}

/// The time of a sample, rounded to the microsecond.
pub const fn us_of(sample: i64) -> i64 {
    let (seconds, rest) = (sample.div_euclid(RATE), sample.rem_euclid(RATE));
    seconds * 1_000_000 + (rest * 1_000_000 + RATE / 2) / RATE
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn an_aac_encoder_starts_where_the_last_part_ended() {
        assert_eq!(AudioGrid::AAC.start_for(0), 0);
        assert_eq!(AudioGrid::AAC.start_for(10 * 1024), 10 * 1024);
        assert_eq!(AudioGrid::AAC.start_for(10 * 1024 + 1), 11 * 1024);
    }

    #[test]
    fn an_opus_encoder_starts_a_preskip_later() {
        assert_eq!(AudioGrid::OPUS.start_for(0), 312);
        assert_eq!(AudioGrid::OPUS.start_for(960), 960 + 312);
        assert_eq!(AudioGrid::OPUS.start_for(960 + 313), 2 * 960 + 312);
    }

    #[test]
    fn priming_lies_before_the_start() {
        assert_eq!(AudioGrid::AAC.at_us(-21_333), -1024);
        assert_eq!(AudioGrid::AAC.at_us(-21_000), -1024);
        assert_eq!(AudioGrid::AAC.at_us(400), 0);
    }

    proptest! {
        #[test]
        fn millisecond_rounding_never_moves_a_packet(index in -10i64..20_000_000, opus: bool) {
            let grid = if opus { AudioGrid::OPUS } else { AudioGrid::AAC };
            let sample = index * grid.samples_per_packet();
            let rounded = (us_of(sample) + 500).div_euclid(1000) * 1000;
            prop_assert_eq!(grid.at_us(rounded), sample);
        }

        #[test]
        fn samples_survive_microseconds(sample in -1_000_000i64..40_000_000_000) {
            prop_assert_eq!(sample_at(us_of(sample)), sample);
        }

        #[test]
        fn floor_and_ceil_enclose(sample in -100_000i64..100_000_000) {
            let grid = AudioGrid::OPUS;
            prop_assert!(grid.floor(sample) <= sample && sample <= grid.ceil(sample));
            prop_assert!(grid.ceil(sample) - grid.floor(sample) <= 960);
            let start = grid.start_for(sample);
            prop_assert!(start >= sample && start < sample + 960 && (start - 312) % 960 == 0);
        }
    }
}
