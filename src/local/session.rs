//! A recording from its start to its file: record, resume, publish.

use std::path::Path;
use std::pin::pin;
use std::sync::Arc;
use std::time::Duration;

use tokio::sync::{mpsc, watch};
use tokio::task::JoinHandle;

use super::cli::{PublishArgs, RecordArgs, ResumeArgs, Step};
use super::halves::{self, Finishing};
use super::keys::Keys;
use super::plan::Plan;
use super::report;
use super::screen::{self, Screen};
use super::signals::Signals;
use crate::complaint::Complaint;
use crate::egress::Resolver;
use crate::publisher::MadeFrom;
use crate::publisher::callback::Tries;
use crate::recorder::control::{Control, Ended, Key, Live};
use crate::session::event::{PublisherEvent, RecorderEvent};
use crate::session::exit::ExitCode;
use crate::session::fold::{Folded, Phase};
use crate::session::folder::{FolderError, FolderWatch, PublisherRun, RecorderRun, SessionDir};
use crate::session::intent::IntentState;
use crate::session::request::{Delivery, Destination};
use crate::store::{NoUploads, S3Store, VodStore};

/// `panorec record`.
pub(super) async fn record(args: RecordArgs, screen: &Screen) -> Result<ExitCode, Complaint> {
    let json = args.json;
    let plan = Plan::of(args)?;
    check_store(&plan.delivery).await?;
    for note in &plan.notes {
        screen.say(note);
    }
    let dir = SessionDir::create(&plan.session, &plan.request, &plan.delivery).map_err(|error| match error {
        FolderError::Io { .. } => Complaint::usage(format!("{error}; say by --session DIR where to keep the session")),
        error => error.into(),
    })?;
    let mut session = Session::new(dir, screen)?;
    let outcome = session.record_and_finish(&plan.notes).await;
    session.end(outcome, json)
}

/// Finds out, before anything is recorded, whether the bucket or VOD is there and may be used.
async fn check_store(delivery: &Delivery) -> Result<(), Complaint> {
    let entry = format!("{}.{}", delivery.name, delivery.format.extension());
    let destination = delivery.destination.clone();
    let check = move || match destination {
        Destination::Folder { .. } | Destination::Session => Ok(()),
        Destination::S3(place) => {
            let store = S3Store::new(&place, Box::new(NoUploads), &Resolver::default());
            store.and_then(|store| store.check()).map_err(Complaint::usage)
        }
        Destination::Vod(place) => VodStore::check(&place, &entry, &Resolver::default()).map_err(Complaint::usage),
    };
    tokio::task::spawn_blocking(check).await.map_err(Complaint::internal)?
}

/// `panorec resume`: goes on where the session stands; its intent stays as it is.
pub(super) async fn resume(args: &ResumeArgs, screen: &Screen) -> Result<ExitCode, Complaint> {
    let mut session = Session::open(&args.dir, screen)?;
    let folded = session.dir.folded()?;
    if folded.phase() == Phase::Finished {
        screen.say(format_args!("{} is finished already; nothing to go on with", args.dir.display()));
        report::print(&session.dir, &folded, args.json)?;
        return Ok(ExitCode::Done);
    }
    let outcome = session.record_and_finish(&[]).await;
    session.end(outcome, args.json)
}

/// `panorec publish`: makes the file once more.
pub(super) async fn publish(args: &PublishArgs, screen: &Screen) -> Result<ExitCode, Complaint> {
    let mut session = Session::open(&args.dir, screen)?;
    if session.dir.recorder_is_alive()? {
        let dir = args.dir.display();
        return Err(Complaint::usage(format!("{dir} is being recorded; stop it first by `panorec ctl {dir} stop`")));
    }
    let outcome = match args.from {
        Step::Splice => session.finish(Publishing::anew(&session.dir, MadeFrom::Parts)?).await,
        Step::Upload => session.finish(Publishing::anew(&session.dir, MadeFrom::Files)?).await,
        Step::Callback => session.call_back_once_more().await,
    };
    session.end(outcome, args.json)
}

/// An open session, and what can interrupt it.
struct Session<'a> {
    dir: Arc<SessionDir>,
    signals: Signals,
    screen: &'a Screen,
}

/// How far it came.
enum Outcome {
    /// As the fold says.
    Over,
    Interrupted,
    Superseded,
}

impl<'a> Session<'a> {
    fn new(dir: SessionDir, screen: &'a Screen) -> Result<Session<'a>, Complaint> {
        Ok(Session { dir: Arc::new(dir), signals: Signals::listen()?, screen })
    }

    fn open(path: &Path, screen: &'a Screen) -> Result<Session<'a>, Complaint> {
        Session::new(SessionDir::open(path)?, screen)
    }

    async fn record_and_finish(&mut self, notes: &[String]) -> Result<Outcome, Complaint> {
        let mut publishing = None;
        if !self.dir.folded()?.is_stopped() {
            let begun = publishing.insert(Publishing::begin(&self.dir)?);
            let following = begun.follow(&self.dir);
            let ended = self.record(notes).await;
            following.abort();
            match ended? {
                Ended::Over => {}
                Ended::Interrupted => return Ok(Outcome::Interrupted),
                Ended::Superseded => return Ok(Outcome::Superseded),
            }
        }
        // A recorder that failed in a way that a new run can mend has not ended the recording.
        if self.dir.folded()?.is_stopped() {
            let publishing = publishing.map_or_else(|| Publishing::anew(&self.dir, MadeFrom::Parts), Ok)?;
            return self.finish(publishing).await;
        }
        Ok(Outcome::Over)
    }

    /// Runs the recorder until it ends.
    async fn record(&mut self, notes: &[String]) -> Result<Ended, Complaint> {
        let request = self.dir.request()?;
        // From here on nothing that is told goes unnoticed.
        let mut told = FolderWatch::new(&self.dir.intent_folder());
        let (run, folded) = self.take_over(notes)?;
        if folded.is_stopped() {
            return Ok(Ended::Over);
        }

        let (orders, controls) = mpsc::channel(64);
        let (live, mut shown) = watch::channel(Live::before(&folded));
        let mut keys = Keys::listen();
        if keys.is_some() {
            self.screen.say("keys: p pause or resume, r reload the page, q stop");
        }
        let mut line = self.screen.progress();
        let mut recording = pin!(halves::record(run, request, folded, controls, live));
        let mut look = tokio::time::interval(Duration::from_millis(500));
        let order = |control| {
            // A full channel means that the recorder is stuck; the order would not help.
            if let Err(error) = orders.try_send(control) {
                tracing::warn!(%error, "the recorder takes no orders");
            }
        };
        loop {
            tokio::select! {
                ended = &mut recording => return Ok(ended?),
                count = self.signals.next() => match count {
                    1 => {
                        self.screen.say(format_args!(
                            "stopping; once more leaves it for `panorec resume {}`",
                            self.dir.path().display()
                        ));
                        order(Control::Key(Key::State(IntentState::Stopped)));
                    }
                    2 => order(Control::StopRun),
                    _ => return Ok(Ended::Interrupted),
                },
                key = Keys::next(&mut keys) => order(Control::Key(key)),
                () = told.changed() => if let Some(intent) = self.dir.intent()? {
                    order(Control::Told { intent, journaled: None });
                },
                _ = look.tick() => {
                    let live = shown.borrow_and_update().clone();
                    line.show(|| screen::live_text(&live));
                }
            }
        }
    }

    /// Claims the next run of the recorder and journals what it begins with: what it saw of the
    /// older runs, what was told while none lived, what a person was told of this recording.
    fn take_over(&self, notes: &[String]) -> Result<(RecorderRun, Folded), Complaint> {
        let run = RecorderRun::claim(&self.dir)?;
        let mut folded = run.start(&self.dir, halves::usable_end)?;
        for text in notes {
            let entry = run.append(RecorderEvent::Warning { text: text.clone() })?;
            folded.apply_recorder(run.number(), &entry);
        }
        run.take_in(&mut folded, self.dir.intent()?)?;
        Ok((run, folded))
    }

    /// Makes and delivers the file.
    async fn finish(&mut self, publishing: Publishing) -> Result<Outcome, Complaint> {
        let Publishing { run, delivery, from } = publishing;
        let (making, told) = (Arc::clone(&run), delivery.clone());
        let (report, mut reported) = watch::channel(None::<Finishing>);
        let dir = Arc::clone(&self.dir);
        let mut publishing = pin!(tokio::task::spawn_blocking(move || {
            let mut tell = |progress| {
                report.send_replace(Some(progress));
            };
            halves::publish(&dir, &making, &told, from, &mut tell)
        }));
        let mut line = self.screen.progress();
        loop {
            tokio::select! {
                published = &mut publishing => {
                    published.map_err(|error| {
                        Complaint::internal(format!("the publisher broke: {error}"))
                    })??;
                    halves::conclude(&self.dir, &run, &delivery, Tries::GoOn).await?;
                    return Ok(Outcome::Over);
                }
                count = self.signals.next() => {
                    if count >= 2 {
                        return Ok(Outcome::Interrupted);
                    }
                    self.screen.say(format_args!(
                        "finishing; once more leaves it for `panorec resume {}`",
                        self.dir.path().display()
                    ));
                }
                Ok(()) = reported.changed() => {
                    if let Some(progress) = *reported.borrow_and_update() {
                        line.show(|| finishing_text(progress));
                    }
                }
            }
        }
    }

    /// Tells the callback once more, of what was delivered.
    async fn call_back_once_more(&mut self) -> Result<Outcome, Complaint> {
        let delivery = self.dir.delivery()?;
        if delivery.callback.is_none() {
            return Err(Complaint::usage("this session has no callback; nobody is to be told"));
        }
        if self.dir.folded()?.published.videos.is_none() {
            return Err(Complaint::usage("nothing was delivered that could be told of; publish it first"));
        }
        let Publishing { run, delivery, .. } = Publishing::anew(&self.dir, MadeFrom::Files)?;
        halves::conclude(&self.dir, &run, &delivery, Tries::Anew).await?;
        Ok(Outcome::Over)
    }

    /// Says how it ended, writes the result, and removes what is no longer needed.
    fn end(self, outcome: Result<Outcome, Complaint>, json: bool) -> Result<ExitCode, Complaint> {
        let folded = self.dir.folded()?;
        let path = self.dir.path().display();
        let code = match &outcome {
            Ok(Outcome::Over) => ExitCode::of(&folded),
            Ok(Outcome::Interrupted) => ExitCode::Interrupted,
            Ok(Outcome::Superseded) => return self.hand_over(&folded, json),
            Err(complaint) if complaint.is_superseded => return self.hand_over(&folded, json),
            Err(complaint) => {
                // What the journal has is said below.
                if folded.failure.is_none() && folded.published.failure.is_none() {
                    self.screen.say(format_args!("panorec: {complaint}"));
                }
                complaint.code
            }
        };
        report::say(self.screen, &folded, code);
        report::print(&self.dir, &folded, json)?;
        if folded.phase() == Phase::Finished {
            report::write(&self.dir, &folded)?;
        }
        if code != ExitCode::Done {
            let next = match folded.phase() {
                Phase::Finished if folded.start_time().is_none() => String::new(),
                Phase::Finished => format!("; go on with it by `panorec publish {path}`"),
                _ => format!("; go on with it by `panorec resume {path}`"),
            };
            self.screen.say(format_args!("the session is kept in {path}{next}"));
        } else if self.dir.delivery()?.remove_session {
            // Nobody else holds it: the publisher has returned.
            if let Some(dir) = Arc::into_inner(self.dir) {
                dir.remove()?;
            }
        }
        Ok(code)
    }
}

impl Session<'_> {
    /// Leaves the session to the newer run.
    fn hand_over(&self, folded: &Folded, json: bool) -> Result<ExitCode, Complaint> {
        self.screen.say(format_args!(
            "another panorec has taken over {} and goes on with it; this one stops",
            self.dir.path().display()
        ));
        report::print(&self.dir, folded, json)?;
        Ok(ExitCode::Interrupted)
    }
}

/// A publisher's run, and what it publishes while it is recorded.
struct Publishing {
    run: Arc<PublisherRun>,
    delivery: Delivery,
    from: MadeFrom,
}

impl Publishing {
    /// One that publishes while it is recorded, where that can be done.
    fn begin(dir: &Arc<SessionDir>) -> Result<Publishing, Complaint> {
        let (run, delivery) = (Arc::new(PublisherRun::claim(dir)?), dir.delivery()?);
        let live = halves::publish_live(dir, &run, &delivery)?;
        Ok(Publishing { run, delivery, from: live.map_or(MadeFrom::Parts, MadeFrom::Live) })
    }

    /// One that does it when everything is recorded.
    fn anew(dir: &SessionDir, from: MadeFrom) -> Result<Publishing, Complaint> {
        let (run, delivery) = (Arc::new(PublisherRun::claim(dir)?), dir.delivery()?);
        run.append(PublisherEvent::RunStarted { run: run.number() })?;
        Ok(Publishing { run, delivery, from })
    }

    /// Tells it what is recorded, until that is broken off.
    fn follow(&self, dir: &Arc<SessionDir>) -> JoinHandle<()> {
        let followed = match &self.from {
            MadeFrom::Live(live) => Some(Arc::clone(live.followed())),
            MadeFrom::Parts | MadeFrom::Files => None,
        };
        let dir = Arc::clone(dir);
        tokio::spawn(async move {
            let Some(followed) = followed else { return };
            let mut watch = FolderWatch::new(&dir.recorder_runs_folder());
            loop {
                match dir.folded() {
                    Ok(folded) => {
                        if let Some(run) = folded.run {
                            watch.add(&dir.recorder_runs_folder().join(run.to_string()));
                        }
                        followed.tell(&folded, false);
                    }
                    // Whoever finishes says what is wrong with it.
                    Err(error) => return tracing::warn!(%error, "the journal cannot be followed"),
                }
                watch.changed().await;
            }
        })
    }
}

fn finishing_text(progress: Finishing) -> String {
    format!("{}  {} of {}", progress.what, screen::clock(progress.done_us), screen::clock(progress.total_us))
}
