//! Talking to the control endpoints of pods: at their own address, or through the API server.

use std::net::IpAddr;
use std::time::Duration;

use futures::io::{AsyncBufRead, BufReader};
use futures::{TryStreamExt, io};
use http::{Method, Request, StatusCode};
use kube::Client;

use super::build::CONTROL_PORT;
use super::settings::Reach;
use super::token::TokenKey;
use crate::session::stream::{Cursor, ToldIntent};

/// The API server's proxy takes Authorization away; so the token has a header of its own.
const TOKEN: &str = "X-Panorec-Token";
const CONNECT: Duration = Duration::from_secs(5);
const ANSWER: Duration = Duration::from_secs(10);

/// Where a publisher is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Target {
    pub namespace: String,
    pub pod: String,
    pub pod_uid: String,
    pub address: IpAddr,
}

/// Why a publisher could not be spoken to.
#[derive(Debug, thiserror::Error)]
pub enum ReachError {
    #[error("no answer in time")]
    TimeOut,
    #[error("the publisher answered {0}")]
    Refused(StatusCode),
    #[error(transparent)]
    Http(#[from] reqwest::Error),
    #[error(transparent)]
    Kube(#[from] kube::Error),
    #[error("the request cannot be made: {0}")]
    Request(#[from] http::Error),
}

/// What became of a told intent.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Told {
    /// The recorder has journaled it, or it was no news.
    Taken,
    /// The publisher keeps it until its recorder is there.
    Kept,
    /// The publisher has heard a later one.
    Stale,
}

/// A stream of lines.
pub type Lines = Box<dyn AsyncBufRead + Send + Unpin>;

/// Reaches publishers; clones share their connections.
#[derive(Clone)]
pub struct Dialer {
    kube: Client,
    http: reqwest::Client,
    reach: Reach,
    key: TokenKey,
}

impl Dialer {
    pub fn new(kube: Client, reach: Reach, key: TokenKey) -> Result<Dialer, reqwest::Error> {
        // Pods are never behind the proxy of the operator's environment.
        let http = reqwest::Client::builder()
            .no_proxy()
            .redirect(reqwest::redirect::Policy::none())
            .connect_timeout(CONNECT)
            .build()?;
        Ok(Dialer { kube, http, reach, key })
    }

    /// The token of a recording.
    pub fn token(&self, uid: &str) -> String {
        self.key.token(uid)
    }

    /// Opens the stream of events after `cursor`.
    pub async fn events(&self, target: &Target, uid: &str, cursor: &Cursor) -> Result<Lines, ReachError> {
        let path = format!("/v1/events?after={cursor}");
        in_time(async {
            match self.reach {
                Reach::Direct => {
                    let answer = self.direct(Method::GET, target, uid, &path).send().await?;
                    if !answer.status().is_success() {
                        return Err(ReachError::Refused(answer.status()));
                    }
                    let bytes = answer.bytes_stream().map_err(io::Error::other).into_async_read();
                    Ok(Box::new(BufReader::new(bytes)) as Lines)
                }
                Reach::Proxy => {
                    let request = self.proxied(Method::GET, target, uid, &path, Vec::new())?;
                    let lines = self.kube.request_stream(request).await.map_err(refused)?;
                    Ok(Box::new(Box::pin(lines)) as Lines)
                }
            }
        })
        .await
    }

    /// Says what is wanted.
    pub async fn tell(&self, target: &Target, uid: &str, told: &ToldIntent) -> Result<Told, ReachError> {
        // It serializes: its types have no maps.
        let body = serde_json::to_vec(told).unwrap_or_default();
        let path = "/v1/intent";
        let status = in_time(async {
            match self.reach {
                Reach::Direct => {
                    let request = self.direct(Method::PUT, target, uid, path);
                    Ok(request.header("Content-Type", "application/json").body(body).send().await?.status())
                }
                Reach::Proxy => {
                    let (parts, body) = self.proxied(Method::PUT, target, uid, path, body)?.into_parts();
                    Ok(self.kube.send(Request::from_parts(parts, body.into())).await?.status())
                }
            }
        })
        .await?;
        match status {
            StatusCode::OK => Ok(Told::Taken),
            StatusCode::ACCEPTED => Ok(Told::Kept),
            StatusCode::CONFLICT => Ok(Told::Stale),
            other => Err(ReachError::Refused(other)),
        }
    }

    fn direct(&self, method: Method, target: &Target, uid: &str, path: &str) -> reqwest::RequestBuilder {
        let address = std::net::SocketAddr::new(target.address, CONTROL_PORT);
        self.http.request(method, format!("http://{address}{path}")).header(TOKEN, self.token(uid))
    }

    fn proxied(
        &self,
        method: Method,
        target: &Target,
        uid: &str,
        path: &str,
        body: Vec<u8>,
    ) -> Result<Request<Vec<u8>>, http::Error> {
        let Target { namespace, pod, .. } = target;
        Request::builder()
            .method(method)
            .uri(format!("/api/v1/namespaces/{namespace}/pods/{pod}:{CONTROL_PORT}/proxy{path}"))
            .header(TOKEN, self.token(uid))
            .header("Content-Type", "application/json")
            .body(body)
    }
}

fn refused(error: kube::Error) -> ReachError {
    match &error {
        kube::Error::Api(status) => match StatusCode::from_u16(status.code) {
            Ok(code) => ReachError::Refused(code),
            Err(_) => error.into(),
        },
        _ => error.into(),
    }
}

async fn in_time<T>(work: impl Future<Output = Result<T, ReachError>>) -> Result<T, ReachError> {
    tokio::time::timeout(ANSWER, work).await.unwrap_or(Err(ReachError::TimeOut))
}
