//! Values that cannot be wrong, and the ports to time and chance. Knows nobody.

mod audit;
mod clock;
mod email;
mod limits;
mod password;
mod random;
mod search;
mod text;
mod user_name;

pub use audit::{AuditAction, AuditEvent, AuditOrigin, AuditTarget};
pub use clock::{Clock, ManualClock, SystemClock};
pub use email::{Email, InvalidEmail};
pub use limits::{
    AccountKey, PendingDecision, Quota, RateLimit, RateLimitDecision, RateLimitSubject, RateLimiter, Throttled,
    rate_limit_prefix,
};
pub use password::{PasswordPolicy, PasswordProblem, common_passwords, is_common_password};
pub use random::{Random, SeededRandom, SystemRandom};
pub use search::{SearchQuery, search_terms, snippet};
pub use text::{like_pattern, search_text};
pub use user_name::{InvalidUserName, UserName};
