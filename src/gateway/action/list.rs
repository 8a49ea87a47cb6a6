//! Which tasks List lists.

use jiff::Timestamp;
use jiff::civil::DateTime;
use jiff::tz::TimeZone;

use super::fields::Fields;
use super::refusal::Refusal;
use crate::session::fold::Phase;

/// Which tasks List lists; by default all.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Filter {
    pub status: Which,
    /// Created in this second or later.
    pub from: Option<Timestamp>,
    /// Created in this second or before.
    pub until: Option<Timestamp>,
}

/// Tasks by their status.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum Which {
    #[default]
    All,
    /// All that are not finished.
    Running,
    Finished,
}

impl Filter {
    pub(super) fn read(data: &Fields<'_>) -> Result<Filter, Refusal> {
        let words = [("all", Which::All), ("running", Which::Running), ("finished", Which::Finished)];
        Ok(Filter {
            status: data.word("Status", &words)?.unwrap_or_default(),
            from: time(data, "StartTime")?,
            until: time(data, "EndTime")?,
        })
    }

    /// Whether it takes a task. One that has no creation time yet is as new as can be.
    pub fn takes(&self, phase: Phase, created: Option<Timestamp>) -> bool {
        let fits = match self.status {
            Which::All => true,
            Which::Running => phase != Phase::Finished,
            Which::Finished => phase == Phase::Finished,
        };
        let second = created.map_or(i64::MAX, Timestamp::as_second);
        fits && self.from.is_none_or(|from| from.as_second() <= second)
            && self.until.is_none_or(|until| second <= until.as_second())
    }
}

/// A time of List is of UTC.
fn time(data: &Fields<'_>, name: &str) -> Result<Option<Timestamp>, Refusal> {
    let Some(text) = data.text(name)? else { return Ok(None) };
    let time = DateTime::strptime("%Y-%m-%d %H:%M:%S", &text).and_then(|time| time.to_zoned(TimeZone::UTC));
    time.map(|time| Some(time.timestamp()))
        .map_err(|_| data.refuse(name, "must be a time in UTC as YYYY-MM-DD HH:MM:SS"))
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::*;

    fn read(data: Value) -> Result<Filter, Refusal> {
        Filter::read(&Fields::of(Some(&data), "Data", "").unwrap())
    }

    #[test]
    fn tasks_are_taken_by_status_and_creation() {
        let at = |text: &str| text.parse::<Timestamp>().unwrap();
        let filter =
            read(json!({"Status": "running", "StartTime": "2024-02-29 23:59:59", "EndTime": "2024-03-01 00:00:01"}));
        let filter = filter.unwrap();
        for (phase, created, is_taken) in [
            (Phase::Recording, "2024-02-29T23:59:58.9Z", false),
            (Phase::Normal, "2024-02-29T23:59:59Z", true),
            (Phase::Upload, "2024-03-01T00:00:01.9Z", true),
            (Phase::Upload, "2024-03-01T00:00:02Z", false),
            (Phase::Finished, "2024-03-01T00:00:00Z", false),
        ] {
            assert_eq!(filter.takes(phase, Some(at(created))), is_taken, "{phase} {created}");
        }
        for phase in Phase::ALL {
            assert!(read(json!({})).unwrap().takes(phase, None));
            assert!(read(json!({"Status": "all", "StartTime": " "})).unwrap().takes(phase, None));
            let finished = read(json!({"Status": "finished"})).unwrap();
            assert_eq!(finished.takes(phase, None), phase == Phase::Finished);
        }
    }

    #[test]
    fn what_it_cannot_read_it_says() {
        for (data, says) in [
            (json!({"Status": "paused"}), "Status must be one of all, running, finished"),
            (json!({"StartTime": "2024-03-01"}), "StartTime must be a time in UTC as YYYY-MM-DD HH:MM:SS"),
            (json!({"EndTime": "2024-02-30 00:00:00"}), "EndTime must be a time in UTC as YYYY-MM-DD HH:MM:SS"),
            (json!({"EndTime": []}), "EndTime must be a text"),
        ] {
            assert_eq!(read(data).unwrap_err().message, says);
        }
    }
}
