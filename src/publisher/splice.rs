//! Joins the parts into one stream of packets: the sound exact to the sample, the pictures in
//! order, holes filled. Reads one part at a time and holds a few seconds at most.

use std::collections::VecDeque;
use std::io::Read;

use super::error::PublishError;
use super::parameter_sets::ParameterSets;
use super::plan::{Head, MAX_HOLE, OpenPart, Plan, PlannedPart};
use super::silence::silent_packet;
use crate::media::grid::us_of;
use crate::media::matroska::{MatroskaReader, ReadError};
use crate::media::{Packet, TrackKind, VideoCodec};
use crate::session::name::PartName;

/// Pictures may lag behind the sound by what the encoder held back. More than this is not waited
/// for: the order suffers then, not the memory.
const MAX_HELD_PACKETS: usize = 3000;
const MAX_HELD_BYTES: usize = 48 << 20;
/// How far the end of a part that grows may be from what can be read of it, in microseconds: a recorder that stops
/// or dies takes back less.
const UNSETTLED_US: i64 = 2_000_000;
/// The least distance of two pictures, in microseconds; more than a tick of any container.
const MIN_STEP_US: i64 = 100;

/// A packet of the video and the part (by its place in the plan) it came from. Its time is relative
/// to the video's start, with the priming gone; pictures have durations.
#[derive(Debug)]
pub struct Spliced {
    pub packet: Packet,
    pub part: usize,
}

/// Where the parts come from, in their order.
pub trait PartSource {
    /// What they have in common.
    fn head(&self) -> &Head;

    /// The next part; waits for one that is not there yet. None: there are no more.
    fn next_part(&mut self) -> Result<Option<NextPart>, PublishError>;

    /// Where a part ends that was given while it grew, in samples; asked once its last byte has been read.
    fn end_of(&mut self, part: PartName) -> Result<i64, PublishError>;
}

/// A part and its bytes.
pub struct NextPart {
    pub part: PlannedPart,
    /// Its end is not known yet: reading its bytes waits for more until it is.
    pub grows: bool,
    pub bytes: Box<dyn Read>,
}

/// The parts of a plan.
struct Planned<'a> {
    plan: &'a Plan,
    open: &'a OpenPart<'a>,
    next: usize,
}

impl PartSource for Planned<'_> {
    fn head(&self) -> &Head {
        &self.plan.head
    }

    fn next_part(&mut self) -> Result<Option<NextPart>, PublishError> {
        let Some(&part) = self.plan.parts.get(self.next) else { return Ok(None) };
        self.next += 1;
        let file = (self.open)(part.name).map_err(|source| PublishError::OpenPart { part: part.name, source })?;
        Ok(Some(NextPart { part, grows: false, bytes: Box::new(file) }))
    }

    fn end_of(&mut self, part: PartName) -> Result<i64, PublishError> {
        let planned = self.plan.parts.iter().find(|planned| planned.name == part);
        planned.map(|planned| planned.end).ok_or(PublishError::Rewritten)
    }
}

/// Gives the video's packets in the order of time.
pub struct Splicer<'a> {
    source: Box<dyn PartSource + 'a>,
    head: Head,
    /// The parts entered so far.
    parts: Vec<PlannedPart>,
    current: Option<Current>,
    /// There are no more parts.
    over: bool,
    /// The next sample that is to be given.
    sample: i64,
    last_video_us: Option<i64>,
    /// Waits for the next one, which tells how long it lasts.
    picture: Option<Spliced>,
    /// The least distance of two pictures so far: about one frame of a moving page.
    least_gap_us: i64,
    video: VecDeque<Spliced>,
    audio: VecDeque<Spliced>,
    held_bytes: usize,
    damaged: Vec<PartName>,
}

struct Current {
    part: PlannedPart,
    reader: MatroskaReader<Box<dyn Read>>,
    /// Whether the part's end is still to be asked for.
    grows: bool,
    /// Nothing more is to be read.
    read_out: bool,
    /// Packets of a growing part that its end may yet cut off.
    ahead: VecDeque<Packet>,
    /// The newest sound that was read, in microseconds.
    newest_us: i64,
    /// Whether a key frame was seen.
    entered: bool,
    parameter_sets: Option<ParameterSets>,
}

impl Current {
    /// The next packet that no end of the part can cut off any more.
    fn due(&mut self) -> Option<Packet> {
        let front = self.ahead.front()?;
        let settled = !self.grows || self.newest_us - front.pts_us >= UNSETTLED_US;
        if settled { self.ahead.pop_front() } else { None }
    }
}

impl<'a> Splicer<'a> {
    pub fn new(plan: &'a Plan, open: &'a OpenPart<'a>) -> Self {
        Splicer::of(Box::new(Planned { plan, open, next: 0 }))
    }

    /// Joins what the source gives.
    pub fn of(source: Box<dyn PartSource + 'a>) -> Self {
        let head = source.head().clone();
        Splicer {
            sample: head.start,
            source,
            head,
            parts: Vec::new(),
            current: None,
            over: false,
            last_video_us: None,
            picture: None,
            least_gap_us: 0,
            video: VecDeque::new(),
            audio: VecDeque::new(),
            held_bytes: 0,
            damaged: Vec::new(),
        }
    }

    /// Parts that ended before they should have; what is missing was filled with silence and the
    /// last picture.
    pub fn damaged(&self) -> Vec<PartName> {
        self.damaged.clone()
    }

    /// The part of a packet, by its place.
    pub fn part(&self, place: usize) -> PlannedPart {
        self.parts[place]
    }

    /// Where a sample of the recording is in the video, in microseconds.
    pub fn place_us(&self, sample: i64) -> i64 {
        us_of(sample - self.head.start)
    }

    /// How long the video is so far, in microseconds; all of it after the last packet.
    pub fn duration_us(&self) -> i64 {
        us_of(self.sample - self.head.start)
    }

    /// The next packet, or None after the last.
    ///
    /// # Errors
    /// A part that is no part, or cannot be read.
    pub fn next_packet(&mut self) -> Result<Option<Spliced>, PublishError> {
        loop {
            if let Some(spliced) = self.take() {
                self.held_bytes -= spliced.packet.data.len();
                return Ok(Some(spliced));
            }
            if self.current.is_some() {
                self.read()?;
            } else if !self.over {
                self.enter()?;
            } else {
                return Ok(None);
            }
        }
    }

    /// What can be given away without being overtaken by something earlier.
    fn take(&mut self) -> Option<Spliced> {
        let complete = self.current.is_none() && self.over;
        let full = self.audio.len() + self.video.len() > MAX_HELD_PACKETS || self.held_bytes > MAX_HELD_BYTES;
        match (self.video.front(), self.audio.front()) {
            (Some(video), Some(audio)) if video.packet.pts_us <= audio.packet.pts_us => self.video.pop_front(),
            (Some(_), Some(_)) => self.audio.pop_front(),
            (Some(_), None) if complete || full => self.video.pop_front(),
            (None, Some(_)) if complete || full => self.audio.pop_front(),
            _ => None,
        }
    }

    fn enter(&mut self) -> Result<(), PublishError> {
        let Some(NextPart { part, grows, bytes }) = self.source.next_part()? else {
            self.over = true;
            self.show_last();
            return Ok(());
        };
        let name = part.name;
        let reader = MatroskaReader::new(bytes).map_err(|source| PublishError::Part { part: name, source })?;
        let private = reader.tracks().video.as_ref().map(|video| &video.codec_private);
        let parameter_sets = match private {
            Some(private) if self.head.video.codec == VideoCodec::H264 && *private != self.head.video.codec_private => {
                let sets = ParameterSets::from_avcc(private, &self.head.video.codec_private);
                let what = "has pictures that cannot follow those before";
                Some(sets.ok_or(PublishError::Unlike { part: name, what })?)
            }
            _ => None,
        };
        self.parts.push(part);
        self.fill_until(part.start, name)?;
        self.current = Some(Current {
            part,
            reader,
            grows,
            read_out: false,
            ahead: VecDeque::new(),
            newest_us: i64::MIN / 2,
            entered: false,
            parameter_sets,
        });
        Ok(())
    }

    fn read(&mut self) -> Result<(), PublishError> {
        let Some(current) = &mut self.current else {
            return Ok(());
        };
        let part = current.part;
        if let Some(packet) = current.due() {
            return match packet.track {
                TrackKind::Audio => self.sound(packet, part),
                TrackKind::Video => {
                    self.picture(packet);
                    Ok(())
                }
            };
        }
        if current.read_out {
            return self.leave(part);
        }
        match current.reader.next_packet() {
            Ok(Some(packet)) => {
                if packet.track == TrackKind::Audio {
                    current.newest_us = current.newest_us.max(packet.pts_us);
                }
                current.ahead.push_back(packet);
                return Ok(());
            }
            Ok(None) => {}
            Err(ReadError::Io(error)) => {
                return Err(PublishError::Part { part: part.name, source: ReadError::Io(error) });
            }
            Err(error) => {
                tracing::warn!(part = %part.name, %error, "damaged; what comes after is lost");
            }
        }
        current.read_out = true;
        if std::mem::take(&mut current.grows) {
            current.part.end = self.source.end_of(part.name)?;
            let end = current.part.end;
            if let Some(entered) = self.parts.last_mut() {
                entered.end = end;
            }
            // What was given away already is beyond recall.
            let given_us = us_of(end - self.head.start);
            if self.sample > end || self.last_video_us.is_some_and(|last| last >= given_us) {
                return Err(PublishError::Rewritten);
            }
        }
        Ok(())
    }

    fn sound(&mut self, mut packet: Packet, part: PlannedPart) -> Result<(), PublishError> {
        let grid = self.head.grid;
        let at = grid.at_us(part.origin_us + packet.pts_us);
        let end = at + grid.samples_per_packet();
        // Before the start it is priming or belongs to the part before.
        if at < self.sample.max(part.start) || end > part.end {
            return Ok(());
        }
        self.fill_until(at, part.name)?;
        packet.pts_us = us_of(at - self.head.start);
        packet.duration_us = None;
        self.sample = end;
        self.hold(Spliced { packet, part: self.place() });
        Ok(())
    }

    /// Silence up to a sample, packet by packet on the grid.
    fn fill_until(&mut self, end: i64, part: PartName) -> Result<(), PublishError> {
        let length = self.head.grid.samples_per_packet();
        if end - self.sample > MAX_HOLE {
            return Err(PublishError::Timeline { part, what: "lacks more than an hour of sound" });
        }
        while self.sample + length <= end {
            let pts_us = us_of(self.sample - self.head.start);
            let packet = silent_packet(&self.head.audio, pts_us);
            self.hold(Spliced { packet, part: self.place() });
            self.sample += length;
        }
        Ok(())
    }

    fn picture(&mut self, mut packet: Packet) {
        let Some(current) = &mut self.current else { return };
        let first = !current.entered;
        current.entered |= packet.key;
        if !current.entered {
            return;
        }
        let origin_us = us_of(self.head.start);
        let (start_us, end_us) = (us_of(current.part.start), us_of(current.part.end));
        let mut pts_us = (current.part.origin_us + packet.pts_us).max(start_us) - origin_us;
        match self.last_video_us {
            Some(last) => pts_us = pts_us.max(last + MIN_STEP_US),
            // The first picture is shown from the start on: players differ on what comes before.
            None => pts_us = 0,
        }
        if pts_us >= end_us - origin_us {
            return;
        }
        if packet.key
            && let Some(sets) = &current.parameter_sets
        {
            packet.data = sets.prepend_to(&packet.data);
        }
        packet.pts_us = pts_us;
        self.last_video_us = Some(pts_us);
        let picture = Spliced { packet, part: self.place() };
        if let Some(before) = self.picture.replace(picture) {
            self.follow(before, pts_us, first);
        }
    }

    /// The picture `before` lasts until `pts_us`, where another one is.
    fn follow(&mut self, mut before: Spliced, pts_us: i64, joined: bool) {
        let gap_us = pts_us - before.packet.pts_us;
        if joined && !before.packet.key && gap_us * 10 < self.least_gap_us * 9 {
            // A new part begins less than a frame after the last picture of the one before: players
            // that count in frames would have two for one place. Nothing refers to the last one.
            return;
        }
        if !joined {
            self.least_gap_us = match self.least_gap_us {
                0 => gap_us,
                least => least.min(gap_us),
            };
        }
        before.packet.duration_us = Some(gap_us as u64);
        self.hold(before);
    }

    /// The part is over: silence stands for what it lacks.
    fn leave(&mut self, part: PlannedPart) -> Result<(), PublishError> {
        self.current = None;
        if self.sample < part.end {
            self.damaged.push(part.name);
        }
        self.fill_until(part.end, part.name)
    }

    /// After the last part the last picture lasts until the end.
    fn show_last(&mut self) {
        if let Some(mut last) = self.picture.take() {
            last.packet.duration_us = Some((self.duration_us() - last.packet.pts_us).max(0) as u64);
            self.hold(last);
        }
    }

    /// The place of the part that is being read.
    fn place(&self) -> usize {
        self.parts.len().saturating_sub(1)
    }

    fn hold(&mut self, held: Spliced) {
        self.held_bytes += held.packet.data.len();
        match held.packet.track {
            TrackKind::Video => self.video.push_back(held),
            TrackKind::Audio => self.audio.push_back(held),
        }
    }
}
