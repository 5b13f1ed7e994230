//! Follows `docs/adding-an-endpoint.md`: every block of Rust on that page is compiled and called here, and every sentence
//! it quotes is one that is really said.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "a test may fail by panicking")]

use contract::{
    ApiError, Caller, ErrorCode, Json, Operation, User,
    v2::{ProblemResponse, responses::Answered},
    values::Id,
};
use document::{CompiledDocument, Document, DocumentedError, OperationInfo, RepairError, RepairOptions};
use endpoints::endpoints;
use poem::{Endpoint, IntoEndpoint, IntoResponse, Request};
use poem_openapi::{Object, OpenApiService, Tags, param::Path, types::Example};
use serde::Serialize;
use serde_json::{Value, json};

const PAGE: &str = include_str!("../../../docs/adding-an-endpoint.md");
const SELF: &str = include_str!("adding_an_endpoint.rs");

#[derive(Tags)]
enum Tag {
    /// What is in a bucketlist.
    Items,
}

/// What is left to do in a bucketlist.
#[derive(Clone, Debug, Object, Serialize)]
#[oai(example)]
pub struct Remaining {
    /// How many of its items are not done.
    #[oai(validator(minimum(value = "0"), maximum(value = "2147483647")))]
    pub items: i32,
}

impl Example for Remaining {
    fn example() -> Self {
        Self { items: 3 }
    }
}

#[endpoints(ItemRoutes, prefix_path = "/bucketlists", tag = "Tag::Items", operation = "Operation")]
trait ItemEndpoints: Send + Sync + 'static {
    /// Count what is left to do.
    ///
    /// How many items of a list are not done yet.
    #[oai(path = "/:bucketlist_id/remaining", method = "get", operation_id = "getRemaining")]
    #[operation(errors(&[ErrorCode::BucketlistNotFound]))]
    async fn remaining(
        &self,
        caller: User,
        /// The bucketlist.
        bucketlist_id: Path<Id>,
    ) -> Result<Answered<Remaining>, ProblemResponse>;
}

/// The items, as a service would have them: done or not, by owner and list.
struct Service(Vec<(i64, i64, bool)>);

impl Service {
    async fn remaining(&self, owner: i64, list: i64) -> Result<i32, ErrorCode> {
        let of_the_list = self.0.iter().filter(|(user, id, _)| (*user, *id) == (owner, list));
        if of_the_list.clone().next().is_none() {
            return Err(ErrorCode::BucketlistNotFound);
        }
        Ok(i32::try_from(of_the_list.filter(|(.., done)| !done).count()).unwrap())
    }
}

struct Items {
    items: Service,
}

impl ItemEndpoints for Items {
    async fn remaining(
        &self,
        User(caller): User,
        Path(bucketlist_id): Path<Id>,
    ) -> Result<Answered<Remaining>, ProblemResponse> {
        let items = self.items.remaining(caller.user_id, bucketlist_id.0).await?;
        Ok(Answered(Json(Remaining { items })))
    }
}

fn failures(facts: &OperationInfo<'_>) -> Vec<DocumentedError> {
    let declared = ItemRoutes::OPERATIONS.iter().find(|operation| operation.id == facts.id).unwrap();
    let internal = [ErrorCode::InternalError];
    let codes = declared.errors.iter().chain(&internal);
    codes.map(|code| DocumentedError { status: code.status(), code: code.as_str(), message: code.message() }).collect()
}

fn finish(raw: &str) -> Result<Document, RepairError> {
    Document::finish(
        raw,
        &RepairOptions {
            error_schema: "Problem",
            error_media_type: "application/problem+json",
            failures: &failures,
            error_example: &|_, failure| {
                let code = ErrorCode::ALL.iter().find(|code| code.as_str() == failure.code).unwrap();
                let problem =
                    contract::problem::Problem::new(&ApiError::example(*code), "/v2/bucketlists/1/remaining", "r");
                serde_json::to_value(problem).unwrap()
            },
            headers: &[],
            header_names: &[],
            parameter_examples: &[("bucketlist_id", json!(1))],
            header_examples: &[],
            schema_examples: &[],
            renamed_schemas: &[],
            public_operations: &[],
            sensitive: &[],
            page_parameters: &["cursor"],
            deprecations: &[],
        },
    )
}

fn raw() -> Value {
    let service = OpenApiService::new(ItemRoutes(ItemEndpointsStub), "BucketList API", "2.0.0").server("/v2");
    serde_json::from_str(&service.spec()).unwrap()
}

/// The blocks of the page that are marked so, without indentation.
fn blocks(mark: &str) -> Vec<Vec<&'static str>> {
    let blocks = PAGE.split("\n```").skip(1).step_by(2).filter_map(|block| block.split_once('\n'));
    blocks.filter(|(first, _)| *first == mark).map(|(_, block)| block.lines().map(str::trim).collect()).collect()
}

#[test]
fn the_code_on_the_page_is_the_code_here() {
    let here: Vec<&str> = SELF.lines().map(str::trim).collect();
    let blocks = blocks("rust");
    assert!(blocks.len() >= 4, "{blocks:#?}");
    for block in blocks {
        let block: Vec<&str> = block.into_iter().skip_while(|line| line.is_empty()).collect();
        let is_here = here.windows(block.len()).any(|lines| lines == block);
        assert!(is_here, "this block of the page is not compiled here:\n{}", block.join("\n"));
    }
}

#[test]
fn what_is_forgotten_is_named_in_the_words_of_the_page() {
    let operation = "/paths/~1bucketlists~1{bucketlist_id}~1remaining/get";
    let schema = "/components/schemas/Remaining";
    let mut said = Vec::new();
    for (place, key) in [(operation, "description"), (operation, "tags"), (operation, "security"), (schema, "example")]
    {
        let mut raw = raw();
        raw.pointer_mut(place).unwrap().as_object_mut().unwrap().shift_remove(key).unwrap();
        said.extend(finish(&raw.to_string()).unwrap_err().findings.iter().map(ToString::to_string));
    }
    let quoted: Vec<&str> = blocks("text").concat();
    let quoted: Vec<&str> = quoted.into_iter().filter(|line| line.contains("Remaining")).collect();
    assert_eq!(quoted, said);
}

#[test]
fn the_compiler_says_what_the_page_says() {
    let said = include_str!("../../endpoints/tests/fail/27_missing_method.stderr");
    let quoted = blocks("text").concat().into_iter().find(|line| line.starts_with("error[")).unwrap();
    assert!(said.lines().any(|line| line == quoted), "{quoted}");
}

#[tokio::test]
async fn the_operation_answers_as_its_document_says() {
    let document = finish(&raw().to_string()).unwrap_or_else(|findings| panic!("{findings}"));
    let contract = CompiledDocument::compile(&document).unwrap();
    let operation = contract.operations().next().unwrap();
    assert_eq!((operation.id.as_str(), operation.is_secured), ("getRemaining", true));
    assert_eq!(operation.statuses().collect::<Vec<_>>(), [200, 404, 500]);

    let items = Items { items: Service(vec![(7, 1, false), (7, 1, true), (7, 1, false), (8, 2, false)]) };
    let service = OpenApiService::new(ItemRoutes(items), "", "").into_endpoint();
    let ask = async |list: i64| {
        let mut request = Request::builder().uri_str(format!("/bucketlists/{list}/remaining")).finish();
        // The server puts the authenticated caller into the request.
        request.extensions_mut().insert(Caller {
            user_id: 7,
            session_id: 1,
            token_id: String::new(),
            token_expires_at: 0,
            is_admin: false,
        });
        service.call(request).await.map(IntoResponse::into_response)
    };
    let (parts, body) = ask(1).await.unwrap().into_parts();
    let body = body.into_vec().await.unwrap();
    let headers: Vec<(String, String)> =
        parts.headers.iter().map(|(name, value)| (name.to_string(), value.to_str().unwrap().to_owned())).collect();
    assert_eq!(operation.check_response(parts.status.as_u16(), &headers, &body), Vec::<String>::new());
    assert_eq!(serde_json::from_slice::<Value>(&body).unwrap(), json!({"items": 2}));
    // Somebody else's is not there.
    let refused = ask(2).await.unwrap_err();
    assert_eq!(refused.downcast_ref::<ApiError>().unwrap().code, ErrorCode::BucketlistNotFound);
}
