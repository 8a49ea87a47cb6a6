//! How many bits a second a track has.

use mp4_atom::Btrt;

/// Counts samples as they come.
#[derive(Debug, Default)]
pub(super) struct Rate {
    /// The whole second that is being counted, and its bytes.
    second: i64,
    bytes: u64,
    fullest: u64,
    total: u64,
    largest: u32,
}

impl Rate {
    /// A sample that begins in this second of the track.
    pub fn count(&mut self, second: i64, size: u32) {
        if second != self.second {
            self.second = second;
            self.bytes = 0;
        }
        self.bytes += u64::from(size);
        self.total += u64::from(size);
        self.fullest = self.fullest.max(self.bytes);
        self.largest = self.largest.max(size);
    }

    /// ISO/IEC 14496-12, 8.5.2.2: the largest sample as the buffer's size, the fullest whole second, the average.
    pub fn over(&self, ticks: u64, timescale: u32) -> Btrt {
        let average = u128::from(self.total) * 8 * u128::from(timescale) / u128::from(ticks.max(1));
        let avg_bitrate = u32::try_from(average).unwrap_or(u32::MAX);
        let fullest = u32::try_from(self.fullest.saturating_mul(8)).unwrap_or(u32::MAX);
        Btrt { buffer_size_db: self.largest, max_bitrate: fullest.max(avg_bitrate), avg_bitrate }
    }
}
