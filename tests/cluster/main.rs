//! Recordings on a real cluster: a real API server, kubelet, containers, Chrome.
//! `make test-cluster`; with KUBECONFIG and PANOREC_TEST_IMAGE set, on that cluster.

mod basics;
mod chart;
#[path = "../gateway/client.rs"]
mod client;
#[path = "../gateway/conformance.rs"]
mod conformance;
mod delivery;
mod figures;
mod gateway;
#[path = "../pod/http.rs"]
mod http;
mod lifecycle;
#[path = "../media/support/mod.rs"]
#[allow(dead_code, unused_imports)]
mod media;
mod mounts;
mod queue;
mod replicas;
#[path = "../gateway/rest.rs"]
mod rest;
mod standins;
#[path = "../store/server.rs"]
#[allow(dead_code)]
mod store;
mod support;
mod survives;
mod trials;
