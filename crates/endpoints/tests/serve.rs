//! One trait with two implementations, and its document.
#![allow(clippy::unwrap_used, reason = "a test may fail by panicking")]

use std::sync::Mutex;

use endpoints::endpoints;
use poem::{
    http::StatusCode,
    test::{TestClient, TestResponse},
};
use poem_openapi::{
    ApiResponse, Object, OpenApiService, Tags,
    param::{Path, Query},
    payload::Json,
};
use serde_json::{Value, json};

#[derive(Tags)]
enum Tag {
    /// Widgets.
    Widgets,
}

#[derive(Clone, Debug, Object)]
struct Widget {
    id: u32,
    name: String,
}

#[derive(ApiResponse)]
enum GetWidget {
    /// The widget.
    #[oai(status = 200)]
    Found(Json<Widget>),
    /// The widget does not exist.
    #[oai(status = 404)]
    NotFound,
}

#[derive(ApiResponse)]
enum CreateWidget {
    /// The created widget.
    #[oai(status = 201)]
    Created(Json<Widget>),
}

#[derive(Debug, PartialEq)]
struct Operation {
    id: &'static str,
    method: &'static str,
    path: &'static str,
    errors: &'static [u16],
    deprecated: Option<(&'static str, &'static str)>,
    arguments: usize,
    calls: usize,
}

impl Operation {
    const fn new(id: &'static str, method: &'static str, path: &'static str) -> Self {
        Self { id, method, path, errors: &[], deprecated: None, arguments: 0, calls: 0 }
    }

    // The macro names the type of each argument.
    #[allow(clippy::extra_unused_type_parameters)]
    const fn argument<T>(mut self) -> Self {
        self.arguments += 1;
        self
    }

    const fn errors(mut self, errors: &'static [u16]) -> Self {
        self.errors = errors;
        self.calls += 1;
        self
    }

    const fn deprecated(mut self, since: &'static str, sunset: &'static str) -> Self {
        self.deprecated = Some((since, sunset));
        self.calls += 1;
        self
    }

    /// Clears the errors of earlier calls, to test the order.
    const fn clear_errors(mut self) -> Self {
        self.errors = &[];
        self.calls += 1;
        self
    }
}

const GONE: u16 = 410;

#[endpoints(WidgetRoutes, operation = "Operation", prefix_path = "/widgets", tag = "Tag::Widgets")]
trait WidgetEndpoints: Send + Sync + 'static {
    /// Retrieve a widget
    ///
    /// Returns one widget
    /// with its name.
    #[oai(path = "/:widget_id", method = "get", operation_id = "getWidget")]
    #[operation(errors(&[404, GONE]), deprecated("2026-01-01", "2027-01-01"))]
    async fn get(
        &self,
        /// ID of the widget.
        widget_id: Path<u32>,
        /// Returns the name in upper case.
        #[oai(default, name = "loud")]
        uppercase: Query<bool>,
    ) -> GetWidget;

    /// Create a widget
    #[oai(path = "/", method = "post", operation_id = "createWidget")]
    async fn create(
        &self,
        /// Name of the widget.
        #[oai(validator(min_length = 2))]
        name: Query<String>,
    ) -> poem::Result<CreateWidget>;
}

/// Stores widgets in memory.
#[derive(Debug, Default)]
struct InMemory(Mutex<Vec<Widget>>);

impl WidgetEndpoints for InMemory {
    async fn get(&self, Path(id): Path<u32>, Query(loud): Query<bool>) -> GetWidget {
        let found = self.0.lock().unwrap().iter().find(|w| w.id == id).cloned();
        // The future must also be `Send` across an await.
        tokio::task::yield_now().await;
        let Some(mut widget) = found else {
            return GetWidget::NotFound;
        };
        if loud {
            widget.name = widget.name.to_uppercase();
        }
        GetWidget::Found(Json(widget))
    }

    async fn create(&self, Query(name): Query<String>) -> poem::Result<CreateWidget> {
        let mut widgets = self.0.lock().unwrap();
        let id = u32::try_from(widgets.len()).unwrap() + 1;
        widgets.push(Widget { id, name });
        Ok(CreateWidget::Created(Json(widgets.last().unwrap().clone())))
    }
}

/// Returns a widget for every ID, and rejects new ones.
struct Catalogue(&'static str);

impl WidgetEndpoints for Catalogue {
    async fn get(&self, widget_id: Path<u32>, _uppercase: Query<bool>) -> GetWidget {
        let name = format!("{} {}", self.0, widget_id.0);
        GetWidget::Found(Json(Widget { id: widget_id.0, name }))
    }

    async fn create(&self, _name: Query<String>) -> poem::Result<CreateWidget> {
        Err(StatusCode::FORBIDDEN.into())
    }
}

fn client(implementation: impl WidgetEndpoints) -> TestClient<impl poem::Endpoint> {
    let routes = WidgetRoutes(implementation);
    TestClient::new(OpenApiService::new(routes, "Widgets", "1.0"))
}

async fn body(response: TestResponse) -> Value {
    response.json().await.value().deserialize()
}

fn document() -> Value {
    let routes = WidgetRoutes(WidgetEndpointsStub);
    serde_json::from_str(&OpenApiService::new(routes, "Widgets", "1.0").spec()).unwrap()
}

#[tokio::test]
async fn implementation_is_served() {
    let client = client(InMemory::default());

    let created = client.post("/widgets?name=cog").send().await;
    created.assert_status(StatusCode::CREATED);
    assert_eq!(body(created).await, json!({"id": 1, "name": "cog"}));

    let quiet = client.get("/widgets/1").send().await;
    assert_eq!(body(quiet).await, json!({"id": 1, "name": "cog"}));
    let loud = client.get("/widgets/1?loud=true").send().await;
    assert_eq!(body(loud).await, json!({"id": 1, "name": "COG"}));

    let missing = client.get("/widgets/2").send().await;
    missing.assert_status(StatusCode::NOT_FOUND);
}

#[tokio::test]
async fn other_implementation_is_served() {
    let client = client(Catalogue("sprocket"));

    let found = client.get("/widgets/7").send().await;
    assert_eq!(body(found).await, json!({"id": 7, "name": "sprocket 7"}));
    let rejected = client.post("/widgets?name=cog").send().await;
    rejected.assert_status(StatusCode::FORBIDDEN);
}

#[tokio::test]
async fn attributes_of_parameters_are_passed_on() {
    let client = client(InMemory::default());
    let too_short = client.post("/widgets?name=c").send().await;
    too_short.assert_status(StatusCode::BAD_REQUEST);
}

#[test]
fn stub_has_the_complete_document() {
    let document = document();
    let get = &document["paths"]["/widgets/{widget_id}"]["get"];
    assert_eq!(get["operationId"], "getWidget");
    assert_eq!(get["summary"], "Retrieve a widget");
    assert_eq!(get["description"], "Returns one widget\nwith its name.");
    assert_eq!(get["tags"], json!(["Widgets"]));
    assert_eq!(get["parameters"][0]["name"], "widget_id");
    assert_eq!(get["parameters"][0]["description"], "ID of the widget.");
    assert_eq!(get["parameters"][1]["name"], "loud");
    assert_eq!(get["parameters"][1]["description"], "Returns the name in upper case.");

    let create = &document["paths"]["/widgets"]["post"];
    assert_eq!(create["operationId"], "createWidget");
    assert_eq!(create["summary"], "Create a widget");
    assert_eq!(create["description"], Value::Null);
    assert_eq!(create["parameters"][0]["schema"]["minLength"], 2);
}

#[test]
fn document_does_not_depend_on_the_implementation() {
    let implemented = OpenApiService::new(WidgetRoutes(Catalogue("cog")), "Widgets", "1.0");
    let implemented: Value = serde_json::from_str(&implemented.spec()).unwrap();
    assert_eq!(implemented, document());
}

#[test]
fn operations_have_routes_arguments_and_calls() {
    assert_eq!(
        WidgetRoutes::<WidgetEndpointsStub>::OPERATIONS,
        [
            Operation {
                id: "getWidget",
                method: "GET",
                path: "/widgets/{widget_id}",
                errors: &[404, 410],
                deprecated: Some(("2026-01-01", "2027-01-01")),
                arguments: 2,
                calls: 2,
            },
            Operation::new("createWidget", "POST", "/widgets").argument::<Query<String>>(),
        ]
    );
}

/// Several attributes, and the type as a path.
#[endpoints(OrderRoutes, operation = self::Operation)]
trait OrderEndpoints {
    /// Declare errors, then clear them
    #[oai(path = "/a", method = "get", operation_id = "erase")]
    #[operation(errors(&[404]), clear_errors(),)]
    async fn erase(&self) -> CreateWidget;

    /// Clear errors, then declare them
    #[oai(path = "/b", method = "get", operation_id = "declare")]
    #[operation(clear_errors())]
    #[operation(errors(&[404]))]
    async fn declare(&self) -> CreateWidget;
}

#[test]
fn builder_methods_are_called_in_order() {
    let [erase, declare] = OrderRoutes::OPERATIONS.first_chunk().unwrap();
    assert_eq!((erase.errors, erase.calls), (&[][..], 2));
    assert_eq!((declare.errors, declare.calls), (&[404][..], 2));
}

#[tokio::test]
#[should_panic(expected = "`getWidget` was called on a stub")]
async fn stub_panics_with_the_operation() {
    WidgetEndpointsStub.get(Path(1), Query(false)).await;
}

#[tokio::test]
#[should_panic(expected = "`createWidget` was called on a stub")]
async fn served_stub_panics() {
    client(WidgetEndpointsStub).post("/widgets?name=cog").send().await;
}
