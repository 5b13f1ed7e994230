//! Compares the server with the OpenAPI documents, from which the requests are generated: a new operation is covered at
//! once.

use std::{fs, path::Path};

use ::contract::{v1, v2};
use bucketlist::{
    auth::Hasher,
    domain::{Clock, SystemRandom},
    seed::{self, insert_standard},
};
use openapi_model::{BodyError, Operation};

use crate::support::{Actor, Engine, TestApp, TestResponse, Value, documented, json, method, request_schema, resolve};

/// The operations that require no token.
const PUBLIC: [&str; 5] = ["confirmPasswordReset", "login", "refreshSession", "register", "requestPasswordReset"];

/// Returns the path with the parameter examples of the document.
fn example_path(operation: &Operation) -> String {
    let mut path = operation.path.clone();
    for parameter in documented(operation)["parameters"].as_array().into_iter().flatten() {
        if parameter["in"] == "path" {
            let name = parameter["name"].as_str().unwrap();
            path = path.replace(&format!("{{{name}}}"), &parameter["example"].to_string());
        }
    }
    assert!(!path.contains('{'), "{path}");
    path
}

/// Returns the query with the parameter examples of the document.
fn example_query(operation: &Operation) -> String {
    let text = |value: &Value| value.as_str().map_or_else(|| value.to_string(), str::to_owned);
    let parameters = documented(operation)["parameters"].as_array().into_iter().flatten();
    let pairs = parameters
        .filter(|parameter| parameter["in"] == "query")
        .map(|parameter| format!("{}={}", parameter["name"].as_str().unwrap(), text(&parameter["example"])));
    pairs.collect::<Vec<_>>().join("&")
}

/// Sends the request example of an operation.
async fn try_example(operation: &Operation, actor: &Actor<'_>) -> TestResponse {
    let mut request = actor.request(method(operation), &example_path(operation));
    if operation.body().is_some() {
        request = request.json(&request_schema(operation)["example"]);
    }
    request.send().await.any_status()
}

/// Returns an app with the standard seed.
pub async fn seeded(engine: Engine) -> TestApp {
    let app = TestApp::new(engine);
    let hasher = Hasher::new(app.config.passwords).unwrap();
    let mut migrator = app.database.migrator();
    let seeded = insert_standard(migrator.connection(), &hasher, &SystemRandom, "localhost:8000", app.clock.now());
    seeded.unwrap().unwrap();
    app
}

/// Returns a seeded account that may call the operation.
pub async fn seeded_actor<'a>(app: &'a TestApp, operation: &Operation) -> Actor<'a> {
    let credentials = if is_for_admins(operation) {
        json!({"email": seed::ADMIN_EMAIL, "password": seed::ADMIN_PASSWORD})
    } else {
        json!({"email": seed::DEMO_EMAIL, "password": seed::DEMO_PASSWORD})
    };
    let session = app.anonymous().post("/v1/auth/login", &credentials).await.expect(200).json();
    Actor::new(app, Some(session))
}

/// Returns whether only administrators may call it.
pub fn is_for_admins(operation: &Operation) -> bool {
    let is_in_v1 = operation.path.starts_with("/v1/users") && operation.path != "/v1/users/me";
    is_in_v1 || operation.path.starts_with("/v2/admin/")
}

#[test]
fn committed_documents_are_current() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("openapi");
    for (version, document) in [("v1", v1::document()), ("v2", v2::document())] {
        let openapi_3_1 = document.to_openapi_3_1();
        for (end, text) in [
            (".json", document.to_json()),
            (".yaml", document.to_yaml()),
            ("-3.1.json", openapi_3_1.to_json()),
            ("-3.1.yaml", openapi_3_1.to_yaml()),
        ] {
            let name = format!("{version}{end}");
            let committed = fs::read_to_string(folder.join(&name)).unwrap();
            assert!(committed == text, "openapi/{name} is stale: run `cargo run -- openapi write`");
        }
    }
}

#[test]
fn only_these_operations_are_public() {
    for contract in [v1::contract(), v2::contract()] {
        let public = contract.operations().filter(|operation| !operation.is_secured);
        let mut public: Vec<&str> = public.map(|operation| operation.id.as_str()).collect();
        public.sort_unstable();
        assert_eq!(public, PUBLIC);
    }
}

#[test]
fn request_examples_match_their_schemas() {
    for operation in v1::contract().operations() {
        let Some(schema) = operation.body() else { continue };
        let example = &request_schema(operation)["example"];
        assert!(example.is_object(), "{} has no example", operation.id);
        match schema.read(example.to_string().as_bytes()) {
            Ok(read) => assert_eq!(&read, example, "{}: nothing has to be trimmed", operation.id),
            Err(BodyError::Invalid(violations)) => panic!("{}: {violations:?}", operation.id),
            Err(malformed) => panic!("{}: {malformed}", operation.id),
        }
    }
}

both_engines! {
    async fn operations_that_are_not_public_require_a_token(engine: Engine) {
        let app = TestApp::new(engine);
        let anonymous = app.anonymous();
        for operation in v1::contract().operations() {
            let response = try_example(operation, &anonymous).await;
            if PUBLIC.contains(&operation.id.as_str()) {
                assert!(response.is_success() || response.code() != "AUTHENTICATION_REQUIRED", "{response:?}");
                continue;
            }
            assert_eq!((response.status, response.code().as_str()), (401, "AUTHENTICATION_REQUIRED"), "{}", operation.id);
            assert_eq!(response.header("www-authenticate"), "Bearer realm=\"bucketlist\"");
            for credentials in
                ["Bearer", "Bearer ", "Bearer x", "Bearer a.b.c", "Basic YTpi", "bearer nonsense", "\u{e9}"]
            {
                let path = example_path(operation);
                let request = anonymous.request(method(operation), &path).header("authorization", credentials);
                let response = request.send().await.expect_error(401, "INVALID_TOKEN");
                assert_eq!(response.header("www-authenticate"), "Bearer realm=\"bucketlist\", error=\"invalid_token\"");
            }
        }
    }

    async fn parameter_examples_refer_to_sample_data(engine: Engine) {
        let app = seeded(engine).await;
        for operation in v1::contract().operations().filter(|operation| operation.method == "GET") {
            let actor = seeded_actor(&app, operation).await;
            let (path, query) = (example_path(operation), example_query(operation));
            let response = actor.get(&path).await.expect(200);
            if query.is_empty() {
                // The response is equal to its example.
                let schema = &documented(operation)["responses"]["200"]["content"]["application/json"]["schema"];
                assert_eq!(response.json(), resolve(v1::document().value(), schema)["example"], "{}", operation.id);
            } else {
                actor.get(&format!("{path}?{query}")).await.expect(200);
            }
        }
    }

    async fn request_examples_succeed_on_sample_data(engine: Engine) {
        for operation in v1::contract().operations().filter(|operation| operation.method != "GET") {
            let app = seeded(engine).await;
            let actor = if operation.is_secured { seeded_actor(&app, operation).await } else { app.anonymous() };
            let response = try_example(operation, &actor).await;
            match operation.id.as_str() {
                // These tokens cannot be known beforehand.
                "refreshSession" => assert_eq!(response.code(), "INVALID_REFRESH_TOKEN"),
                "confirmPasswordReset" => assert_eq!(response.code(), "INVALID_RESET_TOKEN"),
                _ => assert!(response.is_success(), "{}: {response:?}", operation.id),
            }
        }
    }
}
