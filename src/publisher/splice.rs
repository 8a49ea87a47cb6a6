//! Joins the parts into one stream of packets: the sound exact to the sample, the pictures in
//! order, holes filled. Reads one part at a time and holds a few seconds at most.

use std::collections::VecDeque;
use std::fs::File;

use super::error::PublishError;
use super::parameter_sets::ParameterSets;
use super::plan::{MAX_HOLE, OpenPart, Plan, PlannedPart};
use super::silence::silent_packet;
use crate::media::grid::us_of;
use crate::media::matroska::{MatroskaReader, ReadError};
use crate::media::{Packet, TrackKind, VideoCodec};
use crate::session::name::PartName;

/// Pictures may lag behind the sound by what the encoder held back. More than this is not waited
/// for: the order suffers then, not the memory.
const MAX_HELD_PACKETS: usize = 3000;
const MAX_HELD_BYTES: usize = 48 << 20;
/// The least distance of two pictures, in microseconds; more than a tick of any container.
const MIN_STEP_US: i64 = 100;

/// A packet of the video and the part (by its place in the plan) it came from. Its time is relative
/// to the video's start, with the priming gone; pictures have durations.
#[derive(Debug)]
pub struct Spliced {
    pub packet: Packet,
    pub part: usize,
}

/// Gives the video's packets in the order of time.
pub struct Splicer<'a> {
    plan: &'a Plan,
    open: &'a OpenPart<'a>,
    next_part: usize,
    current: Option<Current>,
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
    reader: MatroskaReader<File>,
    /// Whether a key frame was seen.
    entered: bool,
    parameter_sets: Option<ParameterSets>,
}

impl<'a> Splicer<'a> {
    pub fn new(plan: &'a Plan, open: &'a OpenPart<'a>) -> Self {
        Splicer {
            plan,
            open,
            next_part: 0,
            current: None,
            sample: plan.start(),
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
            } else if self.next_part < self.plan.parts.len() {
                self.enter()?;
            } else {
                return Ok(None);
            }
        }
    }

    /// What can be given away without being overtaken by something earlier.
    fn take(&mut self) -> Option<Spliced> {
        let complete = self.current.is_none() && self.next_part == self.plan.parts.len();
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
        let part = self.plan.parts[self.next_part];
        self.next_part += 1;
        let name = part.name;
        let file = (self.open)(name).map_err(|source| PublishError::OpenPart { part: name, source })?;
        let reader = MatroskaReader::new(file).map_err(|source| PublishError::Part { part: name, source })?;
        let private = reader.tracks().video.as_ref().map(|video| &video.codec_private);
        let parameter_sets = match private {
            Some(private) if self.plan.video.codec == VideoCodec::H264 && *private != self.plan.video.codec_private => {
                let sets = ParameterSets::from_avcc(private, &self.plan.video.codec_private);
                let what = "has pictures that cannot follow those before";
                Some(sets.ok_or(PublishError::Unlike { part: name, what })?)
            }
            _ => None,
        };
        self.fill_until(part.start, name)?;
        self.current = Some(Current { part, reader, entered: false, parameter_sets });
        Ok(())
    }

    fn read(&mut self) -> Result<(), PublishError> {
        let Some(current) = &mut self.current else {
            return Ok(());
        };
        let part = current.part;
        match current.reader.next_packet() {
            Ok(Some(packet)) => match packet.track {
                TrackKind::Audio => self.sound(packet, part),
                TrackKind::Video => {
                    self.picture(packet);
                    Ok(())
                }
            },
            Ok(None) => self.leave(part),
            Err(ReadError::Io(error)) => Err(PublishError::Part { part: part.name, source: ReadError::Io(error) }),
            Err(error) => {
                tracing::warn!(part = %part.name, %error, "damaged; what comes after is lost");
                self.leave(part)
            }
        }
    }

    fn sound(&mut self, mut packet: Packet, part: PlannedPart) -> Result<(), PublishError> {
        let grid = self.plan.grid;
        let at = grid.at_us(part.origin_us + packet.pts_us);
        let end = at + grid.samples_per_packet();
        // Before the start it is priming or belongs to the part before.
        if at < self.sample.max(part.start) || end > part.end {
            return Ok(());
        }
        self.fill_until(at, part.name)?;
        packet.pts_us = us_of(at - self.plan.start());
        packet.duration_us = None;
        self.sample = end;
        self.hold(Spliced { packet, part: self.next_part - 1 });
        Ok(())
    }

    /// Silence up to a sample, packet by packet on the grid.
    fn fill_until(&mut self, end: i64, part: PartName) -> Result<(), PublishError> {
        let length = self.plan.grid.samples_per_packet();
        if end - self.sample > MAX_HOLE {
            return Err(PublishError::Timeline { part, what: "lacks more than an hour of sound" });
        }
        while self.sample + length <= end {
            let pts_us = us_of(self.sample - self.plan.start());
            let packet = silent_packet(&self.plan.audio, pts_us);
            self.hold(Spliced { packet, part: self.next_part - 1 });
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
        let origin_us = us_of(self.plan.start());
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
        let picture = Spliced { packet, part: self.next_part - 1 };
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

    /// The part is over: silence stands for what it lacks, and after the last one the last picture
    /// lasts until the end.
    fn leave(&mut self, part: PlannedPart) -> Result<(), PublishError> {
        self.current = None;
        if self.sample < part.end {
            self.damaged.push(part.name);
        }
        self.fill_until(part.end, part.name)?;
        if self.next_part == self.plan.parts.len()
            && let Some(mut last) = self.picture.take()
        {
            last.packet.duration_us = Some((self.plan.duration_us() - last.packet.pts_us) as u64);
            self.hold(last);
        }
        Ok(())
    }

    fn hold(&mut self, held: Spliced) {
        self.held_bytes += held.packet.data.len();
        match held.packet.track {
            TrackKind::Video => self.video.push_back(held),
            TrackKind::Audio => self.audio.push_back(held),
        }
    }
}
