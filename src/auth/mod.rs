//! Authentication: access tokens and their status, API keys, refresh tokens, signatures and password hashing.

mod api_key_verifier;
mod api_keys;
mod cache_suspension;
mod hashing;
mod refresh;
mod replay_signatures;
mod signer;
mod token_status;
mod tokens;
mod verified_tokens;

pub use api_key_verifier::{ApiKeyVerifier, KnownApiClient};
pub use api_keys::ApiKey;
pub use cache_suspension::DatabaseCacheSuspension;
pub use hashing::{Hasher, HasherBusy};
pub use refresh::{RefreshTokens, digest};
pub use replay_signatures::{REPLAY_SIGNATURE_HEADER, ReplaySignatures};
pub use signer::{SIGNATURE_LEN, Signer};
pub use token_status::TokenStatusCache;
pub use tokens::{AccessTokens, Claims, InvalidToken};
