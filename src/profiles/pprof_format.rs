//! Encodes a profile in the format of `pprof`: <https://github.com/google/pprof/blob/main/proto/profile.proto>.

use std::{collections::HashMap, hash::Hash, time::UNIX_EPOCH};

use pprof::Report;
use prost::Message;

#[derive(Clone, PartialEq, Message)]
pub(super) struct PprofProfile {
    #[prost(message, repeated, tag = "1")]
    sample_type: Vec<ValueType>,
    #[prost(message, repeated, tag = "2")]
    sample: Vec<Sample>,
    #[prost(message, repeated, tag = "4")]
    location: Vec<Location>,
    #[prost(message, repeated, tag = "5")]
    function: Vec<Function>,
    #[prost(string, repeated, tag = "6")]
    pub(super) string_table: Vec<String>,
    #[prost(int64, tag = "9")]
    time_nanos: i64,
    #[prost(int64, tag = "10")]
    duration_nanos: i64,
    #[prost(message, optional, tag = "11")]
    period_type: Option<ValueType>,
    #[prost(int64, tag = "12")]
    period: i64,
}

/// Texts are indexes of the string table.
#[derive(Clone, PartialEq, Eq, Message)]
struct ValueType {
    #[prost(int64, tag = "1")]
    r#type: i64,
    #[prost(int64, tag = "2")]
    unit: i64,
}

#[derive(Clone, PartialEq, Eq, Message)]
struct Sample {
    /// From the innermost frame to the outermost.
    #[prost(uint64, repeated, tag = "1")]
    location_id: Vec<u64>,
    /// One value for each sample type.
    #[prost(int64, repeated, tag = "2")]
    value: Vec<i64>,
    #[prost(message, repeated, tag = "3")]
    label: Vec<Label>,
}

#[derive(Clone, PartialEq, Eq, Message)]
struct Label {
    #[prost(int64, tag = "1")]
    key: i64,
    #[prost(int64, tag = "2")]
    str: i64,
}

#[derive(Clone, PartialEq, Eq, Message)]
struct Location {
    #[prost(uint64, tag = "1")]
    id: u64,
    /// Inlined functions before the function that contains them.
    #[prost(message, repeated, tag = "4")]
    line: Vec<Line>,
}

#[derive(Clone, Copy, PartialEq, Eq, Hash, Message)]
struct Line {
    #[prost(uint64, tag = "1")]
    function_id: u64,
    #[prost(int64, tag = "2")]
    line: i64,
}

#[derive(Clone, PartialEq, Eq, Message)]
struct Function {
    #[prost(uint64, tag = "1")]
    id: u64,
    #[prost(int64, tag = "2")]
    name: i64,
    #[prost(int64, tag = "3")]
    system_name: i64,
    #[prost(int64, tag = "4")]
    filename: i64,
}

/// Numbers values from 0, in the order in which they appear.
struct Numbers<T>(HashMap<T, usize>);

impl<T: Eq + Hash> Numbers<T> {
    fn new() -> Self {
        Self(HashMap::new())
    }

    fn number(&mut self, value: T) -> usize {
        let next = self.0.len();
        *self.0.entry(value).or_insert(next)
    }

    fn into_values(self) -> Vec<T> {
        let mut values: Vec<(T, usize)> = self.0.into_iter().collect();
        values.sort_unstable_by_key(|(_, number)| *number);
        values.into_iter().map(|(value, _)| value).collect()
    }
}

/// Tables of the values that samples refer to.
struct Tables {
    strings: Numbers<String>,
    /// Name, system name and file name.
    functions: Numbers<[i64; 3]>,
    locations: Numbers<Vec<Line>>,
}

impl Tables {
    fn text(&mut self, text: &str) -> i64 {
        i64::try_from(self.strings.number(text.to_owned())).unwrap_or_default()
    }

    fn value_type(&mut self, name: &str, unit: &str) -> ValueType {
        ValueType { r#type: self.text(name), unit: self.text(unit) }
    }

    /// Returns the ID of a frame.
    fn location(&mut self, symbols: &[pprof::Symbol]) -> u64 {
        let lines = symbols.iter().map(|symbol| {
            let function = [self.text(&symbol.name()), self.text(&symbol.sys_name()), self.text(&symbol.filename())];
            Line { function_id: id(self.functions.number(function)), line: i64::from(symbol.lineno()) }
        });
        let lines = lines.collect();
        id(self.locations.number(lines))
    }
}

/// Returns the ID of an entry: 0 means none.
fn id(number: usize) -> u64 {
    number as u64 + 1
}

/// Converts a report of samples at `frequency` per second.
pub(super) fn to_pprof(report: &Report, frequency: i64) -> PprofProfile {
    let mut tables = Tables { strings: Numbers::new(), functions: Numbers::new(), locations: Numbers::new() };
    // The first text must be empty.
    tables.text("");
    let period = 1_000_000_000 / frequency.max(1);
    let (samples, cpu) = (tables.value_type("samples", "count"), tables.value_type("cpu", "nanoseconds"));
    let thread = tables.text("thread");
    let to_sample = |(frames, count): (&pprof::Frames, &isize)| {
        let count = i64::try_from(*count).unwrap_or_default();
        Sample {
            location_id: frames.frames.iter().map(|symbols| tables.location(symbols)).collect(),
            value: vec![count, count.saturating_mul(period)],
            label: vec![Label { key: thread, str: tables.text(&frames.thread_name_or_id()) }],
        }
    };
    let sample = report.data.iter().map(to_sample).collect();
    let functions = tables.functions.into_values().into_iter().enumerate();
    let function = functions.map(|(number, [name, system_name, filename])| Function {
        id: id(number),
        name,
        system_name,
        filename,
    });
    let locations = tables.locations.into_values().into_iter().enumerate();
    let time = report.timing.start_time.duration_since(UNIX_EPOCH).unwrap_or_default();
    PprofProfile {
        sample_type: vec![samples, cpu.clone()],
        sample,
        location: locations.map(|(number, line)| Location { id: id(number), line }).collect(),
        function: function.collect(),
        string_table: tables.strings.into_values(),
        time_nanos: i64::try_from(time.as_nanos()).unwrap_or_default(),
        duration_nanos: i64::try_from(report.timing.duration.as_nanos()).unwrap_or_default(),
        period_type: Some(cpu),
        period,
    }
}
