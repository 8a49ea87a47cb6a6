//! The parts of a recording that goes on: each as soon as it begins, its bytes as they come.

use std::fs::File;
use std::io::{self, Read};
use std::sync::Arc;
use std::time::{Duration, Instant};

use super::followed::{Coming, Followed};
use crate::media::grid::sample_at;
use crate::publisher::error::PublishError;
use crate::publisher::measure::Depth;
use crate::publisher::plan::{Head, Plan, begin_of};
use crate::publisher::splice::{NextPart, PartSource};
use crate::session::folder::SessionDir;
use crate::session::name::PartName;

/// An end that lies beyond any recording: about 11 days, in microseconds.
const BEYOND_US: i64 = 1_000_000_000_000;
/// What is on its way to a file whose end is known is there after this long.
const REST: Duration = Duration::from_secs(3);

/// The parts of a recording that goes on.
pub struct LiveSource {
    session: Arc<SessionDir>,
    followed: Arc<Followed>,
    plan: Plan,
    /// The first part, until it is given.
    first: Option<NextPart>,
    last: PartName,
}

impl LiveSource {
    /// Waits for the first part with something in it. None: the recording ended without one.
    ///
    /// # Errors
    /// A part that is none; [`PublishError::Abandoned`].
    pub fn open(session: Arc<SessionDir>, followed: Arc<Followed>) -> Result<Option<LiveSource>, PublishError> {
        let mut plan = None;
        let next = next_of(&session, &followed, &mut plan, None)?;
        Ok(next.zip(plan).map(|(first, plan)| {
            let last = first.part.name;
            LiveSource { session, followed, plan, first: Some(first), last }
        }))
    }
}

impl PartSource for LiveSource {
    fn head(&self) -> &Head {
        &self.plan.head
    }

    fn next_part(&mut self) -> Result<Option<NextPart>, PublishError> {
        if let Some(first) = self.first.take() {
            return Ok(Some(first));
        }
        let mut plan = Some(self.plan.clone());
        let next = next_of(&self.session, &self.followed, &mut plan, Some(self.last))?;
        if let (Some(plan), Some(next)) = (plan, &next) {
            self.plan = plan;
            self.last = next.part.name;
        }
        Ok(next)
    }

    fn end_of(&mut self, part: PartName) -> Result<i64, PublishError> {
        let known = self.followed.part(part).and_then(|known| known.end_us);
        // Vanished from the journal, or broken off.
        let Some(end_us) = known else {
            return Err(if self.followed.is_abandoned() { PublishError::Abandoned } else { PublishError::Rewritten });
        };
        let end = self.plan.head.grid.at_us(end_us as i64);
        if let Some(planned) = self.plan.parts.iter_mut().find(|planned| planned.name == part) {
            planned.end = end;
        }
        Ok(end)
    }
}

/// Waits for the first usable part after `last`, and adds it to the plan.
fn next_of(
    session: &Arc<SessionDir>,
    followed: &Arc<Followed>,
    plan: &mut Option<Plan>,
    mut last: Option<PartName>,
) -> Result<Option<NextPart>, PublishError> {
    loop {
        if followed.is_abandoned() {
            return Err(PublishError::Abandoned);
        }
        // In this order: what is over has its parts.
        let over = followed.is_over();
        let Some(part) = followed.part_after(last) else {
            if over {
                return Ok(None);
            }
            followed.wait();
            continue;
        };
        last = Some(part.name);
        let open = || Growing::open(session, followed, part.name);
        let Some((mut planned, seen)) = begin_of(&part, open()?, Depth::Beginning)? else { continue };
        let grows = part.end_us.is_none() || !over;
        planned.end = sample_at(BEYOND_US);
        if let (false, Some(end_us)) = (grows, part.end_us) {
            planned.end = seen.grid.at_us(end_us as i64);
        }
        if planned.end <= planned.start {
            continue;
        }
        match plan {
            None => *plan = Plan::begin(planned, seen),
            Some(plan) => plan.append(planned, &seen)?,
        }
        let entered = plan.as_ref().and_then(|plan| plan.parts.last()).filter(|entered| entered.name == part.name);
        if let Some(&part) = entered {
            return Ok(Some(NextPart { part, grows, bytes: Box::new(open()?) }));
        }
    }
}

/// The bytes of a part; at its end for now it waits for more.
struct Growing {
    file: File,
    name: PartName,
    followed: Arc<Followed>,
    /// Since when nothing came although the end is known.
    dry: Option<Instant>,
}

impl Growing {
    fn open(session: &SessionDir, followed: &Arc<Followed>, name: PartName) -> Result<Growing, PublishError> {
        let file = session
            .open_part(name)
            .map_err(|error| PublishError::OpenPart { part: name, source: io::Error::other(error) })?;
        Ok(Growing { file, name, followed: Arc::clone(followed), dry: None })
    }
}

impl Read for Growing {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        loop {
            // In this order: what comes before it is over is read.
            let coming = self.followed.coming(self.name);
            let read = self.file.read(buffer)?;
            if read > 0 {
                self.dry = None;
                return Ok(read);
            }
            match coming {
                Coming::Nothing => return Ok(0),
                Coming::Rest if self.dry.get_or_insert_with(Instant::now).elapsed() >= REST => return Ok(0),
                Coming::Rest | Coming::More => self.followed.wait(),
            }
        }
    }
}
