//! A track while packets come: its sample tables, and the packets of the open chunk.

use std::io;
use std::path::Path;

use mp4_atom::Btrt;

use crate::media::grid::AudioGrid;
use crate::media::packet::{Packet, TrackKind};

use super::error::Mp4Error;
use super::format::Format;
use super::rate::Rate;
use super::table::Table;

/// About 11 days: more than any recording, small enough to calculate with.
const MAX_TIME_US: u64 = 1_000_000_000_000;
const AAC_TICKS: u32 = AudioGrid::AAC.samples_per_packet() as u32;

/// The sample tables of ISO/IEC 14496-12, their rows as in the file.
#[derive(Debug)]
pub(super) struct Tables {
    /// stts, 8.6.1.2: a number of samples, ticks that each lasts.
    pub durations: Table,
    /// stss, 8.6.2: the numbers of key frames, from 1 on.
    pub keys: Table,
    /// stsz, 8.7.3.2: bytes.
    pub sizes: Table,
    /// stsc, 8.7.4: a first chunk, samples in it and in those that follow, the sample description.
    pub chunk_lengths: Table,
    /// stco or co64, 8.7.5: here the place in the media, in eight bytes.
    pub chunks: Table,
}

#[derive(Debug)]
pub(super) struct Track {
    format: Format,
    tables: Tables,
    times: Option<Times>,
    /// The last run of samples that last equally long: how many, ticks.
    run: Option<(u32, u32)>,
    /// Samples in the last chunk that has a row of its own.
    samples_a_chunk: u32,
    rate: Rate,
    held: Vec<Vec<u8>>,
    held_from_us: Option<i64>,
}

/// Ticks of the first and of the last sample.
#[derive(Debug)]
struct Times {
    first: i64,
    last: i64,
    last_us: i64,
    /// How long the last sample lasts if none follows.
    lasts: u32,
}

impl Times {
    /// Ticks from the last sample to a packet's.
    fn gap(&self, at: i64, packet: &Packet) -> Result<u32, Mp4Error> {
        let (track, pts_us) = (packet.track, packet.pts_us);
        let ticks = at - self.last;
        if ticks <= 0 {
            return Err(Mp4Error::OutOfOrder { track, pts_us, last_us: self.last_us });
        }
        u32::try_from(ticks).map_err(|_| Mp4Error::BadTime { track, pts_us })
    }
}

/// A track that is complete.
#[derive(Debug)]
pub(super) struct FinishedTrack {
    pub format: Format,
    pub tables: Tables,
    /// When the first sample is presented, in ticks; below 0 it is priming.
    pub first: i64,
    /// What all samples last, in ticks.
    pub duration: u64,
    pub bit_rate: Btrt,
}

impl Track {
    pub fn new(format: Format, spill: &Path) -> Track {
        let table = || Table::new(spill);
        Track {
            format,
            tables: Tables {
                durations: table(),
                keys: table(),
                sizes: table(),
                chunk_lengths: table(),
                chunks: table(),
            },
            times: None,
            run: None,
            samples_a_chunk: 0,
            rate: Rate::default(),
            held: Vec::new(),
            held_from_us: None,
        }
    }

    pub fn kind(&self) -> TrackKind {
        self.format.kind()
    }

    /// How much later than the open chunk's first packet a time is, in microseconds; 0 without one.
    pub fn held_us(&self, pts_us: i64) -> i64 {
        self.held_from_us.map_or(0, |from| pts_us.saturating_sub(from))
    }

    /// Takes a packet into the tables and into the open chunk.
    pub fn take(&mut self, packet: Packet) -> Result<(), Mp4Error> {
        let length = packet.data.len();
        let size = u32::try_from(length).map_err(|_| Mp4Error::PacketTooLong(length as u64))?;
        let at = self.ticks(packet.pts_us, &packet)?;
        let gap = self.times.as_ref().map(|times| times.gap(at, &packet)).transpose()?;
        let lasts = self.lasts(at, gap, &packet)?;
        if let Some(ticks) = gap {
            self.lasted(ticks)?;
        }
        self.tables.sizes.push([size])?;
        if packet.key {
            self.tables.keys.push([self.tables.sizes.rows()])?;
        }
        let first = self.times.as_ref().map_or(at, |times| times.first);
        self.times = Some(Times { first, last: at, last_us: packet.pts_us, lasts });
        self.rate.count((at - first) / i64::from(self.format.timescale()), size);
        self.held_from_us.get_or_insert(packet.pts_us);
        self.held.push(packet.data);
        Ok(())
    }

    /// Closes the open chunk, which lies at byte `at` of the media, and gives its bytes away. Tells how many there were.
    pub fn release(&mut self, at: u64, media: &mut dyn FnMut(&[u8]) -> io::Result<()>) -> Result<u64, Mp4Error> {
        let samples = self.held.len() as u32;
        if samples == 0 {
            return Ok(0);
        }
        self.tables.chunks.push_long(at)?;
        if samples != self.samples_a_chunk {
            let (chunk, description) = (self.tables.chunks.rows(), 1);
            self.tables.chunk_lengths.push([chunk, samples, description])?;
            self.samples_a_chunk = samples;
        }
        let mut bytes = 0;
        for data in self.held.drain(..) {
            media(&data).map_err(Mp4Error::io("write the media"))?;
            bytes += data.len() as u64;
        }
        self.held_from_us = None;
        Ok(bytes)
    }

    /// The complete track; None when there was no packet.
    pub fn finish(mut self) -> Result<Option<FinishedTrack>, Mp4Error> {
        let Some(Times { first, last, lasts, .. }) = self.times else {
            return Ok(None);
        };
        self.lasted(lasts)?;
        if let Some((samples, ticks)) = self.run {
            self.tables.durations.push([samples, ticks])?;
        }
        let duration = last.abs_diff(first) + u64::from(lasts);
        let bit_rate = self.rate.over(duration, self.format.timescale());
        Ok(Some(FinishedTrack { format: self.format, tables: self.tables, first, duration, bit_rate }))
    }

    /// Ticks of a time of a packet, wherever a calculation with it cannot overflow.
    fn ticks(&self, us: i64, packet: &Packet) -> Result<i64, Mp4Error> {
        if us.unsigned_abs() > MAX_TIME_US {
            return Err(Mp4Error::BadTime { track: packet.track, pts_us: packet.pts_us });
        }
        Ok(self.format.ticks(us))
    }

    /// How long a packet lasts if none follows it. A picture without a duration lasts as long as the one before.
    fn lasts(&self, at: i64, gap: Option<u32>, packet: &Packet) -> Result<u32, Mp4Error> {
        match (packet.track, packet.duration_us) {
            (TrackKind::Audio, _) => Ok(AAC_TICKS),
            (TrackKind::Video, None) => Ok(gap.unwrap_or(0)),
            (TrackKind::Video, Some(us)) => {
                let end_us = packet.pts_us.saturating_add_unsigned(us);
                let ticks = self.ticks(end_us, packet)? - at;
                u32::try_from(ticks).map_err(|_| Mp4Error::BadTime { track: packet.track, pts_us: packet.pts_us })
            }
        }
    }

    /// Adds the duration of the next sample that has none.
    fn lasted(&mut self, ticks: u32) -> Result<(), Mp4Error> {
        match &mut self.run {
            Some((samples, same)) if *same == ticks => *samples += 1,
            run => {
                if let Some((samples, ticks)) = run.replace((1, ticks)) {
                    self.tables.durations.push([samples, ticks])?;
                }
            }
        }
        Ok(())
    }
}
