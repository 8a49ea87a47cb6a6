//! Chrome: started with arguments of our own, in its sandbox, with one page that fills the
//! display. Called by converge; what happens to the page comes back as events.
//! Never: weakens certificates or the sandbox unasked, keeps a profile beyond the recording, or
//! trusts what the page says.

mod args;
mod delay;
mod error;
mod launch;
mod load;
mod login;
mod page;
mod preferences;
mod renderers;
mod sign_in;

pub use error::{BrowserError, LoadError};
pub use launch::{Browser, OpenPage, Setup};
pub use login::{Login, LoginError};
pub use page::{Answer, BrowserEvent, PageCall};
pub use renderers::{end_busiest_renderer, end_largest_renderer, largest_renderer_bytes};
