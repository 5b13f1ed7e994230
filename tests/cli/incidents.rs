//! `bucketlist incidents`: incident files, exports, and replays against BucketList and other servers.

use std::{
    io::{Read, Write},
    net::TcpListener,
    thread,
};

use ::incidents::{
    CapturedApiClient, CapturedBody, CapturedRequest, CapturedResponse, ContractVersion, IncidentRecord, Principal,
    PrincipalRole,
    file::{IncidentFile, parse},
    record::FORMAT,
};
use bucketlist::db::schema::incident_groups;
use diesel::prelude::*;
use serde_json::{Value, json};

use crate::support::{MAX_ATTEMPTS, Sandbox, TestResponse, TestServer, connect};

const PASSWORD: &str = "harbour-lantern-42";

/// Returns the record of a request of user 42.
fn record(id: i64, method: &str, target: &str, headers: &[(&str, &str)], body: &Value) -> IncidentRecord {
    let mut all = vec![("authorization".to_owned(), "Bearer placeholder".to_owned())];
    all.extend(headers.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())));
    all.push(("content-type".to_owned(), "application/json".to_owned()));
    IncidentRecord {
        format: FORMAT.to_owned(),
        id,
        request_id: format!("request-{id}"),
        trace_id: None,
        received_at: id,
        duration: 1_000,
        server_version: "0.1.0".to_owned(),
        contract: Some(ContractVersion::V2),
        operation: None,
        code: None,
        fingerprint: "test".to_owned(),
        principal: Some(Principal { user_id: 42, session_id: Some(7), role: PrincipalRole::User, api_client: None }),
        placeholders: Vec::new(),
        request: CapturedRequest {
            method: method.to_owned(),
            target: target.to_owned(),
            headers: all,
            body: CapturedBody(if body.is_null() { Vec::new() } else { body.to_string().into_bytes() }),
            truncated: false,
        },
        response: CapturedResponse {
            status: 500,
            headers: Vec::new(),
            body: CapturedBody::default(),
            truncated: false,
        },
    }
}

/// Returns the record with another response.
fn with_response(record: IncidentRecord, operation: &str, status: u16, body: &Value) -> IncidentRecord {
    let code = body.pointer("/error/code").or_else(|| body.get("code")).and_then(Value::as_str).map(str::to_owned);
    let response = CapturedResponse {
        status,
        headers: Vec::new(),
        body: CapturedBody(body.to_string().into_bytes()),
        truncated: false,
    };
    IncidentRecord { operation: Some(operation.to_owned()), code, response, ..record }
}

/// Sends a request with the fault switch. Returns the body of the error response.
fn failure(server: &TestServer) -> Value {
    let token = server.register("grace@example.com");
    let mut stream = connect(server.address).unwrap();
    let head = format!(
        "GET /v2/users/me HTTP/1.1\r\nHost: {}\r\nConnection: close\r\nAuthorization: Bearer {token}\r\nX-Fault: internal\r\n\r\n",
        server.address
    );
    stream.write_all(head.as_bytes()).unwrap();
    TestResponse::read(stream).unwrap().expect(500).json()
}

/// Sends a request that creates a bucketlist, with these headers.
fn create_bucketlist(server: &TestServer, headers: &str) -> TestResponse {
    let body = r#"{"name": "See the world"}"#;
    let mut stream = connect(server.address).unwrap();
    let request = format!(
        "POST /v2/bucketlists HTTP/1.1\r\nHost: {}\r\nConnection: close\r\n{headers}\r\nContent-Type: application/json\r\n\
         Content-Length: {}\r\n\r\n{body}",
        server.address,
        body.len()
    );
    stream.write_all(request.as_bytes()).unwrap();
    TestResponse::read(stream).unwrap()
}

fn write(sandbox: &Sandbox, name: &str, value: &impl serde::Serialize) {
    sandbox.write(name, &serde_json::to_string(value).unwrap());
}

/// Starts a server that sends the same bytes on every connection. Returns its URL.
fn serve_bytes(response: &'static str) -> String {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let url = format!("http://{}", listener.local_addr().unwrap());
    thread::spawn(move || {
        for stream in listener.incoming() {
            let mut stream = stream.unwrap();
            let mut buffer = [0; 4096];
            let _ = stream.read(&mut buffer);
            let _ = stream.write_all(response.as_bytes());
        }
    });
    url
}

#[test]
fn invalid_incident_files_are_rejected_with_a_reason() {
    let sandbox = Sandbox::new();
    let valid = record(7, "GET", "/v2/users/me", &[], &Value::Null);
    write(&sandbox, "good.json", &valid);
    sandbox.write("broken.json", "{");
    sandbox.write("altered.json", &serde_json::to_string(&valid).unwrap().replace("\"text\":\"\"", "\"text\":\"x\""));
    write(&sandbox, "foreign.json", &json!({"info": {"schema": "https://schema.getpostman.com/"}, "item": []}));
    write(&sandbox, "later.json", &json!({"format": "bucketlist-incident/2"}));
    for (file, expected) in [
        ("gone.json", "cannot read `gone.json`: No such file or directory"),
        ("broken.json", "`broken.json` is not an incident file: invalid JSON (EOF"),
        ("altered.json", "`altered.json` is not an incident file: invalid record (the body does not match its SHA-256"),
        ("foreign.json", "`foreign.json` is not an incident file: it is a Postman collection; import it into Postman"),
        ("later.json", "format `bucketlist-incident/2` is not supported; this version reads"),
    ] {
        for arguments in [
            &["incidents", "export", "--format", "postman", "good.json", file][..],
            &["incidents", "replay", "--against", "http://127.0.0.1:1", "good.json", file],
            &["incidents", "add-test", "--title", "x", "--against", "http://127.0.0.1:1", file],
        ] {
            let error = sandbox.run(arguments).expect_error();
            assert!(error.contains(expected), "{error}");
        }
    }
    let error =
        sandbox.run(&["incidents", "export", "--format", "curl", "--base-url", "$(date)", "good.json"]).expect_error();
    assert!(error.contains("invalid server URL `$(date)`"), "{error}");
    let truncated = CapturedRequest { truncated: true, ..valid.request.clone() };
    write(&sandbox, "truncated.json", &IncidentRecord { request: truncated, ..valid });
    let error = sandbox.run(&["incidents", "export", "--format", "curl", "truncated.json"]).expect_error();
    assert!(
        error.contains("incident 7 has only the first 0 bytes of the request body and cannot be sent again"),
        "{error}"
    );
}

#[test]
fn binary_body_is_written_to_a_file_next_to_the_collection() {
    let sandbox = Sandbox::new();
    let mut binary = record(7, "POST", "/v2/bucketlists", &[], &Value::Null);
    binary.request.body = CapturedBody(b"\xff\x00".to_vec());
    write(&sandbox, "incident.json", &binary);
    let error = sandbox.run(&["incidents", "export", "incident.json", "--format", "postman"]).expect_error();
    assert!(error.contains("the collection refers to incident-7.body") && error.contains("--out"), "{error}");
    let arguments = ["incidents", "export", "incident.json", "--format", "postman", "--out", "x.json"];
    assert_eq!(sandbox.run(&arguments).expect_success(), "wrote incident-7.body\nwrote x.json\n");
    assert_eq!(std::fs::read(sandbox.path("incident-7.body")).unwrap(), b"\xff\x00");
    let arguments = ["incidents", "export", "incident.json", "--format", "postman", "--out", "gone/x.json"];
    assert!(sandbox.run(&arguments).expect_error().contains("cannot write `gone/incident-7.body`: no such file"));
    for target in ["curl", "har"] {
        let text = sandbox.run(&["incidents", "export", "incident.json", "--format", target]).expect_success();
        assert!(text.contains("/wA="), "{text}");
    }
}

#[test]
fn unreachable_and_other_servers_are_reported() {
    let sandbox = Sandbox::new().env("REPLAY_PASSWORD", PASSWORD);
    write(&sandbox, "incident.json", &record(7, "GET", "/v2/users/me", &[], &Value::Null));
    let replay = |url: &str, more: &[&str]| {
        let arguments = ["incidents", "replay", "incident.json", "--against", url];
        sandbox.run(&[&arguments[..], more].concat()).expect_error()
    };
    let closed_address = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
    let error = replay(&format!("http://{closed_address}"), &[]);
    assert!(error.contains(&format!("cannot connect to http://{closed_address}: Connection refused")), "{error}");
    for (response, expected) in [
        (
            "HTTP/1.1 404 Not Found\r\nContent-Length: 0\r\n\r\n",
            "is not a BucketList server: GET /version returned 404",
        ),
        (
            "HTTP/1.1 200 OK\r\nContent-Length: 6\r\n\r\n<html>",
            "is not a BucketList server: GET /version returned no JSON",
        ),
        (
            "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\n{}",
            "is not a BucketList server: GET /version does not list the contract v2",
        ),
        ("220 mail.example.com ESMTP\r\n", "sent an invalid HTTP response: invalid HTTP version"),
        ("", "the connection was closed without a response"),
    ] {
        let error = replay(&serve_bytes(response), &[]);
        assert!(error.contains(expected), "{response}: {error}");
    }
    let error = replay("https://api.example.com", &[]);
    assert!(error.contains("https://api.example.com is on another machine") && error.contains("--yes"), "{error}");
    let sandbox = Sandbox::new();
    write(&sandbox, "incident.json", &record(7, "GET", "/v2/users/me", &[], &Value::Null));
    let arguments =
        ["incidents", "replay", "incident.json", "--against", "http://127.0.0.1:1", "--user", "a@example.com"];
    let error = sandbox.run(&arguments).expect_error();
    assert!(error.contains("the password of a@example.com is missing"), "{error}");
    assert!(error.contains("set REPLAY_PASSWORD"), "{error}");
}

both_engines! {
    fn failure_is_reproduced_fixed_and_saved_as_a_regression_test(engine: Engine) {
        let sandbox = Sandbox::on(engine).env("APP_ENV", "testing").env("RATE_LIMIT", "off");
        let server = sandbox.serve();
        let failure = failure(&server);
        // Bucketlist 7 and item 42 do not exist. The replay creates them.
        let body = json!({"name": "{{title}}", "due_on": null, "done": true, "description": null});
        let put = record(1, "PUT", "/v2/bucketlists/7/items/42", &[("x-fault", "internal")], &body);
        let broken = with_response(put.clone(), "replaceItem", 500, &failure);
        write(&sandbox, "broken.json", &broken);
        let mut fixed = broken.clone();
        fixed.request.headers.retain(|(name, _)| name != "x-fault");
        write(&sandbox, "fixed.json", &fixed);
        let url = server.url();
        let replay = |file: &str, expect: &str, more: &[&str]| {
            let arguments = ["incidents", "replay", file, "--against", &url, "--expect", expect];
            sandbox.run(&[&arguments[..], more].concat())
        };

        let text = replay("broken.json", "reproduced", &[]).expect_success();
        assert!(text.contains("1         replaceItem  500 INTERNAL_ERROR  500 INTERNAL_ERROR  reproduced"), "{text}");
        assert!(text.ends_with("1 of 1 reproduced.\n"), "{text}");
        let text = replay("broken.json", "fixed", &[]).expect_exit_code(4).out;
        assert!(text.ends_with("0 of 1 fixed.\n"), "{text}");
        let text = replay("fixed.json", "fixed", &[]).expect_success();
        assert!(text.contains("500 INTERNAL_ERROR  200       fixed") && text.ends_with("1 of 1 fixed.\n"), "{text}");
        let text = replay("fixed.json", "reproduced", &["--format", "json"]).expect_exit_code(4).out;
        let report: Value = serde_json::from_str(&text).unwrap();
        assert_eq!(report["outcomes"][0]["differences"][0], json!({"location": "status", "captured": "500", "replayed": "200"}));
        assert_eq!((&report["total"], &report["as_expected"]), (&json!(1), &json!(0)));

        // The account that was registered for the replay is deleted.
        let admin = sandbox.run_with(&["user", "create", "admin@example.com", "--admin", "--password-stdin"], PASSWORD);
        assert_eq!(admin.code, Some(0), "{admin:?}");
        let login = json!({"email": "admin@example.com", "password": PASSWORD});
        let session = server.post("/v2/auth/login", None, &login).expect(200).json();
        let users = server.get("/v2/admin/users?q=replay", session["access_token"].as_str()).expect(200).json();
        assert_eq!(users["data"], json!([]));

        let add_test = |file: &str| {
            sandbox.run(&["incidents", "add-test", file, "--title", "An item's name in {braces}", "--dir", "regressions", "--against", &url])
        };
        let text = add_test("broken.json").expect_exit_code(4).out;
        assert!(text.ends_with("No regression test was written: not all incidents are fixed.\n"), "{text}");
        assert!(!sandbox.exists("regressions"));
        let path = "regressions/an-item-s-name-in-braces.json";
        assert_eq!(add_test("fixed.json").expect_success(), format!("wrote {path}; `make replay` runs it\n"));
        assert!(add_test("fixed.json").expect_error().contains(&format!("`{path}` already exists")));
        replay(path, "fixed", &[]).expect_success();
        let IncidentFile::RegressionTest(mut test) = parse(sandbox.read(path).as_bytes()).unwrap() else {
            panic!("not a regression test")
        };
        assert_eq!((test.expect[0].status, &test.records[..]), (200, &[fixed][..]));
        // The failure occurs again: the regression test fails.
        test.records[0].request.headers.push(("x-fault".to_owned(), "panic".to_owned()));
        write(&sandbox, "regressed.json", &test);
        let text = replay("regressed.json", "fixed", &[]).expect_exit_code(4).out;
        assert!(text.contains("reproduced"), "{text}");
        server.stop();
    }

    fn session_is_replayed_with_the_resources_it_created(engine: Engine) {
        let sandbox = Sandbox::on(engine)
            .env("APP_ENV", "testing")
            .env("RATE_LIMIT", "off")
            .env("REPLAY_PASSWORD", PASSWORD);
        let server = sandbox.serve();
        let failure = failure(&server);
        let token = server.register("ada@example.com");
        // The IDs on this server differ from the captured ones.
        server.post("/v2/bucketlists", Some(&token), &json!({"name": "Mine"})).expect(201);
        let list = json!({"id": 7, "name": "x", "description": null, "items_total": 0, "items_done": 0, "items": null,
            "created_at": "2026-01-01T00:00:00.000000Z", "updated_at": "2026-01-01T00:00:00.000000Z", "_links": {}});
        let mut first = with_response(
            record(1, "POST", "/v2/bucketlists", &[], &json!({"name": "x"})), "createBucketlist", 201, &list,
        );
        first.response.headers = vec![
            ("location".to_owned(), "/v2/bucketlists/7".to_owned()),
            ("etag".to_owned(), "\"captured-etag-of-the-list\"".to_owned()),
        ];
        let change = [("if-match", "\"captured-etag-of-the-list\"")];
        let mut renamed = list.clone();
        renamed["name"] = json!("y");
        let second = with_response(
            record(2, "PUT", "/v2/bucketlists/7", &change, &json!({"name": "y", "description": null})), "replaceBucketlist", 200, &renamed,
        );
        let third = with_response(
            record(3, "POST", "/v2/bucketlists/7/items", &[("x-fault", "query")], &json!({"name": "z"})), "createItem", 500, &failure,
        );
        let fourth = with_response(record(4, "DELETE", "/v2/bucketlists/7", &[], &Value::Null), "deleteBucketlist", 204, &Value::Null);
        let fourth = IncidentRecord { response: CapturedResponse { body: CapturedBody::default(), ..fourth.response.clone() }, ..fourth };
        // Single files in any order are grouped by session.
        let files = ["3.json", "1.json", "4.json", "2.json"];
        for (file, record) in files.iter().zip([&third, &first, &fourth, &second]) {
            write(&sandbox, file, record);
        }
        let url = server.url();
        let arguments = [&["incidents", "replay"][..], &files, &["--against", &url, "--user", "ada@example.com"]].concat();
        let text = sandbox.run(&arguments).expect_success();
        assert!(text.ends_with("4 of 4 reproduced.\n"), "{text}");
        let lists = server.get("/v2/bucketlists", Some(&token)).expect(200).json();
        assert_eq!(lists["data"].as_array().unwrap().len(), 1, "{lists}");

        // A missing resource is not created, and an unauthenticated request sends the placeholder.
        let missing = server.get("/v2/bucketlists/999", Some(&token)).expect(404).json();
        let missing = with_response(record(5, "GET", "/v2/bucketlists/999", &[], &Value::Null), "getBucketlist", 404, &missing);
        let rejected = server.get("/v2/users/me", Some("placeholder")).expect(401).json();
        let rejected = with_response(record(6, "GET", "/v2/users/me", &[], &Value::Null), "getMe", 401, &rejected);
        write(&sandbox, "5.json", &missing);
        write(&sandbox, "6.json", &IncidentRecord { principal: None, ..rejected });
        let text = sandbox.run(&["incidents", "replay", "5.json", "6.json", "--against", &url]).expect_success();
        assert!(text.ends_with("2 of 2 reproduced.\n"), "{text}");

        // Requests of administrators need an administrator account.
        let principal = Principal { user_id: 1, session_id: Some(1), role: PrincipalRole::Admin, api_client: None };
        write(&sandbox, "7.json", &IncidentRecord { principal: Some(principal), ..missing });
        let error = sandbox.run(&["incidents", "replay", "7.json", "--against", &url]).expect_error();
        assert!(error.contains("name an administrator account with --admin"), "{error}");
        let sandbox = sandbox.env("REPLAY_PASSWORD", "wrong-password-1");
        let error = sandbox.run(&["incidents", "replay", "5.json", "--against", &url, "--user", "ada@example.com"]).expect_error();
        assert!(error.contains("as ada@example.com: 401 INVALID_CREDENTIALS"), "{error}");
        server.stop();
    }

    fn request_of_an_api_client_is_replayed_with_a_key_of_the_same_scopes(engine: Engine) {
        let sandbox = Sandbox::on(engine)
            .env("APP_ENV", "testing")
            .env("RATE_LIMIT", "off")
            .env("INCIDENTS", "4xx,5xx")
            .env("REPLAY_PASSWORD", PASSWORD)
            .env("REPLAY_ADMIN_PASSWORD", PASSWORD);
        let server = sandbox.serve();
        let (user, admin) = (server.register("ada@example.com"), server.create_admin(&sandbox));
        let create = ["api-client", "create", "Reader", "--user", "ada@example.com", "--scope", "read"];
        let created = sandbox.run(&create).expect_success();
        let key = created.trim_end().rsplit(' ').next().unwrap();
        let url = server.url();
        let headers = [format!("X-API-Key: {key}"), format!("Authorization: Bearer {key}")];
        for (headers, sent, not_sent) in [(&headers[0], "x-api-key", "authorization"), (&headers[1], "authorization", "x-api-key")] {
            let rejected = create_bucketlist(&server, headers).expect(403).json();
            assert_eq!(rejected["code"], "INSUFFICIENT_SCOPE");
            let request_id = rejected["request_id"].as_str().unwrap();
            // Incidents are stored after the response was sent.
            let show = || sandbox.run(&["incidents", "show", request_id, "--format", "json"]);
            let stored = (0..MAX_ATTEMPTS).map(|_| show()).find(|output| output.code == Some(0)).expect("the incident is stored");
            let record: IncidentRecord = serde_json::from_str(&stored.out).unwrap();
            let client = CapturedApiClient { id: 1, scopes: vec!["read".to_owned()] };
            assert_eq!(record.principal.as_ref().unwrap().api_client, Some(client));
            let text = sandbox.run(&["incidents", "show", request_id]).expect_success();
            assert!(text.contains("API client 1 of user "), "{text}");
            let curl = sandbox.run(&["incidents", "export", request_id, "--format", "curl"]).expect_success();
            assert!(curl.contains(&format!("-H '{sent}: ")) && !curl.contains(not_sent) && curl.contains("${API_KEY:?"), "{curl}");

            // Without an administrator, the request is not sent.
            let replay = |source: &str, expect: &str, more: &[&str]| {
                let arguments = ["incidents", "replay", source, "--against", &url, "--expect", expect];
                sandbox.run(&[&arguments[..], more].concat())
            };
            for expect in ["fixed", "reproduced"] {
                let text = replay(request_id, expect, &[]).expect_exit_code(4).out;
                assert!(text.contains("not sent") && text.contains("was captured from an API client"), "{text}");
            }
            let replayers = [&["--admin", "admin@example.com"][..], &["--admin", "admin@example.com", "--user", "ada@example.com"]];
            for replayer in replayers {
                let text = replay(request_id, "reproduced", replayer).expect_success();
                assert!(text.ends_with("1 of 1 reproduced.\n"), "{text}");
                let text = replay(request_id, "fixed", replayer).expect_exit_code(4).out;
                assert!(text.ends_with("0 of 1 fixed.\n"), "{text}");
            }

            // A version that did not store scopes captured the request.
            let principal = record.principal.clone().map(|principal| Principal { api_client: None, ..principal });
            write(&sandbox, "old.json", &IncidentRecord { principal, ..record.clone() });
            let text = replay("old.json", "fixed", replayers[1]).expect_exit_code(4).out;
            assert!(text.contains("not sent") && text.contains("did not store its scopes"), "{text}");
            // A key that was not checked.
            let response = CapturedResponse { status: 503, ..record.response.clone() };
            write(&sandbox, "unchecked.json", &IncidentRecord { principal: None, response, ..record });
            let text = replay("unchecked.json", "fixed", replayers[1]).out;
            assert_eq!(text.contains("before its API key was checked"), sent == "x-api-key", "{text}");
        }
        // Nothing was created, and the replay has deleted its API clients and accounts.
        assert_eq!(server.get("/v2/bucketlists", Some(&user)).expect(200).json()["data"], json!([]));
        let clients = server.get("/v2/admin/api-clients", Some(&admin)).expect(200).json();
        assert_eq!(clients["data"].as_array().unwrap().len(), 1, "{clients}");
        let users = server.get("/v2/admin/users?q=replay", Some(&admin)).expect(200).json();
        assert_eq!(users["data"], json!([]));
        server.stop();
    }

    fn what_replayed_requests_create_is_deleted(engine: Engine) {
        let sandbox = Sandbox::on(engine)
            .env("APP_ENV", "testing")
            .env("RATE_LIMIT", "off")
            .env("REQUIRE_IF_MATCH", "on")
            .env("REPLAY_PASSWORD", PASSWORD)
            .env("REPLAY_ADMIN_PASSWORD", PASSWORD);
        let server = sandbox.serve();
        let failure = failure(&server);
        let (user, admin) = (server.register("ada@example.com"), server.create_admin(&sandbox));
        let users = || server.get("/v2/admin/users", Some(&admin)).expect(200).json()["data"].as_array().unwrap().len();
        let before = users();
        let url = server.url();
        let replay = |file: &str| {
            let accounts = ["--user", "ada@example.com", "--admin", "admin@example.com"];
            sandbox.run(&[&["incidents", "replay", file, "--against", &url, "--expect", "fixed"][..], &accounts].concat())
        };
        // The account can be registered again: the second replay has the same outcome.
        for path in ["/v1/auth/register", "/v2/auth/register", "/auth/register"] {
            let body = json!({"email": "new@example.com", "password": PASSWORD, "name": "New"});
            let mut registration = with_response(record(1, "POST", path, &[], &body), "register", 500, &failure);
            registration.principal = None;
            registration.request.headers.retain(|(name, _)| name != "authorization");
            write(&sandbox, "register.json", &registration);
            for _ in 0..2 {
                let text = replay("register.json").expect_success();
                assert!(text.contains("201") && text.ends_with("1 of 1 fixed.\n"), "{text}");
                assert_eq!(users(), before, "{path}");
            }
        }
        // Accounts of the server stay, but not what the requests have created for them.
        for (file, path) in [("v1.json", "/v1/bucketlists"), ("v2.json", "/v2/bucketlists")] {
            write(&sandbox, file, &with_response(record(1, "POST", path, &[], &json!({"name": "x"})), "createBucketlist", 500, &failure));
        }
        let batch = json!({"items": [{"name": "a"}, {"name": "b"}]});
        let list = server.post("/v2/bucketlists", Some(&user), &json!({"name": "Mine"})).expect(201).json();
        let items = format!("/v2/bucketlists/{}/items", list["id"]);
        write(&sandbox, "batch.json", &with_response(record(1, "POST", &format!("{items}/batch"), &[], &batch), "createItems", 500, &failure));
        let client = json!({"name": "Sync", "contact_email": "a@example.com", "scopes": ["read"]});
        let mut client = with_response(record(1, "POST", "/v2/admin/api-clients", &[], &client), "createApiClient", 500, &failure);
        client.principal = Some(Principal { user_id: 1, session_id: Some(1), role: PrincipalRole::Admin, api_client: None });
        write(&sandbox, "client.json", &client);
        for file in ["v1.json", "v2.json", "batch.json", "client.json"] {
            let text = replay(file).expect_success();
            assert!(text.contains("201") && text.ends_with("1 of 1 fixed.\n"), "{text}");
        }
        let lists = server.get("/v2/bucketlists", Some(&user)).expect(200).json();
        assert_eq!(lists["data"].as_array().unwrap().len(), 1, "{lists}");
        assert_eq!(server.get(&items, Some(&user)).expect(200).json()["data"], json!([]));
        assert_eq!(server.get("/v2/admin/api-clients", Some(&admin)).expect(200).json()["data"], json!([]));

        // A request for an API client of another server does not change one with the same ID.
        let mine = json!({"name": "Mine", "contact_email": "a@example.com", "scopes": ["read"]});
        let mine = server.post("/v2/admin/api-clients", Some(&admin), &mine).expect(201).json();
        let path = format!("/v2/admin/api-clients/{}", mine["id"]);
        let mut delete = with_response(record(1, "DELETE", &path, &[("if-match", "*")], &Value::Null), "deleteApiClient", 500, &failure);
        delete.principal = client.principal;
        write(&sandbox, "delete.json", &delete);
        let text = replay("delete.json").expect_success();
        assert!(text.contains("204"), "{text}");
        let clients = server.get("/v2/admin/api-clients", Some(&admin)).expect(200).json();
        assert_eq!(clients["data"].as_array().unwrap().len(), 1, "{clients}");
        assert_eq!(clients["data"][0]["id"], mine["id"]);
        server.stop();
    }

    fn stored_incidents_are_found_by_id_and_request_id(engine: Engine) {
        let sandbox = Sandbox::on(engine).env("APP_ENV", "testing").env("RATE_LIMIT", "off");
        let server = sandbox.serve();
        let failure = failure(&server);
        let request_id = failure["request_id"].as_str().unwrap().to_owned();
        // Incidents are stored after the response was sent.
        let list = || sandbox.run(&["incidents", "list", "--format", "json"]).expect_success();
        let stored = (0..MAX_ATTEMPTS).map(|_| list()).find(|text| text.contains(&request_id)).expect("the incident is stored");
        let id = serde_json::from_str::<Value>(&stored).unwrap()[0]["id"].to_string();
        let by_request = sandbox.run(&["incidents", "export", &request_id, "--format", "curl"]).expect_success();
        assert_eq!(sandbox.run(&["incidents", "export", &id, "--format", "curl"]).expect_success(), by_request);
        assert!(by_request.contains("-H 'x-fault: internal'"), "{by_request}");
        let url = server.url();
        let text = sandbox.run(&["incidents", "replay", &id, "--against", &url]).expect_success();
        assert!(text.contains("500 INTERNAL_ERROR  500 INTERNAL_ERROR  reproduced"), "{text}");
        // More incidents than a batch has. A replay on the same server stores new ones, which are not replayed.
        for _ in 0..7 {
            sandbox.execute(
                "INSERT INTO incidents (group_id, user_id, request_id, method, contract, duration, server_version, key_id, record, \
                 created_at, expires_at) SELECT group_id, user_id, request_id, method, contract, duration, server_version, \
                 key_id, record, created_at, expires_at FROM incidents",
            );
        }
        let text = sandbox.run(&["incidents", "replay", "--all", "--against", &url]).expect_success();
        let rows = text.lines().filter(|line| line.contains("getMe")).count();
        assert!(text.contains(&format!("\n{id} ")) && rows >= 128, "{text}");
        assert!(text.ends_with(&format!("{rows} of {rows} reproduced.\n")), "{text}");
        let error = sandbox.run(&["incidents", "replay", "no-such-request", "--against", &url]).expect_error();
        assert!(error.contains("incident `no-such-request` does not exist or has expired"), "{error}");
        server.stop();
    }

    fn incidents_are_read_and_replayed_in_batches(engine: Engine) {
        const BATCH_SIZE: i64 = 100;
        let sandbox = Sandbox::on(engine).env("APP_ENV", "testing").env("RATE_LIMIT", "off");
        let server = sandbox.serve();
        failure(&server);
        // The last incidents are stored before the server stops.
        server.stop();
        let columns = "group_id, user_id, request_id, method, contract, duration, server_version, record, created_at, expires_at";
        for _ in 0..7 {
            sandbox.execute(&format!("INSERT INTO incidents ({columns}) SELECT {columns} FROM incidents"));
        }
        // The last incident cannot be read.
        sandbox.execute("UPDATE incidents SET key_id = 'unknown' WHERE id = (SELECT max(id) FROM incidents)");
        let server = sandbox.serve();
        let error = sandbox.run(&["incidents", "replay", "--all", "--against", &server.url()]).expect_error();
        assert!(error.starts_with("cannot read incident 128: "), "{error}");
        server.stop();
        let occurrences: i64 =
            incident_groups::table.select(incident_groups::occurrences).first(sandbox.migrator().connection()).unwrap();
        assert_eq!(occurrences, 1 + BATCH_SIZE, "incidents before the last batch are replayed");
    }
}
