//! The session: what the fold promises of any history, and what the folder refuses.

mod events;
mod fold;
mod folder;
mod follow;
mod hostile;
mod story;
mod summary;
mod world;
