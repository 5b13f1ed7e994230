//! What of a record is sent again, and as whom.

use super::Record;

/// The scheme of a token where a record does not say.
const BEARER: &str = "Bearer";

/// What a connection or a client makes for itself: sent as captured, it would be wrong.
const OF_THE_CONNECTION: [&str; 11] = [
    "connection",
    "content-length",
    "expect",
    "host",
    "keep-alive",
    "proxy-authorization",
    "proxy-connection",
    "te",
    "trailer",
    "transfer-encoding",
    "upgrade",
];

/// A header of a request that is sent again.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Header<'r> {
    /// As it was captured.
    Captured(&'r str, &'r str),
    /// Name and scheme of the header with the token of whoever stands for the captured principal.
    Token(&'r str, &'r str),
}

/// The headers in the order they came.
///
/// The token in a record is a stand-in. Where it was somebody's, a token of the account that stands for them takes its
/// place; where it was nobody's, it was refused for being no token, and a stand-in is as good.
#[must_use]
pub fn headers(record: &Record) -> Vec<Header<'_>> {
    let mut has_token = false;
    let mut headers: Vec<Header<'_>> = record
        .request
        .headers
        .iter()
        .filter(|(name, _)| !OF_THE_CONNECTION.iter().any(|other| name.eq_ignore_ascii_case(other)))
        .map(|(name, value)| match &record.principal {
            Some(_) if name.eq_ignore_ascii_case("authorization") => {
                has_token = true;
                let scheme = value.split(' ').next().filter(|scheme| !scheme.is_empty());
                Header::Token(name, scheme.unwrap_or(BEARER))
            }
            _ => Header::Captured(name, value),
        })
        .collect();
    if record.principal.is_some() && !has_token {
        headers.push(Header::Token("Authorization", BEARER));
    }
    headers
}

/// Which kind of account stands for whoever asked.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Account {
    /// Anybody's.
    User,
    /// An administrator's.
    Admin,
}

/// Which kind of account a record needs; `None` where nobody asked who could be told.
#[must_use]
pub fn account(record: &Record) -> Option<Account> {
    record.principal.as_ref().map(|principal| match principal.role.as_str() {
        "admin" => Account::Admin,
        _ => Account::User,
    })
}

/// Why a record cannot be sent again, if it cannot.
#[must_use]
pub fn obstacle(record: &Record) -> Option<String> {
    record.request.truncated.then(|| {
        format!(
            "only the first {} bytes of the body of incident {} were kept: it cannot be sent again",
            record.request.body.0.len(),
            record.id
        )
    })
}
