use endpoints::endpoints;
use poem_openapi::payload::PlainText;

#[endpoints(ItemRoutes)]
trait ItemEndpoints: Send + Sync + 'static {
    /// Count open items
    #[oai(path = "/open-items", method = "get", operation_id = "countOpenItems")]
    async fn count_open(&self) -> PlainText<String>;
}

struct Items;

impl ItemEndpoints for Items {}

fn main() {}
