//! The requests as an `.http` file, which editors with a REST client send one by one. What one request hands on to the
//! next is named after it, so that it is filled in by itself.

use std::collections::BTreeSet;
use std::fmt::{Arguments, Write as _};

use super::{Part, Plan, PlanError, item::Request};
use crate::pointer;

pub(super) fn write(plan: &Plan<'_>, parts: &[Part<'_>]) -> Result<String, PlanError> {
    let mut text = format!("# {}: the requests of the collection, for editors.\n", plan.name);
    text.push_str(
        "# Give the variables their values and send what you need; tokens and ids are taken from the answers.\n\n",
    );
    let steps = || parts.iter().flat_map(|part| &part.recipe.steps);
    let mut kept: BTreeSet<&str> = steps()
        .flat_map(|step| step.save.iter().chain(&step.save_headers))
        .map(|(_, variable)| variable.as_str())
        .collect();
    for (name, value) in plan.variables.iter().filter(|(name, _)| !kept.contains(name)) {
        line(&mut text, format_args!("@{name} = {value}"));
    }
    for part in parts {
        let folder = part.recipe.folder;
        for (call, step) in part.calls()? {
            let request = Request::of(&call, &step, plan)?;
            line(&mut text, format_args!("\n### {folder} {}: {}", call.tag(), request.name));
            line(&mut text, format_args!("# @name {folder}_{}", call.id()));
            line(&mut text, format_args!("{} {}", request.method, request.url(plan)));
            if let Some(token) = &request.token {
                line(&mut text, format_args!("Authorization: Bearer {{{{{token}}}}}"));
            }
            for header in request.headers.iter().filter(|header| header.enabled) {
                line(&mut text, format_args!("{}: {}", header.name, header.value));
            }
            if let Some(body) = &request.body {
                line(&mut text, format_args!("\n{body}"));
            }
            // A variable has one definition: by the first request that knows it.
            let mut keep = |variable: &str, place: String| {
                if kept.remove(variable) {
                    line(&mut text, format_args!("\n@{variable} = {{{{{folder}_{}.response.{place}}}}}", call.id()));
                }
            };
            for (at, variable) in &step.save {
                keep(variable, format!("body.$.{}", pointer::tokens(at).collect::<Vec<_>>().join(".")));
            }
            for (name, variable) in &step.save_headers {
                keep(variable, format!("headers.{name}"));
            }
        }
    }
    Ok(text)
}

fn line(text: &mut String, what: Arguments<'_>) {
    // Writing to a string does not fail.
    let _ = writeln!(text, "{what}");
}
