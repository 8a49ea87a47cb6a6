//! The proxy's own HTTP: CONNECT for everything that is encrypted and for WebSockets, whole requests for plain HTTP.

use std::convert::Infallible;
use std::sync::Arc;

use bytes::Bytes;
use http::header::{CONNECTION, HeaderName, PROXY_AUTHORIZATION, TE, UPGRADE};
use http::{HeaderMap, Method, Request, Response, StatusCode};
use http_body_util::{Either, Empty};
use hyper::body::Incoming;
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper_util::client::legacy::Client;
use hyper_util::rt::{TokioExecutor, TokioIo};
use tokio::net::{TcpListener, TcpStream};
use tokio::task::JoinSet;

use super::dial::{DialError, Dialer};
use super::refusals::Refusals;
use crate::egress::{EgressError, Resolver};

/// What is for this proxy and not for the server (RFC 9110, 7.6.1).
const FOR_US: [HeaderName; 6] = [
    CONNECTION,
    HeaderName::from_static("keep-alive"),
    HeaderName::from_static("proxy-connection"),
    PROXY_AUTHORIZATION,
    TE,
    UPGRADE,
];

type Body = Either<Incoming, Empty<Bytes>>;

#[derive(Clone)]
struct Proxy {
    dialer: Dialer,
    client: Client<Dialer, Incoming>,
    refusals: Arc<Refusals>,
}

/// Serves for as long as it is polled.
pub(super) async fn serve(listener: TcpListener, resolver: Resolver, refusals: Arc<Refusals>) {
    let dialer = Dialer::new(resolver);
    let client = Client::builder(TokioExecutor::new()).build(dialer.clone());
    let proxy = Proxy { dialer, client, refusals };
    // They end with this.
    let mut connections = JoinSet::new();
    loop {
        let stream = tokio::select! {
            accepted = listener.accept() => match accepted {
                Ok((stream, _)) => stream,
                Err(error) => {
                    tracing::warn!(%error, "the guard cannot take a connection");
                    tokio::time::sleep(std::time::Duration::from_millis(100)).await;
                    continue;
                }
            },
            Some(_) = connections.join_next() => continue,
        };
        connections.spawn(proxy.clone().connection(stream));
    }
}

impl Proxy {
    async fn connection(self, stream: TcpStream) {
        let _ = stream.set_nodelay(true);
        // A tunnel outlives the request that asked for it, and is carried on from here so that it ends with this.
        let (tunnels, mut to_carry) = tokio::sync::mpsc::channel(1);
        let service = service_fn(|request| {
            let (proxy, tunnels) = (self.clone(), tunnels.clone());
            async move { Ok::<_, Infallible>(proxy.answer(request, &tunnels).await) }
        });
        let serving = http1::Builder::new()
            .preserve_header_case(true)
            .serve_connection(TokioIo::new(stream), service)
            .with_upgrades();
        if let Err(error) = serving.await {
            tracing::debug!(%error, "a connection of the page ended badly");
        }
        if let Ok(Tunnel { upgrade, mut server }) = to_carry.try_recv()
            && let Ok(upgraded) = upgrade.await
        {
            let mut page = TokioIo::new(upgraded);
            let _ = tokio::io::copy_bidirectional(&mut page, server.inner_mut()).await;
        }
    }

    async fn answer(&self, request: Request<Incoming>, tunnels: &tokio::sync::mpsc::Sender<Tunnel>) -> Response<Body> {
        let uri = request.uri().clone();
        let host = uri.host().unwrap_or_default().to_owned();
        match *request.method() {
            Method::CONNECT => {
                // It names host and port, and no scheme.
                let Ok(whole) = format!("http://{uri}/").parse() else { return answer(StatusCode::BAD_REQUEST) };
                let dialed = self.dialer.dial(whole).await;
                self.refusals.heed(&host, dialed.as_ref().err());
                match dialed {
                    Ok(server) => {
                        let tunnel = Tunnel { upgrade: hyper::upgrade::on(request), server };
                        match tunnels.try_send(tunnel) {
                            Ok(()) => answer(StatusCode::OK),
                            Err(_) => answer(StatusCode::BAD_REQUEST),
                        }
                    }
                    Err(error) => answer(status(&error)),
                }
            }
            _ if uri.scheme_str() == Some("http") => self.forward(request, &host).await,
            _ => answer(StatusCode::BAD_REQUEST),
        }
    }

    async fn forward(&self, mut request: Request<Incoming>, host: &str) -> Response<Body> {
        strip(request.headers_mut());
        match self.client.request(request).await {
            Ok(mut response) => {
                self.refusals.heed(host, None);
                strip(response.headers_mut());
                response.map(Either::Left)
            }
            Err(error) => {
                let mut cause: Option<&(dyn std::error::Error + 'static)> = Some(&error);
                while let Some(error) = cause {
                    if let Some(error) = error.downcast_ref::<DialError>() {
                        self.refusals.heed(host, Some(error));
                        return answer(status(error));
                    }
                    cause = error.source();
                }
                tracing::debug!(%error, host, "a server broke off");
                answer(StatusCode::BAD_GATEWAY)
            }
        }
    }
}

/// A tunnel that the page has asked for.
struct Tunnel {
    upgrade: hyper::upgrade::OnUpgrade,
    server: TokioIo<TcpStream>,
}

fn answer(status: StatusCode) -> Response<Body> {
    let mut response = Response::new(Either::Right(Empty::new()));
    *response.status_mut() = status;
    response
}

fn status(error: &DialError) -> StatusCode {
    match error {
        DialError::Egress(EgressError::Refused { .. }) => StatusCode::FORBIDDEN,
        _ => StatusCode::BAD_GATEWAY,
    }
}

/// Takes out what is between the page and this proxy, and what Connection names.
fn strip(headers: &mut HeaderMap) {
    let named: Vec<HeaderName> = headers
        .get_all(CONNECTION)
        .iter()
        .filter_map(|value| value.to_str().ok())
        .flat_map(|value| value.split(','))
        .filter_map(|name| name.trim().parse().ok())
        .collect();
    for name in FOR_US.iter().chain(&named) {
        headers.remove(name);
    }
}

#[cfg(test)]
mod tests {
    use tokio::io::{AsyncReadExt, AsyncWriteExt};

    use crate::egress::guard::Guard;
    use crate::egress::{EgressPolicy, Resolver};

    /// Answers each connection once with `said`, after one read; the port.
    async fn server(said: &'static str) -> u16 {
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        let port = listener.local_addr().unwrap().port();
        tokio::spawn(async move {
            while let Ok((mut stream, _)) = listener.accept().await {
                let mut asked = [0; 4096];
                let length = stream.read(&mut asked).await.unwrap();
                let asked = String::from_utf8_lossy(&asked[..length]).to_ascii_lowercase();
                let said = said.replace("ASKED", &asked.escape_debug().to_string());
                stream.write_all(said.as_bytes()).await.unwrap();
            }
        });
        port
    }

    async fn ask(guard: &Guard, text: &str) -> String {
        let mut stream = tokio::net::TcpStream::connect(guard.address()).await.unwrap();
        stream.write_all(text.as_bytes()).await.unwrap();
        let mut answer = Vec::new();
        stream.read_to_end(&mut answer).await.unwrap();
        String::from_utf8(answer).unwrap()
    }

    async fn guard(allow: &[&str]) -> Guard {
        let allow = allow.iter().map(|text| text.parse().unwrap()).collect();
        let policy = EgressPolicy::Public { allow, hosts: Vec::new(), refuse: Vec::new() };
        Guard::start(Resolver::new(policy)).await.unwrap().unwrap()
    }

    #[tokio::test]
    async fn only_what_may_be_reached_is_however_it_is_written() {
        let port = server("HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\nhi").await;
        let guard = guard(&[]).await;
        for host in
            ["127.0.0.1", "localhost", "2130706433", "0x7f.1", "0177.0.0.1", "[::1]", "[::ffff:7f00:1]", "0.0.0.0"]
        {
            let close = "Connection: close\r\n\r\n";
            let plain = ask(&guard, &format!("GET http://{host}:{port}/ HTTP/1.1\r\nHost: {host}\r\n{close}")).await;
            let tunnel = ask(&guard, &format!("CONNECT {host}:{port} HTTP/1.1\r\nHost: {host}\r\n{close}")).await;
            for answer in [plain, tunnel] {
                assert!(answer.starts_with("HTTP/1.1 403 "), "{host}: {answer} {:?}", guard.trouble(host));
            }
            assert!(guard.trouble(host).unwrap().contains("may not be reached"), "{host}");
        }
        assert_eq!(guard.refused(), 16);
        assert_eq!((guard.news().len(), guard.news().len()), (8, 0));
    }

    #[tokio::test]
    async fn requests_and_tunnels_reach_what_is_allowed() {
        let port = server("HTTP/1.1 200 OK\r\nconnection: close\r\n\r\nASKED").await;
        let guard = guard(&["127.0.0.1"]).await;
        let head = format!("Host: 127.0.0.1:{port}\r\nConnection: close, x-hop\r\nX-Hop: 1\r\nX-End: 2\r\n\r\n");
        let plain = ask(&guard, &format!("GET http://127.0.0.1:{port}/a?b=c HTTP/1.1\r\n{head}")).await;
        assert!(
            plain.contains("get /a?b=c http/1.1") && plain.contains("x-end: 2") && !plain.contains("x-hop"),
            "{plain}"
        );
        let mut stream = tokio::net::TcpStream::connect(guard.address()).await.unwrap();
        stream.write_all(format!("CONNECT 127.0.0.1:{port} HTTP/1.1\r\n\r\n").as_bytes()).await.unwrap();
        let mut told = [0; 19];
        stream.read_exact(&mut told).await.unwrap();
        assert!(told.starts_with(b"HTTP/1.1 200 OK\r\n"), "{}", String::from_utf8_lossy(&told));
        stream.write_all(b"raw").await.unwrap();
        let mut answer = String::new();
        stream.read_to_string(&mut answer).await.unwrap();
        assert!(answer.ends_with("raw"), "{answer}");
        let gone = ask(&guard, "CONNECT 127.0.0.1:1 HTTP/1.1\r\nConnection: close\r\n\r\n").await;
        assert!(gone.starts_with("HTTP/1.1 502 "), "{gone}");
        assert!(guard.trouble("127.0.0.1").unwrap().contains("cannot be reached"));
        assert_eq!(guard.refused(), 0);
    }
}
