use crate::{
    SampleOptions,
    request::{Authentication, Body, ResponseBody, SampleRequest},
    writer::{Lines, Syntax, literal, quoted},
};

/// Generates a program with `urllib`.
pub(super) fn generate(request: &SampleRequest, options: &SampleOptions<'_>) -> String {
    let mut lines = Lines::default();
    let is_json = matches!(request.body, Some(Body::Json { .. }));
    if is_json || request.response == ResponseBody::Json {
        lines.add("import json");
    }
    lines.add("import os");
    if request.headers.iter().any(|header| header.value.is_none()) {
        lines.add("import uuid");
    }
    lines.add("from urllib.request import Request, urlopen\n");
    lines.format(format_args!("base_url = os.environ[{}]", quoted(options.base_url)));
    let has_token = request.authentication != Authentication::None;
    if has_token {
        lines.format(format_args!("token = os.environ[{}]", quoted(options.token)));
    }
    match &request.body {
        Some(Body::Json { value, .. }) => lines.format(format_args!("body = {}", literal(value, Syntax::Python, 0))),
        Some(Body::Text { text, .. }) => lines.format(format_args!("body = {}", quoted(text))),
        None => {}
    }
    lines.add("\nrequest = Request(");
    lines.format(format_args!("    base_url + {},", quoted(&request.target)));
    lines.format(format_args!("    method={},", quoted(&request.method)));
    let mut headers = Vec::new();
    match &request.authentication {
        Authentication::None => {}
        Authentication::Bearer => headers.push(r#""Authorization": f"Bearer {token}","#.to_owned()),
        Authentication::Header(name) => headers.push(format!("{}: token,", quoted(name))),
    }
    if let Some(body) = &request.body {
        headers.push(format!("\"Content-Type\": {},", quoted(body.media_type())));
    }
    headers.extend(request.headers.iter().map(|header| match &header.value {
        Some(value) => format!("{}: {},", quoted(&header.name), quoted(value)),
        None => format!("{}: str(uuid.uuid4()),", quoted(&header.name)),
    }));
    if !headers.is_empty() {
        lines.add("    headers={");
        headers.iter().for_each(|header| lines.format(format_args!("        {header}")));
        lines.add("    },");
    }
    match &request.body {
        Some(Body::Json { .. }) => lines.add("    data=json.dumps(body).encode(),"),
        Some(Body::Text { .. }) => lines.add("    data=body.encode(),"),
        None => {}
    }
    lines.add(")\nwith urlopen(request) as response:");
    lines.add(match request.response {
        ResponseBody::Json => "    print(json.load(response))",
        ResponseBody::Text => "    print(response.read().decode())",
        ResponseBody::None => "    print(response.status)",
    });
    lines.finish()
}
