#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]
use std::collections::BTreeMap;

use serde_json::{Value, json};

use super::*;

fn document() -> Document {
    Document::from_json(openapi_fixtures::PROJECTS).unwrap()
}

const OPTIONS: CollectionOptions<'_> = CollectionOptions {
    name: "Lists",
    description: "All of it.",
    variables: &[("origin", "http://localhost")],
    base_url: "origin",
    token: "token",
    http_variables: &[("unique", "{{$timestamp}}")],
};

fn options(steps: Vec<Step>) -> FolderOptions<'static> {
    FolderOptions {
        name: "v1",
        before: "first({public});\nsecond();".to_owned(),
        http_before: "client.global.set(\"token\", 1);",
        errors: ErrorShape { code: "/code", request_id: "/request_id", request_id_header: "X-Request-ID" },
        headers: &[("X-Frame-Options", "^DENY$")],
        documented_headers: &[("x-request-id", "^[0-9a-f-]+$")],
        steps,
    }
}

fn steps() -> Vec<Step> {
    vec![
        Step::new("createProject")
            .phase(Phase::SetUp)
            .before("before();")
            .body("/name", "{{unique}}")
            .save("/id", "project_id")
            .save_header("Location", "place")
            .returns("Location", "/v1/projects/{{project_id}}")
            .after("after();")
            .http_after("http_after();"),
        Step::new("listProjects").query("q", "trip").header("X-Undeclared", "1").http_wait(9).http_first(vec![
            Step::new("getProject").expect(ExpectedResponse::Error(404, "PROJECT_NOT_FOUND".to_owned())),
        ]),
        Step::new("deleteProject").phase(Phase::TearDown).token("other"),
        Step::new("getProject").expect(ExpectedResponse::Error(404, "PROJECT_NOT_FOUND".to_owned())),
    ]
}

fn generated(document: &Document, options: &FolderOptions<'_>) -> Value {
    serde_json::from_str(&collection(&OPTIONS, &[Folder { document, options }]).unwrap()).unwrap()
}

fn fixture_collection() -> Value {
    generated(&document(), &options(steps()))
}

/// Every request by its folder and place in it.
fn items(collection: &Value) -> Vec<(String, Value)> {
    let mut found = Vec::new();
    for version in collection["item"].as_array().unwrap() {
        for folder in version["item"].as_array().unwrap() {
            for item in folder["item"].as_array().unwrap() {
                found.push((folder["name"].as_str().unwrap().to_owned(), item.clone()));
            }
        }
    }
    found
}

fn item(collection: &Value, name: &str) -> Value {
    items(collection).into_iter().find(|(_, item)| item["name"] == name).unwrap().1
}

fn script(item: &Value, listen: &str) -> Vec<String> {
    let events = item["event"].as_array().unwrap();
    let event = events.iter().find(|event| event["listen"] == listen).unwrap();
    serde_json::from_value(event["script"]["exec"].clone()).unwrap()
}

#[test]
fn folders_are_ordered_from_set_up_to_tear_down() {
    let collection = fixture_collection();
    let order: Vec<(String, String)> = items(&collection)
        .into_iter()
        .map(|(folder, item)| (folder, item["name"].as_str().unwrap().to_owned()))
        .collect();
    let expected = [
        ("Set up", "Create a project"),
        ("Projects", "List projects"),
        ("Projects", "Fetch a project"),
        ("Projects", "Popular names"),
        ("Tear down", "Delete a project"),
    ];
    assert_eq!(order, expected.map(|(folder, name)| (folder.to_owned(), name.to_owned())));
    assert_eq!(collection["item"][0]["name"], "v1");
    assert_eq!(script(&collection["item"][0], "prerequest"), ["first([\"Popular names\"]);", "second();"]);
    assert_eq!(collection["auth"]["bearer"][0]["value"], "{{token}}");
    assert_eq!(collection["variable"], json!([{"key": "origin", "value": "http://localhost"}]));
}

#[test]
fn request_has_the_example_and_the_values_of_the_step() {
    let collection = fixture_collection();
    let create = &item(&collection, "Create a project")["request"];
    assert_eq!((&create["method"], &create["url"]["raw"]), (&json!("POST"), &json!("{{origin}}/v1/projects")));
    let body: Value = serde_json::from_str(create["body"]["raw"].as_str().unwrap()).unwrap();
    let document = document();
    let example = &document.value()["components"]["schemas"]["ProjectCreate"]["example"];
    assert_eq!(body["name"], "{{unique}}");
    for (name, value) in example.as_object().unwrap() {
        assert!(name == "name" || &body[name] == value, "{name}: {value}");
    }
    // The default authentication is not repeated; a public operation has none.
    assert!(create.get("auth").is_none());
    assert_eq!(item(&collection, "Popular names")["request"]["auth"], json!({"type": "noauth"}));
    assert_eq!(item(&collection, "Delete a project")["request"]["auth"]["bearer"][0]["value"], "{{other}}");

    let fetch = &item(&collection, "Fetch a project")["request"]["url"];
    assert_eq!(fetch["path"], json!(["v1", "projects", ":project_id"]));
    assert_eq!(fetch["variable"][0]["value"], "{{project_id}}");

    let list = &item(&collection, "List projects")["request"]["url"];
    assert_eq!(list["raw"], "{{origin}}/v1/projects?q=trip");
    let sent: BTreeMap<&str, bool> = list["query"]
        .as_array()
        .unwrap()
        .iter()
        .map(|one| (one["key"].as_str().unwrap(), one.get("disabled").is_none()))
        .collect();
    assert!(sent["q"]);
    assert!(!sent["page"], "optional parameters are disabled: {sent:?}");
}

#[test]
fn every_documented_response_is_an_example() {
    let document = document();
    for (_, item) in items(&fixture_collection()) {
        for saved in item["response"].as_array().unwrap() {
            assert!(saved["originalRequest"]["url"].as_str().unwrap().starts_with("{{origin}}/v1/"), "{saved:#}");
            let names: Vec<&Value> = saved["header"].as_array().unwrap().iter().map(|one| &one["key"]).collect();
            assert!(names.contains(&&json!("X-Request-ID")), "{saved:#}");
        }
    }
    let create = item(&fixture_collection(), "Create a project");
    let names: Vec<&str> =
        create["response"].as_array().unwrap().iter().map(|saved| saved["name"].as_str().unwrap()).collect();
    let documented = [
        "201 Created",
        "400 MALFORMED_BODY",
        "401 UNAUTHENTICATED",
        "422 VALIDATION_FAILED",
        "422 KEY_REUSED",
        "500 INTERNAL_ERROR",
    ];
    assert_eq!(names, documented);
    let body: Value = serde_json::from_str(create["response"][0]["body"].as_str().unwrap()).unwrap();
    assert_eq!(&body, document.value().pointer("/components/schemas/Project/example").unwrap());
    let deleted = item(&fixture_collection(), "Delete a project");
    assert_eq!(deleted["response"][0]["body"], Value::Null);
    assert_eq!(deleted["response"][0]["name"], "204 No Content");
}

#[test]
fn tests_cover_status_headers_and_body() {
    let collection = fixture_collection();
    let create = item(&collection, "Create a project");
    assert_eq!(script(&create, "prerequest"), ["before();"]);
    let test = script(&create, "test").join("\n");
    for part in [
        r#"pm.test("createProject: the status is 201", () => { pm.response.to.have.status(201); });"#,
        r#""createProject: Content-Type is application/json""#,
        r#"pm.response.to.have.header("Location");"#,
        r#".to.match(new RegExp("^[0-9a-f-]+$"))"#,
        r#"String(pm.response.headers.get("X-Frame-Options"))).to.match(new RegExp("^DENY$"))"#,
        r##"pm.response.to.have.jsonSchema({"allOf":[{"$ref":"#/definitions/Project"}],"definitions":{"##,
        r#"pm.expect(returned["name"], "name").to.eql(pm.variables.replaceIn("{{unique}}"));"#,
        r#"const value = pm.response.json()["id"];"#,
        r#"const value = pm.response.headers.get("Location");"#,
        r#"pm.variables.replaceIn("/v1/projects/{{project_id}}")"#,
        "if (pm.response.code === 201) {\n    after();\n}",
    ] {
        assert!(test.contains(part), "{part} is not in\n{test}");
    }
    let delete = script(&item(&collection, "Delete a project"), "test").join("\n");
    assert!(
        delete.contains(r#"pm.expect(pm.response.text()).to.be.oneOf(["", "\"\""]);"#)
            && !delete.contains("jsonSchema"),
        "{delete}"
    );
    let failed = script(&item(&collection, "Fetch a project"), "test").join("\n");
    assert!(failed.contains("have.status(404)") && failed.contains(r#"to.equal("PROJECT_NOT_FOUND")"#), "{failed}");
}

#[test]
fn expected_response_depends_on_variables() {
    let expect = ExpectedResponse::SuccessWith {
        variables: vec!["a".to_owned(), "b".to_owned()],
        otherwise: (404, "PROJECT_NOT_FOUND".to_owned()),
    };
    let collection = generated(&document(), &options(vec![Step::new("getProject").expect(expect)]));
    let test = script(&item(&collection, "Fetch a project"), "test");
    let setting = |name: &str| format!("(pm.environment.get(\"{name}\") || pm.collectionVariables.get(\"{name}\"))");
    assert_eq!(test[0], format!("if ({} && {}) {{", setting("a"), setting("b")));
    let otherwise = test.iter().position(|line| line == "} else {").unwrap();
    assert!(test[..otherwise].iter().any(|line| line.contains("have.status(200)")));
    assert!(test[..otherwise].iter().any(|line| line.contains("the ID matches the path")));
    assert!(test[otherwise..].iter().any(|line| line.contains("have.status(404)")));
}

#[test]
fn expected_error_depends_on_variables() {
    let error = |code: &str| (404, code.to_owned());
    let expect = ExpectedResponse::ErrorWith {
        variables: vec!["a".to_owned()],
        error: error("PROJECT_NOT_FOUND"),
        otherwise: error("PROJECT_NOT_FOUND"),
    };
    let collection = generated(&document(), &options(vec![Step::new("getProject").expect(expect)]));
    let test = script(&item(&collection, "Fetch a project"), "test");
    let otherwise = test.iter().position(|line| line == "} else {").unwrap();
    for branch in [&test[..otherwise], &test[otherwise..]] {
        assert!(branch.iter().any(|line| line.contains("have.status(404)")), "{branch:?}");
        assert!(!branch.iter().any(|line| line.contains("have.status(200)")), "{branch:?}");
    }
}

#[test]
fn changed_operation_changes_only_its_item() {
    let before = fixture_collection();
    assert_eq!(before, fixture_collection(), "the output is deterministic");
    let mut value = document().value().clone();
    value["paths"]["/projects/{project_id}"]["get"]["description"] = "Otherwise.".into();
    value["paths"]["/projects/{project_id}"]["get"]["responses"]["200"]["description"] = "Otherwise.".into();
    let after = generated(&Document::from_json(&value.to_string()).unwrap(), &options(steps()));
    let changed: Vec<String> = items(&before)
        .into_iter()
        .zip(items(&after))
        .filter(|(before, after)| before != after)
        .map(|(before, _)| before.1["name"].to_string())
        .collect();
    assert_eq!(changed, ["\"Fetch a project\""]);

    // An added operation does not change the IDs of others.
    value["paths"]["/a"]["get"] = value["paths"]["/projects/popular"]["get"].clone();
    value["paths"]["/a"]["get"]["operationId"] = "another".into();
    let more = generated(&Document::from_json(&value.to_string()).unwrap(), &options(steps()));
    let ids =
        |collection: &Value| items(collection).into_iter().map(|(_, item)| item["id"].to_string()).collect::<Vec<_>>();
    assert!(ids(&after).iter().all(|id| ids(&more).contains(id)));
    assert_eq!(ids(&more).len(), ids(&after).len() + 1);
}

#[test]
fn ids_are_unique() {
    fn collect(value: &Value, found: &mut Vec<String>) {
        match value {
            Value::Object(map) => {
                for key in ["id", "_postman_id"] {
                    found.extend(map.get(key).and_then(Value::as_str).map(str::to_owned));
                }
                map.values().for_each(|inner| collect(inner, found));
            }
            Value::Array(list) => list.iter().for_each(|inner| collect(inner, found)),
            _ => {}
        }
    }
    let mut ids = Vec::new();
    collect(&fixture_collection(), &mut ids);
    let all = ids.len();
    ids.sort();
    ids.dedup();
    assert_eq!(ids.len(), all);
    assert!(all > 20);
}

#[test]
fn steps_that_do_not_match_the_document_are_rejected() {
    let document = document();
    for (step, message) in [
        (Step::new("makeProject"), "the steps of v1 contain the unknown operation makeProject"),
        (
            Step::new("createProject").body("/title", "x"),
            "createProject: the example of the request body has no /title",
        ),
        (
            Step::new("deleteProject").save("/id", "x"),
            "deleteProject: no value can be saved: the success response is not JSON",
        ),
        (
            Step::new("getProject").expect(ExpectedResponse::Error(409, "X".to_owned())),
            "getProject: no response with status 409 is documented",
        ),
        (
            Step::new("getProject").expect(ExpectedResponse::Error(404, "X".to_owned())),
            "getProject: no example X is documented for status 404",
        ),
    ] {
        let options = options(vec![step]);
        let error = collection(&OPTIONS, &[Folder { document: &document, options: &options }]).unwrap_err();
        assert_eq!(error.to_string(), message);
    }
    let mut value = document.value().clone();
    value["components"]["schemas"]["ProjectCreate"].as_object_mut().unwrap().shift_remove("example");
    let document = Document::from_json(&value.to_string()).unwrap();
    let step = Step::new("createProject").body("/name", "x");
    let error = collection(&OPTIONS, &[Folder { document: &document, options: &options(vec![step]) }]).unwrap_err();
    assert_eq!(error.to_string(), "createProject: the request body has no example");
    let (_, create) = items(&generated(&document, &options(Vec::new())))
        .into_iter()
        .find(|(_, item)| item["request"]["method"] == "POST")
        .unwrap();
    assert_eq!(create["request"].get("body"), None);
}

#[test]
fn http_file_has_the_requests_in_the_same_order() {
    let (document, options) = (document(), options(steps()));
    let text = http_file(&OPTIONS, &[Folder { document: &document, options: &options }]).unwrap();
    let requests: Vec<&str> = text
        .lines()
        .filter(|line| ["GET ", "POST ", "DELETE "].iter().any(|method| line.starts_with(method)))
        .collect();
    let expected = [
        "POST {{origin}}/v1/projects",
        // The request that only the `.http` file has.
        "GET {{origin}}/v1/projects/{{project_id}}",
        "GET {{origin}}/v1/projects?q=trip",
        "GET {{origin}}/v1/projects/{{project_id}}",
        "GET {{origin}}/v1/projects/popular",
        "DELETE {{origin}}/v1/projects/{{project_id}}",
    ];
    assert_eq!(requests, expected);
    assert!(text.contains("\n@origin = http://localhost\n"), "{text}");
    assert!(text.contains("\n@unique = {{$timestamp}}\n"), "{text}");
    assert_eq!(text.matches("client.global.set(\"token\", 1);").count(), 1);
    let after = "> {%
  client.test(\"createProject: the status is 201\", function () {
    client.assert([201].includes(response.status), \"the status is \" + response.status);
  });
  if (response.status === 201) {
    client.global.set(\"project_id\", response.body[\"id\"]);
    client.global.set(\"place\", response.headers.valueOf(\"Location\"));
    http_after();
  }
%}
";
    assert!(text.contains(after), "{text}");
    assert!(text.contains("# @name v1_listProjects\n# @sleep 9\nGET "), "{text}");
    assert!(text.contains("[404].includes(response.status)"), "{text}");
    assert!(text.contains("X-Undeclared: 1\n"), "{text}");
    assert!(text.contains("Authorization: Bearer {{other}}\n"), "{text}");
    assert!(text.contains("\"name\": \"{{unique}}\""), "{text}");
}

#[test]
fn archive_has_an_example_of_each_operation() {
    let (document, options) = (document(), options(steps()));
    let text = har(&OPTIONS, &[Folder { document: &document, options: &options }]).unwrap();
    assert_eq!(text, har(&OPTIONS, &[Folder { document: &document, options: &options }]).unwrap());
    let archive: Value = serde_json::from_str(&text).unwrap();
    let entries = archive["log"]["entries"].as_array().unwrap();
    let requests: Vec<String> = entries
        .iter()
        .map(|entry| format!("{} {}", entry["request"]["method"], entry["request"]["url"]).replace('"', ""))
        .collect();
    assert_eq!(requests[0], "POST http://localhost/v1/projects");
    assert!(requests.iter().all(|request| !request.contains('{')), "{requests:?}");
    let created = &entries[0];
    assert_eq!(created["response"]["status"], 201);
    let sent: Value = serde_json::from_str(created["request"]["postData"]["text"].as_str().unwrap()).unwrap();
    assert!(sent["name"].is_string(), "{sent}");
    assert_eq!(created["request"]["bodySize"], created["request"]["postData"]["text"].as_str().unwrap().len());
}

#[test]
fn environment_masks_secrets() {
    let text = environment("local", &[("origin", "http://localhost"), ("password", "")], &["password"]);
    let value: Value = serde_json::from_str(&text).unwrap();
    assert_eq!(
        value["values"],
        json!([
            {"key": "origin", "value": "http://localhost", "type": "default", "enabled": true},
            {"key": "password", "value": "", "type": "secret", "enabled": true},
        ])
    );
}
