//! How the page is opened, where the recording is kept meanwhile, and who is told of its end.

use kube::KubeSchema;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::destination::S3Spec;

/// How the page is opened.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, KubeSchema)]
#[serde(rename_all = "camelCase")]
pub struct PageSpec {
    /// The User-Agent that Chrome gives instead of its own: one line of at most 1024 characters.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(min = 1, max = 1024))]
    pub user_agent: Option<String>,

    /// A title for the page's document instead of its own: one line of at most 1024 characters.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(min = 1, max = 1024))]
    pub title: Option<String>,

    /// The Secret in this namespace whose key `panorec-login.json` holds the login state for the page:
    /// cookies, headers and local storage. Chrome gets to see it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub login_secret_ref: Option<SecretRef>,
}

/// A Secret in the Recording's namespace. Its keys have fixed names.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, KubeSchema)]
pub struct SecretRef {
    /// The Secret's name.
    #[schemars(length(min = 1, max = 253))]
    #[x_kube(
        validation = ("self.matches('^[a-z0-9]([-a-z0-9.]*[a-z0-9])?$')",
            "the name of a Secret must consist of a-z, 0-9, '-' and '.', with a letter or digit at both ends"),
    )]
    pub name: String,
}

/// Where the recording is kept until its video is finished.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, KubeSchema)]
#[x_kube(
    validation = ("self.type == 'Bucket' || (!has(self.s3) && !self.keep)",
        "spec.intermediate.s3 and spec.intermediate.keep are for the type Bucket"),
)]
pub struct Intermediate {
    /// Volume: in the recording's folder on the installation's shared volume. Bucket: in an object store, in pieces of
    /// 5 seconds or 5 MiB below raw/; no shared volume is needed, and a recording whose node is lost goes on from
    /// there.
    #[serde(default, rename = "type")]
    pub kind: IntermediateType,

    /// The bucket of the pieces; of the same kind as a destination, in which publicDomain and presignSeconds mean
    /// nothing. Left out: that of spec.output.destination.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub s3: Option<S3Spec>,

    /// Leaves the pieces in the bucket once the video is delivered, so that it can be published again.
    #[serde(default)]
    pub keep: bool,
}

/// Where the recording is kept until its video is finished.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub enum IntermediateType {
    #[default]
    Volume,
    Bucket,
}

/// Who is told of the end.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, KubeSchema)]
#[serde(rename_all = "camelCase")]
pub struct Callback {
    /// Where the result is posted as JSON once the recording has ended, well or not: an http or https
    /// URL of at most 8192 characters. Any 2xx is success; a redirect is none and is not followed. When
    /// all tries fail, the Recording is finished nevertheless, with status.result.errorCode
    /// CallbackFailed.
    #[schemars(length(min = 1, max = 8192))]
    #[x_kube(
        validation = ("self.matches('^[hH][tT][tT][pP][sS]?://[^/?#]')",
            "spec.callback.url must be a full URL that begins with http:// or https://"),
    )]
    pub url: String,

    /// Tries in all, 1 to 100.
    #[serde(default = "attempts")]
    #[schemars(range(min = 1, max = 100))]
    pub attempts: u32,

    /// Seconds that a try may take, 1 to 60.
    #[serde(default = "timeout_seconds")]
    #[schemars(range(min = 1, max = 60))]
    pub timeout_seconds: u32,

    /// Seconds between two tries, 1 to 300.
    #[serde(default = "pause_seconds")]
    #[schemars(range(min = 1, max = 300))]
    pub pause_seconds: u32,

    /// The Secret in this namespace whose key `panorec-callback.json` holds the key that the callback is
    /// signed with (signingKey), further headers of it (headers), or both, as JSON.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub secret_ref: Option<SecretRef>,

    /// JSON that the callback hands on as UserData, at most 8192 characters.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(min = 1, max = 8192))]
    pub user_data: Option<String>,
}

impl Callback {
    /// With the Action API's figures.
    pub fn to(url: String) -> Callback {
        let (attempts, timeout_seconds, pause_seconds) = (attempts(), timeout_seconds(), pause_seconds());
        Callback { url, attempts, timeout_seconds, pause_seconds, secret_ref: None, user_data: None }
    }
}

fn attempts() -> u32 {
    5
}

fn timeout_seconds() -> u32 {
    2
}

fn pause_seconds() -> u32 {
    1
}
