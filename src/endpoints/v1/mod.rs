//! Version 1 of the API: implements its endpoint traits with the services.

mod auth;
mod bucketlists;
mod items;
mod pages;
mod users;

use contract::v1::endpoints::{AuthRoutes, BucketlistRoutes, ItemRoutes, UserRoutes};
use poem_openapi::OpenApiService;

pub use auth::AuthApi;
pub use bucketlists::BucketlistApi;
pub use items::ItemApi;
pub use users::UserApi;

use crate::services::Services;

/// The routes of v1.
pub type Api = (AuthRoutes<AuthApi>, UserRoutes<UserApi>, BucketlistRoutes<BucketlistApi>, ItemRoutes<ItemApi>);

/// Creates the service to nest at `/v1`.
#[must_use]
pub fn service(services: &Services) -> OpenApiService<Api, ()> {
    let api = (
        AuthRoutes(AuthApi(services.accounts.clone())),
        UserRoutes(UserApi(services.users.clone())),
        BucketlistRoutes(BucketlistApi(services.bucketlists.clone())),
        ItemRoutes(ItemApi(services.items.clone())),
    );
    OpenApiService::new(api, "BucketList API", "1.0.0")
}
