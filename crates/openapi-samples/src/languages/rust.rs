use crate::{
    SampleOptions,
    request::{Authentication, Body, ResponseBody, SampleRequest},
    writer::{Lines, indented, quoted},
};

/// Generates a program with `reqwest` and its blocking client.
pub(super) fn generate(request: &SampleRequest, options: &SampleOptions<'_>) -> String {
    let mut lines = Lines::default();
    let has_json = matches!(request.body, Some(Body::Json { .. }));
    let generated = || request.headers.iter().filter(|header| header.value.is_none());
    lines.format(format_args!("// cargo add reqwest --features blocking{}", if has_json { ",json" } else { "" }));
    if has_json {
        lines.add("// cargo add serde_json");
    }
    if generated().next().is_some() {
        lines.add("// cargo add uuid --features v4");
    }
    lines.add("use std::{env, error::Error};\n\nuse reqwest::blocking::Client;");
    if has_json {
        lines.add("use serde_json::json;");
    }
    if generated().next().is_some() {
        lines.add("use uuid::Uuid;");
    }
    lines.add("\nfn main() -> Result<(), Box<dyn Error>> {");
    lines.format(format_args!("    let base_url = env::var({})?;", quoted(options.base_url)));
    if request.authentication != Authentication::None {
        lines.format(format_args!("    let token = env::var({})?;", quoted(options.token)));
    }
    for header in generated() {
        lines.format(format_args!("    let {} = Uuid::new_v4().to_string();", variable_name(&header.name)));
    }
    lines.add("    let response = Client::new()");
    let target = request.target.replace('{', "{{").replace('}', "}}");
    let url = format!("format!({})", quoted(&format!("{{base_url}}{target}")));
    match request.method.as_str() {
        "GET" | "POST" | "PUT" | "PATCH" | "DELETE" | "HEAD" => {
            lines.format(format_args!("        .{}({url})", request.method.to_lowercase()));
        }
        method => lines.format(format_args!("        .request({}.parse()?, {url})", quoted(method))),
    }
    match &request.authentication {
        Authentication::None => {}
        Authentication::Bearer => lines.add("        .bearer_auth(token)"),
        Authentication::Header(name) => lines.format(format_args!("        .header({}, token)", quoted(name))),
    }
    for header in &request.headers {
        let value = header.value.as_deref().map_or_else(|| variable_name(&header.name), quoted);
        lines.format(format_args!("        .header({}, {value})", quoted(&header.name)));
    }
    match &request.body {
        Some(Body::Json { media_type, value }) => {
            if media_type != "application/json" {
                lines.format(format_args!("        .header(\"Content-Type\", {})", quoted(media_type)));
            }
            let value = indented(&format!("{value:#}"), "        ");
            lines.format(format_args!("        .json(&json!({value}))"));
        }
        Some(Body::Text { media_type, text }) => {
            lines.format(format_args!("        .header(\"Content-Type\", {})", quoted(media_type)));
            lines.format(format_args!("        .body({})", raw_string(text)));
        }
        None => {}
    }
    lines.add("        .send()?\n        .error_for_status()?;");
    lines.add(match request.response {
        ResponseBody::None => "    println!(\"{}\", response.status());",
        _ => "    println!(\"{}\", response.text()?);",
    });
    lines.add("    Ok(())\n}");
    lines.finish()
}

/// Returns the name of the variable for the generated value of a header, such as `idempotency_key`.
fn variable_name(header: &str) -> String {
    header.to_lowercase().replace('-', "_")
}

/// Returns a raw string literal with as many `#` as the text requires.
fn raw_string(text: &str) -> String {
    let mut hashes = "#".to_owned();
    while text.contains(&format!("\"{hashes}")) {
        hashes.push('#');
    }
    format!("r{hashes}\"{text}\"{hashes}")
}
