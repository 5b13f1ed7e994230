//! Generates the items of a collection: a request with its tests and example responses.

use serde_json::{Map, Value, json};

use super::{
    CollectionError,
    call::{Call, Media, Parameter, Response},
    id::id,
    options::{CollectionOptions, FolderOptions, Step},
    script,
};
use openapi_model::traverse;

/// The request of an operation, independent of the output format.
pub(super) struct Request {
    pub(super) name: String,
    pub(super) description: String,
    pub(super) method: String,
    /// Segments of `/v1/projects/:project_id`.
    pub(super) path: Vec<String>,
    /// Names and descriptions of the path parameters.
    pub(super) path_parameters: Vec<(String, String)>,
    pub(super) query: Vec<Pair>,
    pub(super) headers: Vec<Pair>,
    pub(super) body: Option<String>,
    /// The variable with the token; `None` for a public operation.
    pub(super) token: Option<String>,
}

/// A header or a query parameter.
pub(super) struct Pair {
    pub(super) name: String,
    pub(super) value: String,
    pub(super) description: String,
    pub(super) enabled: bool,
}

impl Request {
    pub(super) fn of(
        call: &Call<'_>,
        step: &Step,
        options: &CollectionOptions<'_>,
    ) -> Result<Request, CollectionError> {
        let wrong = |what: String| CollectionError::Operation { operation: call.id().to_owned(), what };
        let parameters = call.parameters();
        let mut headers = Vec::new();
        let accept = call.success().and_then(|success| success.media().next()).map(|media| media.name);
        headers.extend(accept.map(|accept| pair("Accept", accept)));
        let body = match call.body() {
            None => None,
            Some(media) => {
                headers.push(pair("Content-Type", media.name));
                match call.examples(media).first() {
                    Some((_, example)) => Some(format!("{:#}", body_of_step(example, step).map_err(wrong)?)),
                    None if step.body.is_empty() => None,
                    None => return Err(wrong("the request body has no example".to_owned())),
                }
            }
        };
        headers.extend(pairs(&parameters, "header", &step.headers));
        let path = call.path();
        let split = path.trim_start_matches('/').split('/').map(|segment| {
            segment
                .strip_prefix('{')
                .and_then(|name| name.strip_suffix('}'))
                .map_or_else(|| segment.to_owned(), |name| format!(":{name}"))
        });
        let in_path = parameters.iter().filter(|parameter| parameter.place == "path");
        Ok(Request {
            name: request_name(call),
            description: call.text("description").to_owned(),
            method: call.method(),
            path: split.collect(),
            path_parameters: in_path.map(|one| (one.name.to_owned(), one.description.to_owned())).collect(),
            query: pairs(&parameters, "query", &step.query),
            headers,
            body,
            token: call.is_secured().then(|| step.token.clone().unwrap_or_else(|| options.token.to_owned())),
        })
    }

    /// Returns the URL with variables in place of parameters.
    pub(super) fn url(&self, options: &CollectionOptions<'_>) -> String {
        let mut url = format!("{{{{{}}}}}", options.base_url);
        for segment in &self.path {
            url.push('/');
            match segment.strip_prefix(':') {
                Some(name) => url.push_str(&format!("{{{{{name}}}}}")),
                None => url.push_str(segment),
            }
        }
        for (index, pair) in self.query.iter().filter(|pair| pair.enabled).enumerate() {
            let separator = if index == 0 { '?' } else { '&' };
            url.push_str(&format!("{separator}{}={}", pair.name, pair.value));
        }
        url
    }

    fn to_json(&self, options: &CollectionOptions<'_>) -> Value {
        let query: Vec<Value> = self.query.iter().map(Pair::to_json).collect();
        let enabled: Vec<String> =
            self.query.iter().filter(|pair| pair.enabled).map(|pair| format!("{}={}", pair.name, pair.value)).collect();
        let origin = format!("{{{{{}}}}}", options.base_url);
        let mut raw = format!("{origin}/{}", self.path.join("/"));
        if !enabled.is_empty() {
            raw = format!("{raw}?{}", enabled.join("&"));
        }
        let variables: Vec<Value> = self
            .path_parameters
            .iter()
            .map(|(name, description)| json!({"key": name, "value": format!("{{{{{name}}}}}"), "description": description}))
            .collect();
        let mut url = json!({"raw": raw, "host": [origin], "path": self.path});
        if let Value::Object(url) = &mut url {
            insert_some(url, "query", query);
            insert_some(url, "variable", variables);
        }
        let mut request = Map::new();
        match &self.token {
            None => drop(request.insert("auth".to_owned(), json!({"type": "noauth"}))),
            // The default of the collection.
            Some(token) if token == options.token => {}
            Some(token) => drop(request.insert("auth".to_owned(), bearer(token))),
        }
        request.insert("method".to_owned(), self.method.as_str().into());
        request.insert("header".to_owned(), self.headers.iter().map(Pair::to_json).collect());
        request.insert("url".to_owned(), url);
        request.extend(self.body().map(|body| ("body".to_owned(), body)));
        request.insert("description".to_owned(), self.description.as_str().into());
        Value::Object(request)
    }

    /// Returns the request of an example response, without descriptions and disabled parameters.
    fn to_short_json(&self, options: &CollectionOptions<'_>) -> Value {
        let headers = self.headers.iter().filter(|pair| pair.enabled);
        let headers: Vec<Value> = headers.map(|pair| json!({"key": pair.name, "value": pair.value})).collect();
        let mut request = json!({"method": self.method, "header": headers, "url": self.url(options)});
        if let (Value::Object(request), Some(body)) = (&mut request, self.body()) {
            request.insert("body".to_owned(), body);
        }
        request
    }

    fn body(&self) -> Option<Value> {
        let raw = self.body.as_ref()?;
        Some(json!({"mode": "raw", "raw": raw, "options": {"raw": {"language": "json"}}}))
    }
}

impl Pair {
    fn to_json(&self) -> Value {
        let mut value = json!({"key": self.name, "value": self.value});
        if let Value::Object(value) = &mut value {
            if !self.description.is_empty() {
                value.insert("description".to_owned(), self.description.as_str().into());
            }
            if !self.enabled {
                value.insert("disabled".to_owned(), true.into());
            }
        }
        value
    }
}

/// Returns the name that the request of an operation has in a collection.
pub(super) fn request_name(call: &Call<'_>) -> String {
    call.text("summary").trim_end_matches('.').to_owned()
}

/// Generates an item.
pub(super) fn item(
    call: &Call<'_>,
    step: &Step,
    folder: &FolderOptions<'_>,
    options: &CollectionOptions<'_>,
) -> Result<Value, CollectionError> {
    let request = Request::of(call, step, options)?;
    let test = script::test(call, step, folder)
        .map_err(|what| CollectionError::Operation { operation: call.id().to_owned(), what })?;
    let mut events = Vec::new();
    if !step.before.is_empty() {
        events.push(event("prerequest", step.before.lines()));
    }
    events.push(event("test", test.iter().map(String::as_str)));
    let names = [options.name, folder.name, call.id()];
    let responses: Vec<Value> =
        call.responses().flat_map(|response| example_responses(call, response, &request, &names, options)).collect();
    Ok(json!({
        "id": id(&names),
        "name": request.name,
        "event": events,
        "request": request.to_json(options),
        "response": responses,
    }))
}

/// Returns a script of an item or a folder.
pub(super) fn event<'l>(listen: &str, lines: impl Iterator<Item = &'l str>) -> Value {
    let lines: Vec<&str> = lines.collect();
    json!({"listen": listen, "script": {"type": "text/javascript", "exec": lines}})
}

/// Returns bearer authentication with the token in a variable.
pub(super) fn bearer(variable: &str) -> Value {
    json!({"type": "bearer", "bearer": [{"key": "token", "value": format!("{{{{{variable}}}}}"), "type": "string"}]})
}

/// Returns the example responses of a documented response.
fn example_responses(
    call: &Call<'_>,
    response: Response<'_>,
    request: &Request,
    names: &[&str; 3],
    options: &CollectionOptions<'_>,
) -> Vec<Value> {
    let status = response.status.to_string();
    let phrase = phrase(response.status);
    let example_response = |name: String, media: Option<(Media<'_>, &Value)>| {
        let mut headers: Vec<Value> =
            media.iter().map(|(media, _)| json!({"key": "Content-Type", "value": media.name})).collect();
        headers.extend(
            response
                .headers(call.document)
                .filter(|(.., always)| *always)
                .map(|(name, example, _)| json!({"key": name, "value": example})),
        );
        let language = media.map_or("text", |(media, _)| if traverse::is_json(media.name) { "json" } else { "text" });
        let body = media.map_or(Value::Null, |(media, example)| match example {
            Value::String(text) if !traverse::is_json(media.name) => text.as_str().into(),
            example => format!("{example:#}").into(),
        });
        json!({
            "id": id(&[names[0], names[1], names[2], &name]),
            "name": name,
            "originalRequest": request.to_short_json(options),
            "status": phrase,
            "code": response.status,
            "_postman_previewlanguage": language,
            "header": headers,
            "cookie": [],
            "body": body,
        })
    };
    let mut examples = Vec::new();
    let mut is_first = true;
    for media in response.media() {
        for (name, example) in call.examples(media) {
            let name = match name {
                Some(name) => format!("{status} {name}"),
                None if is_first => format!("{status} {phrase}"),
                None => format!("{status} {phrase}, {}", media.name),
            };
            is_first = false;
            examples.push(example_response(name, Some((media, example))));
        }
    }
    if response.media().next().is_none() {
        examples.push(example_response(format!("{status} {phrase}"), None));
    }
    examples
}

/// Returns the query parameters or headers. Required ones and those with a value in the step are enabled. A step can also have
/// values that the document does not declare.
fn pairs(parameters: &[Parameter<'_>], place: &str, given: &[(String, String)]) -> Vec<Pair> {
    let here: Vec<_> = parameters.iter().filter(|parameter| parameter.place == place).collect();
    let is_declared = |name: &str| here.iter().any(|parameter| parameter.name.eq_ignore_ascii_case(name));
    let undeclared = given.iter().filter(|(name, _)| !is_declared(name)).map(|(name, value)| pair(name, value));
    let declared = here.iter().map(|parameter| {
        let given = given.iter().find(|(name, _)| name.eq_ignore_ascii_case(parameter.name));
        Pair {
            name: parameter.name.to_owned(),
            value: given.map_or_else(|| parameter.example.clone(), |(_, value)| value.clone()),
            description: parameter.description.to_owned(),
            enabled: parameter.required || given.is_some(),
        }
    });
    declared.chain(undeclared).collect()
}

fn pair(name: &str, value: &str) -> Pair {
    Pair { name: name.to_owned(), value: value.to_owned(), description: String::new(), enabled: true }
}

/// Returns the example body with the values of the step.
pub(super) fn body_of_step(example: &Value, step: &Step) -> Result<Value, String> {
    let mut body = example.clone();
    for (pointer, text) in &step.body {
        let place =
            body.pointer_mut(pointer).ok_or_else(|| format!("the example of the request body has no {pointer}"))?;
        *place = text.as_str().into();
    }
    Ok(body)
}

fn insert_some(map: &mut Map<String, Value>, key: &str, list: Vec<Value>) {
    if !list.is_empty() {
        map.insert(key.to_owned(), list.into());
    }
}

/// Returns the reason phrase of a status.
pub(super) fn phrase(status: u16) -> &'static str {
    match status {
        200 => "OK",
        201 => "Created",
        202 => "Accepted",
        204 => "No Content",
        304 => "Not Modified",
        400 => "Bad Request",
        401 => "Unauthorized",
        403 => "Forbidden",
        404 => "Not Found",
        405 => "Method Not Allowed",
        406 => "Not Acceptable",
        408 => "Request Timeout",
        409 => "Conflict",
        410 => "Gone",
        412 => "Precondition Failed",
        413 => "Content Too Large",
        414 => "URI Too Long",
        415 => "Unsupported Media Type",
        422 => "Unprocessable Content",
        428 => "Precondition Required",
        429 => "Too Many Requests",
        431 => "Request Header Fields Too Large",
        500 => "Internal Server Error",
        503 => "Service Unavailable",
        507 => "Insufficient Storage",
        _ => "Other",
    }
}
