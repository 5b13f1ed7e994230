//! Who is who: access tokens, refresh tokens, password hashing, and whether a token is good right now.

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
