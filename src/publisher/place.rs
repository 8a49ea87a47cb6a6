//! The place that finished files are brought to, with what the journal has of uploads.

use std::io;
use std::rc::Rc;

use crate::egress::Resolver;
use crate::session::event::PublisherEvent;
use crate::session::folder::{PublisherRun, SessionDir};
use crate::session::request::{Delivery, Destination};
use crate::store::{FolderStore, Media, S3Store, Store, StoreError, Uploads, VodStore};

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
        Destination::Session => Box::new(FolderStore::new(session.output_folder(), session.output_folder())),
        Destination::S3(place) => Box::new(S3Store::new(place, Box::new(Journaled { session, run }), resolver)?),
        Destination::Vod(place) => {
            Box::new(VodStore::new(place, Rc::new(Journaled { session, run }), media, resolver)?)
        }
    })
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
