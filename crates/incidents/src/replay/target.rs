//! The server that requests are replayed on: the accounts that send them and the resources they refer to.

mod resources;

use std::{collections::HashMap, fmt};

use chrono::{SecondsFormat, TimeDelta, Utc};
use rand::distr::{Alphanumeric, SampleString};
use secrecy::{ExposeSecret, SecretString};
use serde_json::{Value, json};
use uuid::Uuid;

use super::{
    cleanup::CreatedResources,
    client::{Client, ClientError, ReplayResponse},
    error_code,
    substitutions::Substitutions,
};
use crate::{
    CapturedApiClient, IncidentRecord, Principal, PrincipalRole,
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
    /// Sends the requests of administrators, and creates the API clients that send those of API clients.
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

const API_CLIENTS: &str = "/v2/admin/api-clients";

/// Length of the password of a registered account.
const PASSWORD_LENGTH: usize = 24;

/// Lifetime of the key of a created API client, in case the replay cannot delete it.
const KEY_LIFETIME: TimeDelta = TimeDelta::days(1);

/// An API client that was created to send the requests of a captured one.
struct ReplayApiClient {
    id: i64,
    key: String,
}

pub(super) struct TargetServer {
    client: Client,
    configured: ReplayAccounts,
    /// By the ID of the captured user.
    accounts: HashMap<i64, Account>,
    /// By the ID of the captured user, and the captured API client.
    api_clients: HashMap<(i64, CapturedApiClient), ReplayApiClient>,
    /// Token of the administrator that creates API clients.
    admin_token: Option<String>,
    substitutions: Substitutions,
    /// Resources that were created for the current sequence, or by it.
    created: CreatedResources,
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
            api_clients: HashMap::new(),
            admin_token: None,
            substitutions: Substitutions::default(),
            created: CreatedResources::default(),
        })
    }

    /// Sends a captured request with the account and the resources that replace the captured ones.
    pub(super) async fn send(&mut self, record: &IncidentRecord) -> Result<ReplayResponse, ReplayError> {
        let request = &record.request;
        let (mut token, mut api_key) = (String::new(), None);
        if let Some(principal) = &record.principal {
            token = self.token(record, principal).await?;
            self.create_missing_resources(record, principal).await?;
            // Creating resources may have logged in again.
            token = self.account(principal.user_id).and_then(|account| account.token.clone()).unwrap_or(token);
            if let Some(client) = &principal.api_client {
                api_key = Some(self.api_key(record, principal, client).await?);
            }
        }
        let credential = api_key.as_ref().unwrap_or(&token);
        let target = self.substitutions.in_target(&request.target);
        let body = self.substitutions.in_body(&request.body);
        let mut sent = Vec::new();
        for header in headers(record) {
            sent.push(match header {
                ResendHeader::Credential(name, _) => (name.to_owned(), header.value(credential)),
                ResendHeader::Captured(name, value) if name.eq_ignore_ascii_case("if-match") => {
                    (name.to_owned(), self.current_etag(record, &target, value, &token).await?)
                }
                ResendHeader::Captured(name, value) => (name.to_owned(), self.substitutions.in_text(value)),
            });
        }
        let response = self.client.send(&request.method, &target, &sent, &body).await?;
        self.substitutions.learn(record, &response);
        self.created.learn(record, &body, &response);
        let ends_session =
            record.operation.as_deref().is_some_and(|operation| SESSION_ENDING_OPERATIONS.contains(&operation));
        if let (true, true, Some(principal)) = (ends_session, response.status < 300, &record.principal) {
            if matches!(record.operation.as_deref(), Some("deleteMe" | "deleteAccount")) {
                self.accounts.remove(&principal.user_id);
                self.api_clients.retain(|(user_id, _), _| *user_id != principal.user_id);
            } else if let Some(account) = self.accounts.get_mut(&principal.user_id) {
                account.token = None;
            }
        }
        Ok(response)
    }

    /// Deletes the resources that were created for a sequence or by it, and forgets its substitutions.
    pub(super) async fn delete_created_resources(&mut self) {
        let created = std::mem::take(&mut self.created);
        for (user_id, path) in created.paths().rev() {
            let Some(account) = self.account(*user_id) else { continue };
            let token = match account.token.clone() {
                Some(token) => token,
                None => match self.log_in(&account.credentials).await {
                    Ok((_, token)) => token,
                    Err(_) => continue,
                },
            };
            // Best effort: the sequence may have deleted the resource itself.
            let _ = self.call("DELETE", path, &token, None).await;
        }
        for (user_id, credentials) in created.accounts() {
            self.delete_account(user_id, &credentials).await;
        }
        self.substitutions = Substitutions::default();
        for (captured, account) in &self.accounts {
            self.substitutions.learn_id("user_id", *captured, account.user_id);
        }
    }

    /// Deletes the created API clients and the registered accounts.
    pub(super) async fn delete_api_clients_and_accounts(&mut self) {
        let clients = std::mem::take(&mut self.api_clients);
        // A replayed request may have ended the session that created them.
        if let (false, Some(admin)) = (clients.is_empty(), &self.configured.admin)
            && let Ok((_, token)) = self.log_in(admin).await
        {
            for client in clients.into_values() {
                let _ = self.call("DELETE", &format!("{API_CLIENTS}/{}", client.id), &token, None).await;
            }
        }
        let accounts = std::mem::take(&mut self.accounts);
        for account in accounts.into_values().filter(|account| account.is_registered) {
            self.delete_account(account.user_id, &[account.credentials]).await;
        }
    }

    /// Deletes an account with the first credentials that are valid for it, or as the administrator.
    async fn delete_account(&self, id: i64, credentials: &[Credentials]) {
        for credentials in credentials {
            match self.log_in(credentials).await {
                Ok((user_id, token)) if user_id == id => {
                    let body = json!({"password": credentials.password.expose_secret()});
                    let _ = self.call("DELETE", "/v2/users/me", &token, Some(&body)).await;
                    return;
                }
                _ => {}
            }
        }
        if let Some(admin) = &self.configured.admin
            && let Ok((_, token)) = self.log_in(admin).await
        {
            let _ = self.call("DELETE", &format!("/v2/admin/users/{id}"), &token, None).await;
        }
    }

    /// Returns the reason why no account can create an API client that sends the request, if it needs one.
    pub(super) fn missing_account(&self, record: &IncidentRecord) -> Option<String> {
        let is_api_client = record.principal.as_ref().is_some_and(|principal| principal.api_client.is_some());
        (is_api_client && self.configured.admin.is_none()).then(|| {
            format!(
                "incident {} was captured from an API client; name an administrator account, which creates an API client with the \
                 same scopes",
                record.id
            )
        })
    }

    /// Returns the key of an API client with the scopes of the captured one, which acts for the account that replaces the captured
    /// one.
    async fn api_key(
        &mut self,
        record: &IncidentRecord,
        principal: &Principal,
        captured: &CapturedApiClient,
    ) -> Result<String, ReplayError> {
        let index = (principal.user_id, captured.clone());
        if let Some(client) = self.api_clients.get(&index) {
            return Ok(client.key.clone());
        }
        let owner = self.account(principal.user_id).map(|account| account.user_id);
        let client = self.create_api_client(record, owner, &captured.scopes).await?;
        let key = client.key.clone();
        self.api_clients.insert(index, client);
        Ok(key)
    }

    /// Creates an API client as the administrator. Without an owner, it acts for the administrator.
    async fn create_api_client(
        &mut self,
        record: &IncidentRecord,
        owner: Option<i64>,
        scopes: &[String],
    ) -> Result<ReplayApiClient, ReplayError> {
        let admin = self.configured.admin.clone().ok_or(ReplayError::AdminAccountRequired { id: record.id })?;
        let token = match &self.admin_token {
            Some(token) => token.clone(),
            None => self.log_in(&admin).await?.1,
        };
        self.admin_token = Some(token.clone());
        let name = format!("Replay {}", Uuid::now_v7().simple());
        let expires_at = (Utc::now() + KEY_LIFETIME).to_rfc3339_opts(SecondsFormat::Secs, true);
        let mut body = json!({"name": name, "contact_email": admin.email, "scopes": scopes, "expires_at": expires_at});
        if let (Value::Object(fields), Some(owner)) = (&mut body, owner) {
            fields.insert("user_id".to_owned(), owner.into());
        }
        let response = self.call("POST", API_CLIENTS, &token, Some(&body)).await?;
        let created = json_body(&response).filter(|_| response.status == 201);
        let created = created.and_then(|created| {
            Some(ReplayApiClient { id: created.get("id")?.as_i64()?, key: created.get("key")?.as_str()?.to_owned() })
        });
        if created.is_none() {
            // The session may have ended.
            self.admin_token = None;
        }
        created.ok_or_else(|| self.setup_error(record, "an API client", &response))
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
        if method == "DELETE" {
            // `REQUIRE_IF_MATCH` makes it mandatory.
            headers.push(("If-Match".to_owned(), "*".to_owned()));
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
