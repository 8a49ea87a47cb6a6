//! A text that is nobody else's business.

/// A secret text. It can neither be printed nor be serialized, so that it ends up in no log and no answer.
#[derive(Clone)]
pub struct Secret(String);

impl Secret {
    pub fn new(text: String) -> Secret {
        Secret(text)
    }

    /// The text itself: for a MAC, or for the store of secrets.
    pub fn expose(&self) -> &str {
        &self.0
    }
}
