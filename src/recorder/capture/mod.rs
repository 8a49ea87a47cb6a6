//! Pictures of Chrome's window, taken when something in it changed.
//! Called by converge; gives frames, stamped with the monotonic clock of the grab, to the feed.
//! Never: polls a still picture, shows another window or the pointer, or waits for the encoder.

mod grab;
mod pace;
mod picture;
mod watch;

pub use picture::{Frame, Picture, Pool};
pub use watch::{Capture, CaptureError, CaptureEvent};
