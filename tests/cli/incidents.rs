//! `bucketlist incidents`: files in, other files out, and replays against servers that are and are not ours.

use std::{
    io::{Read, Write},
    net::TcpListener,
    thread,
};

use ::incidents::{
    Bytes, Principal, Record, Reply, Sent,
    file::{Incidents, parse},
    record::FORMAT,
};
use serde_json::{Value, json};

use crate::support::{MAX_ATTEMPTS, Sandbox, TestResponse, TestServer, connect};

const PASSWORD: &str = "harbour-lantern-42";

/// A request of the user 42, as it would have been captured.
fn record(id: i64, method: &str, target: &str, headers: &[(&str, &str)], body: &Value) -> Record {
    let mut all = vec![("authorization".to_owned(), "Bearer stand-in".to_owned())];
    all.extend(headers.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())));
    all.push(("content-type".to_owned(), "application/json".to_owned()));
    Record {
        format: FORMAT.to_owned(),
        id,
        request_id: format!("request-{id}"),
        trace_id: None,
        received_at: id,
        duration: 1_000,
        server_version: "0.1.0".to_owned(),
        contract: Some("v2".to_owned()),
        operation: None,
        code: None,
        fingerprint: "made by a test".to_owned(),
        principal: Some(Principal { user_id: 42, session_id: 7, role: "user".to_owned() }),
        request: Sent {
            method: method.to_owned(),
            target: target.to_owned(),
            headers: all,
            body: Bytes(if body.is_null() { Vec::new() } else { body.to_string().into_bytes() }),
            truncated: false,
        },
        response: Reply { status: 500, headers: Vec::new(), body: Bytes::default(), truncated: false },
    }
}

fn answered(record: Record, operation: &str, status: u16, body: &Value) -> Record {
    let code = body.pointer("/error/code").or_else(|| body.get("code")).and_then(Value::as_str).map(str::to_owned);
    let response = Reply { status, headers: Vec::new(), body: Bytes(body.to_string().into_bytes()), truncated: false };
    Record { operation: Some(operation.to_owned()), code, response, ..record }
}

/// The body of a failure that the fault switch makes.
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

fn write(sandbox: &Sandbox, name: &str, value: &impl serde::Serialize) {
    sandbox.write(name, &serde_json::to_string(value).unwrap());
}

/// Everything takes one connection and answers the same.
fn stranger(response: &'static str) -> String {
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
fn invalid_incident_is_rejected_with_one_error_line() {
    let sandbox = Sandbox::new();
    let good = record(7, "GET", "/v2/users/me", &[], &Value::Null);
    write(&sandbox, "good.json", &good);
    sandbox.write("broken.json", "{");
    sandbox.write("altered.json", &serde_json::to_string(&good).unwrap().replace("\"text\":\"\"", "\"text\":\"x\""));
    write(&sandbox, "foreign.json", &json!({"info": {"schema": "https://schema.getpostman.com/"}, "item": []}));
    write(&sandbox, "later.json", &json!({"format": "bucketlist-incident/2"}));
    for (file, why) in [
        ("gone.json", "`gone.json` cannot be read: No such file or directory"),
        ("broken.json", "`broken.json` holds no incident: it is not JSON (EOF"),
        ("altered.json", "`altered.json` holds no incident: it is damaged (the body is not the one that was kept"),
        ("foreign.json", "`foreign.json` holds no incident: it is a Postman collection; import it into Postman"),
        ("later.json", "its format is `bucketlist-incident/2`, and this version of bucketlist reads"),
    ] {
        for arguments in [
            &["incidents", "export", "--as", "postman", "good.json", file][..],
            &["incidents", "replay", "--against", "http://127.0.0.1:1", "good.json", file],
            &["incidents", "ratchet", "--title", "x", "--against", "http://127.0.0.1:1", file],
        ] {
            let sentence = sandbox.run(arguments).expect_error();
            assert!(sentence.contains(why), "{sentence}");
        }
    }
    let sentence =
        sandbox.run(&["incidents", "export", "--as", "curl", "--base-url", "$(date)", "good.json"]).expect_error();
    assert!(sentence.starts_with("`$(date)` is no address of a server"), "{sentence}");
    write(&sandbox, "cut.json", &Record { request: Sent { truncated: true, ..good.request.clone() }, ..good });
    let sentence = sandbox.run(&["incidents", "export", "--as", "curl", "cut.json"]).expect_error();
    assert_eq!(sentence, "only the first 0 bytes of the body of incident 7 were kept: it cannot be sent again");
}

#[test]
fn binary_body_is_written_to_a_separate_file() {
    let sandbox = Sandbox::new();
    let mut binary = record(7, "POST", "/v2/bucketlists", &[], &Value::Null);
    binary.request.body = Bytes(b"\xff\x00".to_vec());
    write(&sandbox, "incident.json", &binary);
    let sentence = sandbox.run(&["incidents", "export", "incident.json", "--as", "postman"]).expect_error();
    assert!(
        sentence.starts_with("the collection needs incident-7.body beside it: name a file with --out"),
        "{sentence}"
    );
    let arguments = ["incidents", "export", "incident.json", "--as", "postman", "--out", "x.json"];
    assert_eq!(sandbox.run(&arguments).expect_success(), "wrote incident-7.body\nwrote x.json\n");
    assert_eq!(std::fs::read(sandbox.path("incident-7.body")).unwrap(), b"\xff\x00");
    let arguments = ["incidents", "export", "incident.json", "--as", "postman", "--out", "gone/x.json"];
    assert!(
        sandbox.run(&arguments).expect_error().starts_with("`gone/incident-7.body` cannot be written: No such file")
    );
    for target in ["curl", "har"] {
        let text = sandbox.run(&["incidents", "export", "incident.json", "--as", target]).expect_success();
        assert!(text.contains("/wA="), "{text}");
    }
}

#[test]
fn unreachable_or_foreign_server_is_reported() {
    let sandbox = Sandbox::new().env("REPLAY_PASSWORD", PASSWORD);
    write(&sandbox, "incident.json", &record(7, "GET", "/v2/users/me", &[], &Value::Null));
    let replay = |url: &str, more: &[&str]| {
        let arguments = ["incidents", "replay", "incident.json", "--against", url];
        sandbox.run(&[&arguments[..], more].concat()).expect_error()
    };
    let gone = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
    let sentence = replay(&format!("http://{gone}"), &[]);
    assert!(sentence.starts_with(&format!("http://{gone} cannot be reached: Connection refused")), "{sentence}");
    for (response, why) in [
        (
            "HTTP/1.1 404 Not Found\r\nContent-Length: 0\r\n\r\n",
            "is no BucketList server: /version is answered with 404",
        ),
        (
            "HTTP/1.1 200 OK\r\nContent-Length: 6\r\n\r\n<html>",
            "is no BucketList server: /version says nothing in JSON",
        ),
        ("HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\n{}", "is no BucketList server: /version names no contract v2"),
        ("220 mail.example.com ESMTP\r\n", "answered is no HTTP: invalid HTTP version"),
        ("", "cannot be reached: the connection was closed without a response"),
    ] {
        let sentence = replay(&stranger(response), &[]);
        assert!(sentence.contains(why), "{response}: {sentence}");
    }
    let sentence = replay("https://api.example.com", &[]);
    assert!(sentence.ends_with("https://api.example.com is another machine: add --yes if you mean it"), "{sentence}");
    let sandbox = Sandbox::new();
    write(&sandbox, "incident.json", &record(7, "GET", "/v2/users/me", &[], &Value::Null));
    let arguments =
        ["incidents", "replay", "incident.json", "--against", "http://127.0.0.1:1", "--as", "a@example.com"];
    assert_eq!(sandbox.run(&arguments).expect_error(), "set REPLAY_PASSWORD to the password of a@example.com");
}

both_engines! {
    fn incident_can_be_replayed_bisected_and_verified(engine: Engine) {
        let sandbox = Sandbox::on(engine).env("APP_ENV", "testing").env("RATE_LIMIT", "off");
        let server = sandbox.serve();
        let failure = failure(&server);
        // The list 7 and the item 42 are not there: they are made for the replay.
        let body = json!({"name": "{{title}}", "due_on": null, "done": true, "description": null});
        let put = record(1, "PUT", "/v2/bucketlists/7/items/42", &[("x-fault", "internal")], &body);
        let broken = answered(put.clone(), "replaceItem", 500, &failure);
        write(&sandbox, "broken.json", &broken);
        let mut mended = broken.clone();
        mended.request.headers.retain(|(name, _)| name != "x-fault");
        write(&sandbox, "mended.json", &mended);
        let url = server.url();
        let replay = |file: &str, expect: &str, more: &[&str]| {
            let arguments = ["incidents", "replay", file, "--against", &url, "--expect", expect];
            sandbox.run(&[&arguments[..], more].concat())
        };

        let text = replay("broken.json", "reproduced", &[]).expect_success();
        assert!(text.contains("1         replaceItem  500 INTERNAL_ERROR  500 INTERNAL_ERROR  as captured"), "{text}");
        assert!(text.ends_with("1 of 1 reproduced.\n"), "{text}");
        let text = replay("broken.json", "fixed", &[]).expect_exit_code(4).out;
        assert!(text.ends_with("0 of 1 fixed.\n"), "{text}");
        let text = replay("mended.json", "fixed", &[]).expect_success();
        assert!(text.contains("500 INTERNAL_ERROR  200  fixed") && text.ends_with("1 of 1 fixed.\n"), "{text}");
        let text = replay("mended.json", "reproduced", &["--format", "json"]).expect_exit_code(4).out;
        let report: Value = serde_json::from_str(&text).unwrap();
        assert_eq!(report["outcomes"][0]["differences"][0], json!({"place": "status", "captured": "500", "now": "200"}));
        assert_eq!((&report["total"], &report["as_asked"]), (&json!(1), &json!(0)));

        // Whoever was made for it is gone, with all they had.
        let admin = sandbox.run_with(&["user", "create", "admin@example.com", "--admin", "--password-stdin"], PASSWORD);
        assert_eq!(admin.code, Some(0), "{admin:?}");
        let login = json!({"email": "admin@example.com", "password": PASSWORD});
        let session = server.post("/v2/auth/login", None, &login).expect(200).json();
        let users = server.get("/v2/admin/users?q=replay", session["access_token"].as_str()).expect(200).json();
        assert_eq!(users["data"], json!([]));

        let ratchet = |file: &str| {
            sandbox.run(&["incidents", "ratchet", file, "--title", "An item's name in {braces}", "--folder", "kept", "--against", &url])
        };
        let text = ratchet("broken.json").expect_exit_code(4).out;
        assert!(text.ends_with("Nothing is kept: only what is fixed can stay fixed.\n"), "{text}");
        assert!(!sandbox.exists("kept"));
        let kept = "kept/an-item-s-name-in-braces.json";
        assert_eq!(ratchet("mended.json").expect_success(), format!("wrote {kept}: `make replay` keeps it fixed.\n"));
        assert!(ratchet("mended.json").expect_error().starts_with(&format!("`{kept}` is kept already")));
        replay(kept, "fixed", &[]).expect_success();
        let Incidents::Kept(mut back) = parse(sandbox.read(kept).as_bytes()).unwrap() else { panic!("it is kept") };
        assert_eq!((back.expect[0].status, &back.records[..]), (200, &[mended][..]));
        // It comes back: the run is not green any more.
        back.records[0].request.headers.push(("x-fault".to_owned(), "panic".to_owned()));
        write(&sandbox, "back.json", &back);
        let text = replay("back.json", "fixed", &[]).expect_exit_code(4).out;
        assert!(text.contains("as captured"), "{text}");
        server.stop();
    }

    fn replayed_flow_uses_the_ids_it_created(engine: Engine) {
        let sandbox = Sandbox::on(engine)
            .env("APP_ENV", "testing")
            .env("RATE_LIMIT", "off")
            .env("REPLAY_PASSWORD", PASSWORD);
        let server = sandbox.serve();
        let failure = failure(&server);
        let token = server.register("ada@example.com");
        // The ids of this server are not those of the server where it was captured.
        server.post("/v2/bucketlists", Some(&token), &json!({"name": "Mine"})).expect(201);
        let list = json!({"id": 7, "name": "x", "description": null, "items_total": 0, "items_done": 0, "items": null,
            "created_at": "2026-01-01T00:00:00.000000Z", "updated_at": "2026-01-01T00:00:00.000000Z", "_links": {}});
        let mut first = answered(
            record(1, "POST", "/v2/bucketlists", &[], &json!({"name": "x"})), "createBucketlist", 201, &list,
        );
        first.response.headers = vec![
            ("location".to_owned(), "/v2/bucketlists/7".to_owned()),
            ("etag".to_owned(), "\"captured-tag-of-the-list\"".to_owned()),
        ];
        let change = [("if-match", "\"captured-tag-of-the-list\"")];
        let mut renamed = list.clone();
        renamed["name"] = json!("y");
        let second = answered(
            record(2, "PUT", "/v2/bucketlists/7", &change, &json!({"name": "y", "description": null})), "replaceBucketlist", 200, &renamed,
        );
        let third = answered(
            record(3, "POST", "/v2/bucketlists/7/items", &[("x-fault", "query")], &json!({"name": "z"})), "createItem", 500, &failure,
        );
        let fourth = answered(record(4, "DELETE", "/v2/bucketlists/7", &[], &Value::Null), "deleteBucketlist", 204, &Value::Null);
        let fourth = Record { response: Reply { body: Bytes::default(), ..fourth.response.clone() }, ..fourth };
        // One by one and out of order: the session makes a flow of them.
        let files = ["3.json", "1.json", "4.json", "2.json"];
        for (file, one) in files.iter().zip([&third, &first, &fourth, &second]) {
            write(&sandbox, file, one);
        }
        let url = server.url();
        let arguments = [&["incidents", "replay"][..], &files, &["--against", &url, "--as", "ada@example.com"]].concat();
        let text = sandbox.run(&arguments).expect_success();
        assert!(text.ends_with("4 of 4 reproduced.\n"), "{text}");
        let lists = server.get("/v2/bucketlists", Some(&token)).expect(200).json();
        assert_eq!(lists["data"].as_array().unwrap().len(), 1, "{lists}");

        // What was not there stays away; what a token was refused for is refused again.
        let missing = server.get("/v2/bucketlists/999", Some(&token)).expect(404).json();
        let missing = answered(record(5, "GET", "/v2/bucketlists/999", &[], &Value::Null), "getBucketlist", 404, &missing);
        let refused = server.get("/v2/users/me", Some("stand-in")).expect(401).json();
        let refused = answered(record(6, "GET", "/v2/users/me", &[], &Value::Null), "getMe", 401, &refused);
        write(&sandbox, "5.json", &missing);
        write(&sandbox, "6.json", &Record { principal: None, ..refused });
        let text = sandbox.run(&["incidents", "replay", "5.json", "6.json", "--against", &url]).expect_success();
        assert!(text.ends_with("2 of 2 reproduced.\n"), "{text}");

        // An administrator is never somebody else.
        let principal = Principal { user_id: 1, session_id: 1, role: "admin".to_owned() };
        write(&sandbox, "7.json", &Record { principal: Some(principal), ..missing });
        let sentence = sandbox.run(&["incidents", "replay", "7.json", "--against", &url]).expect_error();
        assert!(sentence.contains("name the account that stands for them with --as-admin"), "{sentence}");
        let sandbox = sandbox.env("REPLAY_PASSWORD", "wrong-password-1");
        let sentence = sandbox.run(&["incidents", "replay", "5.json", "--against", &url, "--as", "ada@example.com"]).expect_error();
        assert!(sentence.ends_with("does not let ada@example.com log in: 401 INVALID_CREDENTIALS"), "{sentence}");
        server.stop();
    }

    fn stored_incident_is_selected_by_id_or_request_id(engine: Engine) {
        let sandbox = Sandbox::on(engine).env("APP_ENV", "testing").env("RATE_LIMIT", "off");
        let server = sandbox.serve();
        let failure = failure(&server);
        let request_id = failure["request_id"].as_str().unwrap().to_owned();
        // It is kept after it was answered.
        let list = || sandbox.run(&["incidents", "list", "--format", "json"]).expect_success();
        let kept = (0..MAX_ATTEMPTS).map(|_| list()).find(|text| text.contains(&request_id)).expect("it is kept");
        let id = serde_json::from_str::<Value>(kept.lines().next().unwrap()).unwrap()["id"].to_string();
        let by_request = sandbox.run(&["incidents", "export", &request_id, "--as", "curl"]).expect_success();
        assert_eq!(sandbox.run(&["incidents", "export", &id, "--as", "curl"]).expect_success(), by_request);
        assert!(by_request.contains("-H 'x-fault: internal'"), "{by_request}");
        let url = server.url();
        let text = sandbox.run(&["incidents", "replay", &id, "--against", &url]).expect_success();
        assert!(text.contains("500 INTERNAL_ERROR  500 INTERNAL_ERROR  as captured"), "{text}");
        let text = sandbox.run(&["incidents", "replay", "--all", "--against", &url]).expect_success();
        assert!(text.contains(&format!("\n{id} ")) && text.ends_with(" reproduced.\n"), "{text}");
        let sentence = sandbox.run(&["incidents", "replay", "no-such-request", "--against", &url]).expect_error();
        assert!(sentence.starts_with("there is no incident `no-such-request`: it has expired"), "{sentence}");
        server.stop();
    }
}
