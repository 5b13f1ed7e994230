//! `/v1/bucketlists`.

use contract::{
    ApiError, Json, User,
    responses::NoContent,
    v1::{
        endpoints::{BucketlistEndpoints, Created},
        schemas::{Bucketlist, BucketlistCreate, BucketlistPage, BucketlistReplace},
    },
    values::{Id, Nullable, SearchText, Timestamp},
};
use poem_openapi::param::{Path, Query};

use super::pages;
use crate::{
    domain::{self, BucketlistContent, BucketlistId, UserId},
    services::{Bucketlists, Precondition},
};

/// Implements the endpoints of bucketlists.
pub struct BucketlistApi(pub Bucketlists);

impl BucketlistEndpoints for BucketlistApi {
    async fn list(
        &self,
        User(caller): User,
        page: Query<i32>,
        per_page: Query<i32>,
        q: Query<Option<SearchText>>,
    ) -> Result<Json<BucketlistPage>, ApiError> {
        let query = pages::query(page.0, per_page.0, q.0);
        let page = self.0.list_by_offset(UserId::new(caller.user_id), query.clone()).await?;
        let (meta, links) = pages::meta_and_links("/v1/bucketlists", &query, page.total);
        let data = page.data.into_iter().map(bucketlist).collect();
        Ok(Json(BucketlistPage { data, meta, links }))
    }

    async fn create(
        &self,
        User(caller): User,
        Json(body): Json<BucketlistCreate>,
    ) -> Result<Created<Bucketlist>, ApiError> {
        let content = BucketlistContent { name: body.name, description: body.description };
        let list = self.0.create(UserId::new(caller.user_id), content, None).await?.value.value;
        let location = format!("/v1/bucketlists/{}", list.id);
        Ok(Created::Created(Json(bucketlist(list)), location))
    }

    async fn get(&self, User(caller): User, Path(Id(id)): Path<Id>) -> Result<Json<Bucketlist>, ApiError> {
        let list = self.0.get(UserId::new(caller.user_id), BucketlistId::new(id)).await?;
        Ok(Json(bucketlist(list.value)))
    }

    async fn replace(
        &self,
        User(caller): User,
        Path(Id(id)): Path<Id>,
        Json(body): Json<BucketlistReplace>,
    ) -> Result<Json<Bucketlist>, ApiError> {
        let content = BucketlistContent { name: body.name, description: body.description };
        let (owner, id) = (UserId::new(caller.user_id), BucketlistId::new(id));
        let list = self.0.replace(owner, id, content, Precondition::None).await?;
        Ok(Json(bucketlist(list.value)))
    }

    async fn delete(&self, User(caller): User, Path(Id(id)): Path<Id>) -> Result<NoContent, ApiError> {
        self.0.delete(UserId::new(caller.user_id), BucketlistId::new(id), Precondition::None).await?;
        Ok(NoContent)
    }
}

fn bucketlist(list: domain::Bucketlist) -> Bucketlist {
    Bucketlist {
        id: Id(list.id.get()),
        name: list.name,
        description: Nullable(list.description),
        items_total: list.items_total,
        items_done: list.items_done,
        created_at: Timestamp::from_micros(list.created_at.micros()),
        updated_at: Timestamp::from_micros(list.updated_at.micros()),
    }
}
