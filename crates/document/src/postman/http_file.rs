//! The requests as an `.http` file (the format of the editors' REST clients).

use std::fmt::Write as _;

use super::{Part, Plan, PlanError, item::Request};

pub(super) fn write(plan: &Plan<'_>, parts: &[Part<'_>]) -> Result<String, PlanError> {
    let mut text = format!("# {}: the requests of the collection, for editors.\n", plan.name);
    text.push_str(
        "# Give the variables their values and send what you need; tokens and ids are copied from the answers.\n\n",
    );
    for (name, value) in plan.variables {
        line(&mut text, format_args!("@{name} = {value}"));
    }
    for part in parts {
        part.each(|call, step| {
            let request = Request::of(call, step, plan)?;
            line(&mut text, format_args!("\n### {} {}: {}", part.recipe.folder, call.tag(), request.name));
            line(&mut text, format_args!("# @name {}_{}", part.recipe.folder, call.id()));
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
            Ok(())
        })?;
    }
    Ok(text)
}

fn line(text: &mut String, what: std::fmt::Arguments<'_>) {
    // Writing to a string does not fail.
    let _ = writeln!(text, "{what}");
}
