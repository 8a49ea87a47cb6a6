//! The place that finished files are brought to, with what the journal has of uploads.

use std::io;
use std::rc::Rc;
use std::time::Duration;

use super::error::PublishError;
use crate::egress::Resolver;
use crate::session::event::PublisherEvent;
use crate::session::folder::{PublisherRun, SessionDir};
use crate::session::request::{Delivery, Destination};
use crate::store::{FolderStore, Media, NoUploads, S3Store, Store, StoreError, Uploads, VodStore};

/// A store that fails is asked for so long to end an upload.
const ABORTING: Duration = Duration::from_secs(30);

/// Opens the place of a delivery. `media`: the files of one video, for VOD, which makes one thing of them.
///
/// # Errors
/// Credentials that cannot be used; an address that may not be reached.
pub(super) fn open_store<'a>(
    session: &'a SessionDir,
    run: &'a PublisherRun,
    delivery: &'a Delivery,
    resolver: &Resolver,
    media: Media,
) -> Result<Box<dyn Store + 'a>, StoreError> {
    Ok(match &delivery.destination {
        Destination::Folder { path } => Box::new(FolderStore::new(path, session.output_folder())),
        // Moving a file onto itself changes nothing: it is there.
        Destination::Session => {
            let store = FolderStore::new(session.output_folder(), session.output_folder());
            Box::new(store.served(delivery.served.clone()))
        }
        Destination::S3(place) => Box::new(S3Store::new(place, Box::new(Journaled { session, run }), resolver)?),
        Destination::Vod(place) => {
            Box::new(VodStore::new(place, Rc::new(Journaled { session, run }), media, resolver)?)
        }
    })
}

/// Ends in their store the uploads that a session began and did not finish; how many. Those to VOD end by
/// themselves, with the keys that were given for them.
///
/// Not to be called in an async context: it waits.
///
/// # Errors
/// A session that cannot be read; a store that cannot be reached within half a minute, or that says no.
pub fn abort_uploads(session: &SessionDir, resolver: &Resolver) -> Result<usize, PublishError> {
    let uploads = session.folded()?.published.uploads;
    let Destination::S3(place) = session.delivery()?.destination else { return Ok(0) };
    if uploads.is_empty() {
        return Ok(0);
    }
    let store = S3Store::new(&place, Box::new(NoUploads), resolver).map_err(StoreError::from)?;
    for (key, upload_id) in &uploads {
        store.abort(key, upload_id, ABORTING)?;
    }
    Ok(uploads.len())
}

/// Uploads as the journal has them.
struct Journaled<'a> {
    session: &'a SessionDir,
    run: &'a PublisherRun,
}

impl Uploads for Journaled<'_> {
    fn open(&self, key: &str) -> Option<String> {
        // An upload that cannot be found is begun anew; the store keeps the old one until its lifecycle ends it.
        self.session.folded().ok()?.published.uploads.get(key).cloned()
    }

    fn begun(&self, key: &str, upload_id: &str) -> Result<(), StoreError> {
        let event = PublisherEvent::PartsBegun { key: key.to_owned(), upload_id: upload_id.to_owned() };
        self.run.append(event).map(drop).map_err(|error| StoreError::Journal(io::Error::other(error)))
    }

    fn warn(&self, text: &str) -> Result<(), StoreError> {
        let event = PublisherEvent::Warning { text: text.to_owned() };
        self.run.append(event).map(drop).map_err(|error| StoreError::Journal(io::Error::other(error)))
    }
}
