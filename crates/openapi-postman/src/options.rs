//! The input of a collection that the document does not contain: the order of the operations and the values that one
//! request passes to the next.

/// Options of a collection: name, description and variables.
#[derive(Clone, Debug)]
pub struct CollectionOptions<'a> {
    /// Name of the collection.
    pub name: &'a str,
    /// Description in Markdown.
    pub description: &'a str,
    /// Variables with their initial values. Environments override them.
    pub variables: &'a [(&'a str, &'a str)],
    /// The variable with the origin of the server: `base_url`.
    pub base_url: &'a str,
    /// The variable with the access token.
    pub token: &'a str,
    /// Values of variables that only the `.http` files define. Empty values are impossible there.
    pub http_variables: &'a [(&'a str, &'a str)],
}

/// Options of a folder with the operations of a document.
#[derive(Clone, Debug)]
pub struct FolderOptions<'a> {
    /// Name of the folder: `v1`.
    pub name: &'a str,
    /// Script that runs before each request of the folder. `{public}` is replaced by a list of the names of requests that
    /// need no authentication.
    pub before: String,
    /// Script that runs before the first request of the `.http` file.
    pub http_before: &'a str,
    /// Format of error responses.
    pub errors: ErrorShape<'a>,
    /// Headers of every response, documented or not, with a regular expression for their values.
    pub headers: &'a [(&'a str, &'a str)],
    /// Regular expressions for the values of headers where they are documented.
    pub documented_headers: &'a [(&'a str, &'a str)],
    /// The operations in the order in which they run. The others follow, in the order of the document.
    pub steps: Vec<Step>,
}

/// Format of error responses, as JSON pointers into the body.
#[derive(Clone, Copy, Debug)]
pub struct ErrorShape<'a> {
    /// Pointer to the error code: `/error/code`.
    pub code: &'a str,
    /// Pointer to the request ID.
    pub request_id: &'a str,
    /// Header with the same request ID.
    pub request_id_header: &'a str,
}

/// When a request runs, in this order. Each phase except `Main` has its own folder.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub enum Phase {
    /// Requests that the others depend on.
    SetUp,
    /// In the folder of the operation's tag.
    #[default]
    Main,
    /// Requests that delete the created resources.
    TearDown,
}

/// The expected response.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub enum ExpectedResponse {
    /// The documented success response.
    #[default]
    Success,
    /// An error with this status and code.
    Error(u16, String),
    /// The success response if all these variables have a value, otherwise an error.
    SuccessWith {
        /// The required variables.
        variables: Vec<String>,
        /// Status and code of the error.
        otherwise: (u16, String),
    },
    /// An error that depends on whether all these variables have a value.
    ErrorWith {
        /// The variables.
        variables: Vec<String>,
        /// Status and code of the error if all of them have one.
        error: (u16, String),
        /// Status and code of the error otherwise.
        otherwise: (u16, String),
    },
}

/// A request of a folder: an operation with the values, headers and scripts that the document does not define.
#[derive(Clone, Debug, Default)]
pub struct Step {
    pub(super) operation: String,
    pub(super) phase: Phase,
    pub(super) expect: ExpectedResponse,
    pub(super) token: Option<String>,
    pub(super) body: Vec<(String, String)>,
    pub(super) headers: Vec<(String, String)>,
    pub(super) query: Vec<(String, String)>,
    pub(super) before: String,
    pub(super) after: String,
    pub(super) save: Vec<(String, String)>,
    pub(super) save_headers: Vec<(String, String)>,
    pub(super) returned_headers: Vec<(String, String)>,
    pub(super) http_first: Vec<Step>,
    pub(super) http_after: String,
    pub(super) http_wait: u32,
}

impl Step {
    /// Creates a request for this operation that runs in the main phase and expects a success.
    #[must_use]
    pub fn new(operation: &str) -> Step {
        Step { operation: operation.to_owned(), ..Step::default() }
    }

    /// Sets when the request runs.
    #[must_use]
    pub fn phase(mut self, phase: Phase) -> Step {
        self.phase = phase;
        self
    }

    /// Sets the expected response.
    #[must_use]
    pub fn expect(mut self, expect: ExpectedResponse) -> Step {
        self.expect = expect;
        self
    }

    /// Sends the token in another variable.
    #[must_use]
    pub fn token(mut self, variable: &str) -> Step {
        self.token = Some(variable.to_owned());
        self
    }

    /// Replaces the value at a JSON pointer of the body. The text can contain variables: `("/email", "{{email}}")`.
    #[must_use]
    pub fn body(mut self, pointer: &str, text: &str) -> Step {
        self.body.push((pointer.to_owned(), text.to_owned()));
        self
    }

    /// Sends an optional header.
    #[must_use]
    pub fn header(mut self, name: &str, value: &str) -> Step {
        self.headers.push((name.to_owned(), value.to_owned()));
        self
    }

    /// Sends an optional query parameter.
    #[must_use]
    pub fn query(mut self, name: &str, value: &str) -> Step {
        self.query.push((name.to_owned(), value.to_owned()));
        self
    }

    /// Adds a script that runs before the request.
    #[must_use]
    pub fn before(mut self, script: &str) -> Step {
        self.before.push_str(script);
        self
    }

    /// Adds a script that runs after a success, after all tests.
    #[must_use]
    pub fn after(mut self, script: &str) -> Step {
        self.after.push_str(script);
        self
    }

    /// Saves the value at a JSON pointer of a success response in a variable.
    #[must_use]
    pub fn save(mut self, pointer: &str, variable: &str) -> Step {
        self.save.push((pointer.to_owned(), variable.to_owned()));
        self
    }

    /// Saves a header of a success response in a variable.
    #[must_use]
    pub fn save_header(mut self, name: &str, variable: &str) -> Step {
        self.save_headers.push((name.to_owned(), variable.to_owned()));
        self
    }

    /// Adds requests that precede this one in the `.http` file, where scripts cannot send requests.
    #[must_use]
    pub fn http_first(mut self, steps: Vec<Step>) -> Step {
        self.http_first = steps;
        self
    }

    /// Adds a script that runs after a success in the `.http` file, in place of that of [`Step::after`].
    #[must_use]
    pub fn http_after(mut self, script: &str) -> Step {
        self.http_after.push_str(script);
        self
    }

    /// Waits for this number of milliseconds before the request in the `.http` file, where scripts cannot retry a request.
    #[must_use]
    pub fn http_wait(mut self, milliseconds: u32) -> Step {
        self.http_wait = milliseconds;
        self
    }

    /// Expects this value of a header of a success response. It can contain variables, including those just saved.
    #[must_use]
    pub fn returns(mut self, name: &str, value: &str) -> Step {
        self.returned_headers.push((name.to_owned(), value.to_owned()));
        self
    }
}
