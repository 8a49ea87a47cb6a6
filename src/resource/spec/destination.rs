//! Where the finished video goes.

use std::collections::BTreeMap;

use kube::KubeSchema;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::page::SecretRef;

/// Where the video goes: exactly one of these.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, KubeSchema)]
#[x_kube(
    validation = ("[has(self.s3), has(self.vod), has(self.volume)].filter(given, given).size() == 1",
        "spec.output.destination needs exactly one of s3, vod and volume"),
)]
pub struct DestinationSpec {
    /// An object store with the S3 interface.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub s3: Option<S3Spec>,

    /// Tencent Cloud VOD.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub vod: Option<VodSpec>,

    /// The volume that the recording lies on: the video stays there, in
    /// <namespace>/<name>/<uid>/publisher/output/.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub volume: Option<VolumeSpec>,
}

/// The volume that the recording lies on.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct VolumeSpec {}

/// An object store with the S3 interface.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, KubeSchema)]
#[serde(rename_all = "camelCase")]
pub struct S3Spec {
    /// The bucket.
    #[schemars(length(min = 1, max = 255))]
    pub bucket: String,

    /// The region, such as us-east-1 or ap-shanghai. With neither region nor endpoint the bucket is in the
    /// installation's own store.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(min = 1, max = 64))]
    pub region: Option<String>,

    /// The store's address when it is not the region's own: an http or https URL.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(min = 1, max = 2048))]
    pub endpoint: Option<String>,

    /// Under what people get the files, for the URL in the result: a host (for https), or an http or https
    /// URL, such as that of a CDN before the bucket. Left out: the store's own URL.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(min = 1, max = 2048))]
    pub public_domain: Option<String>,

    /// Gives a URL in the result that anybody can read the file with for so many seconds, 1 to 604800.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(range(min = 1, max = 604800))]
    pub presign_seconds: Option<u32>,

    /// Where requests have the bucket. Auto: as the store of that address wants it. Path: in the path.
    /// VirtualHosted: in the host's name.
    #[serde(default)]
    pub addressing: AddressingSpec,

    /// How requests are signed. SigV4: as AWS has it, which all stores know. Cos: as Tencent COS has it, where
    /// it refuses the other one.
    #[serde(default)]
    pub signature: SignatureSpec,

    /// Metadata of the files, by name.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    #[schemars(extend("maxProperties" = 32))]
    pub metadata: BTreeMap<String, String>,

    /// Tags of the files, by name; at most 10.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    #[schemars(extend("maxProperties" = 10))]
    pub tags: BTreeMap<String, String>,

    /// How the store encrypts the files: AES256, aws:kms, or aws:kms:<key>. Left out: as the bucket has it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(min = 1, max = 2048))]
    pub encryption: Option<String>,

    /// The store's storage class for the files, such as STANDARD_IA.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(min = 1, max = 64))]
    #[x_kube(
        validation = ("self.matches('^[A-Za-z0-9_-]+$')", "a storage class consists of letters, digits, '_' and '-'"),
    )]
    pub storage_class: Option<String>,

    /// Seconds for which a store that fails is tried again, 1 to 1209600. What is recorded is kept after
    /// that, too; the annotation panorec.dev/republish tries once more.
    #[serde(default = "deadline_seconds")]
    #[schemars(range(min = 1, max = 1209600))]
    pub deadline_seconds: u32,

    /// The Secret in this namespace whose key `panorec-s3.json` holds the credentials: accessKeyId,
    /// secretAccessKey and perhaps sessionToken. Left out: the installation's, for its own endpoint and the
    /// buckets it allows.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub credentials_secret_ref: Option<SecretRef>,
}

impl S3Spec {
    /// A bucket, and everything else as it is when nobody says it.
    pub fn new(bucket: String) -> S3Spec {
        S3Spec {
            bucket,
            region: None,
            endpoint: None,
            public_domain: None,
            presign_seconds: None,
            addressing: AddressingSpec::default(),
            signature: SignatureSpec::default(),
            metadata: BTreeMap::new(),
            tags: BTreeMap::new(),
            encryption: None,
            storage_class: None,
            deadline_seconds: deadline_seconds(),
            credentials_secret_ref: None,
        }
    }
}

/// An hour.
fn deadline_seconds() -> u32 {
    3_600
}

/// Where requests have the bucket.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub enum AddressingSpec {
    #[default]
    Auto,
    Path,
    VirtualHosted,
}

/// How requests are signed.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub enum SignatureSpec {
    #[default]
    SigV4,
    Cos,
}

/// Tencent Cloud VOD.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, KubeSchema)]
#[serde(rename_all = "camelCase")]
pub struct VodSpec {
    /// The VOD application.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(range(min = 0, max = 9007199254740991i64))]
    pub sub_app_id: Option<u64>,

    /// The name of the media.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(min = 1, max = 255))]
    pub media_name: Option<String>,

    /// When the media is deleted, in ISO 8601.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(min = 1, max = 64))]
    pub expire_time: Option<String>,

    /// The region that the media is stored in.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(min = 1, max = 64))]
    pub storage_region: Option<String>,

    /// The class (category) of the media.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(range(min = 0, max = 9007199254740991i64))]
    pub class_id: Option<u64>,

    /// A text that VOD gives back in its upload callback, at most 250 characters.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = 250))]
    pub source_context: Option<String>,

    /// The task flow that VOD starts after the upload.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = 255))]
    pub procedure: Option<String>,

    /// A text that VOD gives back in the task flow's callback, at most 1000 characters.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = 1000))]
    pub session_context: Option<String>,

    /// The Secret in this namespace whose key `panorec-vod.json` holds the credentials: secretId, secretKey and
    /// perhaps token. It must be named.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub credentials_secret_ref: Option<SecretRef>,
}

impl DestinationSpec {
    /// Leaves the video on the volume.
    pub fn volume() -> DestinationSpec {
        DestinationSpec { volume: Some(VolumeSpec {}), ..DestinationSpec::default() }
    }
}
