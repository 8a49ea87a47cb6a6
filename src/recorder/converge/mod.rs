//! The loop that makes the recording follow its intent: starts and replaces display, sound,
//! Chrome and encoder, and journals each change before it takes effect.
//! Called by `recorder::run`. Never: touches media, or waits without a deadline.

mod delay;
mod edges;
mod encoding;
mod limits;
mod memory;
mod notes;
mod recovery;
mod run;
mod stage;
mod steer;
mod stuck;
mod usage;

pub use run::run;
