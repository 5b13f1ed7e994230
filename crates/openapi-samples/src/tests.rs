#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

use openapi_model::Document;
use serde_json::{Value, json};

use crate::{Language, OperationSamples, SampleOptions, overlay, samples, with_samples};

const OPTIONS: SampleOptions<'_> = SampleOptions {
    base_url: "BASE_URL",
    token: "TOKEN",
    generated_headers: &["Idempotency-Key"],
    languages: &Language::ALL,
};

/// A document whose only operation has all parts of a request, with characters that are special in some language.
fn document() -> Document {
    let text = "it's \"q\" `b` $x {y} \\n";
    let operation = json!({
        "operationId": "renameBook",
        "security": [{"session": []}, {"key": []}],
        "parameters": [
            {"name": "book_id", "in": "path", "required": true, "schema": {"type": "string"}, "example": "a/b é"},
            {"name": "q", "in": "query", "required": true, "schema": {"type": "string"}, "example": "x&y"},
            {"name": "page", "in": "query", "schema": {"type": "integer"}, "example": 2},
            {"name": "Idempotency-Key", "in": "header", "schema": {"type": "string"}, "example": "fixed"},
        ],
        "requestBody": {"required": true, "content": {"application/json": {"example": {"title": text, "parts": [1, null], "on": true}}}},
        "responses": {"200": {"description": "The book.", "content": {"application/json": {}}}},
    });
    let schemes = json!({"session": {"type": "http", "scheme": "bearer"}, "key": {"type": "apiKey", "in": "header", "name": "X-Key"}});
    let value = json!({
        "openapi": "3.0.3",
        "info": {"title": "Library", "version": "1.0.0"},
        "servers": [{"url": "/v1"}],
        "paths": {"/books/{book_id}": {"patch": operation}},
        "components": {"securitySchemes": schemes},
    });
    Document::from_value(value).unwrap()
}

fn source(samples: &[OperationSamples], language: Language) -> &str {
    &samples[0].samples.iter().find(|sample| sample.language == language).unwrap().source
}

#[test]
fn request_of_every_language_has_all_parts() {
    let samples = samples(&document(), &OPTIONS);
    for language in Language::ALL {
        let text = source(&samples, language);
        let id = language.id();
        assert!(text.contains("/v1/books/a%2Fb%20%C3%A9?q=x%26y"), "{id}: {text}");
        assert!(!text.contains("page") && !text.contains("fixed"), "{id}: an optional parameter is sent: {text}");
        assert!(text.contains("BASE_URL") && text.contains("TOKEN"), "{id}: {text}");
        assert!(text.contains("Authorization") || text.contains(".bearer_auth(token)"), "{id}: {text}");
        assert!(text.contains("Idempotency-Key") && text.contains("title"), "{id}: {text}");
        assert!(text.to_uppercase().contains("PATCH"), "{id}: {text}");
        assert!(text.ends_with('\n') && text.lines().all(|line| line.trim_end() == line), "{id}: {text}");
    }
}

#[test]
fn curl_command_is_quoted_for_the_shell() {
    let samples = samples(&document(), &OPTIONS);
    let expected = r#"KEY="$(date +%s)-$$"
curl --fail-with-body "$BASE_URL/v1/books/a%2Fb%20%C3%A9?q=x%26y" \
  -X PATCH \
  -H "Authorization: Bearer $TOKEN" \
  -H "Idempotency-Key: $KEY" \
  --json '{
  "title": "it'\''s \"q\" `b` $x {y} \\n",
  "parts": [
    1,
    null
  ],
  "on": true
}'
"#;
    assert_eq!(source(&samples, Language::Curl), expected);
}

#[test]
fn python_program_has_python_literals() {
    let samples = samples(&document(), &OPTIONS);
    let text = source(&samples, Language::Python);
    assert!(text.contains("    \"parts\": [1, None],\n    \"on\": True,\n}\n"), "{text}");
    assert!(text.contains(r#"it's \"q\" `b` $x {y} \\n"#), "{text}");
}

#[test]
fn go_program_quotes_a_body_with_backticks() {
    let samples = samples(&document(), &OPTIONS);
    assert!(source(&samples, Language::Go).contains("strings.NewReader(\"{\\n  \\\"title\\\""));
}

#[test]
fn operation_without_a_required_example_has_no_samples() {
    let mut value = document().value().clone();
    openapi_fixtures::set(&mut value, "/paths/~1books~1{book_id}/patch/parameters/1/example", Value::Null);
    assert!(samples(&Document::from_value(value).unwrap(), &OPTIONS).is_empty());
    let mut value = document().value().clone();
    openapi_fixtures::set(
        &mut value,
        "/paths/~1books~1{book_id}/patch/requestBody/content/application~1json/example",
        Value::Null,
    );
    assert!(samples(&Document::from_value(value).unwrap(), &OPTIONS).is_empty());
}

#[test]
fn public_documents_have_samples() {
    for (name, text) in openapi_fixtures::PUBLIC {
        let document = Document::from_json(text).unwrap();
        let all = samples(&document, &OPTIONS);
        // The parameters of the GitHub API have no examples.
        assert_eq!(all.is_empty(), name == "github", "{name}");
        for operation in &all {
            let unresolved = operation.samples.iter().find(|sample| {
                let target = sample.source.lines().find(|line| line.contains("/")).unwrap_or_default();
                target.contains("{id}") || target.contains("%7B")
            });
            assert!(unresolved.is_none(), "{name}: {unresolved:?}");
        }
        assert!(with_samples(&document, &all).unresolved_references().is_empty(), "{name}");
    }
}

#[test]
fn overlay_adds_what_the_document_with_samples_contains() {
    let document = Document::from_json(openapi_fixtures::PROJECTS).unwrap();
    let all = samples(&document, &OPTIONS);
    let overlay = overlay(&document, &all, "projects.json");
    assert_eq!((&overlay["overlay"], &overlay["extends"]), (&json!("1.0.0"), &json!("projects.json")));
    let mut value = document.value().clone();
    for action in overlay["actions"].as_array().unwrap() {
        // `$.paths['/projects'].get`
        let target = action["target"].as_str().unwrap();
        let (path, method) = target.strip_prefix("$.paths['").unwrap().rsplit_once("'].").unwrap();
        let operation = value["paths"][path][method].as_object_mut().unwrap();
        operation.extend(action["update"].as_object().unwrap().clone());
    }
    let with_samples = with_samples(&document, &all);
    assert_eq!(value, *with_samples.value());
    assert_eq!(with_samples.to_json(), Document::from_value(value).unwrap().to_json(), "the order of keys");
    assert!(!all.is_empty() && with_samples.value().to_string().matches("x-codeSamples").count() == all.len());
}

#[test]
fn samples_are_limited_to_the_languages_of_the_options() {
    let document = Document::from_json(openapi_fixtures::PROJECTS).unwrap();
    let curl = samples(&document, &SampleOptions { languages: &[Language::Curl], ..OPTIONS });
    let with_curl = with_samples(&document, &curl);
    let all = samples(&with_curl, &OPTIONS);
    // A sample in the document does not change the others, and is replaced.
    assert_eq!(all, samples(&document, &OPTIONS));
    assert_eq!(with_samples(&with_curl, &all), with_samples(&document, &all));
    assert!(curl.iter().zip(&all).all(|(curl, all)| curl.samples[..] == all.samples[..1]));
}
