//! Who may record now: a pure decision over everything that is known.

use std::collections::{BTreeMap, BTreeSet};

use jiff::Timestamp;

use super::settings::Limits;

/// How many of the queue are told their place.
pub const SHOWN: usize = 20;

/// A recording that holds a place, or waits for one.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Candidate {
    pub uid: String,
    pub namespace: String,
    pub created: Timestamp,
    pub stand: Stand,
}

/// Where a candidate stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Stand {
    /// It has a Job that has not ended, or had one: it is not made to wait again.
    Holds,
    Waits,
}

/// Which limit keeps a recording waiting.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Full {
    Cluster,
    Namespace,
}

/// What was decided for one that waits.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Verdict {
    Admitted,
    /// Its place among all that wait, from 1.
    Queued {
        place: usize,
        why: Full,
    },
}

/// Decides for all at once. Order: creation time, then UID. A namespace that is full does not hold
/// up others.
pub fn decide(candidates: &[Candidate], limits: Limits) -> BTreeMap<String, Verdict> {
    let mut used = 0;
    let mut used_by: BTreeMap<&str, u32> = BTreeMap::new();
    for holder in candidates.iter().filter(|candidate| candidate.stand == Stand::Holds) {
        used += 1;
        *used_by.entry(&holder.namespace).or_default() += 1;
    }
    let waiting: BTreeSet<(Timestamp, &str, &str)> = candidates
        .iter()
        .filter(|candidate| candidate.stand == Stand::Waits)
        .map(|candidate| (candidate.created, candidate.uid.as_str(), candidate.namespace.as_str()))
        .collect();
    let mut verdicts = BTreeMap::new();
    let mut place = 0;
    for (_, uid, namespace) in waiting {
        let here = used_by.entry(namespace).or_default();
        let full = if limits.cluster.is_some_and(|limit| used >= limit) {
            Some(Full::Cluster)
        } else if limits.namespace.is_some_and(|limit| *here >= limit) {
            Some(Full::Namespace)
        } else {
            None
        };
        let verdict = match full {
            Some(why) => {
                place += 1;
                Verdict::Queued { place, why }
            }
            None => {
                used += 1;
                *here += 1;
                Verdict::Admitted
            }
        };
        verdicts.insert(uid.to_owned(), verdict);
    }
    verdicts
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn candidate(uid: &str, namespace: &str, second: i64, stand: Stand) -> Candidate {
        let created = Timestamp::from_second(second).unwrap();
        Candidate { uid: uid.into(), namespace: namespace.into(), created, stand }
    }

    #[test]
    fn the_oldest_first_and_a_full_namespace_blocks_nobody_else() {
        use Full::{Cluster, Namespace};
        use Stand::{Holds, Waits};
        let limits = Limits { cluster: Some(4), namespace: Some(2) };
        let all = [
            candidate("a", "one", 9, Holds),
            candidate("b", "one", 8, Holds),
            candidate("c", "one", 1, Waits),
            candidate("d", "two", 3, Waits),
            candidate("f", "two", 3, Waits),
            candidate("e", "three", 2, Waits),
            candidate("g", "one", 2, Waits),
        ];
        let verdicts = decide(&all, limits);
        let queued = |place, why| Verdict::Queued { place, why };
        assert_eq!(verdicts["c"], queued(1, Namespace));
        assert_eq!(verdicts["e"], Verdict::Admitted);
        assert_eq!(verdicts["g"], queued(2, Namespace));
        assert_eq!(verdicts["d"], Verdict::Admitted);
        assert_eq!(verdicts["f"], queued(3, Cluster));
        assert!(!verdicts.contains_key("a"));
    }

    #[test]
    fn without_limits_all_are_admitted() {
        let all = [candidate("a", "one", 1, Stand::Waits), candidate("b", "one", 1, Stand::Waits)];
        assert!(decide(&all, Limits::default()).values().all(|verdict| *verdict == Verdict::Admitted));
    }

    proptest! {
        #[test]
        fn no_limit_is_ever_passed_and_no_room_is_left(
            rows in prop::collection::vec((0u8..4, 0i64..50, any::<bool>()), 0..60),
            cluster in 1u32..8, namespace in 1u32..4,
        ) {
            // Holders are there as the limits let them be.
            let (mut used, mut used_by) = (0, BTreeMap::<u8, u32>::new());
            let all: Vec<Candidate> = rows.iter().enumerate().map(|(index, (space, second, holds))| {
                let here = used_by.entry(*space).or_default();
                let holds = *holds && used < cluster && *here < namespace;
                if holds { used += 1; *here += 1; }
                let stand = if holds { Stand::Holds } else { Stand::Waits };
                candidate(&format!("uid-{index:03}"), &format!("space-{space}"), *second, stand)
            }).collect();
            let limits = Limits { cluster: Some(cluster), namespace: Some(namespace) };
            let verdicts = decide(&all, limits);
            let runs = |candidate: &&Candidate| {
                candidate.stand == Stand::Holds || verdicts[&candidate.uid] == Verdict::Admitted
            };
            let running: Vec<&Candidate> = all.iter().filter(runs).collect();
            prop_assert!(running.len() as u32 <= cluster);
            for space in 0..4 {
                let space = format!("space-{space}");
                let here = running.iter().filter(|candidate| candidate.namespace == space).count() as u32;
                prop_assert!(here <= namespace);
                let waits = all.iter().any(|candidate| candidate.namespace == space && !runs(&candidate));
                prop_assert!(!waits || here == namespace || running.len() as u32 == cluster);
            }
            let mut places: Vec<usize> = verdicts.values().filter_map(|verdict| match verdict {
                Verdict::Queued { place, .. } => Some(*place),
                Verdict::Admitted => None,
            }).collect();
            places.sort_unstable();
            prop_assert_eq!(&places, &(1..=places.len()).collect::<Vec<_>>());
        }
    }
}
