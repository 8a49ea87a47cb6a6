//! recorder

pub mod control;
