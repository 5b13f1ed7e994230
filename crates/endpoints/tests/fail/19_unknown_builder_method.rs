use endpoints::endpoints;
use poem_openapi::payload::PlainText;

#[derive(Clone, Copy)]
pub struct Operation;

impl Operation {
    const fn new(_id: &'static str, _method: &'static str, _path: &'static str) -> Self {
        Self
    }
    const fn argument<T>(self) -> Self {
        self
    }
    const fn errors(self, _errors: &'static [u16]) -> Self {
        self
    }
}

#[endpoints(WidgetRoutes, operation = "Operation")]
pub trait WidgetEndpoints {
    /// Retrieve
    #[oai(path = "/", method = "get", operation_id = "getWidget")]
    #[operation(errors(&["404"]))]
    async fn get(&self) -> PlainText<String>;

    /// Create
    #[oai(path = "/", method = "post", operation_id = "createWidget")]
    #[operation(mistakes(&[404]))]
    async fn create(&self) -> PlainText<String>;
}

fn main() {}
