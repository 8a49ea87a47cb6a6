//! Loading the page, and knowing when it is there.

use std::time::Duration;

use chromiumoxide::cdp::browser_protocol::network::LoaderId;
use chromiumoxide::cdp::browser_protocol::page::{NavigateParams, ReloadParams};
use chromiumoxide::error::CdpError;
use tokio::sync::broadcast;
use tokio::time::{Instant, timeout_at};
use url::Url;

use super::error::LoadError;
use super::launch::OpenPage;
use super::page::LoadStep;

/// The page has this long to be committed and to paint.
pub const LOAD_TIME: Duration = Duration::from_secs(60);
/// A page that fired `load` but has nothing to paint counts as painted after this.
const PAINT_TIME: Duration = Duration::from_secs(1);
/// The status of a document that has painted comes within this; one from elsewhere than the network has none.
const STATUS_TIME: Duration = Duration::from_secs(1);
/// A document that Chrome gave up without an error page in its place was no page; but a script of the
/// page before it may have asked for another one meanwhile.
const GIVEN_UP_TIME: Duration = Duration::from_secs(2);

/// What Chrome says of it.
const GIVEN_UP: &str = "net::ERR_ABORTED";

impl OpenPage {
    /// Loads the page. It is there when its navigation was committed with a success and it has
    /// painted; live pages may never fire `load`.
    pub async fn load(&self, url: &Url) -> Result<(), LoadError> {
        let steps = self.steps();
        let navigation = async {
            let answer = match self.page().execute(NavigateParams::new(url.as_str())).await {
                // The crate waits for half our time; the steps tell what comes of it.
                Err(CdpError::Timeout) => return Ok(()),
                answer => answer?,
            };
            match &answer.error_text {
                Some(text) => Err(LoadError::from_text(text)),
                None => Ok(()),
            }
        };
        within(LOAD_TIME, navigation, painted(steps)).await
    }

    /// Loads the page's present address again, also after its renderer died.
    pub async fn reload(&self) -> Result<(), LoadError> {
        let steps = self.steps();
        let reload = async { Ok(self.page().execute(ReloadParams::default()).await.map(drop)?) };
        within(LOAD_TIME, reload, painted(steps)).await
    }
}

async fn within(
    time: Duration,
    command: impl Future<Output = Result<(), LoadError>>,
    painted: impl Future<Output = Result<(), LoadError>>,
) -> Result<(), LoadError> {
    let both = async {
        tokio::try_join!(command, painted)?;
        Ok(())
    };
    tokio::time::timeout(time, both).await.unwrap_or(Err(LoadError::TimeOut(time.as_secs())))
}

/// What a load counts as when nothing more comes of it.
#[derive(Debug, Clone, Copy)]
enum Verdict {
    Painted,
    NoPage,
}

impl From<Verdict> for Result<(), LoadError> {
    fn from(verdict: Verdict) -> Self {
        match verdict {
            Verdict::Painted => Ok(()),
            Verdict::NoPage => Err(LoadError::NoPage),
        }
    }
}

/// Follows the steps of the next load to its first paint.
async fn painted(mut steps: broadcast::Receiver<LoadStep>) -> Result<(), LoadError> {
    let mut statuses: Vec<(LoaderId, i64)> = Vec::new();
    let mut committed: Option<LoaderId> = None;
    let mut has_painted = false;
    let mut failure = String::from("net::ERR_FAILED");
    // When it is decided without another step, and how.
    let mut verdict: Option<(Instant, Verdict)> = None;
    loop {
        let step = match verdict {
            Some((at, verdict)) => match timeout_at(at, steps.recv()).await {
                Ok(step) => step,
                Err(_) => return verdict.into(),
            },
            None => steps.recv().await,
        };
        match step {
            Ok(LoadStep::Status(loader, status)) => {
                // What Chrome tells by different events need not come in their order.
                if committed.as_ref() == Some(&loader) {
                    if status >= 400 {
                        return Err(LoadError::Status(status));
                    }
                    if has_painted {
                        return Ok(());
                    }
                }
                statuses.push((loader, status));
            }
            Ok(LoadStep::Failed(text)) => {
                if committed.is_none() && text == GIVEN_UP {
                    verdict = Some((Instant::now() + GIVEN_UP_TIME, Verdict::NoPage));
                }
                failure = text;
            }
            Ok(LoadStep::Committed { unreachable: true, .. }) => return Err(LoadError::from_text(&failure)),
            Ok(LoadStep::Committed { loader, .. }) => {
                let status = statuses.iter().rev().find(|(of, _)| *of == loader).map(|(_, status)| *status);
                if let Some(status) = status.filter(|status| *status >= 400) {
                    return Err(LoadError::Status(status));
                }
                committed = Some(loader);
                has_painted = false;
                verdict = None;
            }
            Ok(LoadStep::Lifecycle(loader, name)) if committed.as_ref() == Some(&loader) => match name.as_str() {
                "firstPaint" | "firstContentfulPaint" => {
                    if statuses.iter().any(|(of, _)| *of == loader) {
                        return Ok(());
                    }
                    has_painted = true;
                    verdict = Some((Instant::now() + STATUS_TIME, Verdict::Painted));
                }
                "load" => verdict = Some((Instant::now() + PAINT_TIME, Verdict::Painted)),
                _ => {}
            },
            Ok(LoadStep::Lifecycle(..)) | Err(broadcast::error::RecvError::Lagged(_)) => {}
            Err(broadcast::error::RecvError::Closed) => {
                return Err(LoadError::Network("Chrome is gone".to_owned()));
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const STATUS: fn(i64) -> LoadStep = |status| LoadStep::Status(LoaderId::new("1"), status);

    fn committed() -> LoadStep {
        LoadStep::Committed { loader: LoaderId::new("1"), unreachable: false }
    }

    fn paints() -> LoadStep {
        LoadStep::Lifecycle(LoaderId::new("1"), "firstPaint".to_owned())
    }

    /// What comes of these steps, all of which are there at once.
    async fn comes_of(steps: impl IntoIterator<Item = LoadStep>) -> Result<(), LoadError> {
        let (tell, told) = broadcast::channel(16);
        for step in steps {
            let _ = tell.send(step);
        }
        // Kept open: Chrome lives.
        let ended = painted(told).await;
        drop(tell);
        ended
    }

    #[tokio::test]
    async fn a_status_counts_whenever_it_comes() {
        for steps in [
            [STATUS(410), committed(), paints()],
            [committed(), STATUS(410), paints()],
            [committed(), paints(), STATUS(410)],
        ] {
            assert!(matches!(comes_of(steps).await, Err(LoadError::Status(410))));
        }
        for steps in [[STATUS(200), committed(), paints()], [committed(), paints(), STATUS(200)]] {
            comes_of(steps).await.unwrap();
        }
        // What comes from elsewhere than the network has none.
        comes_of([committed(), paints()]).await.unwrap();
    }
}
