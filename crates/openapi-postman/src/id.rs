//! Ids that stay: made from names, so that two runs agree and a change elsewhere changes none of them.

use uuid::Uuid;

/// The id of what these names lead to: a collection, a folder in it, an item in that.
pub(super) fn id(names: &[&str]) -> String {
    let root = Uuid::new_v5(&Uuid::NAMESPACE_URL, b"https://schema.getpostman.com/json/collection/v2.1.0");
    names.iter().fold(root, |parent, name| Uuid::new_v5(&parent, name.as_bytes())).to_string()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_id_says_where_it_is_and_nothing_else() {
        assert_eq!(id(&["BucketList", "v1", "login"]), id(&["BucketList", "v1", "login"]));
        let others = [&["BucketList", "v2", "login"][..], &["BucketList", "v1"], &["BucketList", "v1login"]];
        assert!(others.iter().all(|names| id(names) != id(&["BucketList", "v1", "login"])));
        // Written down: an id that changed would be a new request to whoever imported the old one.
        assert_eq!(Uuid::parse_str(&id(&["BucketList"])).map(|id| id.get_version_num()), Ok(5));
    }
}
