//! v1 over the services.

mod auth;
mod bucketlists;
mod items;
mod pages;
mod users;

use contract::v1::endpoints::{AuthRoutes, BucketlistRoutes, ItemRoutes, UserRoutes};
use poem_openapi::OpenApiService;

pub use auth::Auth;
pub use bucketlists::BucketlistLists;
pub use items::ItemLists;
pub use users::UserAccounts;

use crate::services::Services;

/// All of v1.
pub type Api = (AuthRoutes<Auth>, UserRoutes<UserAccounts>, BucketlistRoutes<BucketlistLists>, ItemRoutes<ItemLists>);

/// v1 as a service to be nested at `/v1`.
#[must_use]
pub fn service(services: &Services) -> OpenApiService<Api, ()> {
    let api = (
        AuthRoutes(Auth(services.accounts.clone())),
        UserRoutes(UserAccounts(services.users.clone())),
        BucketlistRoutes(BucketlistLists(services.bucketlists.clone())),
        ItemRoutes(ItemLists(services.items.clone())),
    );
    OpenApiService::new(api, "BucketList API", "1.0.0")
}
