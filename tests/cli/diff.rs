//! `bucketlist openapi diff` and `lint`, what `openapi check` says of releases, and the page with the policy.

use std::fs;

use contract::{v1, v2};
use serde_json::{Value, json};

use crate::support::{Place, repository};

fn committed() -> Value {
    serde_json::from_str(&fs::read_to_string(repository().join("openapi/v1.json")).unwrap()).unwrap()
}

/// A place with the committed documents, the last of which is changed.
fn place_with(change: impl FnOnce(&mut Value)) -> Place {
    let place = Place::new();
    let mut document = committed();
    place.write("old.json", &document.to_string());
    change(&mut document);
    place.write("new.json", &document.to_string());
    place
}

/// A change of the document, and what is said of it.
type Break = (fn(&mut Value), &'static str);

/// The changes that must never slip through, with what is said of each.
fn breaks() -> Vec<Break> {
    vec![
        (
            |document| {
                let bucketlist = &mut document["components"]["schemas"]["Bucketlist"];
                bucketlist["properties"].as_object_mut().unwrap().shift_remove("items_done").unwrap();
                bucketlist["required"].as_array_mut().unwrap().retain(|name| name != "items_done");
            },
            "breaking: Bucketlist.items_done is no longer returned [response-field-removed]\n",
        ),
        (
            |document| document["paths"]["/bucketlists"]["get"]["operationId"] = json!("getBucketlists"),
            "breaking: the operationId was listBucketlists and is getBucketlists [operation-id-changed]\n  GET /bucketlists\n",
        ),
        (
            |document| {
                let codes = document["components"]["schemas"]["ErrorCode"]["enum"].as_array_mut().unwrap();
                codes.retain(|code| code != "UNKNOWN_FIELD");
            },
            "breaking: ErrorCode no longer has the value UNKNOWN_FIELD [response-enum-narrowed]\n",
        ),
        (
            |document| {
                let parameters = document["paths"]["/bucketlists"]["get"]["parameters"].as_array_mut().unwrap();
                parameters.push(json!({"name": "team", "in": "query", "required": true, "schema": {"type": "string"}}));
            },
            "breaking: team in the query is new and required [parameter-added-required]\n  GET /bucketlists, parameter team\n",
        ),
        (
            |document| {
                let responses = document["paths"]["/bucketlists"]["post"]["responses"].as_object_mut().unwrap();
                let created = responses.shift_remove("201").unwrap();
                responses.insert("200".to_owned(), created);
            },
            "breaking: 201 is answered as 200 [success-status-changed]\n  POST /bucketlists, response 201\n",
        ),
        (
            |document| {
                let name = &mut document["components"]["schemas"]["BucketlistCreate"]["properties"]["name"];
                name["maxLength"] = json!(name["maxLength"].as_i64().unwrap() - 1);
            },
            "[request-bound-narrowed]\n  POST /bucketlists, request body, application/json, name\n",
        ),
    ]
}

#[test]
fn what_breaks_clients_is_said_with_its_place_and_exits_with_4() {
    for (change, said) in breaks() {
        let place = place_with(change);
        let outcome = place.run(&["openapi", "diff", "old.json", "new.json"]).exits(4);
        assert!(outcome.out.contains(said), "{said}: {}", outcome.out);
        assert!(outcome.out.ends_with("1 breaking, 0 additive, 0 neutral.\n"), "{}", outcome.out);
        assert_eq!(outcome.err, "");
    }
}

#[test]
fn a_change_of_many_places_is_said_once() {
    let place = place_with(|document| {
        document["components"]["schemas"]["ErrorCode"]["description"] = json!("A code.");
    });
    let out = place.run(&["openapi", "diff", "old.json", "new.json"]).succeeds();
    let lines: Vec<&str> = out.lines().collect();
    assert_eq!(lines[0], "neutral: description of ErrorCode has changed [text-changed]");
    assert!(lines[1].starts_with("  POST /auth/register, response ") && lines[4].starts_with("  and "), "{out}");
    assert_eq!(lines[5..], ["0 breaking, 0 additive, 1 neutral."]);
}

#[test]
fn machines_read_every_difference_and_get_the_same_exit_code() {
    let (change, _) = breaks()[1];
    let place = place_with(change);
    let outcome = place.run(&["openapi", "diff", "old.json", "new.json", "--format", "json"]).exits(4);
    let expected = json!([{
        "kind": "breaking",
        "rule": "operation-id-changed",
        "operation": "GET /bucketlists",
        "part": "",
        "sentence": "the operationId was listBucketlists and is getBucketlists",
    }]);
    assert_eq!(serde_json::from_str::<Value>(&outcome.out).unwrap(), expected);

    let out = place.run(&["openapi", "diff", "old.json", "old.json", "--format", "json"]).succeeds();
    assert_eq!(serde_json::from_str::<Value>(&out).unwrap(), json!([]));
}

#[test]
fn the_changelog_gets_its_sections() {
    let place = place_with(|document| {
        document["components"]["schemas"]["Bucketlist"]["properties"]["colour"] = json!({"type": "string"});
        document["paths"]["/bucketlists"]["get"]["summary"] = json!("List.");
        document["paths"]["/bucketlists"]["get"]["operationId"] = json!("getBucketlists");
    });
    let outcome = place.run(&["openapi", "diff", "old.json", "new.json", "--format", "markdown"]).exits(4);
    let expected = "### Breaking\n\n\
        - the operationId was listBucketlists and is getBucketlists (`GET /bucketlists`)\n\n\
        ### Added\n\n\
        - Bucketlist.colour is new (`GET /bucketlists`, `POST /bucketlists`, `GET /bucketlists/{bucketlist_id}` and 1 more)\n\n\
        ### Changed\n\n\
        - summary of the operation has changed (`GET /bucketlists`)\n\n";
    assert_eq!(outcome.out, expected);
    let out = place.run(&["openapi", "diff", "old.json", "old.json", "--format", "markdown"]).succeeds();
    assert_eq!(out, "Nothing differs.\n");
}

#[test]
fn what_only_adds_is_no_failure() {
    let place = place_with(|document| {
        document["components"]["schemas"]["Bucketlist"]["properties"]["colour"] = json!({"type": "string"});
    });
    let out = place.run(&["openapi", "diff", "old.json", "new.json"]).succeeds();
    assert!(out.starts_with("additive: Bucketlist.colour is new [response-field-added]\n"), "{out}");
}

#[test]
fn the_documents_do_not_differ_from_themselves() {
    for document in [v1::document::document(), v2::document::document()] {
        assert_eq!(document::diff(document, document), []);
    }
    let files = repository().join("openapi");
    for name in ["v1.json", "v2.json"] {
        let file = files.join(name).to_str().unwrap().to_owned();
        assert_eq!(Place::new().run(&["openapi", "diff", &file, &file]).succeeds(), "Nothing differs.\n");
    }
    // The two versions are not one: the comparison does not call everything equal.
    let found = document::diff(v1::document::document(), v2::document::document());
    assert!(found.iter().any(|one| one.rule == "parameter-removed"), "{found:#?}");
}

/// Every kind of file that is no OpenAPI 3.0 document, with what is said of it.
#[test]
fn files_that_cannot_be_used_are_refused_in_a_sentence() {
    let place = Place::new();
    let good = committed().to_string();
    place.write("good.json", &good);
    place.write("truncated.json", &good[..good.len() / 2]);
    place.write("empty.json", "");
    place.write("text.json", "openapi: 3.0.3\n");
    place.write("list.json", "[]");
    place.write("other.json", r#"{"name": "bucketlist"}"#);
    place.write("swagger.json", r#"{"swagger": "2.0", "info": {}, "paths": {}}"#);
    place.write("3.1.json", r#"{"openapi": "3.1.0", "info": {}, "paths": {}}"#);
    place.write("number.json", r#"{"openapi": 3, "info": {}, "paths": {}}"#);
    place.write("half.json", r#"{"openapi": "3.0.3", "info": {}}"#);
    place.write("twice.json", r#"{"openapi": "3.0.3", "info": {}, "paths": {"/a": {}, "/a": {}}}"#);
    place.write("deep.json", &"[".repeat(100_000));
    let away =
        r#"{"openapi": "3.0.3", "info": {}, "paths": {"/a": {"get": {"responses": {"200": {"$ref": "b.json#/c"}}}}}}"#;
    place.write("away.json", away);
    fs::write(place.path("latin.json"), b"{\"openapi\": \"3.0.3\xe9\"}").unwrap();
    fs::create_dir(place.path("folder.json")).unwrap();
    for (file, said) in [
        ("missing.json", "the file cannot be read: No such file or directory"),
        ("folder.json", "the file cannot be read: Is a directory"),
        ("latin.json", "the file cannot be read: stream did not contain valid UTF-8"),
        ("truncated.json", "the document is not valid JSON: it ends before it is complete"),
        ("empty.json", "the document is not valid JSON: it ends before it is complete"),
        ("text.json", "the document is not valid JSON: "),
        ("list.json", "the document is not a JSON object"),
        ("other.json", "the document has no \"openapi\" field: this is not an OpenAPI document"),
        ("swagger.json", "this is a Swagger 2.0 document; OpenAPI 3.0 is needed"),
        ("3.1.json", "the document says \"openapi\": \"3.1.0\"; only 3.0 is supported"),
        ("number.json", "the document says \"openapi\": 3; only 3.0 is supported"),
        ("half.json", "the document has no \"paths\" object; is the file complete?"),
        ("twice.json", "the document has duplicate keys: /paths/~1a"),
        ("deep.json", "the document is nested more than "),
        ("away.json", "the reference b.json#/c leads nowhere in this file"),
    ] {
        let commands = [&["diff", file, "good.json"][..], &["diff", "good.json", file], &["lint", file]];
        for command in commands {
            let sentence = place.run(&[&["openapi"], command].concat()).fails();
            assert!(sentence.starts_with(&format!("{file}: {said}")), "{sentence}");
        }
    }
}

/// Well-formed where it must be, nonsense everywhere else: nothing to say, and no panic.
#[test]
fn documents_of_nonsense_are_compared_all_the_same() {
    let nonsense = r#"{"openapi": "3.0.3", "info": {}, "servers": 1, "security": {}, "x-webhooks": [],
        "paths": {"/a/{": 5, "/b}": {"parameters": [7], "get": [], "put": {"parameters": {}, "responses": [], "security": [3]},
        "post": {"requestBody": {"content": {"": {"schema": {"type": ["x"], "allOf": 3, "items": [], "required": [1], "enum": 2}}}}}}},
        "components": {"schemas": []}}"#;
    let place = Place::new();
    place.write("nonsense.json", nonsense);
    place.write("good.json", &committed().to_string());
    assert_eq!(place.run(&["openapi", "diff", "nonsense.json", "nonsense.json"]).succeeds(), "Nothing differs.\n");
    let _ = place.run(&["openapi", "diff", "nonsense.json", "good.json"]).exits(4);
    let _ = place.run(&["openapi", "diff", "good.json", "nonsense.json"]).exits(4);
    let _ = place.run(&["openapi", "lint", "nonsense.json"]).exits(4);
}

#[test]
fn lint_says_what_breaks_the_house_rules() {
    let place = place_with(|document| {
        document["paths"]["/bucketlists"]["post"]["operationId"] = json!("listBucketlists");
        document["paths"]["/bucketlists"]["get"]["summary"] = json!("");
    });
    assert_eq!(place.run(&["openapi", "lint", "old.json"]).succeeds(), "old.json keeps the house rules.\n");
    let outcome = place.run(&["openapi", "lint", "new.json"]).exits(4);
    let expected = "operation listBucketlists: has no summary\n\
        operation listBucketlists: has an operationId that another operation has, too\n\
        2 findings.\n";
    assert_eq!((outcome.out.as_str(), outcome.err.as_str()), (expected, ""));
}

/// A place with fresh documents, and a release of v1 from before the change that `breaks` takes back.
fn place_with_release(change: impl FnOnce(&mut Value)) -> Place {
    let place = Place::new();
    let _ = place.run(&["openapi", "write"]).succeeds();
    fs::create_dir(place.path("openapi/released")).unwrap();
    let mut released = committed();
    change(&mut released);
    place.write("openapi/released/v1.json", &released.to_string());
    place
}

#[test]
fn a_check_is_red_when_a_committed_document_breaks_the_release() {
    let place = place_with_release(|released| {
        released["components"]["schemas"]["Bucketlist"]["properties"]["colour"] = json!({"type": "string"});
        released["paths"]["/bucketlists"]["get"]["summary"] = json!("List.");
    });
    let outcome = place.run(&["openapi", "check"]).exits(4);
    let head = "v1.json breaks clients of the release in openapi/released/v1.json:\n\
        breaking: Bucketlist.colour is no longer returned [response-field-removed]\n  ";
    assert!(outcome.out.starts_with(head), "{}", outcome.out);
    // What is harmless is not in the way of what is not.
    assert!(!outcome.out.contains("neutral"), "{}", outcome.out);
    let tail = "Take it back, or make a new version: docs/compatibility.md is the policy.\n";
    assert!(outcome.out.ends_with(tail), "{}", outcome.out);
}

#[test]
fn a_check_is_green_when_the_contract_has_grown_since_the_release() {
    let place = place_with_release(|released| {
        released["paths"].as_object_mut().unwrap().shift_remove("/bucketlists/{bucketlist_id}").unwrap();
    });
    assert_eq!(place.run(&["openapi", "check"]).succeeds(), "The committed documents are what the code says.\n");
}

#[test]
fn a_check_knows_releases_that_are_gone_or_broken() {
    let place = place_with_release(|_| {});
    place.write("openapi/released/v0.json", &committed().to_string());
    let outcome = place.run(&["openapi", "check"]).exits(4);
    assert!(outcome.out.starts_with("v0.json was released and is no longer there.\n"), "{}", outcome.out);

    place.write("openapi/released/v1.json", "");
    let outcome = place.run(&["openapi", "check"]).exits(1);
    assert!(
        outcome.err.starts_with("bucketlist: openapi/released/v1.json: the document is not valid JSON"),
        "{outcome:?}"
    );
}

#[test]
fn the_first_version_has_been_released_and_is_kept() {
    let folder = repository().join("openapi");
    let of = |name: &str| folder.join(name).to_str().unwrap().to_owned();
    let out = Place::new().run(&["openapi", "diff", &of("released/v1.json"), &of("v1.json")]).succeeds();
    assert!(out == "Nothing differs.\n" || out.contains("0 breaking, "), "{out}");
}

/// The page is the policy, and the code does what it says: the same rules, classes and words.
#[test]
fn the_published_policy_is_the_one_that_is_applied() {
    let page = fs::read_to_string(repository().join("docs/compatibility.md")).unwrap();
    let rows: Vec<&str> = page.lines().filter(|line| line.starts_with("| ") && line.ends_with("` |")).collect();
    let rules: Vec<String> = document::RULES
        .iter()
        .map(|rule| format!("| {} | {} | `{}` |", rule.change, rule.kind.name(), rule.id))
        .collect();
    assert_eq!(rows, rules);
    assert!(rows.len() > 70, "{}", rows.len());
}
