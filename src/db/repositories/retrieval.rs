//! Retrieves bucketlists and items. On PostgreSQL, a statement can retrieve those of several requests.

use std::collections::HashMap;

use super::prelude::*;
use super::{
    array_statement::extended,
    bucketlists::{self, BucketlistRow},
    items::{self, ItemRow},
};
use crate::{
    db::{
        BatchableWork, DbConnection,
        schema::{bucketlists as bucketlists_table, items as items_table},
    },
    domain::{Bucketlist, BucketlistId, Item, ItemId, ItemScope, UserId},
};

/// Retrieves a bucketlist. The output is `None` if `owner` has no such bucketlist.
#[derive(Clone, Copy, Debug)]
pub struct RetrieveBucketlist {
    pub owner: UserId,
    pub id: BucketlistId,
}

/// Retrieves an item. The output is `None` if the bucketlist of `scope` has no such item.
#[derive(Clone, Copy, Debug)]
pub struct RetrieveItem {
    pub scope: ItemScope,
    pub id: ItemId,
}

impl BatchableWork for RetrieveBucketlist {
    type Output = Option<Bucketlist>;

    fn run(&self, c: &mut DbConnection) -> QueryResult<Self::Output> {
        bucketlists::find(c, self.owner, self.id)
    }

    fn run_all(works: &[&Self], c: &mut DbConnection) -> QueryResult<Vec<Option<Self::Output>>> {
        let (DbConnection::Postgres(c), [_, _, ..]) = (&mut *c, works) else {
            return works.iter().map(|work| work.run(c).map(Some)).collect();
        };
        let ids = extended(works.iter().map(|work| work.id.get()));
        let rows: Vec<(i64, BucketlistRow)> = bucketlists_table::table
            .filter(bucketlists_table::id.eq_any(ids))
            .select((bucketlists_table::user_id, BucketlistRow::as_select()))
            .load(c)?;
        let lists: HashMap<(UserId, BucketlistId), Bucketlist> = rows
            .into_iter()
            .map(|(owner, row)| (UserId::new(owner), Bucketlist::from(row)))
            .map(|(owner, list)| ((owner, list.id), list))
            .collect();
        Ok(works.iter().map(|work| Some(lists.get(&(work.owner, work.id)).cloned())).collect())
    }
}

impl BatchableWork for RetrieveItem {
    type Output = Option<Item>;

    fn run(&self, c: &mut DbConnection) -> QueryResult<Self::Output> {
        items::find(c, self.scope, self.id)
    }

    fn run_all(works: &[&Self], c: &mut DbConnection) -> QueryResult<Vec<Option<Self::Output>>> {
        let (DbConnection::Postgres(c), [_, _, ..]) = (&mut *c, works) else {
            return works.iter().map(|work| work.run(c).map(Some)).collect();
        };
        let ids = extended(works.iter().map(|work| work.id.get()));
        let rows: Vec<(i64, ItemRow)> = items_table::table
            .inner_join(bucketlists_table::table)
            .filter(items_table::id.eq_any(ids))
            .select((bucketlists_table::user_id, ItemRow::as_select()))
            .load(c)?;
        let items: HashMap<(UserId, BucketlistId, ItemId), Item> = rows
            .into_iter()
            .map(|(owner, row)| (UserId::new(owner), Item::from(row)))
            .map(|(owner, item)| ((owner, item.bucketlist_id, item.id), item))
            .collect();
        let find = |work: &&Self| items.get(&(work.scope.owner, work.scope.bucketlist_id, work.id)).cloned();
        Ok(works.iter().map(|work| Some(find(work))).collect())
    }
}
