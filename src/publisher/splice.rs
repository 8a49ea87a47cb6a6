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
    video: VecDeque<Packet>,
    audio: VecDeque<Packet>,
    held_bytes: usize,
    damaged: Vec<PartName>,
}

struct Current {
    part: PlannedPart,
    reader: MatroskaReader<File>,
    /// Whether a key frame was seen.
    entered: bool,
    /// Waits for the next one, which tells how long it lasts.
    picture: Option<Packet>,
    /// The least distance of two pictures so far: about one frame of a moving page.
    least_gap_us: i64,
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
            if let Some(packet) = self.take() {
                self.held_bytes -= packet.data.len();
                return Ok(Some(Spliced { packet, part: self.next_part.saturating_sub(1) }));
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
    fn take(&mut self) -> Option<Packet> {
        let complete = self.current.is_none();
        let full = self.audio.len() + self.video.len() > MAX_HELD_PACKETS || self.held_bytes > MAX_HELD_BYTES;
        match (self.video.front(), self.audio.front()) {
            (Some(video), Some(audio)) if video.pts_us <= audio.pts_us => self.video.pop_front(),
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
        self.current = Some(Current { part, reader, entered: false, picture: None, least_gap_us: 0, parameter_sets });
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
        self.hold(packet);
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
            self.hold(silent_packet(&self.plan.audio, pts_us));
            self.sample += length;
        }
        Ok(())
    }

    fn picture(&mut self, mut packet: Packet) {
        let Some(current) = &mut self.current else {
            return;
        };
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
        if let Some(mut before) = current.picture.replace(packet) {
            let gap_us = pts_us - before.pts_us;
            current.least_gap_us = match current.least_gap_us {
                0 => gap_us,
                least => least.min(gap_us),
            };
            before.duration_us = Some(gap_us as u64);
            self.hold(before);
        }
    }

    /// The part is over: its last picture and silence last until its end.
    fn leave(&mut self, part: PlannedPart) -> Result<(), PublishError> {
        let Some(mut current) = self.current.take() else {
            return Ok(());
        };
        let end_us = us_of(part.end - self.plan.start());
        if let Some(mut last) = current.picture.take() {
            let rest_us = end_us - last.pts_us;
            last.duration_us = Some(rest_us as u64);
            // The next part begins with a picture of its own. Less than a frame before it, players
            // that count in frames would have two for one place; nothing refers to the last one.
            let joined = self.next_part < self.plan.parts.len();
            if last.key || !joined || rest_us * 10 >= current.least_gap_us * 9 {
                self.hold(last);
            }
        }
        if self.sample < part.end {
            self.damaged.push(part.name);
        }
        self.fill_until(part.end, part.name)
    }

    fn hold(&mut self, packet: Packet) {
        self.held_bytes += packet.data.len();
        match packet.track {
            TrackKind::Video => self.video.push_back(packet),
            TrackKind::Audio => self.audio.push_back(packet),
        }
    }
}
