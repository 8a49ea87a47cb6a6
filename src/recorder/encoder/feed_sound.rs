//! Which sound goes into the encoder: what was played while it was recorded, without holes. Pure
//! but for the sink that takes what was decided.

use std::borrow::Cow;
use std::collections::VecDeque;
use std::io;

use super::lasting::{Lasting, is_silent};
use super::sink::Sink;
use super::timeline::Timeline;
use crate::media::grid::{sample_at, us_of};
use crate::recorder::sound::Chunk;

/// Where no sound comes for so long, silence is put in, in microseconds.
pub const SOUND_PATIENCE_US: i64 = 1_000_000;
/// Sound may deviate so many samples from its place (5 ms) before it is moved; a chunk's time is
/// no more exact than the daemon's wake-ups.
const TOLERANCE: i64 = 240;
/// From this deviation on (1 ms) a chunk is made longer or shorter by a sample: the sink's clock
/// gains some millionths, because it rounds.
const DRIFT: i64 = 48;
/// Shorter chunks, in samples, are left as they are.
const LEAST_STRETCHED: usize = 200;
/// A stretch of silence is written in pieces of so many samples.
const SILENCE_PIECE: i64 = 4_800;
const SAMPLE_BYTES: usize = 4;

/// The sound that waits to be committed, and where the next of it goes.
pub struct SoundFeed {
    chunks: VecDeque<Chunk>,
    next_sample: i64,
    silence: Lasting,
}

impl SoundFeed {
    /// Goes on at this sample of the video.
    pub fn at(sample: i64) -> Self {
        Self { chunks: VecDeque::new(), next_sample: sample, silence: Lasting::default() }
    }

    /// A new encoder begins at this sample; what is pending stays.
    pub fn restart(&mut self, sample: i64) {
        self.next_sample = sample;
    }

    pub fn push(&mut self, chunk: Chunk) {
        self.chunks.push_back(chunk);
    }

    /// How much of it is silent though it might be heard, in microseconds.
    pub fn silent_us(&self) -> i64 {
        self.silence.total_us()
    }

    /// When the sound that has arrived ends.
    pub fn until(&self) -> Option<i64> {
        self.chunks.back().map(chunk_end)
    }

    /// Gives the sink all up to this time; silence instead of it if it is not to be heard.
    pub fn commit(&mut self, until: i64, timeline: &Timeline, silent: bool, sink: &mut impl Sink) -> io::Result<()> {
        while let Some(chunk) = self.chunks.pop_front_if(|chunk| chunk_end(chunk) <= until) {
            self.commit_chunk(&chunk, timeline, silent, sink)?;
        }
        match timeline.place(until - SOUND_PATIENCE_US) {
            Some(place) => self.silence_until(sample_at(place), silent, sink),
            None => Ok(()),
        }
    }

    /// Gives the sink the rest up to the end of what is recorded.
    pub fn commit_end(&mut self, end: i64, timeline: &Timeline, silent: bool, sink: &mut impl Sink) -> io::Result<()> {
        // A chunk that reaches beyond the end; the rest of it is not recorded.
        if let Some(chunk) = self.chunks.pop_front_if(|chunk| chunk.at_us < end) {
            self.commit_chunk(&chunk, timeline, silent, sink)?;
        }
        self.silence_until(sample_at(timeline.length(end)), silent, sink)
    }

    fn commit_chunk(
        &mut self,
        chunk: &Chunk,
        timeline: &Timeline,
        silent: bool,
        sink: &mut impl Sink,
    ) -> io::Result<()> {
        for (from, to) in timeline.recorded(chunk.at_us, chunk_end(chunk)) {
            let Some(place) = timeline.place(from) else { continue };
            let samples = sample_at(from - chunk.at_us)..sample_at(to - chunk.at_us);
            let bytes = samples.start as usize * SAMPLE_BYTES..samples.end as usize * SAMPLE_BYTES;
            let Some(data) = chunk.data.get(bytes) else { continue };
            self.place(sample_at(place), data, silent, sink)?;
        }
        Ok(())
    }

    fn place(&mut self, sample: i64, data: &[u8], silent: bool, sink: &mut impl Sink) -> io::Result<()> {
        let ahead = sample - self.next_sample;
        let mut data = Cow::Borrowed(data);
        if ahead > TOLERANCE {
            self.silence_until(sample, silent, sink)?;
        } else if ahead < -TOLERANCE {
            let from = (-ahead) as usize * SAMPLE_BYTES;
            data = data.get(from..).unwrap_or_default().to_vec().into();
        } else if ahead.abs() > DRIFT && data.len() >= LEAST_STRETCHED * SAMPLE_BYTES {
            let samples = data.len() / SAMPLE_BYTES;
            data = stretched(&data, samples.saturating_add_signed(ahead.signum() as isize)).into();
        }
        if silent {
            return self.silence_until(self.next_sample + (data.len() / SAMPLE_BYTES) as i64, true, sink);
        }
        self.silence.pass(is_silent(&data), us_of((data.len() / SAMPLE_BYTES) as i64));
        self.give(&data, sink)
    }

    /// Silence up to this sample: `wanted`, or because no sound has come.
    fn silence_until(&mut self, sample: i64, wanted: bool, sink: &mut impl Sink) -> io::Result<()> {
        static SILENCE: [u8; SILENCE_PIECE as usize * SAMPLE_BYTES] = [0; SILENCE_PIECE as usize * SAMPLE_BYTES];
        let missing = us_of((sample - self.next_sample).max(0));
        self.silence.pass(!wanted, missing);
        while self.next_sample < sample {
            let piece = (sample - self.next_sample).min(SILENCE_PIECE) as usize;
            self.give(&SILENCE[..piece * SAMPLE_BYTES], sink)?;
        }
        Ok(())
    }

    fn give(&mut self, data: &[u8], sink: &mut impl Sink) -> io::Result<()> {
        if data.is_empty() {
            return Ok(());
        }
        let sample = self.next_sample;
        self.next_sample += (data.len() / SAMPLE_BYTES) as i64;
        sink.sound(sample, data)
    }
}

/// The same sound in another number of samples, two at least, by linear interpolation.
fn stretched(data: &[u8], samples: usize) -> Vec<u8> {
    let last = data.len() / SAMPLE_BYTES - 1;
    let value = |sample: usize, side: usize| {
        let at = sample * SAMPLE_BYTES + side * 2;
        i64::from(i16::from_le_bytes([data[at], data[at + 1]]))
    };
    let span = samples as i64 - 1;
    let mut result = Vec::with_capacity(samples * SAMPLE_BYTES);
    for i in 0..samples {
        let (whole, part) = (i * last / span as usize, (i * last) as i64 % span);
        for side in 0..2 {
            let (one, next) = (value(whole, side), value((whole + 1).min(last), side));
            let between = one + (next - one) * part / span;
            result.extend_from_slice(&(between as i16).to_le_bytes());
        }
    }
    result
}

fn chunk_end(chunk: &Chunk) -> i64 {
    chunk.at_us + us_of((chunk.data.len() / SAMPLE_BYTES) as i64)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::recorder::encoder::sink::Placed;

    /// Where the sound given so far ends, and how it went on there.
    #[derive(Default)]
    struct Heard {
        samples: Vec<i16>,
    }

    impl Sink for Heard {
        fn picture(&mut self, _: Placed<'_>) -> io::Result<()> {
            Ok(())
        }

        fn sound(&mut self, sample: i64, data: &[u8]) -> io::Result<()> {
            assert_eq!(sample as usize, self.samples.len(), "no hole, nothing twice");
            self.samples.extend(data.chunks(SAMPLE_BYTES).map(|both| i16::from_le_bytes([both[0], both[1]])));
            Ok(())
        }

        fn boundary(&mut self, _: i64) {}
    }

    #[test]
    fn a_clock_that_gains_is_followed_without_a_click() {
        let mut timeline = Timeline::at(0);
        timeline.join(0);
        let (mut feed, mut heard) = (SoundFeed::at(0), Heard::default());
        // A tone of 300 Hz from a sink that plays 300 millionths too fast for a minute.
        let tone = |sample: i64| (9_000.0 * (sample as f64 * 300.0 * std::f64::consts::TAU / 48_000.0).sin()) as i16;
        let mut played = 0;
        while us_of(played) < 60_000_000 {
            let at_us = us_of(played) * 999_700 / 1_000_000;
            let data = (played..played + 557).flat_map(|sample| [tone(sample); 2]).flat_map(i16::to_le_bytes).collect();
            feed.push(Chunk { at_us, data });
            feed.commit(at_us + 20_000, &timeline, false, &mut heard).expect("committed");
            played += 557;
        }
        let length = us_of(heard.samples.len() as i64) - us_of(played) * 999_700 / 1_000_000;
        assert!(length.abs() < 1_200, "{length} us too long");
        let steepest = heard.samples.windows(2).map(|pair| pair[1].abs_diff(pair[0])).max();
        let of_the_tone = (0..48_000).map(|sample| tone(sample + 1).abs_diff(tone(sample))).max();
        assert!(steepest <= of_the_tone.map(|step| step + 10), "{steepest:?} against {of_the_tone:?}");
    }
}
