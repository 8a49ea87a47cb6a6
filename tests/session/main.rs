//! The session: what the fold promises of any history, and what the folder refuses.

mod events;
mod fold;
mod folder;
mod hostile;
mod story;
mod world;
