//! Generates the tests of a response as JavaScript for Postman's sandbox. The name of each test begins with the operation
//! ID, so that the report of a run shows which operation failed.

use serde_json::Value;

use super::{
    call::{Call, Media, Response},
    item::body_of_step,
    options::{ExpectedResponse, FolderOptions, Step},
    schema,
};
use openapi_model::{pointer, traverse};

/// Returns the lines of the test script of a step.
pub(super) fn test(call: &Call<'_>, step: &Step, options: &FolderOptions<'_>) -> Result<Vec<String>, String> {
    let script = Script { call, step, options };
    let mut lines = Vec::new();
    match &step.expect {
        ExpectedResponse::Success => script.success(&mut lines)?,
        ExpectedResponse::Error(status, code) => script.failure(*status, code, &mut lines)?,
        ExpectedResponse::SuccessWith { variables, otherwise: (status, code) } => {
            let (mut yes, mut no) = (Vec::new(), Vec::new());
            script.success(&mut yes)?;
            script.failure(*status, code, &mut no)?;
            branch(variables, yes, no, &mut lines);
        }
        ExpectedResponse::ErrorWith { variables, error, otherwise } => {
            let (mut yes, mut no) = (Vec::new(), Vec::new());
            script.failure(error.0, &error.1, &mut yes)?;
            script.failure(otherwise.0, &otherwise.1, &mut no)?;
            branch(variables, yes, no, &mut lines);
        }
    }
    Ok(lines)
}

/// Adds a condition that all variables have a value.
fn branch(variables: &[String], yes: Vec<String>, no: Vec<String>, lines: &mut Vec<String>) {
    let given: Vec<String> = variables.iter().map(|name| setting(name)).collect();
    lines.push(format!("if ({}) {{", given.join(" && ")));
    lines.extend(yes.into_iter().map(|line| format!("    {line}")));
    lines.push("} else {".to_owned());
    lines.extend(no.into_iter().map(|line| format!("    {line}")));
    lines.push("}".to_owned());
}

/// Returns a JavaScript string literal.
pub(super) fn js(text: &str) -> String {
    Value::from(text).to_string()
}

struct Script<'s, 'd> {
    call: &'s Call<'d>,
    step: &'s Step,
    options: &'s FolderOptions<'s>,
}

impl<'d> Script<'_, 'd> {
    fn success(&self, lines: &mut Vec<String>) -> Result<(), String> {
        // Without a documented success, any response is accepted.
        let Some(response) = self.call.success() else { return self.save_values(false, lines) };
        self.response_tests(response, lines)?;
        let json = response.media().find(|media| traverse::is_json(media.name));
        if let Some(media) = json {
            self.id_test(media, lines);
            self.sent_values_test(media, lines)?;
        }
        self.save_values(json.is_some(), lines)
    }

    fn failure(&self, status: u16, code: &str, lines: &mut Vec<String>) -> Result<(), String> {
        let response =
            self.call.response(status).ok_or_else(|| format!("no response with status {status} is documented"))?;
        let documented = response.media().flat_map(|media| self.call.examples(media));
        if !documented.into_iter().any(|(name, _)| name == Some(code)) {
            return Err(format!("no example {code} is documented for status {status}"));
        }
        self.response_tests(response, lines)?;
        let errors = self.options.errors;
        let (code_at, id_at) = (member("error", errors.code), member("error", errors.request_id));
        let header = js(errors.request_id_header);
        lines.push(self.named(
            &format!("the error code is {code} and the request ID matches"),
            &[
                "const error = pm.response.json();".to_owned(),
                format!("pm.expect({code_at}).to.equal({});", js(code)),
                format!("pm.expect({id_at}).to.equal(pm.response.headers.get({header}));"),
            ],
        ));
        Ok(())
    }

    /// Returns a line with one test.
    fn named(&self, what: &str, body: &[String]) -> String {
        let name = js(&format!("{}: {what}", self.call.id()));
        format!("pm.test({name}, () => {{ {} }});", body.join(" "))
    }

    /// Adds tests of the status, the headers and the schema of the body.
    fn response_tests(&self, response: Response<'d>, lines: &mut Vec<String>) -> Result<(), String> {
        let status = response.status;
        lines.push(self.named(&format!("the status is {status}"), &[format!("pm.response.to.have.status({status});")]));
        let media: Vec<Media<'d>> = response.media().collect();
        let Some(media) = media.first() else {
            // Bruno returns an empty body as a JSON text.
            let check = r#"pm.expect(pm.response.text()).to.be.oneOf(["", "\"\""]);"#;
            lines.push(self.named("there is no body", &[check.to_owned()]));
            self.headers(response, lines);
            return Ok(());
        };
        lines.push(self.named(
            &format!("Content-Type is {}", media.name),
            &[format!(
                "pm.expect(String(pm.response.headers.get(\"Content-Type\")).split(\";\")[0]).to.equal({});",
                js(media.name)
            )],
        ));
        self.headers(response, lines);
        if traverse::is_json(media.name) {
            let schema =
                media.value.get("schema").ok_or_else(|| format!("the response with status {status} has no schema"))?;
            let schema = schema::self_contained(schema, &self.call.definitions);
            lines.push(
                self.named("the body matches its schema", &[format!("pm.response.to.have.jsonSchema({schema});")]),
            );
        }
        Ok(())
    }

    fn headers(&self, response: Response<'d>, lines: &mut Vec<String>) {
        for (name, _, always) in response.headers(self.call.document) {
            let known = |list: &'_ [(&str, &str)]| {
                list.iter()
                    .find(|(known, _)| known.eq_ignore_ascii_case(name))
                    .map(|(_, pattern)| (*pattern).to_owned())
            };
            let pattern = known(self.options.documented_headers);
            let value = format!("pm.response.headers.get({})", js(name));
            let what = if always { format!("header {name}") } else { format!("header {name}, if present") };
            let has = format!("pm.response.to.have.header({});", js(name));
            let check = pattern.map(|pattern| format!("pm.expect({value}).to.match(new RegExp({}));", js(&pattern)));
            let line = match (always, check) {
                (true, Some(check)) => self.named(&what, &[has, check]),
                (true, None) => self.named(&what, &[has]),
                (false, Some(check)) => {
                    self.named(&what, &[format!("if (pm.response.headers.has({})) {{ {check} }}", js(name))])
                }
                (false, None) => continue,
            };
            lines.push(line);
        }
        for (name, pattern) in self.options.headers {
            lines.push(self.named(
                &format!("header {name}"),
                &[format!(
                    "pm.expect(String(pm.response.headers.get({}))).to.match(new RegExp({}));",
                    js(name),
                    js(pattern)
                )],
            ));
        }
    }

    /// Adds a test that the ID in the body is the last path parameter.
    fn id_test(&self, media: Media<'d>, lines: &mut Vec<String>) {
        let last = self.call.entry.path.rsplit('/').next().unwrap_or_default();
        let Some(name) = last.strip_prefix('{').and_then(|name| name.strip_suffix('}')) else { return };
        if self.call.properties(media).contains(&"id") {
            lines.push(self.named(
                "the ID matches the path",
                &[format!(
                    "pm.expect(String(pm.response.json().id)).to.equal(String(pm.collectionVariables.get({})));",
                    js(name)
                )],
            ));
        }
    }

    /// Adds a test that fields of the request have the same values in the response. Secrets are never returned, and the server may
    /// replace null by a default.
    fn sent_values_test(&self, media: Media<'d>, lines: &mut Vec<String>) -> Result<(), String> {
        let Some(body) = self.call.body() else { return Ok(()) };
        let Some((_, example)) = self.call.examples(body).into_iter().next() else { return Ok(()) };
        let Value::Object(sent) = body_of_step(example, self.step)? else { return Ok(()) };
        let returned = self.call.properties(media);
        let both: Vec<_> = sent
            .iter()
            .filter(|(name, _)| returned.contains(&name.as_str()) && !self.call.is_secret(body, name))
            .filter(|(name, value)| !value.is_null() || self.call.is_nullable(media, name))
            .collect();
        if both.is_empty() {
            return Ok(());
        }
        let mut body = vec!["const returned = pm.response.json();".to_owned()];
        body.extend(both.into_iter().map(|(name, value)| {
            let name = js(name);
            let value = match value {
                Value::String(text) if text.contains("{{") => format!("pm.variables.replaceIn({})", js(text)),
                value => value.to_string(),
            };
            format!("pm.expect(returned[{name}], {name}).to.eql({value});")
        }));
        lines.push(self.named("the response contains the sent values", &body));
        Ok(())
    }

    /// Saves the values that later requests need, then adds tests of headers that contain these values.
    fn save_values(&self, has_json: bool, lines: &mut Vec<String>) -> Result<(), String> {
        let step = self.step;
        if !step.save.is_empty() && !has_json {
            return Err("no value can be saved: the success response is not JSON".to_owned());
        }
        let in_body =
            step.save.iter().map(|(pointer, variable)| (pointer, variable, member("pm.response.json()", pointer)));
        let in_head = step
            .save_headers
            .iter()
            .map(|(name, variable)| (name, variable, format!("pm.response.headers.get({})", js(name))));
        for (from, variable, value) in in_body.chain(in_head) {
            lines.push(self.named(
                &format!("save {variable}"),
                &[
                    format!("const value = {value};"),
                    format!("pm.expect(value, {}).to.exist;", js(from)),
                    format!("pm.collectionVariables.set({}, value);", js(variable)),
                ],
            ));
        }
        for (name, template) in &step.returned_headers {
            lines.push(self.named(
                &format!("header {name} is {template}"),
                &[format!(
                    "pm.expect(pm.response.headers.get({})).to.equal(pm.variables.replaceIn({}));",
                    js(name),
                    js(template)
                )],
            ));
        }
        if !step.after.is_empty() {
            let status = self.call.success().map(|response| response.status).unwrap_or_default();
            lines.push(format!("if (pm.response.code === {status}) {{"));
            lines.extend(step.after.lines().map(|line| format!("    {line}")));
            lines.push("}".to_owned());
        }
        Ok(())
    }
}

/// Returns the JavaScript expression for a variable that an environment can override. `pm.variables.get` would find it in every
/// scope, but Bruno's counterpart reads only temporary variables.
fn setting(name: &str) -> String {
    let name = js(name);
    format!("(pm.environment.get({name}) || pm.collectionVariables.get({name}))")
}

/// Returns the JavaScript expression for the value at a JSON pointer.
pub(super) fn member(root: &str, at: &str) -> String {
    pointer::tokens(at).fold(root.to_owned(), |place, token| match token.parse::<usize>() {
        Ok(index) => format!("{place}[{index}]"),
        Err(_) => format!("{place}[{}]", js(&token)),
    })
}
