//! Whether an access token is good right now: its signature, its session, its account.

use std::sync::Arc;

use contract::{ApiError, Authenticate, Caller, ErrorCode, caller::BoxFuture};
use poem::Request;

use crate::{
    auth::{AccessTokens, Claims, Standings},
    db::{Db, repositories::users::ADMIN},
    domain::Clock,
    services::Error,
};

/// What the request's token says, once its signature and times have been checked; put into the request by whoever needed
/// it first, so that it is checked once.
#[derive(Clone, Debug)]
pub struct Verified(pub Claims);

/// Verifies access tokens for the contract.
pub struct Authenticator {
    pub(crate) tokens: Arc<AccessTokens>,
    pub(crate) db: Db,
    pub(crate) clock: Arc<dyn Clock>,
    pub(crate) standings: Standings,
}

impl Authenticator {
    async fn caller(&self, request: &Request, token: &str) -> Result<Caller, ApiError> {
        let claims = match request.extensions().get::<Verified>() {
            Some(Verified(claims)) => claims.clone(),
            None => self.tokens.verify(token, self.clock.now_seconds()).map_err(|_| ErrorCode::InvalidToken)?,
        };
        let standing =
            self.standings.of(&self.db, &claims).await.map_err(Error::from)?.ok_or(ErrorCode::InvalidToken)?;
        if claims.sub.parse() != Ok(standing.user_id) {
            return Err(ErrorCode::InvalidToken.into());
        }
        if standing.disabled {
            return Err(ErrorCode::AccountDisabled.into());
        }
        if standing.session_ended || standing.token_revoked {
            return Err(ErrorCode::InvalidToken.into());
        }
        Ok(Caller {
            user_id: standing.user_id,
            session_id: claims.sid,
            token_id: claims.jti,
            token_expires_at: claims.exp,
            is_admin: standing.role == ADMIN,
        })
    }
}

impl Authenticate for Authenticator {
    fn authenticate<'a>(&'a self, request: &'a Request, token: &'a str) -> BoxFuture<'a, Result<Caller, ApiError>> {
        Box::pin(self.caller(request, token))
    }
}
