//! A forward proxy for one page: all of Chrome's TCP goes through it, and it connects to what the policy lets it, by the
//! address that a name has at that moment. Nothing is decrypted.
//! Called by the recorder. Never: sees a credential, or lets Chrome look up a name for it.

mod dial;
mod proxy;
mod refusals;

use std::io;
use std::net::{Ipv4Addr, SocketAddr};
use std::sync::Arc;

use tokio::net::TcpListener;
use tokio_util::task::AbortOnDropHandle;

use super::resolve::Resolver;
use refusals::Refusals;

/// A running proxy; ends with its value, and so do the connections through it.
#[derive(Debug)]
pub struct Guard {
    address: SocketAddr,
    refusals: Arc<Refusals>,
    _serving: AbortOnDropHandle<()>,
}

impl Guard {
    /// Listens at a loopback address of its own. None: everything may be reached, and needs no guard.
    ///
    /// # Errors
    /// There is no address to be had.
    pub async fn start(resolver: Resolver) -> io::Result<Option<Guard>> {
        if resolver.is_open() {
            return Ok(None);
        }
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await?;
        let address = listener.local_addr()?;
        let refusals = Arc::new(Refusals::default());
        let serving = tokio::spawn(proxy::serve(listener, resolver, Arc::clone(&refusals)));
        Ok(Some(Guard { address, refusals, _serving: AbortOnDropHandle::new(serving) }))
    }

    /// Where Chrome finds it.
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// Why a host was not connected to when it was last tried, if it was not.
    pub fn trouble(&self, host: &str) -> Option<String> {
        self.refusals.trouble(host)
    }

    /// What was refused since this was last asked: a sentence for each host, the first ones only.
    pub fn news(&self) -> Vec<String> {
        self.refusals.news()
    }

    /// How many connections were refused until now.
    pub fn refused(&self) -> u64 {
        self.refusals.count()
    }
}
