//! Publishing while it is recorded: the video goes to its place as it grows, so that little is left to do when the
//! recording ends, however long it was.
//! Called by the publisher's process and by local, beside the recorder; what it cannot do is done at the end.
//! Never: decides what the recording is. Whatever the journal takes back is made anew at the end.

mod followed;
mod hls;
mod mp4;
mod source;

use std::sync::Arc;
use std::thread::JoinHandle;

pub use followed::Followed;

use super::error::PublishError;
use super::finish::Kind;
use super::publish::kind_of;
use crate::egress::Resolver;
use crate::session::event::Video;
use crate::session::folder::{PublisherRun, SessionDir};
use crate::session::request::{Codec, Delivery, Destination};

/// A video that is being published while it is recorded.
pub struct Live {
    followed: Arc<Followed>,
    thread: Option<JoinHandle<Result<Option<Published>, PublishError>>>,
}

/// What is to be published, and what is known of it.
struct Work {
    session: Arc<SessionDir>,
    run: Arc<PublisherRun>,
    delivery: Delivery,
    resolver: Resolver,
    followed: Arc<Followed>,
}

/// What was published when the recording ended.
#[derive(Debug, Clone, PartialEq)]
pub struct Published {
    pub video: Video,
    /// What a person should know about it.
    pub warnings: Vec<String>,
}

impl Live {
    /// Begins to publish what the session records. The run's `RunStarted` is journaled. None: this delivery is
    /// made at the end.
    pub fn start(
        session: &Arc<SessionDir>,
        run: &Arc<PublisherRun>,
        delivery: &Delivery,
        resolver: &Resolver,
    ) -> Option<Live> {
        // VOD makes a media of whole files.
        if let Destination::Vod(_) = delivery.destination {
            return None;
        }
        let kind = kind_of(delivery);
        let followed = Arc::<Followed>::default();
        let work = Work {
            session: Arc::clone(session),
            run: Arc::clone(run),
            delivery: delivery.clone(),
            resolver: resolver.clone(),
            followed: Arc::clone(&followed),
        };
        let thread = std::thread::Builder::new().name("live".into()).spawn(move || {
            let ended = kind.and_then(|kind| match &kind {
                Kind::Mp4 => mp4::make(&work),
                Kind::Hls(settings) => hls::make(&work, settings),
            });
            if let Err(error) = &ended {
                tracing::info!(%error, "no longer published while it is recorded; the video is made at the end");
            }
            ended
        });
        match thread {
            Ok(thread) => Some(Live { followed, thread: Some(thread) }),
            Err(error) => {
                tracing::warn!(%error, "the video is made at the end");
                None
            }
        }
    }

    /// Where to tell what the journal has.
    pub fn followed(&self) -> &Arc<Followed> {
        &self.followed
    }

    /// Waits for the end. It blocks. None: nothing was recorded.
    ///
    /// # Errors
    /// What keeps the video from being at its place; it can be made at the end, from the same parts.
    pub(super) fn finish(mut self) -> Result<Option<Published>, PublishError> {
        match self.thread.take().map(JoinHandle::join) {
            Some(Ok(ended)) => ended,
            Some(Err(_)) | None => Err(PublishError::Abandoned),
        }
    }
}

impl Drop for Live {
    fn drop(&mut self) {
        self.followed.abandon();
    }
}

/// Whether parts of this codec are published as they are.
fn is_copied(codec: Codec) -> bool {
    codec == Codec::H264
}
