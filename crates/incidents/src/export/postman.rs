//! Records as a Postman collection (v2.1) that sends exactly what was captured and tells whether the same comes of it.
//!
//! Postman and Newman replace `{{…}}` in whatever they send, again and again until nothing changes. What keeps a payload as
//! it is: each name in it is a variable for as long as the request is under way, and its value is the name in braces
//! (`docs/decisions/0036-use-byte-exact-postman-exports-for-incidents.md`).

use std::collections::BTreeSet;

use base64::{Engine, engine::general_purpose::STANDARD};
use serde_json::{Value, json};
use sha2::{Digest, Sha256};
use uuid::Uuid;

use super::{File, instant, title};
use crate::{
    Record,
    resend::{Account, Header, account, headers},
};

/// A collection, and what must lie beside it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Collection {
    pub text: String,
    /// The bodies that no collection can hold. Newman finds them in its working directory, Postman in its own.
    pub files: Vec<File>,
    /// What is not sent as it was captured.
    pub limits: Vec<String>,
}

/// Every object of JavaScript has these: a variable cannot have their names.
const UNUSABLE: [&str; 12] = [
    "__defineGetter__",
    "__defineSetter__",
    "__lookupGetter__",
    "__lookupSetter__",
    "__proto__",
    "constructor",
    "hasOwnProperty",
    "isPrototypeOf",
    "propertyIsEnumerable",
    "toLocaleString",
    "toString",
    "valueOf",
];

/// A collection of these requests in their order, for a server at `origin` unless the environment has a `base_url`.
///
/// The accounts that stand for the captured principals are those of the environment: `email` and `password`, for
/// administrators `admin_email` and `admin_password`. No captured token is ever sent in their place.
#[must_use]
pub fn collection(records: &[Record], origin: &str) -> Collection {
    let (mut files, mut limits) = (Vec::new(), Vec::new());
    let ours = Ours::apart_from(records);
    let items: Vec<Value> =
        records.iter().map(|record| Item { record, ours: &ours }.write(&mut files, &mut limits)).collect();
    let name = match records {
        [one] => format!("BucketList {}", title(one)),
        _ => format!("BucketList incidents ({})", records.len()),
    };
    let mut variables = vec![("base_url", origin.trim_end_matches('/')), (&*ours.origin, "{{base_url}}")];
    for account in [Account::User, Account::Admin] {
        if records.iter().any(|record| self::account(record) == Some(account)) {
            let (email, password) = names(account);
            variables.extend([(email, ""), (password, "")]);
        }
    }
    let variables: Vec<Value> = variables.iter().map(|(key, value)| json!({"key": key, "value": value})).collect();
    let ids: Vec<&str> = records.iter().map(|record| record.request_id.as_str()).collect();
    let collection = json!({
        "info": {
            "_postman_id": id(&ids.join(" ")),
            "name": name,
            "description": "Sends what failed again, byte for byte, and tells whether it still fails in the same way: \
    a test that passes has reproduced the failure.\n\nGive `base_url` the origin of the server to try, and the account variables \
    those of accounts that stand for who asked.",
            "schema": "https://schema.getpostman.com/json/collection/v2.1.0/collection.json",
        },
        "item": items,
        "auth": {"type": "noauth"},
        "variable": variables,
    });
    Collection { text: format!("{collection:#}\n"), files, limits }
}

/// The variables of an account that whoever sends the request fills in.
fn names(account: Account) -> (&'static str, &'static str) {
    match account {
        Account::User => ("email", "password"),
        Account::Admin => ("admin_email", "admin_password"),
    }
}

fn id(name: &str) -> String {
    Uuid::new_v5(&Uuid::NAMESPACE_URL, format!("bucketlist-incident:{name}").as_bytes()).to_string()
}

/// Our own variables: names that none of the requests has in it.
struct Ours {
    origin: String,
    token: String,
    admin_token: String,
}

impl Ours {
    fn apart_from(records: &[Record]) -> Self {
        let mut digest = Sha256::new();
        for record in records {
            digest.update(&record.request.target);
            digest.update(&record.request.body.0);
        }
        // No request can hold the digest of itself, but only looking proves it.
        loop {
            let mark: String = digest.clone().finalize().iter().take(4).map(|byte| format!("{byte:02x}")).collect();
            let is_in = |text: &[u8]| text.windows(mark.len()).any(|window| window == mark.as_bytes());
            let is_taken = records.iter().any(|record| {
                let request = &record.request;
                is_in(request.target.as_bytes())
                    || is_in(&request.body.0)
                    || request.headers.iter().any(|(name, value)| is_in(name.as_bytes()) || is_in(value.as_bytes()))
            });
            if !is_taken {
                return Self {
                    origin: format!("bl_origin_{mark}"),
                    token: format!("bl_token_{mark}"),
                    admin_token: format!("bl_admin_token_{mark}"),
                };
            }
            digest.update(mark);
        }
    }

    fn token(&self, account: Account) -> &str {
        match account {
            Account::User => &self.token,
            Account::Admin => &self.admin_token,
        }
    }
}

struct Item<'r> {
    record: &'r Record,
    ours: &'r Ours,
}

impl Item<'_> {
    fn write(&self, files: &mut Vec<File>, limits: &mut Vec<String>) -> Value {
        let record = self.record;
        let title = title(record);
        let request = &record.request;
        let headers: Vec<(String, String)> = headers(record).into_iter().map(|header| self.header(header)).collect();
        // In the URL and the headers a name always stands for itself; in the body only if it is sent as text.
        let elsewhere: String = headers.iter().fold(request.target.clone(), |all, (name, value)| {
            if value.contains(&self.ours.token) || value.contains(&self.ours.admin_token) {
                all
            } else {
                format!("{all}\n{name}\n{value}")
            }
        });
        let text = std::str::from_utf8(&request.body.0).ok();
        let text = text.filter(|text| !names_in(text).iter().any(|name| UNUSABLE.contains(&name.as_str())));
        let mut shadows = names_in(&elsewhere);
        shadows.extend(text.map(names_in).unwrap_or_default());
        let own_limits = limits_of(record, &mut shadows);
        let file_name = format!("{}.body", title.replace(' ', "-"));
        let body = match text {
            _ if request.body.0.is_empty() => None,
            // As `text`: from JSON, comments would be removed.
            Some(text) => Some(json!({"mode": "raw", "raw": text, "options": {"raw": {"language": "text"}}})),
            None => {
                files.push(File { name: file_name.clone(), bytes: request.body.0.clone() });
                Some(json!({"mode": "file", "file": {"src": file_name}}))
            }
        };
        let is_file = body.as_ref().is_some_and(|body| body["mode"] == "file");
        let mut sent = json!({
            "method": request.method,
            "header": headers.iter().map(|(key, value)| json!({"key": key, "value": value})).collect::<Vec<_>>(),
            "url": format!("{{{{{}}}}}{}", self.ours.origin, request.target),
            "auth": {"type": "noauth"},
            "description": self.description(is_file.then_some(&*file_name), &own_limits),
        });
        if let (Value::Object(sent), Some(body)) = (&mut sent, &body) {
            sent.insert("body".to_owned(), body.clone());
        }
        limits.extend(own_limits.into_iter().map(|limit| format!("{title}: {limit}")));
        let shadows: Vec<String> = shadows.into_iter().collect();
        let before = self.script(include_str!("scripts/before.js"), &title, &shadows, &file_name, is_file);
        let after = self.script(include_str!("scripts/after.js"), &title, &shadows, &file_name, is_file);
        json!({
            "id": id(&record.request_id),
            "name": format!("{title}: {}", self.name()),
            "event": [event("prerequest", &before), event("test", &after)],
            "protocolProfileBehavior": {
                "disabledSystemHeaders": {
                    "accept": true,
                    "accept-encoding": true,
                    "cache-control": true,
                    "connection": true,
                    "content-type": true,
                    "postman-token": true,
                    "user-agent": true,
                },
                "disableBodyPruning": true,
                "disableCookies": true,
                "disableUrlEncoding": true,
                "followRedirects": false,
            },
            "request": sent,
            "response": [self.answer(&headers, body)],
        })
    }

    fn name(&self) -> String {
        let record = self.record;
        let what = record.operation.as_deref().unwrap_or(&record.request.method);
        let code = record.code.as_deref().map(|code| format!(" {code}")).unwrap_or_default();
        format!("{what} → {}{code}", record.response.status)
    }

    fn header(&self, header: Header<'_>) -> (String, String) {
        match header {
            Header::Captured(name, value) => (name.to_owned(), value.to_owned()),
            Header::Token(name, scheme) => {
                let token = self.ours.token(account(self.record).unwrap_or(Account::User));
                (name.to_owned(), format!("{scheme} {{{{{token}}}}}"))
            }
        }
    }

    fn description(&self, file: Option<&str>, limits: &[String]) -> String {
        let record = self.record;
        let mut lines = vec![
            format!(
                "Request id `{}`, {}, server {}.",
                record.request_id,
                instant(record.received_at),
                record.server_version
            ),
            format!("Fingerprint: `{}`.", record.fingerprint),
            format!("SHA-256 of the body: `{}`.", record.request.body.sha256()),
        ];
        if let Some(principal) = &record.principal {
            let (email, password) = names(account(record).unwrap_or(Account::User));
            lines.push(format!(
                "Asked by the {} {}: the account of `{email}` and `{password}` stands for them.",
                principal.role, principal.user_id
            ));
        }
        if let Some(file) = file {
            lines.push(format!(
                "Its body is no text that a collection can hold: put the file `{file}` into the working directory (of \
Newman: `--working-dir`). In base64 it is\n\n```\n{}\n```",
                STANDARD.encode(&record.request.body.0)
            ));
        }
        lines.extend(
            limits
                .iter()
                .map(|limit| format!("**Not exact**: {limit}. `bucketlist incidents replay` sends it as it was.")),
        );
        lines.join("\n\n")
    }

    fn script(&self, script: &str, title: &str, shadows: &[String], file_name: &str, is_file: bool) -> String {
        let record = self.record;
        let account = account(record).map_or(Value::Null, |account| {
            let (email, password) = names(account);
            let principal = record.principal.as_ref();
            let who = principal.map(|principal| format!("{} {}", principal.role, principal.user_id));
            json!({"email": email, "password": password, "token": self.ours.token(account), "who": who})
        });
        let values = [
            ("%title%", title.replace(['"', '\\'], "")),
            ("%origin%", self.ours.origin.clone()),
            ("%sha256%", record.request.body.sha256()),
            ("%status%", record.response.status.to_string()),
            ("%file%", is_file.to_string()),
            ("%file_name%", file_name.to_owned()),
            ("%account%", account.to_string()),
            ("%code%", Value::from(record.code.clone()).to_string()),
            ("%shadows%", Value::from(shadows.to_vec()).to_string()),
            ("%target%", Value::from(record.request.target.clone()).to_string()),
        ];
        filled(script, &values)
    }

    /// What was answered then, beside the request.
    fn answer(&self, headers: &[(String, String)], body: Option<Value>) -> Value {
        let record = self.record;
        let response = &record.response;
        let mut original = json!({
            "method": record.request.method,
            "header": headers.iter().map(|(key, value)| json!({"key": key, "value": value})).collect::<Vec<_>>(),
            "url": format!("{{{{{}}}}}{}", self.ours.origin, record.request.target),
        });
        if let (Value::Object(original), Some(body)) = (&mut original, body) {
            original.insert("body".to_owned(), body);
        }
        let text = String::from_utf8_lossy(&response.body.0);
        let is_json = serde_json::from_str::<&serde_json::value::RawValue>(&text).is_ok();
        json!({
            "id": id(&format!("{} answer", record.request_id)),
            "name": format!("as captured: {}", self.name()),
            "originalRequest": original,
            "code": response.status,
            "_postman_previewlanguage": if is_json { "json" } else { "text" },
            "header": response.headers.iter().map(|(key, value)| json!({"key": key, "value": value})).collect::<Vec<_>>(),
            "cookie": [],
            "body": text,
        })
    }
}

fn event(listen: &str, script: &str) -> Value {
    json!({"listen": listen, "script": {"type": "text/javascript", "exec": script.lines().collect::<Vec<_>>()}})
}

/// A script with its values, in which nothing is looked for.
fn filled(script: &str, values: &[(&str, String)]) -> String {
    let (mut text, mut rest) = (String::with_capacity(script.len()), script);
    while let Some((at, name, value)) =
        values.iter().filter_map(|(name, value)| Some((rest.find(name)?, name, value))).min_by_key(|(at, ..)| *at)
    {
        text.push_str(&rest[..at]);
        text.push_str(value);
        rest = &rest[at + name.len()..];
    }
    text.push_str(rest);
    text
}

/// The names between `{{` and `}}`, as Postman finds them.
fn names_in(text: &str) -> BTreeSet<String> {
    let mut names = BTreeSet::new();
    let mut rest = text;
    while let Some(at) = rest.find("{{") {
        rest = &rest[at + 2..];
        let end = rest.find(['{', '}']).unwrap_or(rest.len());
        if rest[end..].starts_with("}}") {
            names.insert(rest[..end].to_owned());
        } else if rest[end..].starts_with('{') {
            // `{{{`: the last two begin the name.
            rest = &text[text.len() - rest.len() - 1..];
        }
    }
    names
}

/// What Postman cannot send as it was; takes the names that no variable can have.
fn limits_of(record: &Record, shadows: &mut BTreeSet<String>) -> Vec<String> {
    let target = &record.request.target;
    let path = target.split('?').next().unwrap_or_default();
    let mut limits = Vec::new();
    if path.contains('\\') {
        limits.push("Postman sends each `\\` of the path as `/`".to_owned());
    }
    if !target.is_ascii() {
        limits.push("Postman sends the characters of the target that are not ASCII in another encoding".to_owned());
    }
    if record.request.method.chars().any(|c| c.is_ascii_lowercase()) {
        limits.push("Postman sends the method in capitals".to_owned());
    }
    let unusable: Vec<String> = shadows.iter().filter(|name| UNUSABLE.contains(&name.as_str())).cloned().collect();
    for name in unusable {
        shadows.remove(&name);
        limits.push(format!("Postman replaces `{{{{{name}}}}}` in the target and in headers"));
    }
    limits
}
