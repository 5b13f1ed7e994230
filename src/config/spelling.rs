//! Finds variables whose names are probably misspelled.

use super::{
    Variables,
    variables::{ALL, find},
};

/// Returns names that are probably misspelled variables, each with the variable that was probably intended.
///
/// Names of fewer than six letters are left out: too many of them are similar by chance.
pub(crate) fn misspelled(variables: &Variables) -> impl Iterator<Item = (&str, &'static str)> {
    variables.keys().filter(|name| name.len() >= 6 && find(name).is_none()).filter_map(|name| {
        let similar = ALL.iter().find(|variable| strsim::damerau_levenshtein(name, variable.name) <= 2)?;
        Some((name.as_str(), similar.name))
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn similar_names_are_reported_and_known_or_unrelated_ones_are_not() {
        let names =
            ["DATABSE_URL", "DATABASE_URLS", "JWT_SECERT", "DATABASE_URL", "PATH", "HOSTNAME", "PGPASSWORD", "PORTS"];
        let variables: Variables = names.iter().map(|name| ((*name).to_owned(), String::new())).collect();
        let found: Vec<(&str, &str)> = misspelled(&variables).collect();
        assert_eq!(
            found,
            [("DATABASE_URLS", "DATABASE_URL"), ("DATABSE_URL", "DATABASE_URL"), ("JWT_SECERT", "JWT_SECRET")]
        );
    }
}
