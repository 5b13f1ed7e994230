//! The password policy, after NIST SP 800-63B and OWASP ASVS 6.2: long, not common, not the email address; no rules about
//! character classes.

/// Requirements on new passwords.
#[derive(Clone, Copy, Debug)]
pub struct PasswordPolicy {
    /// Minimum number of characters; at least 8.
    pub min_length: usize,
}

/// Maximum number of characters, which bounds the cost of hashing.
const MAX_LENGTH: usize = 128;

/// A rule that a password breaks.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum PasswordProblem {
    /// Too few characters.
    #[error("must have at least {0} characters")]
    TooShort(usize),
    /// Too many characters.
    #[error("must have at most {MAX_LENGTH} characters")]
    TooLong,
    /// In the list of common passwords, or composed of words of this service.
    #[error("must not be a common password or consist of the name of this service")]
    TooCommon,
    /// Equal to the email address, or to the part before the `@`.
    #[error("must not be the email address or the part before the `@`")]
    IsEmail,
}

impl PasswordProblem {
    /// Returns the code in error responses.
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

/// Words of this service: the first guesses of an attacker. A password must not consist only of them, digits and symbols.
const SERVICE_WORDS: [&str; 6] = ["api", "bucket", "bucketlist", "bucketlists", "list", "lists"];

/// The 8,359 entries with 8 characters or more of the 20,000 common passwords in Django's `CommonPasswordValidator` (BSD-3-Clause), in
/// lower case and sorted by bytes.
static COMMON: &str = include_str!("common_passwords.txt");

impl PasswordPolicy {
    /// Returns all rules that a password for the account of `email_key` breaks.
    #[must_use]
    pub fn problems(&self, password: &str, email_key: &str) -> Vec<PasswordProblem> {
        let length = password.chars().count();
        let lower = password.to_lowercase();
        let is_email = lower == email_key || email_key.rsplit_once('@').is_some_and(|(local, _)| local == lower);
        let problems = [
            (length < self.min_length, PasswordProblem::TooShort(self.min_length)),
            (length > MAX_LENGTH, PasswordProblem::TooLong),
            (is_email, PasswordProblem::IsEmail),
            (is_common_password(&lower) || consists_of_service_words(&lower), PasswordProblem::TooCommon),
        ];
        problems.into_iter().filter(|(is_broken, _)| *is_broken).map(|(_, problem)| problem).collect()
    }
}

/// Returns whether all letters of a password, in lower case, belong to words of this service.
fn consists_of_service_words(password: &str) -> bool {
    let mut words = password.split(|c: char| !c.is_alphabetic()).filter(|word| !word.is_empty()).peekable();
    words.peek().is_some() && words.all(|word| SERVICE_WORDS.contains(&word))
}

/// Returns the common passwords, in lower case.
pub fn common_passwords() -> impl Iterator<Item = &'static str> {
    COMMON.lines()
}

/// Returns whether a password, in lower case, is a common one.
///
/// A binary search over the sorted lines, so that the list needs no additional memory. It compares bytes, because the middle
/// can be within a character.
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
        assert_eq!(lines.len(), 8_359);
        assert!(lines.is_sorted());
        assert!(lines.iter().all(|line| is_common_password(line)));
    }

    #[test]
    fn all_broken_rules_are_reported() {
        for (password, problems) in [
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
            // The list ends with words in other scripts, whose characters the binary search splits.
            ("їїїїїїїї", vec![]),
            ("☃ snowmen ☃", vec![]),
            ("😀😀😀😀😀😀😀😀", vec![]),
        ] {
            assert_eq!(POLICY.problems(password, "demo-user@example.com"), problems, "{password}");
        }
        let strict = PasswordPolicy { min_length: 15 };
        let both = [PasswordProblem::TooShort(15), PasswordProblem::TooCommon];
        assert_eq!(strict.problems("password123", "a@b.c"), both, "all broken rules");
        assert_eq!(strict.problems("harbour-42-x", "a@b.c"), vec![PasswordProblem::TooShort(15)]);
    }
}
