//! Problem details (RFC 9457): one format for all errors outside `/v1`, with a page for each type.

use std::collections::BTreeSet;

use ::contract::{ErrorCode, problem};
use poem::http::Method;

use super::operations::ResourceIds;
use crate::support::{Actor, TestApp, TestResponse, UncheckedResponse, Value, json};

const FIELDS: [&str; 9] =
    ["type", "title", "status", "detail", "instance", "code", "request_id", "retry_after", "errors"];

type Pairs<'a> = &'a [(&'a str, &'a str)];

/// Actor, method, path, headers and body of a request; status and code of its response.
type Provoked<'a> = (&'a Actor<'a>, &'a str, &'a str, Pairs<'a>, &'a str, u16, &'a str);

/// Asserts that a response is a complete problem of this status and code.
#[track_caller]
fn expect_problem(response: UncheckedResponse, status: u16, code: &str) -> TestResponse {
    let response = response.expect_error(status, code);
    assert_eq!(response.header("content-type"), "application/problem+json");
    let body = response.json();
    let fields: Vec<&String> = body.as_object().unwrap().keys().collect();
    assert_eq!(fields, FIELDS, "{body}");
    let code = ErrorCode::ALL.iter().find(|known| known.as_str() == code).unwrap();
    assert_eq!((code.status(), &body["status"]), (status, &json!(status)));
    assert_eq!(body["type"], problem::page_path(*code));
    assert_eq!(body["title"], code.title(), "the title does not depend on the request");
    assert_ne!(body["title"], body["detail"]);
    assert!(body["detail"].as_str().is_some_and(|detail| detail.len() > 10), "{body}");
    let path: String = response.path.split('?').next().unwrap().chars().take(8192).collect();
    assert_eq!(body["instance"], path);
    assert_eq!(body["request_id"], response.header("x-request-id"));
    assert!(body["errors"].is_array(), "{body}");
    assert_eq!(response.headers.contains_key("www-authenticate"), status == 401);
    assert_eq!(response.headers.contains_key("allow"), status == 405);
    assert_eq!(response.headers.get("retry-after").cloned(), body["retry_after"].as_i64().map(|wait| wait.to_string()));
    response
}

fn locations(list: &[(&str, &str)]) -> Vec<(String, String)> {
    list.iter().map(|(location, code)| ((*location).to_owned(), (*code).to_owned())).collect()
}

/// Returns the only element of `errors`.
fn single_error(response: &TestResponse) -> Value {
    let errors = response.json()["errors"].as_array().unwrap().clone();
    assert_eq!(errors.len(), 1, "{errors:?}");
    errors[0].clone()
}

async fn send(actor: &Actor<'_>, method: &str, path: &str, headers: &[(&str, &str)], body: &[u8]) -> UncheckedResponse {
    let mut request = actor.request(method.parse().unwrap(), path).header("content-type", "application/json");
    for (name, value) in headers {
        request = request.header(name, value);
    }
    request.bytes(body).send().await
}

both_engines! {
    async fn every_problem_has_the_same_format_and_a_page(engine: Engine) {
        let app = TestApp::builder().engine(engine).config(|config| config.limits.body_bytes = 4096).build();
        let (admin, user, disabled) = (app.admin().await, app.user().await, app.user().await);
        let anonymous = app.anonymous();
        let ids = ResourceIds::create(&user).await;
        let list = format!("/v2/bucketlists/{}", ids.list);
        user.create_bucketlist("Other").await;
        let accounts = "/v2/admin/users";
        admin.patch(&format!("{accounts}/{}", disabled.id()), &json!({"disabled": true})).await.expect(200);
        send(&user, "POST", "/v2/bucketlists", &[("idempotency-key", "k")], b"{\"name\":\"Once\"}").await.expect(201);

        let login = |email: &str, password: &str| json!({"email": email, "password": password}).to_string();
        let wrong_password = login(&user.email(), "harbour-lantern-43");
        let locked = login(&disabled.email(), Actor::PASSWORD);
        let change = json!({"current_password": "harbour-lantern-43", "new_password": "marble-kettle-77"}).to_string();
        let taken = json!({"email": admin.email(), "current_password": Actor::PASSWORD}).to_string();
        let reset = json!({"token": "x".repeat(43), "new_password": "marble-kettle-77"}).to_string();
        let (deep, large) = (format!("{}1{}", "[".repeat(40), "]".repeat(40)), "x".repeat(5000));
        let (long, heavy) = (format!("/v2/{}", "x".repeat(9000)), "x".repeat(17_000));
        let last = format!("{accounts}/{}", admin.id());
        let items = format!("{list}/items");
        let batch = json!({"items": vec![json!({"name": "x"}); 1001]}).to_string();
        let table: &[Provoked<'_>] = &[
            (&user, "POST", "/v2/bucketlists", &[], "{", 400, "MALFORMED_JSON"),
            (&user, "PUT", &list, &[], "{\"name\":\"a\",\"name\":\"a\"}", 400, "DUPLICATE_KEY"),
            (&user, "POST", &items, &[], &deep, 400, "JSON_TOO_DEEP"),
            (&user, "GET", "/v2/bucketlists?cursor=nonsense", &[], "", 400, "INVALID_CURSOR"),
            (&user, "GET", "/v2/search?q=a&cursor=nonsense", &[], "", 400, "INVALID_CURSOR"),
            (&user, "GET", "/v2/auth/sessions?cursor=nonsense", &[], "", 400, "INVALID_CURSOR"),
            (&user, "DELETE", &list, &[("if-match", "nonsense")], "", 400, "INVALID_HEADER"),
            (&user, "POST", "/v2/bucketlists", &[("idempotency-key", "a b")], "{}", 400, "INVALID_HEADER"),
            (&anonymous, "GET", "/v2/users/me", &[], "", 401, "AUTHENTICATION_REQUIRED"),
            (&anonymous, "GET", "/v2/users/me", &[("authorization", "Bearer x")], "", 401, "INVALID_TOKEN"),
            (&anonymous, "POST", "/v2/auth/login", &[], &wrong_password, 401, "INVALID_CREDENTIALS"),
            (&anonymous, "POST", "/v2/auth/refresh", &[], "{\"refresh_token\":\"x\"}", 401, "INVALID_REFRESH_TOKEN"),
            (&user, "GET", accounts, &[], "", 403, "FORBIDDEN"),
            (&anonymous, "POST", "/v2/auth/login", &[], &locked, 403, "ACCOUNT_DISABLED"),
            (&user, "GET", "/v2/nope", &[], "", 404, "ROUTE_NOT_FOUND"),
            (&user, "GET", "/v2", &[], "", 404, "ROUTE_NOT_FOUND"),
            (&user, "POST", "/v2/bucketlists/", &[], "{", 404, "ROUTE_NOT_FOUND"),
            (&user, "GET", "/v2/users", &[], "", 404, "ROUTE_NOT_FOUND"),
            (&user, "BREW", "/v2/coffee", &[], "", 404, "ROUTE_NOT_FOUND"),
            (&user, "GET", "/nope", &[], "", 404, "ROUTE_NOT_FOUND"),
            (&user, "GET", "/v20/bucketlists", &[], "", 404, "ROUTE_NOT_FOUND"),
            (&user, "GET", "/v2/bucketlists/999999", &[], "", 404, "BUCKETLIST_NOT_FOUND"),
            (&user, "GET", &format!("{items}/999999"), &[], "", 404, "ITEM_NOT_FOUND"),
            (&admin, "GET", "/v2/admin/users/999999", &[], "", 404, "USER_NOT_FOUND"),
            (&user, "DELETE", "/v2/auth/sessions/999999", &[], "", 404, "SESSION_NOT_FOUND"),
            (&user, "PUT", "/v2/bucketlists", &[], "", 405, "METHOD_NOT_ALLOWED"),
            (&user, "BREW", "/v2/search", &[], "", 405, "METHOD_NOT_ALLOWED"),
            (&user, "POST", "/version", &[], "", 405, "METHOD_NOT_ALLOWED"),
            (&user, "GET", "/v2/bucketlists", &[("accept", "image/png")], "", 406, "NOT_ACCEPTABLE"),
            (&user, "GET", "/bucketlists", &[("accept-version", "7")], "", 406, "UNSUPPORTED_VERSION"),
            (&user, "PATCH", "/v2/users/me", &[], &taken, 409, "EMAIL_TAKEN"),
            (&user, "POST", "/v2/bucketlists", &[], "{\"name\":\"Other\"}", 409, "BUCKETLIST_NAME_TAKEN"),
            (&user, "PUT", &list, &[], "{\"name\":\"Other\"}", 409, "BUCKETLIST_NAME_TAKEN"),
            (&admin, "DELETE", &last, &[], "", 409, "LAST_ADMIN"),
            (&user, "DELETE", &list, &[("if-match", "\"other\"")], "", 412, "PRECONDITION_FAILED"),
            (&user, "POST", &items, &[], &large, 413, "PAYLOAD_TOO_LARGE"),
            (&user, "POST", &format!("{items}/batch"), &[], &batch, 413, "PAYLOAD_TOO_LARGE"),
            (&user, "GET", &long, &[], "", 414, "URI_TOO_LONG"),
            (&user, "POST", &items, &[("content-type", "text/xml")], "{}", 415, "UNSUPPORTED_MEDIA_TYPE"),
            (&user, "PATCH", &list, &[("content-type", "text/plain")], "{}", 415, "UNSUPPORTED_MEDIA_TYPE"),
            (&user, "POST", &items, &[("content-encoding", "gzip")], "{}", 415, "UNSUPPORTED_MEDIA_TYPE"),
            (&user, "GET", "/v2/search", &[], "", 422, "VALIDATION_FAILED"),
            (&user, "POST", &items, &[], "{\"name\":\"a\\u0000b\"}", 422, "VALIDATION_FAILED"),
            (&user, "POST", &items, &[], "{\"name\":\"a\",\"id\":1}", 422, "UNKNOWN_FIELD"),
            (&user, "GET", "/v2/users/me?a=1", &[], "", 422, "UNKNOWN_PARAMETER"),
            (&user, "PUT", "/v2/auth/password", &[], &change, 422, "WRONG_PASSWORD"),
            (&anonymous, "POST", "/v2/auth/password-reset/confirm", &[], &reset, 422, "INVALID_RESET_TOKEN"),
            (&user, "POST", "/v2/bucketlists", &[("idempotency-key", "k")], "{\"name\":\"Two\"}", 422, "IDEMPOTENCY_KEY_REUSED"),
            (&user, "GET", "/v2/users/me", &[("x-filler", &heavy)], "", 431, "HEADERS_TOO_LARGE"),
            (&user, "GET", "/nope", &[("x-filler", &heavy)], "", 431, "HEADERS_TOO_LARGE"),
        ];
        let mut types = BTreeSet::new();
        for (actor, method, path, headers, body, status, code) in table {
            let response = expect_problem(send(actor, method, path, headers, body.as_bytes()).await, *status, code);
            types.insert((response.json()["type"].as_str().unwrap().to_owned(), *code));
        }
        expect_problem(send(&user, "POST", &items, &[], b"{\"name\":\"\xff\"}").await, 400, "INVALID_UTF8");
        types.insert(("/problems/invalid-utf8".to_owned(), "INVALID_UTF8"));
        assert!(types.len() > 30, "{types:?}");
        for (page, code) in types {
            let response = anonymous.get(&page).await.expect(200);
            assert_eq!(response.header("content-type"), "text/html; charset=utf-8");
            assert!(String::from_utf8(response.body).unwrap().contains(code), "{page}");
        }
        let read = user.get(&list).await.expect(200).json();
        assert_eq!((&read["name"], &read["items_total"]), (&json!("See the world"), &json!(1)), "the request changed the bucketlist");
    }

    async fn server_errors_are_problem_details(engine: Engine) {
        let app = TestApp::builder().engine(engine).config(|config| {
            config.limits.rate_limit = true;
            config.limits.search_per_minute = 1;
            config.responses.requires_if_match = true;
        }).build();
        let user = app.user().await;
        let path = format!("/v2/bucketlists/{}", user.create_bucketlist("a").await);
        expect_problem(user.delete(&path).await, 428, "PRECONDITION_REQUIRED");
        expect_problem(user.put(&path, &json!({"name": "b"})).await, 428, "PRECONDITION_REQUIRED");
        assert_eq!(user.get(&path).await.expect(200).json()["name"], "a");
        user.get("/v2/search?q=a").await.expect(200);
        let rejected = expect_problem(user.get("/v2/search?q=a").await, 429, "RATE_LIMIT_EXCEEDED");
        assert!(rejected.json()["retry_after"].as_i64().unwrap() > 0);
        app.execute("DROP TABLE search_index");
        app.execute("DROP TABLE items");
        let failed = expect_problem(user.get(&format!("{path}/items")).await, 500, "INTERNAL_ERROR").json();
        let constant = json!(ErrorCode::InternalError.message());
        assert_eq!((&failed["detail"], &failed["errors"]), (&constant, &json!([])));
        app.app.readiness.drain();
        expect_problem(app.anonymous().get("/health/ready").await, 503, "SERVICE_UNAVAILABLE");
    }

    async fn violations_have_a_location(engine: Engine) {
        let app = TestApp::new(engine);
        let user = app.user().await;
        let ids = ResourceIds::create(&user).await;
        let list = format!("/v2/bucketlists/{}", ids.list);
        let null = json!(null);

        let body = user.post(&format!("{list}/items"), &json!({"name": 1})).await;
        let error = single_error(&expect_problem(body, 422, "VALIDATION_FAILED"));
        assert_eq!((&error["pointer"], &error["parameter"], &error["header"]), (&json!("/name"), &null, &null));
        assert!(error["detail"].as_str().is_some_and(|detail| !detail.is_empty()));
        let error = single_error(&expect_problem(user.post("/v2/bucketlists", &json!([])).await, 422, "VALIDATION_FAILED"));
        assert_eq!((&error["pointer"], &error["parameter"], &error["header"]), (&json!(""), &null, &null));
        for path in ["/v2/bucketlists?per_page=0", "/v2/bucketlists/0?include=items", "/v2/search?q=%00"] {
            let error = single_error(&expect_problem(user.get(path).await, 422, "VALIDATION_FAILED"));
            assert!(error["parameter"].is_string(), "{error}");
            assert_eq!((&error["pointer"], &error["header"]), (&null, &null), "{path}");
        }
        for (method, header, value) in
            [("GET", "If-None-Match", "nonsense"), ("DELETE", "If-Match", "\"open"), ("PUT", "If-Match", "W/")]
        {
            let response = send(&user, method, &list, &[(header, value)], b"{\"name\":\"x\"}").await;
            let error = single_error(&expect_problem(response, 400, "INVALID_HEADER"));
            let expected = (&null, &null, &json!(header), &json!("INVALID_FORMAT"));
            assert_eq!((&error["pointer"], &error["parameter"], &error["header"], &error["code"]), expected);
        }
        // Violations of query and body are listed together.
        let path = format!("{list}/items?color=1");
        let body = json!({"name": "", "due_on": "never", "done": 0, "b": 1});
        let mut found = expect_problem(user.post(&path, &body).await, 422, "VALIDATION_FAILED").details();
        found.sort();
        let expected = [
            ("/b", "UNKNOWN_FIELD"),
            ("/done", "WRONG_TYPE"),
            ("/due_on", "INVALID_FORMAT"),
            ("/name", "TOO_SHORT"),
            ("color", "UNKNOWN_PARAMETER"),
        ];
        assert_eq!(found, locations(&expected));
        assert_eq!(user.get(&list).await.expect(200).json()["items_total"], 1);
    }

    async fn all_invalid_list_parameters_are_listed(engine: Engine) {
        let app = TestApp::new(engine);
        let admin = app.admin().await;
        let ids = ResourceIds::create(&admin).await;
        let items = format!("/v2/bucketlists/{}/items", ids.list);
        let all = ["/v2/bucketlists", &items, "/v2/admin/users"];
        let table: &[(&[&str], &str, Pairs<'_>)] = &[
            (&all, "per_page=0", &[("per_page", "TOO_SMALL")]),
            (&all, "per_page=2147483648", &[("per_page", "TOO_LARGE")]),
            (&all, "per_page=a", &[("per_page", "WRONG_TYPE")]),
            (&all, "page=1", &[("page", "UNKNOWN_PARAMETER")]),
            (&all, "sort=id", &[("sort", "INVALID_FORMAT")]),
            (&all, "sort=name%3B%20DROP%20TABLE%20items", &[("sort", "TOO_LONG")]),
            (&all, "sort=-", &[("sort", "INVALID_FORMAT")]),
            (&all, "sort=name&sort=name", &[("sort", "REPEATED")]),
            (&all, "created_after=yesterday", &[("created_after", "INVALID_FORMAT")]),
            (&all, "include=everything", &[("include", "NOT_ALLOWED")]),
            (&all, "include=total&include=everything", &[("include", "NOT_ALLOWED")]),
            (&all, "q=%ff", &[("q", "INVALID_CHARACTERS")]),
            (&[&items], "done=maybe", &[("done", "WRONG_TYPE")]),
            (&[&items], "due_before=2027-02-30", &[("due_before", "INVALID_FORMAT")]),
            (&[&items], "include=items", &[("include", "NOT_ALLOWED")]),
            (&["/v2/admin/users"], "role=god", &[("role", "NOT_ALLOWED")]),
            (&["/v2/admin/users"], "disabled=1", &[("disabled", "WRONG_TYPE")]),
            (&all, "per_page=0&sort=id&a=1", &[("a", "UNKNOWN_PARAMETER"), ("per_page", "TOO_SMALL"), ("sort", "INVALID_FORMAT")]),
        ];
        for (paths, query, expected) in table {
            for path in *paths {
                for accept in ["application/json", "text/csv", "application/x-ndjson"] {
                    let request = admin.request(Method::GET, &format!("{path}?{query}")).header("accept", accept);
                    let unknown = expected.iter().all(|(_, code)| *code == "UNKNOWN_PARAMETER");
                    let code = if unknown { "UNKNOWN_PARAMETER" } else { "VALIDATION_FAILED" };
                    assert_eq!(expect_problem(request.send().await, 422, code).details(), locations(expected), "{path}?{query}");
                }
            }
        }
        for path in all {
            for query in [
                "cursor=", "cursor", "q=", "q=+", "include=", "include=total", "include=total,total",
                "include=total&include=total", "%69nclude=total&include=total", "%69nclude=", "per_page=1000",
            ] {
                admin.get(&format!("{path}?{query}")).await.expect(200);
            }
        }
    }
}
