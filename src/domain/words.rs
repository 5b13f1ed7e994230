//! Enums that are stored and shown as a fixed set of words.

/// A stored or received word that is not in the set.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("unknown {kind} `{word}`")]
pub struct UnknownWord {
    kind: &'static str,
    word: String,
}

impl UnknownWord {
    pub(super) fn new(kind: &'static str, word: &str) -> Self {
        Self { kind, word: word.to_owned() }
    }
}

/// Declares an enum together with the words of its variants.
macro_rules! words {
    ($(#[$attribute:meta])* $name:ident { $($(#[doc = $doc:literal])+ $variant:ident $word:literal)+ }) => {
        $(#[$attribute])*
        #[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, serde::Serialize, serde::Deserialize)]
        pub enum $name { $($(#[doc = $doc])+ #[serde(rename = $word)] $variant),+ }

        impl $name {
            /// All variants.
            pub const ALL: &'static [Self] = &[$(Self::$variant),+];

            /// Returns the name that is stored and sent.
            #[must_use]
            pub const fn as_str(self) -> &'static str {
                match self { $(Self::$variant => $word),+ }
            }
        }

        impl std::fmt::Display for $name {
            fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                f.write_str(self.as_str())
            }
        }

        impl std::str::FromStr for $name {
            type Err = $crate::domain::UnknownWord;

            fn from_str(word: &str) -> Result<Self, Self::Err> {
                let found = Self::ALL.iter().copied().find(|variant| variant.as_str() == word);
                found.ok_or_else(|| $crate::domain::UnknownWord::new(stringify!($name), word))
            }
        }

        impl TryFrom<String> for $name {
            type Error = $crate::domain::UnknownWord;

            fn try_from(word: String) -> Result<Self, Self::Error> {
                word.parse()
            }
        }
    };
}

pub(super) use words;
