//! The session: events, the fold, phases, intent, and the folder they live in.
//! Called by recorder, publisher and local; the fold is the only state machine there is.
//! Never: starts a process, knows Chrome, FFmpeg or a store, or keeps state outside the folder.

pub mod describe;
pub mod event;
pub mod exit;
pub mod fold;
pub mod folder;
pub mod follow;
pub mod history;
pub mod intent;
pub mod name;
pub mod request;
pub mod status;
pub mod stream;
pub mod summary;
