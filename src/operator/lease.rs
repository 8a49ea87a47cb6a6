//! Which replica leads: a Lease, guarded by its resourceVersion.
//!
//! How old somebody's renewal is, is judged by how long this process has seen it unchanged, on its
//! own monotonic clock: clocks of machines differ (client-go's leaderelection does the same).

use std::time::Duration;

use jiff::Timestamp;
use k8s_openapi::api::coordination::v1::{Lease, LeaseSpec};
use k8s_openapi::apimachinery::pkg::apis::meta::v1::MicroTime;
use kube::api::{ObjectMeta, PostParams};
use kube::{Api, Client};
use tokio::time::{Instant, timeout};

/// How long a lease is somebody's without being renewed.
const DURATION: Duration = Duration::from_secs(15);
/// A leader that could not renew for so long stops leading, before others take over.
const RENEW_DEADLINE: Duration = Duration::from_secs(10);
/// How often it is renewed, or looked at.
const PERIOD: Duration = Duration::from_secs(2);

/// This replica in the election.
pub struct Election {
    api: Api<Lease>,
    name: String,
    identity: String,
    observed: Option<Observed>,
}

/// Somebody's renewal, and since when it is known.
struct Observed {
    version: Option<String>,
    since: Instant,
}

impl Election {
    pub fn new(client: Client, namespace: &str, name: &str, identity: &str) -> Election {
        Election {
            api: Api::namespaced(client, namespace),
            name: name.to_owned(),
            identity: identity.to_owned(),
            observed: None,
        }
    }

    /// Waits until this replica leads.
    pub async fn won(&mut self) {
        loop {
            match self.step().await {
                Ok(true) => return,
                Ok(false) => {}
                Err(error) => tracing::warn!(%error, "cannot read or write the lease"),
            }
            tokio::time::sleep(PERIOD).await;
        }
    }

    /// Renews the lease; returns when it is lost, or could not be renewed in time.
    pub async fn lost(&mut self) -> Lost {
        let mut renewed = Instant::now();
        loop {
            tokio::time::sleep(PERIOD).await;
            let left = RENEW_DEADLINE.saturating_sub(renewed.elapsed());
            match timeout(left, self.step()).await {
                Ok(Ok(true)) => renewed = Instant::now(),
                Ok(Ok(false)) => return Lost::Taken,
                Ok(Err(error)) => tracing::warn!(%error, "cannot renew the lease"),
                Err(_) => {}
            }
            if renewed.elapsed() >= RENEW_DEADLINE {
                return Lost::NotRenewed;
            }
        }
    }

    /// Gives the lease away, so that another replica need not wait.
    pub async fn release(&self) {
        let given = async {
            let Some(mut lease) = self.api.get_opt(&self.name).await? else { return Ok(()) };
            if holder(&lease) != Some(self.identity.as_str()) {
                return Ok(());
            }
            let spec = lease.spec.get_or_insert_default();
            spec.holder_identity = None;
            self.api.replace(&self.name, &PostParams::default(), &lease).await.map(drop)
        };
        let given: Result<(), kube::Error> = given.await;
        if let Err(error) = given {
            tracing::warn!(%error, "cannot release the lease");
        }
    }

    /// Takes or renews the lease where that is possible; whether it is ours now.
    async fn step(&mut self) -> Result<bool, kube::Error> {
        let Some(lease) = self.api.get_opt(&self.name).await? else {
            let metadata = ObjectMeta { name: Some(self.name.clone()), ..ObjectMeta::default() };
            let lease = Lease { metadata, spec: Some(self.claim(None)) };
            return written(self.api.create(&PostParams::default(), &lease).await);
        };
        if !self.is_free(&lease) {
            return Ok(false);
        }
        let spec = self.claim(lease.spec.as_ref());
        let lease = Lease { spec: Some(spec), metadata: lease.metadata };
        // The resourceVersion in the metadata makes two that try at once differ.
        written(self.api.replace(&self.name, &PostParams::default(), &lease).await)
    }

    /// Whether the lease is ours, nobody's, or has not been renewed for its whole duration.
    fn is_free(&mut self, lease: &Lease) -> bool {
        if holder(lease).is_none_or(|holder| holder == self.identity) {
            return true;
        }
        let version = lease.metadata.resource_version.clone();
        match &self.observed {
            Some(observed) if observed.version == version => observed.since.elapsed() >= DURATION,
            _ => {
                self.observed = Some(Observed { version, since: Instant::now() });
                false
            }
        }
    }

    fn claim(&self, before: Option<&LeaseSpec>) -> LeaseSpec {
        let now = MicroTime(Timestamp::now());
        let ours = before.and_then(|spec| spec.holder_identity.as_deref()) == Some(self.identity.as_str());
        let transitions = before.and_then(|spec| spec.lease_transitions).unwrap_or(0);
        LeaseSpec {
            holder_identity: Some(self.identity.clone()),
            lease_duration_seconds: Some(DURATION.as_secs() as i32),
            acquire_time: before.and_then(|spec| spec.acquire_time.clone()).filter(|_| ours).or(Some(now.clone())),
            renew_time: Some(now),
            lease_transitions: Some(if ours { transitions } else { transitions.saturating_add(1) }),
            ..LeaseSpec::default()
        }
    }
}

/// Why this replica leads no more.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Lost {
    Taken,
    NotRenewed,
}

fn holder(lease: &Lease) -> Option<&str> {
    lease.spec.as_ref()?.holder_identity.as_deref().filter(|holder| !holder.is_empty())
}

/// A conflict means that another one was faster.
fn written(result: Result<Lease, kube::Error>) -> Result<bool, kube::Error> {
    match result {
        Ok(_) => Ok(true),
        Err(kube::Error::Api(status)) if status.code == 409 => Ok(false),
        Err(error) => Err(error),
    }
}
