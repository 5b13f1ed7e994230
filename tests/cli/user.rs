//! `bucketlist user`.

use serde_json::json;

use crate::support::Sandbox;

fn login(sandbox: &Sandbox, email: &str, password: &str) -> u16 {
    let server = sandbox.serve();
    let status = server.post("/v1/auth/login", None, &json!({"email": email, "password": password})).status;
    server.stop();
    status
}

/// Returns the token in the output of `user create`.
fn token(output: &str) -> String {
    output
        .split("\"token\": \"")
        .nth(1)
        .and_then(|rest| rest.split('"').next())
        .unwrap_or_else(|| panic!("{output}"))
        .to_owned()
}

#[test]
fn name_is_normalized_as_in_the_api() {
    let sandbox = Sandbox::new().env("APP_ENV", "testing");
    let create = ["user", "create", "ada@example.com", "--name", "  Zu\u{308}rich ", "--password-stdin"];
    sandbox.run_with(&create, "harbour-lantern-42").expect_success();
    let server = sandbox.serve();
    let body = json!({"email": "ada@example.com", "password": "harbour-lantern-42"});
    assert_eq!(server.post("/v1/auth/login", None, &body).expect(200).json()["user"]["name"], "Zürich");
    server.stop();
}

#[test]
fn created_account_gets_a_single_use_password_token() {
    let sandbox = Sandbox::new().env("APP_ENV", "testing");
    let output = sandbox.run(&["user", "create", "Ada@Example.com", "--name", "Ada L.", "--admin"]).expect_success();
    assert!(
        output.starts_with("Created admin Ada@Example.com with ID 1.\nSet the password within 10 minutes"),
        "{output}"
    );
    assert!(output.contains("curl 'http://localhost:8000/v2/auth/password-reset/confirm' \\\n"), "{output}");
    let token = token(&output);
    assert!(token.len() >= 43 && !token.contains(char::is_whitespace), "{token}");

    let server = sandbox.serve();
    let password = "harbour-lantern-42";
    let confirm = json!({"token": token, "new_password": password});
    server.post("/v2/auth/password-reset/confirm", None, &confirm).expect(204);
    server.post("/v1/auth/password-reset/confirm", None, &confirm).expect(422);
    let body = json!({"email": "ada@example.com", "password": password});
    let session = server.post("/v1/auth/login", None, &body).expect(200).json();
    assert_eq!((&session["user"]["name"], &session["user"]["role"]), (&json!("Ada L."), &json!("admin")));
    server.get("/v1/users", session["access_token"].as_str()).expect(200);
    server.stop();
}

#[test]
fn password_tokens_are_unique_and_expire() {
    let sandbox = Sandbox::new().env("APP_ENV", "testing").env("PASSWORD_RESET_TTL", "1ms");
    let create_user = |email: &str| token(&sandbox.run(&["user", "create", email]).expect_success());
    let (ada, bob) = (create_user("ada@example.com"), create_user("bob@example.com"));
    assert_ne!(ada, bob);
    let server = sandbox.serve();
    let confirm = json!({"token": ada, "new_password": "harbour-lantern-42"});
    let rejected = server.post("/v1/auth/password-reset/confirm", None, &confirm).expect(422);
    assert_eq!(rejected.json()["error"]["details"][0]["code"], "INVALID_RESET_TOKEN");
    server.stop();
}

#[test]
fn password_is_read_from_stdin_and_not_printed() {
    let sandbox = Sandbox::new().env("APP_ENV", "testing");
    let create = ["user", "create", "ada@example.com", "--password-stdin"];
    let output = sandbox.run_with(&create, "harbour-lantern-42\nanother line\n").expect_success();
    assert_eq!(output, "Created user ada@example.com with ID 1.\n");
    assert_eq!(login(&sandbox, "ada@example.com", "harbour-lantern-42"), 200);
}

#[test]
fn missing_name_is_derived_from_the_email_address() {
    let sandbox = Sandbox::new().env("APP_ENV", "testing");
    let create = ["user", "create", "grace.hopper@example.com", "--password-stdin"];
    let _ = sandbox.run_with(&create, "harbour-lantern-42").expect_exit_code(0);
    let server = sandbox.serve();
    let body = json!({"email": "grace.hopper@example.com", "password": "harbour-lantern-42"});
    assert_eq!(server.post("/v1/auth/login", None, &body).expect(200).json()["user"]["name"], "grace.hopper");
}

both_engines! {
    fn invalid_account_is_rejected_with_one_error_line(engine: Engine) {
        let sandbox = Sandbox::on(engine);
        let create = |email: &str, password: &str| {
            sandbox.run_with(&["user", "create", email, "--password-stdin"], password)
        };
        let _ = create("ada@example.com", "harbour-lantern-42").expect_exit_code(0);
        let taken = create("ADA@example.com", "harbour-lantern-42").expect_error();
        assert_eq!(taken, "user ADA@example.com already exists");
        for email in ["ada", "@example.com", "ada@", "a b@example.com", ""] {
            let error = create(email, "harbour-lantern-42").expect_error();
            assert!(error.starts_with(&format!("`{email}` ")), "{error}");
        }
        for (name, problem) in [("", "must not be empty"), (&*"x".repeat(101), "at most 100"), ("a\nb", "line breaks")] {
            let error = sandbox.run(&["user", "create", "bob@example.com", "--name", name]).expect_error();
            assert!(error.starts_with("invalid name: ") && error.contains(problem), "{error}");
        }
        for (password, problem) in [("short", "8"), ("", "8"), ("password", ""), ("bob@example.com", "")] {
            let error = create("bob@example.com", password).expect_error();
            assert!(error.starts_with("the password ") && error.contains(problem), "{error}");
            assert!(password.is_empty() || password.contains("bob") || !error.ends_with(password), "{error}");
        }
        // No account was created.
        assert_eq!(sandbox.run(&["user", "promote", "bob@example.com"]).expect_error(), "user bob@example.com does not exist");
    }

    fn account_can_be_promoted(engine: Engine) {
        let sandbox = Sandbox::on(engine).env("APP_ENV", "testing");
        let create = ["user", "create", "ada@example.com", "--password-stdin"];
        let _ = sandbox.run_with(&create, "harbour-lantern-42").expect_exit_code(0);
        let server = sandbox.serve();
        let body = json!({"email": "ada@example.com", "password": "harbour-lantern-42"});
        let session = server.post("/v1/auth/login", None, &body).expect(200).json();
        let token = session["access_token"].as_str();
        server.get("/v1/users", token).expect(403);

        // The server is running.
        let output = sandbox.run(&["user", "promote", "Ada@example.com"]).expect_success();
        assert_eq!(output, "ada@example.com is now an administrator.\n");
        // With SQLite, the server can cache the status of the old token for a second. A new token has no cached status.
        let session = server.post("/v1/auth/login", None, &body).expect(200).json();
        server.get("/v1/users", session["access_token"].as_str()).expect(200);
        let output = sandbox.run(&["user", "promote", "ada@example.com"]).expect_success();
        assert_eq!(output, "ada@example.com is now an administrator.\n");
        server.stop();
    }
}
