//! Real recordings of real pages, measured. See README.md.

mod support;

mod bad_input;
mod clock;
mod content;
mod hls;
mod hostile;
mod kill;
mod kit;
mod login;
mod orphans;
mod outputs;
mod page_calls;
mod pages;
mod pause;
mod resume;
mod sound;
mod video;
mod webrtc;
