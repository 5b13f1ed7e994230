//! HTTPS: handshake, certificate reload, redirect from HTTP, and the checks of `doctor`.

use std::{
    fs,
    io::{ErrorKind, Read, Write},
    net::{SocketAddr, TcpStream},
    sync::Arc,
};

use rcgen::{CertificateParams, KeyPair, date_time_ymd};
use tokio_rustls::rustls::{
    ClientConfig, ClientConnection, ProtocolVersion, RootCertStore, StreamOwned, SupportedProtocolVersion,
    client::Resumption,
    crypto::ring,
    pki_types::{CertificateDer, ServerName, pem::PemObject},
    version::{TLS12, TLS13},
};

use crate::support::{MAX_ATTEMPTS, Sandbox, TestResponse, TestServer, connect, send};

type Stream = StreamOwned<ClientConnection, TcpStream>;

/// Returns a certificate for `localhost` that is valid between these years, and its key, in PEM format.
fn pair(from: i32, until: i32) -> (String, String) {
    let mut params = CertificateParams::new(vec!["localhost".to_owned(), "127.0.0.1".to_owned()]).unwrap();
    params.not_before = date_time_ymd(from, 1, 1);
    params.not_after = date_time_ymd(until, 1, 1);
    let key = KeyPair::generate().unwrap();
    (params.self_signed(&key).unwrap().pem(), key.serialize_pem())
}

fn write_pair(sandbox: &Sandbox, (certificate, key): &(String, String)) {
    sandbox.write("cert.pem", certificate);
    sandbox.write("key.pem", key);
}

/// Creates a sandbox that serves HTTPS; returns it with the certificate that clients must trust.
fn sandbox() -> (Sandbox, String) {
    let sandbox = Sandbox::new()
        .env("APP_ENV", "testing")
        .env("RATE_LIMIT", "off")
        .env("LOG_LEVEL", "info")
        .env("PUBLIC_URL", "https://localhost")
        .env("TLS_CERT", "cert.pem")
        .env("TLS_KEY", "key.pem");
    let pair = pair(2020, 2090);
    write_pair(&sandbox, &pair);
    (sandbox, pair.0)
}

fn config(trusted: &str, versions: &[&'static SupportedProtocolVersion], alpn: &[&str]) -> Arc<ClientConfig> {
    let mut roots = RootCertStore::empty();
    roots.add(CertificateDer::from_pem_slice(trusted.as_bytes()).unwrap()).unwrap();
    let builder = ClientConfig::builder_with_provider(Arc::new(ring::default_provider()));
    let mut config =
        builder.with_protocol_versions(versions).unwrap().with_root_certificates(roots).with_no_client_auth();
    config.alpn_protocols = alpn.iter().map(|name| name.as_bytes().to_vec()).collect();
    // A resumed session does not send the certificate.
    config.resumption = Resumption::disabled();
    Arc::new(config)
}

/// Performs a TLS handshake; fails if the certificate is not trusted.
fn handshake(address: SocketAddr, config: &Arc<ClientConfig>) -> std::io::Result<Stream> {
    handshake_on(connect(address)?, config)
}

fn handshake_on(mut tcp: TcpStream, config: &Arc<ClientConfig>) -> std::io::Result<Stream> {
    let name = ServerName::try_from("localhost").unwrap();
    let mut tls = ClientConnection::new(Arc::clone(config), name).unwrap();
    while tls.is_handshaking() {
        tls.complete_io(&mut tcp)?;
    }
    Ok(StreamOwned::new(tls, tcp))
}

/// Sends a HEAD request on an open connection and returns the status.
fn request_status(stream: &mut Stream, path: &str) -> u16 {
    stream.write_all(format!("HEAD {path} HTTP/1.1\r\nHost: localhost\r\n\r\n").as_bytes()).unwrap();
    let mut head = Vec::new();
    while !head.ends_with(b"\r\n\r\n") {
        let mut byte = [0];
        stream.read_exact(&mut byte).unwrap();
        head.push(byte[0]);
    }
    String::from_utf8(head).unwrap().split(' ').nth(1).unwrap().parse().unwrap()
}

fn redirect_address(server: &TestServer) -> SocketAddr {
    let line = server.greeting.lines().find_map(|line| line.strip_prefix("  Redirect  http://"));
    line.unwrap_or_else(|| panic!("{}", server.greeting)).parse().unwrap()
}

#[test]
fn tls_1_2_and_1_3_are_supported_and_http_2_is_preferred() {
    let (sandbox, trusted) = sandbox();
    let server = sandbox.serve();
    assert!(server.greeting.contains(&format!("  API       https://{}/v1\n", server.address)), "{}", server.greeting);
    for (version, expected) in [(&TLS12, ProtocolVersion::TLSv1_2), (&TLS13, ProtocolVersion::TLSv1_3)] {
        for (offered, chosen) in [
            (&["h2", "http/1.1"][..], Some("h2")),
            (&["http/1.1", "h2"], Some("h2")),
            (&["http/1.1"], Some("http/1.1")),
            (&[], None),
        ] {
            let stream = handshake(server.address, &config(&trusted, &[version], offered)).unwrap();
            assert_eq!(stream.conn.protocol_version(), Some(expected));
            assert_eq!(stream.conn.alpn_protocol(), chosen.map(str::as_bytes), "{offered:?}");
        }
    }
    let mut stream = handshake(server.address, &config(&trusted, &[&TLS13], &[])).unwrap();
    stream.write_all(b"GET /v2/users/me HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n").unwrap();
    let response = TestResponse::read(stream).unwrap().expect(401);
    assert!(response.head.contains("strict-transport-security: max-age=63072000; includeSubDomains"), "{response:?}");
    // The header is also sent with the rejection of a malformed request.
    let mut stream = handshake(server.address, &config(&trusted, &[&TLS13], &[])).unwrap();
    stream.write_all(b"GET / HTTP/1.1\nHost: localhost\n\n").unwrap();
    let response = TestResponse::read(stream).unwrap().expect(400);
    assert!(response.head.contains("strict-transport-security: "), "{response:?}");
    server.stop();
}

#[test]
fn proxy_protocol_header_precedes_the_handshake() {
    let (sandbox, trusted) = sandbox();
    let sandbox = sandbox.env("PROXY_PROTOCOL", "on").env("TRUSTED_PROXIES", "127.0.0.1");
    let server = sandbox.serve();
    let config = config(&trusted, &[&TLS13], &["http/1.1"]);
    for header in [
        b"PROXY TCP4 203.0.113.1 10.0.0.1 43121 443\r\n".as_slice(),
        b"\r\n\r\n\0\r\nQUIT\n\x21\x11\x00\x0c\xcb\x00\x71\x01\x0a\x00\x00\x01\xa8\x71\x01\xbb",
        b"\r\n\r\n\0\r\nQUIT\n\x20\x00\x00\x00",
    ] {
        let mut tcp = connect(server.address).unwrap();
        tcp.write_all(header).unwrap();
        let mut stream = handshake_on(tcp, &config).unwrap();
        assert_eq!(request_status(&mut stream, "/health/live"), 200, "{header:?}");
    }
    let is_logged = (0..MAX_ATTEMPTS).any(|_| {
        assert!(handshake(server.address, &config).is_err(), "a handshake without a header");
        server.log().contains("header is missing")
    });
    assert!(is_logged, "{}", server.log());
    server.stop();
}

#[test]
fn http_2_requests_share_a_connection() {
    let (sandbox, trusted) = sandbox();
    let sandbox = sandbox.env("SHUTDOWN_DELAY", "0s").env("SHUTDOWN_TIMEOUT", "10m");
    let mut server = sandbox.serve();
    let (address, config) = (server.address, config(&trusted, &[&TLS13], &["h2"]));
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    runtime.block_on(async {
        let tcp = tokio::net::TcpStream::connect(address).await.unwrap();
        let name = ServerName::try_from("localhost").unwrap();
        let tls = tokio_rustls::TlsConnector::from(config).connect(name, tcp).await.unwrap();
        let (mut client, connection) = h2::client::handshake(tls).await.unwrap();
        let connection = tokio::spawn(connection);
        let get = |path: &str| poem::http::Request::get(format!("https://localhost{path}"));
        // Requests without a body, with an oversized header block, and with more headers than HTTP/1 allows.
        let large = get("/v2/bucketlists").header("x-large", "x".repeat(20_000));
        let many = (0..150).fold(get("/health/live"), |request, number| request.header(format!("x-{number}"), "x"));
        let mut responses = Vec::new();
        for request in [get("/health/live"), large, many] {
            client = client.ready().await.unwrap();
            responses.push(client.send_request(request.body(()).unwrap(), true).unwrap().0);
        }
        let mut statuses = Vec::new();
        for response in responses {
            let response = response.await.unwrap();
            assert_eq!(response.headers()["x-content-type-options"], "nosniff");
            statuses.push(response.status().as_u16());
        }
        assert_eq!(statuses, [200, 431, 200]);
        // An idle connection receives GOAWAY and does not block shutdown. Either side may close it first.
        server.signal("TERM");
        let ended = connection.await.unwrap();
        let is_closed = |error: &h2::Error| {
            error.get_io().is_some_and(|io| matches!(io.kind(), ErrorKind::BrokenPipe | ErrorKind::ConnectionReset))
        };
        assert!(ended.as_ref().err().is_none_or(is_closed), "{ended:?}");
    });
    assert_eq!(server.wait_for_exit().code(), Some(0), "{}", server.log());
}

#[test]
fn http_2_clients_receive_goaway_at_the_start_of_the_delay() {
    let (sandbox, trusted) = sandbox();
    let sandbox = sandbox.env("SHUTDOWN_DELAY", "10m");
    let mut server = sandbox.serve();
    let (address, config) = (server.address, config(&trusted, &[&TLS13], &["h2"]));
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    runtime.block_on(async {
        // A connection that was used before SIGTERM, and a new one.
        for is_first in [true, false] {
            let tcp = tokio::net::TcpStream::connect(address).await.unwrap();
            let name = ServerName::try_from("localhost").unwrap();
            let tls = tokio_rustls::TlsConnector::from(Arc::clone(&config)).connect(name, tcp).await.unwrap();
            let (client, connection) = h2::client::handshake(tls).await.unwrap();
            let connection = tokio::spawn(connection);
            let mut client = client.ready().await.unwrap();
            let request = poem::http::Request::get("https://localhost/health/live").body(()).unwrap();
            let response = client.send_request(request, true).unwrap().0.await.unwrap();
            assert_eq!(response.status().as_u16(), 200);
            if is_first {
                server.signal("TERM");
            }
            // The connection ends while the client still has a handle.
            let ended = connection.await.unwrap();
            let is_closed = |error: &h2::Error| {
                error.get_io().is_some_and(|io| matches!(io.kind(), ErrorKind::BrokenPipe | ErrorKind::ConnectionReset))
            };
            assert!(ended.as_ref().err().is_none_or(is_closed), "{ended:?}");
            drop(client);
        }
    });
    server.signal("INT");
    assert_eq!(server.wait_for_exit().code(), Some(0), "{}", server.log());
}

#[test]
fn certificate_is_reloaded_unless_it_is_invalid() {
    let (sandbox, first) = sandbox();
    let sandbox = sandbox.env("TLS_CHECK_INTERVAL", "10ms");
    let server = sandbox.serve();
    let first = config(&first, &[&TLS13], &[]);
    let mut open_connection = handshake(server.address, &first).unwrap();
    assert_eq!(request_status(&mut open_connection, "/health/live"), 200);

    let pair = pair(2020, 2090);
    write_pair(&sandbox, &pair);
    let second = config(&pair.0, &[&TLS13], &[]);
    assert!((0..MAX_ATTEMPTS).any(|_| handshake(server.address, &second).is_ok()), "{}", server.log());
    assert!(handshake(server.address, &first).is_err());
    assert_eq!(request_status(&mut open_connection, "/health/live"), 200, "open connections are not closed");

    // A key of another certificate, and a file without a key.
    for (key, reason) in [
        (self::pair(2020, 2090).1, "does not match"),
        ("nonsense".to_owned(), "contains no unencrypted PEM private key"),
    ] {
        sandbox.write("key.pem", &key);
        let is_logged = (0..MAX_ATTEMPTS).any(|_| {
            assert!(handshake(server.address, &second).is_ok(), "the previous certificate is used");
            server.log().contains(reason)
        });
        assert!(is_logged, "{}", server.log());
    }
    fs::remove_file(sandbox.path("cert.pem")).unwrap();
    assert_eq!(request_status(&mut open_connection, "/health/live"), 200);
    // A valid pair is loaded again.
    let pair = self::pair(2020, 2090);
    write_pair(&sandbox, &pair);
    let third = config(&pair.0, &[&TLS13], &[]);
    assert!((0..MAX_ATTEMPTS).any(|_| handshake(server.address, &third).is_ok()), "{}", server.log());
    assert_eq!(request_status(&mut open_connection, "/health/live"), 200);
    server.stop();
}

#[test]
fn hang_up_reloads_the_certificate() {
    let (sandbox, _) = sandbox();
    let sandbox = sandbox.env("TLS_CHECK_INTERVAL", "1h");
    let server = sandbox.serve();
    let pair = pair(2020, 2090);
    write_pair(&sandbox, &pair);
    let second = config(&pair.0, &[&TLS13], &[]);
    assert!(handshake(server.address, &second).is_err());
    server.signal("HUP");
    assert!((0..MAX_ATTEMPTS).any(|_| handshake(server.address, &second).is_ok()), "{}", server.log());
    server.stop();
}

#[test]
fn only_pages_redirect_to_https_and_only_at_the_public_host() {
    let (sandbox, _) = sandbox();
    let sandbox = sandbox.env("HTTP_REDIRECT_PORT", "0").env("HEADER_TIMEOUT", "150ms");
    let server = sandbox.serve();
    let address = redirect_address(&server);
    let request = |head: &str| {
        let mut stream = connect(address).unwrap();
        stream.write_all(format!("{head}\r\nConnection: close\r\n\r\n").as_bytes()).unwrap();
        TestResponse::read(stream).unwrap()
    };
    for method in ["GET", "HEAD"] {
        let response =
            request(&format!("{method} /docs?x=1 HTTP/1.1\r\nHost: localhost:{}", address.port())).expect(308);
        assert!(response.head.contains("\r\nlocation: https://localhost/docs?x=1\r\n"), "{response:?}");
        assert!(!response.head.contains("strict-transport-security"), "HSTS must not be sent over HTTP: {response:?}");
        assert!(response.head.contains("x-content-type-options: nosniff"), "{response:?}");
    }
    for head in [
        "GET / HTTP/1.1\r\nHost: evil.example",
        "GET http://evil.example/ HTTP/1.1\r\nHost: localhost",
        "GET http://evil.example/ HTTP/1.1\r\nHost: evil.example",
        "GET / HTTP/1.1",
    ] {
        let response = request(head).expect(400);
        assert!(!response.head.contains("location: ") && !response.body.contains("evil"), "{response:?}");
    }
    // Requests to operations are rejected, so that clients notice the unencrypted connection.
    for head in [
        "GET /v1/users/me HTTP/1.1\r\nHost: localhost",
        "POST /v2/auth/login HTTP/1.1\r\nHost: localhost\r\nContent-Length: 0",
        "GET / HTTP/1.1\r\nHost: localhost\r\nAuthorization: Bearer a.b.c",
    ] {
        let response = request(head).expect(400);
        assert!(!response.head.contains("location: ") && response.body.contains("require HTTPS"), "{response:?}");
    }
    // HEADER_TIMEOUT also applies to the redirect server.
    let mut stalled = connect(address).unwrap();
    stalled.write_all(b"GET / HTTP/1.1\r\n").unwrap();
    let _ = TestResponse::read(stalled).unwrap().expect(408);
    server.stop();
}

#[test]
fn stalled_handshake_is_closed() {
    let (sandbox, trusted) = sandbox();
    let sandbox = sandbox.env("HEADER_TIMEOUT", "150ms");
    let server = sandbox.serve();
    for bytes in [&b""[..], b"\x16\x03\x01"] {
        let mut stream = connect(server.address).unwrap();
        stream.write_all(bytes).unwrap();
        assert_eq!(stream.read(&mut [0]).unwrap(), 0);
    }
    // An unencrypted request gets a TLS alert and no HTTP response.
    let response = send(server.address, "GET", "/", None, None);
    assert!(response.is_err(), "{response:?}");
    assert_eq!(
        request_status(&mut handshake(server.address, &config(&trusted, &[&TLS13], &[])).unwrap(), "/health/live"),
        200
    );
    server.stop();
}

#[test]
fn unusable_certificate_files_prevent_startup() {
    let (sandbox, _) = sandbox();
    let sandbox = sandbox.env("PORT", "0");
    sandbox.write("key.pem", &pair(2020, 2090).1);
    let error = sandbox.run(&["serve"]).expect_error();
    let expected = "the private key in key.pem does not match the certificate in cert.pem\n\
                    help: set TLS_CERT and TLS_KEY to files that belong together";
    assert_eq!(error, expected);
    let block = |label: &str| format!("-----BEGIN {label}-----\nAAAA\n-----END {label}-----\n");
    for (file, text, expected) in [
        (
            "key.pem",
            block("ENCRYPTED PRIVATE KEY"),
            "key.pem contains no unencrypted PEM private key\n\
             help: set TLS_KEY to the private key of the certificate, without a passphrase",
        ),
        (
            "key.pem",
            block("PRIVATE KEY"),
            "the private key in key.pem is damaged or of an unsupported type or size\n\
             help: use an ECDSA key on P-256 or P-384, an Ed25519 key, or an RSA key of 2048 to 8192 bits",
        ),
        (
            "cert.pem",
            block("PRIVATE KEY"),
            "cert.pem contains no PEM certificate\n\
             help: set TLS_CERT to a file with the certificate chain, the server's certificate first",
        ),
    ] {
        sandbox.write(file, &text);
        assert_eq!(sandbox.run(&["serve"]).expect_error(), expected);
    }
    fs::remove_file(sandbox.path("cert.pem")).unwrap();
    let error = sandbox.run(&["serve"]).expect_error();
    assert!(error.starts_with("cannot read cert.pem: "), "{error}");
    assert!(error.ends_with("\nhelp: set TLS_CERT to a readable file"), "{error}");
    assert!(!sandbox.exists("data"), "the data directory was created");
}

#[test]
fn conflicting_settings_are_reported() {
    for (variables, error) in [
        (&[("TLS_CERT", "cert.pem")][..], "TLS_KEY: must be set if TLS_CERT is set"),
        (&[("TLS_KEY", "key.pem")], "TLS_CERT: must be set if TLS_KEY is set"),
        (
            &[("TLS_CERT", "c"), ("TLS_KEY", "k"), ("PUBLIC_URL", "http://localhost")],
            "PUBLIC_URL: must start with https:// if TLS_CERT is set",
        ),
        (&[("HTTP_REDIRECT_PORT", "8080")], "HTTP_REDIRECT_PORT: requires a PUBLIC_URL that starts with https://"),
        (
            &[("TLS_CERT", "c"), ("TLS_KEY", "k"), ("PORT", "8443"), ("HTTP_REDIRECT_PORT", "8443")],
            "HTTP_REDIRECT_PORT: must differ from PORT",
        ),
        (&[("MAX_CONNECTIONS", "0")], "MAX_CONNECTIONS: `0` is not a whole number from 1 to 1000000"),
        (
            &[("SECURITY_CONTACT", "security@example.com")],
            "SECURITY_CONTACT: `security@example.com` is not an ASCII URI that starts with mailto: or https: or tel:",
        ),
    ] {
        let sandbox = variables.iter().fold(Sandbox::new(), |sandbox, (name, value)| sandbox.env(name, value));
        let outcome = sandbox.run(&["serve"]).expect_exit_code(1);
        assert_eq!(
            outcome.err,
            format!(
                "error: invalid configuration\n  {error}\nhelp: see .env.example for every variable and its format\n"
            )
        );
    }
}

#[test]
fn doctor_checks_the_certificate() {
    let check = |sandbox: &Sandbox| {
        let report = sandbox.run(&["doctor", "--format", "json"]);
        let report: serde_json::Value = serde_json::from_str(&report.out).unwrap_or_else(|_| panic!("{report:?}"));
        let checks = report["checks"].as_array().unwrap();
        let check = checks.iter().find(|check| check["name"] == "https").unwrap_or_else(|| panic!("{report:#}"));
        (check["status"].as_str().unwrap().to_owned(), check["detail"].as_str().unwrap().to_owned())
    };
    let (sandbox, _) = sandbox();
    let sandbox = sandbox.env("PORT", "0");
    let (status, detail) = check(&sandbox);
    assert_eq!((status.as_str(), detail.as_str()), ("ok", "the certificate is valid until 2090-01-01"));
    for ((from, until), status, detail) in [
        ((2020, 2021), "fail", "the certificate expired on 2021-01-01; renew it"),
        ((2080, 2090), "fail", "the certificate is not valid before 2080-01-01; check the clock"),
    ] {
        write_pair(&sandbox, &pair(from, until));
        assert_eq!(check(&sandbox), (status.to_owned(), detail.to_owned()));
    }
    sandbox.write("key.pem", &pair(2020, 2090).1);
    let (status, detail) = check(&sandbox);
    assert_eq!((status.as_str(), detail.contains("does not match")), ("fail", true), "{detail}");
    write_pair(&sandbox, &pair(2020, 2090));
    let sandbox = sandbox.env("PUBLIC_URL", "https://api.example.com");
    let (status, detail) = check(&sandbox);
    assert_eq!(status, "warn");
    assert!(detail.contains("is not valid for api.example.com"), "{detail}");
}

#[test]
fn security_txt_is_served_when_a_contact_is_configured() {
    let path = "/.well-known/security.txt";
    let sandbox = Sandbox::new().env("APP_ENV", "testing");
    let server = sandbox.serve();
    server.get(path, None).expect(404);
    server.stop();
    let sandbox = sandbox
        .env("SECURITY_CONTACT", "mailto:security@example.com")
        .env("SECURITY_POLICY", "https://example.com/security")
        .env("PUBLIC_URL", "https://api.example.com");
    let server = sandbox.serve();
    let response = server.get(path, None).expect(200);
    assert!(response.head.contains("content-type: text/plain; charset=utf-8"), "{response:?}");
    let lines: Vec<&str> = response.body.lines().collect();
    let [contact, expires, policy, languages, canonical] = lines[..] else { panic!("{response:?}") };
    assert_eq!(contact, "Contact: mailto:security@example.com");
    let expires = expires.strip_prefix("Expires: ").and_then(|time| chrono::DateTime::parse_from_rfc3339(time).ok());
    let days = (expires.unwrap_or_else(|| panic!("{response:?}")).to_utc() - chrono::Utc::now()).num_days();
    assert!((170..=180).contains(&days), "{days}");
    assert_eq!(policy, "Policy: https://example.com/security");
    assert_eq!(languages, "Preferred-Languages: en");
    assert_eq!(canonical, "Canonical: https://api.example.com/.well-known/security.txt");
    server.stop();
}
