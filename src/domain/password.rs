//! What a password must be. Following NIST SP 800-63B and OWASP ASVS 6.2: long, not common, not the address; no rules about
//! which characters.

/// The policy.
#[derive(Clone, Copy, Debug)]
pub struct PasswordPolicy {
    /// How many characters at least; never under 8.
    pub min_length: usize,
}

/// How many characters at most: hashing must have a bound.
const MAX_LENGTH: usize = 128;

/// Why a password is refused.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum PasswordProblem {
    /// Too few characters.
    #[error("must have at least {0} characters")]
    TooShort(usize),
    /// Too many characters.
    #[error("must have at most {MAX_LENGTH} characters")]
    TooLong,
    /// In the list of common passwords, or made of words of this house.
    #[error("is one of the most common passwords, or the name of this service")]
    TooCommon,
    /// The same as the email address.
    #[error("must not be the email address")]
    IsEmail,
}

impl PasswordProblem {
    /// The code as it travels.
    #[must_use]
    pub const fn code(&self) -> &'static str {
        match self {
            Self::TooShort(_) => "TOO_SHORT",
            Self::TooLong => "TOO_LONG",
            Self::TooCommon => "TOO_COMMON",
            Self::IsEmail => "IS_EMAIL",
        }
    }
}

/// Words of this house, which whoever guesses at its accounts tries first; with whatever digits and signs around them.
const OWN_WORDS: [&str; 6] = ["api", "bucket", "bucketlist", "bucketlists", "list", "lists"];

/// The 20,000 most common passwords as Django's validator ships them (BSD-3-Clause), those of 8 characters and more, in
/// lower case and sorted by bytes.
static COMMON: &str = include_str!("common_passwords.txt");

impl PasswordPolicy {
    /// Everything that is wrong with a password for the account of `email_key`.
    #[must_use]
    pub fn problems(&self, password: &str, email_key: &str) -> Vec<PasswordProblem> {
        let length = password.chars().count();
        let lower = password.to_lowercase();
        let is_email = lower == email_key || email_key.rsplit_once('@').is_some_and(|(local, _)| local == lower);
        let problems = [
            (length < self.min_length, PasswordProblem::TooShort(self.min_length)),
            (length > MAX_LENGTH, PasswordProblem::TooLong),
            (is_email, PasswordProblem::IsEmail),
            (is_common_password(&lower) || is_of_own_words(&lower), PasswordProblem::TooCommon),
        ];
        problems.into_iter().filter(|(is_so, _)| *is_so).map(|(_, problem)| problem).collect()
    }
}

/// Whether a password, in lower case, is nothing but words of this house and what is no letter.
fn is_of_own_words(password: &str) -> bool {
    let mut words = password.split(|c: char| !c.is_alphabetic()).filter(|word| !word.is_empty()).peekable();
    words.peek().is_some() && words.all(|word| OWN_WORDS.contains(&word))
}

/// The common passwords, in lower case.
pub fn common_passwords() -> impl Iterator<Item = &'static str> {
    COMMON.lines()
}

/// Whether a password, in lower case, is a common one.
///
/// Searches the sorted lines by halves, so that the list costs no memory of its own. In bytes: the middle may be inside a
/// character.
#[must_use]
pub fn is_common_password(password: &str) -> bool {
    let list = COMMON.as_bytes();
    let (mut low, mut high) = (0, list.len());
    while low < high {
        let middle = low.midpoint(high);
        let start = list[..middle].iter().rposition(|byte| *byte == b'\n').map_or(0, |at| at + 1);
        let end = list[start..].iter().position(|byte| *byte == b'\n').map_or(list.len(), |at| start + at);
        match list[start..end].cmp(password.as_bytes()) {
            std::cmp::Ordering::Equal => return true,
            std::cmp::Ordering::Less => low = end + 1,
            std::cmp::Ordering::Greater => high = start,
        }
    }
    false
}

#[cfg(test)]
mod tests {
    use super::*;

    const POLICY: PasswordPolicy = PasswordPolicy { min_length: 8 };

    #[test]
    fn every_listed_password_is_found_and_the_list_is_sorted() {
        let lines: Vec<&str> = COMMON.lines().collect();
        assert!(lines.len() > 5_000);
        assert!(lines.is_sorted());
        assert!(lines.iter().all(|line| is_common_password(line)));
    }

    #[test]
    fn passwords_are_judged() {
        for (password, verdict) in [
            ("harbour-lantern-42", vec![]),
            ("pässwörter  ☃ 😀", vec![]),
            ("short", vec![PasswordProblem::TooShort(8)]),
            ("Password123", vec![PasswordProblem::TooCommon]),
            ("12345678", vec![PasswordProblem::TooCommon]),
            ("BucketList2026!", vec![PasswordProblem::TooCommon]),
            ("bucket-list-api", vec![PasswordProblem::TooCommon]),
            ("my bucketlist of 2026", vec![]),
            ("#4711-0815#", vec![]),
            ("Demo-User@Example.com", vec![PasswordProblem::IsEmail]),
            ("demo-user", vec![PasswordProblem::IsEmail]),
            (&"x".repeat(129), vec![PasswordProblem::TooLong]),
            (&"é".repeat(128), vec![]),
            // The list ends with words in other scripts; halving it comes to lie inside their characters.
            ("їїїїїїїї", vec![]),
            ("☃ snowmen ☃", vec![]),
            ("😀😀😀😀😀😀😀😀", vec![]),
        ] {
            assert_eq!(POLICY.problems(password, "demo-user@example.com"), verdict, "{password}");
        }
        let strict = PasswordPolicy { min_length: 15 };
        let both = [PasswordProblem::TooShort(15), PasswordProblem::TooCommon];
        assert_eq!(strict.problems("password123", "a@b.c"), both, "all at once");
        assert_eq!(strict.problems("harbour-42-x", "a@b.c"), vec![PasswordProblem::TooShort(15)]);
    }
}
