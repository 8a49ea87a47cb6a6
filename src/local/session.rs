//! A recording from its start to its file: record, resume, publish.

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use super::cli::{PublishArgs, RecordArgs, ResumeArgs, Step};
use super::halves::Finishing;
use super::keys::Keys;
use super::plan::Plan;
use super::report;
use super::screen::{self, Screen};
use super::signals::Signals;
use super::work::{self, Attendant, Egress, Making, Outcome, Publishing, Recording};
use crate::complaint::Complaint;
use crate::egress::{EgressArgs, Resolver};
use crate::publisher::MadeFrom;
use crate::publisher::callback::Tries;
use crate::recorder::control::{Control, Ended, Key};
use crate::session::exit::ExitCode;
use crate::session::fold::{Folded, Phase};
use crate::session::folder::{FolderError, SessionDir};
use crate::session::intent::IntentState;
use crate::session::request::{Delivery, Destination};
use crate::store::{NoUploads, S3Store, VodStore};

/// `panorec record`.
pub(super) async fn record(args: RecordArgs, screen: &Screen) -> Result<ExitCode, Complaint> {
    let (json, egress) = (args.json, egress(&args.egress));
    let plan = Plan::of(args)?;
    check_store(&plan.delivery).await?;
    for note in &plan.notes {
        screen.say(note);
    }
    let dir = SessionDir::create(&plan.session, &plan.request, &plan.delivery).map_err(|error| match error {
        FolderError::Io { .. } => Complaint::usage(format!("{error}; say by --session DIR where to keep the session")),
        error => error.into(),
    })?;
    let mut session = Session::new(dir, screen, egress)?;
    let outcome = session.record_and_finish(&plan.notes).await;
    session.end(outcome, json)
}

/// The delivery reaches everything: whoever runs it here could do that without it. The page may be somebody else's.
fn egress(args: &EgressArgs) -> Egress {
    match args.is_given() {
        true => Egress { page: Resolver::new(args.page_policy()), ..Egress::default() },
        false => Egress::default(),
    }
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
    let mut session = Session::open(&args.dir, screen, egress(&args.egress))?;
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
    let mut session = Session::open(&args.dir, screen, Egress::default())?;
    if session.dir.recorder_is_alive()? {
        let dir = args.dir.display();
        return Err(Complaint::usage(format!("{dir} is being recorded; stop it first by `panorec ctl {dir} stop`")));
    }
    let outcome = match args.from {
        Step::Splice => session.finish(MadeFrom::Parts).await,
        Step::Upload => session.finish(MadeFrom::Files).await,
        Step::Callback => session.call_back_once_more().await,
    };
    session.end(outcome, args.json)
}

/// An open session, and what can interrupt it.
struct Session<'a> {
    dir: Arc<SessionDir>,
    egress: Egress,
    attended: Attended<'a>,
}

/// A person at a terminal.
struct Attended<'a> {
    path: PathBuf,
    signals: Signals,
    screen: &'a Screen,
}

impl<'a> Session<'a> {
    fn new(dir: SessionDir, screen: &'a Screen, egress: Egress) -> Result<Session<'a>, Complaint> {
        let path = dir.path().to_owned();
        let attended = Attended { path, signals: Signals::listen()?, screen };
        Ok(Session { dir: Arc::new(dir), egress, attended })
    }

    fn open(path: &Path, screen: &'a Screen, egress: Egress) -> Result<Session<'a>, Complaint> {
        Session::new(SessionDir::open(path)?, screen, egress)
    }

    async fn record_and_finish(&mut self, notes: &[String]) -> Result<Outcome, Complaint> {
        work::record_and_finish(&self.dir, notes, &self.egress, &mut self.attended).await
    }

    async fn finish(&mut self, from: MadeFrom) -> Result<Outcome, Complaint> {
        work::finish(&self.dir, Publishing::anew(&self.dir, from, &self.egress.delivery)?, &mut self.attended).await
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
        Publishing::anew(&self.dir, MadeFrom::Files, &self.egress.delivery)?.call_back(&self.dir, Tries::Anew).await?;
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
                    self.attended.screen.say(format_args!("panorec: {complaint}"));
                }
                complaint.code
            }
        };
        report::say(self.attended.screen, &folded, code);
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
            self.attended.screen.say(format_args!("the session is kept in {path}{next}"));
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
        self.attended.screen.say(format_args!(
            "another panorec has taken over {} and goes on with it; this one stops",
            self.dir.path().display()
        ));
        report::print(&self.dir, folded, json)?;
        Ok(ExitCode::Interrupted)
    }
}

impl Attendant for Attended<'_> {
    async fn record(&mut self, recording: Recording) -> Result<Ended, Complaint> {
        let Recording { orders, live: mut shown, mut ended } = recording;
        let mut keys = Keys::listen();
        if keys.is_some() {
            self.screen.say("keys: p pause or resume, r reload the page, q stop");
        }
        let mut line = self.screen.progress();
        let mut look = tokio::time::interval(Duration::from_millis(500));
        loop {
            tokio::select! {
                ended = &mut ended => return ended,
                count = self.signals.next() => match count {
                    1 => {
                        self.screen.say(format_args!(
                            "stopping; once more leaves it for `panorec resume {}`",
                            self.path.display()
                        ));
                        orders.give(Control::Key(Key::State(IntentState::Stopped)));
                    }
                    2 => orders.give(Control::StopRun),
                    _ => return Ok(Ended::Interrupted),
                },
                key = Keys::next(&mut keys) => orders.give(Control::Key(key)),
                _ = look.tick() => {
                    let live = shown.borrow_and_update().clone();
                    line.show(|| screen::live_text(&live));
                }
            }
        }
    }

    async fn make(&mut self, making: Making) -> Result<Outcome, Complaint> {
        let Making { mut progress, mut made } = making;
        let mut line = self.screen.progress();
        loop {
            tokio::select! {
                made = &mut made => return made.map(|()| Outcome::Over),
                count = self.signals.next() => {
                    if count >= 2 {
                        return Ok(Outcome::Interrupted);
                    }
                    self.screen.say(format_args!(
                        "finishing; once more leaves it for `panorec resume {}`",
                        self.path.display()
                    ));
                }
                Ok(()) = progress.changed() => {
                    if let Some(progress) = *progress.borrow_and_update() {
                        line.show(|| finishing_text(progress));
                    }
                }
            }
        }
    }
}

fn finishing_text(progress: Finishing) -> String {
    format!("{}  {} of {}", progress.what, screen::clock(progress.done_us), screen::clock(progress.total_us))
}
