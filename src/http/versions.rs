//! The versions of the contract: which one a request is for, by its path or by what it says.

use std::{
    collections::{BTreeSet, HashMap, HashSet},
    sync::LazyLock,
};

use contract::{ApiError, ErrorCode, Operation, v1, v2};
use document::{CompiledDocument, PathMatch};
use poem::http::{HeaderMap, HeaderName, Uri};

/// What clients say to choose a version of a path that names none.
pub(super) const ACCEPT_VERSION: HeaderName = HeaderName::from_static("accept-version");
/// Which version answered.
pub(super) const CONTENT_VERSION: HeaderName = HeaderName::from_static("content-version");

/// A version of the contract.
pub(super) struct Version {
    /// As clients name it.
    pub(super) number: &'static str,
    /// Where it is served.
    base: &'static str,
    contract: &'static CompiledDocument,
    operations: HashMap<&'static str, &'static Operation>,
    /// Whether its errors are envelopes; those of the others are problems.
    pub(super) has_envelopes: bool,
}

static VERSIONS: LazyLock<[Version; 2]> = LazyLock::new(|| {
    [
        Version::new("1", v1::document::BASE, v1::contract(), v1::document::operations(), true),
        Version::new("2", v2::document::BASE, v2::contract(), v2::document::operations(), false),
    ]
});

impl Version {
    fn new(
        number: &'static str,
        base: &'static str,
        contract: &'static CompiledDocument,
        operations: impl Iterator<Item = &'static Operation>,
        has_envelopes: bool,
    ) -> Self {
        let operations = operations.map(|operation| (operation.id, operation)).collect();
        Self { number, base, contract, operations, has_envelopes }
    }

    /// As it is spelled in paths: `v1`.
    pub(super) fn name(&self) -> &'static str {
        self.base.trim_start_matches('/')
    }

    /// What the trait declares of an operation.
    pub(super) fn operation(&self, id: &str) -> Option<&'static Operation> {
        self.operations.get(id).copied()
    }

    fn contains(&self, path: &str) -> bool {
        path.strip_prefix(self.base).is_some_and(|rest| rest.is_empty() || rest.starts_with('/'))
    }
}

/// Every word that the path of an operation is made of; what stands for a parameter is none.
static WORDS: LazyLock<HashSet<&'static str>> = LazyLock::new(|| {
    let operations = VERSIONS.iter().flat_map(|version| version.contract.operations());
    operations.flat_map(|operation| operation.path.split('/')).filter(|word| !word.starts_with('{')).collect()
});

/// A path as it may be written down: its words, and numbers. Anything else is whatever somebody put there, such as an
/// address or a token, and becomes a star.
pub(super) fn without_strange_words(path: &str) -> String {
    let is_number = |word: &str| word.len() < 20 && word.bytes().all(|byte| byte.is_ascii_digit());
    let known = |word| if WORDS.contains(word) || is_number(word) { word } else { "*" };
    path.split('/').map(known).collect::<Vec<_>>().join("/")
}

/// The version that a path names.
pub(super) fn of(path: &str) -> Option<&'static Version> {
    VERSIONS.iter().find(|version| version.contains(path))
}

/// What is at a path that names its version.
pub(super) fn find(path: &str) -> Option<(&'static Version, PathMatch<'static, '_>)> {
    let version = of(path)?;
    Some((version, version.contract.find(path)?))
}

/// Which version a path that names none is for, and where that one has it; `None` where no version has such a path.
///
/// # Errors
/// `UNSUPPORTED_VERSION`, and `ROUTE_NOT_FOUND` where another version has the path.
pub(super) fn negotiate(path: &str, headers: &HeaderMap) -> Option<Result<(&'static Version, String), ApiError>> {
    let versioned = |version: &Version| format!("{}{path}", version.base);
    if of(path).is_some() || !VERSIONS.iter().any(|version| version.contract.find(&versioned(version)).is_some()) {
        return None;
    }
    let asked = headers.get(ACCEPT_VERSION).map(|value| value.to_str().unwrap_or_default().trim());
    let number = asked.unwrap_or("1");
    Some(match VERSIONS.iter().find(|version| version.number == number) {
        Some(version) => Ok((version, versioned(version))),
        None => {
            let known: Vec<&str> = VERSIONS.iter().map(|version| version.number).collect();
            let offered = format!("Accept-Version may be one of: {}.", known.join(", "));
            Err(ApiError::new(ErrorCode::UnsupportedVersion).with_message(offered))
        }
    })
}

/// What a path that names no version offers in one version or another; `None` where no version has such a path.
pub(super) fn allow_in_any(path: &str) -> Option<String> {
    let mut methods = BTreeSet::new();
    for version in &*VERSIONS {
        if let Some(found) = version.contract.find(&format!("{}{path}", version.base)) {
            methods.extend(found.item.allow().split(", "));
        }
    }
    (!methods.is_empty()).then(|| methods.into_iter().collect::<Vec<_>>().join(", "))
}

/// A path of this template that every argument can be read from.
pub(super) fn readable(template: &str) -> Uri {
    let segments = template.split('/').map(|segment| if segment.starts_with('{') { "1" } else { segment });
    segments.collect::<Vec<_>>().join("/").parse().unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn negotiated(path: &str, asked: Option<&str>) -> Option<Result<String, ErrorCode>> {
        let mut headers = HeaderMap::new();
        if let Some(asked) = asked {
            headers.insert(ACCEPT_VERSION, asked.parse().unwrap());
        }
        negotiate(path, &headers).map(|result| result.map(|(_, path)| path).map_err(|error| error.code))
    }

    #[test]
    fn a_path_is_written_down_without_what_somebody_put_there() {
        for (path, written) in [
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
            assert_eq!(without_strange_words(path), written);
        }
    }

    #[test]
    fn a_path_without_a_version_is_for_the_one_that_is_asked_for() {
        let to = |path: &str| Some(Ok(path.to_owned()));
        assert_eq!(negotiated("/bucketlists", None), to("/v1/bucketlists"));
        assert_eq!(negotiated("/bucketlists/7", Some("2")), to("/v2/bucketlists/7"));
        assert_eq!(negotiated("/search", Some(" 2 ")), to("/v2/search"));
        assert_eq!(negotiated("/bucketlists", Some("3")), Some(Err(ErrorCode::UnsupportedVersion)));
        assert_eq!(negotiated("/bucketlists", Some("")), Some(Err(ErrorCode::UnsupportedVersion)));
        assert_eq!(negotiated("/v1/bucketlists", Some("2")), None);
        assert_eq!(negotiated("/nonsense", Some("2")), None);
        assert_eq!(negotiated("/v11/bucketlists", None), None);
    }
}
