use endpoints::endpoints;
use poem_openapi::payload::PlainText;

#[endpoints(WidgetRoutes)]
trait WidgetEndpoints {
    /// Without a path.
    #[oai(method = "get", operation_id = "a")]
    async fn a(&self) -> PlainText<String>;

    /// Without a method.
    #[oai(path = "/b", operation_id = "b", tag = "Tag::B", response_header(name = "X", ty = "u8"))]
    async fn b(&self) -> PlainText<String>;

    /// Without an operation id.
    #[oai(path = "/c", method = "get", deprecated)]
    async fn c(&self) -> PlainText<String>;

    /// Without arguments
    #[oai]
    async fn d(&self) -> PlainText<String>;

    /// With an empty operation id.
    #[oai(path = "/e", method = "get", operation_id = "")]
    async fn e(&self) -> PlainText<String>;
}

fn main() {}
