//! Streams of rows: their content, when they fetch, and how they fail.

use std::{
    io::Write,
    sync::{
        Arc, Mutex,
        atomic::{AtomicUsize, Ordering},
    },
};

use futures_util::StreamExt;
use serde::Serialize;

use super::*;

#[derive(Serialize)]
struct Wish {
    id: usize,
    name: String,
}

impl Row for Wish {
    const COLUMNS: &'static [&'static str] = &["id", "name"];
}

#[derive(Debug, thiserror::Error)]
#[error("the database is gone")]
struct Gone(#[source] io::Error);

fn wishes(ids: std::ops::Range<usize>) -> Vec<Wish> {
    ids.map(|id| Wish { id, name: format!("wish {id}") }).collect()
}

/// Streams `total` wishes in batches of `size`. Counts the fetched batches, and fails at number `fails_at`.
fn body(format: RowFormat, total: usize, size: usize, fetched: &Arc<AtomicUsize>, fails_at: usize) -> Body {
    let batch = move |from: usize| {
        let to = total.min(from + size);
        Batch { rows: wishes(from..to), next: (to < total).then_some(to) }
    };
    let fetched = Arc::clone(fetched);
    stream_rows(format, batch(0), move |from| {
        let number = fetched.fetch_add(1, Ordering::SeqCst) + 1;
        let gone = || Gone(io::Error::other("no route"));
        async move { if number == fails_at { Err(gone()) } else { Ok(batch(from)) } }
    })
}

#[tokio::test]
async fn every_row_appears_once() {
    for total in [0, 1, 9, 10, 11, 20, 25] {
        let fetched = Arc::default();
        let text = body(RowFormat::Csv, total, 10, &fetched, 0).into_string().await.unwrap();
        let expected: Vec<String> = (0..total).map(|id| format!("{id},wish {id}")).collect();
        assert_eq!(text.lines().skip(1).collect::<Vec<_>>(), expected);
        assert!(text.starts_with("id,name\r\n") && text.ends_with("\r\n"), "{text}");
        // If the first batch is the last one, no other is fetched.
        assert_eq!(fetched.load(Ordering::SeqCst), total.div_ceil(10).saturating_sub(1), "{total}");
        let lines = body(RowFormat::Ndjson, total, 10, &Arc::default(), 0).into_string().await.unwrap();
        let expected: Vec<String> = (0..total).map(|id| format!(r#"{{"id":{id},"name":"wish {id}"}}"#)).collect();
        assert_eq!(lines.lines().collect::<Vec<_>>(), expected);
    }
}

#[tokio::test]
async fn empty_batch_ends_the_stream() {
    let mut fetched = 0;
    let first = Batch { rows: wishes(0..1), next: Some(1) };
    let body = stream_rows(RowFormat::Csv, first, move |from| {
        fetched += 1;
        assert_eq!(fetched, 1);
        async move { Ok::<_, Gone>(Batch { rows: wishes(from..from), next: Some(from) }) }
    });
    assert_eq!(body.into_string().await.unwrap(), "id,name\r\n0,wish 0\r\n");
}

#[tokio::test]
async fn batch_is_fetched_after_the_previous_one_was_read() {
    let fetched = Arc::default();
    let mut stream = body(RowFormat::Csv, 1_000, 10, &fetched, 0).into_bytes_stream();
    for taken in 0..5 {
        assert_eq!(fetched.load(Ordering::SeqCst), usize::max(taken, 1) - 1);
        assert!(stream.next().await.unwrap().unwrap().len() > 10);
    }
    drop(stream);
    assert_eq!(fetched.load(Ordering::SeqCst), 4);
}

#[derive(Clone, Default)]
struct Log(Arc<Mutex<Vec<u8>>>);

impl Write for Log {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.0.lock().unwrap().write(bytes)
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

#[tokio::test]
async fn failed_fetch_fails_the_stream_and_is_logged_once() {
    let log = Log::default();
    let writer = log.clone();
    let subscriber = tracing_subscriber::fmt().with_ansi(false).with_writer(move || writer.clone()).finish();
    let _guard = tracing::subscriber::set_default(subscriber);
    let span = tracing::info_span!("request", id = "r-1");
    let body = span.in_scope(|| body(RowFormat::Csv, 100, 10, &Arc::default(), 3));
    let parts: Vec<_> = body.into_bytes_stream().collect().await;
    assert_eq!(parts.len(), 4);
    assert!(parts[..3].iter().all(Result::is_ok) && parts[3].is_err());
    let log = String::from_utf8(log.0.lock().unwrap().clone()).unwrap();
    assert_eq!(log.lines().count(), 1, "{log}");
    for text in ["ERROR", "request{id=\"r-1\"}", "row stream failed", "the database is gone: no route"] {
        assert!(log.contains(text), "{text}: {log}");
    }
}
