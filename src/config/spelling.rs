//! Finds variables whose names are probably misspelled.

use super::{
    Variables,
    variables::{ALL, find},
};

/// A prefix that users add by mistake, because many servers name their variables like this.
const PREFIX: &str = "BUCKETLIST_";
/// Names of at least this length may differ by two edits; shorter ones only by two swapped letters, because many are similar by chance.
const MIN_LENGTH_FOR_EDITS: usize = 6;

/// Returns names that are probably misspelled variables, each with the variable that was probably intended.
pub(crate) fn misspelled(variables: &Variables) -> impl Iterator<Item = (&str, &'static str)> {
    let unknown = variables.iter().filter(|(name, _)| find(name).is_none());
    unknown.filter_map(|(name, value)| Some((name.as_str(), intended(name, value)?)))
}

fn intended(name: &str, value: &str) -> Option<&'static str> {
    // Names are in capitals. Other programs have their own in lower case, such as `http_proxy`.
    if let Some(known) = find(&name.to_ascii_uppercase()) {
        return Some(known.name);
    }
    if let Some(known) = name.strip_prefix(PREFIX).and_then(find) {
        // Kubernetes sets BUCKETLIST_PORT=tcp://… for a service with this name.
        return (!value.contains("://") || known.name != "PORT").then_some(known.name);
    }
    ALL.iter().map(|variable| variable.name).find(|known| is_similar(name, known))
}

fn is_similar(name: &str, known: &str) -> bool {
    let distance = strsim::damerau_levenshtein(name, known);
    if name.len() >= MIN_LENGTH_FOR_EDITS {
        return distance <= 2;
    }
    let sorted = |text: &str| {
        let mut letters = text.as_bytes().to_vec();
        letters.sort_unstable();
        letters
    };
    // Two letters are swapped.
    distance == 1 && sorted(name) == sorted(known)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn similar_names_are_reported_and_known_or_unrelated_ones_are_not() {
        let names = [
            "DATABSE_URL",
            "DATABASE_URLS",
            "JWT_SECERT",
            "PROT",
            "BUCKETLIST_PORT",
            "BUCKETLIST_JWT_SECRET",
            "DATABASE_URL",
            "PATH",
            "HOSTNAME",
            "PGPASSWORD",
            "PORTS",
            "POST",
            "HOSTS",
            "BUCKETLIST_SERVICE_HOST",
            "port",
            "Database_Url",
            "http_proxy",
        ];
        let variables: Variables = names.iter().map(|name| ((*name).to_owned(), String::new())).collect();
        let found: Vec<(&str, &str)> = misspelled(&variables).collect();
        assert_eq!(
            found,
            [
                ("BUCKETLIST_JWT_SECRET", "JWT_SECRET"),
                ("BUCKETLIST_PORT", "PORT"),
                ("DATABASE_URLS", "DATABASE_URL"),
                ("DATABSE_URL", "DATABASE_URL"),
                ("Database_Url", "DATABASE_URL"),
                ("JWT_SECERT", "JWT_SECRET"),
                ("PROT", "PORT"),
                ("port", "PORT")
            ]
        );
        let service = Variables::from([("BUCKETLIST_PORT".to_owned(), "tcp://10.0.0.7:8000".to_owned())]);
        assert_eq!(misspelled(&service).count(), 0);
    }
}
