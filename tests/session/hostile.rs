//! The recorder's half as a page would write it that broke out of its browser.

use std::fs;
use std::os::unix::fs::symlink;
use std::path::PathBuf;

use panorec::session::event::RecorderEvent;
use panorec::session::folder::{FolderError, SessionDir};
use panorec::session::history::RunLog;
use panorec::session::name::{PartName, RunNumber};
use tempfile::TempDir;

use crate::folder::{session, write_logs};
use crate::world::play_unfinished;

const PART: PartName = PartName { run: RunNumber(1), part: 1 };

struct Hostile {
    dir: TempDir,
    session: SessionDir,
}

impl Hostile {
    fn new() -> Hostile {
        let (dir, session) = session();
        write_logs(&session, &play_unfinished(&[]).recorder);
        Hostile { dir, session }
    }

    fn in_recorder(&self, path: &str) -> PathBuf {
        self.session.path().join("recorder").join(path)
    }

    fn outside(&self) -> PathBuf {
        let path = self.dir.path().join("secret");
        fs::write(&path, "top secret").unwrap();
        path
    }

    fn journal(&self) -> PathBuf {
        self.in_recorder("runs/1/journal.jsonl")
    }

    fn lines(&self) -> Vec<String> {
        let text = fs::read_to_string(self.journal()).unwrap();
        text.lines().map(str::to_owned).collect()
    }

    fn forge(&self, line: &str) -> Result<(), FolderError> {
        let lines = self.lines();
        let moment = r#""at":{"wall":"2026-11-22T10:00:01Z","monoUs":80000000}"#;
        let line = line.replace("AT", moment);
        fs::write(self.journal(), format!("{}\n{line}\n", lines[0])).unwrap();
        self.session.history().map(drop)
    }

    fn part(&self) -> Result<(), FolderError> {
        self.session.open_part(PART).map(drop)
    }

    fn part_path(&self) -> PathBuf {
        self.in_recorder(&format!("parts/{PART}"))
    }
}

#[track_caller]
fn is_refused<T: std::fmt::Debug>(result: Result<T, FolderError>) {
    assert!(matches!(result, Err(FolderError::Hostile { .. })), "{result:?}");
}

#[track_caller]
fn is_too_big<T: std::fmt::Debug>(result: Result<T, FolderError>) {
    assert!(matches!(result, Err(FolderError::TooBig { .. })), "{result:?}");
}

#[track_caller]
fn is_bad_event<T: std::fmt::Debug>(result: Result<T, FolderError>) {
    assert!(matches!(result, Err(FolderError::BadEvent { .. })), "{result:?}");
}

#[test]
fn links_are_not_followed_wherever_they_stand() {
    let hostile = Hostile::new();
    symlink(hostile.outside(), hostile.part_path()).unwrap();
    is_refused(hostile.part());

    let hostile = Hostile::new();
    fs::rename(hostile.journal(), hostile.dir.path().join("journal")).unwrap();
    symlink(hostile.dir.path().join("journal"), hostile.journal()).unwrap();
    is_refused(hostile.session.history());

    for folder in ["runs", "runs/1", "parts"] {
        let hostile = Hostile::new();
        fs::write(hostile.part_path(), "media").unwrap();
        fs::rename(hostile.in_recorder(folder), hostile.dir.path().join("away")).unwrap();
        symlink(hostile.dir.path().join("away"), hostile.in_recorder(folder)).unwrap();
        match folder {
            "parts" => is_refused(hostile.part()),
            _ => is_refused(hostile.session.history()),
        }
    }

    let hostile = Hostile::new();
    fs::remove_file(hostile.in_recorder("request.json")).unwrap();
    symlink(hostile.outside(), hostile.in_recorder("request.json")).unwrap();
    is_refused(hostile.session.request());
    is_refused(SessionDir::open(hostile.session.path()));
}

#[test]
fn a_run_that_is_a_link_is_refused_even_to_the_fold_of_the_others() {
    let hostile = Hostile::new();
    symlink("1", hostile.in_recorder("runs/2")).unwrap();
    is_refused(hostile.session.history());
    is_refused(hostile.session.recorder_is_alive());
}

#[test]
fn only_plain_files_with_one_name_are_parts() {
    let hostile = Hostile::new();
    rustix::fs::mknodat(
        rustix::fs::CWD,
        hostile.part_path(),
        rustix::fs::FileType::Fifo,
        rustix::fs::Mode::RUSR | rustix::fs::Mode::WUSR,
        0,
    )
    .unwrap();
    is_refused(hostile.part());

    let hostile = Hostile::new();
    fs::create_dir(hostile.part_path()).unwrap();
    is_refused(hostile.part());

    let hostile = Hostile::new();
    fs::hard_link(hostile.outside(), hostile.part_path()).unwrap();
    is_refused(hostile.part());

    let hostile = Hostile::new();
    let _socket = std::os::unix::net::UnixListener::bind(hostile.part_path()).unwrap();
    is_refused(hostile.part());

    let hostile = Hostile::new();
    assert!(hostile.part().unwrap_err().is_not_found());
}

#[test]
fn huge_files_are_refused_unread() {
    let hostile = Hostile::new();
    let file = fs::OpenOptions::new().write(true).open(hostile.journal()).unwrap();
    file.set_len(1 << 30).unwrap();
    is_too_big(hostile.session.history());

    let hostile = Hostile::new();
    fs::write(hostile.journal(), "x".repeat(300 << 10)).unwrap();
    is_too_big(hostile.session.history());

    let hostile = Hostile::new();
    let request = hostile.in_recorder("request.json");
    fs::OpenOptions::new().write(true).open(request).unwrap().set_len(1 << 30).unwrap();
    is_too_big(hostile.session.request());
}

#[test]
fn crowds_are_refused() {
    let hostile = Hostile::new();
    for run in 2..=4097 {
        fs::create_dir(hostile.in_recorder(&format!("runs/{run}"))).unwrap();
    }
    let refused = hostile.session.history();
    assert!(matches!(refused, Err(FolderError::TooMany { what: "runs", .. })), "{refused:?}");

    let hostile = Hostile::new();
    let mut log = play_unfinished(&[]).recorder.remove(0);
    let opened = log.lines.iter().find(|line| matches!(line.entry.event, RecorderEvent::PartOpened { .. }));
    let opened = opened.unwrap().clone();
    log.lines.extend(std::iter::repeat_n(opened, 4097));
    write_logs(&hostile.session, &[RunLog { ..log }]);
    let refused = hostile.session.history();
    assert!(matches!(refused, Err(FolderError::TooMany { what: "parts", .. })), "{refused:?}");
}

#[test]
fn names_that_are_no_run_are_passed_over() {
    let hostile = Hostile::new();
    for name in ["01", "+1", "-1", "0", "lost+found", "99999999999", "2 "] {
        fs::create_dir(hostile.in_recorder(&format!("runs/{name}"))).unwrap();
    }
    assert_eq!(hostile.session.history().unwrap().recorder.len(), 1);
}

#[test]
fn forged_events_are_refused() {
    let honest = r#"{"v":1,AT,"event":"partOpened","part":"1-1.webm","videoUs":0}"#;
    Hostile::new().forge(honest).unwrap();
    for line in [
        r#"{"v":1,AT,"event":"partOpened","part":"../../etc/passwd","videoUs":0}"#,
        r#"{"v":1,AT,"event":"partOpened","part":"/etc/passwd.webm","videoUs":0}"#,
        r#"{"v":1,AT,"event":"partOpened","part":"1-01.webm","videoUs":0}"#,
        r#"{"v":1,AT,"event":"partOpened","part":"2-1.webm","videoUs":0}"#,
        r#"{"v":1,AT,"event":"partOpened","part":"1-1.webm","videoUs":-1}"#,
        r#"{"v":1,AT,"event":"partOpened","part":"1-1.webm","videoUs":18446744073709551615}"#,
        r#"{"v":1,AT,"event":"stopped","by":"nobody","videoUs":0}"#,
        r#"{"v":1,AT,"event":"becomeRoot"}"#,
        r#"{"v":1,AT,"event":"runStarted","run":1,"older":[]}"#,
        r#"{"v":1,"at":{"wall":"2026-11-22T10:00:01Z","monoUs":18446744073709551615},"event":"refreshed"}"#,
        r#"{"v":1,"at":{"wall":"never","monoUs":1},"event":"refreshed"}"#,
        r#"{"v":"1",AT,"event":"refreshed"}"#,
    ] {
        is_bad_event(Hostile::new().forge(line));
    }
}

#[test]
fn forged_takeovers_are_refused() {
    let takeover = |older: &str| {
        let hostile = Hostile::new();
        fs::create_dir(hostile.in_recorder("runs/2")).unwrap();
        let at = r#"{"wall":"2026-11-22T10:00:01Z","monoUs":80000000}"#;
        let line = format!(r#"{{"v":1,"at":{at},"event":"runStarted","run":2,"older":{older}}}"#) + "\n";
        fs::write(hostile.in_recorder("runs/2/journal.jsonl"), line).unwrap();
        hostile.session.history().map(drop)
    };
    let honest = r#"[{"run":1,"journalBytes":9,"parts":[{"part":"1-1.webm","endVideoUs":0}]}]"#;
    takeover(honest).unwrap();
    for older in [
        r#"[{"run":2,"journalBytes":0,"parts":[]}]"#,
        r#"[{"run":1,"journalBytes":0,"parts":[]},{"run":1,"journalBytes":0,"parts":[]}]"#,
        r#"[{"run":1,"journalBytes":9999999999,"parts":[]}]"#,
        r#"[{"run":1,"journalBytes":0,"parts":[{"part":"2-1.webm","endVideoUs":0}]}]"#,
    ] {
        is_bad_event(takeover(older));
    }
}

#[test]
fn a_newer_event_is_refused_with_the_way_out() {
    let hostile = Hostile::new();
    let refused = hostile.forge(r#"{"v":2,"when":"later","event":"teleported"}"#).unwrap_err();
    assert!(matches!(refused, FolderError::NewerEvent { line: 2, version: 2, .. }));
    let text = refused.to_string();
    assert!(text.contains("newer panorec") && text.contains("journal.jsonl"), "{text}");
}

#[test]
fn a_journal_of_another_run_is_refused() {
    let hostile = Hostile::new();
    fs::create_dir(hostile.in_recorder("runs/2")).unwrap();
    fs::copy(hostile.journal(), hostile.in_recorder("runs/2/journal.jsonl")).unwrap();
    is_bad_event(hostile.session.history());
}
