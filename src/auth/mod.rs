//! Who is who: access tokens, refresh tokens, password hashing, and whether a token is good right now.

mod hashing;
mod refresh;
mod signer;
mod standings;
mod tokens;

pub use hashing::{Busy, Hasher};
pub use refresh::{RefreshTokens, digest};
pub use signer::{SIGNATURE, Signer};
pub use standings::Standings;
pub use tokens::{AccessTokens, Claims, InvalidToken};
