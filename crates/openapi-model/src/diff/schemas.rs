//! Comparison of two schemas at the same location, by the direction in which the value is sent.

use std::collections::HashSet;

use serde_json::{Value, json};

use super::flat::{LOWER, UPPER, component, flat, name, references};
use super::rules::{self, Rule};
use super::shape::{Others, kind, labeled, missing, others, requires};
use super::values::{self, Change, shown};
use super::{Comparison, DiffLocation, Direction, annotations, flag};
use crate::traverse;

/// Keywords that this module compares. All others are annotations.
const HANDLED: &[&str] = &[
    "$ref",
    "type",
    "format",
    "nullable",
    "enum",
    "default",
    "required",
    "properties",
    "additionalProperties",
    "items",
    "oneOf",
    "anyOf",
    "minimum",
    "minLength",
    "minItems",
    "minProperties",
    "maximum",
    "maxLength",
    "maxItems",
    "maxProperties",
    "discriminator",
    "exclusiveMinimum",
    "exclusiveMaximum",
    "pattern",
    "multipleOf",
    "uniqueItems",
];

/// The deepest nesting that is compared. A circular `allOf` nests without limit.
const MAX_DEPTH: usize = 64;

/// Compares the schemas of a part of an operation. `subject` names the part in descriptions of differences.
pub(super) fn compare(
    comparison: &mut Comparison<'_>,
    direction: Direction,
    at: &DiffLocation,
    subject: &str,
    old: Option<&Value>,
    new: Option<&Value>,
) {
    // A missing schema allows any value.
    let (old, new) = (old.unwrap_or(&Value::Null), new.unwrap_or(&Value::Null));
    let root = At { place: at.clone(), path: String::new(), subject: subject.to_owned(), depth: 0 };
    SchemaComparison { comparison, direction, met: HashSet::new() }.schema(&root, old, new);
}

/// The location of the compared schemas.
struct At {
    place: DiffLocation,
    /// The path from the root: `data[].name`.
    path: String,
    /// The path from the nearest component: `Project.name`.
    subject: String,
    depth: usize,
}

impl At {
    fn step(&self, step: &str) -> Self {
        let path = format!("{}{step}", self.path).trim_start_matches('.').to_owned();
        At { place: self.place.clone(), path, subject: format!("{}{step}", self.subject), depth: self.depth + 1 }
    }

    fn place(&self) -> DiffLocation {
        self.place.part(&self.path)
    }
}

/// The comparison of two schemas and their subschemas.
struct SchemaComparison<'w, 'd> {
    comparison: &'w mut Comparison<'d>,
    direction: Direction,
    /// Pairs of references that were compared. Each pair is compared once, so that circular references end.
    met: HashSet<(String, String)>,
}

impl SchemaComparison<'_, '_> {
    fn report(&mut self, rule: &Rule, at: &At, sentence: &str) {
        self.comparison.report(rule, &at.place(), format!("{} {sentence}", at.subject));
    }

    /// Reports a difference under the rule for its direction.
    fn by_direction(&mut self, request: &Rule, response: &Rule, at: &At, sentence: &str) {
        let rule = if self.direction == Direction::Request { request } else { response };
        self.report(rule, at, sentence);
    }

    fn schema(&mut self, at: &At, old: &Value, new: &Value) {
        if at.depth > MAX_DEPTH {
            return;
        }
        let (old_name, new_name) = (name(old), name(new));
        if let Some(old_name) = old_name.filter(|_| old_name != new_name) {
            let message = match new_name {
                Some(new_name) => format!("had the schema {old_name} and has {new_name}"),
                None => format!("had the schema {old_name} and has an inline schema"),
            };
            self.report(rules::SCHEMA_NAME_CHANGED, at, &message);
        }
        let named = At {
            place: at.place.clone(),
            path: at.path.clone(),
            depth: at.depth,
            subject: old_name.or(new_name).unwrap_or(&at.subject).to_owned(),
        };
        // `nullable` and `default` can be set next to a reference and then override those of the component.
        let (old_flat, new_flat) = (flat(self.comparison.old, old), flat(self.comparison.new, new));
        self.nullable(at, flag(&old_flat, "nullable"), flag(&new_flat, "nullable"));
        self.default(at, old_flat.get("default"), new_flat.get("default"));
        if let (Some((old, old_words)), Some((new, new_words))) = (component(old), component(new)) {
            annotations::compare(self.comparison, &at.place(), &at.subject, &old_words, &new_words, HANDLED);
            if self.met.insert((old.to_owned(), new.to_owned())) {
                let reference = |name: &str| json!({ "$ref": format!("{}{name}", traverse::SCHEMAS) });
                let old = flat(self.comparison.old, &reference(old));
                let new = flat(self.comparison.new, &reference(new));
                self.flat(&named, &old, &new);
            }
            return;
        }
        let refers = !references(old).is_empty() || !references(new).is_empty();
        if !refers || self.met.insert((old.to_string(), new.to_string())) {
            self.flat(&named, &old_flat, &new_flat);
        }
    }

    fn flat(&mut self, at: &At, old: &Value, new: &Value) {
        annotations::compare(self.comparison, &at.place(), &at.subject, old, new, HANDLED);
        if kind(old) != kind(new) {
            self.report(rules::TYPE_CHANGED, at, &format!("was {} and is {}", kind(old), kind(new)));
            return; // the other keywords depend on the type
        }
        if old.get("format") != new.get("format") {
            let (old, new) = (shown(old.get("format")), shown(new.get("format")));
            self.report(rules::FORMAT_CHANGED, at, &format!("had the format {old} and has {new}"));
        }
        self.enumeration(at, old.get("enum"), new.get("enum"));
        self.bounds(at, old, new);
        self.fields(at, old, new);
        self.undeclared_required(at, old, new);
        self.others(at, old.get("additionalProperties"), new.get("additionalProperties"));
        self.schema(&at.step("[]"), old.get("items").unwrap_or(&Value::Null), new.get("items").unwrap_or(&Value::Null));
        self.discriminator(at, old.get("discriminator"), new.get("discriminator"));
        for key in ["oneOf", "anyOf"] {
            self.choices(at, old.get(key), new.get(key));
        }
    }

    fn nullable(&mut self, at: &At, old: bool, new: bool) {
        match (old, new) {
            (false, true) => {
                let (request, response) = (rules::REQUEST_NULL_ACCEPTED, rules::RESPONSE_MADE_NULLABLE);
                self.by_direction(request, response, at, "may now be null");
            }
            (true, false) => {
                let (request, response) = (rules::REQUEST_NULL_REJECTED, rules::RESPONSE_NEVER_NULL);
                self.by_direction(request, response, at, "may no longer be null");
            }
            _ => {}
        }
    }

    fn default(&mut self, at: &At, old: Option<&Value>, new: Option<&Value>) {
        match (old, new) {
            (None, Some(new)) => {
                self.report(rules::DEFAULT_ADDED, at, &format!("now has the default {}", shown(Some(new))));
            }
            (Some(_), new) if old != new => {
                let message = format!("had the default {} and has {}", shown(old), shown(new));
                self.report(rules::DEFAULT_CHANGED, at, &message);
            }
            _ => {}
        }
    }

    fn enumeration(&mut self, at: &At, old: Option<&Value>, new: Option<&Value>) {
        let (request, response) = match (old, new) {
            (None, None) => return,
            (None, Some(_)) => (rules::REQUEST_ENUM_NARROWED, rules::RESPONSE_ENUM_ADDED),
            (Some(_), None) => (rules::REQUEST_ENUM_WIDENED, rules::RESPONSE_ENUM_DROPPED),
            (Some(_), Some(_)) => {
                let gone = missing(old, new);
                if !gone.is_empty() {
                    let (request, response) = (rules::REQUEST_ENUM_NARROWED, rules::RESPONSE_ENUM_NARROWED);
                    self.by_direction(request, response, at, &format!("no longer has the value {gone}"));
                }
                let added = missing(new, old);
                if !added.is_empty() {
                    let (request, response) = (rules::REQUEST_ENUM_WIDENED, rules::RESPONSE_ENUM_WIDENED);
                    self.by_direction(request, response, at, &format!("has the new value {added}"));
                }
                return;
            }
        };
        let message = if new.is_some() { "is now an enumeration" } else { "is no longer an enumeration" };
        self.by_direction(request, response, at, message);
    }

    fn bounds(&mut self, at: &At, old: &Value, new: &Value) {
        let zero = Value::from(0);
        for (keys, is_lower) in [(LOWER, true), (UPPER, false)] {
            for key in keys {
                let free = (is_lower && key != "minimum").then_some(&zero);
                let change = values::limit(old.get(key), new.get(key), free, is_lower);
                self.bound(at, key, old, new, change);
            }
        }
        for key in ["exclusiveMinimum", "exclusiveMaximum", "uniqueItems"] {
            self.bound(at, key, old, new, values::switch(flag(old, key), flag(new, key)));
        }
        for key in ["pattern", "multipleOf"] {
            self.bound(at, key, old, new, values::opaque(old.get(key), new.get(key)));
        }
    }

    fn bound(&mut self, at: &At, key: &str, old: &Value, new: &Value, change: Option<Change>) {
        let request = match change {
            None => return,
            Some(Change::Narrowed) => rules::REQUEST_BOUND_NARROWED,
            Some(Change::Widened) => rules::REQUEST_BOUND_WIDENED,
        };
        let message = format!("had the {key} {} and has {}", shown(old.get(key)), shown(new.get(key)));
        self.by_direction(request, rules::RESPONSE_BOUND_CHANGED, at, &message);
    }

    fn fields(&mut self, at: &At, old: &Value, new: &Value) {
        for (name, old_field) in traverse::members(old.get("properties")) {
            let at = at.step(&format!(".{name}"));
            let Some(new_field) = new.get("properties").and_then(|fields| fields.get(name)) else {
                if self.direction == Direction::Request {
                    self.report(rules::REQUEST_FIELD_REMOVED, &at, "is no longer accepted");
                } else {
                    self.report(rules::RESPONSE_FIELD_REMOVED, &at, "is no longer returned");
                }
                continue;
            };
            match (requires(old, name), requires(new, name)) {
                (false, true) => {
                    let request = rules::REQUEST_FIELD_MADE_REQUIRED;
                    self.by_direction(request, rules::RESPONSE_FIELD_MADE_REQUIRED, &at, "is now required");
                }
                (true, false) => {
                    let request = rules::REQUEST_FIELD_MADE_OPTIONAL;
                    self.by_direction(request, rules::RESPONSE_FIELD_MADE_OPTIONAL, &at, "is now optional");
                }
                _ => {}
            }
            self.schema(&at, old_field, new_field);
        }
        for (name, _) in traverse::members(new.get("properties")) {
            if old.get("properties").and_then(|fields| fields.get(name)).is_none() {
                let at = at.step(&format!(".{name}"));
                match (self.direction, requires(new, name)) {
                    (Direction::Response, _) => self.report(rules::RESPONSE_FIELD_ADDED, &at, "is new"),
                    (_, true) => self.report(rules::REQUEST_FIELD_ADDED_REQUIRED, &at, "is new and required"),
                    (_, false) => self.report(rules::REQUEST_FIELD_ADDED, &at, "is new and optional"),
                }
            }
        }
    }

    /// Compares required fields that have no schema.
    fn undeclared_required(&mut self, at: &At, old: &Value, new: &Value) {
        let only = |one: &Value, other: &Value| -> Vec<String> {
            let has = |name: &str| [one, other].iter().any(|schema| schema["properties"].get(name).is_some());
            let names = traverse::elements(one.get("required")).filter_map(Value::as_str);
            names.filter(|name| !requires(other, name) && !has(name)).map(str::to_owned).collect()
        };
        for name in only(new, old) {
            let (request, response) = (rules::REQUEST_FIELD_MADE_REQUIRED, rules::RESPONSE_FIELD_MADE_REQUIRED);
            self.by_direction(request, response, &at.step(&format!(".{name}")), "is now required");
        }
        for name in only(old, new) {
            let (request, response) = (rules::REQUEST_FIELD_MADE_OPTIONAL, rules::RESPONSE_FIELD_MADE_OPTIONAL);
            self.by_direction(request, response, &at.step(&format!(".{name}")), "is now optional");
        }
    }

    /// Compares `additionalProperties`: any, none, or a schema.
    fn others(&mut self, at: &At, old: Option<&Value>, new: Option<&Value>) {
        let at = at.step(".*");
        let opened = "(undocumented fields) are now allowed";
        let closed = "(undocumented fields) are no longer allowed";
        match (others(old), others(new)) {
            (Others::Of(old), Others::Of(new)) => self.schema(&at, old, new),
            (Others::Any, Others::None) => {
                self.by_direction(rules::REQUEST_OBJECT_CLOSED, rules::RESPONSE_OPENNESS_CHANGED, &at, closed);
            }
            (Others::None, Others::Any) => {
                self.by_direction(rules::REQUEST_OBJECT_OPENED, rules::RESPONSE_OPENNESS_CHANGED, &at, opened);
            }
            (Others::Any, Others::Of(_)) => {
                let message = "(undocumented fields) must now match a schema";
                self.by_direction(rules::REQUEST_OBJECT_CLOSED, rules::RESPONSE_OPENNESS_CHANGED, &at, message);
            }
            (Others::None, Others::Of(_)) => {
                let message = "(undocumented fields) are now allowed if they match a schema";
                self.by_direction(rules::REQUEST_OBJECT_OPENED, rules::RESPONSE_OPENNESS_CHANGED, &at, message);
            }
            (Others::Of(_), Others::Any) => {
                self.by_direction(
                    rules::REQUEST_OBJECT_OPENED,
                    rules::TYPE_CHANGED,
                    &at,
                    "(undocumented fields) no longer have a schema",
                );
            }
            (Others::Of(_), Others::None) => {
                self.by_direction(rules::REQUEST_OBJECT_CLOSED, rules::TYPE_CHANGED, &at, closed);
            }
            _ => {}
        }
    }

    /// Compares discriminators. A mapping for an added choice is reported with that choice.
    fn discriminator(&mut self, at: &At, old: Option<&Value>, new: Option<&Value>) {
        let property = |value: Option<&Value>| value.and_then(|value| value.get("propertyName")).cloned();
        let mapping = |value: Option<&'_ Value>, key: &str| value.and_then(|value| value["mapping"].get(key)).cloned();
        let is_other = |(key, target): (&str, &Value)| mapping(new, key).is_some_and(|other| other != *target);
        let remapped = traverse::members(old.and_then(|old| old.get("mapping"))).any(is_other);
        if property(old) != property(new) || remapped {
            self.report(rules::UNKNOWN_CHANGED, at, "has another discriminator");
        }
    }

    /// Compares the members of a `oneOf` or `anyOf`, matched by name.
    fn choices(&mut self, at: &At, old: Option<&Value>, new: Option<&Value>) {
        let (old, new) = (labeled(old), labeled(new));
        for (label, choice) in &old {
            match new.iter().find(|(other, _)| other == label) {
                Some((_, other)) => self.schema(at, choice, other),
                None => {
                    let message = format!("can no longer be {label}");
                    self.by_direction(rules::REQUEST_CHOICE_REMOVED, rules::RESPONSE_CHOICE_REMOVED, at, &message);
                }
            }
        }
        for (label, _) in new.iter().filter(|(label, _)| !old.iter().any(|(other, _)| other == label)) {
            let message = format!("can now be {label}");
            self.by_direction(rules::REQUEST_CHOICE_ADDED, rules::RESPONSE_CHOICE_ADDED, at, &message);
        }
    }
}
