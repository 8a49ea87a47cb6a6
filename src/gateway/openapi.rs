//! The description of the API, OpenAPI 3.1: paths as they are annotated, schemas of the types that are really sent.

use axum::http::header;
use axum::response::IntoResponse;
use schemars::generate::SchemaSettings;
use schemars::{JsonSchema, SchemaGenerator};
use serde_json::{Map, Value, json};
use utoipa::OpenApi;

use super::action::{Parameters, Task};
use super::rest::{self, Listed, RestError};

const DESCRIPTION: &str = "\
Records web pages. `POST /record` is the Action API; the paths below `/v1` are the same as plain HTTP. \
Numbers may be sent as text, blank text is as good as none, and fields that are not known are of no interest.";

#[derive(OpenApi)]
#[openapi(
    paths(
        record, rest::start, rest::list, rest::describe, rest::events, rest::tell
    ),
    tags(
        (name = "recordings", description = "Recordings as resources"),
        (name = "action", description = "The Action API"),
    )
)]
struct Api;

/// Do an action
///
/// Start, Pause, Resume, Refresh, Stop (also Cancel and ForceStop), Describe, DescribeDetail or List. Of status 200
/// also where it is refused: then the body has an ErrorCode.
#[utoipa::path(post, path = "/record", tag = "action",
    request_body = ref("#/components/schemas/ActionRequest"),
    responses(
        (status = 200, description = "What came of it", body = ref("#/components/schemas/ActionAnswer")),
        (status = "4XX", description = "Who asks is not known, or asks too often",
         body = ref("#/components/schemas/Denied")),
    ))]
#[allow(dead_code)]
fn record() {}

/// What a Start asks for.
#[derive(JsonSchema)]
#[serde(rename_all = "PascalCase")]
#[allow(dead_code)]
struct NewTask {
    #[serde(flatten)]
    parameters: Parameters,
    /// The name that the task is to have, a UUID.
    #[serde(rename = "TaskID")]
    #[schemars(extend("format" = "uuid"))]
    task_id: Option<String>,
    /// Said again when the same is asked once more: no second task is made. 1 to 64 visible ASCII characters.
    #[schemars(regex(pattern = "^[!-~]{1,64}$"))]
    client_token: Option<String>,
    /// With cookies, headers and origins, as Playwright saves them.
    login_state: Option<Map<String, Value>>,
}

/// The document, as it is committed and served: always the same text.
///
/// # Errors
/// What the JSON writer gives.
pub fn json() -> Result<String, serde_json::Error> {
    let mut api = serde_json::to_value(Api::openapi())?;
    api["info"] = json!({
        "title": "panorec", "version": "1", "description": DESCRIPTION,
        "license": { "name": "Apache-2.0", "identifier": "Apache-2.0" },
    });
    // What is made is where the others find their TaskID.
    for operation in ["describe", "events", "tell"] {
        api["paths"]["/v1/recordings"]["post"]["responses"]["201"]["links"][operation] =
            json!({ "operationId": operation, "parameters": { "id": "$response.body#/TaskID" } });
    }
    let schemas = &mut api["components"]["schemas"];
    for (name, schema) in schemas_of_what_is_sent() {
        schemas[name] = schema;
    }
    api["components"]["securitySchemes"] = json!({ "signature": {
        "type": "apiKey", "in": "header", "name": "Authorization",
        "description": "An application signature: see docs/action-api.md. Not asked for where the gateway has no keys.",
    }});
    api["security"] = json!([{}, { "signature": [] }]);
    Ok(serde_json::to_string_pretty(&api)? + "\n")
}

fn schemas_of_what_is_sent() -> Vec<(String, Value)> {
    let mut generator = SchemaSettings::draft2020_12()
        .with(|settings| settings.definitions_path = "/components/schemas".into())
        .into_generator();
    refer::<Task>(&mut generator);
    refer::<NewTask>(&mut generator);
    refer::<Listed>(&mut generator);
    refer::<RestError>(&mut generator);
    let mut schemas: Vec<_> = generator.take_definitions(true).into_iter().collect();
    for (name, schema) in &mut schemas {
        if name == "Video" {
            schema["properties"]["EncryptKey"] = json!({
                "description": "32 hexadecimal digits; HLS alone, and with an AuthUrl", "writeOnly": true,
                "type": ["string", "null"], "pattern": "^[0-9A-Fa-f]{32}$",
            });
        }
    }
    schemas.extend([
        ("Denied".to_owned(), json!({
            "type": "object", "properties": { "message": { "type": "string" } }, "required": ["message"],
        })),
        ("Error".to_owned(), json!({ "anyOf": [schema("RestError"), schema("Denied")] })),
        ("ActionRequest".to_owned(), json!({
            "type": "object",
            "properties": {
                "Action": { "enum": ["Start", "Pause", "Resume", "Refresh", "Stop", "Cancel", "ForceStop", "Describe",
                                     "DescribeDetail", "List"] },
                "TaskID": { "type": "string", "description": "Of a Start: the task's name, a UUID" },
                "Data": { "type": "object",
                          "description": "Of a Start: NewTask; of a List: Status, StartTime, EndTime; else a TaskID" },
            },
            "required": ["Action"],
        })),
        ("ActionAnswer".to_owned(), json!({
            "type": "object", "properties": { "RequestID": { "type": "string" } },
            "anyOf": [{ "required": ["RequestID"] }, { "required": ["Response"] }],
        })),
    ]);
    schemas.sort_by(|one, other| one.0.cmp(&other.0));
    schemas
}

fn refer<T: JsonSchema>(generator: &mut SchemaGenerator) {
    generator.subschema_for::<T>();
}

fn schema(name: &str) -> Value {
    json!({ "$ref": format!("#/components/schemas/{name}") })
}

/// `/openapi.json`.
pub(super) fn document() -> impl IntoResponse {
    ([(header::CONTENT_TYPE, "application/json")], json().unwrap_or_default())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_committed_document_is_that_of_the_code() {
        let committed = include_str!("../../docs/openapi.json");
        assert!(committed == json().unwrap(), "make it again: cargo run -- openapi > docs/openapi.json");
    }

    #[test]
    fn all_that_is_referred_to_is_there() {
        let document: Value = serde_json::from_str(&json().unwrap()).unwrap();
        assert!(document["openapi"].as_str().unwrap().starts_with("3.1."));
        fn look(document: &Value, value: &Value) {
            match value {
                Value::Object(object) => object.iter().for_each(|(key, value)| match (key.as_str(), value) {
                    ("$ref", Value::String(place)) => {
                        assert!(document.pointer(place.strip_prefix('#').unwrap()).is_some(), "{place}");
                    }
                    _ => look(document, value),
                }),
                Value::Array(items) => items.iter().for_each(|item| look(document, item)),
                _ => {}
            }
        }
        look(&document, &document);
    }
}
