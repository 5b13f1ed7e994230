use endpoints::endpoints;
use poem_openapi::payload::PlainText;

#[endpoints(WidgetRoutes)]
trait WidgetEndpoints: Sized {
    /// Without self.
    #[oai(path = "/a", method = "get", operation_id = "a")]
    async fn a() -> PlainText<String>;

    /// With self by value.
    #[oai(path = "/b", method = "get", operation_id = "b")]
    async fn b(self) -> PlainText<String>;

    /// With self by mutable reference.
    #[oai(path = "/c", method = "get", operation_id = "c")]
    async fn c(&mut self) -> PlainText<String>;

    /// With self in a box.
    #[oai(path = "/d", method = "get", operation_id = "d")]
    async fn d(self: Box<Self>) -> PlainText<String>;
}

fn main() {}
