//! The server a replay runs on: who stands for whom there, and what is there of what the captured requests were about.

use std::{collections::HashMap, fmt};

use rand::distr::{Alphanumeric, SampleString};
use secrecy::{ExposeSecret, SecretString};
use serde_json::{Value, json};
use uuid::Uuid;

use super::{
    client::{Answer, Client, ClientError},
    code,
    names::{Id, Names, ids_in},
};
use crate::{
    Principal, Record,
    resend::{Account, Header, account, headers},
};

/// Why there is no stage to replay on: a sentence.
#[derive(Debug, thiserror::Error)]
pub enum StageError {
    #[error(transparent)]
    Client(#[from] ClientError),
    #[error("{origin} is no BucketList server: {why}")]
    Foreign { origin: String, why: String },
    #[error("{origin} does not let {who} log in: {why}")]
    Login { origin: String, who: String, why: String },
    #[error("incident {id} was asked by an administrator: name the account that stands for them with --as-admin")]
    NoAdmin { id: i64 },
    #[error("{origin} does not make what incident {id} needs ({what}): {why}")]
    Refused { origin: String, id: i64, what: String, why: String },
}

/// An account to log in with.
#[derive(Clone, Debug)]
pub struct Login {
    pub email: String,
    pub password: SecretString,
}

/// Who stands for the captured principals.
#[derive(Clone, Debug, Default)]
pub struct Accounts {
    /// For users; `None`: accounts that are made for the replay and deleted after it, one for each user.
    pub user: Option<Login>,
    /// For administrators.
    pub admin: Option<Login>,
}

/// Somebody who stands for a captured principal.
#[derive(Clone)]
struct Person {
    login: Login,
    user_id: i64,
    token: Option<String>,
    /// Made for the replay.
    is_ours: bool,
}

/// Operations after which a session is no more.
const ENDING: [&str; 6] = ["changePassword", "confirmPasswordReset", "deleteMe", "endSession", "endSessions", "logout"];

pub(super) struct Stage {
    client: Client,
    accounts: Accounts,
    /// By the captured user's id.
    people: HashMap<i64, Person>,
    names: Names,
    /// What has been made for a flow: whose, and where it is.
    made: Vec<(i64, String)>,
}

impl fmt::Debug for Stage {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Stage").field("origin", &self.client.origin()).finish_non_exhaustive()
    }
}

impl Stage {
    /// Looks whether the server is one of ours.
    pub(super) async fn of(client: Client, accounts: Accounts) -> Result<Self, StageError> {
        let answer = client.send("GET", "/version", &[], b"").await?;
        let foreign = |why: String| StageError::Foreign { origin: client.origin().to_owned(), why };
        if answer.status != 200 {
            return Err(foreign(format!("/version is answered with {}", answer.status)));
        }
        let version: Value = parsed(&answer).ok_or_else(|| foreign("/version says nothing in JSON".to_owned()))?;
        let contracts = version.get("contracts").and_then(Value::as_array);
        if !contracts.is_some_and(|contracts| contracts.iter().any(|contract| contract == "v2")) {
            return Err(foreign("/version names no contract v2".to_owned()));
        }
        Ok(Self { client, accounts, people: HashMap::new(), names: Names::default(), made: Vec::new() })
    }

    /// Sends a captured request as whoever stands for its principal, about what stands for what it was about.
    pub(super) async fn send(&mut self, record: &Record) -> Result<Answer, StageError> {
        let request = &record.request;
        let mut token = String::new();
        if let Some(principal) = &record.principal {
            token = self.token(record, principal).await?;
            self.prepare(record, principal).await?;
            // Making ready may have logged in again.
            token = self.person(principal.user_id).and_then(|person| person.token.clone()).unwrap_or(token);
        }
        let target = self.names.target(&request.target);
        let body = self.names.body(&request.body);
        let mut sent = Vec::new();
        for header in headers(record) {
            sent.push(match header {
                Header::Token(name, scheme) => (name.to_owned(), format!("{scheme} {token}")),
                Header::Captured(name, value) if name.eq_ignore_ascii_case("if-match") => {
                    (name.to_owned(), self.tag(record, &target, value, &token).await?)
                }
                Header::Captured(name, value) => (name.to_owned(), self.names.text(value)),
            });
        }
        let answer = self.client.send(&request.method, &target, &sent, &body).await?;
        self.names.learn(record, &answer);
        let ends = record.operation.as_deref().is_some_and(|operation| ENDING.contains(&operation));
        if let (true, true, Some(principal)) = (ends, answer.status < 300, &record.principal) {
            if record.operation.as_deref() == Some("deleteMe") {
                self.people.remove(&principal.user_id);
            } else if let Some(person) = self.people.get_mut(&principal.user_id) {
                person.token = None;
            }
        }
        Ok(answer)
    }

    /// Takes away what was made for a flow.
    pub(super) async fn strike(&mut self) {
        for (user_id, place) in std::mem::take(&mut self.made).into_iter().rev() {
            let token = self.person(user_id).and_then(|person| person.token.clone()).unwrap_or_default();
            // A flow may have taken it away itself; what a server refuses now is not what was asked.
            let _ = self.call("DELETE", &place, &token, None).await;
        }
        // The next flow finds another stage, with the same people on it.
        self.names = Names::default();
        for (captured, person) in &self.people {
            self.names.learn_id("user_id", *captured, person.user_id);
        }
    }

    /// Deletes the accounts that were made.
    pub(super) async fn leave(&mut self) {
        for person in std::mem::take(&mut self.people).into_values().filter(|person| person.is_ours) {
            let Ok((_, token)) = self.log_in(&person.login).await else { continue };
            let body = json!({"password": person.login.password.expose_secret()});
            let _ = self.call("DELETE", "/v2/users/me", &token, Some(&body)).await;
        }
    }

    fn person(&self, user_id: i64) -> Option<&Person> {
        self.people.get(&user_id)
    }

    /// A token of whoever stands for a principal.
    async fn token(&mut self, record: &Record, principal: &Principal) -> Result<String, StageError> {
        if let Some(token) = self.person(principal.user_id).and_then(|person| person.token.clone()) {
            return Ok(token);
        }
        let mut person = match (self.person(principal.user_id), account(record)) {
            (Some(person), _) => person.clone(),
            (None, Some(Account::Admin)) => {
                let login = self.accounts.admin.clone().ok_or(StageError::NoAdmin { id: record.id })?;
                Person { login, user_id: 0, token: None, is_ours: false }
            }
            (None, _) => match self.accounts.user.clone() {
                Some(login) => Person { login, user_id: 0, token: None, is_ours: false },
                None => self.newcomer(record).await?,
            },
        };
        let (user_id, token) = self.log_in(&person.login).await?;
        person.user_id = user_id;
        person.token = Some(token.clone());
        self.names.learn_id("user_id", principal.user_id, user_id);
        self.people.insert(principal.user_id, person);
        Ok(token)
    }

    /// Somebody new.
    async fn newcomer(&self, record: &Record) -> Result<Person, StageError> {
        let email = format!("replay-{}@example.com", Uuid::now_v7().simple());
        let password = Alphanumeric.sample_string(&mut rand::rng(), 24);
        let body = json!({"email": email, "password": password, "name": "Replay"});
        let answer = self.call("POST", "/v2/auth/register", "", Some(&body)).await?;
        let user_id = parsed(&answer).and_then(|session| session.pointer("/user/id").and_then(Value::as_i64));
        let user_id = user_id.ok_or_else(|| self.refused(record, "an account", &answer))?;
        let login = Login { email, password: password.into() };
        Ok(Person { login, user_id, token: None, is_ours: true })
    }

    async fn log_in(&self, login: &Login) -> Result<(i64, String), StageError> {
        let body = json!({"email": login.email, "password": login.password.expose_secret()});
        let answer = self.call("POST", "/v2/auth/login", "", Some(&body)).await?;
        let session = parsed(&answer).filter(|_| answer.status == 200);
        let found = session.and_then(|session| {
            let user_id = session.pointer("/user/id")?.as_i64()?;
            Some((user_id, session.get("access_token")?.as_str()?.to_owned()))
        });
        found.ok_or_else(|| StageError::Login {
            origin: self.client.origin().to_owned(),
            who: login.email.clone(),
            why: said(&answer),
        })
    }

    /// Makes what a request is about, unless it was about something that was not there.
    async fn prepare(&mut self, record: &Record, principal: &Principal) -> Result<(), StageError> {
        let is_missing = |code: &str| record.code.as_deref() == Some(code);
        let mut list = None;
        for id in ids_in(&record.request.target) {
            let known = self.names.id(&id.parameter, id.value);
            match id.parameter.as_str() {
                "bucketlist_id" if known.is_none() && !is_missing("BUCKETLIST_NOT_FOUND") => {
                    self.find_or_make(record, principal, &id, "/v2/bucketlists").await?;
                }
                "item_id"
                    if known.is_none() && !is_missing("BUCKETLIST_NOT_FOUND") && !is_missing("ITEM_NOT_FOUND") =>
                {
                    let place = format!("/v2/bucketlists/{}/items", list.unwrap_or_default());
                    self.find_or_make(record, principal, &id, &place).await?;
                }
                "user_id" if known.is_none() && !is_missing("USER_NOT_FOUND") => {
                    let person = self.newcomer(record).await?;
                    self.names.learn_id("user_id", id.value, person.user_id);
                    self.people.insert(id.value, person);
                }
                "session_id" if known.is_none() && !is_missing("SESSION_NOT_FOUND") => {
                    let here = self.session(record, principal, id.value).await?;
                    self.names.learn_id("session_id", id.value, here);
                }
                _ => {}
            }
            if id.parameter == "bucketlist_id" {
                list = self.names.id(&id.parameter, id.value).or(Some(id.value));
            }
        }
        Ok(())
    }

    /// What has the captured id, or something new.
    async fn find_or_make(
        &mut self,
        record: &Record,
        principal: &Principal,
        id: &Id,
        place: &str,
    ) -> Result<(), StageError> {
        let token = self.token(record, principal).await?;
        let found = self.call("GET", &format!("{place}/{}", id.value), &token, None).await?;
        if found.status == 200 {
            self.names.learn_id(&id.parameter, id.value, id.value);
            return Ok(());
        }
        let name = format!("Replay {}", Uuid::now_v7().simple());
        let made = self.call("POST", place, &token, Some(&json!({"name": name}))).await?;
        let here = parsed(&made).filter(|_| made.status == 201).and_then(|made| made.get("id")?.as_i64());
        let here = here.ok_or_else(|| self.refused(record, place, &made))?;
        self.names.learn_id(&id.parameter, id.value, here);
        self.made.push((principal.user_id, format!("{place}/{here}")));
        Ok(())
    }

    /// The session of whoever asked, or another one of theirs.
    async fn session(&mut self, record: &Record, principal: &Principal, captured: i64) -> Result<i64, StageError> {
        let mut token = self.token(record, principal).await?;
        if captured != principal.session_id
            && let Some(login) = self.person(principal.user_id).map(|person| person.login.clone())
        {
            token = self.log_in(&login).await?.1;
        }
        let answer = self.call("GET", "/v2/auth/sessions", &token, None).await?;
        let sessions = parsed(&answer);
        let sessions = sessions.as_ref().and_then(|page| page.get("data")?.as_array());
        let current = sessions.and_then(|all| all.iter().find(|one| one.get("current") == Some(&Value::Bool(true))));
        let id = current.and_then(|session| session.get("id")?.as_i64());
        id.ok_or_else(|| self.refused(record, "a session", &answer))
    }

    /// The tag for a condition that held: that of the state here. One that did not hold stays.
    async fn tag(&self, record: &Record, target: &str, tag: &str, token: &str) -> Result<String, StageError> {
        let known = self.names.text(tag);
        if known != tag || tag.trim() == "*" || record.code.as_deref() == Some("PRECONDITION_FAILED") {
            return Ok(known);
        }
        let answer = self.call("GET", target, token, None).await?;
        Ok(answer.header("etag").filter(|_| answer.status == 200).unwrap_or(tag).to_owned())
    }

    async fn call(&self, method: &str, target: &str, token: &str, body: Option<&Value>) -> Result<Answer, ClientError> {
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

    fn refused(&self, record: &Record, what: &str, answer: &Answer) -> StageError {
        StageError::Refused {
            origin: self.client.origin().to_owned(),
            id: record.id,
            what: what.to_owned(),
            why: said(answer),
        }
    }
}

fn parsed(answer: &Answer) -> Option<Value> {
    serde_json::from_slice(&answer.body).ok()
}

/// What an answer says, in a few words.
fn said(answer: &Answer) -> String {
    let code = code(&answer.body).map(|code| format!(" {code}")).unwrap_or_default();
    let again = answer.header("retry-after").map(|seconds| format!(", try again in {seconds} s")).unwrap_or_default();
    format!("{}{code}{again}", answer.status)
}
