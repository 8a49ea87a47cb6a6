//! Which sound goes into the encoder: what was played while it was recorded, without holes. Pure
//! but for the sink that takes what was decided.

use std::collections::VecDeque;
use std::io;

use super::feed::Sink;
use super::timeline::Timeline;
use crate::media::grid::{sample_at, us_of};
use crate::recorder::sound::Chunk;

/// Where no sound comes for so long, silence is put in, in microseconds.
pub const SOUND_PATIENCE_US: i64 = 1_000_000;
/// Sound may deviate so many samples from its place (5 ms) before it is moved; a chunk's time is
/// no more exact than the daemon's wake-ups.
const TOLERANCE: i64 = 240;
/// A stretch of silence is written in pieces of so many samples.
const SILENCE_PIECE: i64 = 4_800;
const SAMPLE_BYTES: usize = 4;

/// The sound that waits to be committed, and where the next of it goes.
pub struct SoundFeed {
    chunks: VecDeque<Chunk>,
    next_sample: i64,
}

impl SoundFeed {
    /// Goes on at this sample of the video.
    pub fn at(sample: i64) -> Self {
        Self { chunks: VecDeque::new(), next_sample: sample }
    }

    /// A new encoder begins at this sample; what is pending stays.
    pub fn restart(&mut self, sample: i64) {
        self.next_sample = sample;
    }

    pub fn push(&mut self, chunk: Chunk) {
        self.chunks.push_back(chunk);
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
            Some(place) => self.silence_until(sample_at(place), sink),
            None => Ok(()),
        }
    }

    /// Gives the sink the rest up to the end of what is recorded.
    pub fn commit_end(&mut self, end: i64, timeline: &Timeline, silent: bool, sink: &mut impl Sink) -> io::Result<()> {
        // A chunk that reaches beyond the end; the rest of it is not recorded.
        if let Some(chunk) = self.chunks.pop_front_if(|chunk| chunk.at_us < end) {
            self.commit_chunk(&chunk, timeline, silent, sink)?;
        }
        self.silence_until(sample_at(timeline.length(end)), sink)
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
        let mut data = data;
        if ahead > TOLERANCE {
            self.silence_until(sample, sink)?;
        } else if ahead < -TOLERANCE {
            data = data.get((-ahead) as usize * SAMPLE_BYTES..).unwrap_or_default();
        }
        if silent {
            return self.silence_until(self.next_sample + (data.len() / SAMPLE_BYTES) as i64, sink);
        }
        self.give(data, sink)
    }

    fn silence_until(&mut self, sample: i64, sink: &mut impl Sink) -> io::Result<()> {
        static SILENCE: [u8; SILENCE_PIECE as usize * SAMPLE_BYTES] = [0; SILENCE_PIECE as usize * SAMPLE_BYTES];
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

fn chunk_end(chunk: &Chunk) -> i64 {
    chunk.at_us + us_of((chunk.data.len() / SAMPLE_BYTES) as i64)
}
