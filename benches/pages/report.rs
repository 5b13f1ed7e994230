//! What was measured, as a table and as JSON.

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
    /// How many times as long the first took as the second.
    Ratio(Duration, Duration),
    Time(Duration),
}

/// Adds the lines of one engine.
pub(crate) struct Engine<'a> {
    name: &'static str,
    report: &'a mut Report,
}

impl Engine<'_> {
    /// `this` may take `limit` times as long as `that`; without a limit it is told only.
    pub(crate) fn ratio(&mut self, claim: impl Into<String>, this: Duration, that: Duration, limit: Option<f64>) {
        self.add(claim.into(), Figure::Ratio(this, that), limit);
    }

    /// `this` may take so many milliseconds; without a limit it is told only.
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

    fn holds(&self) -> Option<bool> {
        self.limit.map(|limit| self.value() <= limit)
    }

    fn cells(&self) -> [String; 6] {
        let (figure, unit, detail) = match self.figure {
            Figure::Ratio(this, that) => (format!("{:.2} ×", self.value()), "×", format!("{this:.1?} : {that:.1?}")),
            Figure::Time(this) => (format!("{this:.1?}"), "ms", String::new()),
        };
        let limit = self.limit.map_or_else(String::new, |limit| format!("{limit} {unit}"));
        let verdict = self.holds().map_or("", |holds| if holds { "holds" } else { "FAILS" });
        [self.engine.into(), self.claim.clone(), figure, limit, verdict.into(), detail]
    }
}

impl Report {
    pub(crate) fn engine(&mut self, name: &'static str) -> Engine<'_> {
        Engine { name, report: self }
    }

    pub(crate) fn holds(&self) -> bool {
        self.0.iter().all(|line| line.holds() != Some(false))
    }

    pub(crate) fn table(&self) -> String {
        let head = ["engine", "claim", "figure", "limit", "verdict", "medians"].map(str::to_owned);
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
                "limit": line.limit, "holds": line.holds(), "medians_ms": medians,
            })
        };
        Value::Array(self.0.iter().map(line).collect()).to_string()
    }
}

fn milliseconds(time: Duration) -> f64 {
    time.as_secs_f64() * 1e3
}
