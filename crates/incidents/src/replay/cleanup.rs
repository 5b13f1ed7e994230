//! What a replay must delete afterwards: resources that it created, and those that the replayed requests created.

use secrecy::SecretString;
use serde_json::Value;
use url::Url;

use super::{client::ReplayResponse, target::Credentials};
use crate::IncidentRecord;

/// Maximum number of credentials that are tried for an account.
const MAX_ATTEMPTS: usize = 10;

/// Resources and accounts that were created during a sequence.
#[derive(Debug, Default)]
pub(super) struct CreatedResources {
    /// Captured user, and path of the resource in v2.
    paths: Vec<(i64, String)>,
    /// IDs of the accounts that replayed registrations have created, with their credentials.
    accounts: Vec<(i64, Credentials)>,
    /// Email addresses and passwords in the requests of the sequence: the latest ones of an account are among them.
    emails: Vec<String>,
    passwords: Vec<String>,
}

impl CreatedResources {
    /// Adds a resource of a captured user.
    pub(super) fn add(&mut self, user_id: i64, path: String) {
        self.paths.push((user_id, path));
    }

    /// Adds what a replayed request has created.
    pub(super) fn learn(&mut self, record: &IncidentRecord, body: &[u8], response: &ReplayResponse) {
        let sent: Value = serde_json::from_slice(body).unwrap_or_default();
        let text = |name: &str| sent.get(name).and_then(Value::as_str).map(str::to_owned);
        self.emails.extend(text("email"));
        self.passwords.extend(["password", "new_password"].into_iter().filter_map(text));
        // A replayed response was stored when the resource was created, which this sequence did not do.
        let is_replayed = response.header("idempotency-replayed").is_some();
        if is_replayed || record.request.method != "POST" || !matches!(response.status, 201 | 202) {
            return;
        }
        let received: Value = serde_json::from_slice(&response.body).unwrap_or_default();
        let path = record.request.target.split('?').next().unwrap_or_default().trim_end_matches('/');
        if path.ends_with("/auth/register") {
            let id = received.pointer("/user/id").and_then(Value::as_i64);
            if let (Some(id), Some(email), Some(password)) = (id, text("email"), text("password")) {
                self.accounts.push((id, Credentials { email, password: password.into() }));
            }
            return;
        }
        let Some(principal) = &record.principal else { return };
        let id_of = |resource: &Value, name: &str| resource.get(name).and_then(Value::as_i64);
        if let Some(items) = received.get("data").and_then(Value::as_array) {
            // The location of a batch is the collection.
            for item in items {
                if let (Some(bucketlist), Some(item)) = (id_of(item, "bucketlist_id"), id_of(item, "id")) {
                    self.paths.push((principal.user_id, format!("/v2/bucketlists/{bucketlist}/items/{item}")));
                }
            }
        } else if let (Some(location), Some(id)) = (response.header("location"), id_of(&received, "id")) {
            // Deletes nothing but the created resource.
            let path = path_in_v2(location);
            if path.ends_with(&format!("/{id}")) {
                self.paths.push((principal.user_id, path));
            }
        }
    }

    /// Returns captured users and paths, in the order created.
    pub(super) fn paths(&self) -> impl DoubleEndedIterator<Item = &(i64, String)> {
        self.paths.iter()
    }

    /// Returns the accounts with their possible credentials, the first ones first.
    pub(super) fn accounts(&self) -> Vec<(i64, Vec<Credentials>)> {
        let possible = |first: &Credentials| {
            let emails = std::iter::once(&first.email).chain(self.emails.iter().rev());
            let all = emails.flat_map(|email| {
                self.passwords.iter().rev().map(|password| (email.clone(), SecretString::from(password.clone())))
            });
            let all = all.map(|(email, password)| Credentials { email, password });
            std::iter::once(first.clone()).chain(all).take(MAX_ATTEMPTS).collect()
        };
        self.accounts.iter().map(|(id, first)| (*id, possible(first))).collect()
    }
}

/// Returns the path of a resource in v2, without the path of the server's URL. Both versions have the same resources, and the IDs are
/// the same.
fn path_in_v2(location: &str) -> String {
    let path = match Url::parse(location) {
        Ok(url) => url.path().to_owned(),
        Err(_) => location.to_owned(),
    };
    let version =
        ["/v1/", "/v2/"].iter().filter_map(|base| path.split_once(base)).min_by_key(|(before, _)| before.len());
    let path = version.map_or(path.trim_start_matches('/'), |(_, path)| path);
    format!("/v2/{path}")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn location_becomes_a_path_in_v2() {
        for location in [
            "/v1/bucketlists/7",
            "/v2/bucketlists/7",
            "/bucketlists/7",
            "/api/v2/bucketlists/7",
            "https://api.example.com/v1/bucketlists/7",
            "https://example.com/api/v1/bucketlists/7",
        ] {
            assert_eq!(path_in_v2(location), "/v2/bucketlists/7", "{location}");
        }
    }
}
