//! Recognizes requests that a server of this deployment sends to replay an incident.

use contract::caller::ServerReplay;
use poem::{Endpoint, Request, Response};

use crate::auth::{REPLAY_SIGNATURE_HEADER, ReplaySignatures};

/// Marks replays before the request pipeline, which does not capture them.
pub struct ReplayRecognition<E> {
    pub(crate) inner: E,
    pub(crate) signatures: ReplaySignatures,
}

impl<E: Endpoint<Output = Response>> Endpoint for ReplayRecognition<E> {
    type Output = Response;

    async fn call(&self, mut request: Request) -> poem::Result<Response> {
        // Removed even if it is invalid: the header is not part of the request that was replayed.
        let signature = request.headers_mut().remove(REPLAY_SIGNATURE_HEADER);
        if signature.is_some_and(|value| value.to_str().is_ok_and(|value| self.signatures.verify(value))) {
            request.extensions_mut().insert(ServerReplay);
        }
        self.inner.call(request).await
    }
}
