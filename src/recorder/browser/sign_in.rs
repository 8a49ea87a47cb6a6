//! Gives Chrome a login state. What the page has changed meanwhile stays: only what is missing is
//! added, so that a Chrome that was started again goes on with what it had.

use std::collections::{BTreeMap, HashSet};

use chromiumoxide::cdp::browser_protocol::fetch::{
    ContinueRequestParams, EnableParams, EventRequestPaused, HeaderEntry, RequestPattern,
};
use chromiumoxide::cdp::browser_protocol::network::{CookieSameSite, SetCookieParams, TimeSinceEpoch};
use chromiumoxide::cdp::browser_protocol::page::AddScriptToEvaluateOnNewDocumentParams;
use chromiumoxide::cdp::browser_protocol::storage::GetCookiesParams;
use chromiumoxide::error::CdpError;
use chromiumoxide::{Browser as Connection, Page};
use futures::StreamExt;
use tokio::task::JoinHandle;
use url::Url;

use super::error::BrowserError;
use super::login::{Cookie, Login, Origin, SameSite};

/// Where the script runs: it shares the page's storage, and the page cannot see it.
const WORLD: &str = "panorec";
const LOCAL_STORAGE: &str = include_str!("local_storage.js");

/// Signs the page in before its first load. The task, if any, is to live as long as the page.
pub(super) async fn sign_in(
    connection: &Connection,
    page: &Page,
    login: &Login,
    url: &Url,
) -> Result<Option<JoinHandle<()>>, BrowserError> {
    give_cookies(connection, page, &login.cookies, url).await?;
    if !login.origins.is_empty() {
        let script = AddScriptToEvaluateOnNewDocumentParams::builder()
            .source(LOCAL_STORAGE.replace("STORED", &stored(&login.origins)))
            .world_name(WORLD)
            .build()
            .map_err(CdpError::msg)?;
        page.execute(script).await?;
    }
    if login.headers.is_empty() {
        return Ok(None);
    }
    send_headers(page, &login.headers, url).await.map(Some)
}

async fn give_cookies(connection: &Connection, page: &Page, cookies: &[Cookie], url: &Url) -> Result<(), BrowserError> {
    if cookies.is_empty() {
        return Ok(());
    }
    let there = connection.execute(GetCookiesParams::default()).await?;
    let there: HashSet<(&str, &str)> =
        there.cookies.iter().map(|cookie| (cookie.name.as_str(), cookie.domain.trim_start_matches('.'))).collect();
    for cookie in cookies {
        let domain = domain_of(cookie, url);
        if there.contains(&(cookie.name.as_str(), domain.trim_start_matches('.'))) {
            continue;
        }
        let refused = |_| BrowserError::Cookie { name: cookie.name.chars().take(80).collect(), domain: domain.clone() };
        page.execute(set_cookie(cookie, url)).await.map_err(refused)?;
    }
    Ok(())
}

fn domain_of(cookie: &Cookie, url: &Url) -> String {
    let of_url = || {
        let own = cookie.url.as_deref().and_then(|own| Url::parse(own).ok());
        own.as_ref().unwrap_or(url).host_str().unwrap_or_default().to_owned()
    };
    cookie.domain.clone().unwrap_or_else(of_url)
}

fn set_cookie(cookie: &Cookie, url: &Url) -> SetCookieParams {
    let mut set = SetCookieParams::new(&cookie.name, &cookie.value);
    set.domain.clone_from(&cookie.domain);
    set.url = match (&cookie.domain, &cookie.url) {
        (None, None) => Some(url.to_string()),
        (_, own) => own.clone(),
    };
    set.path.clone_from(&cookie.path);
    set.expires = cookie.expires.filter(|expires| *expires >= 0.0).map(TimeSinceEpoch::new);
    set.http_only = cookie.http_only;
    set.secure = cookie.secure;
    set.same_site = match cookie.same_site {
        Some(SameSite::Strict) => Some(CookieSameSite::Strict),
        Some(SameSite::Lax) => Some(CookieSameSite::Lax),
        Some(SameSite::None) => Some(CookieSameSite::None),
        Some(SameSite::Unspecified) | None => None,
    };
    set
}

/// As an object of JavaScript: origin to pairs of name and value.
fn stored(origins: &[Origin]) -> String {
    let pairs = |origin: &Origin| -> Vec<[String; 2]> {
        origin.local_storage.iter().map(|item| [item.name.clone(), item.value.clone()]).collect()
    };
    let stored: BTreeMap<String, _> =
        origins.iter().map(|origin| (origin.origin.origin().ascii_serialization(), pairs(origin))).collect();
    // Maps of texts to lists of texts always serialize.
    serde_json::to_string(&stored).unwrap_or_default()
}

/// Adds headers to what the page asks its own origin for, and nobody else.
async fn send_headers(
    page: &Page,
    headers: &BTreeMap<String, String>,
    url: &Url,
) -> Result<JoinHandle<()>, BrowserError> {
    let mut paused = page.event_listener::<EventRequestPaused>().await?;
    let pattern = format!("{}/*", url.origin().ascii_serialization());
    let pattern = RequestPattern::builder().url_pattern(pattern).build();
    page.execute(EnableParams::builder().pattern(pattern).build()).await?;
    let (page, ours) = (page.clone(), headers.clone());
    Ok(tokio::spawn(async move {
        while let Some(event) = paused.next().await {
            let mut go_on = ContinueRequestParams::new(event.request_id.clone());
            go_on.headers = Some(with_headers(event.request.headers.inner(), &ours));
            let page = page.clone();
            // Not one after the other: a page asks for many things at a time.
            tokio::spawn(async move {
                if let Err(error) = page.execute(go_on).await {
                    tracing::debug!(%error, "a request was given up before it had its headers");
                }
            });
        }
    }))
}

/// The request's own headers, with `ours` in place of those of the same name.
fn with_headers(own: &serde_json::Value, ours: &BTreeMap<String, String>) -> Vec<HeaderEntry> {
    let kept = own.as_object().into_iter().flatten().filter_map(|(name, value)| {
        let replaced = ours.keys().any(|our| our.eq_ignore_ascii_case(name));
        (!replaced).then(|| HeaderEntry::new(name, value.as_str().unwrap_or_default()))
    });
    kept.chain(ours.iter().map(|(name, value)| HeaderEntry::new(name, value))).collect()
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn our_headers_take_the_place_of_those_of_the_same_name() {
        let own = json!({ "Accept": "*/*", "authorization": "none" });
        let ours = BTreeMap::from([("Authorization".to_owned(), "Bearer x".to_owned())]);
        let sent = with_headers(&own, &ours);
        let sent: Vec<_> = sent.iter().map(|entry| (entry.name.as_str(), entry.value.as_str())).collect();
        assert_eq!(sent, [("Accept", "*/*"), ("Authorization", "Bearer x")]);
    }

    #[test]
    fn a_cookie_without_a_domain_is_the_pages_own() {
        let cookie = |domain: Option<&str>, url: Option<&str>| Cookie {
            name: "sid".to_owned(),
            value: "x".to_owned(),
            domain: domain.map(str::to_owned),
            url: url.map(str::to_owned),
            path: None,
            expires: Some(-1.0),
            http_only: None,
            secure: None,
            same_site: None,
        };
        let page = Url::parse("https://school.example/lesson").unwrap();
        for (domain, url, wanted, wanted_url) in [
            (None, None, "school.example", Some("https://school.example/lesson")),
            (Some(".school.example"), None, ".school.example", None),
            (None, Some("https://id.example/"), "id.example", Some("https://id.example/")),
        ] {
            let cookie = cookie(domain, url);
            assert_eq!(domain_of(&cookie, &page), wanted);
            let set = set_cookie(&cookie, &page);
            assert_eq!(set.url.as_deref(), wanted_url);
            assert!(set.expires.is_none());
        }
    }
}
