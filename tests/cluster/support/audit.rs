//! What the operator's account wrote, as the API server's audit log has it.

use serde_json::Value;

use super::cluster::given;

/// Every write of the operator's account in this namespace, leases left out, as `verb resource`.
pub fn writes(namespace: &str) -> Vec<String> {
    let log = std::fs::read_to_string(given("PANOREC_TEST_AUDIT")).expect("the audit log");
    let account = format!("system:serviceaccount:{namespace}:panorec-operator");
    log.lines()
        .filter_map(|line| serde_json::from_str::<Value>(line).ok())
        .filter(|entry| entry["user"]["username"] == account.as_str() && entry["stage"] == "ResponseComplete")
        .filter_map(|entry| {
            let verb = entry["verb"].as_str()?;
            let object = &entry["objectRef"];
            let resource = object["resource"].as_str()?;
            let written = matches!(verb, "create" | "update" | "patch" | "delete") && resource != "leases";
            let sub = object["subresource"].as_str().map_or(String::new(), |sub| format!("/{sub}"));
            let code = &entry["responseStatus"]["code"];
            (written && sub != "/proxy").then(|| format!("{verb} {resource}{sub} {code}"))
        })
        .collect()
}
