//! The arguments of who lets others reach addresses through this program.

use std::str::FromStr;

use clap::{Args, ValueEnum};
use url::{Host, Url};

use super::policy::{EgressPolicy, HostPattern, Network};

#[derive(Debug, Default, Args)]
pub struct EgressArgs {
    /// What pages, stores and callbacks of recordings may reach although it is not public: ranges like
    /// 10.20.0.0/16, hosts like minio.storage.svc, or .school.example for all below it
    #[arg(long, value_name = "LIST", env = "PANOREC_EGRESS_ALLOW", value_delimiter = ',')]
    egress_allow: Vec<Allowed>,
    /// Ranges that they must not reach although they are public, such as the nodes' own
    #[arg(long, value_name = "LIST", env = "PANOREC_EGRESS_REFUSE", value_delimiter = ',')]
    egress_refuse: Vec<Network>,
    /// What pages may reach by TCP [default: guarded]: `guarded`: the same as stores and callbacks, but for the installation's own stores;
    /// `open`: everything
    #[arg(long, value_name = "WHAT", env = "PANOREC_PAGE_EGRESS", value_enum)]
    page_egress: Option<PageEgress>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
enum PageEgress {
    Guarded,
    Open,
}

/// A range of addresses, or a host.
#[derive(Debug, Clone, PartialEq, Eq)]
enum Allowed {
    Network(Network),
    Host(HostPattern),
}

impl FromStr for Allowed {
    type Err = String;

    fn from_str(text: &str) -> Result<Allowed, String> {
        let neither = |_| format!("{text:?} is neither a range like 10.20.0.0/16 nor a host like minio.storage.svc");
        text.parse().map(Allowed::Network).or_else(|_| text.parse().map(Allowed::Host).map_err(neither))
    }
}

impl EgressArgs {
    /// Whether anything is allowed or refused, or a guard is asked for.
    pub fn is_given(&self) -> bool {
        let is_guarded = self.page_egress == Some(PageEgress::Guarded);
        is_guarded || !self.egress_allow.is_empty() || !self.egress_refuse.is_empty()
    }

    /// What pages may reach: public addresses and what is allowed, and none of the installation's stores.
    pub fn page_policy(&self) -> EgressPolicy {
        match self.page_egress {
            Some(PageEgress::Open) => EgressPolicy::Open,
            Some(PageEgress::Guarded) | None => self.policy([]),
        }
    }

    /// Public addresses, what is allowed, and the installation's `own` stores wherever they stand, also with a bucket
    /// before their names.
    pub fn policy<'a>(&self, own: impl IntoIterator<Item = &'a Url>) -> EgressPolicy {
        let (mut allow, mut hosts) = (Vec::new(), Vec::new());
        for allowed in &self.egress_allow {
            match allowed {
                Allowed::Network(network) => allow.push(*network),
                Allowed::Host(host) => hosts.push(host.clone()),
            }
        }
        for host in own.into_iter().filter_map(Url::host) {
            match host {
                Host::Domain(host) => {
                    hosts.extend([host.to_owned(), format!(".{host}")].iter().filter_map(|host| host.parse().ok()));
                }
                Host::Ipv4(address) => allow.extend(address.to_string().parse::<Network>()),
                Host::Ipv6(address) => allow.extend(address.to_string().parse::<Network>()),
            }
        }
        EgressPolicy::Public { allow, hosts, refuse: self.egress_refuse.clone() }
    }
}
