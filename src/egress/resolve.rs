//! Names to addresses, with those left out that may not be reached; for the HTTP clients of this program.

use std::io;
use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;

use aws_smithy_runtime_api::client::dns::{DnsFuture, ResolveDns, ResolveDnsError};
use url::{Host, Url};

use super::policy::{EgressPolicy, Kind};

/// Why a host is not connected to.
#[derive(Debug, thiserror::Error)]
pub enum EgressError {
    #[error("{host} may not be reached: its address {address} is {kind}; the installation can allow it")]
    Refused { host: String, address: IpAddr, kind: Kind },
    #[error("{host} cannot be resolved: {source}")]
    Lookup { host: String, source: io::Error },
    #[error("{host} has no address")]
    NoAddress { host: String },
}

impl EgressError {
    /// The same, where there is only a reference to it.
    pub(super) fn again(&self) -> EgressError {
        match self {
            EgressError::Refused { host, address, kind } => {
                EgressError::Refused { host: host.clone(), address: *address, kind: *kind }
            }
            EgressError::Lookup { host, source } => {
                EgressError::Lookup { host: host.clone(), source: io::Error::new(source.kind(), source.to_string()) }
            }
            EgressError::NoAddress { host } => EgressError::NoAddress { host: host.clone() },
        }
    }
}

/// Resolves as the system does, and gives only what may be reached: what the client connects to is what was judged.
#[derive(Debug, Clone, Default)]
pub struct Resolver {
    policy: Arc<EgressPolicy>,
}

impl Resolver {
    pub fn new(policy: EgressPolicy) -> Resolver {
        Resolver { policy: Arc::new(policy) }
    }

    /// Whether everything may be reached.
    pub fn is_open(&self) -> bool {
        *self.policy == EgressPolicy::Open
    }

    /// Whether a URL whose host is an address may be reached: clients resolve names only. Names are let through.
    ///
    /// # Errors
    /// The address may not be reached.
    pub fn judge_literal(&self, url: &Url) -> Result<(), EgressError> {
        let address = match url.host() {
            Some(Host::Ipv4(address)) => IpAddr::V4(address),
            Some(Host::Ipv6(address)) => IpAddr::V6(address),
            Some(Host::Domain(_)) | None => return Ok(()),
        };
        self.judge(address)
    }

    /// Whether an address may be reached.
    ///
    /// # Errors
    /// It may not.
    pub fn judge(&self, address: IpAddr) -> Result<(), EgressError> {
        let refused = |kind| EgressError::Refused { host: address.to_string(), address, kind };
        self.policy.judge(address).map_err(refused)
    }

    /// The addresses of a name that may be reached; at least one.
    ///
    /// # Errors
    /// The name has none, or none that may be reached.
    pub async fn resolve(&self, host: &str) -> Result<Vec<IpAddr>, EgressError> {
        let name = host.to_owned();
        let found = tokio::net::lookup_host((host, 0)).await;
        let found = found.map_err(|source| EgressError::Lookup { host: name.clone(), source })?;
        let mut refused = None;
        let mut reachable = Vec::new();
        for address in found.map(|found| found.ip()) {
            match self.policy.judge(address) {
                Err(_) if self.policy.trusts(&name) => reachable.push(address),
                Ok(()) => reachable.push(address),
                Err(kind) => refused = Some(EgressError::Refused { host: name.clone(), address, kind }),
            }
        }
        if reachable.is_empty() { Err(refused.unwrap_or(EgressError::NoAddress { host: name })) } else { Ok(reachable) }
    }
}

impl ResolveDns for Resolver {
    fn resolve_dns<'a>(&'a self, name: &'a str) -> DnsFuture<'a> {
        DnsFuture::new(async move { self.resolve(name).await.map_err(ResolveDnsError::new) })
    }
}

impl reqwest::dns::Resolve for Resolver {
    fn resolve(&self, name: reqwest::dns::Name) -> reqwest::dns::Resolving {
        let resolver = self.clone();
        Box::pin(async move {
            let found = resolver.resolve(name.as_str()).await?;
            // The client puts the port in.
            let addresses: reqwest::dns::Addrs = Box::new(found.into_iter().map(|address| SocketAddr::new(address, 0)));
            Ok(addresses)
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn guarded() -> Resolver {
        Resolver::new(EgressPolicy::Public { allow: Vec::new(), hosts: Vec::new(), refuse: Vec::new() })
    }

    #[tokio::test]
    async fn a_name_of_this_machine_is_refused() {
        let refused = guarded().resolve("localhost").await.unwrap_err().to_string();
        assert!(
            refused.contains("localhost may not be reached") && refused.contains("this machine's own"),
            "{refused}"
        );
        assert!(!Resolver::default().resolve("localhost").await.unwrap().is_empty());
    }

    #[test]
    fn an_address_in_a_url_is_judged_however_it_is_written() {
        for url in
            ["http://127.0.0.1/", "http://2130706433/", "http://0x7f.1/", "http://[::ffff:7f00:1]:80/", "http://10.1/"]
        {
            assert!(guarded().judge_literal(&url.parse().unwrap()).is_err(), "{url}");
        }
        for url in ["http://8.8.8.8/", "https://school.example/"] {
            guarded().judge_literal(&url.parse().unwrap()).unwrap();
        }
    }
}
