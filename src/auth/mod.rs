//! Authentication: access tokens and their status, refresh tokens, signatures and password hashing.

mod hashing;
mod refresh;
mod signer;
mod token_status;
mod tokens;

pub use hashing::{Hasher, HasherBusy};
pub use refresh::{RefreshTokens, digest};
pub use signer::{SIGNATURE_LEN, Signer};
pub use token_status::TokenStatusCache;
pub use tokens::{AccessTokens, Claims, InvalidToken};
