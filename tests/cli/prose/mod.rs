//! Tests of the documentation: everything it names exists ([`references`]), and its language follows
//! `docs/glossary.md` ([`language`]).

mod glossary;
mod language;
mod pages;
mod phrases;
mod references;
mod texts;
