//! Writing what FFmpeg gives into parts.

use std::fs::File;
use std::io::{self, BufReader};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::mpsc::{SyncSender, sync_channel};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use super::sent::Sent;
use crate::media::grid::{AudioGrid, sample_at, us_of};
use crate::media::matroska::PartWriter;
use crate::media::{EncodedReader, Packet, TrackKind, Tracks};
use crate::session::name::PartName;

/// How often what was written is handed to the system, so that a killed recorder loses no more.
const FLUSH: Duration = Duration::from_millis(250);
/// How often it is made to reach the disk.
const SYNC: Duration = Duration::from_secs(1);
const READ_BUFFER: usize = 256 << 10;

/// What the writer tells.
#[derive(Debug)]
pub enum PartsEvent {
    /// A part began while the encoder went on, at this place.
    Opened { part: PartName, place_us: i64 },
    /// A part is complete and on disk; its media ends at this place, on the sound's grid.
    Closed { part: PartName, end_us: i64 },
    /// The encoder gave its last packet, and where the media ends.
    Ended { end_us: i64 },
    /// A part could not be written; the disk is full, most likely.
    Failed { error: io::Error, end_us: i64 },
}

/// Makes the files of parts.
pub trait PartFiles: Send {
    /// The name and the empty file of the next part.
    fn next(&mut self) -> io::Result<(PartName, File)>;
}

/// Where an encoder's output begins.
pub struct Beginning {
    /// What goes into the encoder.
    pub sent: Sent,
    pub grid: AudioGrid,
    /// The place of the first sample in the video, in microseconds.
    pub base_us: i64,
    /// The part that begins there, and its empty file.
    pub first: (PartName, File),
}

/// The running thread. It ends when FFmpeg closes its output.
pub struct PartsWriter {
    thread: Option<JoinHandle<()>>,
}

impl PartsWriter {
    /// Starts writing the encoder's output. `tell` must not block.
    pub fn start(
        output: File,
        beginning: Beginning,
        files: Box<dyn PartFiles>,
        bytes: Arc<AtomicU64>,
        mut tell: impl FnMut(PartsEvent) + Send + 'static,
    ) -> io::Result<Self> {
        let Beginning { sent, grid, base_us, first } = beginning;
        let thread = std::thread::Builder::new().name("parts".into()).spawn(move || {
            let mut writing = Writing {
                sent,
                grid,
                base: sample_at(base_us),
                sound_end: sample_at(base_us),
                current: None,
                next: None,
                boundary: None,
                files,
                bytes,
                tell: &mut tell,
                syncer: Syncer::start(),
            };
            let result = writing.run(output, first);
            let end_us = us_of(writing.sound_end);
            drop(writing);
            tell(match result {
                Ok(()) => PartsEvent::Ended { end_us },
                Err(error) => PartsEvent::Failed { error, end_us },
            });
        })?;
        Ok(Self { thread: Some(thread) })
    }
}

impl Drop for PartsWriter {
    fn drop(&mut self) {
        if let Some(thread) = self.thread.take() {
            let _ = thread.join();
        }
    }
}

struct Part {
    name: PartName,
    /// The sample at which it begins.
    start: i64,
    writer: PartWriter<File>,
    file: File,
}

impl Part {
    fn new(name: PartName, file: File, start: i64, tracks: &Tracks) -> io::Result<Self> {
        let writer = PartWriter::new(file.try_clone()?, tracks)?;
        Ok(Self { name, start, writer, file })
    }

    fn write(&mut self, mut packet: Packet, place_us: i64) -> io::Result<()> {
        packet.pts_us = place_us - us_of(self.start);
        self.writer.write(&packet)
    }
}

struct Writing<'a> {
    sent: Sent,
    grid: AudioGrid,
    /// The sample at which this encoder began.
    base: i64,
    sound_end: i64,
    current: Option<Part>,
    next: Option<Part>,
    /// Where the next part is to begin.
    boundary: Option<i64>,
    files: Box<dyn PartFiles>,
    bytes: Arc<AtomicU64>,
    tell: &'a mut dyn FnMut(PartsEvent),
    syncer: Syncer,
}

impl Writing<'_> {
    fn run(&mut self, output: File, first: (PartName, File)) -> io::Result<()> {
        let bad = |error: crate::media::matroska::ReadError| io::Error::new(io::ErrorKind::InvalidData, error);
        let mut reader = match EncodedReader::new(BufReader::with_capacity(READ_BUFFER, output)) {
            Ok(reader) => reader,
            // FFmpeg ended before its first packet; that it did is told by the process.
            Err(error) => {
                tracing::debug!(%error, "the encoder gave nothing");
                return Ok(());
            }
        };
        let tracks = reader.tracks().clone();
        self.current = Some(Part::new(first.0, first.1, self.base, &tracks)?);
        let (mut flushed, mut synced) = (Instant::now(), Instant::now());
        let result = loop {
            match reader.next_packet() {
                Ok(Some(packet)) => {
                    if let Err(error) = self.take(packet, &tracks) {
                        break Err(error);
                    }
                }
                Ok(None) => break Ok(()),
                Err(error) => break Err(bad(error)),
            }
            if flushed.elapsed() >= FLUSH {
                flushed = Instant::now();
                self.flush()?;
            }
            if synced.elapsed() >= SYNC {
                synced = Instant::now();
                self.sync();
            }
        };
        let closed = self.close_all();
        result.and(closed)
    }

    fn take(&mut self, packet: Packet, tracks: &Tracks) -> io::Result<()> {
        self.bytes.fetch_add(packet.data.len() as u64, Ordering::Relaxed);
        match packet.track {
            TrackKind::Video => self.take_picture(packet),
            TrackKind::Audio => self.take_sound(packet, tracks),
        }
    }

    fn take_picture(&mut self, packet: Packet) -> io::Result<()> {
        let Some(sent) = self.sent.pop() else {
            return Err(io::Error::new(io::ErrorKind::InvalidData, "FFmpeg gave more pictures than it got"));
        };
        if sent.begins_part && self.next.is_some() {
            self.close_current()?;
        }
        match &mut self.current {
            Some(part) if sent.keep => part.write(packet, sent.place_us),
            _ => Ok(()),
        }
    }

    fn take_sound(&mut self, packet: Packet, tracks: &Tracks) -> io::Result<()> {
        let sample = self.base + sample_at(packet.pts_us);
        if self.boundary.is_none() && self.next.is_none() {
            self.boundary = self.sent.take_boundary();
        }
        if self.boundary.is_some_and(|boundary| sample >= boundary) {
            self.open_next(tracks)?;
        }
        self.sound_end = sample + self.grid.samples_per_packet();
        match self.next.as_mut().or(self.current.as_mut()) {
            Some(part) => part.write(packet, us_of(sample)),
            None => Ok(()),
        }
    }

    fn open_next(&mut self, tracks: &Tracks) -> io::Result<()> {
        let Some(start) = self.boundary.take() else { return Ok(()) };
        let (name, file) = self.files.next()?;
        let mut tracks = tracks.clone();
        if let Some(audio) = &mut tracks.audio {
            // The encoder goes on, so nothing is primed.
            audio.codec_delay_ns = 0;
        }
        self.next = Some(Part::new(name, file, start, &tracks)?);
        (self.tell)(PartsEvent::Opened { part: name, place_us: us_of(start) });
        Ok(())
    }

    /// The next part takes over: its first picture is here.
    fn close_current(&mut self) -> io::Result<()> {
        let next = self.next.take();
        let end = next.as_ref().map_or(self.sound_end, |part| part.start);
        let old = std::mem::replace(&mut self.current, next);
        old.map_or(Ok(()), |part| self.close(part, end))
    }

    fn close_all(&mut self) -> io::Result<()> {
        if self.next.is_some() {
            self.close_current()?;
        }
        let end = self.sound_end;
        self.current.take().map_or(Ok(()), |part| self.close(part, end))
    }

    fn close(&mut self, part: Part, end: i64) -> io::Result<()> {
        part.writer.finish()?;
        part.file.sync_data()?;
        (self.tell)(PartsEvent::Closed { part: part.name, end_us: us_of(end) });
        Ok(())
    }

    fn flush(&mut self) -> io::Result<()> {
        self.current.iter_mut().chain(&mut self.next).try_for_each(|part| part.writer.flush())
    }

    fn sync(&self) {
        self.current.iter().chain(&self.next).for_each(|part| self.syncer.sync(&part.file));
    }
}

/// Syncs to disk beside the writing: a slow disk must not hold up the encoder.
struct Syncer {
    files: SyncSender<File>,
}

impl Syncer {
    fn start() -> Self {
        let (files, received) = sync_channel::<File>(2);
        std::thread::spawn(move || {
            for file in received {
                if let Err(error) = file.sync_data() {
                    tracing::warn!(%error, "cannot sync a part");
                }
            }
        });
        Self { files }
    }

    /// Skipped while the last ones are still on their way.
    fn sync(&self, file: &File) {
        if let Ok(file) = file.try_clone() {
            let _ = self.files.try_send(file);
        }
    }
}
