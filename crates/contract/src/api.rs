//! A version of the API: its operations, and the document that is built from their declarations.

use std::fmt;

use openapi_lint::{Finding, LintConfig, LintOptions, Preset};
use openapi_model::{Document, ValidationOptions};
use openapi_repair::{DocumentedError, OpenEnum, RepairError, RepairOptions, ResponseName};
use openapi_samples::{Language, SampleOptions};
use poem_openapi::{ContactObject, LicenseObject, OpenApi, OpenApiService, ServerObject};
use serde_json::Value;

use crate::{ErrorCode, Operation, ViolationInfo, documented_errors, error::MAX_DETAILS, texts};

/// The differences between the versions of the API.
pub(crate) trait Version: 'static {
    /// Base path: `/v1`.
    const BASE: &'static str;
    /// `info.version` of the document.
    const NUMBER: &'static str;
    /// `info.description` of the document, in Markdown.
    const DESCRIPTION: &'static str;
    /// Name of the schema of error bodies.
    const ERROR_SCHEMA: &'static str;
    /// Name of the schema of a violation in an error body.
    const VIOLATION_SCHEMA: &'static str;
    /// Media type of error bodies.
    const ERROR_MEDIA_TYPE: &'static str;
    /// Query parameter for pagination.
    const PAGE_PARAMETER: &'static str;
    /// Names of error responses with several codes, and names that a release has published.
    const RESPONSE_NAMES: &'static [ResponseName];

    /// Returns examples of parameters by name; `listUsers.q` is the parameter of one operation.
    fn parameter_examples() -> Vec<(&'static str, Value)>;
    /// Returns examples of response headers by name; `createItem.Location` is the header of one operation.
    fn header_examples() -> Vec<(&'static str, Value)>;
    /// Returns the declarations of all operations.
    fn operations() -> impl Iterator<Item = &'static Operation>;
    /// Returns the body of an error response with this code, as an example.
    ///
    /// # Errors
    /// Fails if the body cannot be serialized.
    fn error_example(code: ErrorCode) -> serde_json::Result<Value>;

    /// Returns the declaration of the operation with this ID.
    fn operation(id: &str) -> Option<&'static Operation> {
        Self::operations().find(|operation| operation.id == id)
    }
}

/// Generates, from one list of endpoints, a type with their implementations that becomes the service, the declarations of
/// all operations, and the document.
macro_rules! api {
    ($(#[$doc:meta])* $api:ident for $version:ident {
        $($field:ident: $implementation:ident => $routes:ident($stub:ident)),+ $(,)?
    }) => {
        $(#[$doc])*
        #[derive(Clone, Debug)]
        pub struct $api<$($implementation),+> {
            $(#[doc = concat!("Implementation of [`", stringify!($routes), "`].")] pub $field: $implementation),+
        }

        impl<$($implementation),+> $api<$($implementation),+>
        where
            $($routes<$implementation>: poem_openapi::OpenApi),+
        {
            /// Creates the service; mount it at [`BASE`].
            #[must_use]
            pub fn into_service(self) -> poem_openapi::OpenApiService<($($routes<$implementation>,)+), ()> {
                $crate::api::service::<$version, _>(($($routes(self.$field),)+))
            }
        }

        /// The base path.
        pub const BASE: &str = <$version as $crate::api::Version>::BASE;

        /// Returns the declarations of all operations.
        pub fn operations() -> impl Iterator<Item = &'static $crate::Operation> {
            [$($routes::OPERATIONS),+].into_iter().flatten()
        }

        /// Returns the declaration of the operation with this ID.
        #[must_use]
        pub fn operation(id: &str) -> Option<&'static $crate::Operation> {
            operations().find(|operation| operation.id == id)
        }

        fn raw_document() -> String {
            $api { $($field: $stub),+ }.into_service().spec()
        }

        /// Builds the document and lints it.
        ///
        /// # Errors
        /// Returns the findings of the linter, or what cannot be repaired.
        pub fn build() -> Result<openapi_model::Document, $crate::DocumentError> {
            build_from(raw_document(), operations())
        }

        /// Builds and lints the document of the given endpoints with the rules of this version.
        ///
        /// # Errors
        /// Returns the findings of the linter, or what cannot be repaired.
        pub fn build_from<'a>(
            raw: String,
            operations: impl IntoIterator<Item = &'a $crate::Operation>,
        ) -> Result<openapi_model::Document, $crate::DocumentError> {
            $crate::api::build::<$version>(raw, &operations.into_iter().collect::<Vec<_>>())
        }

        /// Returns the document, which is built once. It is not linted here, because that would delay the start of the
        /// server; the tests of this crate and `bucketlist openapi check` lint it.
        ///
        /// # Panics
        /// Panics if the document cannot be repaired. The tests of this crate build it.
        #[allow(clippy::expect_used, reason = "an invalid contract must not start; the tests build it")]
        pub fn document() -> &'static openapi_model::Document {
            static DOCUMENT: std::sync::LazyLock<openapi_model::Document> = std::sync::LazyLock::new(|| {
                let operations: Vec<&$crate::Operation> = operations().collect();
                $crate::api::repair::<$version>(raw_document(), &operations).expect("the document can be repaired")
            });
            &DOCUMENT
        }

        /// Returns the document, compiled for routing and validation.
        ///
        /// # Panics
        /// Panics if [`fn@document`] panics.
        #[allow(clippy::expect_used, reason = "an invalid contract must not start; the tests build it")]
        pub fn contract() -> &'static openapi_model::CompiledDocument {
            static CONTRACT: std::sync::LazyLock<openapi_model::CompiledDocument> = std::sync::LazyLock::new(|| {
                let options = $crate::api::validation_options();
                openapi_model::CompiledDocument::compile_with(document(), options)
                    .expect("a document that passes the linter compiles")
            });
            &CONTRACT
        }
    };
}

pub(crate) use api;

/// Creates the service of a version.
pub(crate) fn service<V: Version, A: OpenApi>(api: A) -> OpenApiService<A, ()> {
    OpenApiService::new(api, "BucketList API", V::NUMBER)
        .description(V::DESCRIPTION)
        .license(LicenseObject::new("MIT").url("https://opensource.org/license/mit"))
        .contact(ContactObject::new().name("The BucketList team").email("api@example.com"))
        .server(ServerObject::new(V::BASE).description("The server that serves this document"))
}

/// Returns the limits and conventions of both versions for requests and responses.
pub(crate) fn validation_options() -> ValidationOptions {
    ValidationOptions { max_violations: MAX_DETAILS, ..ValidationOptions::default() }
}

/// The reason why a document cannot be built. `Display` writes one finding per line.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum DocumentError {
    /// A part of the document cannot be repaired.
    Repair(RepairError),
    /// The document violates lint rules.
    Lint(Vec<Finding>),
}

impl fmt::Display for DocumentError {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            DocumentError::Repair(error) => error.fmt(out),
            DocumentError::Lint(findings) => {
                let lines: Vec<String> = findings.iter().map(ToString::to_string).collect();
                out.write_str(&lines.join("\n"))
            }
        }
    }
}

impl std::error::Error for DocumentError {}

/// Builds the document of a version and lints it with all rules.
///
/// # Errors
/// Returns the findings of the linter, or what cannot be repaired.
pub(crate) fn build<V: Version>(raw: String, operations: &[&Operation]) -> Result<Document, DocumentError> {
    let document = repair::<V>(raw, operations).map_err(DocumentError::Repair)?;
    let findings = openapi_lint::lint(&document, &lint_config::<V>(operations));
    if findings.is_empty() { Ok(document) } else { Err(DocumentError::Lint(findings)) }
}

fn lint_config<V: Version>(operations: &[&Operation]) -> LintConfig {
    let owned = |names: &mut dyn Iterator<Item = &str>| Some(names.map(str::to_owned).collect());
    let headers = documented_errors::headers::<V>();
    let public = operations.iter().filter(|operation| operation.is_public);
    LintConfig::new(Preset::Strict).with_options(LintOptions {
        error_schema: Some(V::ERROR_SCHEMA.to_owned()),
        error_media_type: Some(V::ERROR_MEDIA_TYPE.to_owned()),
        header_names: owned(&mut headers.iter().map(|header| header.name).chain(texts::HEADER_NAMES.iter().copied())),
        public_operations: owned(&mut public.map(|operation| operation.id)),
        page_parameters: owned(&mut std::iter::once(V::PAGE_PARAMETER)),
        ..LintOptions::default()
    })
}

/// Builds the document of a version without linting it.
///
/// # Errors
/// Returns what cannot be repaired.
pub(crate) fn repair<V: Version>(raw: String, operations: &[&Operation]) -> Result<Document, RepairError> {
    let notice = |operation: &&Operation| Some((operation.id, operation.deprecation?.notice()));
    let deprecations: Vec<(&str, String)> = operations.iter().filter_map(notice).collect();
    let sensitive = sensitive_fields(operations);
    let codes: Vec<(&str, &str)> = ViolationInfo::ALL.iter().map(|known| (known.code, known.meaning)).collect();
    let find = |id: &str| operations.iter().copied().find(|operation| operation.id == id);
    let document = openapi_repair::repair(
        &texts::describe(raw, &find),
        &RepairOptions {
            error_schema: V::ERROR_SCHEMA,
            error_media_type: V::ERROR_MEDIA_TYPE,
            errors: &|info| {
                documented_errors::errors(info, find(info.id)).into_iter().map(documented_errors::documented).collect()
            },
            error_example: &error_example::<V>,
            response_names: V::RESPONSE_NAMES,
            headers: &documented_errors::headers::<V>(),
            header_names: texts::HEADER_NAMES,
            parameter_examples: &[V::parameter_examples(), texts::parameter_examples()].concat(),
            header_examples: &V::header_examples(),
            sensitive: &sensitive,
            multi_line_from: validation_options().multi_line_from,
            open_enums: &[OpenEnum { schema: V::VIOLATION_SCHEMA, field: "code", values: &codes }],
            deprecations: &deprecations,
            ..RepairOptions::default()
        },
    )?;
    let samples = openapi_samples::samples(&document, &SAMPLE_OPTIONS);
    Ok(openapi_samples::with_samples(&document, &samples))
}

/// The code samples in the documents: curl. `BASE_URL` is the public URL of the server.
pub const SAMPLE_OPTIONS: SampleOptions<'_> = SampleOptions {
    base_url: "BASE_URL",
    token: "TOKEN",
    generated_headers: &["Idempotency-Key"],
    languages: &[Language::Curl],
};

/// Fields of responses with tokens and keys, as schema and field.
const SENSITIVE_FIELDS: &[(&str, (&str, &str))] = &[
    ("login", ("AuthSession", "access_token")),
    ("login", ("AuthSession", "refresh_token")),
    ("createApiClient", ("ApiClientCreated", "key")),
    ("rotateApiClientKey", ("ApiClientKey", "key")),
];

/// Returns the sensitive fields in the responses of these operations.
fn sensitive_fields(operations: &[&Operation]) -> Vec<(&'static str, &'static str)> {
    let is_declared = |id: &str| operations.iter().any(|operation| operation.id == id);
    SENSITIVE_FIELDS.iter().filter(|(operation, _)| is_declared(operation)).map(|(_, field)| *field).collect()
}

#[expect(clippy::expect_used, reason = "an invalid contract must not start; the tests build it")]
fn error_example<V: Version>(error: &DocumentedError) -> Value {
    let code = ErrorCode::ALL.iter().copied().find(|code| code.as_str() == error.code);
    V::error_example(code.unwrap_or(ErrorCode::InternalError)).expect("error bodies can be serialized")
}

#[cfg(test)]
pub(crate) mod tests {
    use openapi_model::CompiledDocument;

    use super::*;

    /// Runs the checks that apply to every version.
    pub(crate) fn check_version<V: Version>(document: &Document) {
        let openapi_3_1 = document.to_openapi_3_1();
        assert_eq!(openapi_model::compare_with_3_1(document, &openapi_3_1), Vec::<String>::new());
        check_bounds(document.value());
        check_bounds(openapi_3_1.value());

        let compiled = CompiledDocument::compile(document).unwrap();
        let mut declared: Vec<&str> = V::operations().map(|operation| operation.id).collect();
        let mut documented: Vec<&str> = compiled.operations().map(|operation| operation.id.as_str()).collect();
        declared.sort_unstable();
        documented.sort_unstable();
        assert_eq!(declared, documented);

        let responses = document.value()["components"]["responses"].as_object().unwrap();
        for known in V::RESPONSE_NAMES {
            assert!(responses.contains_key(known.name), "no operation has the response {}", known.name);
        }

        compiled.operations().for_each(|operation| check_empty_values(document, V::BASE, operation));
        for operation in V::operations() {
            let path = document.value()["paths"][operation.path].as_object().unwrap();
            let documented = &path[&operation.method.to_lowercase()];
            assert_eq!(documented["operationId"], operation.id);
            check_secrets(document, operation, documented);
        }
    }

    /// Checks that no bound repeats a type or a format.
    fn check_bounds(document: &Value) {
        let mut document = document.clone();
        openapi_model::traverse::schema_roots_mut(&mut document, &mut |root| {
            openapi_model::traverse::schemas_mut(root, &mut |schema| {
                let redundant = openapi_model::bounds::redundant_bounds(schema);
                assert!(redundant.is_empty(), "{redundant:?} of {schema:?}");
            });
        });
    }

    /// Checks that `allowEmptyValue` is declared for exactly those query parameters whose empty value is accepted.
    fn check_empty_values(document: &Document, base: &str, operation: &openapi_model::Operation) {
        let path = operation.path.strip_prefix(base).unwrap();
        let documented = &document.value()["paths"][path][operation.method.to_lowercase()]["parameters"];
        for parameter in documented.as_array().into_iter().flatten().filter(|parameter| parameter["in"] == "query") {
            let name = parameter["name"].as_str().unwrap();
            let query = format!("{name}=");
            let query = operation.join_lists(&query).unwrap_or(query);
            let location = openapi_model::Location::Query(name.to_owned());
            let violations = operation.validate_parameters(&[], Some(&query));
            let is_accepted = !violations.iter().any(|violation| violation.location == location);
            assert_eq!(parameter["allowEmptyValue"] == true, is_accepted, "{} {name}", operation.id);
        }
    }

    /// Checks that the declarations about tokens and passwords agree with the schemas.
    fn check_secrets(document: &Document, operation: &Operation, documented: &Value) {
        let schema = |media: Option<&Value>| -> Value {
            let reference = media.and_then(|media| media.pointer("/schema/$ref")?.as_str());
            reference.and_then(|at| document.value().pointer(&at[1..]).cloned()).unwrap_or_default()
        };
        let responses = documented["responses"].as_object().unwrap();
        let success = responses.iter().find(|(status, _)| status.starts_with('2')).map(|(_, response)| response);
        let success = schema(success.and_then(|response| response.pointer("/content/application~1json")));
        let fields = success["properties"].as_object().into_iter().flatten();
        let carries_tokens = fields.into_iter().any(|(_, field)| field["x-sensitive"] == true);
        assert_eq!(operation.carries_tokens, carries_tokens, "{}", operation.id);

        let body = schema(documented.pointer("/requestBody/content/application~1json"));
        let fields = body["properties"].as_object().into_iter().flatten();
        let is_new_password = |field: &Value| field["format"] == "password" && field["minLength"] == 8;
        let new_password = fields.into_iter().find(|(_, field)| is_new_password(field));
        let new_password = new_password.map(|(name, _)| format!("/{name}"));
        assert_eq!(operation.new_password, new_password.as_deref(), "{}", operation.id);
    }
}
