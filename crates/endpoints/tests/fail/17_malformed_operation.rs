use endpoints::endpoints;
use poem_openapi::payload::PlainText;

struct Operation;

#[endpoints(WidgetRoutes, operation = "Operation")]
trait WidgetEndpoints {
    /// Without arguments
    #[oai(path = "/a", method = "get", operation_id = "a")]
    #[operation]
    async fn a(&self) -> PlainText<String>;

    /// Without a call
    #[oai(path = "/b", method = "get", operation_id = "b")]
    #[operation(deprecated)]
    async fn b(&self) -> PlainText<String>;

    /// With an assignment
    #[oai(path = "/c", method = "get", operation_id = "c")]
    #[operation(errors = "404")]
    async fn c(&self) -> PlainText<String>;
}

fn main() {}
