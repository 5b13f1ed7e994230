//! `bucketlist postman`.

use std::{collections::BTreeSet, fs};

use contract::{v1, v2};
use openapi_model::Operation;
use serde_json::Value;

use crate::support::{Sandbox, repository_root};

const FILES: [&str; 7] = [
    "collection.json",
    "collection.har",
    "v1.http",
    "v2.http",
    "environments/local.json",
    "environments/staging.json",
    "environments/production.json",
];

fn committed(name: &str) -> String {
    fs::read_to_string(repository_root().join("postman").join(name)).unwrap()
}

fn collection() -> Value {
    serde_json::from_str(&committed("collection.json")).unwrap()
}

/// Returns every request in the folder of a version.
fn items(version: &Value) -> impl Iterator<Item = &Value> {
    version["item"].as_array().unwrap().iter().flat_map(|folder| folder["item"].as_array().unwrap())
}

/// Returns the violations of the document in a saved response.
fn check(operation: &Operation, response: &Value) -> Vec<String> {
    let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
    let headers: Vec<(String, String)> = response["header"]
        .as_array()
        .unwrap()
        .iter()
        .map(|header| (text(&header["key"]), text(&header["value"])))
        .collect();
    operation.check_response(response["code"].as_u64().unwrap() as u16, &headers, text(&response["body"]).as_bytes())
}

#[test]
fn check_exits_with_0_when_the_collection_is_current_and_4_when_stale() {
    let sandbox = Sandbox::new();
    let folder = repository_root().join("postman");
    let fresh = sandbox.run(&["postman", "check", "--dir", folder.to_str().unwrap()]).expect_success();
    assert_eq!(fresh, "collection is current\n");

    let stale = |names: &str| {
        let outcome = sandbox.run(&["postman", "check"]).expect_exit_code(4);
        let expected = format!("{names} in postman is outdated; run `make postman` and commit the result\n");
        assert_eq!((outcome.out, outcome.err), (expected, String::new()));
    };
    stale(&FILES.join(" and "));
    let wrote: String = FILES.iter().map(|name| format!("wrote postman/{name}\n")).collect();
    assert_eq!(sandbox.run(&["postman", "write"]).expect_success(), wrote);
    assert_eq!(sandbox.run(&["postman", "check"]).expect_success(), "collection is current\n");
    for name in FILES {
        assert_eq!(sandbox.read(&format!("postman/{name}")), committed(name), "{name}");
    }
    fs::remove_file(sandbox.path("postman/v2.http")).unwrap();
    stale("v2.http");
}

#[test]
fn unwritable_collection_is_rejected_with_one_error_line() {
    let sandbox = Sandbox::new();
    sandbox.write("file", "");
    let error = sandbox.run(&["postman", "write", "--dir", "file/below"]).expect_error();
    assert!(error.contains("Not a directory"), "{error}");
}

#[test]
fn postman_needs_no_configuration() {
    let sandbox = Sandbox::new().env("PORT", "nonsense").env("DATABASE_URL", "mysql://x");
    sandbox.run(&["postman", "write"]).expect_success();
    assert_eq!(sandbox.read("postman/collection.json"), committed("collection.json"));
    assert!(!sandbox.exists("data"));
}

#[test]
fn collection_contains_every_operation_and_response() {
    let collection = collection();
    for (index, contract) in [v1::contract(), v2::contract()].into_iter().enumerate() {
        let version = &collection["item"][index];
        let requests: Vec<(String, &Value)> = items(version)
            .map(|item| {
                let url = &item["request"]["url"];
                let path: Vec<&str> =
                    url["path"].as_array().unwrap().iter().map(|part| part.as_str().unwrap()).collect();
                (format!("{} /{}", item["request"]["method"].as_str().unwrap(), path.join("/")), item)
            })
            .collect();
        for operation in contract.operations() {
            let path = operation.path.replace('{', ":").replace('}', "");
            let expected = format!("{} {path}", operation.method);
            let found: Vec<&Value> =
                requests.iter().filter(|(name, _)| *name == expected).map(|(_, item)| *item).collect();
            let [item] = found[..] else { panic!("{expected} is in the collection {} times", found.len()) };
            let saved: BTreeSet<u64> =
                item["response"].as_array().unwrap().iter().map(|saved| saved["code"].as_u64().unwrap()).collect();
            let documented: BTreeSet<u64> = operation.statuses().map(u64::from).collect();
            assert_eq!(saved, documented, "{expected}");
            for response in item["response"].as_array().unwrap() {
                let violations = check(operation, response);
                assert!(violations.is_empty(), "{expected}, {}: {violations:#?}", response["name"]);
            }
        }
        assert_eq!(requests.len(), contract.operations().count());
    }
}

/// Bruno's importer adds `await` to requests of scripts, replaces functions of `pm` by its own, and reads only temporary variables with
/// `pm.variables.get`. Insomnia has the functions in the list.
#[test]
fn scripts_use_only_functions_that_bruno_and_insomnia_support() {
    const SUPPORTED: [&str; 15] = [
        "collectionVariables.get(",
        "collectionVariables.set(",
        "environment.get(",
        "execution.setNextRequest(pm.info.requestName)",
        "expect(",
        "info.requestName",
        "response.code",
        "response.headers.get(",
        "response.headers.has(",
        "response.json()",
        "response.text()",
        "response.to.have.",
        "sendRequest(",
        "test(",
        "variables.replaceIn(",
    ];
    fn scripts<'c>(item: &'c Value, found: &mut Vec<Vec<&'c str>>) {
        for event in item["event"].as_array().into_iter().flatten() {
            found.push(event["script"]["exec"].as_array().unwrap().iter().map(|line| line.as_str().unwrap()).collect());
        }
        item["item"].as_array().into_iter().flatten().for_each(|inner| scripts(inner, found));
    }
    let collection = collection();
    let mut found = Vec::new();
    scripts(&collection, &mut found);
    assert!(found.len() > 80);
    for line in found.iter().flatten() {
        for (at, _) in line.match_indices("pm.") {
            let used = &line[at + 3..];
            let is_part_of_a_name = line[..at].ends_with(|before: char| before.is_alphanumeric());
            assert!(is_part_of_a_name || SUPPORTED.iter().any(|known| used.starts_with(known)), "{line}");
        }
        let word = |word: &str| line.split(|c: char| !c.is_alphanumeric()).any(|one| one == word);
        assert!(line.trim_start().starts_with("//") || !word("await"), "{line}");
        if line.contains("pm.sendRequest(") {
            // The statement begins a line, and the callback is not an arrow function.
            assert!(line.trim_start().starts_with("pm.sendRequest("), "{line}");
            assert!(
                line.ends_with("function (error, response) {")
                    || line.ends_with("function (loginError, loginResponse) {")
                    || line.ends_with("({"),
                "{line}"
            );
        }
    }
}

#[test]
fn collection_matches_the_document_and_environments_have_no_secrets() {
    let text = committed("collection.json");
    for word in ["lorem", "<string>", "<integer>", "<uuid>", "localhost:8000/v1"] {
        assert!(!text.to_lowercase().contains(word), "{word}");
    }
    for name in FILES.iter().filter(|name| name.starts_with("environments/")) {
        let environment: Value = serde_json::from_str(&committed(name)).unwrap();
        for variable in environment["values"].as_array().unwrap() {
            let (key, value) = (variable["key"].as_str().unwrap(), variable["value"].as_str().unwrap());
            assert_eq!(value.is_empty(), key != "base_url", "{name}: {key}");
            assert_eq!(variable["type"] == "secret", key.contains("password"), "{name}: {key}");
        }
    }
}

#[test]
fn server_serves_the_collection_and_its_environment() {
    let server = Sandbox::new().env("APP_ENV", "testing").env("PUBLIC_URL", "http://api.example.test:81").serve();
    let response = server.get("/postman/collection.json", None).expect(200);
    assert_eq!(response.body, committed("collection.json"));
    let environment = server.get("/postman/environment.json", None).expect(200).json();
    assert_eq!(environment["name"], "BucketList testing");
    assert_eq!(environment["values"][0]["key"], "base_url");
    assert_eq!(environment["values"][0]["value"], "http://api.example.test:81");
    // The committed files without variables name this server.
    for (name, is_adapted) in [
        ("collection.har", true),
        ("v1.http", true),
        ("v2.http", true),
        ("environments/local.json", false),
        ("environments/staging.json", false),
        ("environments/production.json", false),
    ] {
        let file = committed(name);
        let expected =
            if is_adapted { file.replace("http://localhost:8000", "http://api.example.test:81") } else { file };
        assert_eq!(server.get(&format!("/postman/{name}"), None).expect(200).body, expected, "{name}");
    }
    let document = server.get("/openapi/v2.json", None).expect(200).json();
    assert_eq!(document["servers"][0]["url"], "http://api.example.test:81/v2");
    let home = server.get("/", None).expect(200).body;
    assert!(home.contains("href=\"/postman/collection.json\"") && home.contains("href=\"/postman/environment.json\""));
}
