//! What a collection needs to know and no document says: in which order operations make sense, and what one hands on to
//! the next. Holds what a caller states; decides nothing.

/// A collection: what it is called and what is in it.
#[derive(Clone, Debug)]
pub struct Plan<'a> {
    /// Its name.
    pub name: &'a str,
    /// What people read who open it; Markdown.
    pub description: &'a str,
    /// Its variables with their first values. Environments override them.
    pub variables: &'a [(&'a str, &'a str)],
    /// The variable with the origin of the server: `base_url`.
    pub base_url: &'a str,
    /// The variable with the token that is sent where an operation needs one.
    pub token: &'a str,
}

/// How the operations of one document become a folder that can be run from the first request to the last.
#[derive(Clone, Debug)]
pub struct Recipe<'a> {
    /// The name of the folder: `v1`.
    pub folder: &'a str,
    /// Runs before each request of the folder.
    pub before: String,
    /// Where the body of an error says what it is.
    pub errors: ErrorShape<'a>,
    /// Headers of every response, documented or not, with a regular expression for their values.
    pub headers: &'a [(&'a str, &'a str)],
    /// Regular expressions for the values of headers where they are documented.
    pub documented_headers: &'a [(&'a str, &'a str)],
    /// The operations in the order they run. Those that are not named follow, in the order of the document.
    pub steps: Vec<Step>,
}

/// Where the body of an error says what it is: JSON pointers.
#[derive(Clone, Copy, Debug)]
pub struct ErrorShape<'a> {
    /// To the code: `/error/code`.
    pub code: &'a str,
    /// To the request id.
    pub request_id: &'a str,
    /// The header with the same request id.
    pub request_id_header: &'a str,
}

/// In which folder a request is, in the order they run.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub enum Place {
    /// Before everything else.
    SetUp,
    /// That of its tag.
    #[default]
    Tag,
    /// After everything else.
    TearDown,
}

/// What the answer must be.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub enum Expect {
    /// The documented success.
    #[default]
    Success,
    /// An error: a run has not got what it takes.
    Failure(u16, String),
    /// The success when all these variables have a value, and otherwise an error.
    SuccessWith {
        /// What it takes.
        variables: Vec<String>,
        /// Status and code of the error.
        otherwise: (u16, String),
    },
}

/// What a request needs beyond what the document says.
#[derive(Clone, Debug, Default)]
pub struct Step {
    pub(super) operation: String,
    pub(super) place: Place,
    pub(super) expect: Expect,
    pub(super) token: Option<String>,
    pub(super) body: Vec<(String, String)>,
    pub(super) headers: Vec<(String, String)>,
    pub(super) query: Vec<(String, String)>,
    pub(super) before: String,
    pub(super) after: String,
    pub(super) save: Vec<(String, String)>,
    pub(super) save_headers: Vec<(String, String)>,
    pub(super) returned_headers: Vec<(String, String)>,
}

impl Step {
    /// A request for this operation in the folder of its tag, which succeeds.
    #[must_use]
    pub fn new(operation: &str) -> Step {
        Step { operation: operation.to_owned(), ..Step::default() }
    }

    /// In another folder.
    #[must_use]
    pub fn at(mut self, place: Place) -> Step {
        self.place = place;
        self
    }

    /// With another answer.
    #[must_use]
    pub fn expect(mut self, expect: Expect) -> Step {
        self.expect = expect;
        self
    }

    /// With the token in another variable.
    #[must_use]
    pub fn token(mut self, variable: &str) -> Step {
        self.token = Some(variable.to_owned());
        self
    }

    /// With a text at a JSON pointer of the body, which may name variables: `("/email", "{{email}}")`.
    #[must_use]
    pub fn body(mut self, pointer: &str, text: &str) -> Step {
        self.body.push((pointer.to_owned(), text.to_owned()));
        self
    }

    /// With an optional header.
    #[must_use]
    pub fn header(mut self, name: &str, value: &str) -> Step {
        self.headers.push((name.to_owned(), value.to_owned()));
        self
    }

    /// With an optional query parameter.
    #[must_use]
    pub fn query(mut self, name: &str, value: &str) -> Step {
        self.query.push((name.to_owned(), value.to_owned()));
        self
    }

    /// With a script that runs before it.
    #[must_use]
    pub fn before(mut self, script: &str) -> Step {
        self.before.push_str(script);
        self
    }

    /// With a script that runs after a success, once everything is checked and saved.
    #[must_use]
    pub fn after(mut self, script: &str) -> Step {
        self.after.push_str(script);
        self
    }

    /// Keeps what is at a JSON pointer of a successful answer in a variable.
    #[must_use]
    pub fn save(mut self, pointer: &str, variable: &str) -> Step {
        self.save.push((pointer.to_owned(), variable.to_owned()));
        self
    }

    /// Keeps a header of a successful answer in a variable.
    #[must_use]
    pub fn save_header(mut self, name: &str, variable: &str) -> Step {
        self.save_headers.push((name.to_owned(), variable.to_owned()));
        self
    }

    /// A header of a successful answer must have this value, which may name variables, those just saved included.
    #[must_use]
    pub fn returns(mut self, name: &str, value: &str) -> Step {
        self.returned_headers.push((name.to_owned(), value.to_owned()));
        self
    }
}
