//! What pages do to a browser when a person clicks, and that none of it is in the way.

use std::thread::sleep;
use std::time::Duration;

use serde_json::Value;

use crate::support::click::click;
use crate::support::{Checks, Server, Take, judged};

/// Records a page that does something at the first click; clicks after two seconds.
fn record_with_click(checks: &mut Checks, page: &str) -> Value {
    let server = Server::start();
    // By its name, for a page on a number is refused a security key without being asked.
    let url = server.url(page).replace("127.0.0.1", "localhost");
    let take = Take::begin_at(server, &url, "");
    sleep(Duration::from_secs(2));
    click(&take.run, 900, 600);
    sleep(Duration::from_secs(5));
    let (ended, report) = take.stop(checks);
    checks.that("no gap", ended.json["gaps"]["count"] == 0, &ended.json["gaps"]);
    report
}

fn judge_page(checks: &mut Checks, report: &Value, freeze_ms: f64) {
    let steps = report["steps"].as_array().cloned().unwrap_or_default();
    let clicked = steps.last().is_some_and(|step| step["step"] == 2);
    checks.that("the click arrived and its work is done", clicked, &report["steps"]);
    checks.at_least("cells readable", &report["clock"]["readable_share"], 0.98);
    checks.at_most("longest freeze in ms", &report["clock"]["longest_freeze_ms"], freeze_ms);
}

#[test]
fn no_bubble_covers_a_page_that_goes_full_screen() {
    judged(|checks| {
        let report = record_with_click(checks, "fullscreen.html");
        judge_page(checks, &report, 500.0);
        crate::clock::edges(checks, &report);
    });
}

#[test]
fn windows_and_tabs_do_not_cover_the_page() {
    judged(|checks| {
        let report = record_with_click(checks, "popup.html");
        judge_page(checks, &report, 500.0);
        checks.that("the page to the end", report["page_seen"] == "window", &report["page_seen"]);
    });
}

#[test]
fn dialogs_are_answered() {
    judged(|checks| {
        let report = record_with_click(checks, "dialog.html");
        judge_page(checks, &report, 1500.0);
    });
}

#[test]
fn what_a_person_would_have_to_choose_is_refused_unseen() {
    judged(|checks| {
        let report = record_with_click(checks, "chooser.html");
        judge_page(checks, &report, 500.0);
        crate::clock::edges(checks, &report);
    });
}
