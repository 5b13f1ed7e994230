//! Log events as JSON, one object per line.
//!
//! The lines are those of the JSON format of tracing-subscriber, with the fields of the event at the top level and with the current span. That
//! format parses the fields of the span for each event and builds a tree of them, which costs more than the rest of the line.

use std::fmt::{self, Debug, Display, Write};

use tracing::{
    Event, Subscriber,
    field::{Field, Visit},
};
use tracing_subscriber::{
    fmt::{
        FmtContext, FormatEvent, FormatFields, FormattedFields,
        format::{Format, Json, Writer},
        time::{FormatTime, SystemTime},
    },
    registry::LookupSpan,
};

/// Target of the events of the crate `log`, whose metadata are in their fields.
const LOG_CRATE: &str = "log";

/// Formats events as JSON. The fields of spans must be formatted by [`JsonFields`](tracing_subscriber::fmt::format::JsonFields).
#[derive(Debug)]
pub struct JsonFormat {
    /// For the events of the crate `log`.
    standard: Format<Json>,
}

impl Default for JsonFormat {
    fn default() -> Self {
        let standard = tracing_subscriber::fmt::format().json();
        Self { standard: standard.flatten_event(true).with_current_span(true).with_span_list(false) }
    }
}

impl<S, N> FormatEvent<S, N> for JsonFormat
where
    S: Subscriber + for<'span> LookupSpan<'span>,
    N: for<'writer> FormatFields<'writer> + 'static,
{
    fn format_event(&self, context: &FmtContext<'_, S, N>, mut writer: Writer<'_>, event: &Event<'_>) -> fmt::Result {
        let metadata = event.metadata();
        if metadata.target() == LOG_CRATE {
            return self.standard.format_event(context, writer, event);
        }
        writer.write_str("{\"timestamp\":\"")?;
        SystemTime.format_time(&mut writer)?;
        write!(writer, "\",\"level\":\"{}\"", metadata.level().as_str())?;
        let mut fields = FieldWriter { writer: writer.by_ref(), result: Ok(()) };
        event.record(&mut fields);
        fields.result?;
        writer.write_str(",\"target\":")?;
        write_string(&mut writer, metadata.target())?;
        let span = event.parent().and_then(|id| context.span(id)).or_else(|| context.lookup_current());
        if let Some(span) = span {
            writer.write_str(",\"span\":{")?;
            let extensions = span.extensions();
            let fields = extensions.get::<FormattedFields<N>>().map_or("", |fields| fields.fields.as_str());
            let fields = fields.strip_prefix('{').and_then(|fields| fields.strip_suffix('}')).unwrap_or_default();
            if !fields.is_empty() {
                write!(writer, "{fields},")?;
            }
            writer.write_str("\"name\":")?;
            write_string(&mut writer, span.name())?;
            writer.write_char('}')?;
        }
        writer.write_str("}\n")
    }
}

/// Writes the fields of an event, each after a comma.
struct FieldWriter<'a> {
    writer: Writer<'a>,
    result: fmt::Result,
}

impl FieldWriter<'_> {
    fn write(&mut self, field: &Field, write_value: impl FnOnce(&mut Writer<'_>) -> fmt::Result) {
        let mut write = || {
            self.writer.write_char(',')?;
            write_string(&mut self.writer, field.name())?;
            self.writer.write_char(':')
        };
        if self.result.is_ok() {
            self.result = write().and_then(|()| write_value(&mut self.writer));
        }
    }

    fn write_display(&mut self, field: &Field, value: impl Display) {
        self.write(field, |writer| write!(writer, "{value}"));
    }
}

impl Visit for FieldWriter<'_> {
    fn record_debug(&mut self, field: &Field, value: &dyn Debug) {
        self.write(field, |writer| {
            writer.write_char('"')?;
            write!(Escaped(writer), "{value:?}")?;
            writer.write_char('"')
        });
    }

    fn record_str(&mut self, field: &Field, value: &str) {
        self.write(field, |writer| write_string(writer, value));
    }

    fn record_bool(&mut self, field: &Field, value: bool) {
        self.write_display(field, value);
    }

    fn record_i64(&mut self, field: &Field, value: i64) {
        self.write_display(field, value);
    }

    fn record_u64(&mut self, field: &Field, value: u64) {
        self.write_display(field, value);
    }

    fn record_f64(&mut self, field: &Field, value: f64) {
        // Infinite numbers become null.
        self.write_display(field, serde_json::Value::from(value));
    }
}

fn write_string(writer: &mut Writer<'_>, text: &str) -> fmt::Result {
    writer.write_char('"')?;
    Escaped(writer).write_str(text)?;
    writer.write_char('"')
}

/// Escapes text for a JSON string.
struct Escaped<'a, 'w>(&'a mut Writer<'w>);

impl Write for Escaped<'_, '_> {
    fn write_str(&mut self, mut text: &str) -> fmt::Result {
        let is_special = |byte: u8| matches!(byte, b'"' | b'\\' | 0..0x20);
        // Compares several bytes at a time, because it does not end at the first one. Few texts have such a byte.
        if !text.bytes().fold(false, |found, byte| found | is_special(byte)) {
            return self.0.write_str(text);
        }
        while let Some(position) = text.bytes().position(is_special) {
            let (before, rest) = text.split_at(position);
            self.0.write_str(before)?;
            let (escaped, rest) = rest.split_at(1);
            match escaped {
                "\"" => self.0.write_str("\\\"")?,
                "\\" => self.0.write_str("\\\\")?,
                "\n" => self.0.write_str("\\n")?,
                "\r" => self.0.write_str("\\r")?,
                "\t" => self.0.write_str("\\t")?,
                "\u{8}" => self.0.write_str("\\b")?,
                "\u{c}" => self.0.write_str("\\f")?,
                _ => write!(self.0, "\\u{:04x}", escaped.as_bytes()[0])?,
            }
            text = rest;
        }
        self.0.write_str(text)
    }
}

#[cfg(test)]
mod tests {
    use std::{
        io,
        sync::{Arc, Mutex},
    };

    use serde_json::Value;
    use tracing::{error, info, info_span, warn};
    use tracing_subscriber::fmt::{MakeWriter, format::JsonFields};

    use super::*;

    #[derive(Clone, Default)]
    struct Lines(Arc<Mutex<Vec<u8>>>);

    impl io::Write for Lines {
        fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
            self.0.lock().unwrap().write(bytes)
        }

        fn flush(&mut self) -> io::Result<()> {
            Ok(())
        }
    }

    impl MakeWriter<'_> for Lines {
        type Writer = Self;

        fn make_writer(&self) -> Self {
            self.clone()
        }
    }

    impl Lines {
        /// Returns the lines with their times removed.
        fn without_times(&self) -> Vec<String> {
            let text = String::from_utf8(self.0.lock().unwrap().clone()).unwrap();
            let without_time = |line: &str| {
                let (time, rest) = line.split_once(',').unwrap();
                let time = time.strip_prefix("{\"timestamp\":\"").and_then(|time| time.strip_suffix("Z\"")).unwrap();
                assert_eq!(time.len(), "2026-11-30T19:21:06.632641".len());
                assert!(serde_json::from_str::<Value>(line).is_ok(), "{line}");
                rest.to_owned()
            };
            text.lines().map(without_time).collect()
        }
    }

    fn emit() {
        let text = "quote \" backslash \\ line\nfeed\r\ttab \u{1} \u{8} \u{c} \u{7f} \u{e9}\u{1f30d}";
        info!("outside of a span");
        let span = info_span!("request", id = "a\"b", number = 7, later = tracing::field::Empty);
        let _entered = span.enter();
        span.record("later", true);
        info!(target: "bucketlist::access", text, status = 200_u16, none = None::<u8>, negative = -1, "request completed");
        warn!(float = 1.5, whole = 2.0, infinite = f64::INFINITY, large = u64::MAX, huge = u128::MAX, debug = ?Some(text));
        let inner = info_span!("without fields");
        error!(parent: &inner, error = %io::Error::other(text), flag = false, bytes = &b"\x01\xff"[..], "failed");
        let source = io::Error::other("source");
        error!(error = &source as &(dyn std::error::Error + 'static), "failed");
    }

    #[test]
    fn lines_are_those_of_the_standard_format() {
        let (ours, standard) = (Lines::default(), Lines::default());
        let builder = || tracing_subscriber::fmt().with_max_level(tracing::Level::INFO);
        let subscriber = builder().event_format(JsonFormat::default()).fmt_fields(JsonFields::new());
        tracing::subscriber::with_default(subscriber.with_writer(ours.clone()).finish(), emit);
        let subscriber = builder().json().flatten_event(true).with_current_span(true).with_span_list(false);
        tracing::subscriber::with_default(subscriber.with_writer(standard.clone()).finish(), emit);
        let (ours, standard) = (ours.without_times(), standard.without_times());
        assert_eq!(ours.len(), 5);
        assert_eq!(ours, standard);
    }
}
