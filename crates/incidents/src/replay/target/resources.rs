//! The resources that a request refers to in its path.

use serde_json::{Value, json};
use uuid::Uuid;

use super::{API_CLIENTS, ReplayError, TargetServer, json_body};
use crate::{
    IncidentRecord, Principal, PrincipalRole,
    replay::substitutions::{PathId, ids_in},
};

impl TargetServer {
    /// Creates the resources in the path of a request, except for those that the captured response reports as missing.
    pub(super) async fn create_missing_resources(
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
                // Without a replacement, the request would change an API client of the server.
                "api_client_id"
                    if known.is_none()
                        && principal.role == PrincipalRole::Admin
                        && !was_missing("API_CLIENT_NOT_FOUND") =>
                {
                    let client = self.create_api_client(record, None, &["read".to_owned()]).await?;
                    self.substitutions.learn_id(&id.parameter, id.value, client.id);
                    self.created.add(principal.user_id, format!("{API_CLIENTS}/{}", client.id));
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
        self.created.add(principal.user_id, format!("{collection}/{created_id}"));
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
    pub(super) async fn current_etag(
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
}
