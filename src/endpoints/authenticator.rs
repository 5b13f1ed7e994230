//! Whether an access token is good right now: its signature, its session, its account.

use std::sync::{Arc, OnceLock};

use contract::{
    ApiError, Authenticate, Caller, ErrorCode,
    caller::{BoxFuture, bearer_token},
};
use poem::{Request, http::header::AUTHORIZATION};

use crate::{
    auth::{AccessTokens, Claims, TokenStatusCache},
    db::Db,
    domain::{Clock, Role},
    services::{Error, Revisions},
};

/// What the request's token says, once its signature and times have been checked; put into the request by whoever needed
/// it first, so that it is checked once.
#[derive(Clone, Debug)]
pub struct Verified(pub Claims);

/// Who sent the request, once its token has been found good; put into the request by whoever needed to know first.
#[derive(Clone, Debug)]
pub struct Proven(pub Caller);

/// Told who sent the request, as soon as that is found out; put into the request by whoever wants to know in the end.
#[derive(Clone, Debug)]
pub struct Witness(pub Arc<OnceLock<Caller>>);

/// Verifies access tokens for the contract.
pub struct Authenticator {
    pub(crate) tokens: Arc<AccessTokens>,
    pub(crate) db: Db,
    pub(crate) clock: Arc<dyn Clock>,
    pub(crate) token_status: TokenStatusCache,
    pub(crate) revisions: Revisions,
}

impl Authenticator {
    /// Who sent the request, and how often what they own has changed; `None` without a token.
    ///
    /// # Errors
    /// As [`Authenticate::authenticate`].
    pub async fn caller_of(&self, request: &Request) -> Result<Option<(Caller, u64)>, ApiError> {
        let Some(token) = request.headers().get(AUTHORIZATION).and_then(bearer_token) else { return Ok(None) };
        self.prove(request, token).await.map(Some)
    }

    async fn prove(&self, request: &Request, token: &str) -> Result<(Caller, u64), ApiError> {
        let claims = match request.extensions().get::<Verified>() {
            Some(Verified(claims)) => claims.clone(),
            None => self.tokens.verify(token, self.clock.now_seconds()).map_err(|_| ErrorCode::InvalidToken)?,
        };
        let standing =
            self.token_status.get(&self.db, &claims).await.map_err(Error::from)?.ok_or(ErrorCode::InvalidToken)?;
        // Letter for letter: a number has more than one spelling.
        if claims.sub != standing.user_id.to_string() {
            return Err(ErrorCode::InvalidToken.into());
        }
        if standing.disabled {
            return Err(ErrorCode::AccountDisabled.into());
        }
        if standing.session_ended || standing.token_revoked {
            return Err(ErrorCode::InvalidToken.into());
        }
        let caller = Caller {
            user_id: standing.user_id.get(),
            session_id: claims.sid,
            token_id: claims.jti,
            token_expires_at: claims.exp,
            is_admin: standing.role == Role::Admin,
        };
        if let Some(Witness(witness)) = request.extensions().get() {
            // Whoever proves it twice proves the same.
            let _ = witness.set(caller.clone());
        }
        Ok((caller, self.revisions.of(standing.user_id, standing.revision)))
    }
}

impl Authenticate for Authenticator {
    fn authenticate<'a>(&'a self, request: &'a Request, token: &'a str) -> BoxFuture<'a, Result<Caller, ApiError>> {
        Box::pin(async move {
            match request.extensions().get::<Proven>() {
                Some(Proven(caller)) => Ok(caller.clone()),
                None => self.prove(request, token).await.map(|(caller, _)| caller),
            }
        })
    }
}
