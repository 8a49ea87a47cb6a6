//! Conditions, as kubectl wait, kstatus and Helm read them.

use jiff::{Timestamp, ToSpan};
use k8s_openapi::apimachinery::pkg::apis::meta::v1::Condition;
use panorec::resource::conditions::{ConditionType, Observed, Reason, Standing, Truth, set, summary};

fn at(seconds: i64) -> Observed {
    let now = Timestamp::from_second(1_700_000_000).unwrap() + seconds.seconds();
    Observed { generation: 3, now: now + 250.milliseconds() }
}

fn status(conditions: &[Condition], kind: ConditionType) -> &str {
    let mut found = conditions.iter().filter(|condition| condition.type_ == kind.as_str());
    let condition = found.next().unwrap();
    assert!(found.next().is_none(), "{kind} twice");
    &condition.status
}

/// As kstatus reads them (sigs.k8s.io/cli-utils, pkg/kstatus/status/generic.go).
fn kstatus(conditions: &[Condition]) -> &'static str {
    let is = |kind, wanted: &str| status(conditions, kind) == wanted;
    if is(ConditionType::Reconciling, "True") {
        "InProgress"
    } else if is(ConditionType::Stalled, "True") {
        "Failed"
    } else if is(ConditionType::Ready, "True") {
        "Current"
    } else {
        "InProgress"
    }
}

#[test]
fn running_done_and_failed_are_told_apart() {
    for (standing, reason, read, succeeded) in [
        (Standing::Running, Reason::InProgress, "InProgress", "Unknown"),
        (Standing::Succeeded, Reason::Finished, "Current", "True"),
        (Standing::Failed, Reason::PageNotLoaded, "Failed", "False"),
    ] {
        let mut conditions = Vec::new();
        summary(&mut conditions, Standing::Running, Reason::InProgress, "", at(0));
        summary(&mut conditions, standing, reason, "So it is.", at(1));
        assert_eq!(kstatus(&conditions), read);
        assert_eq!(status(&conditions, ConditionType::Succeeded), succeeded);
    }
}

#[test]
fn the_time_of_a_transition_stays_until_the_status_changes() {
    let mut conditions = Vec::new();
    let kind = ConditionType::Recording;
    set(&mut conditions, kind, Truth::False, Reason::PageLoading, "It loads.", at(0));
    let first = conditions.clone();
    set(&mut conditions, kind, Truth::False, Reason::PageLoading, "It loads.", at(9));
    assert_eq!(conditions, first, "the same again is no change");
    set(&mut conditions, kind, Truth::False, Reason::Paused, "It is paused.", at(9));
    assert_eq!(conditions[0].reason, "Paused");
    assert_eq!(conditions[0].last_transition_time, first[0].last_transition_time);
    set(&mut conditions, kind, Truth::True, Reason::Recording, "It records.", at(9));
    assert_eq!(conditions[0].last_transition_time.0.as_second(), 1_700_000_009);
    let json = serde_json::to_string(&conditions).unwrap();
    assert_eq!(serde_json::from_str::<Vec<Condition>>(&json).unwrap(), conditions);
}

#[test]
fn words_are_unique_and_explained() {
    for reason in Reason::ALL {
        assert!(reason.as_str().chars().all(|c| c.is_ascii_alphanumeric()));
        assert!(reason.meaning().ends_with('.'));
    }
    assert_eq!(ConditionType::ALL.len(), 8);
}
