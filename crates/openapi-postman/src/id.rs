//! Stable IDs, derived from names: a change of one item does not change the IDs of others.

use uuid::Uuid;

/// Returns the ID of the collection, folder or item at this path of names.
pub(super) fn id(names: &[&str]) -> String {
    let root = Uuid::new_v5(&Uuid::NAMESPACE_URL, b"https://schema.getpostman.com/json/collection/v2.1.0");
    names.iter().fold(root, |parent, name| Uuid::new_v5(&parent, name.as_bytes())).to_string()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn id_depends_only_on_the_names() {
        assert_eq!(id(&["Projects", "v1", "login"]), id(&["Projects", "v1", "login"]));
        let others = [&["Projects", "v2", "login"][..], &["Projects", "v1"], &["Projects", "v1login"]];
        assert!(others.iter().all(|names| id(names) != id(&["Projects", "v1", "login"])));
        // Postman identifies imported requests by their IDs.
        assert_eq!(Uuid::parse_str(&id(&["Projects"])).map(|id| id.get_version_num()), Ok(5));
    }
}
