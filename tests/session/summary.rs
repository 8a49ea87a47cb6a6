//! The last words of a container fit into what Kubernetes keeps of them.

use proptest::prelude::*;

use panorec::session::event::{GapCause, Video};
use panorec::session::fold::Folded;
use panorec::session::intent::By;
use panorec::session::status::{GapItem, Items, PauseItem, Report, StatusResult};
use panorec::session::summary::{TERMINATION_MESSAGE_BYTES, summary};

fn any_text() -> impl Strategy<Value = String> {
    prop_oneof![".{0,20}", "\\PC{0,400}", "[\\x00-\\x1f\"\\\\]{0,700}", Just("é".repeat(4_000))]
}

fn any_report() -> impl Strategy<Value = Report> {
    let video = (any_text(), prop::option::of(any_text()), prop::option::of(any_text())).prop_map(
        |(filename, url, file_id)| Video { filename, size_bytes: u64::MAX, duration_seconds: 12.5, url, file_id },
    );
    let result = (prop::option::of(any_text()), prop::option::of(any_text()), prop::collection::vec(video, 0..5))
        .prop_map(|(error_code, error_message, videos)| StatusResult { error_code, error_message, videos });
    let texts = (prop::option::of(any_text()), prop::option::of(any_text()), prop::collection::vec(any_text(), 0..40));
    (prop::option::of(result), texts, 0..500usize, 0..500usize, "[a-z]{253}").prop_map(
        |(result, (version, republish, warnings), pauses, gaps, task)| {
            let mut report = Report::of(task.parse().unwrap(), &Folded::default(), Items::All);
            report.status.result = result;
            report.status.recorder.browser_version = version;
            report.republish = republish;
            report.warnings = serde_json::from_value(serde_json::json!(warnings)).unwrap();
            report.status.pauses.count = pauses;
            report.status.pauses.items =
                vec![PauseItem { at_seconds: 1234.567, seconds: 8.9, by: By::Keyboard }; pauses];
            report.status.gaps.count = gaps;
            report.status.gaps.items =
                vec![GapItem { at_seconds: 1234.567, lost_seconds: 8.9, cause: GapCause::RendererDied }; gaps];
            report
        },
    )
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]
    #[test]
    fn a_summary_fits_and_reads_back(report in any_report()) {
        let text = summary(report.clone()).unwrap();
        prop_assert!(text.len() <= TERMINATION_MESSAGE_BYTES, "{} bytes", text.len());
        let read: Report = serde_json::from_str(&text).unwrap();
        prop_assert_eq!(&read.task_id, &report.task_id);
        prop_assert_eq!(read.status.pauses.count, report.status.pauses.count);
        if serde_json::to_string(&report).unwrap().len() <= TERMINATION_MESSAGE_BYTES {
            prop_assert_eq!(read, report);
        }
    }
}

#[test]
fn lists_go_before_warnings_and_these_before_the_error() {
    let mut report = Report::of("lesson".parse().unwrap(), &Folded::default(), Items::All);
    report.status.pauses.items = vec![PauseItem { at_seconds: 1.5, seconds: 2.5, by: By::Page }; 500];
    report.warnings = serde_json::from_value(serde_json::json!(["a thing to know"])).unwrap();
    let read: Report = serde_json::from_str(&summary(report.clone()).unwrap()).unwrap();
    assert!(read.status.pauses.truncated && !read.status.pauses.items.is_empty());
    assert_eq!(read.warnings, report.warnings);

    report.status.result = Some(StatusResult {
        error_code: Some("InternalErr".into()),
        error_message: Some("x".repeat(2_000)),
        videos: Vec::new(),
    });
    let warnings: Vec<String> = (0..30).map(|n| format!("{n} {}", "y".repeat(200))).collect();
    report.warnings = serde_json::from_value(serde_json::json!(warnings)).unwrap();
    let read: Report = serde_json::from_str(&summary(report.clone()).unwrap()).unwrap();
    assert!(read.status.pauses.items.is_empty());
    assert!(read.warnings.iter().count() < 30);
    assert_eq!(read.warnings.iter().last(), warnings.last().map(String::as_str));
    assert_eq!(read.status.result, report.status.result);
}
