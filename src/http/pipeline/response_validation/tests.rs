use contract::v1;
use poem::Body;

use super::*;

fn operation(id: &str) -> &'static Operation {
    v1::contract().operations().find(|operation| operation.id == id).unwrap()
}

/// Returns the response of `logout`, without the headers that are added later.
fn no_content() -> Response {
    Response::builder().status(poem::http::StatusCode::NO_CONTENT).finish()
}

fn complete(response: &mut Response) {
    for (name, value) in
        [("x-request-id", "r"), ("x-response-time", "0.003s"), ("cache-control", "no-store"), ("vary", "Accept")]
    {
        response.headers_mut().insert(name, value.parse().unwrap());
    }
}

/// Sends a response as the pipeline does and returns its body.
async fn send(validator: &ResponseValidator, id: &str, mut response: Response) -> Vec<u8> {
    let pending = validator.start(operation(id), &mut response);
    complete(&mut response);
    if let Some(pending) = pending {
        pending.set_headers(&response);
    }
    response.into_body().into_vec().await.unwrap()
}

fn validator() -> ResponseValidator {
    ResponseValidator::new(ResponseValidation::All).unwrap().unwrap()
}

fn counts(validated: u64, invalid: u64, skipped: u64) -> ValidationCounts {
    ValidationCounts { validated, invalid, skipped }
}

#[tokio::test]
async fn documented_response_has_no_violations() {
    assert!(ResponseValidator::new(ResponseValidation::Off).unwrap().is_none());
    let validator = validator();
    assert_eq!(send(&validator, "logout", no_content()).await, b"");
    validator.flush().await;
    assert_eq!((validator.counts(), validator.kinds()), (counts(1, 0, 0), vec![]));
}

#[tokio::test]
async fn violations_are_counted_by_kind_and_the_body_is_unchanged() {
    let validator = validator();
    for body in ["{\"secret\": 1}", "{\"secret\": 2}"] {
        let response = Response::builder().content_type("application/json").body(body);
        assert_eq!(send(&validator, "getMe", response).await, body.as_bytes());
    }
    assert_eq!(send(&validator, "logout", Response::builder().body("x")).await, b"x");
    validator.flush().await;
    assert_eq!(validator.counts(), counts(3, 3, 0));
    let kinds = validator.kinds();
    let times = |location: &str| {
        kinds.iter().find(|(kind, _)| kind.location == location).map(|(kind, times)| (kind.operation, *times))
    };
    assert_eq!(times("/email"), Some(("getMe", 2)));
    assert_eq!(times("status"), Some(("logout", 1)));
    assert!(!format!("{kinds:?}").contains("secret"), "{kinds:?}");
}

#[tokio::test]
async fn stream_is_validated_when_it_is_complete() {
    let validator = validator();
    let chunks = |last: &'static str| {
        let chunks = ["{\"error\":", last].map(|chunk| Ok::<_, io::Error>(Bytes::from_static(chunk.as_bytes())));
        let response = Response::builder().status(poem::http::StatusCode::INTERNAL_SERVER_ERROR);
        response.content_type("application/json").body(Body::from_bytes_stream(futures_util::stream::iter(chunks)))
    };
    assert_eq!(send(&validator, "getMe", chunks("7}")).await, b"{\"error\":7}");
    validator.flush().await;
    assert_eq!(validator.counts(), counts(1, 1, 0));
    assert_eq!(validator.kinds()[0].0.location, "/error");

    // The client disconnects.
    let mut response = chunks("8}");
    let pending = validator.start(operation("getMe"), &mut response).unwrap();
    pending.set_headers(&response);
    drop(response);
    validator.flush().await;
    assert_eq!(validator.counts(), counts(1, 1, 1));
}

#[tokio::test]
async fn body_that_is_too_long_is_not_validated() {
    let validator = validator();
    let long = "x".repeat(MAX_BODY_BYTES + 1);
    let response = Response::builder().content_type("application/json").body(long.clone());
    assert_eq!(send(&validator, "getMe", response).await, long.as_bytes());
    // The body is not JSON, which is not checked; the media type is.
    let response = Response::builder().content_type("text/plain").body(long);
    drop(send(&validator, "getMe", response).await);
    validator.flush().await;
    assert_eq!(validator.counts(), counts(2, 1, 0));
    assert_eq!(validator.kinds()[0].0.location, "content type");
}

#[tokio::test]
async fn sample_has_the_first_response_of_each_status() {
    let validator = ResponseValidator::new(ResponseValidation::Sample).unwrap().unwrap();
    for _ in 0..2 * SAMPLE_INTERVAL {
        send(&validator, "logout", no_content()).await;
    }
    send(&validator, "deleteMe", no_content()).await;
    send(&validator, "logout", Response::builder().finish()).await;
    validator.flush().await;
    assert_eq!((validator.counts().validated, validator.counts().invalid), (4, 1));
}

#[tokio::test]
async fn number_of_concurrent_validations_is_bounded() {
    let validator = validator();
    let mut open = Vec::new();
    for _ in 0..MAX_CONCURRENT {
        let mut response =
            Response::builder().body(Body::from_bytes_stream(futures_util::stream::pending::<io::Result<Bytes>>()));
        assert!(validator.start(operation("getMe"), &mut response).is_some());
        open.push(response);
    }
    assert!(validator.start(operation("getMe"), &mut no_content()).is_none());
    assert_eq!(validator.counts(), counts(0, 0, 1));
    drop(open);
    send(&validator, "logout", no_content()).await;
    validator.flush().await;
    assert_eq!(validator.counts(), counts(1, 0, 1 + MAX_CONCURRENT as u64));
}

#[tokio::test]
async fn first_violation_of_each_kind_is_logged_without_values() {
    let log = Arc::new(Mutex::new(Vec::new()));
    let writer = Arc::clone(&log);
    let writer = move || Lines(Arc::clone(&writer));
    let subscriber = tracing_subscriber::fmt().with_ansi(false).with_writer(writer).finish();
    // With a single subscriber, a test that logs first would decide whether this callsite is enabled.
    let _another = tracing::Dispatch::new(tracing_subscriber::registry());
    let validator = tracing::subscriber::with_default(subscriber, validator);
    for number in 0..3 {
        let body = format!("{{\"id\": \"secret {number}\"}}");
        send(&validator, "getMe", Response::builder().content_type("application/json").body(body)).await;
    }
    validator.flush().await;
    let text = String::from_utf8(log.lock().unwrap().clone()).unwrap();
    assert_eq!(text.matches("location=\"/id\"").count(), 1, "{text}");
    let line = text.lines().find(|line| line.contains("location=\"/id\"")).unwrap();
    for expected in
        ["WARN", "request_id=\"r\"", "operation=\"getMe\"", "path=\"/v1/users/me\"", "status=200", "must be an integer"]
    {
        assert!(line.contains(expected), "{expected}: {line}");
    }
    assert!(!text.contains("secret"), "{text}");
}

struct Lines(Arc<Mutex<Vec<u8>>>);

impl io::Write for Lines {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.0.lock().unwrap().extend_from_slice(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}
