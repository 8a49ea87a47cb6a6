//! Starting Chrome and connecting to it.

use std::net::SocketAddr;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use chromiumoxide::cdp::browser_protocol::browser::{SetDownloadBehaviorBehavior, SetDownloadBehaviorParams};
use chromiumoxide::cdp::js_protocol::runtime::EvaluateParams;
use chromiumoxide::handler::HandlerConfig;
use chromiumoxide::{Browser as Connection, Page};
use futures::StreamExt;
use tokio::sync::{broadcast, mpsc};
use tokio::task::JoinHandle;
use url::Url;

use super::args::{arguments, proxied};
use super::delay::delay;
use super::error::BrowserError;
use super::load::LOAD_TIME;
use super::login::Login;
use super::page::{BrowserEvent, LoadStep, Names, Watch, watch};
use super::preferences::{self, preferences};
use super::sign_in::sign_in;
use crate::recorder::child::{Child, ChildError, Recipe, find_program};
use crate::recorder::display::Display;
use crate::recorder::files::changes_until;
use crate::recorder::sound::Sound;
use crate::recorder::workplace::Workplace;

const READY: Duration = Duration::from_secs(20);
/// What Chrome's environment has of ours: language and time zone that the page shows, proxies.
const PASSED_ON: &[&str] = &[
    "LANG",
    "LANGUAGE",
    "LC_ALL",
    "TZ",
    "http_proxy",
    "https_proxy",
    "no_proxy",
    "HTTP_PROXY",
    "HTTPS_PROXY",
    "NO_PROXY",
];
/// The page has this long to be laid out in its size and drawn; a page that hangs has not.
const LAID_OUT_TIME: Duration = Duration::from_secs(3);
/// How many of the page's pictures are waited for: some of them reach the display meanwhile.
const REFRESHES: u32 = 5;
/// How often that is done at most until the pictures take the same time one after the other.
const LOOKS: u32 = 5;
const LAID_OUT: &str = include_str!("laid_out.js");
/// What Chrome's log says when it finds none, or one that does not work.
const NO_SANDBOX: &[&str] = &["No usable sandbox", "SUID sandbox helper", "Zygote process exited prematurely"];

/// How Chrome is to be started.
#[derive(Debug, Clone)]
pub struct Setup {
    pub size: (u32, u32),
    pub user_agent: Option<String>,
    /// The title that the page's document is given, whatever its own is.
    pub title: Option<String>,
    pub sandbox: bool,
    /// What all of its connections go through.
    pub proxy: Option<SocketAddr>,
    /// What the page is signed in with.
    pub login: Option<Login>,
    /// The page that it is for.
    pub url: Url,
}

/// A running Chrome with its one page; ends with its value.
#[derive(Debug)]
pub struct Browser {
    pub child: Child,
    pub page: Arc<OpenPage>,
}

/// The connection to Chrome's one page.
#[derive(Debug)]
pub struct OpenPage {
    /// Such as `Chrome/156.0.8078.79`.
    pub version: String,
    page: Page,
    steps: broadcast::Sender<LoadStep>,
    _watch: Watch,
    connection: Arc<Connection>,
    browser_pid: i32,
    handler: JoinHandle<()>,
}

impl Browser {
    /// Starts Chrome on the display, playing into the sink.
    pub async fn start(
        workplace: &Workplace,
        setup: &Setup,
        display: &Display,
        sound: &Sound,
        events: mpsc::UnboundedSender<BrowserEvent>,
    ) -> Result<Self, BrowserError> {
        let program = find_program(&["/usr/lib/chromium/chromium", "chromium", "google-chrome", "chrome"])
            .ok_or(BrowserError::Missing)?;
        let home = workplace.folder("chrome")?;
        let profile = workplace.folder("profile")?;
        if !profile.join(preferences::FILE).exists() {
            workplace.folder("profile/Default")?;
            workplace.file("profile", preferences::FILE, preferences().to_string().as_bytes())?;
            workplace.file("profile", preferences::STATE_FILE, preferences::state().to_string().as_bytes())?;
        }
        let mut recipe = Recipe::new("Chrome", &program, &home, workplace.identity);
        if setup.sandbox && !workplace.identity.has_user_namespaces() {
            // Chrome's other sandbox, where it is installed, is a program that is root's.
            recipe.may_gain_privileges();
        }
        let command = recipe.command();
        command.args(arguments(&profile, setup.size, setup.user_agent.as_deref(), setup.sandbox));
        command.args(setup.proxy.into_iter().flat_map(proxied));
        command.envs(display.address().environment()).envs([sound.environment()]);
        // Chrome asks a message bus for this and that, and there is none.
        command.env("DBUS_SESSION_BUS_ADDRESS", "unix:path=/dev/null");
        command.envs(PASSED_ON.iter().filter_map(|name| Some((name, std::env::var_os(name)?))));
        let port_file = profile.join("DevToolsActivePort");
        let _ = std::fs::remove_file(&port_file);
        let mut child = recipe.spawn()?;
        let address = child.ready(READY, changes_until(&port_file, || read_address(&port_file))).await;
        let address = address.map_err(|error| sandbox_error(error, &child))?;
        Self::connect(child, &address, setup, events).await
    }

    async fn connect(
        child: Child,
        address: &str,
        setup: &Setup,
        events: mpsc::UnboundedSender<BrowserEvent>,
    ) -> Result<Self, BrowserError> {
        let config = HandlerConfig {
            ignore_https_errors: false,
            viewport: None,
            request_timeout: LOAD_TIME + Duration::from_secs(5),
            ..HandlerConfig::default()
        };
        let (connection, mut handler) = Connection::connect_with_config(address, config).await?;
        let handler = tokio::spawn(async move {
            // An event of a newer Chrome that the crate does not know is an error here, and harmless.
            while let Some(result) = handler.next().await {
                if let Err(error) = result {
                    tracing::trace!(%error, "from Chrome");
                }
            }
        });
        let connection = Arc::new(connection);
        let page = first_page(&connection).await?;
        let deny = SetDownloadBehaviorParams::new(SetDownloadBehaviorBehavior::Deny);
        connection.execute(deny).await?;
        let names = Names::new();
        let (steps, _) = broadcast::channel(1024);
        let mut watch =
            watch(Arc::clone(&connection), &page, &names, setup.title.as_deref(), events, steps.clone()).await?;
        if let Some(login) = &setup.login {
            watch.extend(sign_in(&connection, &page, login, &setup.url).await?);
        }
        let version = connection.version().await?.product;
        let browser_pid = child.pid().as_raw();
        let page = OpenPage { version, page, steps, _watch: watch, connection, browser_pid, handler };
        Ok(Self { child, page: Arc::new(page) })
    }

    /// The page, and the process it lives by.
    pub fn parts(&mut self) -> (&OpenPage, &mut Child) {
        (&self.page, &mut self.child)
    }
}

impl OpenPage {
    pub(super) fn page(&self) -> &Page {
        &self.page
    }

    pub(super) fn steps(&self) -> broadcast::Receiver<LoadStep> {
        self.steps.subscribe()
    }

    /// Waits until the page has its size and has been drawn in it, if it does so in time. Tells
    /// how long Chrome takes to show what the page draws, in microseconds; None where the page
    /// draws nothing. Not to be called again before it has answered.
    pub async fn laid_out(&self, (width, height): (u32, u32)) -> Option<i64> {
        let mut script = LAID_OUT.to_owned();
        for (name, value) in [("WIDTH", width), ("HEIGHT", height), ("REFRESHES", REFRESHES)] {
            script = script.replace(name, &value.to_string());
        }
        let evaluate = EvaluateParams::builder().expression(script).await_promise(true).build();
        let evaluate = evaluate.inspect_err(|error| tracing::debug!(error, "cannot ask for the page's layout")).ok()?;
        let mut last = None;
        for _ in 0..LOOKS {
            let drawn = async {
                match tokio::time::timeout(LAID_OUT_TIME, self.page.execute(evaluate.clone())).await {
                    Ok(Ok(_)) => return true,
                    Ok(Err(error)) => tracing::debug!(%error, "the page tells nothing of its layout"),
                    Err(_) => tracing::debug!("the page does not tell of its layout"),
                }
                false
            };
            let mut answers = false;
            last = delay(&self.connection, self.browser_pid, async { answers = drawn.await }).await;
            if !answers || last.is_none_or(|delay| delay.steady) {
                break;
            }
        }
        last.map(|delay| delay.us)
    }
}

impl Drop for OpenPage {
    fn drop(&mut self) {
        self.handler.abort();
    }
}

/// Chrome writes its port and the path of its socket into this file when it listens.
fn read_address(file: &Path) -> Option<String> {
    let text = std::fs::read_to_string(file).ok()?;
    let (port, path) = text.trim_end().split_once('\n')?;
    Some(format!("ws://127.0.0.1:{}{path}", port.parse::<u16>().ok()?))
}

fn sandbox_error(error: ChildError, child: &Child) -> BrowserError {
    let log = child.log_tail();
    if NO_SANDBOX.iter().any(|words| log.contains(words)) { BrowserError::NoSandbox } else { error.into() }
}

/// The page that Chrome opened at its start.
async fn first_page(connection: &Connection) -> Result<Page, BrowserError> {
    let mut tick = tokio::time::interval(Duration::from_millis(10));
    let found = async {
        loop {
            // The connection learns of the page by itself, without an event for us.
            tick.tick().await;
            if let Some(page) = connection.pages().await?.into_iter().next() {
                return Ok(page);
            }
        }
    };
    tokio::time::timeout(READY, found).await.unwrap_or(Err(BrowserError::TimeOut("open its page")))
}
