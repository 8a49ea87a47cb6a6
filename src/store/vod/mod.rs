//! Tencent Cloud VOD: ApplyUpload names a place, the files go there by the S3 client, CommitUpload makes one
//! media of them.
//! The place is journaled before anything is sent and a next run goes on there; the keys to it are not, so it
//! asks for new ones. What those are not good for is sent anew to their own place, which costs time and no
//! media: there is one only once it is committed, and the same commit can be asked for again.

mod api;
mod client;
mod fault;
mod media;
mod place;
mod tc3;

use std::cell::RefCell;
use std::fs;
use std::io;
use std::path::{Path, PathBuf};
use std::rc::Rc;
use std::time::Duration;

use jiff::{SignedDuration, Timestamp};

use super::growing::{Expected, GrowingFile};
use super::keys::Keys;
use super::s3::{S3Error, S3Store};
use super::{Delivered, Store, StoreError, Uploads};
use crate::egress::Resolver;
use crate::session::request::VodDestination;
use api::{Action, ApplyUpload, CommitUpload, DescribeMediaInfos, MetaData, UploadCommitted};
use client::Client;
pub use fault::VodError;
pub use media::Media;
use media::Role;
use place::{Begun, Place, Stage};

/// A look before anything is recorded may take so long.
const CHECK: Duration = Duration::from_secs(15);
/// With keys that end within this time no further file is begun.
const ENDING: SignedDuration = SignedDuration::from_secs(60);
/// How often an upload is begun: VOD may lose it, or its keys may end and the next ones be for another place.
const BEGINNINGS: u32 = 4;
/// How often VOD is asked what it found in the video, the pause between, and the time that one question may take.
const LOOKS: u32 = 6;
const BETWEEN_LOOKS: Duration = Duration::from_secs(2);
const LOOK: Duration = Duration::from_secs(5);

/// Makes one media of the files that are delivered; the one that players open comes last.
pub struct VodStore<'a> {
    destination: &'a VodDestination,
    uploads: Rc<dyn Uploads + 'a>,
    resolver: Resolver,
    media: Media,
    client: Client,
    runtime: tokio::runtime::Runtime,
    state: RefCell<State<'a>>,
}

/// How far the upload is.
struct State<'a> {
    begun: Option<Begun>,
    access: Option<Access<'a>>,
    /// What was given so far.
    files: Vec<(PathBuf, Role)>,
    /// How many of them lie at the place.
    there: usize,
    /// How much of the next one got there under any keys, in bytes.
    furthest: u64,
    /// How often all had to be sent to another place.
    moves: u32,
}

/// Keys, and the client that has them.
struct Access<'a> {
    store: S3Store<'a>,
    keys: Keys,
    ends: Option<Timestamp>,
    /// The place that came with the keys, while it is not known whether they are good for an earlier one.
    own: Option<Place>,
    /// Something got there under them.
    taken: bool,
}

impl Access<'_> {
    /// Keys that were not tried yet are, whatever this machine's clock says.
    fn is_ending(&self) -> bool {
        self.taken && self.ends.is_some_and(|ends| ends.duration_since(Timestamp::now()) < ENDING)
    }
}

impl<'a> VodStore<'a> {
    /// Not to be called, nor used, in an async context: it waits.
    ///
    /// # Errors
    /// Credentials that cannot be read; an address that is none.
    pub fn new(
        destination: &'a VodDestination,
        uploads: Rc<dyn Uploads + 'a>,
        media: Media,
        resolver: &Resolver,
    ) -> Result<VodStore<'a>, VodError> {
        let begun = uploads.open(&label(&media)).and_then(|text| serde_json::from_str(&text).ok());
        let state = State { begun, access: None, files: Vec::new(), there: 0, furthest: 0, moves: 0 };
        let (client, runtime) = (Client::new(destination, resolver)?, runtime()?);
        let resolver = resolver.clone();
        Ok(VodStore { destination, uploads, resolver, media, client, runtime, state: RefCell::new(state) })
    }

    /// Whether VOD takes these credentials, and all that it would be asked for. Nothing becomes a media by it.
    /// Not to be called in an async context: it waits.
    pub fn check(destination: &VodDestination, entry: &str, resolver: &Resolver) -> Result<(), VodError> {
        let media = Media { files: vec![entry.to_owned()], pictures: Vec::new(), duration_us: 0 };
        let client = Client::new(destination, resolver)?;
        let applied = runtime()?.block_on(client.ask(&application(destination, &media), CHECK))?;
        Place::of(&applied).map(drop)
    }

    fn ask<A: Action>(&self, action: &A) -> Result<A::Answer, VodError> {
        let patience = Duration::from_secs(self.destination.deadline_seconds);
        self.runtime.block_on(self.client.ask(action, patience))
    }

    /// Goes on at this place, after writing that down.
    fn begin(&self, state: &mut State<'a>, place: Place, stage: Stage) -> Result<(), StoreError> {
        let begun = Begun { place, stage };
        let text = serde_json::to_string(&begun).map_err(|error| StoreError::Journal(io::Error::other(error)))?;
        self.uploads.begun(&label(&self.media), &text)?;
        state.begun = Some(begun);
        Ok(())
    }

    /// Sends what was given and is not there yet; `sent` is told of the last one.
    fn send(&self, state: &mut State<'a>, sent: &mut dyn FnMut(u64)) -> Result<(), StoreError> {
        while let Some((file, role)) = state.files.get(state.there).cloned() {
            let is_last = state.there + 1 == state.files.len();
            let (place, mut access) = self.open(state)?;
            let key = match role {
                Role::Entry => Some(place.media_key.clone()),
                Role::Cover => place.cover_key.clone(),
                Role::Beside => Some(place.key_beside(&name_of(&file))),
                Role::LeftOut => None,
            };
            let Some(key) = key else {
                self.uploads.warn(&format!("VOD has no place for {}; it was left out", name_of(&file)))?;
                (state.there, state.access) = (state.there + 1, Some(access));
                continue;
            };
            let mut furthest = state.furthest;
            let done = access.store.send(&file, &key, &mut |bytes| {
                furthest = furthest.max(bytes);
                if is_last {
                    sent(bytes);
                }
            });
            if done.is_ok() || furthest > state.furthest {
                (access.taken, access.own) = (true, None);
            }
            state.furthest = furthest;
            match done {
                Ok(_) => (state.there, state.furthest, state.access) = (state.there + 1, 0, Some(access)),
                Err(StoreError::S3(S3Error::Credentials { said } | S3Error::Denied { said, .. })) => {
                    self.refused(state, access, said)?;
                }
                Err(error) => return Err(error),
            }
        }
        Ok(())
    }

    /// The place, and keys that do not end at once.
    fn open(&self, state: &mut State<'a>) -> Result<(Place, Access<'a>), StoreError> {
        if let (Some(begun), Some(access)) = (&state.begun, state.access.take())
            && !access.is_ending()
        {
            return Ok((begun.place.clone(), access));
        }
        let applied = self.ask(&application(self.destination, &self.media))?;
        let own = Place::of(&applied)?;
        let (keys, ends) = match applied.temp_certificate {
            Some(given) => {
                let token = Some(given.token).filter(|token| !token.is_empty());
                let keys = Keys { secret_id: given.secret_id, secret_key: given.secret_key, token };
                (keys, Timestamp::from_second(given.expired_time).ok())
            }
            None => (self.client.keys().clone(), None),
        };
        let (place, own) = match &state.begun {
            Some(begun) => (begun.place.clone(), Some(own)),
            None => {
                self.begin(state, own.clone(), Stage::Sending)?;
                (own, None)
            }
        };
        let store = self.store(&place, keys.clone())?;
        Ok((place, Access { store, keys, ends, own, taken: false }))
    }

    /// The keys were refused: they have ended, or are not good for a place that is not their own.
    fn refused(&self, state: &mut State<'a>, access: Access<'a>, said: String) -> Result<(), StoreError> {
        match access.own {
            Some(own) if state.moves + 1 < BEGINNINGS => {
                tracing::warn!(said, "VOD's new keys are for another place; all is sent there");
                self.begin(state, own.clone(), Stage::Sending)?;
                (state.there, state.furthest, state.moves) = (0, 0, state.moves + 1);
                let store = self.store(&own, access.keys.clone())?;
                state.access = Some(Access { store, own: None, taken: false, ..access });
            }
            Some(_) => return Err(VodError::TooSlow.into()),
            None if access.taken => tracing::info!(said, "VOD's keys have ended; new ones are asked for"),
            None => return Err(VodError::Certificate { said }.into()),
        }
        Ok(())
    }

    fn store(&self, place: &Place, keys: Keys) -> Result<S3Store<'a>, StoreError> {
        let uploads = Box::new(Rc::clone(&self.uploads));
        Ok(S3Store::with_keys(place.store(self.destination)?, uploads, keys, &self.resolver)?)
    }

    /// Makes a media of what was sent; sends it where that has not been done.
    fn commit(&self, state: &mut State<'a>, sent: &mut dyn FnMut(u64)) -> Result<UploadCommitted, StoreError> {
        let mut lost = "it was lost again and again".to_owned();
        for _ in 0..BEGINNINGS {
            let place = match &state.begun {
                Some(Begun { place, stage: Stage::Committing }) => place.clone(),
                _ => {
                    self.send(state, sent)?;
                    let Some(Begun { place, .. }) = state.begun.clone() else { break };
                    // Whoever comes after a lost answer asks for the same again.
                    self.begin(state, place.clone(), Stage::Committing)?;
                    place
                }
            };
            let sub_app_id = self.destination.sub_app_id;
            match self.ask(&CommitUpload { vod_session_key: &place.session_key, sub_app_id }) {
                Err(VodError::NoSession { said }) => {
                    if let Some(media) = self.find(&place)? {
                        return Ok(media);
                    }
                    tracing::warn!(said, "VOD has lost the upload; it is begun anew");
                    lost = said;
                    (state.begun, state.access, state.there, state.furthest) = (None, None, 0, 0);
                }
                answer => return Ok(answer?),
            }
        }
        Err(VodError::NoSession { said: lost }.into())
    }

    /// The media that was made of what lies at this place, if a commit had been taken and its answer lost.
    fn find(&self, place: &Place) -> Result<Option<UploadCommitted>, StoreError> {
        let Some(file_id) = place.file_id() else { return Ok(None) };
        let asked = match self.ask(&DescribeMediaInfos::of(file_id, self.destination.sub_app_id)) {
            // It is no FileId.
            Err(VodError::Refused { .. }) => return Ok(None),
            asked => asked?,
        };
        let found = asked.of(file_id).and_then(|info| info.basic_info?.media_url);
        let found = found.filter(|url| place.is_at(url));
        Ok(found.map(|url| UploadCommitted { file_id: file_id.to_owned(), media_url: Some(url) }))
    }

    /// Looks whether VOD has got what was sent. It has made a media of it, so this can fail nothing.
    fn compare(&self, file_id: &str, sent_bytes: u64) -> Result<(), StoreError> {
        let Some(found) = self.runtime.block_on(self.look(file_id)) else { return Ok(()) };
        match self.media.difference(found, sent_bytes, file_id) {
            Some(text) => self.uploads.warn(&text),
            None => Ok(()),
        }
    }

    /// What VOD found in the video; some seconds pass before it has looked.
    async fn look(&self, file_id: &str) -> Option<MetaData> {
        let mut found = None;
        for look in 0..LOOKS {
            if look > 0 {
                tokio::time::sleep(BETWEEN_LOOKS).await;
            }
            let asked = DescribeMediaInfos::of(file_id, self.destination.sub_app_id);
            match self.client.ask(&asked, LOOK).await {
                Ok(infos) => found = infos.of(file_id).and_then(|info| info.meta_data).or(found),
                Err(error) => {
                    tracing::warn!(%error, file_id, "it cannot be seen what VOD found in the video");
                    return found;
                }
            }
            if found.is_some_and(|found| found.is_whole()) {
                break;
            }
        }
        found
    }
}

impl Store for VodStore<'_> {
    fn deliver(&self, file: &Path, name: &str, sent: &mut dyn FnMut(u64)) -> Result<Delivered, StoreError> {
        let size_of = |file: &Path| {
            let size = fs::metadata(file).map(|meta| meta.len());
            size.map_err(|source| StoreError::Read { path: file.to_owned(), source })
        };
        let (size_bytes, role) = (size_of(file)?, self.media.role(name));
        let mut delivered = Delivered { name: name.to_owned(), size_bytes, url: None, file_id: None };
        if role == Role::LeftOut {
            self.uploads.warn(&format!("VOD has no place for {name}; it was left out"))?;
            return Ok(delivered);
        }
        let mut state = self.state.borrow_mut();
        state.files.push((file.to_owned(), role));
        // An earlier run sent everything, and perhaps had it committed.
        if state.begun.as_ref().is_none_or(|begun| begun.stage == Stage::Sending) {
            self.send(&mut state, sent)?;
        }
        sent(size_bytes);
        if role == Role::Entry {
            let UploadCommitted { file_id, media_url } = self.commit(&mut state, sent)?;
            let videos = state.files.iter().filter(|(_, role)| role.is_video());
            let sent_bytes = videos.map(|(file, _)| size_of(file)).sum::<Result<u64, StoreError>>()?;
            self.compare(&file_id, sent_bytes)?;
            (delivered.url, delivered.file_id) = (media_url, Some(file_id));
        }
        Ok(delivered)
    }

    fn grow<'s>(&'s self, _: &str, _: Expected) -> Result<Box<dyn GrowingFile + 's>, StoreError> {
        Err(StoreError::WholeOnly)
    }
}

/// The name under which the upload is journaled; no object's key begins so.
fn label(media: &Media) -> String {
    format!("vod://{}", media.entry())
}

fn name_of(file: &Path) -> String {
    file.file_name().unwrap_or_default().to_string_lossy().into_owned()
}

fn runtime() -> Result<tokio::runtime::Runtime, VodError> {
    tokio::runtime::Builder::new_current_thread().enable_all().build().map_err(VodError::Runtime)
}

/// What is asked of VOD for this media.
fn application<'m>(destination: &'m VodDestination, media: &'m Media) -> ApplyUpload<'m> {
    ApplyUpload {
        media_type: media.kind(),
        sub_app_id: destination.sub_app_id,
        media_name: destination.media_name.as_ref().map_or(media.stem(), |name| name.as_str()),
        cover_type: media.cover().map(|_| "jpg"),
        procedure: destination.procedure.as_ref().map(|text| text.as_str()),
        expire_time: destination.expire_time.map(|time| time.strftime("%Y-%m-%dT%H:%M:%SZ").to_string()),
        storage_region: destination.storage_region.as_ref().map(|text| text.as_str()),
        class_id: destination.class_id,
        source_context: destination.source_context.as_ref().map(|text| text.as_str()),
        session_context: destination.session_context.as_ref().map(|text| text.as_str()),
    }
}
