//! The loop itself: waits for whatever happens, and steers what is towards what is wanted.

use std::collections::VecDeque;
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, AtomicU64};
use std::time::Duration;

use tokio::sync::{mpsc, watch};
use tokio::task::JoinHandle;
use tokio::time::{Instant, MissedTickBehavior};

use super::delay::DelayWatch;
use super::encoding::Encoding;
use super::limits::Limits;
use super::memory::MemoryWatch;
use super::stage::{Plan, Stage, StageError};
use super::stuck::StuckWatch;
use super::usage::Usage;
use crate::egress::Resolver;
use crate::egress::guard::Guard;
use crate::recorder::browser::{BrowserEvent, Login, Setup};
use crate::recorder::control::{Control, Ended, InternalFailure, Live, RecorderError};
use crate::recorder::display::Mode;
use crate::recorder::encoder::{Feeder, FeederEvent, PartsEvent, Settings, Timeline};
use crate::recorder::workplace::Workplace;
use crate::session::event::{Failure, GapCause, RecorderEvent};
use crate::session::fold::Folded;
use crate::session::folder::{FolderError, RecorderRun};
use crate::session::intent::{By, IntentState};
use crate::session::name::PartName;
use crate::session::request::{Request, Start};

/// How often the display for people, the memory and the folder are looked after.
const TICK: Duration = Duration::from_millis(250);

/// What comes from the threads that encode.
#[derive(Debug)]
pub(super) enum MediaEvent {
    Feeder(FeederEvent),
    Parts(PartsEvent),
}

/// What the feed is doing, by the orders it was given.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Rolling {
    No,
    /// Recording, or about to as soon as a picture is there.
    Yes,
    /// A pause that takes its time.
    Filled,
    /// The last cut was ordered.
    Finishing,
}

/// Why a cut was ordered.
#[derive(Debug, Clone, Copy)]
pub(super) enum Why {
    Pause(By),
    Gap(GapCause),
    Finish,
}

/// Everything the loop knows.
pub(super) struct Converge {
    pub run: Arc<RecorderRun>,
    pub request: Request,
    pub settings: Settings,
    pub folded: Folded,
    pub plan: Arc<Plan>,
    pub stage: Stage,
    pub building: Option<JoinHandle<(Stage, Result<(), StageError>)>>,
    pub stage_ready: bool,
    /// Builds of the stage that failed in a row.
    pub failed_builds: u32,
    pub retry_at: Option<Instant>,
    // Before the feeder: a write into FFmpeg ends with FFmpeg.
    pub encoding: Option<Encoding>,
    pub feeder: Feeder,
    pub encoder_failures: u32,
    pub media: mpsc::UnboundedSender<MediaEvent>,
    pub rolling: Rolling,
    /// Why the cuts that are not answered yet were ordered, in their order.
    pub cuts: VecDeque<Why>,
    /// The feeder's timeline, as far as it has told.
    pub timeline: Timeline,
    /// The recording was begun: automatically, or by the page.
    pub begun: bool,
    /// Whether the journal says that the page is being recorded, paused, or missing.
    pub noted: Noted,
    /// A part that is not in the journal yet.
    pub unnoted_part: Option<PartName>,
    /// Why the page is missing now.
    pub missing: GapCause,
    /// The document that has called startRecord().
    pub start_document: Option<u64>,
    /// Who wanted the state that is in force.
    pub wanted_by: By,
    /// When the next cut is to be, where that is not now.
    pub cut_at_us: Option<i64>,
    pub last_part: Arc<AtomicU32>,
    pub bytes: Arc<AtomicU64>,
    pub limits: Limits,
    pub memory: MemoryWatch,
    pub stuck: StuckWatch,
    pub delay: DelayWatch,
    pub usage: Usage,
    pub live: watch::Sender<Live>,
    pub internal: InternalFailure,
    /// What the page's connections go through.
    pub guard: Option<Guard>,
    pub ticks: u64,
    pub ended: Option<Ended>,
}

/// What the journal says of the recording.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Noted {
    NotBegun,
    Recording,
    Paused,
    Gap,
}

/// Something to react to.
enum Wake {
    Control(Option<Control>),
    Browser(BrowserEvent),
    Media(MediaEvent),
    Built(Box<Stage>, Result<(), StageError>),
    Lost(GapCause),
    EncoderEnded(String),
    Tick,
    Limit,
}

/// Records until the intent, a limit or a failure ends it. The page reaches what `egress` lets it.
pub async fn run(
    run: RecorderRun,
    request: Request,
    folded: Folded,
    controls: mpsc::Receiver<Control>,
    live: watch::Sender<Live>,
    internal: InternalFailure,
    egress: Resolver,
) -> Result<Ended, RecorderError> {
    let run = Arc::new(run);
    let result = record(Arc::clone(&run), request, folded, controls, live, internal, egress).await;
    if let Err(error) = &result
        && internal == InternalFailure::EndsRun
    {
        // Others count by the journal how often it failed.
        let failed = RecorderEvent::Failed { failure: Failure::Internal, message: error.to_string() };
        if let Err(unwritten) = run.append(failed) {
            tracing::warn!(%unwritten, "the failure could not be journaled");
        }
    }
    result
}

async fn record(
    run: Arc<RecorderRun>,
    request: Request,
    folded: Folded,
    mut controls: mpsc::Receiver<Control>,
    live: watch::Sender<Live>,
    internal: InternalFailure,
    egress: Resolver,
) -> Result<Ended, RecorderError> {
    let guard = Guard::start(egress).await.map_err(RecorderError::Guard)?;
    let login = request.login_file.as_deref().map(Login::read).transpose()?;
    let workplace = Workplace::make().map_err(RecorderError::Workplace)?;
    let size = (request.size.width(), request.size.height());
    let mode = Mode::choose(size.0, size.1, request.frame_rate.get().into());
    let settings = Settings::of(&request);
    let (browser_sender, mut browser_events) = mpsc::unbounded_channel();
    let (media, mut media_events) = mpsc::unbounded_channel();
    let place_us = folded.recorded_us() as i64;
    let tell = media.clone();
    let feeder = Feeder::start(&settings, place_us, move |event| {
        let _ = tell.send(MediaEvent::Feeder(event));
    })
    .map_err(RecorderError::Thread)?;
    let plan = Plan {
        workplace,
        setup: Setup {
            size,
            user_agent: request.user_agent.as_ref().map(|agent| agent.as_str().to_owned()),
            title: request.title.as_ref().map(|title| title.as_str().to_owned()),
            sandbox: !request.allow_no_sandbox,
            login,
            proxy: guard.as_ref().map(Guard::address),
            url: (*request.url).clone(),
        },
        mode,
        frame_rate: settings.frame_rate,
        feeder: feeder.handle().clone(),
        events: browser_sender,
    };
    let begun = folded.start_time().is_some() || request.start == Start::Automatic;
    let noted = match (folded.start_time(), folded.open_pause()) {
        (None, _) => Noted::NotBegun,
        (Some(_), Some(_)) => Noted::Paused,
        (Some(_), None) => Noted::Gap,
    };
    let mut converge = Converge {
        run,
        limits: Limits::new(&request, &folded),
        request,
        settings,
        folded,
        plan: Arc::new(plan),
        stage: Stage::default(),
        building: None,
        stage_ready: false,
        failed_builds: 0,
        retry_at: None,
        feeder,
        encoding: None,
        encoder_failures: 0,
        media,
        rolling: Rolling::No,
        cuts: VecDeque::new(),
        timeline: Timeline::at(place_us),
        begun,
        noted,
        unnoted_part: None,
        missing: GapCause::RecorderDied,
        start_document: None,
        wanted_by: By::Intent,
        cut_at_us: None,
        last_part: Arc::default(),
        bytes: Arc::default(),
        memory: MemoryWatch::new(),
        stuck: StuckWatch::default(),
        guard,
        delay: DelayWatch::new(),
        usage: Usage::new(),
        live,
        internal,
        ticks: 0,
        ended: None,
    };
    let result = converge.run(&mut controls, &mut browser_events, &mut media_events).await;
    converge.show();
    // A stage that is not up yet goes with its recorder: nobody would end what it starts.
    if let Some(building) = converge.building.take() {
        building.abort();
        let _ = building.await;
    }
    match result {
        Err(RecorderError::Folder(FolderError::Superseded { newer, .. })) => {
            tracing::warn!(%newer, "a newer run has taken this session over");
            Ok(Ended::Superseded)
        }
        other => other,
    }
}

impl Converge {
    async fn run(
        &mut self,
        controls: &mut mpsc::Receiver<Control>,
        browser_events: &mut mpsc::UnboundedReceiver<BrowserEvent>,
        media_events: &mut mpsc::UnboundedReceiver<MediaEvent>,
    ) -> Result<Ended, RecorderError> {
        if mode_is_slower(&self.plan) {
            let text = format!(
                "a display of {} can be refreshed {} times a second at most, so there are no more different pictures",
                self.plan.mode.name(),
                self.plan.mode.hz
            );
            self.note(RecorderEvent::Warning { text })?;
        }
        if self.folded.intent != IntentState::Stopped {
            self.start_encoder()?;
            self.build_stage();
        }
        let mut tick = tokio::time::interval(TICK);
        tick.set_missed_tick_behavior(MissedTickBehavior::Delay);
        loop {
            self.steer()?;
            if let Some(ended) = self.ended {
                return Ok(ended);
            }
            let wake = self.next(controls, browser_events, media_events, &mut tick).await;
            match wake {
                Wake::Control(control) => self.follow_control(control)?,
                Wake::Browser(event) => self.follow_browser(event).await?,
                Wake::Media(event) => self.follow_media(event)?,
                Wake::Built(stage, result) => self.stage_built(*stage, result)?,
                Wake::Lost(cause) => self.lost(cause)?,
                Wake::EncoderEnded(error) => self.encoder_ended(&error)?,
                Wake::Tick => self.tick()?,
                Wake::Limit => self.limit_reached()?,
            }
        }
    }

    async fn next(
        &mut self,
        controls: &mut mpsc::Receiver<Control>,
        browser_events: &mut mpsc::UnboundedReceiver<BrowserEvent>,
        media_events: &mut mpsc::UnboundedReceiver<MediaEvent>,
        tick: &mut tokio::time::Interval,
    ) -> Wake {
        let limit = self.next_limit();
        let Self { building, encoding, stage, .. } = self;
        let whole = building.is_none() && stage.display.is_some();
        let built = async {
            match building {
                Some(task) => task.await.unwrap_or_else(|_| (Stage::default(), Err(StageError::CaptureEnded))),
                None => std::future::pending().await,
            }
        };
        let encoder = async {
            match encoding {
                Some(encoding) if !encoding.over => encoding.child.ended().await.to_string(),
                _ => std::future::pending().await,
            }
        };
        tokio::select! {
            // What the threads tell comes first: it is older than what would be decided now.
            biased;
            Some(event) = media_events.recv() => Wake::Media(event),
            Some(event) = browser_events.recv() => Wake::Browser(event),
            control = controls.recv() => Wake::Control(control),
            (stage, result) = built => Wake::Built(Box::new(stage), result),
            cause = stage.lost(), if whole => Wake::Lost(cause),
            error = encoder => Wake::EncoderEnded(error),
            () = tokio::time::sleep_until(limit) => Wake::Limit,
            _ = tick.tick() => Wake::Tick,
        }
    }
}

fn mode_is_slower(plan: &Plan) -> bool {
    plan.mode.hz < plan.frame_rate
}
