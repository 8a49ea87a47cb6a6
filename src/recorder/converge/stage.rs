//! All that shows and plays the page: display, capture, sound and Chrome; built and rebuilt.

use std::time::Duration;

use tokio::sync::{mpsc, watch};

use super::delay::refreshes;
use crate::recorder::browser::{Browser, BrowserError, BrowserEvent, LoadError, Setup};
use crate::recorder::capture::{Capture, CaptureError, CaptureEvent};
use crate::recorder::child::ChildError;
use crate::recorder::display::{Display, DisplayError, Mode};
use crate::recorder::encoder::FeederHandle;
use crate::recorder::sound::{Sound, SoundError};
use crate::recorder::workplace::Workplace;
use crate::session::event::GapCause;

/// Chrome's window has this long to be there in its size.
const WINDOW: Duration = Duration::from_secs(15);

/// The stage could not be built.
#[derive(Debug, thiserror::Error)]
pub enum StageError {
    #[error(transparent)]
    Display(#[from] DisplayError),
    #[error(transparent)]
    Capture(#[from] CaptureError),
    #[error(transparent)]
    Sound(#[from] SoundError),
    #[error(transparent)]
    Browser(#[from] BrowserError),
    #[error(transparent)]
    Load(#[from] LoadError),
    #[error(transparent)]
    Child(#[from] ChildError),
    #[error("Chrome's window was not there in time")]
    Window,
    #[error("the display's pictures are gone")]
    CaptureEnded,
}

/// What stays the same whenever the stage is built.
pub struct Plan {
    pub workplace: Workplace,
    pub setup: Setup,
    pub mode: Mode,
    pub frame_rate: u32,
    pub feeder: FeederHandle,
    pub events: mpsc::UnboundedSender<BrowserEvent>,
}

/// Whether the page has to be loaded again.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum PageLost {
    #[default]
    No,
    /// From where it has gone to.
    Reload,
    /// From the recording's own address.
    Load,
}

/// What is there of the stage.
#[derive(Default)]
pub struct Stage {
    // In the order in which they end.
    pub browser: Option<Browser>,
    pub capture: Option<Capture>,
    pub sound: Option<Sound>,
    pub display: Option<Display>,
    /// Whether Chrome's window is there in its full size; None: capture has ended.
    window: Option<watch::Receiver<Option<bool>>>,
    /// After how many refreshes Chrome shows what the page draws.
    pub delay: i64,
    /// What has to be done to the page although Chrome lives.
    pub page_lost: PageLost,
}

impl Stage {
    /// Builds what is missing, and loads the page where Chrome is new or the page was lost.
    pub async fn build(&mut self, plan: &Plan) -> Result<(), StageError> {
        self.build_display(plan).await?;
        if self.sound.is_none() {
            // Chrome does not find its way back to a new daemon.
            self.browser = None;
            let feeder = plan.feeder.clone();
            self.sound = Some(Sound::start(&plan.workplace, move |chunk| feeder.chunk(chunk)).await?);
        }
        if self.browser.is_none() {
            self.start_browser(plan).await?;
            self.page_lost = PageLost::Load;
        }
        if self.page_lost != PageLost::No {
            self.load(plan, self.page_lost == PageLost::Load).await?;
            self.page_lost = PageLost::No;
        }
        Ok(())
    }

    /// Removes what a failed build says is of no use any more.
    pub fn forget_after(&mut self, error: &StageError) {
        match error {
            StageError::Load(error) if !matches!(error, LoadError::Browser(_)) => self.page_lost = PageLost::Load,
            // Which of them is to blame cannot be told: Chrome waits in vain for a display that is stuck.
            _ => self.clear(),
        }
    }

    fn clear(&mut self) {
        self.end_display();
        self.sound = None;
    }

    fn end_display(&mut self) {
        self.browser = None;
        self.capture = None;
        self.window = None;
        self.display = None;
    }

    async fn build_display(&mut self, plan: &Plan) -> Result<(), StageError> {
        if self.display.is_none() {
            self.browser = None;
            self.capture = None;
            self.display = Some(Display::start(&plan.workplace, plan.mode).await?);
        }
        if self.capture.is_none()
            && let Some(display) = &self.display
        {
            let (tell, window) = watch::channel(Some(false));
            let feeder = plan.feeder.clone();
            let capture = Capture::start(display, plan.setup.size, plan.frame_rate, move |event| match event {
                CaptureEvent::Frame(frame) => feeder.frame(frame),
                CaptureEvent::WindowReady => drop(tell.send_replace(Some(true))),
                CaptureEvent::WindowGone => drop(tell.send_replace(Some(false))),
                CaptureEvent::Ended(error) => {
                    if let Some(error) = error {
                        tracing::debug!(%error, "capture ended");
                    }
                    tell.send_replace(None);
                }
            })?;
            self.capture = Some(capture);
            self.window = Some(window);
        }
        Ok(())
    }

    async fn start_browser(&mut self, plan: &Plan) -> Result<(), StageError> {
        let (Some(display), Some(sound)) = (&self.display, &self.sound) else {
            return Err(StageError::CaptureEnded);
        };
        let browser = Browser::start(&plan.workplace, &plan.setup, display, sound, plan.events.clone()).await?;
        self.browser = Some(browser);
        Ok(())
    }

    async fn load(&mut self, plan: &Plan, fresh: bool) -> Result<(), StageError> {
        let (Some(browser), Some(window)) = (&mut self.browser, &mut self.window) else {
            return Err(StageError::CaptureEnded);
        };
        let window_there = async {
            let waited = window.wait_for(|state| *state != Some(false));
            match tokio::time::timeout(WINDOW, waited).await {
                Ok(Ok(state)) if *state == Some(true) => Ok(()),
                Ok(_) => Err(StageError::CaptureEnded),
                Err(_) => Err(StageError::Window),
            }
        };
        let (page, child) = browser.parts();
        let shown = async {
            let load = async {
                let result = if fresh { page.load(&plan.setup.url).await } else { page.reload().await };
                result.map_err(StageError::from)
            };
            tokio::try_join!(load, window_there)?;
            Ok::<_, StageError>(page.laid_out(plan.setup.size).await)
        };
        let delay_us = tokio::select! {
            result = shown => result?,
            error = child.ended() => return Err(error.into()),
        };
        tracing::debug!(delay_us, "laid out");
        self.delay = refreshes(delay_us, plan.mode);
        Ok(())
    }

    /// Waits until something of the stage is gone, removes it, and tells what.
    pub async fn lost(&mut self) -> GapCause {
        let capture_ended = async {
            match &mut self.window {
                Some(window) => drop(window.wait_for(Option::is_none).await),
                None => std::future::pending().await,
            }
        };
        let cause = tokio::select! {
            biased;
            () = ended(self.display.as_mut().map(|display| &mut display.child)) => GapCause::DisplayDied,
            () = ended(self.sound.as_mut().map(|sound| &mut sound.child)) => GapCause::SoundDied,
            () = ended(self.browser.as_mut().map(|browser| &mut browser.child)) => GapCause::BrowserDied,
            () = capture_ended => GapCause::DisplayDied,
        };
        // Chrome ends with its display, which may be noticed first.
        let display_gone = match &mut self.display {
            Some(display) => display.child.has_ended(),
            None => true,
        };
        self.browser = None;
        if cause == GapCause::DisplayDied || display_gone {
            self.end_display();
            return GapCause::DisplayDied;
        }
        if cause == GapCause::SoundDied {
            self.sound = None;
        }
        cause
    }
}

async fn ended(child: Option<&mut crate::recorder::child::Child>) {
    match child {
        Some(child) => {
            let error = child.ended().await;
            tracing::warn!(%error, "a process of the recording is gone");
        }
        None => std::future::pending().await,
    }
}
