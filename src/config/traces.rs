//! Parses the settings of traces: the standard variables of OpenTelemetry that apply to this server.

use std::time::Duration;

use percent_encoding::percent_decode_str;
use secrecy::SecretString;

use super::parse::VariableParser;
use crate::traces::{TraceSampler, TraceSettings};

/// The path of traces below the endpoint.
const TRACES_PATH: &str = "/v1/traces";

impl VariableParser<'_> {
    /// Returns the settings; `None` without a collector. The other variables are checked in any case.
    pub(super) fn parse_traces(&mut self) -> Option<TraceSettings> {
        let endpoint = self.parse_uri("OTEL_EXPORTER_OTLP_ENDPOINT", &["http", "https"]);
        self.parse_choice("OTEL_EXPORTER_OTLP_PROTOCOL", &[("http/protobuf", ())]);
        let headers = self.parse_pairs("OTEL_EXPORTER_OTLP_HEADERS", true);
        let timeout = Duration::from_millis(self.parse_integer("OTEL_EXPORTER_OTLP_TIMEOUT"));
        let service_name = self.read_text("OTEL_SERVICE_NAME");
        let resource_attributes = self.parse_pairs("OTEL_RESOURCE_ATTRIBUTES", false);
        let sampler = self.parse_sampler();
        Some(TraceSettings {
            endpoint: format!("{}{TRACES_PATH}", endpoint?.trim_end_matches('/')),
            headers: headers.into_iter().map(|(name, value)| (name, SecretString::from(value))).collect(),
            timeout,
            service_name,
            resource_attributes,
            sampler,
        })
    }

    fn parse_sampler(&mut self) -> TraceSampler {
        let ratio = self.parse_ratio("OTEL_TRACES_SAMPLER_ARG");
        self.parse_choice(
            "OTEL_TRACES_SAMPLER",
            &[
                ("parentbased_always_on", TraceSampler::ParentBasedAlwaysOn),
                ("parentbased_always_off", TraceSampler::ParentBasedAlwaysOff),
                ("parentbased_traceidratio", TraceSampler::ParentBasedRatio(ratio)),
                ("always_on", TraceSampler::AlwaysOn),
                ("always_off", TraceSampler::AlwaysOff),
                ("traceidratio", TraceSampler::Ratio(ratio)),
            ],
        )
    }

    fn parse_ratio(&mut self, name: &'static str) -> f64 {
        let text = self.read_text(name);
        match text.parse() {
            Ok(ratio) if (0.0..=1.0).contains(&ratio) => ratio,
            _ => {
                self.add_error(name, format!("`{text}` is not a number from 0 to 1"));
                1.0
            }
        }
    }

    /// Parses `name=value`, separated by commas; values are percent-encoded. If `is_secret`, error messages do not contain the
    /// value.
    fn parse_pairs(&mut self, name: &'static str, is_secret: bool) -> Vec<(String, String)> {
        let mut pairs = Vec::new();
        for text in self.non_empty(name).unwrap_or_default().split(',').map(str::trim).filter(|text| !text.is_empty()) {
            match pair(text) {
                Some(pair) => pairs.push(pair),
                None if is_secret => self.add_error(name, "must have the form NAME=VALUE, separated by commas"),
                None => self.add_error(name, format!("`{text}` does not have the form NAME=VALUE")),
            }
        }
        pairs
    }
}

fn pair(text: &str) -> Option<(String, String)> {
    let (name, value) = text.split_once('=')?;
    let value = percent_decode_str(value.trim()).decode_utf8().ok()?;
    let name = name.trim();
    (!name.is_empty() && !name.contains(' ')).then(|| (name.to_owned(), value.into_owned()))
}

#[cfg(test)]
mod tests {
    use secrecy::ExposeSecret;

    use super::*;
    use crate::config::{Config, ConfigError, Variables};

    fn config(pairs: &[(&str, &str)]) -> Result<Config, ConfigError> {
        let pairs = pairs.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned()));
        Config::from_variables(&pairs.collect::<Variables>())
    }

    #[test]
    fn traces_are_exported_only_with_an_endpoint() {
        assert!(config(&[("OTEL_SERVICE_NAME", "lists")]).unwrap().traces.is_none());
        let settings = [
            ("OTEL_EXPORTER_OTLP_ENDPOINT", "https://collector.example.com/otlp/"),
            ("OTEL_EXPORTER_OTLP_HEADERS", "authorization=Bearer%20abc, x-team=lists"),
            ("OTEL_EXPORTER_OTLP_TIMEOUT", "2500"),
            ("OTEL_RESOURCE_ATTRIBUTES", "deployment.environment.name=staging,host.name=a%2Cb"),
            ("OTEL_TRACES_SAMPLER", "parentbased_traceidratio"),
            ("OTEL_TRACES_SAMPLER_ARG", "0.25"),
        ];
        let traces = config(&settings).unwrap().traces.unwrap();
        assert_eq!(traces.endpoint, "https://collector.example.com/otlp/v1/traces");
        let headers: Vec<(&str, &str)> =
            traces.headers.iter().map(|(name, value)| (name.as_str(), value.expose_secret())).collect();
        assert_eq!(headers, [("authorization", "Bearer abc"), ("x-team", "lists")]);
        assert_eq!((traces.timeout, traces.service_name.as_str()), (Duration::from_millis(2_500), "bucketlist"));
        assert_eq!(traces.resource_attributes[1], ("host.name".to_owned(), "a,b".to_owned()));
        assert_eq!(traces.sampler, TraceSampler::ParentBasedRatio(0.25));
    }

    #[test]
    fn invalid_settings_are_reported_without_secrets() {
        for (name, value) in [
            ("OTEL_EXPORTER_OTLP_ENDPOINT", "collector:4317"),
            ("OTEL_EXPORTER_OTLP_PROTOCOL", "grpc"),
            ("OTEL_EXPORTER_OTLP_HEADERS", "topsecret"),
            ("OTEL_EXPORTER_OTLP_TIMEOUT", "10s"),
            ("OTEL_RESOURCE_ATTRIBUTES", "=x"),
            ("OTEL_TRACES_SAMPLER", "jaeger_remote"),
            ("OTEL_TRACES_SAMPLER_ARG", "2"),
        ] {
            let ConfigError(invalid) = config(&[(name, value)]).unwrap_err();
            assert_eq!(invalid.iter().map(|variable| variable.name).collect::<Vec<_>>(), [name]);
            assert!(!invalid[0].problem.contains("topsecret"), "{}", invalid[0].problem);
        }
    }
}
