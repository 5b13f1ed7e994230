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
    /// In the list of common passwords.
    #[error("is one of the most common passwords")]
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

/// The 20,000 most common passwords as Django's validator ships them (BSD-3-Clause), those of 8 characters and more, in
/// lower case and sorted by bytes.
static COMMON: &str = include_str!("common_passwords.txt");

impl PasswordPolicy {
    /// Checks a password for the account of `email_key`.
    ///
    /// # Errors
    /// The first problem found.
    pub fn check(&self, password: &str, email_key: &str) -> Result<(), PasswordProblem> {
        let length = password.chars().count();
        let lower = password.to_lowercase();
        if length < self.min_length {
            Err(PasswordProblem::TooShort(self.min_length))
        } else if length > MAX_LENGTH {
            Err(PasswordProblem::TooLong)
        } else if lower == email_key || email_key.rsplit_once('@').is_some_and(|(local, _)| local == lower) {
            Err(PasswordProblem::IsEmail)
        } else if is_common(&lower) {
            Err(PasswordProblem::TooCommon)
        } else {
            Ok(())
        }
    }
}

/// Searches the sorted lines by halves, so that the list costs no memory of its own. In bytes: the middle may be inside a
/// character.
fn is_common(password: &str) -> bool {
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
        assert!(lines.iter().all(|line| is_common(line)));
    }

    #[test]
    fn passwords_are_judged() {
        for (password, verdict) in [
            ("harbour-lantern-42", Ok(())),
            ("pässwörter  ☃ 😀", Ok(())),
            ("short", Err(PasswordProblem::TooShort(8))),
            ("Password123", Err(PasswordProblem::TooCommon)),
            ("12345678", Err(PasswordProblem::TooCommon)),
            ("Demo-User@Example.com", Err(PasswordProblem::IsEmail)),
            ("demo-user", Err(PasswordProblem::IsEmail)),
            (&"x".repeat(129), Err(PasswordProblem::TooLong)),
            (&"é".repeat(128), Ok(())),
            // The list ends with words in other scripts; halving it comes to lie inside their characters.
            ("їїїїїїїї", Ok(())),
            ("☃ snowmen ☃", Ok(())),
            ("😀😀😀😀😀😀😀😀", Ok(())),
        ] {
            assert_eq!(POLICY.check(password, "demo-user@example.com"), verdict, "{password}");
        }
        let strict = PasswordPolicy { min_length: 15 };
        assert_eq!(strict.check("harbour-42-x", "a@b.c"), Err(PasswordProblem::TooShort(15)));
    }
}
