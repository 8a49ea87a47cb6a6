//! What every request goes through: keys that may be exchanged while it runs, replays, and the limit of starts.

use std::sync::{Arc, Mutex, PoisonError, RwLock};

use jiff::Timestamp;

use super::canonical::Incoming;
use super::denied::Denied;
use super::keys::{Caller, Keys};
use super::replays::Replays;
use super::starts::Starts;
use super::verify::verify;
use crate::gateway::prefix::Prefix;

/// Lets in who has signed.
pub struct Gate {
    keys: RwLock<Arc<Keys>>,
    replays: Option<Mutex<Replays>>,
    starts: Mutex<Starts>,
}

impl Gate {
    /// With `replays` no signature is good twice.
    pub fn new(keys: Keys, replays: Option<Replays>) -> Gate {
        let replays = replays.map(Mutex::new);
        Gate { keys: RwLock::new(Arc::new(keys)), replays, starts: Mutex::default() }
    }

    /// Takes these keys from the next request on.
    pub fn set_keys(&self, keys: Keys) {
        self.starts.lock().unwrap_or_else(PoisonError::into_inner).retain(|id| keys.get(id).is_some());
        *self.keys.write().unwrap_or_else(PoisonError::into_inner) = Arc::new(keys);
    }

    /// Who has signed the request.
    ///
    /// # Errors
    /// Nobody whom it knows, or one who has used the same signature before.
    pub fn admit(&self, request: &Incoming<'_>, prefix: &Prefix, now: Timestamp) -> Result<Caller, Denied> {
        let keys = self.keys();
        let verified = verify(&keys, request, prefix, now)?;
        let caller = verified.key.caller.clone();
        if let (Some(replays), Some(id)) = (&self.replays, &caller.key_id) {
            let mut replays = replays.lock().unwrap_or_else(PoisonError::into_inner);
            replays.take(id, &verified.signature, verified.dated, now)?;
        }
        Ok(caller)
    }

    /// Counts one more start of a caller.
    ///
    /// # Errors
    /// Its key has had as many within a minute as it may.
    pub fn count_start(&self, caller: &Caller, now: Timestamp) -> Result<(), Denied> {
        let Some(id) = &caller.key_id else { return Ok(()) };
        let Some(most) = self.keys().get(id).and_then(|key| key.starts_per_minute) else { return Ok(()) };
        self.starts.lock().unwrap_or_else(PoisonError::into_inner).take(id, most, now)
    }

    fn keys(&self) -> Arc<Keys> {
        Arc::clone(&self.keys.read().unwrap_or_else(PoisonError::into_inner))
    }
}
