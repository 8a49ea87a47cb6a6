//! The signature of Tencent Cloud's API, version 3: TC3-HMAC-SHA256. Pure.
//! Source: <https://www.tencentcloud.com/document/product/267/37447>.

use hmac::{Hmac, KeyInit, Mac};
use jiff::Timestamp;
use sha2::{Digest, Sha256};

use crate::store::hex;

const ALGORITHM: &str = "TC3-HMAC-SHA256";

/// What is signed of a POST to `/` without a query.
pub(super) struct Signed<'a> {
    pub service: &'a str,
    /// Names in small letters, in their order, and values as they are sent. `content-type` and `host` at least.
    pub headers: &'a [(&'a str, &'a str)],
    pub body: &'a [u8],
    /// What the request has as X-TC-Timestamp, in seconds.
    pub at: Timestamp,
}

impl Signed<'_> {
    /// The value of the header Authorization.
    pub(super) fn authorization(&self, secret_id: &str, secret_key: &str) -> String {
        let names = self.headers.iter().map(|(name, _)| *name).collect::<Vec<_>>().join(";");
        let date = self.at.strftime("%Y-%m-%d").to_string();
        let scope = format!("{date}/{}/tc3_request", self.service);
        let asked = hex(&Sha256::digest(self.canonical(&names)));
        let to_sign = format!("{ALGORITHM}\n{}\n{scope}\n{asked}", self.at.as_second());
        let key = [&date, self.service, "tc3_request"]
            .into_iter()
            .fold(format!("TC3{secret_key}").into_bytes(), |key, of| mac(&key, of.as_bytes()));
        let signature = hex(&mac(&key, to_sign.as_bytes()));
        format!("{ALGORITHM} Credential={secret_id}/{scope}, SignedHeaders={names}, Signature={signature}")
    }

    fn canonical(&self, names: &str) -> String {
        let header = |(name, value): &(&str, &str)| format!("{name}:{}\n", value.trim().to_lowercase());
        let headers: String = self.headers.iter().map(header).collect();
        format!("POST\n/\n\n{headers}\n{names}\n{}", hex(&Sha256::digest(self.body)))
    }
}

fn mac(key: &[u8], text: &[u8]) -> Vec<u8> {
    // HMAC takes keys of any length (RFC 2104).
    let Ok(mut mac) = Hmac::<Sha256>::new_from_slice(key) else { return Vec::new() };
    mac.update(text);
    mac.finalize().into_bytes().to_vec()
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The example of Tencent Cloud's documentation.
    #[test]
    fn the_published_vector_is_met() {
        let signed = Signed {
            service: "cvm",
            headers: &[("content-type", "application/json; charset=utf-8"), ("host", "cvm.tencentcloudapi.com")],
            body: br#"{"Limit": 1, "Filters": [{"Values": ["\u672a\u547d\u540d"], "Name": "instance-name"}]}"#,
            at: Timestamp::from_second(1_551_113_065).unwrap(),
        };
        assert_eq!(
            signed.authorization("AKIDz8krbsJ5yKBZQpn74WFkmLPx3EXAMPLE", "Gu5t9xGARNpq86cd98joQYCN3EXAMPLE"),
            "TC3-HMAC-SHA256 Credential=AKIDz8krbsJ5yKBZQpn74WFkmLPx3EXAMPLE/2019-02-25/cvm/tc3_request, \
             SignedHeaders=content-type;host, \
             Signature=72e494ea809ad7a8c8f7a4507b9bddcbaa8e581f516e8da2f66e2c5a96525168"
        );
    }

    #[test]
    fn values_are_signed_in_small_letters_and_the_date_is_that_of_utc() {
        let signed = |action, at: &str| Signed {
            service: "vod",
            headers: &[("content-type", "application/json"), ("host", "h")],
            body: b"{}",
            at: at.parse().unwrap_or_else(|_| panic!("{action}")),
        };
        let late = signed("late", "2026-11-22T23:59:59Z").authorization("id", "key");
        assert!(late.contains("id/2026-11-22/vod/tc3_request"), "{late}");
        let headers = [("x-tc-action", " ApplyUpload ")];
        let shouted = Signed { headers: &headers, ..signed("", "2026-11-22T23:59:59Z") };
        assert!(shouted.canonical("x-tc-action").contains("\nx-tc-action:applyupload\n\nx-tc-action\n"));
    }
}
