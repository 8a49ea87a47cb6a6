//! The rule: public addresses, and those that the installation allows.

use std::fmt;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};
use std::str::FromStr;

use ipnet::IpNet;
use serde::{Deserialize, Serialize};

/// A range of addresses, such as `10.20.0.0/16`; a single address is one, too.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct Network(IpNet);

impl Network {
    fn contains(&self, address: IpAddr) -> bool {
        self.0.contains(&address)
    }

    fn is_one_address(&self) -> bool {
        self.0.prefix_len() == self.0.max_prefix_len()
    }
}

impl FromStr for Network {
    type Err = String;

    fn from_str(text: &str) -> Result<Network, String> {
        let network = text.parse::<IpNet>().or_else(|_| text.parse::<IpAddr>().map(IpNet::from));
        let wrong = |_| format!("{text:?} is no range of addresses; write it like 10.20.0.0/16, or one address");
        network.map(|network| Network(network.trunc())).map_err(wrong)
    }
}

impl TryFrom<String> for Network {
    type Error = String;

    fn try_from(text: String) -> Result<Network, String> {
        text.parse()
    }
}

impl From<Network> for String {
    fn from(network: Network) -> String {
        network.to_string()
    }
}

impl fmt::Display for Network {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

/// What may be reached.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub enum EgressPolicy {
    /// Everything: whoever starts panorec by hand could reach it without it.
    #[default]
    Open,
    /// Public addresses only, but for `refuse`, and with `allow`.
    Public {
        /// Reached although they are not public, or in `refuse`. Addresses at which clouds hand out credentials
        /// are reached only where they are named one by one.
        #[serde(default)]
        allow: Vec<Network>,
        /// Reached whatever their addresses are: the installation's own services.
        #[serde(default)]
        hosts: Vec<HostPattern>,
        /// Never reached although they are public, such as the nodes' own.
        #[serde(default)]
        refuse: Vec<Network>,
    },
}

/// A name, such as `minio.storage.svc`; with a dot before it, all names below it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct HostPattern(String);

impl HostPattern {
    fn matches(&self, host: &str) -> bool {
        let host = host.trim_end_matches('.').to_ascii_lowercase();
        if self.0.starts_with('.') { host.ends_with(&self.0) } else { host == self.0 }
    }
}

impl FromStr for HostPattern {
    type Err = String;

    fn from_str(text: &str) -> Result<HostPattern, String> {
        let name = text.strip_prefix('.').unwrap_or(text);
        let label = |label: &str| {
            (1..=63).contains(&label.len())
                && label.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"-_".contains(&byte))
        };
        let numeric = name.rsplit('.').next().is_some_and(|last| last.bytes().all(|byte| byte.is_ascii_digit()));
        if name.len() <= 253 && !numeric && name.split('.').all(label) {
            Ok(HostPattern(text.to_ascii_lowercase()))
        } else {
            Err(format!("{text:?} is no host; write it like minio.storage.svc, or .school.example for all below it"))
        }
    }
}

impl TryFrom<String> for HostPattern {
    type Error = String;

    fn try_from(text: String) -> Result<HostPattern, String> {
        text.parse()
    }
}

impl From<HostPattern> for String {
    fn from(host: HostPattern) -> String {
        host.0
    }
}

/// What keeps an address from being reached.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    Loopback,
    Private,
    LinkLocal,
    /// Where clouds hand out credentials.
    Metadata,
    Multicast,
    /// Not in use between hosts of the Internet: unspecified, reserved, for documents and benchmarks.
    Reserved,
    /// Refused by the installation.
    Refused,
}

impl fmt::Display for Kind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Kind::Loopback => "this machine's own",
            Kind::Private => "private",
            Kind::LinkLocal => "link-local",
            Kind::Metadata => "that of a cloud's metadata service",
            Kind::Multicast => "a multicast address",
            Kind::Reserved => "reserved",
            Kind::Refused => "refused by the installation",
        })
    }
}

impl EgressPolicy {
    /// Whether a host may be connected to whatever its addresses are.
    pub fn trusts(&self, host: &str) -> bool {
        match self {
            EgressPolicy::Open => true,
            EgressPolicy::Public { hosts, .. } => hosts.iter().any(|pattern| pattern.matches(host)),
        }
    }

    /// Whether the address may be connected to.
    ///
    /// # Errors
    /// What it is that keeps it from being reached.
    pub fn judge(&self, address: IpAddr) -> Result<(), Kind> {
        let EgressPolicy::Public { allow, refuse, .. } = self else { return Ok(()) };
        // Each address that the packets may end up at counts.
        for address in [Some(address), embedded(address).map(IpAddr::V4)].into_iter().flatten() {
            judge_one(address, allow, refuse)?;
        }
        Ok(())
    }
}

fn judge_one(address: IpAddr, allow: &[Network], refuse: &[Network]) -> Result<(), Kind> {
    let kind = kind_of(address);
    let mut allowing = allow.iter().filter(|network| network.contains(address));
    if kind == Some(Kind::Metadata) {
        return if allowing.any(Network::is_one_address) { Ok(()) } else { Err(Kind::Metadata) };
    }
    if allowing.next().is_some() {
        return Ok(());
    }
    if refuse.iter().any(|network| network.contains(address)) {
        return Err(Kind::Refused);
    }
    kind.map_or(Ok(()), Err)
}

/// The IPv4 address inside an IPv6 one: mapped (RFC 4291, 2.5.5), NAT64 (RFC 6052, 8215), 6to4 (RFC 3056).
fn embedded(address: IpAddr) -> Option<Ipv4Addr> {
    let IpAddr::V6(address) = address else { return None };
    let [a, b, c, d, e, f, g, h] = address.segments();
    let v4 = |high: u16, low: u16| Ipv4Addr::from(u32::from(high) << 16 | u32::from(low));
    match [a, b, c, d, e, f] {
        [0, 0, 0, 0, 0, 0 | 0xffff] | [0x64, 0xff9b, 0, 0, 0, 0] | [0x64, 0xff9b, 1, _, _, _] => Some(v4(g, h)),
        [0x2002, high, low, ..] => Some(v4(high, low)),
        _ => None,
    }
}

/// None: public. By the registries of special addresses that IANA keeps (RFC 6890).
fn kind_of(address: IpAddr) -> Option<Kind> {
    match address {
        IpAddr::V4(address) => kind_of_v4(address),
        IpAddr::V6(address) => kind_of_v6(address),
    }
}

fn kind_of_v4(address: Ipv4Addr) -> Option<Kind> {
    match address.octets() {
        // AWS, GCP, Azure and most others; Aliyun; Tencent's is in the first one; Azure's host.
        [169, 254, 169, 254] | [169, 254, 170, 2 | 23] | [100, 100, 100, 200] | [168, 63, 129, 16] => {
            Some(Kind::Metadata)
        }
        [169, 254, 0, 23] => Some(Kind::Metadata),
        [127, ..] => Some(Kind::Loopback),
        [10, ..] | [172, 16..=31, ..] | [192, 168, ..] | [100, 64..=127, ..] => Some(Kind::Private),
        [169, 254, ..] => Some(Kind::LinkLocal),
        [224..=239, ..] => Some(Kind::Multicast),
        [0 | 240..=255, ..] | [192, 0, 0 | 2, _] | [192, 88, 99, _] => Some(Kind::Reserved),
        [198, 18 | 19, ..] | [198, 51, 100, _] | [203, 0, 113, _] => Some(Kind::Reserved),
        _ => None,
    }
}

fn kind_of_v6(address: Ipv6Addr) -> Option<Kind> {
    match address.segments() {
        [0, 0, 0, 0, 0, 0, 0, 1] => Some(Kind::Loopback),
        // What they hold is judged.
        [0, 0, 0, 0, 0, 0xffff, ..] | [0x64, 0xff9b, 0 | 1, ..] | [0x2002, ..] => None,
        // AWS; GCP.
        [0xfd00, 0xec2, 0, 0, 0, 0, 0, 0x254] | [0xfd20, 0xce, 0, 0, 0, 0, 0, 0x254] => Some(Kind::Metadata),
        [0xfc00..=0xfdff, ..] | [0xfec0..=0xfeff, ..] => Some(Kind::Private),
        [0xfe80..=0xfebf, ..] => Some(Kind::LinkLocal),
        [0xff00..=0xffff, ..] => Some(Kind::Multicast),
        // Teredo and the other special blocks; for documents.
        [0x2001, 0..=0x1ff, ..] | [0x2001, 0xdb8, ..] | [0x3fff, 0..=0xfff, ..] => Some(Kind::Reserved),
        [0x2000..=0x3fff, ..] => None,
        _ => Some(Kind::Reserved),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn judged(policy: &EgressPolicy, address: &str) -> Result<(), Kind> {
        policy.judge(address.parse().unwrap())
    }

    fn public(allow: &[&str], refuse: &[&str]) -> EgressPolicy {
        let networks = |texts: &[&str]| texts.iter().map(|text| text.parse().unwrap()).collect();
        EgressPolicy::Public { allow: networks(allow), hosts: Vec::new(), refuse: networks(refuse) }
    }

    #[test]
    fn only_public_addresses_are_reached() {
        let policy = public(&[], &[]);
        for (address, kind) in [
            ("127.0.0.1", Kind::Loopback),
            ("127.255.255.254", Kind::Loopback),
            ("::1", Kind::Loopback),
            ("10.0.0.1", Kind::Private),
            ("172.16.0.1", Kind::Private),
            ("172.31.255.255", Kind::Private),
            ("192.168.1.1", Kind::Private),
            ("100.64.0.1", Kind::Private),
            ("fd12:3456::1", Kind::Private),
            ("fec0::1", Kind::Private),
            ("169.254.1.1", Kind::LinkLocal),
            ("fe80::1", Kind::LinkLocal),
            ("169.254.169.254", Kind::Metadata),
            ("169.254.170.2", Kind::Metadata),
            ("100.100.100.200", Kind::Metadata),
            ("168.63.129.16", Kind::Metadata),
            ("fd00:ec2::254", Kind::Metadata),
            ("224.0.0.251", Kind::Multicast),
            ("ff02::1", Kind::Multicast),
            ("0.0.0.0", Kind::Reserved),
            ("255.255.255.255", Kind::Reserved),
            ("192.0.2.1", Kind::Reserved),
            ("198.18.0.1", Kind::Reserved),
            ("2001:db8::1", Kind::Reserved),
            ("2001::1", Kind::Reserved),
            ("::", Kind::Reserved),
            ("4000::1", Kind::Reserved),
            ("::ffff:127.0.0.1", Kind::Loopback),
            ("::ffff:10.0.0.1", Kind::Private),
            ("::ffff:169.254.169.254", Kind::Metadata),
            ("64:ff9b::10.0.0.1", Kind::Private),
            ("64:ff9b:1::192.168.0.1", Kind::Private),
            ("2002:7f00:1::1", Kind::Loopback),
            ("::127.0.0.1", Kind::Reserved),
        ] {
            assert_eq!(judged(&policy, address), Err(kind), "{address}");
        }
        for address in ["8.8.8.8", "172.32.0.1", "100.128.0.1", "2606:4700::1111", "::ffff:8.8.8.8", "64:ff9b::8.8.8.8"]
        {
            assert_eq!(judged(&policy, address), Ok(()), "{address}");
        }
    }

    #[test]
    fn the_installation_allows_and_refuses() {
        let policy = public(&["10.20.0.0/16", "127.0.0.1"], &["8.8.0.0/16", "10.20.30.0/24"]);
        for address in ["10.20.0.1", "127.0.0.1", "10.20.30.1", "9.9.9.9", "::ffff:10.20.0.1"] {
            assert_eq!(judged(&policy, address), Ok(()), "{address}");
        }
        assert_eq!(judged(&policy, "8.8.8.8"), Err(Kind::Refused));
        assert_eq!(judged(&policy, "::ffff:8.8.8.8"), Err(Kind::Refused));
        assert_eq!(judged(&policy, "10.21.0.1"), Err(Kind::Private));
        assert_eq!(judged(&public(&["169.254.0.0/16"], &[]), "169.254.169.254"), Err(Kind::Metadata));
        assert_eq!(judged(&public(&["169.254.169.254"], &[]), "169.254.169.254"), Ok(()));
        assert_eq!(judged(&EgressPolicy::Open, "127.0.0.1"), Ok(()));
    }

    #[test]
    fn hosts_of_the_installation_are_trusted() {
        let hosts = vec!["minio.storage.svc".parse().unwrap(), ".school.example".parse().unwrap()];
        let policy = EgressPolicy::Public { allow: Vec::new(), hosts, refuse: Vec::new() };
        for host in ["minio.storage.svc", "MinIO.storage.svc.", "a.school.example", "a.b.school.example"] {
            assert!(policy.trusts(host), "{host}");
        }
        for host in ["school.example", "x.minio.storage.svc", "notschool.example", "10.0.0.1"] {
            assert!(!policy.trusts(host), "{host}");
        }
        for wrong in ["", ".", "a..b", "10.0.0.1", "http://a", "a/b"] {
            assert!(wrong.parse::<HostPattern>().is_err(), "{wrong}");
        }
    }

    #[test]
    fn a_policy_is_read_back_and_what_is_no_network_is_refused() {
        let policy = public(&["10.20.5.0/16", "::1"], &[]);
        let text = serde_json::to_string(&policy).unwrap();
        assert_eq!(text, r#"{"public":{"allow":["10.20.0.0/16","::1/128"],"hosts":[],"refuse":[]}}"#);
        assert_eq!(serde_json::from_str::<EgressPolicy>(&text).unwrap(), policy);
        for wrong in ["", "10.0.0.0/33", "school.example", "10.0.0"] {
            assert!(wrong.parse::<Network>().is_err(), "{wrong}");
        }
    }
}
