//! Generates an `.http` file. Its scripts have the syntax of JetBrains' HTTP client, which httpYac also understands: values from
//! a response become global variables, so that the requests run from top to bottom.

use std::collections::BTreeSet;
use std::fmt::{Arguments, Write as _};

use super::{
    CollectionError, CollectionOptions, Folder,
    call::Call,
    item::Request,
    options::{ExpectedResponse, FolderOptions, Step},
    script::{js, member},
};

pub(super) fn write(options: &CollectionOptions<'_>, folders: &[Folder<'_>]) -> Result<String, CollectionError> {
    let mut requests = String::new();
    for folder in folders {
        let mut before = folder.options.http_before;
        for (call, step) in folder.calls()? {
            for first in &step.http_first {
                let first_call = folder.call(&first.operation)?;
                request(&mut requests, &first_call, first, folder.options, options, None, std::mem::take(&mut before))?;
            }
            let id = Some(call.id());
            request(&mut requests, &call, &step, folder.options, options, id, std::mem::take(&mut before))?;
        }
    }
    let mut text =
        format!("# {}: the requests of the collection, for JetBrains' HTTP client and httpYac.\n", options.name);
    text.push_str("# Run the requests in order. Tokens and IDs are taken from earlier responses.\n\n");
    let mut known = BTreeSet::new();
    for (name, value) in options.http_variables.iter().chain(options.variables) {
        let is_used = requests.contains(&format!("{{{{{name}}}}}"));
        // httpYac reads a definition without a value as a request.
        if is_used && !value.is_empty() && known.insert(name) {
            line(&mut text, format_args!("@{name} = {value}"));
        }
    }
    text.push_str(&requests);
    Ok(text)
}

/// Writes a request with its scripts. `name` is the name by which other requests can refer to it.
fn request(
    text: &mut String,
    call: &Call<'_>,
    step: &Step,
    folder: &FolderOptions<'_>,
    options: &CollectionOptions<'_>,
    name: Option<&str>,
    before: &str,
) -> Result<(), CollectionError> {
    let request = Request::of(call, step, options)?;
    let folder = folder.name;
    line(text, format_args!("\n### {folder} {}: {}", call.tag(), request.name));
    if let Some(name) = name {
        line(text, format_args!("# @name {folder}_{name}"));
    }
    if step.http_wait > 0 {
        line(text, format_args!("# @sleep {}", step.http_wait));
    }
    if !before.is_empty() {
        block(text, '<', before.lines());
    }
    line(text, format_args!("{} {}", request.method, request.url(options)));
    if let Some(token) = &request.token {
        line(text, format_args!("Authorization: Bearer {{{{{token}}}}}"));
    }
    for header in request.headers.iter().filter(|header| header.enabled) {
        line(text, format_args!("{}: {}", header.name, header.value));
    }
    if let Some(body) = &request.body {
        line(text, format_args!("\n{body}"));
    }
    text.push('\n');
    let lines = after(call, step);
    block(text, '>', lines.iter().map(String::as_str));
    Ok(())
}

fn block<'l>(text: &mut String, direction: char, lines: impl Iterator<Item = &'l str>) {
    line(text, format_args!("{direction} {{%"));
    lines.for_each(|script| line(text, format_args!("  {script}")));
    line(text, format_args!("%}}"));
}

/// Returns the script after a response: a test of the status, and the values that later requests need.
fn after(call: &Call<'_>, step: &Step) -> Vec<String> {
    let success = call.success().map(|response| response.status).unwrap_or_default();
    let statuses = match &step.expect {
        ExpectedResponse::Success => vec![success],
        ExpectedResponse::Error(status, _) => vec![*status],
        ExpectedResponse::SuccessWith { otherwise: (status, _), .. } => vec![success, *status],
        ExpectedResponse::ErrorWith { error, otherwise, .. } => vec![error.0, otherwise.0],
    };
    let list = statuses.iter().map(u16::to_string).collect::<Vec<_>>();
    let name = js(&format!("{}: the status is {}", call.id(), list.join(" or ")));
    let mut lines = vec![
        format!("client.test({name}, function () {{"),
        format!(
            "  client.assert([{}].includes(response.status), \"the status is \" + response.status);",
            list.join(", ")
        ),
        "});".to_owned(),
    ];
    let in_body = step.save.iter().map(|(at, variable)| (variable, member("response.body", at)));
    let in_head =
        step.save_headers.iter().map(|(name, variable)| (variable, format!("response.headers.valueOf({})", js(name))));
    let saved =
        in_body.chain(in_head).map(|(variable, value)| format!("client.global.set({}, {value});", js(variable)));
    let script: Vec<String> = saved.chain(step.http_after.lines().map(str::to_owned)).collect();
    if !script.is_empty() {
        lines.push(format!("if (response.status === {success}) {{"));
        lines.extend(script.into_iter().map(|script| format!("  {script}")));
        lines.push("}".to_owned());
    }
    lines
}

fn line(text: &mut String, what: Arguments<'_>) {
    // Writing to a string cannot fail.
    let _ = writeln!(text, "{what}");
}
