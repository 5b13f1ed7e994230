//! `OTEL_EXPORTER_OTLP_ENDPOINT`: the server exports traces, also when it stops, and a dead collector delays nothing.

use std::{net::TcpListener, time::Instant};

use crate::support::{Collector, Sandbox};

#[test]
fn last_spans_are_exported_at_shutdown() {
    let collector = Collector::start();
    let sandbox =
        Sandbox::new().env("OTEL_EXPORTER_OTLP_ENDPOINT", collector.endpoint()).env("OTEL_SERVICE_NAME", "lists");
    let server = sandbox.serve();
    let token = server.register("ada@example.com");
    server.get("/v2/bucketlists", Some(&token)).expect(200);
    server.stop();
    let spans = collector.spans();
    for name in ["POST /v1/auth/register", "Hasher::run", "GET /v2/bucketlists", "SELECT bucketlists"] {
        assert!(spans.iter().any(|span| span.name == name), "{name} in {spans:#?}");
    }
    assert_eq!(collector.exports()[0].resource["service.name"], "lists");
}

#[test]
fn silent_collector_delays_neither_requests_nor_the_shutdown() {
    // Accepts connections and never responds.
    let silent = TcpListener::bind("127.0.0.1:0").unwrap();
    let endpoint = format!("http://{}", silent.local_addr().unwrap());
    let sandbox = Sandbox::new().env("OTEL_EXPORTER_OTLP_ENDPOINT", endpoint).env("LOG_LEVEL", "warn");
    let mut server = sandbox.serve();
    server.get("/health/live", None).expect(200);
    let started = Instant::now();
    server.signal("INT");
    assert!(server.wait_for_exit().success());
    // The timeout of an export is 10 seconds.
    assert!(started.elapsed().as_secs() < 8, "{:?}", started.elapsed());
    assert!(server.log().contains("cannot export the last spans"), "{}", server.log());
}

#[test]
fn unreachable_collector_is_logged_once() {
    // No one listens on this port any more.
    let endpoint = format!("http://{}", TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap());
    let sandbox = Sandbox::new().env("OTEL_EXPORTER_OTLP_ENDPOINT", endpoint).env("LOG_LEVEL", "warn");
    let server = sandbox.serve();
    server.wait_until_logged("cannot export traces");
    for _ in 0..600 {
        server.get("/health/live", None).expect(200);
    }
    assert_eq!(server.log().matches("cannot export traces").count(), 1, "{}", server.log());
}
