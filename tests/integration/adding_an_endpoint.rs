//! Follows `docs/adding-an-endpoint.md`: compiles and calls its code, and compares the messages that it quotes.

use std::sync::Arc;

use bucketlist::{
    db::{Db, DbConnection, repositories::bucketlists},
    domain::{BucketlistId, ItemScope, UserId},
    services::{Error, Resource},
};
use contract::{
    ApiError, Caller, DocumentError, ErrorCode, Json, Operation, User,
    caller::{Credential, SessionToken},
    v2::{self, Result as EndpointResult},
    values::Id,
};
use openapi_model::{CompiledDocument, Document};
use poem::{Endpoint, IntoEndpoint, IntoResponse, Request};
use poem_openapi::{OpenApiService, Tags};

use self::endpoint::{ItemApi, ItemEndpointsStub, ItemRoutes};
use crate::support::{TestApp, Value, json};

const PAGE: &str = include_str!("../../docs/adding-an-endpoint.md");
const SELF: &str = include_str!("adding_an_endpoint.rs");

#[derive(Tags)]
enum Tag {
    /// Entries of a bucketlist.
    Items,
}

mod schemas {
    use poem_openapi::{Object, types::Example};
    use serde::Serialize;

    /// Number of open items of a bucketlist.
    #[derive(Clone, Debug, Object, Serialize)]
    #[oai(example)]
    pub struct OpenItems {
        /// Number of items that are not completed.
        #[oai(validator(minimum(value = "0")))]
        pub count: i64,
    }

    impl Example for OpenItems {
        fn example() -> Self {
            Self { count: 4 }
        }
    }
}

mod endpoint {
    use endpoints::endpoints;
    use poem_openapi::param::Path;

    use super::{
        BucketlistId, EndpointResult as Result, ErrorCode, Id, ItemScope, Items, Json, Operation, Tag, User, UserId,
        schemas::OpenItems,
    };

    #[endpoints(ItemRoutes, prefix_path = "/bucketlists", tag = "Tag::Items", operation = "Operation")]
    pub trait ItemEndpoints: Send + Sync + 'static {
        /// Count open items
        ///
        /// Returns the number of items of a bucketlist that are not completed.
        #[oai(path = "/:bucketlist_id/open-items", method = "get", operation_id = "countOpenItems")]
        #[operation(returns("The number of open items."), errors(&[ErrorCode::BucketlistNotFound]))]
        async fn count_open(&self, caller: User, bucketlist_id: Path<Id>) -> Result<Json<OpenItems>>;
    }

    fn scope(User(caller): &User, Path(Id(bucketlist_id)): &Path<Id>) -> ItemScope {
        ItemScope { owner: UserId::new(caller.user_id), bucketlist_id: BucketlistId::new(*bucketlist_id) }
    }

    pub struct ItemApi {
        pub items: Items,
    }

    impl ItemEndpoints for ItemApi {
        async fn count_open(&self, caller: User, bucketlist_id: Path<Id>) -> Result<Json<OpenItems>> {
            let count = self.items.count_open(scope(&caller, &bucketlist_id)).await?;
            Ok(Json(OpenItems { count }))
        }
    }
}

/// The context of the services, reduced to the database.
struct Context {
    db: Db,
}

pub struct Items(Arc<Context>);

impl Items {
    /// Counts the open items of a bucketlist.
    ///
    /// # Errors
    /// `NotFound(Bucketlist)`.
    pub async fn count_open(&self, scope: ItemScope) -> Result<i64, Error> {
        let count = move |c: &mut DbConnection| {
            bucketlists::find(c, scope.owner, scope.bucketlist_id)?.ok_or(Error::NotFound(Resource::Bucketlist))?;
            Ok(items::count_open(c, scope.bucketlist_id)?)
        };
        self.0.db.snapshot(count).await
    }
}

mod items {
    use bucketlist::{
        db::{DbConnection, schema::items},
        domain::BucketlistId,
    };
    use diesel::prelude::*;

    /// Counts the open items of a bucketlist.
    pub fn count_open(c: &mut DbConnection, bucketlist_id: BucketlistId) -> QueryResult<i64> {
        let open = items::table.filter(items::bucketlist_id.eq(bucketlist_id.get())).filter(items::done.eq(false));
        open.count().get_result(c)
    }
}

fn raw() -> Value {
    let service = OpenApiService::new(ItemRoutes(ItemEndpointsStub), "BucketList API", "2.0.0").server("/v2");
    serde_json::from_str(&service.spec()).unwrap()
}

fn build(raw: &Value) -> Result<Document, DocumentError> {
    v2::document::build_from(serde_json::to_string_pretty(raw).unwrap(), ItemRoutes::OPERATIONS)
}

/// The code blocks of the page in this language, without indentation.
fn blocks(language: &str) -> Vec<Vec<&'static str>> {
    let blocks = PAGE.split("\n```").skip(1).step_by(2).filter_map(|block| block.split_once('\n'));
    blocks.filter(|(first, _)| *first == language).map(|(_, block)| block.lines().map(str::trim).collect()).collect()
}

#[test]
fn code_on_the_page_is_compiled_here() {
    let here: Vec<&str> = SELF.lines().map(str::trim).collect();
    let blocks = blocks("rust");
    assert_eq!(blocks.len(), 6, "{blocks:#?}");
    for block in blocks {
        let is_here = here.windows(block.len()).any(|lines| lines == block);
        assert!(is_here, "this code is not compiled here:\n{}", block.join("\n"));
    }
}

#[test]
fn findings_on_the_page_are_those_of_the_linter() {
    let operation = "/paths/~1bucketlists~1{bucketlist_id}~1open-items/get";
    let schema = "/components/schemas/OpenItems";
    let mut findings = Vec::new();
    for (place, key) in [(operation, "description"), (operation, "tags"), (operation, "security"), (schema, "example")]
    {
        let mut raw = raw();
        raw.pointer_mut(place).unwrap().as_object_mut().unwrap().shift_remove(key).unwrap();
        findings.extend(build(&raw).unwrap_err().to_string().lines().map(str::to_owned));
    }
    let quoted: Vec<&str> = blocks("text").concat();
    let quoted: Vec<&str> = quoted.into_iter().filter(|line| line.contains("OpenItems")).collect();
    assert_eq!(quoted, findings);
}

#[test]
fn compiler_error_on_the_page_is_that_of_the_compile_fail_test() {
    let error = include_str!("../../crates/endpoints/tests/fail/27_missing_method.stderr");
    let quoted = blocks("text").concat().into_iter().find(|line| line.starts_with("error[")).unwrap();
    assert!(error.lines().any(|line| line == quoted), "{quoted}");
}

both_engines! {
    async fn operation_counts_the_open_items_of_the_callers_bucketlist(engine: Engine) {
        let app = TestApp::new(engine);
        let (user, other) = (app.user().await, app.user().await);
        let list = user.create_bucketlist("See the world").await;
        let item = user.create_item(list, "Watch the northern lights").await;
        user.create_item(list, "Walk the Camino").await;
        let completed = json!({"name": "Watch the northern lights", "done": true});
        user.put(&format!("/v1/bucketlists/{list}/items/{item}"), &completed).await.expect(200);

        let compiled = CompiledDocument::compile(&build(&raw()).unwrap()).unwrap();
        let operation = compiled.operations().next().unwrap();
        let items = Items(Arc::new(Context { db: app.app.db.clone() }));
        let service = OpenApiService::new(ItemRoutes(ItemApi { items }), "", "").into_endpoint();
        let call = async |caller: i64| {
            let mut request = Request::builder().uri_str(format!("/bucketlists/{list}/open-items")).finish();
            // The server puts the authenticated caller into the request.
            let token = SessionToken { session_id: 1, token_id: String::new(), token_expires_at: 0 };
            let credential = Credential::Session(token);
            request.extensions_mut().insert(Caller { user_id: caller, is_admin: false, credential });
            service.call(request).await.map(IntoResponse::into_response)
        };

        let response = call(user.id()).await.unwrap();
        assert_eq!(response.status().as_u16(), 200);
        assert!(operation.statuses().any(|status| status == 200));
        let body = response.into_body().into_vec().await.unwrap();
        assert_eq!(serde_json::from_slice::<Value>(&body).unwrap(), json!({"count": 1}));

        let rejected = call(other.id()).await.unwrap_err();
        assert_eq!(rejected.downcast_ref::<ApiError>().unwrap().code, ErrorCode::BucketlistNotFound);
    }
}
