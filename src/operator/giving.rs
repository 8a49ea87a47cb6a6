//! What the installation gives to recordings and lets them reach: the operator's arguments for stores and addresses.

use clap::Args;
use url::Url;

use crate::complaint::Complaint;
use crate::egress::{EgressArgs, EgressPolicy};
use crate::resource::spec::DestinationSpec;
use crate::resource::{BucketPattern, Installation, OwnCredentials, OwnStore};

#[derive(Debug, Default, Args)]
#[command(next_help_heading = "Stores and addresses")]
pub struct GivingArgs {
    /// Where videos go that name no destination: JSON as in spec.output.destination [default: {"volume":{}}]
    #[arg(long, value_name = "JSON", env = "PANOREC_DESTINATION")]
    destination: Option<String>,
    /// The address of the installation's own store [default: that of AWS in its region]
    #[arg(long, value_name = "URL", env = "PANOREC_S3_ENDPOINT")]
    s3_endpoint: Option<Url>,
    /// The region of the installation's own store
    #[arg(long, value_name = "NAME", env = "PANOREC_S3_REGION")]
    s3_region: Option<String>,
    /// The buckets of the own store that recordings may name without credentials of their own, such as
    /// lessons,class-*
    #[arg(long, value_name = "BUCKETS", env = "PANOREC_S3_BUCKETS", value_delimiter = ',')]
    s3_buckets: Vec<BucketPattern>,
    /// The Secret in the namespace of each recording whose key panorec-s3.json has the credentials for them
    #[arg(long, value_name = "NAME", env = "PANOREC_S3_SECRET", conflicts_with = "s3_ambient")]
    s3_secret: Option<String>,
    /// Use the pods' web identity, or the role of their nodes, for them
    #[arg(long, env = "PANOREC_S3_AMBIENT")]
    s3_ambient: bool,
    #[command(flatten)]
    egress: EgressArgs,
}

impl GivingArgs {
    /// What pages may reach.
    pub(super) fn page_egress(&self) -> EgressPolicy {
        self.egress.page_policy()
    }

    /// What is given, and what stores and callbacks may reach.
    ///
    /// # Errors
    /// What does not fit together.
    pub(super) fn checked(self) -> Result<(Installation, EgressPolicy), Complaint> {
        let egress = self.egress.policy(&self.s3_endpoint);
        let credentials = match (self.s3_secret, self.s3_ambient) {
            (Some(secret), _) => Some(OwnCredentials::Secret(secret)),
            (None, true) => Some(OwnCredentials::Ambient),
            (None, false) => None,
        };
        let store = match credentials {
            Some(_) if self.s3_buckets.is_empty() => {
                return Err(Complaint::usage("say by --s3-buckets which buckets the store's credentials are for"));
            }
            Some(credentials) => Some(OwnStore {
                endpoint: self.s3_endpoint,
                region: self.s3_region,
                buckets: self.s3_buckets,
                credentials,
            }),
            None if self.s3_endpoint.is_some() || !self.s3_buckets.is_empty() => {
                return Err(Complaint::usage(
                    "the installation's store needs credentials; name their Secret by --s3-secret, or say --s3-ambient",
                ));
            }
            None => None,
        };
        let destination = self.destination.as_deref().filter(|text| !text.trim().is_empty());
        let destination: DestinationSpec = match destination.map(serde_json::from_str).transpose() {
            Ok(given) => given.unwrap_or_else(DestinationSpec::volume),
            Err(error) => return Err(Complaint::usage(format!("--destination is not what is expected: {error}"))),
        };
        let installation = Installation { destination, store };
        installation.check().map_err(|rejection| Complaint::usage(format!("--destination: {rejection}")))?;
        Ok((installation, egress))
    }
}

#[cfg(test)]
mod tests {
    use clap::Parser;

    use super::*;

    #[derive(Parser)]
    struct Command {
        #[command(flatten)]
        giving: GivingArgs,
    }

    fn checked(args: &[&str]) -> Result<(Installation, EgressPolicy), String> {
        let parsed = Command::try_parse_from([&["operator"], args].concat()).map_err(|error| error.to_string())?;
        parsed.giving.checked().map_err(|complaint| complaint.to_string())
    }

    #[test]
    fn nothing_given_is_the_volume_and_public_addresses() {
        let (installation, egress) = checked(&[]).unwrap();
        assert_eq!(installation, Installation::default());
        assert_eq!(egress, EgressPolicy::Public { allow: Vec::new(), hosts: Vec::new(), refuse: Vec::new() });
    }

    #[test]
    fn the_own_store_is_reached_wherever_it_stands() {
        let store =
            ["--s3-secret=store", "--s3-buckets=lessons,class-*", "--s3-endpoint=http://minio.storage.svc:9000"];
        let default = r#"--destination={"s3":{"bucket":"class-1"}}"#;
        let (installation, egress) =
            checked(&[&store[..], &[default, "--egress-allow=10.20.0.0/16,.school.example"]].concat()).unwrap();
        assert_eq!(installation.store.unwrap().buckets.len(), 2);
        for host in ["minio.storage.svc", "lessons.minio.storage.svc", "a.school.example"] {
            assert!(egress.trusts(host), "{host}");
        }
        egress.judge("10.20.1.1".parse().unwrap()).unwrap();
        egress.judge("10.21.1.1".parse().unwrap()).unwrap_err();
    }

    #[test]
    fn what_does_not_fit_together_is_said() {
        for (args, says) in [
            (&["--s3-secret=store"][..], "--s3-buckets"),
            (&["--s3-buckets=lessons"], "--s3-secret"),
            (&["--s3-secret=a", "--s3-ambient", "--s3-buckets=b"], "cannot be used with"),
            (&[r#"--destination={"s3":{"bucket":"lessons","region":"eu-west-1"}}"#], "no credentials of its own"),
            (&["--destination={"], "not what is expected"),
            (&["--egress-allow=http://a"], "neither a range"),
            (&["--s3-buckets=Lessons"], "is no bucket"),
        ] {
            let said = checked(args).unwrap_err();
            assert!(said.contains(says), "{said}");
        }
    }
}
