//! A streaming reader: front to back, no seeking, so it reads pipes and growing files alike.
//!
//! Elements are recognised by ID, so clusters of unknown size need no special case, and a part
//! that a crash tore off is read up to its last whole block.

use std::io::{BufReader, Read};

use super::ids;
use super::tracks;
use crate::media::ebml::{EbmlError, Header, Source, children, uint};
use crate::media::packet::{Packet, TrackKind, Tracks};

const MAX_PACKET: u64 = 32 << 20;
const MAX_HEADER: u64 = 4 << 10;
const MAX_INFO: u64 = 64 << 10;
const MAX_TRACKS_ELEMENT: u64 = 1 << 20;
/// About 11 days: more than any recording, small enough to calculate with.
const MAX_TIME_US: i128 = 1_000_000_000_000;

/// Why bytes are not a part.
#[derive(Debug, thiserror::Error)]
pub enum ReadError {
    #[error("cannot be read: {0}")]
    Io(std::io::Error),
    #[error("is empty")]
    Empty,
    #[error("ends before its first packet could begin")]
    EndsInHeader,
    #[error("is not a Matroska file; playlists, scripts and other containers are refused")]
    NotMatroska,
    #[error("is damaged at byte {at}: {what}")]
    Malformed { at: u64, what: &'static str },
    #[error("holds an element of {size} bytes at byte {at}; at most {limit} are taken")]
    TooLong { at: u64, size: u64, limit: u64 },
    #[error("holds {0}, which panorec never writes")]
    Unsupported(&'static str),
    #[error("holds the codec {0:?}, which panorec never writes")]
    Codec(String),
}

impl ReadError {
    pub(super) fn codec(id: &[u8]) -> Self {
        ReadError::Codec(String::from_utf8_lossy(&id[..id.len().min(40)]).into_owned())
    }
}

impl From<EbmlError> for ReadError {
    fn from(error: EbmlError) -> Self {
        match error {
            EbmlError::Io(error) => ReadError::Io(error),
            EbmlError::Ends => ReadError::EndsInHeader,
            EbmlError::BadId { at } => ReadError::Malformed { at, what: "no element begins here" },
            EbmlError::BadSize { at } => ReadError::Malformed { at, what: "a size that cannot be" },
            EbmlError::TooLong { at, size, limit } => ReadError::TooLong { at, size, limit },
        }
    }
}

/// Reads packets out of Matroska or WebM. Hostile input gives an error or an early end; it never
/// panics, and never allocates more than what was really read (times two).
#[derive(Debug)]
pub struct MatroskaReader<R> {
    source: Source<BufReader<R>>,
    tracks: Tracks,
    numbers: Vec<(u64, TrackKind)>,
    timestamp_scale_ns: u64,
    codec_delay_ns: u64,
    /// Of the cluster that is being read.
    cluster_timestamp: Option<u64>,
    segment_end: Option<u64>,
    cluster_end: Option<u64>,
    state: State,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum State {
    Packets,
    Ended { torn: bool },
}

impl<R: Read> MatroskaReader<R> {
    /// Reads up to the first cluster's begin: blocks on a pipe until FFmpeg wrote its header.
    ///
    /// # Errors
    /// When this is no Matroska, or none of the kind that panorec writes.
    pub fn new(inner: R) -> Result<Self, ReadError> {
        let mut source = Source::new(BufReader::with_capacity(64 << 10, inner));
        let segment_end = open_segment(&mut source)?;
        let mut reader = MatroskaReader {
            source,
            tracks: Tracks::default(),
            numbers: Vec::new(),
            timestamp_scale_ns: 1_000_000,
            codec_delay_ns: 0,
            cluster_timestamp: None,
            segment_end,
            cluster_end: None,
            state: State::Packets,
        };
        while reader.numbers.is_empty() {
            let header = reader.source.header()?.ok_or(ReadError::EndsInHeader)?;
            reader.head_element(header)?;
        }
        Ok(reader)
    }

    pub fn tracks(&self) -> &Tracks {
        &self.tracks
    }

    /// Whether the bytes ended inside an element, as after a crash. Known once `next_packet` gave
    /// `Ok(None)`.
    pub fn torn(&self) -> bool {
        self.state == State::Ended { torn: true }
    }

    /// Bytes read so far.
    pub fn position(&self) -> u64 {
        self.source.position()
    }

    /// The next packet in file order; None at the end, also at a torn one. Times of sound have the
    /// codec delay taken off, so that priming lies before 0.
    pub fn next_packet(&mut self) -> Result<Option<Packet>, ReadError> {
        if self.state != State::Packets {
            return Ok(None);
        }
        match self.read_packet() {
            Ok(Some(packet)) => Ok(Some(packet)),
            Ok(None) => {
                let at = self.source.position();
                let short = |end: Option<u64>| end.is_some_and(|end| at < end);
                self.state = State::Ended { torn: short(self.segment_end) || short(self.cluster_end) };
                Ok(None)
            }
            Err(ReadError::EndsInHeader) => {
                self.state = State::Ended { torn: true };
                Ok(None)
            }
            Err(error) => {
                self.state = State::Ended { torn: true };
                Err(error)
            }
        }
    }

    fn head_element(&mut self, header: Header) -> Result<(), ReadError> {
        match header.id {
            ids::INFO => {
                let body = self.source.body(header, MAX_INFO)?;
                self.timestamp_scale_ns = timestamp_scale(&body, header.at)?;
            }
            ids::TRACKS => {
                let body = self.source.body(header, MAX_TRACKS_ELEMENT)?;
                (self.tracks, self.numbers) = tracks::parse(&body, header.at)?;
                self.codec_delay_ns = self.tracks.audio.as_ref().map_or(0, |audio| audio.codec_delay_ns);
            }
            ids::CLUSTER | ids::SIMPLE_BLOCK | ids::BLOCK_GROUP | ids::SEGMENT | ids::EBML => {
                let what = "media before the tracks are told";
                return Err(ReadError::Malformed { at: header.at, what });
            }
            _ => self.source.skip(header)?,
        }
        Ok(())
    }

    fn read_packet(&mut self) -> Result<Option<Packet>, ReadError> {
        while let Some(header) = self.source.header()? {
            match header.id {
                ids::CLUSTER => {
                    let body = self.source.position();
                    self.cluster_end = header.size.map(|size| body.saturating_add(size));
                    self.cluster_timestamp = None;
                }
                ids::TIMESTAMP => {
                    let body = self.source.body(header, 8)?;
                    self.cluster_timestamp = Some(uint(&body, header.at)?);
                }
                ids::SIMPLE_BLOCK => {
                    let block = self.source.body(header, MAX_PACKET)?;
                    return self.packet(block, None, None, header.at).map(Some);
                }
                ids::BLOCK_GROUP => {
                    let group = self.source.body(header, MAX_PACKET)?;
                    return self.group(&group, header.at).map(Some);
                }
                ids::EBML | ids::SEGMENT => {
                    let what = "a second file begins here";
                    return Err(ReadError::Malformed { at: header.at, what });
                }
                // FFmpeg repeats it at the end where it can seek; the first one counts.
                _ => self.source.skip(header)?,
            }
        }
        Ok(None)
    }

    fn group(&self, body: &[u8], at: u64) -> Result<Packet, ReadError> {
        let (mut block, mut duration, mut key) = (None, None, true);
        for child in children(body, at) {
            // The group was read whole: what ends early inside it is damage, not a torn file.
            let (header, body) = child.map_err(|error| match error {
                EbmlError::Ends => ReadError::Malformed { at, what: "a block group that lies" },
                error => error.into(),
            })?;
            match header.id {
                ids::BLOCK => block = Some(body.to_vec()),
                ids::BLOCK_DURATION => duration = Some(uint(body, header.at)?),
                ids::REFERENCE_BLOCK => key = false,
                _ => {}
            }
        }
        let block = block.ok_or(ReadError::Malformed { at, what: "a block group without block" })?;
        self.packet(block, Some(key), duration, at)
    }

    fn packet(
        &self,
        mut block: Vec<u8>,
        key: Option<bool>,
        duration: Option<u64>,
        at: u64,
    ) -> Result<Packet, ReadError> {
        let malformed = |what| ReadError::Malformed { at, what };
        let first = *block.first().ok_or(malformed("an empty block"))?;
        let length = first.leading_zeros() as usize + 1;
        if length > 8 || block.len() < length + 3 {
            return Err(malformed("a block without its head"));
        }
        let marked = uint(&block[..length], at)?;
        let number = marked & !(1 << (7 * length));
        let relative = i16::from_be_bytes([block[length], block[length + 1]]);
        let flags = block[length + 2];
        if flags & 0x06 != 0 {
            return Err(ReadError::Unsupported("laced blocks"));
        }
        let known = self.numbers.iter().find(|known| known.0 == number);
        let kind = known.ok_or(malformed("a block of a track that was not told"))?.1;
        let cluster = self.cluster_timestamp.ok_or(malformed("a block outside a cluster"))?;

        let scale = i128::from(self.timestamp_scale_ns);
        let mut ns = (i128::from(cluster) + i128::from(relative)) * scale;
        if kind == TrackKind::Audio {
            ns -= i128::from(self.codec_delay_ns);
        }
        let pts_us = microseconds(ns).ok_or(malformed("a time beyond any recording"))?;
        let duration_us = duration
            .map(|ticks| {
                let us = microseconds(i128::from(ticks) * scale);
                us.map(|us| us as u64).ok_or(malformed("a duration beyond any recording"))
            })
            .transpose()?;
        let key = kind == TrackKind::Audio || key.unwrap_or(flags & 0x80 != 0);
        block.drain(..length + 3);
        Ok(Packet { track: kind, pts_us, duration_us, key, data: block })
    }
}

/// Nanoseconds rounded to microseconds; None outside of what a recording can hold.
fn microseconds(ns: i128) -> Option<i64> {
    let us = (ns + 500).div_euclid(1000);
    (us.abs() <= MAX_TIME_US).then_some(us as i64)
}

/// Checks the EBML header and enters the segment; gives its end where it is known.
fn open_segment<R: Read>(source: &mut Source<R>) -> Result<Option<u64>, ReadError> {
    let header = match source.header() {
        Ok(Some(header)) if header.id == ids::EBML => header,
        Ok(None) => return Err(ReadError::Empty),
        Err(EbmlError::Io(error)) => return Err(ReadError::Io(error)),
        _ => return Err(ReadError::NotMatroska),
    };
    let body = source.body(header, MAX_HEADER)?;
    let mut matroska = false;
    for child in children(&body, header.at) {
        let (header, body) = child?;
        match header.id {
            ids::DOC_TYPE => matroska = matches!(tracks::text(body), b"matroska" | b"webm"),
            ids::EBML_READ_VERSION if uint(body, header.at)? > 1 => {
                return Err(ReadError::Unsupported("a newer EBML version"));
            }
            ids::EBML_MAX_ID_LENGTH if uint(body, header.at)? > 4 => {
                return Err(ReadError::Unsupported("element IDs above 4 bytes"));
            }
            ids::EBML_MAX_SIZE_LENGTH if uint(body, header.at)? > 8 => {
                return Err(ReadError::Unsupported("element sizes above 8 bytes"));
            }
            _ => {}
        }
    }
    if !matroska {
        return Err(ReadError::NotMatroska);
    }
    loop {
        let header = source.header()?.ok_or(ReadError::EndsInHeader)?;
        match header.id {
            ids::SEGMENT => {
                return Ok(header.size.map(|size| source.position().saturating_add(size)));
            }
            ids::VOID => source.skip(header)?,
            _ => {
                return Err(ReadError::Malformed { at: header.at, what: "no segment here" });
            }
        }
    }
}

fn timestamp_scale(body: &[u8], at: u64) -> Result<u64, ReadError> {
    for child in children(body, at) {
        let (header, body) = child?;
        if header.id == ids::TIMESTAMP_SCALE {
            let scale = uint(body, header.at)?;
            return (1..=1_000_000_000)
                .contains(&scale)
                .then_some(scale)
                .ok_or(ReadError::Malformed { at: header.at, what: "a time scale that cannot be" });
        }
    }
    Ok(1_000_000)
}
