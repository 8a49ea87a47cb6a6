//! Clients of the Action API as they are run: the samples of docs/samples, and `panorec action`. What they sign is
//! judged by the gateway's own verifier, and by a real `panorec serve`.

mod listener;
mod programs;
mod retried;
mod served;
mod signed;

/// The credentials of the document's samples.
const KEY_ID: &str = "APIDLIA6tMfqsinsadaaaaaaaapHLkQ1z0kO5n5P";
const SECRET: &str = "Dc44ACV2Da3Gm9JVaaaaaaaaumYRI4CZfVG8Qiuv";

#[track_caller]
fn says(said: &str, words: &str) {
    assert!(said.contains(words), "{said:?} does not say {words:?}");
}
