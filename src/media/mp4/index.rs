//! The finished index: how long the head is, and the head itself.

use std::io::{self, Read, Write};

use crate::media::grid::AudioGrid;
use crate::media::packet::SAMPLE_RATE;

use super::boxes;
use super::error::Mp4Error;
use super::format::MAX_AVCC;
use super::head::{Boxes, OffsetWidth, put};
use super::track::FinishedTrack;

/// The head of mdat with a size of 64 bits (ISO/IEC 14496-12, 4.2): always that, whatever the size.
const MDAT_HEADER: u64 = 16;
/// The head of a free box: there is no smaller padding.
const FREE_HEADER: u64 = 8;
/// Up to here a head with 32-bit chunk offsets may be as long as it is wanted to be.
const NARROW_HEAD: u64 = 1 << 30;

/// What a player needs to find its way in the media.
#[derive(Debug)]
pub struct Mp4Index {
    tracks: Vec<FinishedTrack>,
    media_bytes: u64,
    head_bytes: u64,
    width: OffsetWidth,
}

impl Mp4Index {
    pub(super) fn new(mut tracks: Vec<FinishedTrack>, media_bytes: u64) -> Result<Mp4Index, Mp4Error> {
        tracks.retain(FinishedTrack::is_presented);
        if tracks.is_empty() {
            return Err(Mp4Error::Empty);
        }
        let mut index = Mp4Index { tracks, media_bytes, head_bytes: 0, width: OffsetWidth::Narrow };
        index.head_bytes = index.boxes()?.bytes() + MDAT_HEADER;
        if media_bytes.saturating_add(index.head_bytes.max(NARROW_HEAD)) > u64::from(u32::MAX) {
            index.width = OffsetWidth::Wide;
            index.head_bytes = index.boxes()?.bytes() + MDAT_HEADER;
        }
        Ok(index)
    }

    /// Bytes that were given away as media.
    pub fn media_bytes(&self) -> u64 {
        self.media_bytes
    }

    /// From the movie's start to the end of its longer track, in microseconds.
    pub fn duration_us(&self) -> i64 {
        let ticks = i128::from(self.end()) * 1_000_000 + i128::from(boxes::MOVIE_TIMESCALE / 2);
        i64::try_from(ticks / i128::from(boxes::MOVIE_TIMESCALE)).unwrap_or(i64::MAX)
    }

    /// The least bytes that a head takes.
    pub fn head_bytes(&self) -> u64 {
        self.head_bytes
    }

    /// Writes the head, exactly `length` bytes: ftyp, moov, free where there is room left, and the head of mdat. The
    /// media begins at byte `length` of the file. Can be done again, with another length too.
    ///
    /// # Errors
    /// A length other than [`head_bytes`](Self::head_bytes) or 8 bytes and more above it, or above what chunk offsets
    /// reach (1 GiB can always be had); what writing and the spill folder give.
    pub fn write_head(&self, length: u64, out: &mut dyn Write) -> Result<(), Mp4Error> {
        let least = self.head_bytes;
        let most = match self.width {
            OffsetWidth::Narrow => u64::from(u32::MAX) - self.media_bytes,
            OffsetWidth::Wide => least.saturating_add(u32::MAX.into()),
        };
        let padding = match length.checked_sub(least) {
            Some(padding @ (0 | FREE_HEADER..)) if length <= most => padding,
            _ => return Err(Mp4Error::BadHeadLength { length, least, most }),
        };
        self.boxes()?.write(length, out)?;
        if let Ok(size @ 1..) = u32::try_from(padding) {
            put(out, &[size.to_be_bytes(), *b"free"].concat())?;
            zeros(u64::from(size) - FREE_HEADER, out)?;
        }
        let large = 1_u32;
        put(out, &[large.to_be_bytes(), *b"mdat"].concat())?;
        put(out, &(MDAT_HEADER + self.media_bytes).to_be_bytes())
    }

    /// When the last sample is over, in ticks of the movie.
    fn end(&self) -> u64 {
        self.tracks.iter().map(FinishedTrack::end_in_movie).max().unwrap_or(0)
    }

    /// ftyp and moov.
    fn boxes(&self) -> Result<Boxes<'_>, Mp4Error> {
        let next_track_id = self.tracks.len() as u32 + 1;
        let mut moov = vec![boxes::mvhd(self.end(), next_track_id)?];
        for (track, id) in self.tracks.iter().zip(1..) {
            moov.push(self.trak(track, id)?);
        }
        let mut all = boxes::ftyp()?;
        all.append(Boxes::container(b"moov", moov)?);
        Ok(all)
    }

    fn trak<'a>(&self, track: &'a FinishedTrack, id: u32) -> Result<Boxes<'a>, Mp4Error> {
        let media_header = boxes::media_header(&track.format)?;
        let minf = Boxes::container(b"minf", [media_header, boxes::dinf()?, self.stbl(track)?])?;
        let mdia = Boxes::container(b"mdia", [boxes::mdhd(track)?, boxes::hdlr(&track.format)?, minf])?;
        let edts = boxes::edts(track)?;
        Boxes::container(b"trak", [Some(boxes::tkhd(track, id)?), edts, Some(mdia)].into_iter().flatten())
    }

    /// 8.5.1. Without stss all samples are key frames.
    fn stbl<'a>(&self, track: &'a FinishedTrack) -> Result<Boxes<'a>, Mp4Error> {
        let tables = &track.tables;
        let (samples, keys) = (tables.sizes.rows(), tables.keys.rows());
        let each_its_own_size = 0;
        let mut all = vec![
            boxes::stsd(track)?,
            Boxes::table(b"stts", &[tables.durations.rows()], &tables.durations)?,
            Boxes::table(b"stsc", &[tables.chunk_lengths.rows()], &tables.chunk_lengths)?,
            Boxes::table(b"stsz", &[each_its_own_size, samples], &tables.sizes)?,
            Boxes::chunk_offsets(&tables.chunks, self.width)?,
        ];
        if keys < samples {
            all.push(Boxes::table(b"stss", &[keys], &tables.keys)?);
        }
        Boxes::container(b"stbl", all)
    }
}

fn zeros(count: u64, out: &mut dyn Write) -> Result<(), Mp4Error> {
    io::copy(&mut io::repeat(0).take(count), out).map_err(Mp4Error::io("write the padding"))?;
    Ok(())
}

/// Bytes of all boxes without the rows of the tables and the avcC record; really about 1 KiB for both tracks.
const FIXED: u64 = 4096;
const AAC_SAMPLES: u64 = AudioGrid::AAC.samples_per_packet() as u64;
/// Rows of a picture: stts 8, stsz 4, stss 4. Only pictures that all last differently take the first.
const PICTURE: u64 = 8 + 4 + 4;
/// Rows of a packet of sound: stts 8, stsz 4. Only holes take the first.
const SOUND: u64 = 8 + 4;
/// Rows of a chunk: stsc 12, co64 8.
const CHUNK: u64 = 12 + 8;
/// How often a chunk of each track is closed: twice a second as each of the tracks has half a second, and 12 times as
/// both have 4 MiB. Two such times in a row take more than 4 MiB, so these are 200 Mbit/s.
const CLOSED_A_SECOND: u64 = 2 + 2 + 12;

/// No head is longer than this, padding not counted: for at most so many seconds with at most so many pictures in each,
/// and at most 200 Mbit/s on average. For deciding how much room is kept free before the media.
pub fn head_bytes_at_most(max_seconds: u32, frames_per_second: u32) -> u64 {
    // What is open at the end, and priming.
    let seconds = u64::from(max_seconds) + 1;
    let pictures = seconds * u64::from(frames_per_second);
    let sounds = seconds * u64::from(SAMPLE_RATE).div_ceil(AAC_SAMPLES);
    let chunks = seconds * CLOSED_A_SECOND * 2;
    let rows = pictures.saturating_mul(PICTURE).saturating_add(sounds * SOUND + chunks * CHUNK);
    rows.saturating_add(FIXED + MAX_AVCC as u64)
}
