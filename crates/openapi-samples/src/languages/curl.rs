use crate::{
    SampleOptions,
    request::{Authentication, Body, SampleRequest},
};

/// Writes a curl command. A generated header is a variable, so that the command can be repeated as a retry.
pub(super) fn generate(request: &SampleRequest, options: &SampleOptions<'_>) -> String {
    let mut variables = String::new();
    let mut parts = vec![format!("curl --fail-with-body \"${}{}\"", options.base_url, request.target)];
    let default_method = if request.body.is_some() { "POST" } else { "GET" };
    if request.method != default_method {
        parts.push(format!("-X {}", request.method));
    }
    match &request.authentication {
        Authentication::None => {}
        Authentication::Bearer => parts.push(format!("-H \"Authorization: Bearer ${}\"", options.token)),
        Authentication::Header(name) => parts.push(format!("-H \"{name}: ${}\"", options.token)),
    }
    for header in &request.headers {
        parts.push(match &header.value {
            Some(value) => format!("-H {}", single_quoted(&format!("{}: {value}", header.name))),
            None => {
                // `uuidgen` is not installed everywhere.
                variables = "KEY=\"$(date +%s)-$$\"\n".to_owned();
                format!("-H \"{}: $KEY\"", header.name)
            }
        });
    }
    if let Some(body) = &request.body {
        let text = single_quoted(&body.text());
        match body {
            // `--json` also sets both media types.
            Body::Json { media_type, .. } if media_type == "application/json" => parts.push(format!("--json {text}")),
            _ => {
                parts.push(format!("-H {}", single_quoted(&format!("Content-Type: {}", body.media_type()))));
                parts.push(format!("--data-binary {text}"));
            }
        }
    }
    format!("{variables}{}\n", parts.join(" \\\n  "))
}

fn single_quoted(text: &str) -> String {
    format!("'{}'", text.replace('\'', r"'\''"))
}
