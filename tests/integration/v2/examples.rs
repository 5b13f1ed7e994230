//! The examples of the v2 document succeed on the sample data. New users send them first, from `/docs`.

use std::collections::BTreeSet;

use ::contract::v2;
use openapi_model::{BodyError, Operation};

use crate::{
    contract::{seeded, seeded_actor},
    support::{Actor, TestApp, UncheckedResponse, Value, documented, request_schema, resolve},
};

/// Returns the media type and the example of the request body.
fn body(operation: &Operation) -> Option<(&str, &'static Value)> {
    let media_type = operation.request_media_types.first()?;
    Some((media_type, &request_schema(operation)["example"]))
}

/// Returns the name and the serialized example of every parameter in `path`, `query` or `header`.
fn parameters(operation: &Operation, location: &str) -> Vec<(&'static str, String)> {
    let text = |value: &Value| value.as_str().map_or_else(|| value.to_string(), str::to_owned);
    let example = |parameter: &'static Value| match &parameter["example"] {
        Value::Null => panic!("{}: {parameter} has no example", operation.id),
        Value::Array(values) => values.iter().map(text).collect::<Vec<_>>().join(","),
        value => text(value),
    };
    let parameters = documented(operation)["parameters"].as_array().into_iter().flatten();
    let parameters = parameters.filter(|parameter| parameter["in"] == location);
    parameters.map(|parameter| (parameter["name"].as_str().unwrap(), example(parameter))).collect()
}

fn path(operation: &Operation) -> String {
    parameters(operation, "path")
        .into_iter()
        .fold(operation.path.clone(), |path, (name, value)| path.replace(&format!("{{{name}}}"), &value))
}

/// Sends the examples of all parameters, including optional ones, and of the body.
async fn send_examples(actor: &Actor<'_>, operation: &Operation) -> UncheckedResponse {
    let query: Vec<String> =
        parameters(operation, "query").into_iter().map(|(name, value)| format!("{name}={value}")).collect();
    let path = path(operation);
    let target = if query.is_empty() { path } else { format!("{path}?{}", query.join("&")) };
    let mut request = actor.request(operation.method.parse().unwrap(), &target);
    for (name, value) in parameters(operation, "header") {
        request = request.header(name, &value);
    }
    match body(operation) {
        Some((media_type, example)) => {
            request.header("content-type", media_type).bytes(example.to_string()).send().await
        }
        None => request.send().await,
    }
}

/// Returns the fields and elements of `whole` that `shape` has.
fn part(whole: &Value, shape: &Value) -> Value {
    match shape {
        Value::Object(fields) => fields
            .iter()
            .map(|(name, shape)| (name.clone(), part(&whole[name], shape)))
            .collect::<serde_json::Map<_, _>>()
            .into(),
        Value::Array(rows) => rows.iter().enumerate().map(|(index, shape)| part(&whole[index], shape)).collect(),
        _ => whole.clone(),
    }
}

async fn permitted_actor<'a>(app: &'a TestApp, operation: &Operation) -> Actor<'a> {
    if operation.is_secured { seeded_actor(app, operation).await } else { app.anonymous() }
}

#[test]
fn request_examples_satisfy_their_schemas() {
    for operation in v2::contract().operations() {
        let (Some(schema), Some((_, example))) = (operation.body(), body(operation)) else { continue };
        assert!(example.is_object(), "{} has no example", operation.id);
        match schema.read(example.to_string().as_bytes()) {
            Ok(read) => assert_eq!(&read, example, "{}: the example is already normalized", operation.id),
            Err(BodyError::Invalid(violations)) => panic!("{}: {violations:?}", operation.id),
            Err(malformed) => panic!("{}: {malformed}", operation.id),
        }
    }
}

#[test]
fn examples_use_distinct_idempotency_keys() {
    let mut keys = BTreeSet::new();
    for operation in v2::contract().operations() {
        for (name, key) in parameters(operation, "header") {
            assert!(name != "Idempotency-Key" || keys.insert(key), "{}", operation.id);
        }
    }
    assert!(keys.len() >= 3, "{keys:?}");
}

/// Replaces times, so that values that differ only in them are equal.
fn replace_times(value: &mut Value) {
    match value {
        Value::String(text) if chrono::DateTime::parse_from_rfc3339(text).is_ok() => "time".clone_into(text),
        Value::Array(values) => values.iter_mut().for_each(replace_times),
        Value::Object(fields) => fields.values_mut().for_each(replace_times),
        _ => {}
    }
}

both_engines! {
    async fn every_example_of_a_read_succeeds(engine: Engine) {
        let app = seeded(engine).await;
        // Profiles are disabled by default, and are tested separately.
        let reads = v2::contract().operations().filter(|it| it.method == "GET" && it.id != "recordProfile");
        for operation in reads {
            let actor = seeded_actor(&app, operation).await;
            let response = send_examples(&actor, operation).await.expect(200);
            if operation.id == "exportIncidentForCurl" {
                assert!(String::from_utf8_lossy(&response.body).contains("curl "), "{response:?}");
                continue;
            }
            let response = response.json();
            // An empty page is not a useful example.
            assert!(response["data"].as_array().is_none_or(|rows| !rows.is_empty()), "{}: {response}", operation.id);
            if response["data"].is_null() {
                // The example of the response equals the response.
                let schema = &documented(operation)["responses"]["200"]["content"]["application/json"]["schema"];
                let mut example = resolve(v2::document().value(), schema)["example"].clone();
                let mut plain = actor.get(&path(operation)).await.expect(200).json();
                if operation.path.starts_with("/v2/admin/users/") {
                    // The example has the links for the owner of the account; an administrator gets others.
                    assert_ne!(plain["_links"].take(), example["_links"].take());
                }
                if operation.id == "getExportContent" {
                    // The example has the first records of the file.
                    let count = example["records"].as_array().unwrap().len();
                    plain["records"].as_array_mut().unwrap().truncate(count);
                }
                if operation.id.starts_with("exportIncident") {
                    // A file in an external format has fields that the document does not describe.
                    plain = part(&plain, &example);
                }
                if ["Export", "Incident", "Job"].iter().any(|resource| operation.id.contains(resource)) {
                    // The sample data is relative to the time of its insertion.
                    replace_times(&mut plain);
                    replace_times(&mut example);
                }
                assert_eq!(plain, example, "{}", operation.id);
            }
        }
    }

    async fn every_example_of_a_write_succeeds_on_sample_data(engine: Engine) {
        for operation in v2::contract().operations().filter(|operation| operation.method != "GET") {
            let app = seeded(engine).await;
            let response = send_examples(&permitted_actor(&app, operation).await, operation).await.any_status();
            match operation.id.as_str() {
                // Valid tokens cannot be part of the document.
                "refreshSession" => assert_eq!(response.code(), "INVALID_REFRESH_TOKEN"),
                "confirmPasswordReset" => assert_eq!(response.code(), "INVALID_RESET_TOKEN"),
                _ => assert!(response.is_success(), "{}: {response:?}", operation.id),
            }
        }
    }
}
