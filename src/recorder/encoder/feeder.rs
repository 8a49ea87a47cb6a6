//! The thread that feeds FFmpeg.

use std::collections::VecDeque;
use std::fs::File;
use std::io;
use std::ops::ControlFlow;
use std::sync::atomic::{AtomicI64, AtomicU64, AtomicUsize, Ordering};
use std::sync::mpsc::{Receiver, RecvTimeoutError, Sender, channel};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread::JoinHandle;
use std::time::Duration;

use super::args::Settings;
use super::feed::{Feed, HOLD_US};
use super::sent::{Sent, SentPicture};
use super::sink::{Filler, Placed, Sink, Totals};
use crate::media::grid::us_of;
use crate::media::matroska::FeedWriter;
use crate::media::matroska::feed::raw_tracks;
use crate::recorder::capture::Frame;
use crate::recorder::clock::now_us;
use crate::recorder::sound::Chunk;

/// How often the feed is looked after when nothing comes: sound has no wake-up of its own.
const IDLE: Duration = Duration::from_millis(100);
/// How long an end waits for the sound that belongs before it, in microseconds.
const SOUND_LATENESS_US: i64 = 250_000;
/// Pictures that may wait beyond the held ones before new ones are dropped.
const BACKLOG: usize = 6;
/// Sound that may wait: ten seconds in chunks of ten milliseconds.
const SOUND_BACKLOG: usize = 1_000;

/// What the feeder tells.
#[derive(Debug)]
pub enum FeederEvent {
    /// Recording began or went on at this time and place.
    Joined { at_us: i64, place_us: i64 },
    /// The page is shown again after a pause that took its time.
    Unfilled { place_us: i64 },
    /// Nothing is recorded from this time on.
    Cut { at_us: i64, place_us: i64 },
    /// Everything up to the end was given to the encoder, whose input is closed now.
    Finished,
    /// The encoder does not take any more.
    EncoderFailed(io::Error),
}

enum Order {
    Attach(Box<Attachment>),
    Join { from_us: i64 },
    Unfill { from_us: i64 },
    Cut { at_us: i64, last: bool },
    ForgetPhase,
    SetLag(i64),
    Fill { at_us: i64, filler: Filler },
    Frame(Frame),
    End,
}

struct Attachment {
    writer: FeedWriter<File>,
    sent: Sent,
    base_us: i64,
}

/// Shared with those who bring pictures and sound.
#[derive(Debug, Default)]
struct Shared {
    /// Pictures on their way to the feeder, and with it.
    coming: AtomicUsize,
    pending: AtomicUsize,
    dropped: AtomicU64,
    chunks: Mutex<VecDeque<Chunk>>,
    /// How many chunks have come.
    heard: AtomicU64,
    /// When the feeder last came around, monotonic microseconds.
    alive: AtomicI64,
    length_us: AtomicI64,
    totals: Mutex<Totals>,
}

/// Where pictures, sound and orders go in. Cheap to clone.
#[derive(Clone)]
pub struct FeederHandle {
    orders: Sender<Order>,
    shared: Arc<Shared>,
    limit: usize,
}

impl FeederHandle {
    /// A picture; dropped and counted when the encoder is behind. As one is taken each time one
    /// has gone in, what is kept is spread evenly.
    pub fn frame(&self, frame: Frame) {
        let shared = &self.shared;
        if shared.coming.load(Ordering::Relaxed) + shared.pending.load(Ordering::Relaxed) >= self.limit {
            self.shared.dropped.fetch_add(1, Ordering::Relaxed);
            return;
        }
        self.shared.coming.fetch_add(1, Ordering::Relaxed);
        self.order(Order::Frame(frame));
    }

    /// A stretch of sound. Does not wake the feeder: it comes around often enough.
    pub fn chunk(&self, chunk: Chunk) {
        let mut chunks = self.shared.chunks.lock().unwrap_or_else(PoisonError::into_inner);
        if chunks.len() >= SOUND_BACKLOG {
            chunks.pop_front();
        }
        chunks.push_back(chunk);
        self.shared.heard.fetch_add(1, Ordering::Relaxed);
    }

    /// A new encoder takes over; its first picture has this place.
    pub fn attach(&self, settings: &Settings, input: File, sent: Sent, base_us: i64) -> io::Result<()> {
        let writer = FeedWriter::new(input, &raw_tracks(settings.width, settings.height))?;
        self.order(Order::Attach(Box::new(Attachment { writer, sent, base_us })));
        Ok(())
    }

    /// Record from the first picture that is not older than this.
    pub fn join(&self, from_us: i64) {
        self.order(Order::Join { from_us });
    }

    /// Show the page again from the first picture that is not older than this.
    pub fn unfill(&self, from_us: i64) {
        self.order(Order::Unfill { from_us });
    }

    /// Record nothing from this time on; `last` ends the encoder as well.
    pub fn cut(&self, at_us: i64, last: bool) {
        self.order(Order::Cut { at_us, last });
    }

    /// Pictures come so much later than they are stamped, in microseconds; below 0: earlier.
    pub fn set_lag(&self, lag_us: i64) {
        self.order(Order::SetLag(lag_us));
    }

    /// Chrome or its display is gone.
    pub fn forget_phase(&self) {
        self.order(Order::ForgetPhase);
    }

    /// Show something else from this time on.
    pub fn fill(&self, at_us: i64, filler: Filler) {
        self.order(Order::Fill { at_us, filler });
    }

    /// Pictures that had to be dropped so far.
    pub fn dropped(&self) -> u64 {
        self.shared.dropped.load(Ordering::Relaxed)
    }

    /// Length of the video now, in microseconds.
    pub fn length_us(&self) -> i64 {
        self.shared.length_us.load(Ordering::Relaxed)
    }

    /// Stretches of sound that have come so far.
    pub fn chunks(&self) -> u64 {
        self.shared.heard.load(Ordering::Relaxed)
    }

    pub fn totals(&self) -> Totals {
        *self.shared.totals.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// How long the feeder has been stuck, in microseconds.
    pub fn stuck_us(&self) -> i64 {
        now_us() - self.shared.alive.load(Ordering::Relaxed)
    }

    fn order(&self, order: Order) {
        // A feeder that has ended takes no more orders, and nobody waits for them.
        let _ = self.orders.send(order);
    }
}

/// The running thread; ends with its value. Its encoder should be ended before, as a write into
/// a full pipe ends only with it.
pub struct Feeder {
    handle: FeederHandle,
    thread: Option<JoinHandle<()>>,
}

impl Feeder {
    /// Starts the thread. `tell` must not block.
    pub fn start(
        settings: &Settings,
        place_us: i64,
        tell: impl FnMut(FeederEvent) + Send + 'static,
    ) -> io::Result<Self> {
        let (orders, ordered) = channel();
        let held = (HOLD_US * i64::from(settings.frame_rate)).div_euclid(1_000_000) as usize + 1;
        let shared = Arc::new(Shared { alive: AtomicI64::new(now_us()), ..Shared::default() });
        let handle = FeederHandle { orders, shared: Arc::clone(&shared), limit: held + BACKLOG };
        let state = Loop {
            feed: Feed::new(settings, place_us),
            encoder: None,
            shared,
            tell: Box::new(tell),
            joining: None,
            unfilling: None,
            ending: None,
        };
        let thread = std::thread::Builder::new().name("feeder".into()).spawn(move || state.run(&ordered))?;
        Ok(Self { handle, thread: Some(thread) })
    }

    pub fn handle(&self) -> &FeederHandle {
        &self.handle
    }
}

impl Drop for Feeder {
    fn drop(&mut self) {
        self.handle.order(Order::End);
        if let Some(thread) = self.thread.take() {
            let _ = thread.join();
        }
    }
}

/// An end of recording that waits for the sound before it.
#[derive(Debug, Clone, Copy)]
struct Ending {
    at_us: i64,
    last: bool,
}

struct Loop {
    feed: Feed,
    encoder: Option<Input>,
    shared: Arc<Shared>,
    tell: Box<dyn FnMut(FeederEvent) + Send>,
    joining: Option<i64>,
    unfilling: Option<i64>,
    ending: Option<Ending>,
}

impl Loop {
    fn run(mut self, ordered: &Receiver<Order>) {
        loop {
            let first = match ordered.recv_timeout(IDLE) {
                Err(RecvTimeoutError::Disconnected) => return,
                first => first.ok(),
            };
            let now = now_us();
            if self.turn(first.into_iter().chain(ordered.try_iter()), now).is_break() {
                return;
            }
            self.report();
        }
    }

    /// Follows all that was ordered until now before anything is committed: behind a slow encoder a cut
    /// waits with the pictures, and what comes after it must not go in meanwhile.
    fn turn(&mut self, orders: impl Iterator<Item = Order>, now: i64) -> ControlFlow<()> {
        for order in orders {
            self.follow(order)?;
        }
        if let Err(error) = self.commit(now) {
            self.encoder = None;
            (self.tell)(FeederEvent::EncoderFailed(error));
        }
        ControlFlow::Continue(())
    }

    fn follow(&mut self, order: Order) -> ControlFlow<()> {
        match order {
            Order::Attach(attachment) => {
                let Attachment { writer, sent, base_us } = *attachment;
                self.feed.restart(base_us);
                self.encoder = Some(Input { writer, sent, base_us });
                self.ending = None;
            }
            Order::Join { from_us } => self.joining = Some(from_us),
            Order::Unfill { from_us } => self.unfilling = Some(from_us),
            Order::Cut { at_us, last } => {
                self.joining = None;
                let (at_us, place_us) = self.feed.cut(at_us);
                self.ending = Some(Ending { at_us, last });
                (self.tell)(FeederEvent::Cut { at_us, place_us });
            }
            Order::ForgetPhase => self.feed.forget_phase(),
            Order::SetLag(lag_us) => self.feed.set_lag(lag_us),
            Order::Fill { at_us, filler } => {
                self.feed.fill(at_us, filler);
            }
            Order::Frame(frame) => {
                self.shared.coming.fetch_sub(1, Ordering::Relaxed);
                self.feed.push_frame(frame);
            }
            Order::End => return ControlFlow::Break(()),
        }
        ControlFlow::Continue(())
    }

    fn commit(&mut self, now: i64) -> io::Result<()> {
        let mut chunks = self.shared.chunks.lock().unwrap_or_else(PoisonError::into_inner);
        chunks.drain(..).for_each(|chunk| self.feed.push_chunk(chunk));
        drop(chunks);
        self.end(now)?;
        if self.ending.is_none() {
            if let Some((at_us, place_us)) = self.joining.and_then(|from| self.feed.join(from, now)) {
                self.joining = None;
                (self.tell)(FeederEvent::Joined { at_us, place_us });
            }
            if let Some((_, place_us)) = self.unfilling.and_then(|from| self.feed.unfill(from)) {
                self.unfilling = None;
                (self.tell)(FeederEvent::Unfilled { place_us });
            }
            let until = now - HOLD_US;
            // The picture to begin with waits for as long as the beginning does: a still page has no other.
            let until = self.joining.map_or(until, |from| until.min(from - self.feed.lag() - 1));
            match &mut self.encoder {
                Some(encoder) => self.feed.commit(until, encoder)?,
                None => self.feed.commit(until, &mut Nowhere)?,
            }
        }
        Ok(())
    }

    fn end(&mut self, now: i64) -> io::Result<()> {
        let Some(Ending { at_us, last }) = self.ending else { return Ok(()) };
        let has_sound = self.feed.sound_until().is_some_and(|until| until >= at_us);
        let early = now < at_us + self.feed.lag() || (!has_sound && now < at_us + SOUND_LATENESS_US);
        if early {
            return Ok(());
        }
        self.ending = None;
        if let Some(encoder) = &mut self.encoder {
            self.feed.commit_end(at_us, !last, encoder)?;
        }
        if last {
            self.encoder = None;
            (self.tell)(FeederEvent::Finished);
        }
        Ok(())
    }

    fn report(&self) {
        let now = now_us();
        self.shared.alive.store(now, Ordering::Relaxed);
        self.shared.pending.store(self.feed.pending(), Ordering::Relaxed);
        self.shared.length_us.store(self.feed.length(now), Ordering::Relaxed);
        *self.shared.totals.lock().unwrap_or_else(PoisonError::into_inner) = self.feed.totals;
    }
}

/// The encoder's input.
struct Input {
    writer: FeedWriter<File>,
    sent: Sent,
    base_us: i64,
}

impl Sink for Input {
    fn picture(&mut self, placed: Placed<'_>) -> io::Result<()> {
        let Placed { picture, place_us, key, keep, begins_part } = placed;
        self.sent.push(SentPicture { place_us, keep, begins_part });
        let relative = place_us - self.base_us;
        // The first one is a key frame anyway, and the stream must begin at 0.
        let mark = i64::from(key && relative > 0);
        let [y, u, v] = picture.planes();
        self.writer.write_video((relative & !1) | mark, y, u, v)
    }

    fn sound(&mut self, sample: i64, data: &[u8]) -> io::Result<()> {
        self.writer.write_audio(us_of(sample) - self.base_us, data)
    }

    fn boundary(&mut self, sample: i64) {
        self.sent.set_boundary(sample);
    }
}

/// Takes what nobody encodes.
struct Nowhere;

impl Sink for Nowhere {
    fn picture(&mut self, _: Placed<'_>) -> io::Result<()> {
        Ok(())
    }

    fn sound(&mut self, _: i64, _: &[u8]) -> io::Result<()> {
        Ok(())
    }

    fn boundary(&mut self, _: i64) {}
}

#[cfg(test)]
mod tests;
