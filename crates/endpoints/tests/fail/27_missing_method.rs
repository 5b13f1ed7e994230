use endpoints::endpoints;
use poem_openapi::payload::PlainText;

#[endpoints(ItemRoutes)]
trait ItemEndpoints: Send + Sync + 'static {
    /// Count what is left to do.
    #[oai(path = "/remaining", method = "get", operation_id = "getRemaining")]
    async fn remaining(&self) -> PlainText<String>;
}

struct Items;

impl ItemEndpoints for Items {}

fn main() {}
