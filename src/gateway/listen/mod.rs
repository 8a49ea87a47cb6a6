//! Listening: arguments, TLS, keys that change while it runs, and connections that may do what they like.

mod connections;
mod keys;
mod tls;

use std::net::SocketAddr;
use std::path::PathBuf;
use std::sync::Arc;

use axum::Router;
use clap::Args;
use nix::sys::resource::{Resource, getrlimit, setrlimit};
use tokio::net::{TcpListener, TcpSocket};
use tokio_util::sync::CancellationToken;

use super::auth::{Gate, Replays};
use super::prefix::Prefix;
use crate::complaint::Complaint;

/// Where and for whom a gateway listens.
#[derive(Debug, Args)]
pub struct ListenArgs {
    /// The address to listen at
    #[arg(long, value_name = "ADDRESS", env = "PANOREC_LISTEN", default_value = "127.0.0.1:8080")]
    pub listen: SocketAddr,
    /// Who may call, as JSON: {"keys": [{"id": …, "secret": …}]}; read again when it changes. Without it
    /// everybody may, and it listens on loopback addresses only
    #[arg(long, value_name = "FILE", env = "PANOREC_KEYS")]
    pub keys: Option<PathBuf>,
    /// Refuse a signature that was used before. A client that asks the same twice within a second then has to wait
    #[arg(long, env = "PANOREC_REFUSE_REPLAYS", requires = "keys")]
    pub refuse_replays: bool,
    /// A prefix of the path that clients have in their base URL, such as /release
    #[arg(long, value_name = "PATH", env = "PANOREC_PATH_PREFIX", default_value = "")]
    pub path_prefix: Prefix,
    /// Another address for /metrics, which is beside the API otherwise
    #[arg(long, value_name = "ADDRESS", env = "PANOREC_METRICS_LISTEN")]
    pub metrics_listen: Option<SocketAddr>,
    /// The certificate of an https server, as PEM, with those that sign it; read again when it changes
    #[arg(long, value_name = "FILE", env = "PANOREC_TLS_CERT", requires = "tls_key")]
    pub tls_cert: Option<PathBuf>,
    /// Its key, as PEM
    #[arg(long, value_name = "FILE", env = "PANOREC_TLS_KEY", requires = "tls_cert")]
    pub tls_key: Option<PathBuf>,
}

/// A gateway's address, bound and not yet serving.
pub struct Listening {
    listener: TcpListener,
    tls: Option<tls::Tls>,
    /// Who is let in; None: everybody.
    pub gate: Option<Arc<Gate>>,
    keys: Option<keys::KeysFile>,
    metrics: Option<TcpListener>,
    pub prefix: Prefix,
}

impl ListenArgs {
    /// Binds the address and reads the files.
    ///
    /// # Errors
    /// An address that cannot be had, or that others reach while nobody is asked for a key; files that cannot be used.
    pub(crate) async fn bind(self) -> Result<Listening, Complaint> {
        let keys = self.keys.map(keys::KeysFile::open).transpose()?;
        if keys.is_none() && !self.listen.ip().is_loopback() {
            return Err(Complaint::usage(format!(
                "{} can be reached by others, and nobody would be asked for a key; give --keys FILE, or listen at 127.0.0.1",
                self.listen
            )));
        }
        let tls = self.tls_cert.zip(self.tls_key).map(|(cert, key)| tls::Tls::open(cert, key)).transpose()?;
        let bind = |address, flag| {
            listen(address).map_err(|error| {
                Complaint::usage(format!("cannot listen at {address} ({error}); give {flag} another address"))
            })
        };
        let listener = bind(self.listen, "--listen")?;
        let metrics = self.metrics_listen.map(|address| bind(address, "--metrics-listen")).transpose()?;
        let (keys, gate) = match keys {
            None => (None, None),
            Some((file, keys)) => {
                let replays = self.refuse_replays.then(Replays::default);
                (Some(file), Some(Arc::new(Gate::new(keys, replays))))
            }
        };
        Ok(Listening { listener, tls, gate, keys, metrics, prefix: self.path_prefix })
    }
}

/// Bursts of connections wait for their turn here; one too many would be asked for again by its client's kernel only
/// after a second.
const BACKLOG: u32 = 4096;

fn listen(address: SocketAddr) -> std::io::Result<TcpListener> {
    // Each connection is an open file, and shells give a thousand where there may be many more.
    if let Ok((_, most)) = getrlimit(Resource::RLIMIT_NOFILE) {
        let _ = setrlimit(Resource::RLIMIT_NOFILE, most, most);
    }
    let socket = if address.is_ipv4() { TcpSocket::new_v4()? } else { TcpSocket::new_v6()? };
    socket.set_reuseaddr(true)?;
    socket.bind(address)?;
    socket.listen(BACKLOG)
}

impl Listening {
    /// What clients take as the beginning of their URLs, such as `http://127.0.0.1:8080`.
    pub fn url(&self) -> String {
        let scheme = if self.tls.is_some() { "https" } else { "http" };
        let address = self.listener.local_addr().map(|address| address.to_string());
        format!("{scheme}://{}", address.unwrap_or_default())
    }

    /// Serves until `end`, and then what is being answered; `metrics` at an address of its own, if it has one.
    pub async fn serve(self, mut router: Router, metrics: Router, end: CancellationToken) {
        let Listening { listener, tls, gate, keys, metrics: metrics_listener, .. } = self;
        match metrics_listener {
            Some(listener) => drop(tokio::spawn(connections::serve(listener, None, metrics, end.clone()))),
            None => router = router.merge(metrics),
        }
        if let (Some(keys), Some(gate)) = (keys, gate) {
            tokio::spawn(keys.follow(gate, end.clone()));
        }
        let acceptor = tls.map(|tls| tls.follow(end.clone()));
        connections::serve(listener, acceptor, router, end).await;
    }
}
