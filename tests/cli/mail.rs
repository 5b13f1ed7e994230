//! Mail through a real SMTP server: delivery over TLS, wrong credentials, rejected recipients, and a server that does not respond.

use std::{sync::Arc, time::Instant};

use rcgen::{CertificateParams, KeyPair};
use serde_json::{Value, json};
use tokio_rustls::rustls::{
    ServerConfig,
    crypto::ring,
    pki_types::{CertificateDer, PrivateKeyDer, pem::PemObject},
};

use crate::support::{Delivery, Sandbox, SmtpOptions, SmtpServer, TestServer};

/// Returns the configuration of a TLS server for `localhost`, and the certificate that clients must trust.
fn tls() -> (Arc<ServerConfig>, String) {
    let key = KeyPair::generate().unwrap();
    let certificate = CertificateParams::new(vec!["localhost".to_owned()]).unwrap().self_signed(&key).unwrap().pem();
    let chain = vec![CertificateDer::from_pem_slice(certificate.as_bytes()).unwrap()];
    let key = PrivateKeyDer::from_pem_slice(key.serialize_pem().as_bytes()).unwrap();
    let builder = ServerConfig::builder_with_provider(Arc::new(ring::default_provider()));
    let config = builder
        .with_safe_default_protocol_versions()
        .unwrap()
        .with_no_client_auth()
        .with_single_cert(chain, key)
        .unwrap();
    (Arc::new(config), certificate)
}

fn credentials() -> Option<(String, String)> {
    Some(("ada".to_owned(), "s3cr3t-of-the-mail-server".to_owned()))
}

/// Returns a sandbox that sends mail through an SMTP server.
fn sandbox(smtp: &SmtpServer, user: &str, query: &str) -> Sandbox {
    let url = format!("smtp://{user}localhost:{}{query}", smtp.address.port());
    let sandbox = Sandbox::new().env("APP_ENV", "testing").env("LOG_LEVEL", "info").env("LOG_FORMAT", "json");
    sandbox.env("SMTP_URL", url).env("MAIL_FROM", "BucketList <lists@example.com>").env("ACCOUNT_NOTICES", "false")
}

fn request_reset(server: &TestServer, email: &str) {
    server.post("/v2/auth/password-reset", None, &json!({"email": email})).expect(202);
}

/// Returns the check of the mail server in the report of `doctor`.
fn mail_server_check(sandbox: &Sandbox) -> (i32, String, String) {
    let outcome = sandbox.run(&["doctor", "--format", "json"]);
    let report: Value = serde_json::from_str(&outcome.out).unwrap_or_else(|_| panic!("{outcome:?}"));
    let checks = report["checks"].as_array().unwrap();
    let check = checks.iter().find(|check| check["name"] == "mail server").unwrap_or_else(|| panic!("{report:#}"));
    let text = |name: &str| check[name].as_str().unwrap().to_owned();
    (outcome.code.unwrap(), text("status"), text("detail"))
}

/// Returns the value of a header of a message.
#[track_caller]
fn header(mail: &Delivery, name: &str) -> String {
    let (head, _) = mail.data.split_once("\r\n\r\n").unwrap();
    let head = head.replace("\r\n ", " ");
    let line = head.lines().find_map(|line| line.strip_prefix(&format!("{name}: ")));
    line.unwrap_or_else(|| panic!("no {name}: {}", mail.data)).to_owned()
}

#[test]
fn mail_is_sent_over_tls_with_authentication_as_text_and_html() {
    let (tls, certificate) = tls();
    let smtp = SmtpServer::start(SmtpOptions { credentials: credentials(), tls: Some(tls), ..SmtpOptions::default() });
    let sandbox = sandbox(&smtp, "ada:s3cr3t-of-the-mail-server@", "?tls=required").env("SSL_CERT_FILE", "cert.pem");
    sandbox.write("cert.pem", &certificate);
    let (code, status, detail) = mail_server_check(&sandbox);
    assert_eq!((code, status.as_str()), (0, "ok"), "{detail}");
    assert_eq!(detail, format!("connected to localhost:{}, authenticated", smtp.address.port()));
    assert_eq!((smtp.deliveries().len(), smtp.quits()), (0, 1), "doctor sends no mail");

    let server = sandbox.serve();
    server.register("bob@xn--bcher-kva.example");
    request_reset(&server, "bob@xn--bcher-kva.example");
    let mails = smtp.wait_for(1);
    let mail = &mails[0];
    assert!(mail.is_encrypted && mail.is_authenticated, "{mail:?}");
    assert_eq!((mail.from.as_str(), mail.to.as_str()), ("lists@example.com", "bob@xn--bcher-kva.example"));
    assert_eq!(header(mail, "From"), "BucketList <lists@example.com>");
    assert_eq!(header(mail, "Auto-Submitted"), "auto-generated");
    assert!(header(mail, "Date").ends_with("+0000"), "{}", header(mail, "Date"));
    let id = header(mail, "Message-ID");
    assert!(id.starts_with('<') && id.ends_with("@example.com>"), "{id}");
    assert!(header(mail, "Content-Type").starts_with("multipart/alternative;"), "{}", mail.data);
    let parts: Vec<&str> = mail.data.split("Content-Type: ").skip(2).collect();
    assert_eq!(parts.len(), 2, "{}", mail.data);
    // Clients display the last part that they support.
    assert!(parts[0].starts_with("text/plain; charset=utf-8") && parts[1].starts_with("text/html; charset=utf-8"));
    assert!(!mail.data.contains("List-Unsubscribe"), "{}", mail.data);
    // SMTP limits lines to 998 bytes.
    assert!(mail.data.lines().all(|line| line.len() <= 998 && line.is_ascii()), "{}", mail.data);
    server.stop();
}

#[test]
fn unreachable_mail_server_is_reported_by_doctor() {
    let closed = std::net::TcpListener::bind(("127.0.0.1", 0)).unwrap().local_addr().unwrap();
    let sandbox = Sandbox::new().env("SMTP_URL", format!("smtp://{closed}")).env("PORT", "0");
    let (code, status, detail) = mail_server_check(&sandbox);
    assert_eq!((code, status.as_str()), (1, "fail"));
    assert!(detail.starts_with("cannot connect: connection refused;"), "{detail}");
}

#[test]
fn wrong_credentials_are_retried_and_reported_by_doctor() {
    let smtp = SmtpServer::start(SmtpOptions { credentials: credentials(), ..SmtpOptions::default() });
    let sandbox = sandbox(&smtp, "ada:an-old-password@", "");
    let (code, status, detail) = mail_server_check(&sandbox);
    assert_eq!((code, status.as_str()), (1, "fail"), "{detail}");
    assert!(detail.contains("responded with 535 5.7.8; correct the user and the password in SMTP_URL"), "{detail}");
    assert!(!detail.contains("an-old-password"), "{detail}");

    let server = sandbox.serve();
    server.register("ada@example.com");
    request_reset(&server, "ada@example.com");
    server.wait_until_logged("job failed; will retry");
    let log = server.log();
    assert!(log.contains("the mail server responded with 535 5.7.8"), "{log}");
    assert!(!log.contains("an-old-password") && !log.contains("wrong credentials for"), "{log}");
    assert!(smtp.deliveries().is_empty());
    server.stop();
}

#[test]
fn rejected_recipient_is_not_retried() {
    let response = "550 5.1.1 <{}>: no such user".to_owned();
    let smtp = SmtpServer::start(SmtpOptions { recipient_response: Some(response), ..SmtpOptions::default() });
    let sandbox = sandbox(&smtp, "", "");
    let server = sandbox.serve();
    server.register("ada@example.com");
    request_reset(&server, "ada@example.com");
    smtp.wait_for(1);
    server.wait_until_logged("job exhausted its attempts");
    let log = server.log();
    let line = log.lines().find(|line| line.contains("job exhausted its attempts")).unwrap();
    assert!(line.contains("mail rejected: the mail server responded with 550 5.1.1"), "{line}");
    assert!(!log.contains("job failed; will retry") && !line.contains("ada@example.com"), "{log}");
    assert_eq!(smtp.deliveries().len(), 1);
    server.stop();
}

#[test]
fn domain_of_the_sender_is_sent_in_punycode() {
    let smtp = SmtpServer::start(SmtpOptions::default());
    let sandbox = sandbox(&smtp, "", "").env("MAIL_FROM", "Bücher <lists@bücher.example>");
    let server = sandbox.serve();
    server.register("ada@bücher.example");
    request_reset(&server, "ada@bücher.example");
    let mail = &smtp.wait_for(1)[0];
    assert_eq!((mail.from.as_str(), mail.to.as_str()), ("lists@xn--bcher-kva.example", "ada@xn--bcher-kva.example"));
    assert!(header(mail, "From").ends_with(" <lists@xn--bcher-kva.example>"), "{}", header(mail, "From"));
    assert!(header(mail, "Message-ID").ends_with("@xn--bcher-kva.example>"), "{}", header(mail, "Message-ID"));
    assert!(mail.data.is_ascii(), "{}", mail.data);
    server.stop();
}

#[test]
fn recipient_that_requires_smtputf8_is_not_retried_without_it() {
    let smtp = SmtpServer::start(SmtpOptions::default());
    let sandbox = sandbox(&smtp, "", "");
    let server = sandbox.serve();
    server.register("jörg@example.com");
    request_reset(&server, "jörg@example.com");
    server.wait_until_logged("job exhausted its attempts");
    let log = server.log();
    let line = log.lines().find(|line| line.contains("job exhausted its attempts")).unwrap();
    assert!(line.contains("mail rejected: the recipient address has non-ASCII characters before the @"), "{line}");
    assert!(line.contains("SMTPUTF8") && !log.contains("job failed; will retry") && !log.contains("jörg"), "{log}");
    server.stop();
}

#[test]
fn silent_mail_server_blocks_neither_doctor_nor_shutdown() {
    let smtp = SmtpServer::start(SmtpOptions { is_silent: true, ..SmtpOptions::default() });
    let sandbox = sandbox(&smtp, "", "");
    let started = Instant::now();
    let (code, status, detail) = mail_server_check(&sandbox);
    assert_eq!((code, status.as_str()), (1, "fail"), "{detail}");
    assert!(detail.contains("did not respond within 5 s"), "{detail}");
    assert!(started.elapsed().as_secs() < 20, "{:?}", started.elapsed());

    let mut server = sandbox.serve();
    server.register("ada@example.com");
    request_reset(&server, "ada@example.com");
    smtp.wait_for_connections(2);
    let started = Instant::now();
    server.signal("TERM");
    let status = server.wait_for_exit();
    assert!(status.success(), "{status:?}\n{}", server.log());
    assert!(started.elapsed().as_secs() < 20, "{:?}", started.elapsed());
}
