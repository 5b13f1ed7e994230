//! Domain types: values that are valid by construction, entities, and traits for time, randomness and rate limits. Depends on
//! no other module.

mod api_clients;
mod audit;
mod bucketlists;
mod clock;
mod deprecation;
mod devices;
mod email;
mod etag;
mod exports;
mod ids;
mod imports;
mod incidents;
mod invisible;
mod items;
mod jobs;
mod limits;
mod pagination;
mod password;
mod random;
mod search;
mod servers;
mod sessions;
mod text_enum;
mod text_filter;
mod timestamp;
mod usage;
mod user_name;
mod users;

pub use api_clients::{ApiClient, ApiClientChanges, ApiKeyStatus, ApiScope, ApiScopes, NewApiClient};
pub use audit::{AuditAction, AuditEvent, AuditFilter, AuditOrigin, AuditTarget, NewAuditEvent};
pub use bucketlists::{Bucketlist, BucketlistContent, BucketlistFilter, NewBucketlist};
pub use clock::{Clock, ManualClock, SystemClock};
pub use deprecation::{
    Brownout, ConsumerNotice, DeprecatedOperation, DeprecationConsumer, DeprecationNotice, DeprecationReport,
    NoticeState, RecordedNotice,
};
pub use devices::{DEVICE_RETENTION, device_digest, program};
pub use email::{Email, InvalidEmail};
pub use etag::{ETag, Versioned};
pub use exports::{
    Export, ExportAttempt, ExportFilter, ExportFormat, ExportRecord, ExportState, NewExport, UserExport,
};
pub use ids::{
    ApiClientId, AuditEventId, BucketlistId, ExportId, IncidentGroupId, IncidentId, ItemId, JobId, SessionId, UserId,
};
pub use imports::{
    Import, ImportConflict, ImportItem, ImportList, ImportOutcome, ImportRecordFacts, ImportViolation, ImportedList,
    import_time, import_times, import_violations, numbered_name,
};
pub use incidents::{
    ApiVersion, FailureOccurrence, Incident, IncidentChanges, IncidentFilter, IncidentGroup, IncidentGroupActivity,
    IncidentGroupFilter, IncidentState, NewIncident, StoredRecord,
};
pub use items::{Item, ItemContent, ItemFilter, ItemScope, NewItem};
pub use jobs::{
    Job, JobCount, JobFilter, JobPriority, JobSchedule, JobState, ScheduleResult, mask_addresses, mask_value,
};
pub use limits::{
    AccountKey, PendingDecision, Quota, RateLimit, RateLimitDecision, RateLimitSubject, RateLimiter, Throttled,
    rate_limit_prefix,
};
pub use pagination::{
    CursorPage, CursorQuery, Keyset, KeysetPosition, MAX_PER_PAGE, OffsetPage, OffsetQuery, OffsetRange, SortKey,
    SortValue,
};
pub use password::{PasswordPolicy, PasswordProblem, common_passwords, is_common_password};
pub use random::{Random, SeededRandom, SystemRandom};
pub use search::{SearchHit, SearchQuery, SearchTarget, search_terms, snippet};
pub use servers::{Difference, MAX_CLOCK_DIFFERENCE, RunningServer, SharedSettings, clock_difference, differences};
pub use sessions::{NewSession, RefreshToken, Session, TokenStatus};
pub use text_enum::UnknownValue;
pub use text_filter::TextFilter;
pub use timestamp::Timestamp;
pub use usage::{
    Consumer, ConsumerFilter, ConsumerKind, HOURLY_RETENTION, InputSet, InvalidConsumer, LatencyHistogram,
    NamedConsumer, SentInput, UsageCounters, UsageFilter, UsageGroup, UsageGrouping, UsageKey, UsageRow, UsageRowKey,
};
pub use user_name::{InvalidUserName, UserName};
pub use users::{NewUser, Role, User, UserChanges, UserFilter};
