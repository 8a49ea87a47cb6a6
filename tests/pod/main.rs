//! A recorder pod.
