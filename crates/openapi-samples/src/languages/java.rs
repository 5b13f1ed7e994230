use crate::{
    SampleOptions,
    request::{Authentication, ResponseBody, SampleRequest},
    writer::{Lines, indented, quoted},
};

/// Generates a program with `java.net.http`.
pub(super) fn generate(request: &SampleRequest, options: &SampleOptions<'_>) -> String {
    let has_generated = request.headers.iter().any(|header| header.value.is_none());
    let call = method_call(request);
    let mut lines = Lines::default();
    lines.add("import java.net.URI;\nimport java.net.http.HttpClient;\nimport java.net.http.HttpRequest;");
    if call.contains("BodyPublishers") {
        lines.add("import java.net.http.HttpRequest.BodyPublishers;");
    }
    lines.add("import java.net.http.HttpResponse.BodyHandlers;");
    if has_generated {
        lines.add("import java.util.UUID;");
    }
    lines.add("\npublic class Sample {\n    public static void main(String[] args) throws Exception {");
    lines.format(format_args!("        var baseUrl = System.getenv({});", quoted(options.base_url)));
    if request.authentication != Authentication::None {
        lines.format(format_args!("        var token = System.getenv({});", quoted(options.token)));
    }
    if let Some(body) = &request.body {
        lines.format(format_args!("        var body = {};", text_block(&body.text())));
    }
    let target = quoted(&request.target);
    lines.format(format_args!("        var request = HttpRequest.newBuilder(URI.create(baseUrl + {target}))"));
    lines.format(format_args!("            {call}"));
    match &request.authentication {
        Authentication::None => {}
        Authentication::Bearer => lines.add("            .header(\"Authorization\", \"Bearer \" + token)"),
        Authentication::Header(name) => lines.format(format_args!("            .header({}, token)", quoted(name))),
    }
    if let Some(body) = &request.body {
        lines.format(format_args!("            .header(\"Content-Type\", {})", quoted(body.media_type())));
    }
    for header in &request.headers {
        let value = header.value.as_deref().map_or_else(|| "UUID.randomUUID().toString()".to_owned(), quoted);
        lines.format(format_args!("            .header({}, {value})", quoted(&header.name)));
    }
    lines.add("            .build();");
    lines.add("        var response = HttpClient.newHttpClient().send(request, BodyHandlers.ofString());");
    lines.add("        if (response.statusCode() >= 400) {");
    lines.add("            throw new IllegalStateException(response.statusCode() + \": \" + response.body());");
    lines.add("        }");
    lines.add(match request.response {
        ResponseBody::None => "        System.out.println(response.statusCode());",
        _ => "        System.out.println(response.body());",
    });
    lines.add("    }\n}");
    lines.finish()
}

/// Returns the call that sets the method and the body.
fn method_call(request: &SampleRequest) -> String {
    match (request.method.as_str(), &request.body) {
        (method @ ("GET" | "DELETE"), None) => format!(".{method}()"),
        (method @ ("POST" | "PUT"), Some(_)) => format!(".{method}(BodyPublishers.ofString(body))"),
        (method @ ("POST" | "PUT"), None) => format!(".{method}(BodyPublishers.noBody())"),
        (method, Some(_)) => format!(".method({}, BodyPublishers.ofString(body))", quoted(method)),
        (method, None) => format!(".method({}, BodyPublishers.noBody())", quoted(method)),
    }
}

fn text_block(text: &str) -> String {
    let text = text.replace('\\', "\\\\").replace("\"\"\"", "\\\"\"\"");
    format!("\"\"\"\n            {}\"\"\"", indented(&text, "            "))
}
