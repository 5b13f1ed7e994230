//! Measurements, printed as a table or as JSON.

use std::{fmt::Write as _, time::Duration};

use serde_json::{Value, json};

#[derive(Default)]
pub(crate) struct Report(Vec<Line>);

struct Line {
    engine: &'static str,
    claim: String,
    figure: Figure,
    limit: Option<f64>,
}

enum Figure {
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
    /// Records the ratio of `this` to `that`, which must not exceed `limit`; without a limit, it is only reported.
    pub(crate) fn ratio(&mut self, claim: impl Into<String>, this: Duration, that: Duration, limit: Option<f64>) {
        self.add(claim.into(), Figure::Ratio(this, that), limit);
    }

    /// Records a time, which must not exceed `limit` milliseconds; without a limit, it is only reported.
    pub(crate) fn time(&mut self, claim: impl Into<String>, this: Duration, limit: Option<f64>) {
        self.add(claim.into(), Figure::Time(this), limit);
    }

    fn add(&mut self, claim: String, figure: Figure, limit: Option<f64>) {
        let line = Line { engine: self.name, claim, figure, limit };
        eprintln!("{}", line.cells().join("  "));
        self.report.0.push(line);
    }
}

impl Line {
    fn value(&self) -> f64 {
        match self.figure {
            Figure::Ratio(this, that) => this.as_secs_f64() / that.as_secs_f64(),
            Figure::Time(this) => milliseconds(this),
        }
    }

    fn is_within_limit(&self) -> Option<bool> {
        self.limit.map(|limit| self.value() <= limit)
    }

    fn cells(&self) -> [String; 6] {
        let (figure, unit, detail) = match self.figure {
            Figure::Ratio(this, that) => (format!("{:.2} ×", self.value()), "×", format!("{this:.1?} : {that:.1?}")),
            Figure::Time(this) => (format!("{this:.1?}"), "ms", String::new()),
        };
        let limit = self.limit.map_or_else(String::new, |limit| format!("{limit} {unit}"));
        let result =
            self.is_within_limit().map_or("", |is_within_limit| if is_within_limit { "ok" } else { "EXCEEDED" });
        [self.engine.into(), self.claim.clone(), figure, limit, result.into(), detail]
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
            let (unit, medians) = match line.figure {
                Figure::Ratio(this, that) => ("ratio", vec![milliseconds(this), milliseconds(that)]),
                Figure::Time(this) => ("ms", vec![milliseconds(this)]),
            };
            json!({
                "engine": line.engine, "claim": line.claim, "figure": line.value(), "unit": unit,
                "limit": line.limit, "holds": line.is_within_limit(), "medians_ms": medians,
            })
        };
        Value::Array(self.0.iter().map(line).collect()).to_string()
    }
}

fn milliseconds(time: Duration) -> f64 {
    time.as_secs_f64() * 1e3
}
