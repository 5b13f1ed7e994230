//! The code samples of every operation run against a server with the sample data.
//!
//! curl, Python and Node.js (for TypeScript) run here. `make samples` also compiles and runs the languages whose toolchains are present.

use std::{
    cell::RefCell,
    fs,
    io::Write as _,
    path::{Path, PathBuf},
    process::{Command, Stdio},
};

use serde_json::{Value, json};

use crate::support::{Sandbox, TestServer, repository_root};

const DEMO: (&str, &str) = ("demo@example.com", "bucketlist-demo");
const ADMIN: (&str, &str) = ("admin@example.com", "bucketlist-admin");
/// Operations of administrators in v1, which has no path for them.
const ADMIN_OPERATIONS: [&str; 4] = ["listUsers", "getUser", "updateUser", "deleteUser"];
/// Operations that end the session of their token.
const ENDS_SESSION: [&str; 2] = ["logout", "endSessions"];
/// Operations that send the password of the account, and end its sessions.
const SENDS_PASSWORD: [&str; 3] = ["changePassword", "deleteMe", "deleteAccount"];
/// Operations that fail with the values of the example: the token of a password reset is in a mail, and profiles are disabled.
const FAILURES: [&str; 2] = ["confirmPasswordReset", "recordProfile"];

/// An operation of the document with its samples.
struct Operation {
    path: String,
    method: String,
    id: String,
    samples: Vec<(String, String)>,
    is_secured: bool,
}

/// How the samples of a language run.
#[derive(Clone, Copy)]
struct Runtime {
    label: &'static str,
    program: &'static str,
    /// The file of a sample in its directory.
    file: &'static str,
    /// Returns the command that runs the file.
    command: fn(&Path) -> Command,
    /// The lowest major version of the program that can run the file. `None` if every version can.
    minimum_version: Option<u32>,
}

fn command(program: &str, arguments: &[&str], file: &Path) -> Command {
    let mut command = Command::new(program);
    command.args(arguments).arg(file);
    command
}

const CURL: Runtime = Runtime {
    label: "curl",
    program: "curl",
    file: "sample.sh",
    command: |file| command("sh", &["-eu"], file),
    minimum_version: None,
};
const PYTHON: Runtime = Runtime {
    label: "Python",
    program: "python3",
    file: "sample.py",
    command: |file| command("python3", &[], file),
    minimum_version: None,
};
// The samples have no type annotations, so that every version of Node.js runs them.
const TYPESCRIPT: Runtime = Runtime {
    label: "TypeScript",
    program: "node",
    file: "sample.mjs",
    command: |file| command("node", &[], file),
    minimum_version: None,
};
const GO: Runtime = Runtime {
    label: "Go",
    program: "go",
    file: "sample.go",
    command: |file| command("go", &["run"], file),
    minimum_version: None,
};
const JAVA: Runtime = Runtime {
    label: "Java",
    program: "java",
    file: "Sample.java",
    command: |file| command("java", &[], file),
    minimum_version: None,
};
// `dotnet run FILE` requires .NET 10.
const CSHARP: Runtime = Runtime {
    label: "C#",
    program: "dotnet",
    file: "sample.cs",
    command: |file| command("dotnet", &["run"], file),
    minimum_version: Some(10),
};

fn operations(server: &TestServer, version: &str) -> Vec<Operation> {
    let document = server.get(&format!("/openapi/{version}-samples.json"), None).expect(200).json();
    let mut operations = Vec::new();
    for (path, item) in document["paths"].as_object().unwrap() {
        for (method, operation) in item.as_object().unwrap() {
            let sample = |sample: &Value| {
                (sample["label"].as_str().unwrap().to_owned(), sample["source"].as_str().unwrap().to_owned())
            };
            operations.push(Operation {
                path: path.clone(),
                method: method.clone(),
                id: operation["operationId"].as_str().unwrap().to_owned(),
                samples: operation["x-codeSamples"].as_array().unwrap().iter().map(sample).collect(),
                is_secured: operation["security"].as_array().is_some_and(|schemes| !schemes.is_empty()),
            });
        }
    }
    // Reads first, then changes, then deletions from the innermost resource to the outermost.
    operations.sort_by_key(|operation| match operation.method.as_str() {
        "get" => (0, 0),
        "delete" => (3, usize::MAX - operation.path.len()),
        // A job is retried after it was cancelled, and an import needs the name of the list that the sample data contains.
        _ if operation.id == "retryJob" => (2, 0),
        _ => (1, 0),
    });
    operations
}

/// A server with the sample data, and what the samples need from it.
struct Setting<'a> {
    server: &'a TestServer,
    version: &'a str,
    demo: String,
    admin: String,
    accounts: RefCell<usize>,
}

impl<'a> Setting<'a> {
    fn new(server: &'a TestServer, version: &'a str) -> Self {
        let token = |account| log_in(server, account)["access_token"].as_str().unwrap().to_owned();
        Self { server, version, demo: token(DEMO), admin: token(ADMIN), accounts: RefCell::new(0) }
    }

    /// Registers an account whose password is not in the list of common passwords.
    fn register(&self) -> (i64, String, String) {
        let number = self.accounts.replace_with(|number| *number + 1);
        let (email, password) = (format!("samples-{number}@example.com"), format!("quiet-meadow-{number}"));
        let body = json!({"email": email, "password": password, "name": "Samples"});
        let session = self.server.post("/v2/auth/register", None, &body).expect(201).json();
        (session["user"]["id"].as_i64().unwrap(), session["access_token"].as_str().unwrap().to_owned(), password)
    }

    fn job(&self, is_wanted: impl Fn(&Value) -> bool) -> i64 {
        let jobs = self.server.get("/v2/admin/jobs", Some(&self.admin)).expect(200).json();
        let found = jobs["data"].as_array().unwrap().iter().find(|job| is_wanted(job));
        found.unwrap_or_else(|| panic!("no such job in {jobs}"))["id"].as_i64().unwrap()
    }

    /// Returns the token of an operation, and values of the example with those that replace them: secrets, and IDs of resources that the
    /// operation may change.
    fn prepare(&self, operation: &Operation) -> (String, Vec<(String, String)>) {
        let is_admin = operation.path.starts_with("/admin/")
            || self.version == "v1" && ADMIN_OPERATIONS.contains(&operation.id.as_str());
        let token = if is_admin { &self.admin } else { &self.demo }.clone();
        let id_of = |example: &str, id: i64| {
            let (path, _) = example.rsplit_once('/').unwrap();
            vec![(example.to_owned(), format!("{path}/{id}"))]
        };
        match operation.id.as_str() {
            "refreshSession" => {
                let refresh_token = log_in(self.server, DEMO)["refresh_token"].as_str().unwrap().to_owned();
                (token, vec![("kJ3v0m7wq2Yx5sT8uB1nR4cE6gH9aZ0dF2iL5oP8qWs".to_owned(), refresh_token)])
            }
            "endSession" => {
                let (_, token, _) = self.register();
                let sessions = self.server.get("/v2/auth/sessions", Some(&token)).expect(200).json();
                (token, id_of("/sessions/1", sessions["data"][0]["id"].as_i64().unwrap()))
            }
            id if ENDS_SESSION.contains(&id) => (self.register().1, Vec::new()),
            id if SENDS_PASSWORD.contains(&id) => {
                let (_, token, password) = self.register();
                (token, vec![(DEMO.1.to_owned(), password)])
            }
            "getUser" | "updateUser" | "deleteUser" => (token, id_of("/users/2", self.register().0)),
            "createImport" => (token, vec![("See the world".to_owned(), "See the world again".to_owned())]),
            "getJob" | "cancelJob" | "retryJob" => {
                (token, id_of("/jobs/1", self.job(|job| job["last_error"] == "cannot send mail: connection refused")))
            }
            "deleteJob" => (token, id_of("/jobs/1", self.job(|job| job["state"] == "done"))),
            _ => (token, Vec::new()),
        }
    }
}

fn log_in(server: &TestServer, (email, password): (&str, &str)) -> Value {
    let body = json!({"email": email, "password": password});
    server.post("/v2/auth/login", None, &body).expect(200).json()
}

/// Runs a sample and returns its output; `Err` if it exits with an error.
fn run(runtime: Runtime, folder: &Path, setting: &Setting<'_>, operation: &Operation) -> Result<String, String> {
    let (token, replacements) = setting.prepare(operation);
    let (_, source) = operation.samples.iter().find(|(label, _)| label == runtime.label).unwrap();
    let mut text = source.clone();
    for (example, value) in replacements {
        assert!(text.contains(&example), "{}: {example} is not in the sample:\n{text}", operation.id);
        text = text.replace(&example, &value);
    }
    let file = folder.join(runtime.file);
    fs::write(&file, text).unwrap();
    let mut command = (runtime.command)(&file);
    command.current_dir(folder).env("BASE_URL", setting.server.url()).stdin(Stdio::null());
    // Without authentication, the program does not read the token.
    match operation.is_secured {
        true => command.env("TOKEN", token),
        false => command.env_remove("TOKEN"),
    };
    let output = command.output().unwrap();
    let text = String::from_utf8_lossy(&output.stdout).into_owned();
    match output.status.success() {
        true => Ok(text),
        false => Err(format!("{}\n{text}{}", output.status, String::from_utf8_lossy(&output.stderr))),
    }
}

/// Returns whether the program of a runtime is installed in a supported version. Reports a missing one where the test runner does not
/// hide it.
fn is_installed(runtime: Runtime) -> bool {
    let Runtime { label, program, minimum_version, .. } = runtime;
    // `go --version` fails, so the exit code is not checked.
    let problem = match (Command::new(program).arg("--version").output(), minimum_version) {
        (Err(_), _) => format!("{program} is not installed"),
        (Ok(output), Some(minimum)) if !is_at_least(&String::from_utf8_lossy(&output.stdout), minimum) => {
            format!("{program} {minimum} or later is not installed")
        }
        (Ok(_), _) => return true,
    };
    let mut stderr = std::io::stderr();
    writeln!(stderr, "warning: {label} samples skipped: {problem}").unwrap();
    false
}

/// Returns whether the major version of `major.minor.patch` is at least `minimum`.
fn is_at_least(version: &str, minimum: u32) -> bool {
    let major = version.split('.').next().unwrap_or_default();
    major.parse::<u32>().is_ok_and(|major| major >= minimum)
}

#[test]
fn version_below_the_minimum_is_not_installed() {
    for (version, expected) in [
        ("8.0.404\n", false),
        ("9.0.300\n", false),
        ("10.0.100\n", true),
        ("11.0.100-preview.1.25120.13\n", true),
        ("", false),
    ] {
        assert_eq!(is_at_least(version, 10), expected, "{version}");
    }
}

fn run_all(runtime: Runtime) {
    if !is_installed(runtime) {
        return;
    }
    for version in ["v1", "v2"] {
        let sandbox = Sandbox::new().env("RATE_LIMIT", "off").env("REPLAY_TARGETS", "staging=http://127.0.0.1:1");
        let server = sandbox.serve();
        let setting = Setting::new(&server, version);
        let operations = operations(&server, version);
        assert!(operations.len() > 20, "{version}");
        for operation in &operations {
            let name = format!("{} {version} {}", runtime.label, operation.id);
            let outcome = run(runtime, sandbox.folder.path(), &setting, operation);
            if FAILURES.contains(&operation.id.as_str()) {
                assert!(outcome.is_err(), "{name} succeeded");
                continue;
            }
            let output = outcome.unwrap_or_else(|error| panic!("{name}: {error}\n{}", server.log()));
            let has_output = !output.trim().is_empty() || runtime.label == "curl";
            assert!(has_output, "{name} printed nothing");
        }
        server.stop();
    }
}

/// Runs the sample that creates an item twice: both requests create one, because each has a new idempotency key.
fn assert_keys_are_fresh(runtime: Runtime) {
    if !is_installed(runtime) {
        return;
    }
    let sandbox = Sandbox::new().env("RATE_LIMIT", "off").env("REPLAY_TARGETS", "staging=http://127.0.0.1:1");
    let server = sandbox.serve();
    let setting = Setting::new(&server, "v2");
    let operations = operations(&server, "v2");
    let create = operations.iter().find(|operation| operation.id == "createItem").unwrap();
    let count = || server.get("/v2/bucketlists/1", Some(&setting.demo)).expect(200).json()["items_total"].as_i64();
    let before = count().unwrap();
    for created in 1..=2 {
        run(runtime, sandbox.folder.path(), &setting, create).unwrap();
        assert_eq!(count(), Some(before + created), "{}", runtime.label);
    }
    server.stop();
}

#[test]
fn curl_samples_succeed() {
    run_all(CURL);
    assert_keys_are_fresh(CURL);
}

#[test]
fn python_samples_succeed() {
    run_all(PYTHON);
    assert_keys_are_fresh(PYTHON);
}

#[test]
fn typescript_samples_succeed() {
    run_all(TYPESCRIPT);
    assert_keys_are_fresh(TYPESCRIPT);
}

/// Run by `make samples`, because the compilers take minutes.
#[test]
#[ignore = "run by make samples"]
fn compiled_samples_succeed() {
    for runtime in [JAVA, GO, CSHARP] {
        run_all(runtime);
    }
}

/// Writes the Rust samples as binaries of `tests/samples/`, which `make samples` compiles.
#[test]
#[ignore = "run by make samples"]
fn rust_samples_are_written() {
    let folder = PathBuf::from(std::env::var_os("SAMPLES_FOLDER").expect("SAMPLES_FOLDER"));
    let project = repository_root().join("tests/samples");
    fs::create_dir_all(folder.join("src/bin")).unwrap();
    for name in ["Cargo.toml", "Cargo.lock"] {
        fs::copy(project.join(name), folder.join(name)).unwrap();
    }
    let sandbox = Sandbox::new();
    let server = sandbox.serve();
    for version in ["v1", "v2"] {
        for operation in operations(&server, version) {
            let (_, source) = operation.samples.iter().find(|(label, _)| label == "Rust").unwrap();
            fs::write(folder.join(format!("src/bin/{version}_{}.rs", operation.id)), source).unwrap();
        }
    }
    server.stop();
}
