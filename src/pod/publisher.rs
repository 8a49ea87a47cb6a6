//! `panorec publisher`: the container that finishes and delivers, tells of the end, and speaks with
//! the operator for the whole pod.

use std::net::SocketAddr;
use std::path::PathBuf;
use std::sync::{Arc, OnceLock};
use std::time::Duration;

use clap::Args;
use tokio::time::{Instant, sleep_until, timeout};

use super::control::{Endpoint, Token};
use super::link::Link;
use crate::complaint::Complaint;
use crate::egress::{EgressPolicy, Resolver};
use crate::publisher::callback::Tries;
use crate::publisher::intermediate::Mirror;
use crate::publisher::{Followed, Live, MadeFrom, Publication, PublishError};
use crate::session::event::PublisherEvent;
use crate::session::exit::ExitCode;
use crate::session::fold::Phase;
use crate::session::folder::{FolderError, FolderWatch, PublisherRun, SessionDir};
use crate::session::intent::IntentState;
use crate::session::request::Delivery;
use crate::session::status::{Items, Report};
use crate::terminate::Terminate;

/// A recorder that is told to stop has this long to come back and do it.
const RECORDER_GONE: Duration = Duration::from_secs(30);
/// What is not in the bucket yet has this long to come there.
const COPYING: Duration = Duration::from_secs(10);
/// Tens of thousands of pieces have this long to go.
const REMOVING: Duration = Duration::from_secs(1_800);
/// What the endpoint is doing has this long to end.
const DRAIN: Duration = Duration::from_secs(3);

/// The arguments of `panorec publisher`.
#[derive(Debug, Args)]
pub struct PublisherArgs {
    /// The session folder
    #[arg(long, env = "PANOREC_SESSION", value_name = "DIR", default_value = "/session")]
    session: PathBuf,
    /// The socket at which to listen for the recorder
    #[arg(long, env = "PANOREC_LINK", value_name = "SOCKET", default_value = "/run/panorec/link.sock")]
    link: PathBuf,
    /// What to make and where it goes, as JSON
    #[arg(long, env = "PANOREC_DELIVERY", value_name = "JSON", hide_env_values = true, value_parser = super::json::<Delivery>)]
    delivery: Delivery,
    /// Where to listen for the operator
    #[arg(long, env = "PANOREC_LISTEN", value_name = "ADDRESS", default_value = "0.0.0.0:7262")]
    listen: SocketAddr,
    /// The SHA-256 of the token that requests must bring, in hexadecimal
    #[arg(long, env = "PANOREC_TOKEN_SHA256", value_name = "HEX", hide_env_values = true)]
    token_sha256: Token,
    /// The generation of the resource that this pod was made from; older intents are refused
    #[arg(long, env = "PANOREC_GENERATION", value_name = "NUMBER", default_value_t = 0)]
    generation: u64,
    /// Publish again although that has been done; names the request
    #[arg(long, env = "PANOREC_REPUBLISH", value_name = "VALUE")]
    republish: Option<String>,
    /// The key of HLS segments, 32 hexadecimal digits; written to the delivery's key file
    #[arg(long, env = "PANOREC_HLS_KEY", value_name = "HEX", hide_env_values = true)]
    hls_key: Option<String>,
    /// The addresses that may be reached for stores and callbacks, as JSON [default: public ones]
    #[arg(long, env = "PANOREC_EGRESS", value_name = "JSON", value_parser = super::json::<EgressPolicy>,
          default_value = r#"{"public":{}}"#, hide_default_value = true)]
    egress: EgressPolicy,
}

/// Publishes when the recording is over, and serves until it is told to end.
pub(super) async fn publisher(args: PublisherArgs) -> Result<ExitCode, Complaint> {
    let mut terminate = Terminate::listen()?;
    let session = Arc::new(SessionDir::open_halves(&args.session)?);
    session.write_delivery_once(&args.delivery)?;
    write_key(&args)?;
    let run = Arc::new(PublisherRun::claim(&session)?);
    tracing::Span::current().record("run", run.number().0);
    tracing::info!("publishes");
    let cannot = |what: &str, error: std::io::Error| Complaint::internal(format!("cannot listen at {what}: {error}"));
    let link = Link::listen(&args.link, Arc::clone(&session))
        .map_err(|error| cannot(&args.link.display().to_string(), error))?;
    let endpoint =
        Endpoint::bind(args.listen, Arc::clone(&session), link.clone(), args.token_sha256.clone(), args.generation)
            .await
            .map_err(|error| cannot(&args.listen.to_string(), error))?;
    let ending = endpoint.ending();
    let served = tokio::spawn(endpoint.serve());

    let resolver = Resolver::new(args.egress);
    let mirror = OnceLock::new();
    let duty = Duty { session, run, delivery: args.delivery, republish: args.republish, link, resolver, mirror };
    let code = tokio::select! {
        done = duty.fulfil() => {
            match done {
                Ok(()) => tracing::info!("all is done; serving on"),
                // Another publisher has the session; what it says is read from here, too.
                Err(error) if error.is_superseded => tracing::warn!(%error, "leaves publishing to it"),
                Err(error) => return Err(error),
            }
            terminate.asked().await;
            ExitCode::Done
        }
        // A next publisher goes on from the journal; FFmpeg ends with this process.
        () = terminate.asked() => {
            duty.keep(Keep::Everything).await;
            ExitCode::Interrupted
        }
    };
    ending.cancel();
    if timeout(DRAIN, served).await.is_err() {
        tracing::warn!("a client took too long to be served to its end");
    }
    Ok(code)
}

/// The key comes as a secret's value, and goes where the delivery says that it is.
fn write_key(args: &PublisherArgs) -> Result<(), Complaint> {
    let (Some(digits), Some(key)) = (&args.hls_key, &args.delivery.key) else { return Ok(()) };
    if !key.file.starts_with(std::env::temp_dir()) {
        return Err(Complaint::usage(format!(
            "the key file {} is not among the temporary files; that is where the key may be written",
            key.file.display()
        )));
    }
    let written = || {
        use std::io::Write;
        use std::os::unix::fs::OpenOptionsExt;
        std::fs::OpenOptions::new()
            .write(true)
            .create(true)
            .truncate(true)
            .mode(0o600)
            .custom_flags(libc::O_NOFOLLOW)
            .open(&key.file)?
            .write_all(digits.as_bytes())
    };
    written().map_err(|error| Complaint::internal(format!("cannot write {}: {error}", key.file.display())))
}

/// What a publisher has to do once.
struct Duty {
    session: Arc<SessionDir>,
    run: Arc<PublisherRun>,
    delivery: Delivery,
    republish: Option<String>,
    link: Link,
    resolver: Resolver,
    /// Copies the session into its bucket, where it has one.
    mirror: OnceLock<Arc<Mirror>>,
}

/// What is to be in the bucket.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Keep {
    Everything,
    /// Everything but the media: they were delivered.
    NoMedia,
}

impl Duty {
    /// Waits for the end of the recording and publishes it, unless that is done.
    async fn fulfil(&self) -> Result<(), Complaint> {
        if let Some(result) = self.session.result()?
            && (self.republish.is_none() || result.republish == self.republish)
        {
            return Ok(());
        }
        // What an older run of this publisher delivered is not delivered twice.
        let before = self.publication().folded()?.published;
        let delivered = before.videos.is_some() && before.failure.is_none() && self.republish.is_none();
        self.run.append(PublisherEvent::RunStarted { run: self.run.number() })?;
        self.begin_copying();
        if self.republish.is_some() && self.media_are_gone()? {
            let text = "it cannot be published again: its media were removed from the bucket once they were delivered";
            self.run.append(PublisherEvent::Warning { text: text.to_owned() })?;
            return self.conclude().await;
        }
        let live = match delivered || self.republish.is_some() {
            true => None,
            false => Live::start(&self.session, &self.run, &self.delivery, &self.resolver),
        };
        if self.republish.is_none() {
            self.recording_over(live.as_ref().map(Live::followed)).await?;
        }
        // Both times also to learn whether another pod has this one's place.
        self.keep(Keep::Everything).await;
        if !delivered {
            self.publish(live).await?;
            self.keep(Keep::Everything).await;
        }
        self.publication().call_back(Tries::GoOn).await?;
        self.run.append(PublisherEvent::Finished)?;
        self.conclude().await
    }

    /// Writes the result, last of all: with it the pod ends.
    async fn conclude(&self) -> Result<(), Complaint> {
        let delivered = self.publication().folded()?.published.failure.is_none();
        let stays = self.delivery.intermediate.as_ref().is_some_and(|intermediate| intermediate.keep);
        self.keep(if delivered && !stays { Keep::NoMedia } else { Keep::Everything }).await;
        let mut report = self.report()?;
        report.republish.clone_from(&self.republish);
        self.session.write_result(&report)?;
        self.keep(Keep::Everything).await;
        Ok(())
    }

    fn begin_copying(&self) {
        let Some(intermediate) = &self.delivery.intermediate else { return };
        match Mirror::start(&self.session, &self.run, intermediate, &self.resolver) {
            Ok(mirror) => drop(self.mirror.set(Arc::new(mirror))),
            Err(error) => tracing::error!(%error, "the recording is not kept in the bucket"),
        }
    }

    /// Waits until the bucket has what it should, for as long as that may take.
    async fn keep(&self, what: Keep) {
        let Some(mirror) = self.mirror.get().map(Arc::clone) else { return };
        let copied = tokio::task::spawn_blocking(move || match what {
            Keep::Everything => mirror.flush(COPYING),
            Keep::NoMedia => mirror.flush_and_remove(REMOVING),
        });
        if !copied.await.unwrap_or(false) {
            tracing::warn!(?what, "the bucket does not have what it should");
        }
    }

    /// Whether the journal tells of media that are no longer there.
    fn media_are_gone(&self) -> Result<bool, Complaint> {
        let folded = self.session.folded()?;
        let first = folded.parts().next().map(|part| self.session.open_part(part.name));
        Ok(matches!(first, Some(Err(error)) if error.is_not_found()))
    }

    /// Waits until the recorder has said that it is over; or until a stop was said, and no
    /// recorder is there to follow it.
    async fn recording_over(&self, live: Option<&Arc<Followed>>) -> Result<(), Complaint> {
        let mut watch = FolderWatch::new(&self.session.recorder_runs_folder());
        watch.add(&self.session.intent_folder());
        let mut connected = self.link.connected();
        let mut gone_since = Instant::now();
        loop {
            self.run.still_newest()?;
            let folded = match self.session.folded() {
                Ok(folded) => folded,
                Err(error @ FolderError::Io { .. }) => return Err(error.into()),
                Err(error) => {
                    // It will not become readable; publishing says what is wrong with it.
                    tracing::error!(%error, "the recorder's journal cannot be followed");
                    return Ok(());
                }
            };
            tracing::Span::current().record("phase", folded.phase().as_str());
            if folded.is_over() || folded.phase().rank() > Phase::Canceled.rank() {
                return Ok(());
            }
            if let Some(live) = live {
                live.tell(&folded, false);
            }
            if let Some(run) = folded.run {
                watch.add(&self.session.recorder_runs_folder().join(run.to_string()));
            }
            let said = self.session.told()?.is_some_and(|told| told.intent.state == IntentState::Stopped);
            let lives = *connected.borrow_and_update();
            if lives {
                gone_since = Instant::now();
            }
            let patience = gone_since + RECORDER_GONE;
            let stopping = folded.is_stopped() || said;
            if stopping && !lives && Instant::now() >= patience {
                tracing::warn!("the recorder does not come back to stop; what it left is published");
                return Ok(());
            }
            tokio::select! {
                () = watch.changed() => {}
                Ok(()) = connected.changed() => gone_since = Instant::now(),
                () = sleep_until(patience), if stopping && !lives => {}
            }
        }
    }

    /// Makes and delivers the files. A failure is in the journal, and is an end like another.
    async fn publish(&self, live: Option<Live>) -> Result<(), Complaint> {
        let (session, run) = (Arc::clone(&self.session), Arc::clone(&self.run));
        let (delivery, resolver) = (self.delivery.clone(), self.resolver.clone());
        let published = tokio::task::spawn_blocking(move || {
            let mut tell = |progress| tracing::debug!(?progress, "publishing");
            let publication = Publication { session: &session, run: &run, delivery: &delivery, resolver: &resolver };
            publication.make(live.map_or(MadeFrom::Parts, MadeFrom::Live), &mut tell)
        });
        match published.await {
            Ok(Ok(videos)) => tracing::info!(videos = videos.len(), "delivered"),
            Ok(Err(PublishError::Session(error @ FolderError::Superseded { .. }))) => return Err(error.into()),
            Ok(Err(error)) => tracing::error!(%error, "publishing failed"),
            Err(error) => return Err(Complaint::internal(format!("the publisher broke: {error}"))),
        }
        Ok(())
    }

    fn publication(&self) -> Publication<'_> {
        let Duty { session, run, delivery, resolver, .. } = self;
        Publication { session, run, delivery, resolver }
    }

    fn report(&self) -> Result<Report, Complaint> {
        Ok(Report::of(self.delivery.task_id.clone(), &self.publication().folded()?, Items::All))
    }
}
