use crate::{
    SampleOptions,
    request::{Authentication, Body, ResponseBody, SampleRequest},
    writer::{Lines, Syntax, literal, quoted},
};

/// Generates a program with `fetch`.
pub(super) fn generate(request: &SampleRequest, options: &SampleOptions<'_>) -> String {
    let (base_url, token) = (options.base_url, options.token);
    let mut lines = Lines::default();
    let has_token = request.authentication != Authentication::None;
    let variables = if has_token { format!("{base_url}, {token}") } else { base_url.to_owned() };
    lines.format(format_args!("const {{ {variables} }} = process.env;\n"));
    let mut headers = Vec::new();
    match &request.authentication {
        Authentication::None => {}
        Authentication::Bearer => headers.push(format!("Authorization: `Bearer ${{{token}}}`,")),
        Authentication::Header(name) => headers.push(format!("{}: `${{{token}}}`,", quoted(name))),
    }
    if let Some(body) = &request.body {
        headers.push(format!("\"Content-Type\": {},", quoted(body.media_type())));
    }
    headers.extend(request.headers.iter().map(|header| match &header.value {
        Some(value) => format!("{}: {},", quoted(&header.name), quoted(value)),
        None => format!("{}: crypto.randomUUID(),", quoted(&header.name)),
    }));
    let url = format!("`${{{base_url}}}{}`", request.target.replace('`', "%60"));
    let is_default = request.method == "GET" && headers.is_empty() && request.body.is_none();
    if is_default {
        lines.format(format_args!("const response = await fetch({url});"));
    } else {
        lines.format(format_args!("const response = await fetch({url}, {{"));
        if request.method != "GET" {
            lines.format(format_args!("  method: {},", quoted(&request.method)));
        }
        if !headers.is_empty() {
            lines.add("  headers: {");
            headers.iter().for_each(|header| lines.format(format_args!("    {header}")));
            lines.add("  },");
        }
        match &request.body {
            Some(Body::Json { value, .. }) => {
                lines.format(format_args!("  body: JSON.stringify({}),", literal(value, Syntax::TypeScript, 2)));
            }
            Some(Body::Text { text, .. }) => lines.format(format_args!("  body: {},", quoted(text))),
            None => {}
        }
        lines.add("});");
    }
    lines.add("if (!response.ok) throw new Error(await response.text());");
    lines.add(match request.response {
        ResponseBody::Json => "console.log(await response.json());",
        ResponseBody::Text => "console.log(await response.text());",
        ResponseBody::None => "console.log(response.status);",
    });
    lines.finish()
}
