//! `panorec serve` over HTTP, with real pages in real Chromes.

#[path = "../gateway/client.rs"]
mod client;
#[path = "../gateway/conformance.rs"]
mod conformance;
mod egress;
mod figures;
mod hold;
mod keys;
mod killed;
mod life;
mod page_egress;
mod place;
mod queue;
#[path = "../gateway/rest.rs"]
mod rest;
#[allow(dead_code, unused_imports)] // this test uses its share
#[path = "../media/support/mod.rs"]
mod support;
mod tls;

use std::collections::HashMap;

use conformance::Pages;
use place::{Place, end};
use support::Server;
use support::server::Answer;

/// All of the suite on one gateway; `validation` first, for it expects that nothing was made before.
#[test]
fn conforms_to_the_action_api() {
    let slow: Answer = Box::new(conformance::slowly());
    let server = Server::with(None, HashMap::from([("/slow".to_owned(), slow)]));
    let pages = Pages { page: server.url("clock.html"), slow_callback: server.url("slow") };
    let place = Place::new(&["--max-recordings", "2"]);
    let run = place.serve();
    let client = place.client();
    conformance::envelope(&client);
    conformance::validation(&client);
    conformance::no_task(&client);
    conformance::lenient(&client, &pages);
    conformance::names(&client, &pages);
    conformance::statuses(&client, &pages);
    conformance::lists(&client, &pages);
    rest::refusals(&client);
    rest::life(&client, &pages);
    rest::around(&client, &client);
    end(run);
}
