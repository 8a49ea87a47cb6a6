//! A recording kept in a bucket while it goes on: what is lost with the disk of a session is a few seconds.
//! Called by the publisher's process (the copying) and before it (putting back).
//! Never: decides what counts; journals and parts are copied as they are, in an order in which no journal tells
//! of media that is not there yet.
//!
//! Beneath the session's prefix, `<ms>` being Unix milliseconds:
//!
//! | key | what |
//! |---|---|
//! | `<run start ms>/<piece start ms>.webm` | a piece of a part: 5 s or 5 MiB; those of a run make up its parts one after another |
//! | `<run start ms>/journal-<offset>.jsonl` | a piece of the recorder's journal |
//! | `publisher/<run>/journal-<offset>.jsonl` | a piece of the publisher's journal |
//! | `publisher/intent.json`, `publisher/result.json` | documents |

mod copy;
mod mirror;
mod names;
mod restore;

use std::time::Duration;

pub use mirror::Mirror;
pub use restore::{RestoreError, Restored, restore};

use crate::egress::Resolver;
use crate::session::request::Intermediate;
use crate::store::{NoUploads, S3Store, StoreError};

/// Where a piece of media belongs, noted with it: the part's name, a space, and the offset in bytes.
const PLACE: &str = "panorec-place";

/// A store that fails is tried again for so long before something else is done.
const TRY: Duration = Duration::from_secs(30);

/// Not to be called in an async context: it waits.
fn open(intermediate: &Intermediate, resolver: &Resolver) -> Result<S3Store<'static>, StoreError> {
    Ok(S3Store::new(&intermediate.place, Box::new(NoUploads), resolver)?)
}
