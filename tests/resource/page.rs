//! docs/cluster.md and docs/troubleshooting.md, compared with the code that it tells of.

use clap::Args;
use panorec::operator::OperatorArgs;
use panorec::resource::conditions::{ConditionType, Reason};
use panorec::session::exit::ExitCode;

const PAGE: &str = include_str!("../../docs/cluster.md");

/// The rows of the table whose head begins with this cell.
fn table(head: &str) -> Vec<&'static str> {
    let head = format!("| {head} |");
    let rows = PAGE.lines().skip_while(move |line| !line.starts_with(&head)).skip(2);
    rows.take_while(|line| line.starts_with('|')).collect()
}

#[test]
fn the_page_tells_every_condition_and_reason() {
    let types: Vec<_> = ConditionType::ALL.iter().map(|word| format!("| {word} | {} |", word.meaning())).collect();
    let reasons: Vec<_> = Reason::ALL.iter().map(|word| format!("| {word} | {} |", word.meaning())).collect();
    assert_eq!(table("condition"), types);
    assert_eq!(table("reason"), reasons);
}

/// What to do about each of them.
#[test]
fn troubleshooting_knows_every_reason() {
    let text = include_str!("../../docs/troubleshooting.md");
    let words: Vec<&str> = text.split(|c: char| !c.is_ascii_alphanumeric()).collect();
    let missing: Vec<_> = Reason::ALL.iter().filter(|reason| !words.contains(&reason.as_str())).collect();
    assert!(missing.is_empty(), "docs/troubleshooting.md does not tell of {missing:?}");
}

#[test]
fn the_page_tells_every_exit_code() {
    let told: Vec<i32> = table("exit code")
        .iter()
        .filter_map(|row| row.split('|').nth(1))
        .flat_map(|cell| cell.split(',').map(|code| code.trim().parse().unwrap()))
        .collect();
    assert_eq!(told, ExitCode::ALL.map(|code| code as i32));
}

#[test]
fn the_page_tells_every_setting_of_the_operator() {
    let command = OperatorArgs::augment_args(clap::Command::new("operator"));
    let flags: Vec<_> = command
        .get_arguments()
        .map(|arg| {
            let env = arg.get_env().unwrap().to_str().unwrap();
            format!("| `--{}` | `{env}` |", arg.get_long().unwrap())
        })
        .collect();
    let told = table("flag");
    assert_eq!(told.len(), flags.len(), "{flags:#?}");
    for (row, flag) in told.iter().zip(&flags) {
        assert!(row.starts_with(flag), "{row} is to be {flag}");
    }
}
