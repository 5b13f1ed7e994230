//! Measurements, printed as a table or as JSON.

use std::{fmt::Write as _, time::Duration};

use serde_json::{Value, json};

#[derive(Default)]
pub(crate) struct Report(Vec<Line>);

struct Line {
    engine: &'static str,
    claim: String,
    measurement: Measurement,
    limit: Option<f64>,
}

enum Measurement {
    /// The ratio of two times.
    Ratio(Duration, Duration),
    Time(Duration),
}

/// Adds the measurements of one engine to the report.
pub(crate) struct EngineReport<'a> {
    name: &'static str,
    report: &'a mut Report,
}

impl EngineReport<'_> {
    /// Records the ratio of `time` to `baseline`, which must not exceed `limit`; without a limit, it is only reported.
    pub(crate) fn ratio(&mut self, claim: impl Into<String>, time: Duration, baseline: Duration, limit: Option<f64>) {
        self.add(claim.into(), Measurement::Ratio(time, baseline), limit);
    }

    /// Records a time, which must not exceed `limit` milliseconds; without a limit, it is only reported.
    pub(crate) fn time(&mut self, claim: impl Into<String>, time: Duration, limit: Option<f64>) {
        self.add(claim.into(), Measurement::Time(time), limit);
    }

    fn add(&mut self, claim: String, measurement: Measurement, limit: Option<f64>) {
        let line = Line { engine: self.name, claim, measurement, limit };
        eprintln!("{}", line.cells().join("  "));
        self.report.0.push(line);
    }
}

impl Line {
    fn value(&self) -> f64 {
        match self.measurement {
            Measurement::Ratio(time, baseline) => time.as_secs_f64() / baseline.as_secs_f64(),
            Measurement::Time(time) => milliseconds(time),
        }
    }

    fn is_within_limit(&self) -> Option<bool> {
        self.limit.map(|limit| self.value() <= limit)
    }

    fn cells(&self) -> [String; 6] {
        let (value, unit, detail) = match self.measurement {
            Measurement::Ratio(time, baseline) => {
                (format!("{:.2} ×", self.value()), "×", format!("{time:.1?} : {baseline:.1?}"))
            }
            Measurement::Time(time) => (format!("{time:.1?}"), "ms", String::new()),
        };
        let limit = self.limit.map_or_else(String::new, |limit| format!("{limit} {unit}"));
        let result =
            self.is_within_limit().map_or("", |is_within_limit| if is_within_limit { "ok" } else { "EXCEEDED" });
        [self.engine.into(), self.claim.clone(), value, limit, result.into(), detail]
    }
}

impl Report {
    pub(crate) fn engine(&mut self, name: &'static str) -> EngineReport<'_> {
        EngineReport { name, report: self }
    }

    pub(crate) fn is_within_limit(&self) -> bool {
        self.0.iter().all(|line| line.is_within_limit() != Some(false))
    }

    pub(crate) fn table(&self) -> String {
        let head = ["engine", "claim", "measured", "limit", "result", "medians"].map(str::to_owned);
        let rows: Vec<[String; 6]> = std::iter::once(head).chain(self.0.iter().map(Line::cells)).collect();
        let width = |column: usize| rows.iter().map(|row| row[column].chars().count()).max().unwrap_or(0);
        let mut table = String::new();
        for row in &rows {
            let line: Vec<String> =
                row.iter().enumerate().map(|(column, cell)| format!("{cell:<width$}", width = width(column))).collect();
            let _ = writeln!(table, "{}", line.join("  ").trim_end());
        }
        table
    }

    pub(crate) fn json(&self) -> String {
        let line = |line: &Line| {
            let (unit, medians) = match line.measurement {
                Measurement::Ratio(time, baseline) => ("ratio", vec![milliseconds(time), milliseconds(baseline)]),
                Measurement::Time(time) => ("ms", vec![milliseconds(time)]),
            };
            json!({
                "engine": line.engine, "claim": line.claim, "value": line.value(), "unit": unit,
                "limit": line.limit, "is_within_limit": line.is_within_limit(), "medians_ms": medians,
            })
        };
        Value::Array(self.0.iter().map(line).collect()).to_string()
    }
}

fn milliseconds(time: Duration) -> f64 {
    time.as_secs_f64() * 1e3
}
