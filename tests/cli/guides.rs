//! The commands in the guides work, and their outputs are as documented.

use std::{fs, process::Command};

use serde_json::Value;

use crate::support::{Sandbox, TestServer, repository_root};

/// The origin in the guides.
const ORIGIN: &str = "http://localhost:8000";
/// Fields whose documented values are compared. Others only have the documented type.
const EXACT: [&str; 8] = ["code", "status", "type", "title", "role", "token_type", "done", "has_more"];
const SEPARATOR: &str = "--8<-- end of block";

/// A code block of a guide.
struct Block {
    language: String,
    text: String,
}

fn blocks(text: &str) -> Vec<Block> {
    let mut blocks = Vec::new();
    let mut rest = text;
    while let Some((_, from_language)) = rest.split_once("\n```") {
        let (language, from_code) = from_language.split_once('\n').unwrap();
        let (code, after) = from_code.split_once("\n```").unwrap_or_else(|| panic!("unclosed block: {from_code}"));
        blocks.push(Block { language: language.to_owned(), text: code.to_owned() });
        rest = after;
    }
    blocks
}

/// Runs the commands as one script and returns the output of each block.
fn run(server: &TestServer, name: &str, commands: &[&str]) -> Vec<String> {
    let commands: String = commands.iter().map(|block| format!("{block}\necho; echo '{SEPARATOR}'\n")).collect();
    let script = format!("set -euo pipefail\n{}", commands.replace(ORIGIN, &server.url()));
    let output = Command::new("bash")
        .args(["-c", &script])
        .env_clear()
        .env("PATH", std::env::var_os("PATH").unwrap())
        .output()
        .unwrap();
    let (out, err) = (String::from_utf8(output.stdout).unwrap(), String::from_utf8(output.stderr).unwrap());
    assert!(output.status.success(), "{name}: {}\n{out}\n{err}\n{}", output.status, server.log());
    assert_eq!(err, "", "{name}");
    out.split(SEPARATOR).map(|part| part.trim().to_owned()).collect()
}

/// Asserts that a value has the documented fields with the same types.
fn assert_json(location: &str, field: &str, documented: &Value, actual: &Value) {
    let fail = |reason: &str| panic!("{location}: {field} {reason}: documented {documented}, received {actual}");
    match (documented, actual) {
        (Value::Object(documented), Value::Object(fields)) => {
            for (name, value) in documented {
                match fields.get(name) {
                    Some(actual) => assert_json(location, name, value, actual),
                    None => fail(&format!("has no {name}")),
                }
            }
        }
        (Value::Array(documented), Value::Array(elements)) => {
            assert!(elements.len() >= documented.len(), "{location}: {field} has {} elements", elements.len());
            for (documented, actual) in documented.iter().zip(elements) {
                assert_json(location, field, documented, actual);
            }
        }
        (Value::String(_), Value::String(_))
        | (Value::Number(_), Value::Number(_))
        | (Value::Bool(_), Value::Bool(_)) => {
            if EXACT.contains(&field) && documented != actual {
                fail("differs");
            }
        }
        (Value::Null, Value::Null) => {}
        _ => fail("has another type"),
    }
}

/// Asserts that the output contains the documented status and headers.
fn assert_head(location: &str, documented: &str, output: &str) {
    let received: Vec<(String, String)> = output
        .lines()
        .filter_map(|line| line.split_once(':'))
        .map(|(name, value)| (name.to_ascii_lowercase(), value.trim().to_owned()))
        .collect();
    for line in documented.lines() {
        if line.starts_with("HTTP/") {
            let status = line.split(' ').nth(1).unwrap();
            assert!(
                output.lines().any(|line| line.starts_with("HTTP/") && line.contains(&format!(" {status}"))),
                "{location}: {output}"
            );
            continue;
        }
        let (name, value) = line.split_once(": ").unwrap();
        let found: Vec<&String> =
            received.iter().filter(|(other, _)| *other == name.to_ascii_lowercase()).map(|(_, value)| value).collect();
        assert!(!found.is_empty(), "{location}: {name} is not in\n{output}");
        // Numbers differ from those of the documentation.
        let shape =
            |text: &str| text.split(|c: char| c.is_ascii_digit()).filter(|part| !part.is_empty()).collect::<String>();
        assert!(found.iter().any(|found| shape(found).starts_with(&shape(value))), "{location}: {name} is {found:?}");
    }
}

#[test]
fn commands_of_every_guide_have_the_documented_output() {
    let sandbox = Sandbox::new();
    let server = sandbox.serve();
    let mut count = 0;
    let mut guides: Vec<_> =
        fs::read_dir(repository_root().join("docs/guides")).unwrap().map(|entry| entry.unwrap().path()).collect();
    guides.sort();
    for path in guides {
        let name = path.file_name().unwrap().to_str().unwrap();
        let blocks = blocks(&fs::read_to_string(&path).unwrap());
        let commands: Vec<&str> =
            blocks.iter().filter(|block| block.language == "sh").map(|block| block.text.as_str()).collect();
        assert!(!commands.is_empty(), "{name} has no commands");
        let outputs = run(&server, name, &commands);
        let mut current = 0;
        for block in &blocks {
            let output = outputs.get(current.max(1) - 1).unwrap();
            let location = format!("{name}, output of block {current}");
            match block.language.as_str() {
                "sh" => current += 1,
                "json" => {
                    let documented =
                        serde_json::from_str(&block.text).unwrap_or_else(|error| panic!("{location}: {error}"));
                    let last = output.lines().last().unwrap_or_default();
                    let actual =
                        serde_json::from_str(last).unwrap_or_else(|error| panic!("{location}: {error}: {output}"));
                    assert_json(&location, "the output", &documented, &actual);
                }
                "http" => assert_head(&location, &block.text, output),
                "text" => assert_eq!(output, &block.text, "{location}"),
                other => panic!("{location}: a block in {other} is not tested"),
            }
            count += 1;
        }
    }
    assert!(count > 30, "{count}");
    server.stop();
}

/// The binary contains the guides, so that the image cannot be built without them.
#[test]
fn build_context_contains_the_guides() {
    let ignored = fs::read_to_string(repository_root().join(".dockerignore")).unwrap();
    let at = |line: &str| ignored.lines().position(|other| other == line);
    assert!(at("docs/*") < at("!docs/guides") && at("!docs/guides").is_some() && at("docs").is_none(), "{ignored}");
}

#[test]
fn guides_are_served_as_pages_and_markdown() {
    let sandbox = Sandbox::new();
    let server = sandbox.serve();
    let summary = server.get("/llms.txt", None).expect(200).body;
    for entry in fs::read_dir(repository_root().join("docs/guides")).unwrap() {
        let name = entry.unwrap().file_name().into_string().unwrap();
        let stem = name.strip_suffix(".md").unwrap();
        let html = server.get(&format!("/guides/{stem}"), None).expect(200).body;
        assert!(html.contains("<span data-origin>") && !html.contains(ORIGIN), "{name}");
        assert!(server.get("/guides", None).expect(200).body.contains(&format!("href=\"/guides/{stem}\"")), "{name}");
        let markdown = server.get(&format!("/guides/{name}"), None).expect(200).body;
        assert!(markdown.starts_with("# ") && summary.contains(&format!("(/guides/{name})")), "{name}");
        // Links to other pages are relative to the guide.
        for target in markdown.split("](").skip(1).filter_map(|rest| rest.split(')').next()) {
            let path = target.split('#').next().unwrap();
            let path = path.strip_prefix("..").map_or_else(|| format!("/guides/{path}"), str::to_owned);
            server.get(&path, None).expect(200);
        }
    }
    server.stop();
}
