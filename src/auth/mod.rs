//! Who is who: access tokens, refresh tokens, password hashing, and whether a token is good right now.

mod authenticator;
mod hashing;
mod refresh;
mod tokens;

pub use authenticator::{Authenticator, Standings, Verified};
pub use hashing::{Busy, Hasher};
pub use refresh::{RefreshTokens, digest};
pub use tokens::{AccessTokens, Claims, InvalidToken};
