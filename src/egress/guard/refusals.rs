//! What was not connected to, bounded however much a page asks for.

use std::collections::HashMap;
use std::sync::{Mutex, MutexGuard, PoisonError};

use super::dial::DialError;
use crate::egress::EgressError;

/// Of so many hosts the trouble is kept.
const HOSTS: usize = 256;
/// So many refused hosts are told of.
const TOLD: usize = 8;

/// Counts what was refused, and keeps why.
#[derive(Debug, Default)]
pub(super) struct Refusals(Mutex<Known>);

#[derive(Debug, Default)]
struct Known {
    /// By host, as it was last.
    troubles: HashMap<String, String>,
    /// Sentences that nobody has asked for yet.
    news: Vec<String>,
    /// Hosts that were told of.
    told: Vec<String>,
    refused: u64,
}

impl Refusals {
    /// Takes in how a connection went.
    pub(super) fn heed(&self, host: &str, failure: Option<&DialError>) {
        let mut known = self.lock();
        let Some(error) = failure else { return drop(known.troubles.remove(host)) };
        if known.troubles.len() < HOSTS || known.troubles.contains_key(host) {
            known.troubles.insert(host.to_owned(), error.to_string());
        }
        let DialError::Egress(refused @ EgressError::Refused { .. }) = error else { return };
        known.refused += 1;
        if known.told.len() < TOLD && !known.told.iter().any(|told| told == host) {
            tracing::warn!(%refused, "the page may not connect");
            known.told.push(host.to_owned());
            known.news.push(refused.to_string());
        }
    }

    pub(super) fn trouble(&self, host: &str) -> Option<String> {
        self.lock().troubles.get(host).cloned()
    }

    pub(super) fn news(&self) -> Vec<String> {
        std::mem::take(&mut self.lock().news)
    }

    pub(super) fn count(&self) -> u64 {
        self.lock().refused
    }

    fn lock(&self) -> MutexGuard<'_, Known> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
