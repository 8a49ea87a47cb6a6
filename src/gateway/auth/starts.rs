//! How many recordings a key may start in a minute.

use std::collections::{HashMap, VecDeque};

use jiff::{SignedDuration, Timestamp};

use super::denied::Denied;

/// A minute, which slides.
const WINDOW: SignedDuration = SignedDuration::from_secs(60);

/// The starts of the last minute, of each key that has a limit.
#[derive(Default)]
pub(super) struct Starts(HashMap<String, VecDeque<Timestamp>>);

impl Starts {
    /// Takes one more start.
    ///
    /// # Errors
    /// There were `most` within the last minute.
    pub fn take(&mut self, key_id: &str, most: u32, now: Timestamp) -> Result<(), Denied> {
        let starts = self.0.entry(key_id.to_owned()).or_default();
        while starts.front().is_some_and(|oldest| now.duration_since(*oldest) >= WINDOW) {
            starts.pop_front();
        }
        if starts.len() >= usize::try_from(most).unwrap_or(usize::MAX) {
            return Err(Denied::Limit);
        }
        starts.push_back(now);
        Ok(())
    }

    /// Forgets keys that are no more.
    pub fn retain(&mut self, is_known: impl Fn(&str) -> bool) {
        self.0.retain(|id, _| is_known(id));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_minute_slides() {
        let at = |second| Timestamp::from_second(second).unwrap();
        let mut starts = Starts::default();
        assert_eq!(starts.take("a", 2, at(0)), Ok(()));
        assert_eq!(starts.take("a", 2, at(30)), Ok(()));
        assert_eq!(starts.take("a", 2, at(59)), Err(Denied::Limit));
        assert_eq!(starts.take("b", 2, at(59)), Ok(()));
        assert_eq!(starts.take("a", 2, at(60)), Ok(()));
        assert_eq!(starts.take("a", 2, at(61)), Err(Denied::Limit));
        assert_eq!(starts.take("c", 0, at(0)), Err(Denied::Limit));
    }
}
