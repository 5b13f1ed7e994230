//! Themes of generated lists. No name ends in a number, because numbers distinguish lists with the same theme.

/// The topic of an item.
#[derive(Clone, Copy, Debug)]
pub(super) enum Topic {
    Travel,
    Learn,
    Cook,
    Read,
    Build,
    Move,
    Quest,
}

/// The name of a list and the topics of its items.
pub(super) struct Theme {
    pub(super) name: &'static str,
    pub(super) topics: &'static [Topic],
}

const fn theme(name: &'static str, topics: &'static [Topic]) -> Theme {
    Theme { name, topics }
}

use Topic::{Build, Cook, Learn, Move, Quest, Read, Travel};

pub(super) const THEMES: &[Theme] = &[
    theme("A life well traveled", &[Travel]),
    theme("A shelf of my own", &[Read]),
    theme("A year without excuses", &[Learn, Move, Quest]),
    theme("Around the table", &[Cook]),
    theme("Before I am old", &[Travel, Learn, Quest]),
    theme("Books and journeys", &[Read, Travel]),
    theme("Brave things", &[Quest, Move]),
    theme("Classics I pretend to know", &[Read]),
    theme("Cooking around the globe", &[Cook, Travel]),
    theme("Evenings well spent", &[Read, Cook, Learn]),
    theme("Far from home", &[Travel]),
    theme("Fit again", &[Move]),
    theme("For the grandchildren", &[Build, Learn, Quest]),
    theme("Garden and house", &[Build]),
    theme("Good with my hands", &[Build, Learn]),
    theme("Islands and mountains", &[Travel, Move]),
    theme("Kitchen adventures", &[Cook, Learn]),
    theme("Long walks and longer books", &[Move, Read]),
    theme("New skills", &[Learn]),
    theme("Once in a lifetime", &[Travel, Quest]),
    theme("Out of the armchair", &[Move, Travel]),
    theme("Small courage", &[Quest]),
    theme("Someday", &[Travel, Learn, Cook, Read, Build, Move, Quest]),
    theme("The big list", &[Travel, Learn, Cook, Read, Build, Move, Quest]),
    theme("The workshop", &[Build]),
    theme("Things to learn", &[Learn]),
    theme("Things to try together", &[Cook, Quest, Learn]),
    theme("Weekends away", &[Travel, Move]),
    theme("When the children are grown", &[Travel, Learn, Build]),
    theme("With friends", &[Quest, Cook, Travel]),
];

pub(super) const LIST_DESCRIPTIONS: &[&str] = &[
    "A few of these every year.",
    "Begun on a rainy Sunday.",
    "For the two of us.",
    "In no order at all.",
    "It only counts with a photograph.",
    "No hurry, but no excuses either.",
    "Nothing here costs much.",
    "Once is enough.",
    "Promised on New Year's Eve.",
    "The ones I would regret.",
    "To be read aloud once a year.",
    "Whatever is left goes to next year.",
];

#[cfg(test)]
mod tests {
    use std::collections::HashSet;

    use super::*;

    #[test]
    fn theme_names_are_unique_and_do_not_end_in_numbers() {
        for theme in THEMES {
            let ends_in_digit = theme.name.ends_with(|last: char| last.is_ascii_digit());
            assert!(!ends_in_digit && !theme.topics.is_empty(), "{}", theme.name);
        }
        let names: HashSet<&str> = THEMES.iter().map(|theme| theme.name).collect();
        assert_eq!(names.len(), THEMES.len());
    }
}
