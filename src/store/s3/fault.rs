//! What a store's refusal means: whether to try again, and what a person has to do.

use std::io;

use aws_sdk_s3::config::http::HttpResponse;
use aws_sdk_s3::error::{ProvideErrorMetadata, SdkError};

use crate::egress::EgressError;
use crate::session::request::S3Destination;
use crate::store::keys::BadKeys;
use crate::store::persist::Passing;
use crate::store::shortened;

/// Why nothing more can be done without somebody's help.
#[derive(Debug, thiserror::Error)]
pub enum S3Error {
    #[error("the store has no bucket {bucket}; create it, or name another one, and publish again")]
    NoBucket { bucket: String },
    #[error("the store does not take these credentials ({said}); mend them and publish again")]
    Credentials { said: String },
    #[error("these credentials may not write to the bucket {bucket} ({said}); allow it and publish again")]
    Denied { bucket: String, said: String },
    #[error("the bucket {bucket} is in another region, or has another address ({said}); mend that and publish again")]
    Elsewhere { bucket: String, said: String },
    #[error("this machine's clock and the store's differ too much ({said}); set it right and publish again")]
    Clock { said: String },
    #[error("the store refuses the file ({said})")]
    Refused { said: String },
    #[error("{store} could not be reached within {seconds} s ({said}); publish again once it can")]
    Unreachable { store: String, seconds: u64, said: String },
    #[error("the store has {there} bytes of {key} where {sent} were sent; publish again")]
    Differs { key: String, there: i64, sent: u64 },
    #[error(
        "no credentials were found ({said}); set AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY, or name a credentials file"
    )]
    NoCredentials { said: String },
    #[error(transparent)]
    CredentialsFile(#[from] BadKeys),
    #[error("the bucket's region is not known; name it, or the store's address")]
    NoRegion,
    #[error("the URL cannot be signed: {0}")]
    Presigning(String),
    #[error("the file has {size_bytes} bytes, more than a store takes")]
    TooLarge { size_bytes: u64 },
    #[error("cannot wait for the store: {0}")]
    Runtime(io::Error),
    #[error(transparent)]
    Egress(#[from] EgressError),
    #[error("{said}; name another store, or have the installation allow it, and publish again")]
    NotAllowed { said: String },
}

/// What a failed request means.
#[derive(Debug)]
pub(super) enum Fault {
    /// The same may succeed a little later.
    Transient(String),
    /// The multipart upload is not there: aborted, expired, or completed.
    NoSuchUpload,
    Permanent(S3Error),
}

impl Passing for Fault {
    fn passing(self) -> Result<String, Fault> {
        match self {
            Fault::Transient(said) => Ok(said),
            other => Err(other),
        }
    }
}

impl Fault {
    pub(super) fn of<E>(error: SdkError<E, HttpResponse>, destination: &S3Destination) -> Fault
    where
        E: ProvideErrorMetadata + std::error::Error + Send + Sync + 'static,
    {
        let response = match &error {
            SdkError::ServiceError(service) => service,
            _ => {
                if let Some(refused @ EgressError::Refused { .. }) = egress(&error) {
                    return Fault::Permanent(S3Error::NotAllowed { said: refused.to_string() });
                }
                let said = told(&error);
                // The SDK has no kind of its own for it.
                if said.contains("credentials") {
                    return Fault::Permanent(S3Error::NoCredentials { said });
                }
                return Fault::Transient(said);
            }
        };
        let status = response.raw().status().as_u16();
        let code = response.err().code().unwrap_or_default();
        let message = response.err().message().unwrap_or_default();
        let said = match (code, message) {
            ("", "") => format!("HTTP status {status}"),
            (code, "") => code.to_owned(),
            (code, message) => shortened(&format!("{code}: {message}")),
        };
        kind(status, code, said, destination.bucket.to_string())
    }
}

fn kind(status: u16, code: &str, said: String, bucket: String) -> Fault {
    Fault::Permanent(match (code, status) {
        ("NoSuchUpload", _) => return Fault::NoSuchUpload,
        (
            "SlowDown" | "RequestTimeout" | "InternalError" | "ServiceUnavailable" | "OperationAborted" | "BadDigest",
            _,
        )
        | (_, 408 | 429 | 500..=599) => return Fault::Transient(said),
        ("NoSuchBucket", _) | ("", 404) | ("NotFound", 404) => S3Error::NoBucket { bucket },
        ("InvalidAccessKeyId" | "SignatureDoesNotMatch" | "ExpiredToken" | "InvalidToken" | "AuthFailure", _)
        | (_, 401) => S3Error::Credentials { said },
        ("RequestTimeTooSkewed", _) => S3Error::Clock { said },
        // COS's word for a signature whose time is over: ours are made for each try.
        ("AccessDenied", _) if said.contains("expired") => S3Error::Clock { said },
        ("PermanentRedirect" | "AuthorizationHeaderMalformed" | "TemporaryRedirect", _) | (_, 301 | 307) => {
            S3Error::Elsewhere { bucket, said }
        }
        (_, 403) => S3Error::Denied { bucket, said },
        _ => S3Error::Refused { said },
    })
}

/// The refusal of an address behind an error, if that is what it was.
fn egress<'a>(error: &'a (dyn std::error::Error + 'static)) -> Option<&'a EgressError> {
    std::iter::successors(Some(error), |error| error.source()).find_map(|error| error.downcast_ref())
}

/// An error and what is behind it, without the SDK's dump of it all.
fn told(error: &(dyn std::error::Error + 'static)) -> String {
    let all = std::iter::successors(Some(error), |error| error.source());
    shortened(&all.map(ToString::to_string).collect::<Vec<_>>().join(": "))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_may_pass_is_tried_again_and_the_rest_is_told() {
        let fault = |status, code| kind(status, code, code.to_owned(), "lessons".to_owned());
        for (status, code) in [(503, "SlowDown"), (500, ""), (429, ""), (400, "RequestTimeout"), (400, "BadDigest")] {
            assert!(matches!(fault(status, code), Fault::Transient(_)), "{status} {code}");
        }
        assert!(matches!(fault(404, "NoSuchUpload"), Fault::NoSuchUpload));
        let expired = kind(403, "AccessDenied", "AccessDenied: Request has expired".to_owned(), "lessons".to_owned());
        assert!(matches!(expired, Fault::Permanent(S3Error::Clock { .. })), "{expired:?}");
        for (status, code, says) in [
            (404, "NoSuchBucket", "no bucket lessons"),
            (403, "SignatureDoesNotMatch", "credentials"),
            (403, "AccessDenied", "may not write"),
            (403, "RequestTimeTooSkewed", "clock"),
            (301, "PermanentRedirect", "region"),
            (400, "EntityTooLarge", "refuses the file"),
        ] {
            let Fault::Permanent(error) = fault(status, code) else { panic!("{status} {code}") };
            assert!(error.to_string().contains(says), "{error}");
        }
    }
}
