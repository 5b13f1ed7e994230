//! The languages of the samples, one module for each.

mod csharp;
mod curl;
mod go;
mod java;
mod python;
mod rust;
mod typescript;

use crate::{SampleOptions, request::SampleRequest};

/// A language with its HTTP client.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Language {
    /// The command curl, in a POSIX shell.
    Curl,
    /// `urllib` of the standard library.
    Python,
    /// `fetch`, in Node.js and other runtimes. The programs are valid JavaScript, too.
    TypeScript,
    /// `net/http` of the standard library.
    Go,
    /// `java.net.http` of the standard library.
    Java,
    /// `HttpClient` of the standard library.
    CSharp,
    /// The crate `reqwest`.
    Rust,
}

impl Language {
    /// All languages, in the order of the samples.
    pub const ALL: [Self; 7] =
        [Self::Curl, Self::Python, Self::TypeScript, Self::Go, Self::Java, Self::CSharp, Self::Rust];

    /// Returns the name that people read: `C#`.
    #[must_use]
    pub const fn label(self) -> &'static str {
        match self {
            Self::Curl => "curl",
            Self::Python => "Python",
            Self::TypeScript => "TypeScript",
            Self::Go => "Go",
            Self::Java => "Java",
            Self::CSharp => "C#",
            Self::Rust => "Rust",
        }
    }

    /// Returns the name for syntax highlighting, which is `lang` in `x-codeSamples`: `Shell`.
    #[must_use]
    pub const fn lang(self) -> &'static str {
        match self {
            Self::Curl => "Shell",
            other => other.label(),
        }
    }

    /// Returns a name of lower-case letters, for identifiers: `csharp`.
    #[must_use]
    pub const fn id(self) -> &'static str {
        match self {
            Self::Curl => "curl",
            Self::Python => "python",
            Self::TypeScript => "typescript",
            Self::Go => "go",
            Self::Java => "java",
            Self::CSharp => "csharp",
            Self::Rust => "rust",
        }
    }

    pub(crate) fn generate(self, request: &SampleRequest, options: &SampleOptions<'_>) -> String {
        let generate = match self {
            Self::Curl => curl::generate,
            Self::Python => python::generate,
            Self::TypeScript => typescript::generate,
            Self::Go => go::generate,
            Self::Java => java::generate,
            Self::CSharp => csharp::generate,
            Self::Rust => rust::generate,
        };
        generate(request, options)
    }
}
