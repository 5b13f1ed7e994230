use crate::{
    SampleOptions,
    request::{Authentication, ResponseBody, SampleRequest},
    writer::{Lines, indented, quoted},
};

/// Generates a program with `HttpClient`.
pub(super) fn generate(request: &SampleRequest, options: &SampleOptions<'_>) -> String {
    let mut lines = Lines::default();
    if request.body.is_some() {
        lines.add("using System.Text;\n");
    }
    lines.format(format_args!("var baseUrl = Environment.GetEnvironmentVariable({});", quoted(options.base_url)));
    if request.authentication != Authentication::None {
        lines.format(format_args!("var token = Environment.GetEnvironmentVariable({});", quoted(options.token)));
    }
    let method = capitalized(&request.method);
    lines.add("\nusing var client = new HttpClient();");
    let target = quoted(&request.target);
    lines.format(format_args!("using var request = new HttpRequestMessage(HttpMethod.{method}, baseUrl + {target});"));
    match &request.authentication {
        Authentication::None => {}
        Authentication::Bearer => lines.add("request.Headers.Add(\"Authorization\", $\"Bearer {token}\");"),
        Authentication::Header(name) => lines.format(format_args!("request.Headers.Add({}, token);", quoted(name))),
    }
    for header in &request.headers {
        let value = header.value.as_deref().map_or_else(|| "Guid.NewGuid().ToString()".to_owned(), quoted);
        lines.format(format_args!("request.Headers.Add({}, {value});", quoted(&header.name)));
    }
    if let Some(body) = &request.body {
        let (text, media_type) = (raw_string(&body.text()), quoted(body.media_type()));
        lines.format(format_args!("request.Content = new StringContent({text}, Encoding.UTF8, {media_type});"));
    }
    lines.add("\nusing var response = await client.SendAsync(request);\nresponse.EnsureSuccessStatusCode();");
    lines.add(match request.response {
        ResponseBody::None => "Console.WriteLine((int)response.StatusCode);",
        _ => "Console.WriteLine(await response.Content.ReadAsStringAsync());",
    });
    lines.finish()
}

/// Returns the name of a method as a member of `HttpMethod`: `Patch`.
fn capitalized(method: &str) -> String {
    let (first, rest) = method.split_at(1);
    format!("{first}{}", rest.to_lowercase())
}

/// Returns a raw string literal with as many quotes as the text requires.
fn raw_string(text: &str) -> String {
    let mut quotes = "\"\"\"".to_owned();
    while text.contains(&quotes) {
        quotes.push('"');
    }
    format!("{quotes}\n    {}\n    {quotes}", indented(text, "    "))
}
