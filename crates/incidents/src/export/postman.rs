//! Export as a Postman collection (v2.1) that sends the captured bytes and checks whether the failure is reproduced.
//!
//! Postman and Newman replace `{{…}}` in everything they send, repeatedly. To keep a payload unchanged, each name in braces is
//! defined as a variable whose value is that name in braces, for the duration of the request
//! (`docs/decisions/0036-use-byte-exact-postman-exports-for-incidents.md`).

use std::collections::BTreeSet;

use base64::{Engine, engine::general_purpose::STANDARD};
use serde_json::{Value, json};
use sha2::{Digest, Sha256};
use uuid::Uuid;

use super::{
    Attachment, rfc3339,
    template::{fill_template, names_in_braces},
    title,
};
use crate::{
    IncidentRecord, PrincipalRole,
    resend::{CredentialKind, ResendHeader, caller, credential_kind, headers, required_role},
};

/// A collection with the files it refers to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PostmanExport {
    /// The collection as JSON.
    pub json: String,
    /// Bodies that a collection cannot contain. Newman and Postman read them from their working directory.
    pub attachments: Vec<Attachment>,
    /// Differences between what Postman sends and what was captured.
    pub limitations: Vec<String>,
}

/// Names that a Postman variable cannot have, because every JavaScript object has a property with that name.
const RESERVED_NAMES: [&str; 12] = [
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

/// Returns a collection of the captured requests in the given order. `origin` is the default of its `base_url`.
///
/// The collection logs in with the variables `email` and `password`, or `admin_email` and `admin_password` for requests of
/// administrators. Requests of API clients have the key in the variable `api_key`, or `admin_api_key` if the account of the API
/// client is an administrator. Captured credentials are never sent for authenticated requests.
#[must_use]
pub fn collection(records: &[IncidentRecord], origin: &str) -> PostmanExport {
    let (mut attachments, mut limitations) = (Vec::new(), Vec::new());
    let variables = InternalVariables::unused_by(records);
    let items: Vec<Value> = records
        .iter()
        .map(|record| Item { record, variables: &variables }.to_json(&mut attachments, &mut limitations))
        .collect();
    let name = match records {
        [record] => format!("BucketList {}", title(record)),
        _ => format!("BucketList incidents ({})", records.len()),
    };
    let mut defaults = vec![("base_url", origin.trim_end_matches('/')), (&*variables.origin, "{{base_url}}")];
    for role in [PrincipalRole::User, PrincipalRole::Admin] {
        for kind in [CredentialKind::Session, CredentialKind::ApiKey] {
            let is_needed = |record| required_role(record) == Some(role) && credential_kind(record) == Some(kind);
            if records.iter().any(is_needed) {
                defaults.extend(credential_variables(kind, role).iter().map(|name| (*name, "")));
            }
        }
    }
    let ids: Vec<&str> = records.iter().map(|record| record.request_id.as_str()).collect();
    let collection = json!({
        "info": {
            "_postman_id": stable_id(&ids.join(" ")),
            "name": name,
            "description": "Sends the captured requests again, byte for byte, and checks whether they still fail in the same \
    way: a passing test has reproduced the failure.\n\nSet `base_url` to the origin of the server, and the credential variables \
    to accounts on that server.",
            "schema": "https://schema.getpostman.com/json/collection/v2.1.0/collection.json",
        },
        "item": items,
        "auth": {"type": "noauth"},
        "variable": key_value_pairs(&defaults),
    });
    PostmanExport { json: format!("{collection:#}\n"), attachments, limitations }
}

/// Returns the variables that contain the credentials of an account with this role, or the key of an API client that acts for it.
fn credential_variables(kind: CredentialKind, role: PrincipalRole) -> &'static [&'static str] {
    match (kind, role) {
        (CredentialKind::Session, PrincipalRole::User) => &["email", "password"],
        (CredentialKind::Session, PrincipalRole::Admin) => &["admin_email", "admin_password"],
        (CredentialKind::ApiKey, PrincipalRole::User) => &["api_key"],
        (CredentialKind::ApiKey, PrincipalRole::Admin) => &["admin_api_key"],
    }
}

fn stable_id(name: &str) -> String {
    Uuid::new_v5(&Uuid::NAMESPACE_URL, format!("bucketlist-incident:{name}").as_bytes()).to_string()
}

fn key_value_pairs(pairs: &[(impl AsRef<str>, impl AsRef<str>)]) -> Vec<Value> {
    pairs.iter().map(|(key, value)| json!({"key": key.as_ref(), "value": value.as_ref()})).collect()
}

/// Names of the variables that the collection itself uses. They occur in none of the requests.
struct InternalVariables {
    origin: String,
    token: String,
    admin_token: String,
    api_key: String,
    admin_api_key: String,
}

impl InternalVariables {
    fn unused_by(records: &[IncidentRecord]) -> Self {
        let mut digest = Sha256::new();
        for record in records {
            digest.update(&record.request.target);
            digest.update(&record.request.body.0);
        }
        // A collision is unlikely, but headers are not part of the digest: check.
        loop {
            let suffix = hex::encode(&digest.clone().finalize()[..4]);
            let occurs_in = |text: &[u8]| text.windows(suffix.len()).any(|window| window == suffix.as_bytes());
            let is_used = records.iter().any(|record| {
                let request = &record.request;
                occurs_in(request.target.as_bytes())
                    || occurs_in(&request.body.0)
                    || request
                        .headers
                        .iter()
                        .any(|(name, value)| occurs_in(name.as_bytes()) || occurs_in(value.as_bytes()))
            });
            if !is_used {
                return Self {
                    origin: format!("bl_origin_{suffix}"),
                    token: format!("bl_token_{suffix}"),
                    admin_token: format!("bl_admin_token_{suffix}"),
                    api_key: format!("bl_api_key_{suffix}"),
                    admin_api_key: format!("bl_admin_api_key_{suffix}"),
                };
            }
            digest.update(suffix);
        }
    }

    fn credential(&self, kind: CredentialKind, role: PrincipalRole) -> &str {
        match (kind, role) {
            (CredentialKind::Session, PrincipalRole::User) => &self.token,
            (CredentialKind::Session, PrincipalRole::Admin) => &self.admin_token,
            (CredentialKind::ApiKey, PrincipalRole::User) => &self.api_key,
            (CredentialKind::ApiKey, PrincipalRole::Admin) => &self.admin_api_key,
        }
    }
}

/// A request of the collection.
struct Item<'r> {
    record: &'r IncidentRecord,
    variables: &'r InternalVariables,
}

/// The values that the scripts of an item need.
struct ScriptContext<'a> {
    title: &'a str,
    /// Names that are defined as themselves while the request is sent.
    literal_names: &'a [String],
    file_name: &'a str,
    is_file: bool,
}

impl Item<'_> {
    fn to_json(&self, attachments: &mut Vec<Attachment>, limitations: &mut Vec<String>) -> Value {
        let record = self.record;
        let title = title(record);
        let request = &record.request;
        let headers = headers(record);
        // Postman replaces names in the target and headers in any case, and in the body only if it is sent as text.
        let target_and_headers: String = headers.iter().fold(request.target.clone(), |text, header| match header {
            ResendHeader::Captured(name, value) => format!("{text}\n{name}\n{value}"),
            ResendHeader::Credential(..) => text,
        });
        let credential = format!("{{{{{}}}}}", self.variables.credential(self.kind(), self.role()));
        let headers: Vec<(String, String)> =
            headers.iter().map(|header| (header.name().to_owned(), header.value(&credential))).collect();
        let text = std::str::from_utf8(&request.body.0).ok();
        let text =
            text.filter(|text| !names_in_braces(text).iter().any(|name| RESERVED_NAMES.contains(&name.as_str())));
        let mut literal_names = names_in_braces(&target_and_headers);
        literal_names.extend(text.map(names_in_braces).unwrap_or_default());
        let own_limitations = find_limitations(record, &mut literal_names);
        let file_name = format!("{}.body", title.replace(' ', "-"));
        let body = match text {
            _ if request.body.0.is_empty() => None,
            // With the language `json`, Postman would remove comments.
            Some(text) => Some(json!({"mode": "raw", "raw": text, "options": {"raw": {"language": "text"}}})),
            None => {
                attachments.push(Attachment { name: file_name.clone(), bytes: request.body.0.clone() });
                Some(json!({"mode": "file", "file": {"src": file_name}}))
            }
        };
        let is_file = body.as_ref().is_some_and(|body| body["mode"] == "file");
        let mut request_json = json!({
            "method": request.method,
            "header": key_value_pairs(&headers),
            "url": format!("{{{{{}}}}}{}", self.variables.origin, request.target),
            "auth": {"type": "noauth"},
            "description": self.description(is_file.then_some(&*file_name), &own_limitations),
        });
        if let (Value::Object(request_json), Some(body)) = (&mut request_json, &body) {
            request_json.insert("body".to_owned(), body.clone());
        }
        limitations.extend(own_limitations.into_iter().map(|limitation| format!("{title}: {limitation}")));
        let literal_names: Vec<String> = literal_names.into_iter().collect();
        let context = ScriptContext { title: &title, literal_names: &literal_names, file_name: &file_name, is_file };
        json!({
            "id": stable_id(&record.request_id),
            "name": format!("{title}: {}", self.name()),
            "event": [
                event("prerequest", &self.script(include_str!("scripts/before.js"), &context)),
                event("test", &self.script(include_str!("scripts/after.js"), &context)),
            ],
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
            "request": request_json,
            "response": [self.captured_response(&headers, body)],
        })
    }

    fn name(&self) -> String {
        let record = self.record;
        let operation = record.operation.as_deref().unwrap_or(&record.request.method);
        let code = record.code.as_deref().map(|code| format!(" {code}")).unwrap_or_default();
        format!("{operation} → {}{code}", record.response.status)
    }

    fn role(&self) -> PrincipalRole {
        required_role(self.record).unwrap_or(PrincipalRole::User)
    }

    fn kind(&self) -> CredentialKind {
        credential_kind(self.record).unwrap_or(CredentialKind::Session)
    }

    fn description(&self, file: Option<&str>, limitations: &[String]) -> String {
        let record = self.record;
        let mut paragraphs = vec![
            format!(
                "Request ID `{}`, received {}, server version {}.",
                record.request_id,
                rfc3339(record.received_at),
                record.server_version
            ),
            format!("Fingerprint: `{}`.", record.fingerprint),
            format!("SHA-256 of the body: `{}`.", record.request.body.sha256()),
        ];
        if let Some(principal) = &record.principal {
            let sent_with = match credential_variables(self.kind(), self.role()) {
                [email, password] => format!("the account in `{email}` and `{password}`"),
                variables => format!("the key of an API client in `{}`", variables.join(" and ")),
            };
            paragraphs.push(format!("Captured from the {}. Sent with {sent_with}.", caller(principal)));
        }
        if let Some(file) = file {
            paragraphs.push(format!(
                "A collection cannot contain this body. Put the file `{file}` into the working directory (Newman: \
`--working-dir`). The body in base64:\n\n```\n{}\n```",
                STANDARD.encode(&record.request.body.0)
            ));
        }
        paragraphs.extend(limitations.iter().map(|limitation| {
            format!("**Not exact**: {limitation}. `bucketlist incidents replay` sends the captured bytes.")
        }));
        paragraphs.join("\n\n")
    }

    fn script(&self, template: &str, context: &ScriptContext<'_>) -> String {
        let record = self.record;
        let account = record.principal.as_ref().map_or(Value::Null, |principal| {
            json!({
                "kind": match self.kind() {
                    CredentialKind::Session => "session",
                    CredentialKind::ApiKey => "api_key",
                },
                "variables": credential_variables(self.kind(), principal.role),
                "credential": self.variables.credential(self.kind(), principal.role),
                "captured": caller(principal),
            })
        });
        let values = [
            ("%title%", context.title.replace(['"', '\\'], "")),
            ("%origin%", self.variables.origin.clone()),
            ("%sha256%", record.request.body.sha256()),
            ("%status%", record.response.status.to_string()),
            ("%file%", context.is_file.to_string()),
            ("%file_name%", context.file_name.to_owned()),
            ("%account%", account.to_string()),
            ("%code%", Value::from(record.code.clone()).to_string()),
            ("%literal_names%", Value::from(context.literal_names.to_vec()).to_string()),
            ("%target%", Value::from(record.request.target.clone()).to_string()),
        ];
        fill_template(template, &values)
    }

    /// Returns the captured response as an example of the request.
    fn captured_response(&self, headers: &[(String, String)], body: Option<Value>) -> Value {
        let record = self.record;
        let response = &record.response;
        let mut original = json!({
            "method": record.request.method,
            "header": key_value_pairs(headers),
            "url": format!("{{{{{}}}}}{}", self.variables.origin, record.request.target),
        });
        if let (Value::Object(original), Some(body)) = (&mut original, body) {
            original.insert("body".to_owned(), body);
        }
        let text = String::from_utf8_lossy(&response.body.0);
        let is_json = serde_json::from_str::<&serde_json::value::RawValue>(&text).is_ok();
        json!({
            "id": stable_id(&format!("{} answer", record.request_id)),
            "name": format!("as captured: {}", self.name()),
            "originalRequest": original,
            "code": response.status,
            "_postman_previewlanguage": if is_json { "json" } else { "text" },
            "header": key_value_pairs(&response.headers),
            "cookie": [],
            "body": text,
        })
    }
}

fn event(listen: &str, script: &str) -> Value {
    json!({"listen": listen, "script": {"type": "text/javascript", "exec": script.lines().collect::<Vec<_>>()}})
}

/// Returns what Postman cannot send as captured, and removes the names that cannot be variables.
fn find_limitations(record: &IncidentRecord, literal_names: &mut BTreeSet<String>) -> Vec<String> {
    let target = &record.request.target;
    let path = target.split('?').next().unwrap_or_default();
    let mut limitations = Vec::new();
    if path.contains('\\') {
        limitations.push("Postman sends each `\\` of the path as `/`".to_owned());
    }
    if !target.is_ascii() {
        limitations.push("Postman re-encodes non-ASCII characters of the target".to_owned());
    }
    if record.request.method.chars().any(|c| c.is_ascii_lowercase()) {
        limitations.push("Postman sends the method in upper case".to_owned());
    }
    let reserved: Vec<String> =
        literal_names.iter().filter(|name| RESERVED_NAMES.contains(&name.as_str())).cloned().collect();
    for name in reserved {
        literal_names.remove(&name);
        limitations.push(format!("Postman replaces `{{{{{name}}}}}` in the target and in headers"));
    }
    limitations
}
