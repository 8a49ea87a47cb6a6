//! What a refusal of VOD means: whether to try again, and what a person has to do.
//! The codes: <https://www.tencentcloud.com/document/product/266/34188>.

use std::io;

use super::api::{Action, CommitUpload};
use crate::store::keys::BadKeys;
use crate::store::persist::Passing;
use crate::store::shortened;

/// Why nothing more can be done without somebody's help.
#[derive(Debug, thiserror::Error)]
pub enum VodError {
    #[error("VOD does not take these credentials ({said}); mend them and publish again")]
    Credentials { said: String },
    #[error("these credentials may not do {action} in VOD ({said}); allow it and publish again")]
    Denied { action: &'static str, said: String },
    #[error("VOD is not active for this account ({said}); activate it and publish again")]
    Inactive { said: String },
    #[error("this machine's clock and VOD's differ too much ({said}); set it right and publish again")]
    Clock { said: String },
    #[error("VOD does not know the upload any more ({said}); publish again")]
    NoSession { said: String },
    #[error("the store of VOD does not take the keys that VOD gave for it ({said}); publish again")]
    Certificate { said: String },
    #[error("VOD's keys end before everything is sent, again and again; publish again where the network is faster")]
    TooSlow,
    #[error("VOD refuses {action} ({said}); mend what it names and publish again")]
    Refused { action: &'static str, said: String },
    #[error("{host} could not be reached within {seconds} s ({said}); publish again once it can")]
    Unreachable { host: String, seconds: u64, said: String },
    #[error("what VOD answers to {action} cannot be used: {why}")]
    Answer { action: &'static str, why: &'static str },
    #[error(transparent)]
    CredentialsFile(#[from] BadKeys),
    #[error("{0} is no address of VOD; name one like https://vod.tencentcloudapi.com")]
    Endpoint(String),
    #[error("the client for VOD cannot be made: {0}")]
    Client(String),
    #[error("cannot wait for VOD: {0}")]
    Runtime(io::Error),
}

/// What a failed request means.
#[derive(Debug)]
pub(super) enum Fault {
    /// The same may succeed a little later.
    Transient(String),
    Permanent(VodError),
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
    /// By the code of an answer's error.
    pub(super) fn of(action: &'static str, status: u16, code: &str, said: &str) -> Fault {
        let said = shortened(said);
        let (family, rest) = code.split_once('.').unwrap_or((code, ""));
        Fault::Permanent(match (family, rest) {
            ("RequestLimitExceeded" | "InternalError" | "ServiceUnavailable", _)
            | ("FailedOperation", "NetWorkError" | "DBError") => return Fault::Transient(said),
            _ if matches!(status, 408 | 429 | 500..=599) => return Fault::Transient(said),
            ("AuthFailure", "SignatureExpire") => VodError::Clock { said },
            ("AuthFailure", "UnauthorizedOperation")
            | ("UnauthorizedOperation" | "OperationDenied" | "IpNotInWhitelist" | "IpInBlacklist", _) => {
                VodError::Denied { action, said }
            }
            ("AuthFailure", _) => VodError::Credentials { said },
            ("FailedOperation", "InvalidVodUser" | "InvalidAccount" | "UserStatusInavlid") => {
                VodError::Inactive { said }
            }
            ("InvalidParameterValue", "VodSessionKey") => VodError::NoSession { said },
            ("ResourceNotFound", _) if action == CommitUpload::NAME => VodError::NoSession { said },
            _ => VodError::Refused { action, said },
        })
    }

    /// By the status of an answer that is not VOD's own.
    pub(super) fn of_status(action: &'static str, status: u16) -> Fault {
        let said = format!("HTTP status {status}");
        match status {
            408 | 429 | 500..=599 => Fault::Transient(said),
            _ => Fault::Permanent(VodError::Refused { action, said }),
        }
    }
}

impl From<VodError> for Fault {
    fn from(error: VodError) -> Fault {
        Fault::Permanent(error)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_may_pass_is_tried_again_and_the_rest_is_told() {
        let fault = |status, code| Fault::of("CommitUpload", status, code, code);
        for (status, code) in [
            (200, "RequestLimitExceeded"),
            (200, "RequestLimitExceeded.UinLimitExceeded"),
            (200, "InternalError"),
            (200, "InternalError.DBError"),
            (200, "FailedOperation.NetWorkError"),
            (503, "Whatever"),
        ] {
            assert!(matches!(fault(status, code), Fault::Transient(_)), "{status} {code}");
        }
        for (code, says) in [
            ("AuthFailure.SignatureFailure", "does not take these credentials (AuthFailure.SignatureFailure); mend"),
            ("AuthFailure.SecretIdNotFound", "does not take these credentials"),
            ("AuthFailure.TokenFailure", "does not take these credentials"),
            ("AuthFailure.SignatureExpire", "clock"),
            ("AuthFailure.UnauthorizedOperation", "may not do CommitUpload"),
            ("UnauthorizedOperation", "may not do CommitUpload"),
            ("FailedOperation.InvalidVodUser", "not active"),
            ("InvalidParameterValue.VodSessionKey", "does not know the upload"),
            ("ResourceNotFound", "does not know the upload"),
            ("InvalidParameterValue.SubAppId", "refuses CommitUpload"),
            ("FailedOperation", "refuses CommitUpload"),
            ("LimitExceeded", "refuses CommitUpload"),
        ] {
            let Fault::Permanent(error) = fault(200, code) else { panic!("{code}") };
            assert!(error.to_string().contains(says), "{error}");
        }
        assert!(matches!(Fault::of_status("ApplyUpload", 502), Fault::Transient(_)));
        assert!(matches!(Fault::of_status("ApplyUpload", 302), Fault::Permanent(VodError::Refused { .. })));
        let Fault::Permanent(error) = Fault::of("ApplyUpload", 200, "X", &"é".repeat(1000)) else { panic!() };
        assert!(error.to_string().chars().count() < 400);
    }
}
