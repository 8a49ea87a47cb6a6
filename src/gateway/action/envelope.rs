//! Which action is asked for, in which of the two forms, and of which task.

use serde_json::Value;

use super::decide::Order;
use super::fields::Fields;
use super::json;
use super::list::Filter;
use super::refusal::Refusal;
use super::start::Start;
use crate::session::name::TaskId;

/// How a request is written, and so its answer.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum Form {
    /// `{"Action", "Data"}`
    #[default]
    Plain,
    /// `{"RecordAction", "RecordData"}`, as the cloud API's RecordPanoramic: answered in `{"Response": {…}}`.
    Wrapped,
}

/// What is asked for.
#[derive(Clone)]
pub enum Request {
    Start(Box<Start>),
    Tell { task: TaskId, order: Order },
    Describe { task: TaskId },
    DescribeDetail { task: TaskId },
    List(Filter),
}

impl Request {
    /// The action, one of those that do the same.
    pub fn name(&self) -> &'static str {
        match self {
            Request::Start(_) => "Start",
            Request::Tell { order: Order::Pause, .. } => "Pause",
            Request::Tell { order: Order::Resume, .. } => "Resume",
            Request::Tell { order: Order::Refresh, .. } => "Refresh",
            Request::Tell { order: Order::Stop, .. } => "Stop",
            Request::Describe { .. } => "Describe",
            Request::DescribeDetail { .. } => "DescribeDetail",
            Request::List(_) => "List",
        }
    }
}

/// Reads a Start from its Data alone, with the TaskID in it that a Start has beside them.
///
/// # Errors
/// As an action's.
pub fn read_start(body: &[u8]) -> Result<Request, Refusal> {
    let body = json::parse(body)?;
    let data = Fields::of(Some(&body), "the body", "")?;
    Ok(Request::Start(Box::new(Start::read(&data, &data)?)))
}

/// Reads a List from its Data.
///
/// # Errors
/// As an action's.
pub fn read_list(data: &Value) -> Result<Request, Refusal> {
    Ok(Request::List(Filter::read(&Fields::of(Some(data), "the query", "")?)?))
}

/// The task that a text names: a UUID in whatever case, or the name of a Recording. None: it can be no task's.
pub fn read_task(text: &str) -> Option<TaskId> {
    uuid(text).or_else(|| text.parse().ok())
}

/// Reads the body of a request; the form is that of the answer, also where the request cannot be followed.
pub fn read(body: &[u8]) -> (Form, Result<Request, Refusal>) {
    let body = match json::parse(body) {
        Ok(body) => body,
        Err(refusal) => return (Form::Plain, Err(refusal)),
    };
    let said = |name: &str| body.get(name).is_some_and(|value| !value.is_null());
    // Whoever writes both means the API itself.
    let form = if !said("Action") && said("RecordAction") { Form::Wrapped } else { Form::Plain };
    (form, request(form, &body))
}

fn request(form: Form, body: &Value) -> Result<Request, Refusal> {
    let (action_name, data_name) = match form {
        Form::Plain => ("Action", "Data"),
        Form::Wrapped => ("RecordAction", "RecordData"),
    };
    let body = Fields::of(Some(body), "the body", "")?;
    let action = body.text(action_name)?.ok_or_else(|| body.refuse(action_name, "is missing"))?;
    let data = body.object(data_name, "")?;
    let tell = |order| Ok(Request::Tell { task: task(&data, missing(order))?, order });
    match action.as_str() {
        "Start" => Ok(Request::Start(Box::new(Start::read(&body, &data)?))),
        "Pause" => tell(Order::Pause),
        "Resume" => tell(Order::Resume),
        "Refresh" => tell(Order::Refresh),
        "Stop" | "Cancel" | "ForceStop" => tell(Order::Stop),
        "Describe" => Ok(Request::Describe { task: task(&data, MISSING)? }),
        "DescribeDetail" => Ok(Request::DescribeDetail { task: task(&data, MISSING)? }),
        "List" => Ok(Request::List(Filter::read(&data)?)),
        other => {
            let shown: String = other.chars().take(80).collect();
            Err(Refusal::parameter(format!(
                "there is no action {shown:?}; it is one of Start, Pause, Resume, Refresh, Stop, Describe, \
                 DescribeDetail, List, Cancel and ForceStop"
            )))
        }
    }
}

const MISSING: &str = "TaskID is missing";

/// The original has two wordings.
fn missing(order: Order) -> &'static str {
    match order {
        Order::Pause | Order::Resume => MISSING,
        Order::Refresh | Order::Stop => "TaskID missing.",
    }
}

/// The task that is spoken of. A text that can be no task's name is that of none.
fn task(data: &Fields<'_>, missing: &str) -> Result<TaskId, Refusal> {
    let text = data.text("TaskID")?.ok_or_else(|| Refusal::parameter(missing))?;
    read_task(&text).ok_or_else(|| Refusal::parameter(super::NOT_FOUND))
}

/// A UUID as tasks are named by it: with hyphens, in lower case.
pub(super) fn uuid(text: &str) -> Option<TaskId> {
    let lower = text.to_ascii_lowercase();
    let is_uuid = lower.len() == 36 && uuid::Uuid::try_parse(&lower).is_ok();
    lower.parse().ok().filter(|_| is_uuid)
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::gateway::action::ErrorCode;

    const TASK: &str = "7a0313e2-9a42-4f5b-a3b0-1d5d0a1a2b3c";

    fn refusal(body: &Value) -> (Form, String) {
        let (form, request) = read(body.to_string().as_bytes());
        let refusal = request.err().unwrap();
        assert_eq!(refusal.code, ErrorCode::InvalidParam);
        (form, refusal.message)
    }

    /// What a request is, in a word.
    fn kind(request: &Request) -> String {
        match request {
            Request::Start(start) => format!("start {:?}", start.task_id.as_ref().map(TaskId::as_str)),
            Request::Tell { task, order } => format!("{order:?} {task}"),
            Request::Describe { task } => format!("describe {task}"),
            Request::DescribeDetail { task } => format!("detail {task}"),
            Request::List(filter) => format!("{:?}", filter.status),
        }
    }

    #[test]
    fn every_action_is_known_in_both_forms() {
        let data = json!({"TaskID": TASK, "RecordURL": "https://a.example/", "Unknown": [1]});
        for (action, expected) in [
            ("Start", "start None".to_owned()),
            ("Pause", format!("Pause {TASK}")),
            ("Resume", format!("Resume {TASK}")),
            ("Refresh", format!("Refresh {TASK}")),
            ("Stop", format!("Stop {TASK}")),
            ("Cancel", format!("Stop {TASK}")),
            ("ForceStop", format!("Stop {TASK}")),
            ("Describe", format!("describe {TASK}")),
            ("DescribeDetail", format!("detail {TASK}")),
            ("List", "All".to_owned()),
        ] {
            for (form, body) in [
                (Form::Plain, json!({"Action": action, "Data": data, "Unknown": {}})),
                (Form::Wrapped, json!({"RecordAction": action, "RecordData": data})),
                (Form::Plain, json!({"Action": action, "Data": data, "RecordAction": "List"})),
            ] {
                let (read_form, request) = read(body.to_string().as_bytes());
                assert_eq!((read_form, kind(&request.ok().unwrap())), (form, expected.clone()), "{body}");
            }
        }
    }

    #[test]
    fn a_start_may_name_its_task() {
        let body = |id: Value| json!({"Action": "Start", "TaskID": id, "Data": {"RecordURL": "https://a.example/"}});
        for (id, named) in [
            (json!(TASK.to_uppercase()), format!("start Some({TASK:?})")),
            (json!(" "), "start None".to_owned()),
            (json!(null), "start None".to_owned()),
        ] {
            assert_eq!(kind(&read(body(id).to_string().as_bytes()).1.ok().unwrap()), named);
        }
        for id in [json!("lesson"), json!(42), json!(TASK.replace('-', ""))] {
            assert_eq!(refusal(&body(id)).1, "TaskID must be a UUID");
        }
        assert_eq!(refusal(&body(json!({}))).1, "TaskID must be a text");
    }

    #[test]
    fn a_missing_or_impossible_task_has_its_words() {
        for (action, missing) in [
            ("Pause", "TaskID is missing"),
            ("Resume", "TaskID is missing"),
            ("Describe", "TaskID is missing"),
            ("DescribeDetail", "TaskID is missing"),
            ("Stop", "TaskID missing."),
            ("Cancel", "TaskID missing."),
            ("ForceStop", "TaskID missing."),
            ("Refresh", "TaskID missing."),
        ] {
            for body in [
                json!({"Action": action}),
                json!({"Action": action, "Data": null}),
                json!({"Action": action, "Data": {"TaskID": ""}}),
                json!({"Action": action, "Data": {"TaskID": "  "}}),
                json!({"Action": action, "Data": {"TaskID": null}}),
                json!({"Action": action, "TaskID": TASK}),
            ] {
                assert_eq!(refusal(&body).1, missing, "{body}");
            }
            for id in ["Not/A-Task", "../x", "é", "a".repeat(300).as_str()] {
                let body = json!({"RecordAction": action, "RecordData": {"TaskID": id}});
                assert_eq!(refusal(&body), (Form::Wrapped, "invalid task id, task not found".to_owned()));
            }
        }
    }

    #[test]
    fn what_is_no_request_is_refused_with_a_sentence() {
        for (body, says) in [
            (json!([]), "the body must be an object"),
            (json!("Start"), "the body must be an object"),
            (json!({}), "Action is missing"),
            (json!({"Action": ""}), "Action is missing"),
            (json!({"Action": {}}), "Action must be a text"),
            (json!({"Action": "Start", "Data": "x"}), "Data must be an object"),
            (json!({"Action": "Describe", "Data": {"TaskID": {}}}), "TaskID must be a text"),
        ] {
            assert_eq!(refusal(&body), (Form::Plain, says.to_owned()));
        }
        assert!(refusal(&json!({"Action": "start"})).1.starts_with("there is no action \"start\";"));
        let wrapped = json!({"RecordAction": "Nothing"});
        assert_eq!(refusal(&wrapped).0, Form::Wrapped);
        assert!(read(b"{").1.is_err());
    }
}
