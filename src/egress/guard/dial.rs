//! Connecting to where a page wants to, if it may.

use std::error::Error;
use std::net::{IpAddr, SocketAddr};
use std::task::{Context, Poll};
use std::time::Duration;

use futures::future::BoxFuture;
use http::Uri;
use hyper_util::client::legacy::connect::HttpConnector;
use hyper_util::client::legacy::connect::dns::Name;
use hyper_util::rt::TokioIo;
use tokio::net::TcpStream;
use tower_service::Service;

use crate::egress::{EgressError, Resolver};

/// All addresses of a host have this long to take the connection.
const CONNECTED_WITHIN: Duration = Duration::from_secs(20);

/// Why there is no connection.
#[derive(Debug, thiserror::Error)]
pub(super) enum DialError {
    #[error(transparent)]
    Egress(#[from] EgressError),
    #[error("{host} cannot be reached: {why}")]
    Unreachable { host: String, why: String },
}

/// Resolves, judges, connects; tries the addresses of a host as browsers do.
#[derive(Clone)]
pub(super) struct Dialer {
    resolver: Resolver,
    connector: HttpConnector<Resolver>,
}

impl Dialer {
    pub(super) fn new(resolver: Resolver) -> Dialer {
        let mut connector = HttpConnector::new_with_resolver(resolver.clone());
        connector.set_connect_timeout(Some(CONNECTED_WITHIN));
        connector.set_nodelay(true);
        Dialer { resolver, connector }
    }

    /// Connects to the host and port of a URI.
    pub(super) async fn dial(&self, uri: Uri) -> Result<TokioIo<TcpStream>, DialError> {
        let host = uri.host().unwrap_or_default().to_owned();
        // The connector resolves names alone.
        if let Ok(address) = host.trim_matches(['[', ']']).parse::<IpAddr>() {
            self.resolver.judge(address)?;
        }
        let mut connector = self.connector.clone();
        connector.call(uri).await.map_err(|error| refused(&error).unwrap_or_else(|| unreachable(host, &error)))
    }
}

/// The resolver's own word, if it was that.
fn refused(error: &(dyn Error + 'static)) -> Option<DialError> {
    let mut cause = Some(error);
    while let Some(error) = cause {
        if let Some(error) = error.downcast_ref::<EgressError>() {
            return Some(DialError::Egress(error.again()));
        }
        cause = error.source();
    }
    None
}

fn unreachable(host: String, error: &(dyn Error + 'static)) -> DialError {
    let mut deepest = error;
    while let Some(source) = deepest.source() {
        deepest = source;
    }
    DialError::Unreachable { host, why: deepest.to_string() }
}

impl Service<Uri> for Dialer {
    type Response = TokioIo<TcpStream>;
    type Error = DialError;
    type Future = BoxFuture<'static, Result<Self::Response, DialError>>;

    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<Result<(), DialError>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, uri: Uri) -> Self::Future {
        let dialer = self.clone();
        Box::pin(async move { dialer.dial(uri).await })
    }
}

impl Service<Name> for Resolver {
    type Response = std::vec::IntoIter<SocketAddr>;
    type Error = EgressError;
    type Future = BoxFuture<'static, Result<Self::Response, EgressError>>;

    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<Result<(), EgressError>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, name: Name) -> Self::Future {
        let resolver = self.clone();
        Box::pin(async move {
            let found = resolver.resolve(name.as_str()).await?;
            // The connector puts the port in.
            let addresses: Vec<_> = found.into_iter().map(|address| SocketAddr::new(address, 0)).collect();
            Ok(addresses.into_iter())
        })
    }
}
