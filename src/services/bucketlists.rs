//! Bucketlists of their owners.

use std::sync::Arc;

use super::{Context, Error, Missing, PageRequest};
use crate::{
    db::repositories::{
        Counted,
        bucketlists::{self, BucketlistRow, NewBucketlist, Replacement},
    },
    domain::search_text,
};

/// Bucketlists of their owners.
#[derive(Clone)]
pub struct Bucketlists(pub(super) Arc<Context>);

/// What an owner says of a bucketlist.
#[derive(Clone, Debug)]
pub struct BucketlistContent {
    pub name: String,
    pub description: Option<String>,
}

impl Bucketlists {
    /// A page of the owner's bucketlists.
    ///
    /// # Errors
    /// Only when the database fails.
    pub async fn list(&self, owner: i64, request: PageRequest) -> Result<Counted<BucketlistRow>, Error> {
        let (slice, pattern) = (request.slice(), request.pattern());
        self.0.db.snapshot(move |c| bucketlists::page(c, owner, pattern.as_deref(), slice).map_err(Error::from)).await
    }

    /// One bucketlist.
    ///
    /// # Errors
    /// `NotFound(Bucketlist)`.
    pub async fn get(&self, owner: i64, id: i64) -> Result<BucketlistRow, Error> {
        let list = self.0.db.read(move |c| bucketlists::find(c, owner, id).map_err(Error::from)).await?;
        list.ok_or(Error::NotFound(Missing::Bucketlist))
    }

    /// Makes a bucketlist.
    ///
    /// # Errors
    /// `Conflict(BucketlistNameTaken)`.
    pub async fn create(&self, owner: i64, content: BucketlistContent) -> Result<BucketlistRow, Error> {
        let now = self.0.clock.now();
        let list = NewBucketlist {
            user_id: owner,
            search_text: search_text(&content.name, content.description.as_deref()),
            name: content.name,
            description: content.description,
            items_total: 0,
            items_done: 0,
            created_at: now,
            updated_at: now,
        };
        self.0.db.write(move |c| bucketlists::insert(c, &list).map_err(Error::from)).await
    }

    /// Replaces what its owner says of a bucketlist.
    ///
    /// # Errors
    /// `NotFound(Bucketlist)`, `Conflict(BucketlistNameTaken)`.
    pub async fn replace(&self, owner: i64, id: i64, content: BucketlistContent) -> Result<BucketlistRow, Error> {
        let to = Replacement {
            search_text: search_text(&content.name, content.description.as_deref()),
            name: content.name,
            description: content.description,
            updated_at: self.0.clock.now(),
        };
        let list = self.0.db.write(move |c| bucketlists::replace(c, owner, id, &to).map_err(Error::from)).await?;
        list.ok_or(Error::NotFound(Missing::Bucketlist))
    }

    /// Deletes a bucketlist with its items.
    ///
    /// # Errors
    /// `NotFound(Bucketlist)`.
    pub async fn delete(&self, owner: i64, id: i64) -> Result<(), Error> {
        let deleted = self.0.db.write(move |c| bucketlists::delete(c, owner, id).map_err(Error::from)).await?;
        if deleted { Ok(()) } else { Err(Error::NotFound(Missing::Bucketlist)) }
    }
}
