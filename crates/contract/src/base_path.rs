//! The base path: the path of `PUBLIC_URL`, which precedes all paths that clients see.
//!
//! A reverse proxy can publish the server at `https://example.com/api`. The paths in responses must then begin with `/api`.
//! Schemas contain paths without the base path. It is task-local while a request is processed, and added when a response is
//! serialized.

use std::{fmt, sync::Arc};

use serde::{Serialize, Serializer};
use tokio::task::futures::TaskLocalFuture;

use crate::values::Nullable;

tokio::task_local! {
    static CURRENT: BasePath;
}

/// A base path such as `/api`; empty if the server is at the root of its host.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct BasePath(Option<Arc<str>>);

impl BasePath {
    /// Creates a base path. `path` is empty, or begins with a slash and does not end with one.
    #[must_use]
    pub fn new(path: &str) -> Self {
        Self((!path.is_empty()).then(|| path.into()))
    }

    /// Returns the base path of the current request.
    #[must_use]
    pub fn current() -> Self {
        CURRENT.try_with(Clone::clone).unwrap_or_default()
    }

    /// Returns the path, without a slash at its end.
    #[must_use]
    pub fn as_str(&self) -> &str {
        self.0.as_deref().unwrap_or_default()
    }

    /// Returns whether the server is at the root of its host.
    #[must_use]
    pub fn is_root(&self) -> bool {
        self.0.is_none()
    }

    /// Returns the part of a path after the base path (`/` for the base path itself). Returns `None` if the path is outside the base
    /// path, or if the server is at the root.
    #[must_use]
    pub fn strip<'a>(&self, path: &'a str) -> Option<&'a str> {
        match path.strip_prefix(self.0.as_deref()?)? {
            "" => Some("/"),
            rest => rest.starts_with('/').then_some(rest),
        }
    }

    /// Returns a path as clients see it.
    #[must_use]
    pub fn join(&self, path: &str) -> String {
        format!("{}{path}", self.as_str())
    }

    /// Runs a future, in which serialized paths begin with the base path.
    ///
    /// Not an `async` function: it would reserve space for the future twice.
    pub fn scope<F: Future>(&self, future: F) -> TaskLocalFuture<Self, F> {
        CURRENT.scope(self.clone(), future)
    }

    /// Calls a function, in which serialized paths begin with the base path.
    pub fn sync_scope<T>(&self, call: impl FnOnce() -> T) -> T {
        if self.is_root() { call() } else { CURRENT.sync_scope(self.clone(), call) }
    }
}

/// A path that is written with the current base path.
#[derive(Clone, Copy, Debug)]
pub struct PublicPath<T>(pub T);

impl<T: fmt::Display> fmt::Display for PublicPath<T> {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        // Outside of a scope, the server is at the root.
        CURRENT.try_with(|base| out.write_str(base.as_str())).unwrap_or(Ok(()))?;
        self.0.fmt(out)
    }
}

impl<T: fmt::Display> Serialize for PublicPath<T> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

/// Returns the length of the current base path.
pub(crate) fn current_length() -> usize {
    CURRENT.try_with(|base| base.as_str().len()).unwrap_or(0)
}

/// Serializes a path with the current base path.
pub(crate) fn serialize<S: Serializer>(path: &str, serializer: S) -> Result<S::Ok, S::Error> {
    PublicPath(path).serialize(serializer)
}

/// Serializes an optional path with the current base path.
pub(crate) fn serialize_nullable<S: Serializer>(path: &Nullable<String>, serializer: S) -> Result<S::Ok, S::Error> {
    path.0.as_ref().map(PublicPath).serialize(serializer)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn base_path_ends_at_a_segment() {
        let base = BasePath::new("/api");
        for (path, rest) in [
            ("/api", Some("/")),
            ("/api/", Some("/")),
            ("/api/v2/bucketlists", Some("/v2/bucketlists")),
            ("/api//evil.example", Some("//evil.example")),
            ("/api/api/v2", Some("/api/v2")),
            ("/apix", None),
            ("/api-v2", None),
            ("/API/v2", None),
            ("/%61pi/v2", None),
            ("/v2/api", None),
            ("//api/v2", None),
            ("/", None),
            ("*", None),
        ] {
            assert_eq!(base.strip(path), rest, "{path}");
        }
        assert_eq!(BasePath::default().strip("/api"), None);
    }

    #[tokio::test]
    async fn paths_are_written_with_the_base_path_of_the_task() {
        let base = BasePath::new("/a/b");
        let written = || PublicPath("/v2/x").to_string();
        assert_eq!(written(), "/v2/x");
        assert_eq!(base.sync_scope(written), "/a/b/v2/x");
        assert_eq!(
            base.scope(async { (written(), BasePath::current()) }).await,
            ("/a/b/v2/x".to_owned(), base.clone())
        );
        assert_eq!(BasePath::default().scope(async { written() }).await, "/v2/x");
        assert_eq!(base.join("/v2/x"), "/a/b/v2/x");
    }
}
