//! Signatures that were used: none is good twice.

use std::collections::{BTreeMap, HashSet};

use jiff::Timestamp;
use sha2::{Digest, Sha256};

use super::denied::Denied;
use super::verify::SKEW_SECONDS;

/// How many signatures are remembered unless somebody says otherwise: some 40 MB at most.
const CAPACITY: usize = 1 << 20;

/// Remembers the signatures of the last half hour. A client that asks the same twice in one second makes the same
/// signature twice, for x-date knows no less, and the original takes that: so this is a choice.
pub struct Replays {
    capacity: usize,
    count: usize,
    /// By the second from which on the date alone refuses them.
    seen: BTreeMap<i64, HashSet<[u8; 16]>>,
}

impl Default for Replays {
    fn default() -> Replays {
        Replays::new(CAPACITY)
    }
}

impl Replays {
    /// Remembers at most so many signatures.
    pub fn new(capacity: usize) -> Replays {
        Replays { capacity, count: 0, seen: BTreeMap::new() }
    }

    /// Takes a verified signature.
    ///
    /// # Errors
    /// It was used before; or there are too many to remember one more, and to forget one would let it in again.
    pub(super) fn take(
        &mut self,
        key_id: &str,
        signature: &[u8],
        dated: Timestamp,
        now: Timestamp,
    ) -> Result<(), Denied> {
        while let Some(oldest) = self.seen.first_entry().filter(|oldest| *oldest.key() < now.as_second()) {
            self.count -= oldest.remove().len();
        }
        let digest = Sha256::new().chain_update(key_id).chain_update([0]).chain_update(signature).finalize();
        let mut short = [0; 16];
        short.copy_from_slice(&digest[..16]);
        let until = dated.as_second().saturating_add(SKEW_SECONDS);
        if self.seen.get(&until).is_some_and(|seen| seen.contains(&short)) {
            return Err(Denied::Replayed);
        }
        if self.count >= self.capacity {
            return Err(Denied::Limit);
        }
        self.seen.entry(until).or_default().insert(short);
        self.count += 1;
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_signature_is_good_once_and_memory_has_an_end() {
        let at = |second| Timestamp::from_second(second).unwrap();
        let mut replays = Replays::new(2);
        assert_eq!(replays.take("a", b"one", at(1_000), at(1_000)), Ok(()));
        assert_eq!(replays.take("a", b"one", at(1_000), at(1_900)), Err(Denied::Replayed));
        assert_eq!(replays.take("b", b"one", at(1_500), at(1_000)), Ok(()));
        assert_eq!(replays.take("a", b"two", at(1_000), at(1_900)), Err(Denied::Limit));
        // From here on the first one's date is too old by itself.
        assert_eq!(replays.take("a", b"two", at(1_901), at(1_901)), Ok(()));
        assert_eq!(replays.take("b", b"one", at(1_500), at(2_400)), Err(Denied::Replayed));
    }
}
