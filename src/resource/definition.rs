//! The CustomResourceDefinition, as it is committed and applied.

use k8s_openapi::apiextensions_apiserver::pkg::apis::apiextensions::v1::{
    CustomResourceDefinition, CustomResourceValidation, JSON, JSONSchemaProps, JSONSchemaPropsOrArray,
};
use kube::CustomResourceExt;

use super::spec::Recording;

const HEAD: &str = "\
# Made by `panorec crd`; a test compares it with the code. Change src/resource/ and make it again:
# cargo run -- crd > crds/recording.yaml
";

/// The definition of the Recording resource.
pub fn definition() -> CustomResourceDefinition {
    let mut definition = Recording::crd();
    for version in &mut definition.spec.versions {
        if let Some(CustomResourceValidation { open_api_v3_schema: Some(schema) }) = &mut version.schema {
            tidy(schema);
            let status = schema.properties.as_mut().and_then(|properties| properties.get_mut("status"));
            if let Some(status) = status {
                // Without it, a Recording that nobody has looked at yet would count as done (kstatus; Flux
                // does the same).
                status.default = Some(JSON(serde_json::json!({ "observedGeneration": -1 })));
            }
        }
    }
    definition
}

/// The definition as the file `crds/recording.yaml` has it: always the same text.
///
/// # Errors
/// What the YAML writer gives.
pub fn yaml() -> Result<String, serde_saphyr::SerializeError> {
    Ok(format!("{HEAD}{}", serde_saphyr::to_string(&definition())?))
}

/// Takes out the formats that the API server warns of (Rust's unsigned numbers; the bounds stay), and
/// the line ends of the source from descriptions, for `kubectl explain` breaks lines itself.
fn tidy(schema: &mut JSONSchemaProps) {
    if let Some(description) = &mut schema.description {
        let paragraphs: Vec<_> = description.split("\n\n").map(|paragraph| paragraph.replace('\n', " ")).collect();
        *description = paragraphs.join("\n\n");
    }
    if schema.format.as_deref().is_some_and(|format| format.starts_with("uint")) {
        schema.format = None;
    }
    for property in schema.properties.iter_mut().flat_map(|properties| properties.values_mut()) {
        tidy(property);
    }
    match &mut schema.items {
        Some(JSONSchemaPropsOrArray::Schema(item)) => tidy(item),
        Some(JSONSchemaPropsOrArray::Schemas(items)) => items.iter_mut().for_each(tidy),
        None => {}
    }
}
