//! Version 1 of the API: implements its endpoint traits with the services.

mod auth;
mod bucketlists;
mod items;
mod pages;
mod users;

use contract::v1;
use poem_openapi::{OpenApi, OpenApiService};

pub use auth::AuthApi;
pub use bucketlists::BucketlistApi;
pub use items::ItemApi;
pub use users::UserApi;

use crate::services::Services;

/// Creates the service to nest at `/v1`.
#[must_use]
pub fn service(services: &Services) -> OpenApiService<impl OpenApi + 'static, ()> {
    let api = v1::document::Api {
        auth: AuthApi(services.accounts.clone()),
        users: UserApi(services.users.clone()),
        bucketlists: BucketlistApi(services.bucketlists.clone()),
        items: ItemApi(services.items.clone()),
    };
    api.into_service()
}
