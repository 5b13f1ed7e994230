//! Values that cannot be wrong, and the ports to time and chance. Knows nobody.

mod audit;
mod clock;
mod email;
mod limits;
mod password;
mod random;
mod search;
mod text;

pub use audit::{AuditAction, AuditEvent, AuditTarget, Origin};
pub use clock::{Clock, ManualClock, SystemClock};
pub use email::{Email, NotAnEmail};
pub use limits::{AccountKey, Counted, Quota, RateLimit, RateLimiter, Subject, Throttled, Verdict, household};
pub use password::{PasswordPolicy, PasswordProblem, common_passwords, is_common_password};
pub use random::{Random, SeededRandom, SystemRandom};
pub use search::{SearchQuery, search_terms, snippet};
pub use text::{like_pattern, search_text};
