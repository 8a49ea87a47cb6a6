//! Watching the page: its calls, its dialogs, its end.

use std::sync::Arc;
use std::time::Duration;

use chromiumoxide::cdp::browser_protocol::network::LoaderId;
use chromiumoxide::cdp::browser_protocol::network::{EventLoadingFailed, EventResponseReceived, ResourceType};
use chromiumoxide::cdp::browser_protocol::page::{
    AddScriptToEvaluateOnNewDocumentParams, EventFrameNavigated, EventJavascriptDialogOpening, EventLifecycleEvent,
    HandleJavaScriptDialogParams, SetInterceptFileChooserDialogParams,
};
use chromiumoxide::cdp::browser_protocol::target::{CloseTargetParams, EventTargetCrashed, EventTargetCreated};
use chromiumoxide::cdp::browser_protocol::web_authn;
use chromiumoxide::cdp::js_protocol::runtime::{AddBindingParams, EvaluateParams, EventBindingCalled};
use chromiumoxide::error::CdpError;
use chromiumoxide::{Browser, Page};
use futures::{Stream, StreamExt};
use serde::Deserialize;
use tokio::sync::{broadcast, mpsc};
use tokio::task::JoinHandle;

/// How often the page is asked whether it is alive, and how long it may take to answer. Heavy
/// pages are busy for seconds while they load.
const ASK: Duration = Duration::from_secs(5);
const ANSWER: Duration = Duration::from_secs(15);

const FUNCTIONS: &str = include_str!("functions.js");
const TITLE: &str = include_str!("title.js");

/// What the page may ask for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
pub enum PageCall {
    #[serde(rename = "startRecord")]
    Start,
    #[serde(rename = "pauseRecord")]
    Pause,
    #[serde(rename = "resumeRecord")]
    Resume,
    #[serde(rename = "refreshPage")]
    Refresh,
}

/// What happens in Chrome while it runs.
#[derive(Debug)]
pub enum BrowserEvent {
    /// The page called one of its functions. `document` changes with each document that the page loads.
    Call { call: PageCall, answer: Answer, document: u64 },
    /// The page's renderer is gone; for want of memory, as Chrome says.
    RendererGone { out_of_memory: bool },
    /// How long Chrome takes to show what the page draws, in microseconds, as the look of this
    /// number has found.
    Looked { number: u64, delay_us: Option<i64> },
    /// The page's main thread has not answered for long.
    Hung,
    /// The page's document is an error page of Chrome's.
    Lost(String),
}

/// The promise that a call of the page waits for; it can be kept while the page still loads.
#[derive(Debug)]
pub struct Answer {
    page: Page,
    script: String,
}

impl Answer {
    /// Settles the promise.
    pub async fn give(self) {
        if let Err(error) = self.page.execute(EvaluateParams::new(self.script)).await {
            tracing::debug!(%error, "cannot settle a call of the page");
        }
    }
}

/// Steps of a load, for those who wait for one.
#[derive(Debug, Clone)]
pub(super) enum LoadStep {
    Status(LoaderId, i64),
    Failed(String),
    Committed { loader: LoaderId, unreachable: bool },
    Lifecycle(LoaderId, String),
}

/// The names that connect the page's functions with us.
#[derive(Debug, Clone)]
pub(super) struct Names {
    binding: String,
    done: String,
}

impl Names {
    pub fn new() -> Self {
        let fresh = || format!("_{}", uuid::Uuid::new_v4().simple());
        Self { binding: fresh(), done: fresh() }
    }

    fn script(&self) -> String {
        FUNCTIONS.replace("BINDING", &self.binding).replace("DONE", &self.done)
    }
}

/// The tasks that watch; they end with their value.
#[derive(Debug)]
pub(super) struct Watch {
    tasks: Vec<JoinHandle<()>>,
}

impl Watch {
    /// Adds tasks that are to live as long.
    pub(super) fn extend(&mut self, tasks: impl IntoIterator<Item = JoinHandle<()>>) {
        self.tasks.extend(tasks);
    }
}

impl Drop for Watch {
    fn drop(&mut self) {
        self.tasks.iter().for_each(JoinHandle::abort);
    }
}

#[derive(Deserialize)]
struct CallMessage {
    name: PageCall,
    id: u64,
}

/// Puts the functions into the page and begins to watch it.
pub(super) async fn watch(
    browser: Arc<Browser>,
    page: &Page,
    names: &Names,
    title: Option<&str>,
    events: mpsc::UnboundedSender<BrowserEvent>,
    steps: broadcast::Sender<LoadStep>,
) -> Result<Watch, CdpError> {
    let mut tasks = Vec::new();
    let mut calls = page.event_listener::<EventBindingCalled>().await?;
    let mut dialogs = page.event_listener::<EventJavascriptDialogOpening>().await?;
    let lifecycle = page.event_listener::<EventLifecycleEvent>().await?;
    let mut commits = page.event_listener::<EventFrameNavigated>().await?;
    let responses = page.event_listener::<EventResponseReceived>().await?;
    let failures = page.event_listener::<EventLoadingFailed>().await?;
    let mut crashes = browser.event_listener::<EventTargetCrashed>().await?;
    let mut targets = browser.event_listener::<EventTargetCreated>().await?;
    // Nobody is there to choose a file, or to touch a security key: both fail at once.
    let choose = SetInterceptFileChooserDialogParams::builder().enabled(true).cancel(true).build();
    page.execute(choose.map_err(CdpError::msg)?).await?;
    page.execute(web_authn::EnableParams::builder().enable_ui(false).build()).await?;
    page.execute(AddBindingParams::new(&names.binding)).await?;
    page.execute(AddScriptToEvaluateOnNewDocumentParams::new(names.script())).await?;
    if let Some(title) = title {
        let script = TITLE.replace("'TITLE'", &serde_json::Value::from(title).to_string());
        page.execute(AddScriptToEvaluateOnNewDocumentParams::new(script)).await?;
    }

    let own = page.target_id().clone();
    let tell = events.clone();
    tasks.push(tokio::spawn(async move {
        while let Some(crash) = crashes.next().await {
            if crash.target_id == own {
                let out_of_memory = crash.status == "oom";
                let _ = tell.send(BrowserEvent::RendererGone { out_of_memory });
            }
        }
    }));
    let own = page.target_id().clone();
    tasks.push(tokio::spawn(async move {
        while let Some(created) = targets.next().await {
            let info = &created.target_info;
            // A window or tab that the page opened would lie over the page.
            if info.r#type == "page" && info.target_id != own {
                let _ = browser.execute(CloseTargetParams::new(info.target_id.clone())).await;
            }
        }
    }));
    let asked = page.clone();
    let tell = events.clone();
    tasks.push(tokio::spawn(async move {
        let mut tick = tokio::time::interval(ASK);
        tick.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
        loop {
            tick.tick().await;
            // An error is an answer too: the page is being changed for another.
            if tokio::time::timeout(ANSWER, asked.execute(EvaluateParams::new("0"))).await.is_err() {
                let _ = tell.send(BrowserEvent::Hung);
            }
        }
    }));
    let answering = page.clone();
    tasks.push(tokio::spawn(async move {
        while let Some(dialog) = dialogs.next().await {
            tracing::debug!(kind = ?dialog.r#type, "answering a dialog of the page");
            let _ = answering.execute(HandleJavaScriptDialogParams::new(true)).await;
        }
    }));
    let Names { binding, done } = names.clone();
    let calling = page.clone();
    let tell = events.clone();
    let commit_steps = steps.clone();
    tasks.push(tokio::spawn(async move {
        let mut document = 0;
        loop {
            tokio::select! {
                Some(commit) = commits.next() => {
                    if commit.frame.parent_id.is_some() {
                        continue;
                    }
                    document += 1;
                    let unreachable = commit.frame.unreachable_url.is_some();
                    let _ = commit_steps.send(LoadStep::Committed { loader: commit.frame.loader_id.clone(), unreachable });
                    if unreachable {
                        let _ = tell.send(BrowserEvent::Lost("the page could not be reached".to_owned()));
                    }
                }
                Some(call) = calls.next() => {
                    if call.name == binding
                        && let Ok(message) = serde_json::from_str::<CallMessage>(&call.payload) {
                            let script = format!("window['{done}']({})", message.id);
                            let answer = Answer { page: calling.clone(), script };
                            let _ = tell.send(BrowserEvent::Call { call: message.name, answer, document });
                        }
                }
                else => break,
            }
        }
    }));
    tasks.push(forward(lifecycle, steps.clone(), |event: Arc<EventLifecycleEvent>| {
        Some(LoadStep::Lifecycle(event.loader_id.clone(), event.name.clone()))
    }));
    tasks.push(forward(responses, steps.clone(), |event: Arc<EventResponseReceived>| {
        (event.r#type == ResourceType::Document)
            .then(|| LoadStep::Status(event.loader_id.clone(), event.response.status))
    }));
    tasks.push(forward(failures, steps, |event: Arc<EventLoadingFailed>| {
        (event.r#type == ResourceType::Document).then(|| LoadStep::Failed(event.error_text.clone()))
    }));
    Ok(Watch { tasks })
}

fn forward<E: Send + Sync + 'static>(
    mut events: impl Stream<Item = Arc<E>> + Unpin + Send + 'static,
    steps: broadcast::Sender<LoadStep>,
    step: impl Fn(Arc<E>) -> Option<LoadStep> + Send + 'static,
) -> JoinHandle<()> {
    tokio::spawn(async move {
        while let Some(event) = events.next().await {
            if let Some(step) = step(event) {
                let _ = steps.send(step);
            }
        }
    })
}
