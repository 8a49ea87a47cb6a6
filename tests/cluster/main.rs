//! Recordings on a real cluster: a real API server, kubelet, containers, Chrome.
//! `make test-cluster`; with KUBECONFIG and PANOREC_TEST_IMAGE set, on that cluster.

mod basics;
#[path = "../media/support/mod.rs"]
#[allow(dead_code)]
mod media;
mod support;
