//! The recorder: Chrome on a display of its own, its sound, the capture of both, the encoder, and
//! the loop that follows the intent. Called by local.
//! Never: knows a destination, a credential or Kubernetes; writes outside its half of the session.

pub mod browser;
pub mod capture;
mod child;
mod clock;
pub mod control;
mod converge;
pub mod display;
pub mod encoder;
mod files;
mod identity;
mod processes;
pub mod sound;
mod workplace;

pub use converge::run;
