//! Bucketlists.

use contract::{
    ApiError, Json, User,
    v1::{
        endpoints::{BucketlistCreated, BucketlistDeleted, BucketlistEndpoints, Bucketlists as Answer, OneBucketlist},
        schemas::{Bucketlist, BucketlistCreate, BucketlistPage, BucketlistReplace},
    },
    values::{Id, Nullable, SearchText, Timestamp},
};
use poem_openapi::param::{Path, Query};

use super::pages;
use crate::{
    db::repositories::bucketlists::BucketlistRow,
    services::{BucketlistContent, Bucketlists, Precondition},
};

/// `/v1/bucketlists` over the bucketlists.
pub struct BucketlistLists(pub Bucketlists);

impl BucketlistEndpoints for BucketlistLists {
    async fn list(
        &self,
        User(caller): User,
        page: Query<i32>,
        per_page: Query<i32>,
        q: Query<Option<SearchText>>,
    ) -> Result<Answer, ApiError> {
        let request = pages::request(page.0, per_page.0, q.0);
        let found = self.0.list(caller.user_id, request.clone()).await?;
        let (meta, links) = pages::frame("/v1/bucketlists", &request, found.total);
        let data = found.rows.into_iter().map(bucketlist).collect();
        Ok(Answer::Ok(Json(BucketlistPage { data, meta, links })))
    }

    async fn create(
        &self,
        User(caller): User,
        Json(body): Json<BucketlistCreate>,
    ) -> Result<BucketlistCreated, ApiError> {
        let content = BucketlistContent { name: body.name, description: body.description };
        let row = self.0.create(caller.user_id, content, None).await?.value;
        let location = format!("/v1/bucketlists/{}", row.id);
        Ok(BucketlistCreated::Created(Json(bucketlist(row)), location))
    }

    async fn get(&self, User(caller): User, Path(Id(id)): Path<Id>) -> Result<OneBucketlist, ApiError> {
        Ok(OneBucketlist::Ok(Json(bucketlist(self.0.get(caller.user_id, id).await?))))
    }

    async fn replace(
        &self,
        User(caller): User,
        Path(Id(id)): Path<Id>,
        Json(body): Json<BucketlistReplace>,
    ) -> Result<OneBucketlist, ApiError> {
        let content = BucketlistContent { name: body.name, description: body.description };
        let row = self.0.replace(caller.user_id, id, content, Precondition::None).await?;
        Ok(OneBucketlist::Ok(Json(bucketlist(row))))
    }

    async fn delete(&self, User(caller): User, Path(Id(id)): Path<Id>) -> Result<BucketlistDeleted, ApiError> {
        self.0.delete(caller.user_id, id, Precondition::None).await?;
        Ok(BucketlistDeleted::Done)
    }
}

fn bucketlist(row: BucketlistRow) -> Bucketlist {
    Bucketlist {
        id: Id(row.id),
        name: row.name,
        description: Nullable(row.description),
        items_total: row.items_total,
        items_done: row.items_done,
        created_at: Timestamp::from_micros(row.created_at),
        updated_at: Timestamp::from_micros(row.updated_at),
    }
}
