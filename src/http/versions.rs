//! The versions of the API: which one a path or `Accept-Version` selects.

use std::{
    collections::{BTreeSet, HashMap, HashSet},
    sync::LazyLock,
};

use contract::{ApiError, ErrorCode, Operation, v1, v2};
use openapi_model::{CompiledDocument, PathMatch};
use poem::http::{HeaderMap, HeaderName};

/// Selects the version of an unversioned path.
const ACCEPT_VERSION: HeaderName = HeaderName::from_static("accept-version");
/// The version of the response, if `Accept-Version` could have selected a different one.
pub(super) const CONTENT_VERSION: HeaderName = HeaderName::from_static("content-version");

/// A version of the API.
pub(super) struct Version {
    /// The number in `Accept-Version`.
    pub(super) number: &'static str,
    /// The prefix of the paths.
    base: &'static str,
    document: &'static CompiledDocument,
    operations: HashMap<&'static str, &'static Operation>,
    /// Whether an error is an envelope (v1) or problem details.
    pub(super) has_error_envelopes: bool,
}

static VERSIONS: LazyLock<[Version; 2]> = LazyLock::new(|| {
    [
        Version::new("1", v1::document::BASE, v1::contract(), v1::document::operations(), true),
        Version::new("2", v2::document::BASE, v2::contract(), v2::document::operations(), false),
    ]
});

/// Declaration of an operation that no endpoint trait declares.
static UNDECLARED: Operation = Operation::new("", "", "");

impl Version {
    fn new(
        number: &'static str,
        base: &'static str,
        document: &'static CompiledDocument,
        operations: impl Iterator<Item = &'static Operation>,
        has_error_envelopes: bool,
    ) -> Self {
        let operations = operations.map(|operation| (operation.id, operation)).collect();
        Self { number, base, document, operations, has_error_envelopes }
    }

    /// Returns the name in paths: `v1`.
    pub(super) fn name(&self) -> &'static str {
        self.base.trim_start_matches('/')
    }

    /// Returns the declaration of an operation in its endpoint trait.
    pub(super) fn operation(&self, id: &str) -> &'static Operation {
        self.operations.get(id).copied().unwrap_or(&UNDECLARED)
    }

    fn contains(&self, path: &str) -> bool {
        path.strip_prefix(self.base).is_some_and(|rest| rest.is_empty() || rest.starts_with('/'))
    }
}

/// Every constant segment of the paths of operations.
static SEGMENTS: LazyLock<HashSet<&'static str>> = LazyLock::new(|| {
    let operations = VERSIONS.iter().flat_map(|version| version.document.operations());
    let segments = operations.flat_map(|operation| operation.path.split('/'));
    segments.filter(|segment| !segment.starts_with('{')).collect()
});

/// Masks the segments of a path that are neither part of a route nor a number, such as email addresses and tokens.
pub(super) fn mask_path(path: &str) -> String {
    let is_number = |segment: &str| segment.len() < 20 && segment.bytes().all(|byte| byte.is_ascii_digit());
    let masked = |segment| if SEGMENTS.contains(segment) || is_number(segment) { segment } else { "*" };
    path.split('/').map(masked).collect::<Vec<_>>().join("/")
}

/// Returns the version of a versioned path.
pub(super) fn of_path(path: &str) -> Option<&'static Version> {
    VERSIONS.iter().find(|version| version.contains(path))
}

/// Returns the version of a versioned path, and the path item in its document.
pub(super) fn find(path: &str) -> Option<(&'static Version, PathMatch<'static, '_>)> {
    let version = of_path(path)?;
    Some((version, version.document.find(path)?))
}

/// Selects the version of an unversioned path. Returns it with the versioned path, or `None` if no version has the path.
///
/// # Errors
/// `UNSUPPORTED_VERSION` if `Accept-Version` is not a supported version.
pub(super) fn select(path: &str, headers: &HeaderMap) -> Option<Result<(&'static Version, String), ApiError>> {
    let versioned = |version: &Version| format!("{}{path}", version.base);
    if of_path(path).is_some() || !VERSIONS.iter().any(|version| version.document.find(&versioned(version)).is_some()) {
        return None;
    }
    let mut accepted = headers.get_all(ACCEPT_VERSION).iter().map(|value| value.to_str().unwrap_or_default().trim());
    // A repeated header is a list of versions (RFC 9110, section 5.3), which is not supported.
    let number = match (accepted.next(), accepted.next()) {
        (None, _) => "1",
        (Some(number), None) => number,
        (Some(_), Some(_)) => "",
    };
    Some(match VERSIONS.iter().find(|version| version.number == number) {
        Some(version) => Ok((version, versioned(version))),
        None => {
            let supported: Vec<&str> = VERSIONS.iter().map(|version| version.number).collect();
            let message = format!("Accept-Version must be one of: {}.", supported.join(", "));
            Err(ApiError::new(ErrorCode::UnsupportedVersion).with_message(message))
        }
    })
}

/// Returns the methods that any version has for an unversioned path; `None` if no version has the path.
pub(super) fn allowed_methods(path: &str) -> Option<String> {
    let mut methods = BTreeSet::new();
    for version in &*VERSIONS {
        if let Some(found) = version.document.find(&format!("{}{path}", version.base)) {
            methods.extend(found.item.allow().split(", "));
        }
    }
    (!methods.is_empty()).then(|| methods.into_iter().collect::<Vec<_>>().join(", "))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn selected(path: &str, accept_version: Option<&str>) -> Option<Result<String, ErrorCode>> {
        let mut headers = HeaderMap::new();
        if let Some(number) = accept_version {
            headers.insert(ACCEPT_VERSION, number.parse().unwrap());
        }
        select(path, &headers).map(|result| result.map(|(_, path)| path).map_err(|error| error.code))
    }

    #[test]
    fn path_segments_of_the_client_are_masked() {
        for (path, masked) in [
            ("/v1/bucketlists/7/items/42", "/v1/bucketlists/7/items/42"),
            ("/bucketlists/7", "/bucketlists/7"),
            ("/v2/auth/password-reset/confirm", "/v2/auth/password-reset/confirm"),
            ("/v1/users/ada@example.com", "/v1/users/*"),
            ("/v2/bucketlists/%37", "/v2/bucketlists/*"),
            ("/reset/3q2-7w", "/*/*"),
            ("/v1/users/{user_id}", "/v1/users/*"),
            ("/v1/users/99999999999999999999", "/v1/users/*"),
            ("/", "/"),
            ("//v1/", "//v1/"),
            ("*", "*"),
        ] {
            assert_eq!(mask_path(path), masked);
        }
    }

    #[test]
    fn accept_version_selects_the_version_of_an_unversioned_path() {
        let rewritten = |path: &str| Some(Ok(path.to_owned()));
        assert_eq!(selected("/bucketlists", None), rewritten("/v1/bucketlists"));
        assert_eq!(selected("/bucketlists/7", Some("2")), rewritten("/v2/bucketlists/7"));
        assert_eq!(selected("/search", Some(" 2 ")), rewritten("/v2/search"));
        assert_eq!(selected("/bucketlists", Some("3")), Some(Err(ErrorCode::UnsupportedVersion)));
        assert_eq!(selected("/bucketlists", Some("")), Some(Err(ErrorCode::UnsupportedVersion)));
        assert_eq!(selected("/v1/bucketlists", Some("2")), None);
        assert_eq!(selected("/nonsense", Some("2")), None);
        assert_eq!(selected("/v11/bucketlists", None), None);
    }
}
