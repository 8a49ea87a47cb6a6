//! The X display of a recording: an Xorg dummy screen of exactly the asked size, or Xvfb.
//! Called by converge. Hands out the address and the cookie; capture and Chrome connect by it.
//! Never: shares a display between recordings, or records in a size that nobody asked for.

mod mode;
mod server;

pub use mode::Mode;
pub use server::{Display, DisplayError};
