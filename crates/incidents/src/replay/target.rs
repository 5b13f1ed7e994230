//! The server that requests are replayed on: the accounts that send them and the resources they refer to.

use std::{collections::HashMap, fmt};

use rand::distr::{Alphanumeric, SampleString};
use secrecy::{ExposeSecret, SecretString};
use serde_json::{Value, json};
use uuid::Uuid;

use super::{
    client::{Client, ClientError, ReplayResponse},
    error_code,
    substitutions::{PathId, Substitutions, ids_in},
};
use crate::{
    IncidentRecord, Principal, PrincipalRole,
    resend::{ResendHeader, headers, required_role},
};

/// A replay cannot start or continue.
#[derive(Debug, thiserror::Error)]
pub enum ReplayError {
    #[error(transparent)]
    Client(#[from] ClientError),
    #[error("{origin} is not a BucketList server: {reason}")]
    NotBucketlist { origin: String, reason: String },
    #[error("cannot log in to {origin} as {email}: {reason}")]
    Login { origin: String, email: String, reason: String },
    #[error("incident {id} was captured from an administrator; log in as an administrator to replay it")]
    AdminAccountRequired { id: i64 },
    #[error("cannot create {resource} on {origin} for incident {id}: {reason}")]
    Setup { origin: String, id: i64, resource: String, reason: String },
}

/// Email address and password of an account.
#[derive(Clone, Debug)]
pub struct Credentials {
    pub email: String,
    pub password: SecretString,
}

/// The accounts that send the requests.
#[derive(Clone, Debug, Default)]
pub struct ReplayAccounts {
    /// Sends the requests of users. If `None`, the replay registers one account per user and deletes it afterwards.
    pub user: Option<Credentials>,
    /// Sends the requests of administrators.
    pub admin: Option<Credentials>,
}

/// The account that sends the requests of a captured user.
#[derive(Clone)]
struct Account {
    credentials: Credentials,
    user_id: i64,
    token: Option<String>,
    /// Whether the replay registered the account.
    is_registered: bool,
}

/// Operations that end the session of the caller.
const SESSION_ENDING_OPERATIONS: [&str; 7] =
    ["changePassword", "confirmPasswordReset", "deleteAccount", "deleteMe", "endSession", "endSessions", "logout"];

/// Length of the password of a registered account.
const PASSWORD_LENGTH: usize = 24;

pub(super) struct TargetServer {
    client: Client,
    configured: ReplayAccounts,
    /// By the ID of the captured user.
    accounts: HashMap<i64, Account>,
    substitutions: Substitutions,
    /// Resources that were created for the current sequence: captured user and path.
    created: Vec<(i64, String)>,
}

impl fmt::Debug for TargetServer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("TargetServer").field("origin", &self.client.origin()).finish_non_exhaustive()
    }
}

impl TargetServer {
    /// Checks `/version` of the server.
    pub(super) async fn connect(client: Client, configured: ReplayAccounts) -> Result<Self, ReplayError> {
        let response = client.send("GET", "/version", &[], b"").await?;
        let not_bucketlist = |reason: String| ReplayError::NotBucketlist { origin: client.origin().to_owned(), reason };
        if response.status != 200 {
            return Err(not_bucketlist(format!("GET /version returned {}", response.status)));
        }
        let version: Value =
            json_body(&response).ok_or_else(|| not_bucketlist("GET /version returned no JSON".to_owned()))?;
        let contracts = version.get("contracts").and_then(Value::as_array);
        if !contracts.is_some_and(|contracts| contracts.iter().any(|contract| contract == "v2")) {
            return Err(not_bucketlist("GET /version does not list the contract v2".to_owned()));
        }
        Ok(Self {
            client,
            configured,
            accounts: HashMap::new(),
            substitutions: Substitutions::default(),
            created: Vec::new(),
        })
    }

    /// Sends a captured request with the account and the resources that replace the captured ones.
    pub(super) async fn send(&mut self, record: &IncidentRecord) -> Result<ReplayResponse, ReplayError> {
        let request = &record.request;
        let mut token = String::new();
        if let Some(principal) = &record.principal {
            token = self.token(record, principal).await?;
            self.create_missing_resources(record, principal).await?;
            // Creating resources may have logged in again.
            token = self.account(principal.user_id).and_then(|account| account.token.clone()).unwrap_or(token);
        }
        let target = self.substitutions.in_target(&request.target);
        let body = self.substitutions.in_body(&request.body);
        let mut sent = Vec::new();
        for header in headers(record) {
            sent.push(match header {
                ResendHeader::Token(name, scheme) => (name.to_owned(), format!("{scheme} {token}")),
                ResendHeader::Captured(name, value) if name.eq_ignore_ascii_case("if-match") => {
                    (name.to_owned(), self.current_etag(record, &target, value, &token).await?)
                }
                ResendHeader::Captured(name, value) => (name.to_owned(), self.substitutions.in_text(value)),
            });
        }
        let response = self.client.send(&request.method, &target, &sent, &body).await?;
        self.substitutions.learn(record, &response);
        let ends_session =
            record.operation.as_deref().is_some_and(|operation| SESSION_ENDING_OPERATIONS.contains(&operation));
        if let (true, true, Some(principal)) = (ends_session, response.status < 300, &record.principal) {
            if matches!(record.operation.as_deref(), Some("deleteMe" | "deleteAccount")) {
                self.accounts.remove(&principal.user_id);
            } else if let Some(account) = self.accounts.get_mut(&principal.user_id) {
                account.token = None;
            }
        }
        Ok(response)
    }

    /// Deletes the resources that were created for a sequence, and forgets its substitutions.
    pub(super) async fn delete_created_resources(&mut self) {
        for (user_id, path) in std::mem::take(&mut self.created).into_iter().rev() {
            let token = self.account(user_id).and_then(|account| account.token.clone()).unwrap_or_default();
            // Best effort: the sequence may have deleted the resource itself.
            let _ = self.call("DELETE", &path, &token, None).await;
        }
        self.substitutions = Substitutions::default();
        for (captured, account) in &self.accounts {
            self.substitutions.learn_id("user_id", *captured, account.user_id);
        }
    }

    /// Deletes the registered accounts.
    pub(super) async fn delete_registered_accounts(&mut self) {
        let accounts = std::mem::take(&mut self.accounts);
        for account in accounts.into_values().filter(|account| account.is_registered) {
            let Ok((_, token)) = self.log_in(&account.credentials).await else { continue };
            let body = json!({"password": account.credentials.password.expose_secret()});
            let _ = self.call("DELETE", "/v2/users/me", &token, Some(&body)).await;
        }
    }

    fn account(&self, user_id: i64) -> Option<&Account> {
        self.accounts.get(&user_id)
    }

    /// Returns a token of the account that replaces the principal.
    async fn token(&mut self, record: &IncidentRecord, principal: &Principal) -> Result<String, ReplayError> {
        if let Some(token) = self.account(principal.user_id).and_then(|account| account.token.clone()) {
            return Ok(token);
        }
        let configured = |credentials| Account { credentials, user_id: 0, token: None, is_registered: false };
        let mut account = match (self.account(principal.user_id), required_role(record)) {
            (Some(account), _) => account.clone(),
            (None, Some(PrincipalRole::Admin)) => {
                let credentials = self.configured.admin.clone();
                configured(credentials.ok_or(ReplayError::AdminAccountRequired { id: record.id })?)
            }
            (None, _) => match self.configured.user.clone() {
                Some(credentials) => configured(credentials),
                None => self.register_account(record).await?,
            },
        };
        let (user_id, token) = self.log_in(&account.credentials).await?;
        account.user_id = user_id;
        account.token = Some(token.clone());
        self.substitutions.learn_id("user_id", principal.user_id, user_id);
        self.accounts.insert(principal.user_id, account);
        Ok(token)
    }

    async fn register_account(&self, record: &IncidentRecord) -> Result<Account, ReplayError> {
        let email = format!("replay-{}@example.com", Uuid::now_v7().simple());
        let password = Alphanumeric.sample_string(&mut rand::rng(), PASSWORD_LENGTH);
        let body = json!({"email": email, "password": password, "name": "Replay"});
        let response = self.call("POST", "/v2/auth/register", "", Some(&body)).await?;
        let user_id = json_body(&response).and_then(|session| session.pointer("/user/id").and_then(Value::as_i64));
        let user_id = user_id.ok_or_else(|| self.setup_error(record, "an account", &response))?;
        let credentials = Credentials { email, password: password.into() };
        Ok(Account { credentials, user_id, token: None, is_registered: true })
    }

    async fn log_in(&self, credentials: &Credentials) -> Result<(i64, String), ReplayError> {
        let body = json!({"email": credentials.email, "password": credentials.password.expose_secret()});
        let response = self.call("POST", "/v2/auth/login", "", Some(&body)).await?;
        let session = json_body(&response).filter(|_| response.status == 200);
        let user_and_token = session.and_then(|session| {
            let user_id = session.pointer("/user/id")?.as_i64()?;
            Some((user_id, session.get("access_token")?.as_str()?.to_owned()))
        });
        user_and_token.ok_or_else(|| ReplayError::Login {
            origin: self.client.origin().to_owned(),
            email: credentials.email.clone(),
            reason: summary(&response),
        })
    }

    /// Creates the resources in the path of a request, except for those that the captured response reports as missing.
    async fn create_missing_resources(
        &mut self,
        record: &IncidentRecord,
        principal: &Principal,
    ) -> Result<(), ReplayError> {
        let was_missing = |code: &str| record.code.as_deref() == Some(code);
        let mut bucketlist = None;
        for id in ids_in(&record.request.target) {
            let known = self.substitutions.id(&id.parameter, id.value);
            match id.parameter.as_str() {
                "bucketlist_id" if known.is_none() && !was_missing("BUCKETLIST_NOT_FOUND") => {
                    self.find_or_create(record, principal, &id, "/v2/bucketlists").await?;
                }
                "item_id"
                    if known.is_none() && !was_missing("BUCKETLIST_NOT_FOUND") && !was_missing("ITEM_NOT_FOUND") =>
                {
                    let collection = format!("/v2/bucketlists/{}/items", bucketlist.unwrap_or_default());
                    self.find_or_create(record, principal, &id, &collection).await?;
                }
                "user_id" if known.is_none() && !was_missing("USER_NOT_FOUND") => {
                    let account = self.register_account(record).await?;
                    self.substitutions.learn_id("user_id", id.value, account.user_id);
                    self.accounts.insert(id.value, account);
                }
                "session_id" if known.is_none() && !was_missing("SESSION_NOT_FOUND") => {
                    let session_id = self.session_id(record, principal, id.value).await?;
                    self.substitutions.learn_id("session_id", id.value, session_id);
                }
                _ => {}
            }
            if id.parameter == "bucketlist_id" {
                bucketlist = self.substitutions.id(&id.parameter, id.value).or(Some(id.value));
            }
        }
        Ok(())
    }

    /// Uses the resource with the captured ID if it exists, or creates another one.
    async fn find_or_create(
        &mut self,
        record: &IncidentRecord,
        principal: &Principal,
        id: &PathId,
        collection: &str,
    ) -> Result<(), ReplayError> {
        let token = self.token(record, principal).await?;
        let found = self.call("GET", &format!("{collection}/{}", id.value), &token, None).await?;
        if found.status == 200 {
            self.substitutions.learn_id(&id.parameter, id.value, id.value);
            return Ok(());
        }
        let name = format!("Replay {}", Uuid::now_v7().simple());
        let created = self.call("POST", collection, &token, Some(&json!({"name": name}))).await?;
        let created_id = json_body(&created).filter(|_| created.status == 201);
        let created_id = created_id.and_then(|resource| resource.get("id")?.as_i64());
        let created_id = created_id.ok_or_else(|| self.setup_error(record, collection, &created))?;
        self.substitutions.learn_id(&id.parameter, id.value, created_id);
        self.created.push((principal.user_id, format!("{collection}/{created_id}")));
        Ok(())
    }

    /// Returns the current session of the account, or a new one if the captured request refers to another session.
    async fn session_id(
        &mut self,
        record: &IncidentRecord,
        principal: &Principal,
        captured: i64,
    ) -> Result<i64, ReplayError> {
        let mut token = self.token(record, principal).await?;
        if Some(captured) != principal.session_id
            && let Some(credentials) = self.account(principal.user_id).map(|account| account.credentials.clone())
        {
            token = self.log_in(&credentials).await?.1;
        }
        let response = self.call("GET", "/v2/auth/sessions", &token, None).await?;
        let page = json_body(&response);
        let sessions = page.as_ref().and_then(|page| page.get("data")?.as_array());
        let current = sessions.and_then(|all| all.iter().find(|one| one.get("current") == Some(&Value::Bool(true))));
        let id = current.and_then(|session| session.get("id")?.as_i64());
        id.ok_or_else(|| self.setup_error(record, "a session", &response))
    }

    /// Returns the current `ETag` of the resource for an `If-Match` that held when it was captured.
    async fn current_etag(
        &self,
        record: &IncidentRecord,
        target: &str,
        captured: &str,
        token: &str,
    ) -> Result<String, ReplayError> {
        let substituted = self.substitutions.in_text(captured);
        let failed = record.code.as_deref() == Some("PRECONDITION_FAILED");
        if substituted != captured || captured.trim() == "*" || failed {
            return Ok(substituted);
        }
        let response = self.call("GET", target, token, None).await?;
        Ok(response.header("etag").filter(|_| response.status == 200).unwrap_or(captured).to_owned())
    }

    async fn call(
        &self,
        method: &str,
        target: &str,
        token: &str,
        body: Option<&Value>,
    ) -> Result<ReplayResponse, ClientError> {
        let mut headers = vec![("Accept".to_owned(), "application/json".to_owned())];
        if !token.is_empty() {
            headers.push(("Authorization".to_owned(), format!("Bearer {token}")));
        }
        if body.is_some() {
            headers.push(("Content-Type".to_owned(), "application/json".to_owned()));
        }
        let body = body.map(Value::to_string).unwrap_or_default();
        self.client.send(method, target, &headers, body.as_bytes()).await
    }

    fn setup_error(&self, record: &IncidentRecord, resource: &str, response: &ReplayResponse) -> ReplayError {
        ReplayError::Setup {
            origin: self.client.origin().to_owned(),
            id: record.id,
            resource: resource.to_owned(),
            reason: summary(response),
        }
    }
}

fn json_body(response: &ReplayResponse) -> Option<Value> {
    serde_json::from_slice(&response.body).ok()
}

/// Returns the status, the error code and the retry delay of a response.
fn summary(response: &ReplayResponse) -> String {
    let code = error_code(&response.body).map(|code| format!(" {code}")).unwrap_or_default();
    let retry = response.header("retry-after").map(|seconds| format!(", retry after {seconds} s")).unwrap_or_default();
    format!("{}{code}{retry}", response.status)
}
