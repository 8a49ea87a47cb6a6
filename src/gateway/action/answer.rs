//! What a client is answered.

use schemars::JsonSchema;
use serde::Serialize;
use serde_json::{Map, Value, json};
use uuid::Uuid;

use super::envelope::Form;
use super::parameters::Parameters;
use super::refusal::Refusal;
use crate::session::describe::Described;
use crate::session::name::TaskId;

/// A task as DescribeDetail shows it: what Describe shows, and in `Data` what was asked for, without any secret.
#[derive(Debug, Clone, PartialEq, Serialize, JsonSchema)]
pub struct Task {
    #[serde(flatten)]
    pub described: Described,
    #[serde(rename = "Data")]
    pub parameters: Parameters,
}

/// What came of a request that was followed.
#[derive(Debug, Clone, PartialEq)]
pub enum Answer {
    /// A task was made, or told.
    Done(TaskId),
    Described(Described),
    Detailed(Box<Task>),
    /// In any order.
    Listed(Vec<Described>),
}

/// The body of an answer. Each has its `RequestID`.
pub fn answer(form: Form, request_id: Uuid, outcome: Result<Answer, Refusal>) -> Value {
    let mut body = match outcome {
        Ok(Answer::Done(task_id)) => object(&json!({ "TaskID": task_id })),
        Ok(Answer::Described(described)) => object(&described),
        Ok(Answer::Detailed(task)) => object(&task),
        Ok(Answer::Listed(mut tasks)) => {
            newest_first(&mut tasks);
            object(&json!({ "Total": tasks.len(), "Tasks": tasks }))
        }
        Err(refusal) => object(&json!({ "ErrorCode": refusal.code, "ErrorMessage": refusal.message })),
    };
    body.insert("RequestID".to_owned(), json!(request_id.to_string()));
    match form {
        Form::Plain => Value::Object(body),
        Form::Wrapped => json!({ "Response": body }),
    }
}

/// Sorts tasks as they are listed.
pub fn newest_first(tasks: &mut [Described]) {
    let age = |task: &Described| (task.create_time.unwrap_or(i64::MAX), task.task_id.clone());
    tasks.sort_by_cached_key(|task| std::cmp::Reverse(age(task)));
}

fn object(value: &impl Serialize) -> Map<String, Value> {
    match serde_json::to_value(value) {
        Ok(Value::Object(object)) => object,
        // Nothing that is answered is anything else.
        _ => Map::new(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::session::fold::Phase;

    fn described(name: &str, create_time: i64) -> Described {
        Described {
            task_id: name.parse().unwrap(),
            status: Phase::Recording,
            queue_position: None,
            create_time: Some(create_time),
            start_time: None,
            cancel_time: None,
            stop_time: None,
            finish_time: None,
            result: None,
        }
    }

    #[test]
    fn every_answer_has_its_request_id() {
        let (uuid, id) = (Uuid::nil(), "00000000-0000-0000-0000-000000000000");
        let refused = || Err(Refusal::parameter("RecordURL is missing"));
        let parameters: Parameters = serde_json::from_value(json!({"RecordURL": "https://a.example/"})).unwrap();
        let task = Task { described: described("a", 1), parameters };
        for (outcome, body) in [
            (Ok(Answer::Done("a".parse().unwrap())), json!({"TaskID": "a", "RequestID": id})),
            (
                Ok(Answer::Described(described("a", 1))),
                json!({"TaskID": "a", "Status": "recording", "CreateTime": 1, "RequestID": id}),
            ),
            (
                Ok(Answer::Listed(vec![described("a", 1), described("b", 3), described("c", 2)])),
                json!({"Total": 3, "RequestID": id, "Tasks": [
                    {"TaskID": "b", "Status": "recording", "CreateTime": 3},
                    {"TaskID": "c", "Status": "recording", "CreateTime": 2},
                    {"TaskID": "a", "Status": "recording", "CreateTime": 1},
                ]}),
            ),
            (Ok(Answer::Listed(vec![])), json!({"Total": 0, "Tasks": [], "RequestID": id})),
            (refused(), json!({"ErrorCode": "InvalidParam", "ErrorMessage": "RecordURL is missing", "RequestID": id})),
        ] {
            assert_eq!(answer(Form::Plain, uuid, outcome.clone()), body);
            assert_eq!(answer(Form::Wrapped, uuid, outcome), json!({"Response": body}));
        }
        let detail = answer(Form::Plain, uuid, Ok(Answer::Detailed(Box::new(task))));
        assert_eq!(detail["Data"]["RecordURL"], "https://a.example/");
        assert_eq!((&detail["Status"], &detail["RequestID"]), (&json!("recording"), &json!(id)));
    }
}
