//! Generates an `.http` file, whose requests editors with a REST client send one by one. Values from a response are
//! variables that refer to the request by name, so that the editor fills them in.

use std::collections::BTreeSet;
use std::fmt::{Arguments, Write as _};

use super::{CollectionError, CollectionOptions, Folder, item::Request};
use openapi_model::pointer;

pub(super) fn write(options: &CollectionOptions<'_>, folders: &[Folder<'_>]) -> Result<String, CollectionError> {
    let (mut requests, mut kept, mut known) = (String::new(), BTreeSet::new(), Vec::new());
    for folder in folders {
        let name = folder.options.name;
        for (call, step) in folder.calls()? {
            let request = Request::of(&call, &step, options)?;
            line(&mut requests, format_args!("\n### {name} {}: {}", call.tag(), request.name));
            // A definition after a body would be part of the body, so it is written before the next request.
            known.drain(..).for_each(|definition: String| line(&mut requests, format_args!("{definition}")));
            line(&mut requests, format_args!("# @name {name}_{}", call.id()));
            line(&mut requests, format_args!("{} {}", request.method, request.url(options)));
            if let Some(token) = &request.token {
                line(&mut requests, format_args!("Authorization: Bearer {{{{{token}}}}}"));
            }
            for header in request.headers.iter().filter(|header| header.enabled) {
                line(&mut requests, format_args!("{}: {}", header.name, header.value));
            }
            if let Some(body) = &request.body {
                line(&mut requests, format_args!("\n{body}"));
            }
            let in_body = step.save.iter().map(|(at, variable)| {
                (variable, format!("body.$.{}", pointer::tokens(at).collect::<Vec<_>>().join(".")))
            });
            let in_head = step.save_headers.iter().map(|(name, variable)| (variable, format!("headers.{name}")));
            for (variable, place) in in_body.chain(in_head) {
                // A variable is defined once, by the first request that saves it.
                if kept.insert(variable.clone()) {
                    known.push(format!("@{variable} = {{{{{name}_{}.response.{place}}}}}", call.id()));
                }
            }
        }
    }
    let mut text = format!("# {}: the requests of the collection, for editors with a REST client.\n", options.name);
    text.push_str(
        "# Set the variables, then send single requests. Tokens and IDs are taken from earlier responses.\n\n",
    );
    for (name, value) in options.variables {
        if !kept.contains(*name) && requests.contains(&format!("{{{{{name}}}}}")) {
            line(&mut text, format_args!("{}", format!("@{name} = {value}").trim_end()));
        }
    }
    text.push_str(&requests);
    Ok(text)
}

fn line(text: &mut String, what: Arguments<'_>) {
    // Writing to a string cannot fail.
    let _ = writeln!(text, "{what}");
}
