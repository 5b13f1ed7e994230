//! A stub of an OpenTelemetry collector: receives spans over HTTP and decodes them.

use std::{
    collections::BTreeMap,
    io::{BufRead, BufReader, Read, Write},
    net::{SocketAddr, TcpListener, TcpStream},
    sync::{
        Arc, Mutex,
        atomic::{AtomicU16, Ordering},
    },
    thread,
};

use opentelemetry_proto::tonic::{
    collector::trace::v1::ExportTraceServiceRequest,
    common::v1::{KeyValue, any_value::Value},
};
use prost::Message;

pub use opentelemetry_proto::tonic::trace::v1::{Span, span::SpanKind, status::StatusCode};

/// A collector that listens on a free port.
pub struct Collector {
    pub address: SocketAddr,
    received: Arc<Received>,
}

struct Received {
    /// Status of the responses.
    status: AtomicU16,
    exports: Mutex<Vec<Export>>,
}

/// A request to the collector.
#[derive(Clone, Debug)]
pub struct Export {
    /// The request line and the headers, with names in lower case.
    pub head: String,
    pub resource: BTreeMap<String, String>,
    pub spans: Vec<Span>,
}

impl Collector {
    pub fn start() -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = listener.local_addr().unwrap();
        let received = Arc::new(Received { status: AtomicU16::new(200), exports: Mutex::default() });
        let shared = Arc::clone(&received);
        // Ends with the process.
        thread::spawn(move || {
            for stream in listener.incoming().map_while(Result::ok) {
                let received = Arc::clone(&shared);
                thread::spawn(move || receive(stream, &received));
            }
        });
        Self { address, received }
    }

    /// Returns the value of `OTEL_EXPORTER_OTLP_ENDPOINT`.
    pub fn endpoint(&self) -> String {
        format!("http://{}", self.address)
    }

    /// Responds with this status from now on.
    pub fn respond_with(&self, status: u16) {
        self.received.status.store(status, Ordering::SeqCst);
    }

    pub fn exports(&self) -> Vec<Export> {
        self.received.exports.lock().unwrap().clone()
    }

    /// Returns every span that was received.
    pub fn spans(&self) -> Vec<Span> {
        self.exports().into_iter().flat_map(|export| export.spans).collect()
    }

    /// Returns the spans of a trace, by its ID in hexadecimal.
    pub fn trace(&self, id: &str) -> Vec<Span> {
        self.spans().into_iter().filter(|span| hex::encode(&span.trace_id) == id).collect()
    }
}

/// Reads requests until the client closes the connection.
fn receive(stream: TcpStream, received: &Received) -> Option<()> {
    let mut reader = BufReader::new(stream);
    loop {
        let mut head = String::new();
        while !head.ends_with("\r\n\r\n") {
            if reader.read_line(&mut head).ok()? == 0 {
                return None;
            }
        }
        let head = head.to_ascii_lowercase();
        let length = head.lines().find_map(|line| line.strip_prefix("content-length: ")).unwrap().parse().unwrap();
        let mut body = vec![0; length];
        reader.read_exact(&mut body).ok()?;
        let request = ExportTraceServiceRequest::decode(&*body).unwrap();
        let status = received.status.load(Ordering::SeqCst);
        if status == 200 {
            let exports = request.resource_spans.into_iter().map(|spans| Export {
                head: head.clone(),
                resource: to_map(&spans.resource.unwrap_or_default().attributes),
                spans: spans.scope_spans.into_iter().flat_map(|scope| scope.spans).collect(),
            });
            received.exports.lock().unwrap().extend(exports);
        }
        let response =
            format!("HTTP/1.1 {status} -\r\nContent-Type: application/x-protobuf\r\nContent-Length: 0\r\n\r\n");
        reader.get_mut().write_all(response.as_bytes()).ok()?;
    }
}

/// Returns attributes as text.
fn to_map(attributes: &[KeyValue]) -> BTreeMap<String, String> {
    let text = |value: &Value| match value {
        Value::StringValue(text) => text.clone(),
        Value::IntValue(number) => number.to_string(),
        Value::DoubleValue(number) => number.to_string(),
        other => format!("{other:?}"),
    };
    let value = |attribute: &KeyValue| attribute.value.as_ref().and_then(|value| value.value.as_ref().map(text));
    attributes.iter().map(|it| (it.key.clone(), value(it).unwrap_or_default())).collect()
}

/// Returns the attributes of a span.
pub fn span_attributes(span: &Span) -> BTreeMap<String, String> {
    to_map(&span.attributes)
}
