use crate::{
    SampleOptions,
    request::{Authentication, ResponseBody, SampleRequest},
    writer::{Lines, quoted},
};

/// Generates a program with `net/http`.
pub(super) fn generate(request: &SampleRequest, options: &SampleOptions<'_>) -> String {
    let mut lines = Lines::default();
    lines.add("package main\n\nimport (");
    if request.headers.iter().any(|header| header.value.is_none()) {
        lines.add("\t\"crypto/rand\"");
    }
    for package in ["fmt", "io", "log", "net/http", "os"] {
        lines.format(format_args!("\t{}", quoted(package)));
    }
    if request.body.is_some() {
        lines.add("\t\"strings\"");
    }
    lines.add(")\n\nfunc main() {");
    let base_url = quoted(options.base_url);
    if request.authentication == Authentication::None {
        lines.format(format_args!("\tbaseURL := os.Getenv({base_url})"));
    } else {
        let token = quoted(options.token);
        lines.format(format_args!("\tbaseURL, token := os.Getenv({base_url}), os.Getenv({token})"));
    }
    let mut body = "nil";
    if let Some(content) = &request.body {
        lines.format(format_args!("\tbody := strings.NewReader({})", raw_string(&content.text())));
        body = "body";
    }
    let (method, target) = (quoted(&request.method), quoted(&request.target));
    lines.format(format_args!("\trequest, err := http.NewRequest({method}, baseURL+{target}, {body})"));
    lines.add("\tif err != nil {\n\t\tlog.Fatal(err)\n\t}");
    match &request.authentication {
        Authentication::None => {}
        Authentication::Bearer => lines.add("\trequest.Header.Set(\"Authorization\", \"Bearer \"+token)"),
        Authentication::Header(name) => lines.format(format_args!("\trequest.Header.Set({}, token)", quoted(name))),
    }
    if let Some(body) = &request.body {
        lines.format(format_args!("\trequest.Header.Set(\"Content-Type\", {})", quoted(body.media_type())));
    }
    for header in &request.headers {
        let value = header.value.as_deref().map_or_else(|| "rand.Text()".to_owned(), quoted);
        lines.format(format_args!("\trequest.Header.Set({}, {value})", quoted(&header.name)));
    }
    lines.add("\tresponse, err := http.DefaultClient.Do(request)\n\tif err != nil {\n\t\tlog.Fatal(err)\n\t}");
    lines.add("\tdefer response.Body.Close()");
    lines.add("\ttext, err := io.ReadAll(response.Body)\n\tif err != nil {\n\t\tlog.Fatal(err)\n\t}");
    lines.add("\tif response.StatusCode >= 400 {\n\t\tlog.Fatalf(\"%s: %s\", response.Status, text)\n\t}");
    lines.add(match request.response {
        ResponseBody::None => "\tfmt.Println(response.Status)",
        _ => "\tfmt.Println(string(text))",
    });
    lines.add("}");
    lines.finish()
}

/// Returns a raw string literal, which cannot contain backticks.
fn raw_string(text: &str) -> String {
    if text.contains('`') { quoted(text) } else { format!("`{text}`") }
}
