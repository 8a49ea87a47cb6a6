//! From the destination of a spec to that of a delivery, and to the Secret that it needs: with the rule of which
//! credentials go where.

use std::path::PathBuf;

use url::{Host, Url};

use super::convert::{Origin, Rejection, reject, web_url};
use super::installation::{Installation, OwnCredentials, OwnStore};
use super::spec::{self, AddressingSpec, DestinationSpec, IntermediateType, OutputSpec, S3Spec, SignatureSpec};
use super::vod;
use crate::session::request::{
    Addressing, BucketName, Credentials, Destination, Intermediate, KeyPrefix, Link, Metadata, RegionName,
    S3Destination, Signature, Tags,
};

/// The credentials of a store, where the pod has them: a key of a Secret.
pub const S3_FILE: &str = "/run/secrets/panorec/s3/panorec-s3.json";

/// The credentials of the bucket that a recording is kept in meanwhile, where the pod has them, if they are others.
pub const INTERMEDIATE_FILE: &str = "/run/secrets/panorec/intermediate/panorec-s3.json";

/// A destination, and the Secret that the publisher needs for it.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Chosen {
    pub destination: Destination,
    /// The Secret to mount for [`S3_FILE`].
    pub s3_secret: Option<String>,
    /// The Secret to mount for [`vod::VOD_FILE`].
    pub vod_secret: Option<String>,
}

/// The one place that says which destinations there are.
pub(super) fn choose(
    output: &OutputSpec,
    origin: Origin<'_>,
    installation: &Installation,
) -> Result<Chosen, Rejection> {
    let spec = output.destination.as_ref().unwrap_or(&installation.destination);
    match spec {
        DestinationSpec { s3: Some(s3), .. } => {
            let prefix = prefix(output, origin)?;
            choose_s3(s3, prefix, installation.store.as_ref())
        }
        DestinationSpec { vod: Some(vod), .. } => vod::choose(vod),
        _ => Ok(Chosen { destination: Destination::Session, s3_secret: None, vod_secret: None }),
    }
}

fn choose_s3(spec: &S3Spec, prefix: KeyPrefix, own: Option<&OwnStore>) -> Result<Chosen, Rejection> {
    let bucket: BucketName = spec.bucket.parse().map_err(reject("spec.output.destination.s3.bucket"))?;
    let field = "spec.output.destination.s3.endpoint";
    let given = spec.endpoint.as_deref().map(|endpoint| web_url(field, endpoint)).transpose()?;
    if let Some(endpoint) = &given
        && (!endpoint.username().is_empty() || endpoint.password().is_some() || endpoint.query().is_some())
    {
        return Err(reject(field)("it must be an address alone, without user, password or query"));
    }
    // Without a place of its own it means the installation's.
    let (endpoint, region) = match own {
        Some(own) if given.is_none() && spec.region.is_none() => (own.endpoint.clone(), own.region.clone()),
        Some(own) if is_same(given.as_ref(), own.endpoint.as_ref()) => {
            (own.endpoint.clone(), spec.region.clone().or_else(|| own.region.clone()))
        }
        _ => (given, spec.region.clone()),
    };
    if endpoint.is_none() && region.is_none() {
        return Err(reject("spec.output.destination.s3.region")("name the bucket's region, or the store's endpoint"));
    }
    let region: Option<RegionName> =
        region.as_deref().map(str::parse).transpose().map_err(reject("spec.output.destination.s3.region"))?;
    let (credentials, s3_secret) = credentials(spec, endpoint.as_ref(), own)?;
    let place = match (&endpoint, &region) {
        // The bucket's number and the region tell the store.
        (None, Some(region)) if !is_of_aws(region.as_str()) => {
            S3Destination::cos(bucket.clone(), region.clone(), credentials.clone()).ok()
        }
        _ => None,
    };
    let place = place.unwrap_or_else(|| S3Destination { region, endpoint, ..S3Destination::new(bucket, credentials) });
    let destination = S3Destination {
        prefix,
        addressing: match spec.addressing {
            AddressingSpec::Auto => place.addressing,
            AddressingSpec::Path => Addressing::Path,
            AddressingSpec::VirtualHosted => Addressing::VirtualHosted,
        },
        signature: match spec.signature {
            SignatureSpec::SigV4 => Signature::SigV4,
            SignatureSpec::Cos => Signature::Cos,
        },
        link: link(spec)?,
        storage_class: spec.storage_class.clone(),
        metadata: spec.metadata.clone().try_into().map_err(reject("spec.output.destination.s3.metadata"))?,
        tags: spec.tags.clone().try_into().map_err(reject("spec.output.destination.s3.tags"))?,
        encryption: spec
            .encryption
            .as_deref()
            .map(str::parse)
            .transpose()
            .map_err(reject("spec.output.destination.s3.encryption"))?,
        deadline_seconds: spec.deadline_seconds.into(),
        ..place
    };
    Ok(Chosen { destination: Destination::S3(Box::new(destination)), s3_secret, vod_secret: None })
}

/// Where the recording is kept meanwhile, if that is a bucket, and the Secret to mount for [`INTERMEDIATE_FILE`].
pub(super) fn intermediate(
    spec: &spec::Intermediate,
    destination: &Destination,
    origin: Origin<'_>,
    installation: &Installation,
) -> Result<Option<(Intermediate, Option<String>)>, Rejection> {
    if spec.kind == IntermediateType::Volume {
        return Ok(None);
    }
    if *destination == Destination::Session {
        return Err(reject("spec.intermediate.type")(
            "without a volume the video cannot stay on it: name a bucket or VOD as spec.output.destination",
        ));
    }
    let prefix: KeyPrefix = format!("raw/{}", own_folder(origin)).parse().map_err(reject("spec.intermediate"))?;
    let (place, secret) = match (&spec.s3, destination) {
        (Some(s3), _) => {
            let beneath = |rejection: Rejection| {
                let name = rejection.field.rsplit('.').next().unwrap_or_default();
                reject("spec.intermediate.s3")(format!("{name}: {}", rejection.why))
            };
            let chosen = choose_s3(s3, prefix, installation.store.as_ref()).map_err(beneath)?;
            let Destination::S3(mut place) = chosen.destination else {
                return Err(reject("spec.intermediate.s3")("it is no bucket"));
            };
            if chosen.s3_secret.is_some() {
                place.credentials = Credentials::File { path: PathBuf::from(INTERMEDIATE_FILE) };
            }
            (place, chosen.s3_secret)
        }
        // What the destination says of its files is not said of pieces that go soon.
        (None, Destination::S3(place)) => {
            let place = S3Destination {
                prefix,
                link: Link::default(),
                storage_class: None,
                metadata: Metadata::default(),
                tags: Tags::default(),
                ..(**place).clone()
            };
            (Box::new(place), None)
        }
        (None, _) => {
            return Err(reject("spec.intermediate.s3")("name the bucket of the pieces: the destination is none"));
        }
    };
    Ok(Some((Intermediate { place, keep: spec.keep }, secret)))
}

/// Whether a region is one of AWS, whose names have a direction and a number, as in eu-west-1.
fn is_of_aws(region: &str) -> bool {
    let mut parts = region.rsplit('-');
    let numbered = parts.next().is_some_and(|number| number.bytes().all(|byte| byte.is_ascii_digit()));
    let directed = parts.next().is_some_and(|part| {
        ["north", "south", "east", "west", "central"].iter().any(|direction| part.starts_with(direction))
    });
    numbered && directed
}

/// The credentials that a Recording names; the installation's only for its own store and the buckets it allows.
fn credentials(
    spec: &S3Spec,
    endpoint: Option<&Url>,
    own: Option<&OwnStore>,
) -> Result<(Credentials, Option<String>), Rejection> {
    let file = || Credentials::File { path: PathBuf::from(S3_FILE) };
    if let Some(secret) = &spec.credentials_secret_ref {
        return Ok((file(), Some(secret.name.clone())));
    }
    let refuse = |why: String| {
        Err(reject("spec.output.destination.s3.credentialsSecretRef")(format!(
            "{why}; name a Secret whose key panorec-s3.json has credentials for this bucket"
        )))
    };
    let Some(own) = own else { return refuse("the installation has no credentials of its own".to_owned()) };
    if !is_same(endpoint, own.endpoint.as_ref()) {
        return refuse("the installation's credentials go to its own store only".to_owned());
    }
    if !own.buckets.iter().any(|pattern| pattern.matches(&spec.bucket)) {
        return refuse(format!("the installation does not allow its credentials for the bucket {}", spec.bucket));
    }
    Ok(match &own.credentials {
        OwnCredentials::Secret(name) => (file(), Some(name.clone())),
        OwnCredentials::Ambient => (Credentials::Chain, None),
    })
}

/// Whether two addresses are of one store. A path is part of it; a '/' at its end is not.
fn is_same(one: Option<&Url>, other: Option<&Url>) -> bool {
    let key = |url: &Url| {
        (
            url.scheme().to_owned(),
            url.host().map(|host: Host<&str>| host.to_owned()),
            url.port_or_known_default(),
            url.path().trim_end_matches('/').to_owned(),
        )
    };
    one.map(key) == other.map(key)
}

fn link(spec: &S3Spec) -> Result<Link, Rejection> {
    match (&spec.public_domain, spec.presign_seconds) {
        (Some(_), Some(_)) => Err(reject("spec.output.destination.s3.presignSeconds")(
            "a URL of publicDomain cannot be signed; leave out one of the two",
        )),
        (None, Some(seconds)) => Ok(Link::Presigned { seconds }),
        (None, None) => Ok(Link::Store),
        (Some(domain), None) => {
            let url = if domain.contains("://") { domain.clone() } else { format!("https://{domain}") };
            Ok(Link::Domain { address: web_url("spec.output.destination.s3.publicDomain", &url)? })
        }
    }
}

/// The folder in the bucket: what was asked for, else one that no other Recording has.
fn prefix(output: &OutputSpec, origin: Origin<'_>) -> Result<KeyPrefix, Rejection> {
    let given = output.directory.trim_end_matches('/');
    let field = "spec.output.directory";
    if !given.is_empty() {
        return given.parse().map_err(reject(field));
    }
    own_folder(origin).parse().map_err(reject(field))
}

/// A folder that no other Recording has.
fn own_folder(origin: Origin<'_>) -> String {
    if uuid::Uuid::try_parse(origin.name).is_ok() {
        return origin.name.to_owned();
    }
    let digits: String = origin.uid.chars().filter(char::is_ascii_hexdigit).take(8).collect();
    format!("{}/{}-{digits}", origin.namespace, origin.name)
}
