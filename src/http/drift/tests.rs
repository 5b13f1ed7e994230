use contract::v1;
use poem::Body;

use super::*;

fn operation(id: &str) -> &'static Operation {
    v1::contract().operations().find(|operation| operation.id == id).unwrap()
}

/// What `logout` answers, but for headers that come later.
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

/// Sends an answer as the stack does; what the client gets.
async fn send(check: &ResponseValidator, id: &str, mut response: Response) -> Vec<u8> {
    let watched = check.watch(operation(id), &mut response);
    complete(&mut response);
    if let Some(watched) = watched {
        watched.with_headers(&response);
    }
    response.into_body().into_vec().await.unwrap()
}

fn all() -> ResponseValidator {
    ResponseValidator::new(ResponseValidation::All).unwrap().unwrap()
}

fn counts(checked: u64, drifted: u64, skipped: u64) -> ValidationCounts {
    ValidationCounts { checked, drifted, skipped }
}

#[tokio::test]
async fn what_the_document_says_is_no_drift() {
    assert!(ResponseValidator::new(ResponseValidation::Off).unwrap().is_none());
    let check = all();
    assert_eq!(send(&check, "logout", no_content()).await, b"");
    check.settled().await;
    assert_eq!((check.counts(), check.kinds()), (counts(1, 0, 0), vec![]));
}

#[tokio::test]
async fn what_it_does_not_say_is_counted_by_kind_and_the_body_is_left_alone() {
    let check = all();
    for body in ["{\"secret\": 1}", "{\"secret\": 2}"] {
        let response = Response::builder().content_type("application/json").body(body);
        assert_eq!(send(&check, "getMe", response).await, body.as_bytes());
    }
    assert_eq!(send(&check, "logout", Response::builder().body("x")).await, b"x");
    check.settled().await;
    assert_eq!(check.counts(), counts(3, 3, 0));
    let kinds = check.kinds();
    let times =
        |place: &str| kinds.iter().find(|(kind, _)| kind.place == place).map(|(kind, times)| (kind.operation, *times));
    assert_eq!(times("/email"), Some(("getMe", 2)));
    assert_eq!(times("status"), Some(("logout", 1)));
    assert!(!format!("{kinds:?}").contains("secret"), "{kinds:?}");
}

#[tokio::test]
async fn the_pieces_of_a_stream_are_judged_together_and_only_when_all_were_read() {
    let check = all();
    let pieces = |last: &'static str| {
        let pieces = ["{\"error\":", last].map(|piece| Ok::<_, io::Error>(Bytes::from_static(piece.as_bytes())));
        let response = Response::builder().status(poem::http::StatusCode::INTERNAL_SERVER_ERROR);
        response.content_type("application/json").body(Body::from_bytes_stream(futures_util::stream::iter(pieces)))
    };
    assert_eq!(send(&check, "getMe", pieces("7}")).await, b"{\"error\":7}");
    check.settled().await;
    assert_eq!(check.counts(), counts(1, 1, 0));
    assert_eq!(check.kinds()[0].0.place, "/error");

    // Whoever hangs up has got nothing to judge.
    let mut response = pieces("8}");
    let watched = check.watch(operation("getMe"), &mut response).unwrap();
    watched.with_headers(&response);
    drop(response);
    check.settled().await;
    assert_eq!(check.counts(), counts(1, 1, 1));
}

#[tokio::test]
async fn of_a_body_that_is_too_long_nothing_is_kept() {
    let check = all();
    let long = "x".repeat(MAX_BODY + 1);
    let response = Response::builder().content_type("application/json").body(long.clone());
    assert_eq!(send(&check, "getMe", response).await, long.as_bytes());
    // Not JSON, but nobody has looked; the type is looked at.
    let response = Response::builder().content_type("text/plain").body(long);
    drop(send(&check, "getMe", response).await);
    check.settled().await;
    assert_eq!(check.counts(), counts(2, 1, 0));
    assert_eq!(check.kinds()[0].0.place, "content type");
}

#[tokio::test]
async fn a_sample_has_the_first_of_each_and_few_others() {
    let check = ResponseValidator::new(ResponseValidation::Sample).unwrap().unwrap();
    for _ in 0..2 * SAMPLE {
        send(&check, "logout", no_content()).await;
    }
    send(&check, "deleteMe", no_content()).await;
    send(&check, "logout", Response::builder().finish()).await;
    check.settled().await;
    assert_eq!((check.counts().checked, check.counts().drifted), (4, 1));
}

#[tokio::test]
async fn not_more_than_so_many_are_watched_at_once() {
    let check = all();
    let mut open = Vec::new();
    for _ in 0..MAX_AT_ONCE {
        let mut response =
            Response::builder().body(Body::from_bytes_stream(futures_util::stream::pending::<io::Result<Bytes>>()));
        assert!(check.watch(operation("getMe"), &mut response).is_some());
        open.push(response);
    }
    assert!(check.watch(operation("getMe"), &mut no_content()).is_none());
    assert_eq!(check.counts(), counts(0, 0, 1));
    drop(open);
    send(&check, "logout", no_content()).await;
    check.settled().await;
    assert_eq!(check.counts(), counts(1, 0, 1 + MAX_AT_ONCE as u64));
}

#[tokio::test]
async fn what_is_logged_is_logged_once_of_each_kind_and_holds_no_value() {
    let log = Arc::new(Mutex::new(Vec::new()));
    let writer = Arc::clone(&log);
    let writer = move || Lines(Arc::clone(&writer));
    let subscriber = tracing_subscriber::fmt().with_ansi(false).with_writer(writer).finish();
    // Where only one subscriber is known, whoever logs first in another test decides whether the line is of interest.
    let _another = tracing::Dispatch::new(tracing_subscriber::registry());
    let check = tracing::subscriber::with_default(subscriber, all);
    for number in 0..3 {
        let body = format!("{{\"id\": \"secret {number}\"}}");
        send(&check, "getMe", Response::builder().content_type("application/json").body(body)).await;
    }
    check.settled().await;
    let text = String::from_utf8(log.lock().unwrap().clone()).unwrap();
    assert_eq!(text.matches("place=\"/id\"").count(), 1, "{text}");
    let line = text.lines().find(|line| line.contains("place=\"/id\"")).unwrap();
    for said in
        ["WARN", "request_id=\"r\"", "operation=\"getMe\"", "path=\"/v1/users/me\"", "status=200", "must be an integer"]
    {
        assert!(line.contains(said), "{said}: {line}");
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
