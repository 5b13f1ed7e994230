//! Removes unused components.

use std::collections::BTreeSet;

use serde_json::Value;

use openapi_model::traverse;

pub(super) fn prune(document: &mut Value) {
    let used = used(document);
    let schemes = security_schemes(document);
    let Some(Value::Object(components)) = document.get_mut("components") else {
        return;
    };
    for (section, content) in components.iter_mut() {
        let Value::Object(content) = content else {
            continue;
        };
        content.retain(|name, _| match section.as_str() {
            // Security requirements use names instead of references.
            "securitySchemes" => schemes.contains(name),
            section => used.contains(&format!("#/components/{section}/{name}")),
        });
    }
    components.retain(|_, content| content.as_object().is_none_or(|map| !map.is_empty()));
}

/// Returns every reference that is reachable from outside the components.
fn used(document: &Value) -> BTreeSet<String> {
    let mut pending = BTreeSet::new();
    for (key, part) in traverse::members(Some(document)) {
        if key != "components" {
            traverse::references(part, &mut pending);
        }
    }
    let mut used = BTreeSet::new();
    while let Some(reference) = pending.pop_first() {
        if used.insert(reference.to_owned())
            && let Some(target) = reference.strip_prefix('#').and_then(|p| document.pointer(p))
        {
            let mut found = BTreeSet::new();
            traverse::references(target, &mut found);
            pending.extend(found.into_iter().filter(|reference| !used.contains(*reference)));
        }
    }
    used
}

fn security_schemes(document: &Value) -> BTreeSet<String> {
    let own = traverse::operations(document).map(|entry| entry.operation.get("security"));
    own.chain([document.get("security")])
        .flat_map(traverse::elements)
        .flat_map(|requirement| traverse::members(Some(requirement)))
        .map(|(name, _)| name.to_owned())
        .collect()
}
