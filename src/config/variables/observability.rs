//! The variables of traces, slow statements and profiles. Names, values and defaults of `OTEL_*` are those of OpenTelemetry.

use super::{
    BOOLEAN,
    variable::{Variable, integer, secret, variable},
};

pub(super) const OBSERVABILITY: &[Variable] = &[
    variable(
        "SLOW_QUERY",
        "500ms",
        "Statements that run for at least this long are logged with their plan.",
        "a duration; 0s logs none",
        "100ms",
    ),
    variable(
        "PROFILING",
        "false",
        "Whether administrators may record CPU and heap profiles with GET /v2/admin/profile.",
        BOOLEAN,
        "",
    ),
    variable(
        "OTEL_EXPORTER_OTLP_ENDPOINT",
        "",
        "OpenTelemetry collector that receives traces, at /v1/traces below this URL. If empty, nothing is traced.",
        "an http: or https: URL",
        "http://127.0.0.1:4318",
    ),
    variable("OTEL_EXPORTER_OTLP_PROTOCOL", "http/protobuf", "Protocol of the collector.", "http/protobuf", ""),
    secret(
        "OTEL_EXPORTER_OTLP_HEADERS",
        "Headers of requests to the collector, such as its credentials. Values are percent-encoded.",
        "NAME=VALUE, separated by commas",
        "authorization=Bearer%20TOKEN",
    ),
    integer(
        "OTEL_EXPORTER_OTLP_TIMEOUT",
        "10000",
        "Maximum time of a request to the collector, in milliseconds.",
        (1, 600_000),
        "5000",
    ),
    variable("OTEL_SERVICE_NAME", "bucketlist", "Name of this service in traces.", "a name", "bucketlist-staging"),
    variable(
        "OTEL_RESOURCE_ATTRIBUTES",
        "",
        "Attributes of this server in traces. Values are percent-encoded.",
        "NAME=VALUE, separated by commas",
        "deployment.environment.name=production,service.instance.id=eu-1",
    ),
    variable(
        "OTEL_TRACES_SAMPLER",
        "parentbased_always_on",
        "Which requests are traced. The parentbased_ samplers follow traceparent, which any client can send.",
        "always_on, always_off, traceidratio, parentbased_always_on, parentbased_always_off or parentbased_traceidratio",
        "parentbased_traceidratio",
    ),
    variable(
        "OTEL_TRACES_SAMPLER_ARG",
        "1",
        "Fraction of requests that the traceidratio samplers trace.",
        "0 to 1",
        "0.05",
    ),
];
