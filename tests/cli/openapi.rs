//! `bucketlist openapi`.

use std::fs;

use crate::support::{Place, repository};

/// In the order in which they are written.
const NAMES: [&str; 8] =
    ["v1.json", "v1.yaml", "v1-3.1.json", "v1-3.1.yaml", "v2.json", "v2.yaml", "v2-3.1.json", "v2-3.1.yaml"];

fn committed(name: &str) -> String {
    fs::read_to_string(repository().join("openapi").join(name)).unwrap()
}

#[test]
fn the_printed_documents_are_the_committed_ones() {
    let place = Place::new();
    assert_eq!(place.run(&["openapi", "print"]).succeeds(), committed("v1.json"), "run `make openapi`");
    for contract in ["v1", "v2"] {
        for format in ["json", "yaml"] {
            let printed = place.run(&["openapi", "print", "--contract", contract, "--format", format]).succeeds();
            assert_eq!(printed, committed(&format!("{contract}.{format}")), "run `make openapi`");
            let modern = ["openapi", "print", "--contract", contract, "--format", format, "--openapi", "3.1"];
            let printed = place.run(&modern).succeeds();
            assert_eq!(printed, committed(&format!("{contract}-3.1.{format}")), "run `make openapi`");
        }
    }
}

/// docs/clients.md: for generators that know one media type.
#[test]
fn json_alone_is_what_is_printed_when_asked_for() {
    let place = Place::new();
    // v1 has nothing else.
    assert_eq!(place.run(&["openapi", "print", "--json-only"]).succeeds(), committed("v1.json"));
    let printed = place.run(&["openapi", "print", "--contract", "v2", "--json-only"]).succeeds();
    let committed = committed("v2.json");
    for media_type in ["\"application/problem+json\": {", "\"application/merge-patch+json\": {", "\"text/csv\": {"] {
        assert!(committed.contains(media_type) && !printed.contains(media_type), "{media_type}");
    }
    let responses = |text: &str| text.matches("\"description\": \"").count();
    assert_eq!(responses(&printed), responses(&committed));
    place.write("v2.json", &printed);
    place.run(&["openapi", "lint", "v2.json"]).succeeds();
}

#[test]
fn the_served_documents_are_the_committed_ones() {
    let server = Place::new().with("APP_ENV", "testing").serve();
    for name in NAMES {
        assert_eq!(server.get(&format!("/openapi/{name}"), None).expect(200).body, committed(name));
    }
}

#[test]
fn a_check_is_0_when_the_documents_are_fresh_and_4_when_they_are_not() {
    let place = Place::new();
    let folder = repository().join("openapi");
    let fresh = place.run(&["openapi", "check", "--folder", folder.to_str().unwrap()]).succeeds();
    assert_eq!(fresh, "The committed documents are what the code says.\n");

    let stale = |names: &str| {
        let outcome = place.run(&["openapi", "check"]).exits(4);
        let expected = format!("{names} in openapi differs from the code: run `make openapi` and commit the result.\n");
        assert_eq!((outcome.out, outcome.err), (expected, String::new()));
    };
    let (last, others) = NAMES.split_last().unwrap();
    stale(&format!("{} and {last}", others.join(", ")));
    let written = NAMES.map(|name| format!("wrote openapi/{name}\n")).concat();
    assert_eq!(place.run(&["openapi", "write"]).succeeds(), written);
    assert_eq!(place.run(&["openapi", "check"]).succeeds(), "The committed documents are what the code says.\n");
    for name in NAMES {
        assert_eq!(place.read(&format!("openapi/{name}")), committed(name));
    }
    // A line end is a difference, too.
    place.write("openapi/v1.yaml", &format!("{}\n", committed("v1.yaml")));
    stale("v1.yaml");
    place.write("openapi/v2.json", "{}");
    stale("v1.yaml and v2.json");
    place.write("openapi/v2-3.1.yaml", "openapi: 3.1.0\n");
    stale("v1.yaml, v2.json and v2-3.1.yaml");
}

#[test]
fn documents_that_cannot_be_written_are_refused_in_a_sentence() {
    let place = Place::new();
    place.write("file", "");
    let sentence = place.run(&["openapi", "write", "--folder", "file/below"]).fails();
    assert!(sentence.contains("Not a directory"), "{sentence}");
}

#[test]
fn documents_need_no_configuration() {
    let place = Place::new().with("PORT", "nonsense").with("DATABASE_URL", "mysql://x");
    assert_eq!(place.run(&["openapi", "print"]).succeeds(), committed("v1.json"));
    assert!(!place.exists("data"));
}
