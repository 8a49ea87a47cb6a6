//! From real parts to finished files and their delivery, checked with the real FFmpeg.

#[path = "../support/mod.rs"]
mod support;

mod hls;
mod live;
mod mp4;
mod parts;
mod refused;
mod room;
mod whole;
