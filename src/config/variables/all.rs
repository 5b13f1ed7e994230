//! The variables of all groups.

use super::{
    SERVER, Variable, incidents::INCIDENTS, jobs::JOBS, mail::MAIL, observability::OBSERVABILITY, proxies::PROXIES,
    redis::REDIS, replicas::REPLICAS,
};

/// The groups of variables, in the order of `.env.example`.
const GROUPS: &[&[Variable]] = &[SERVER, PROXIES, REPLICAS, REDIS, MAIL, JOBS, OBSERVABILITY, INCIDENTS];

/// Every environment variable of the server.
pub const ALL: &[Variable] = &join::<{ count() }>();

const fn count() -> usize {
    let (mut count, mut group) = (0, 0);
    while group < GROUPS.len() {
        count += GROUPS[group].len();
        group += 1;
    }
    count
}

const fn join<const COUNT: usize>() -> [Variable; COUNT] {
    let (mut all, mut next, mut group) = ([SERVER[0]; COUNT], 0, 0);
    while group < GROUPS.len() {
        let mut index = 0;
        while index < GROUPS[group].len() {
            all[next] = GROUPS[group][index];
            next += 1;
            index += 1;
        }
        group += 1;
    }
    all
}
