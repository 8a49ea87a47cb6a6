//! Changes of what is wanted: told, by the page, by keys.

use std::sync::Arc;

use super::run::{Converge, Rolling, Why};
use crate::recorder::browser::{Answer, BrowserEvent, LoadError, PageCall};
use crate::recorder::control::{Control, Ended, Key, RecorderError};
use crate::session::event::{GapCause, RecorderEvent};
use crate::session::intent::{By, Intent, IntentState};

impl Converge {
    pub(super) fn follow_control(&mut self, control: Option<Control>) -> Result<(), RecorderError> {
        match control {
            Some(Control::Told { intent, journaled }) => {
                self.told(intent)?;
                if let Some(journaled) = journaled {
                    // Whoever asked may be gone by now.
                    let _ = journaled.send(());
                }
                Ok(())
            }
            Some(Control::Key(Key::State(state))) => self.edge(By::Keyboard, Some(state), false, None),
            Some(Control::Key(Key::TogglePause)) => {
                let state = match self.folded.intent {
                    IntentState::Recording => IntentState::Paused,
                    IntentState::Paused => IntentState::Recording,
                    IntentState::Stopped => return Ok(()),
                };
                self.edge(By::Keyboard, Some(state), false, None)
            }
            Some(Control::Key(Key::Refresh)) => self.edge(By::Keyboard, None, true, None),
            // Nobody is there any more to tell anything: the run ends, the recording does not.
            Some(Control::StopRun) | None => {
                self.stop_run();
                Ok(())
            }
        }
    }

    /// Closes the part, unless that is what takes too long: then the session is left as it is.
    pub(super) fn stop_run(&mut self) {
        let finishing = self.rolling == Rolling::Finishing;
        match &self.encoding {
            Some(encoding) if !encoding.over && !finishing => self.cut(Why::Finish),
            Some(encoding) => {
                encoding.child.kill();
                self.ended = Some(Ended::Interrupted);
            }
            None => self.ended = Some(Ended::Interrupted),
        }
    }

    fn told(&mut self, intent: Intent) -> Result<(), RecorderError> {
        let Some(edge) = intent.edge_after(&self.folded.told) else { return Ok(()) };
        self.edge(By::Intent, edge.state, edge.reload, Some(intent))
    }

    /// Journals a change of what is wanted. Stopped is final.
    pub(super) fn edge(
        &mut self,
        by: By,
        state: Option<IntentState>,
        reload: bool,
        told: Option<Intent>,
    ) -> Result<(), RecorderError> {
        if self.folded.intent == IntentState::Stopped {
            return Ok(());
        }
        let changes = state.is_some_and(|state| state != self.folded.intent);
        if !(changes || reload || told.is_some()) {
            return Ok(());
        }
        self.note(RecorderEvent::Edge { by, state, reload, told })?;
        if changes {
            self.wanted_by = by;
            self.note_edge()?;
        }
        if reload {
            self.reload();
        }
        Ok(())
    }

    /// A reload while the page is being loaded anyway is fulfilled by that.
    fn reload(&mut self) {
        if !self.stage_ready {
            return;
        }
        let Some(browser) = &self.stage.browser else { return };
        let (page, events) = (Arc::clone(&browser.page), self.plan.events.clone());
        tokio::spawn(async move {
            let Err(error) = page.reload().await else { return };
            tracing::warn!(%error, "the page could not be reloaded");
            // While a server does not answer, the page stays as it was; of Chrome's end others tell.
            if !matches!(error, LoadError::TimeOut(_) | LoadError::Browser(_)) {
                let _ = events.send(BrowserEvent::Lost(error.to_string()));
            }
        });
        self.delay.restart();
        if let Err(error) = self.note(RecorderEvent::Refreshed) {
            tracing::warn!(%error, "cannot journal a reload");
        }
    }

    pub(super) async fn follow_browser(&mut self, event: BrowserEvent) -> Result<(), RecorderError> {
        match event {
            BrowserEvent::Call { call, answer, document } => self.page_call(call, answer, document),
            BrowserEvent::RendererGone { out_of_memory } => {
                let found = if out_of_memory { GapCause::OutOfMemory } else { GapCause::RendererDied };
                let cause = self.stuck.cause_of(found);
                self.page_gone(cause)
            }
            BrowserEvent::Looked { number, delay_us } => {
                self.delay_seen(number, delay_us);
                Ok(())
            }
            BrowserEvent::Hung => {
                self.end_hung_page();
                Ok(())
            }
            BrowserEvent::Lost(reason) => {
                if self.stage_ready {
                    self.note(RecorderEvent::PageFailed { reason })?;
                    self.page_gone(GapCause::PageLost)?;
                }
                Ok(())
            }
        }
    }

    fn page_call(&mut self, call: PageCall, answer: Answer, document: u64) -> Result<(), RecorderError> {
        match call {
            PageCall::Start if !self.begun => {
                self.begun = true;
                self.limits.started();
            }
            // A second call in the same document resumes; the first one of a reloaded document
            // changes nothing.
            PageCall::Start if self.start_document == Some(document) => {
                self.edge(By::Page, Some(IntentState::Recording), false, None)?;
            }
            PageCall::Start => {}
            PageCall::Pause => self.edge(By::Page, Some(IntentState::Paused), false, None)?,
            PageCall::Resume => self.edge(By::Page, Some(IntentState::Recording), false, None)?,
            PageCall::Refresh => self.edge(By::Page, None, true, None)?,
        }
        if call == PageCall::Start {
            self.start_document = Some(document);
        }
        tokio::spawn(answer.give());
        Ok(())
    }
}
