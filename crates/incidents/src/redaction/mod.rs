//! Takes the secrets out of an exchange so that it fails as it did.
//!
//! Owns what counts as a secret and where it may be. Three nets, the finest first: what the document says (`format: password`,
//! `format: email`, `x-sensitive`); what nobody has said anything of, such as an unknown field or a body that cannot be read;
//! and what looks like a secret, wherever it is. A secret gives its place to a stand-in of the same length and shape, in the very
//! bytes it stood in: whatever surrounds it, and whatever is wrong with it, stays as it was sent.

mod body;
mod headers;
mod json;
mod stand_in;
mod sweep;
mod target;
#[cfg(test)]
pub(crate) mod tests;
mod units;

use std::{collections::BTreeSet, ops::Range, sync::LazyLock};

use contract::{v1, v2};
use secrecy::SecretString;

pub use stand_in::CommonPasswords;

use self::{
    stand_in::StandIns,
    units::{Unit, characters},
};
use super::{
    Exchange, Record, Reply, Sent,
    record::{Bytes, FORMAT},
};

/// Secrets shorter than this are not looked for elsewhere: they are in every word.
const MIN_KNOWN: usize = 5;
/// No more secrets than this are looked for elsewhere.
const MAX_KNOWN: usize = 64;

/// Makes records of exchanges.
#[derive(Clone)]
pub struct Redactor {
    stand_ins: StandIns,
    server_version: &'static str,
}

/// An exchange without its secrets.
#[derive(Clone, Debug)]
pub struct Redacted {
    pub record: Record,
    /// Where it went wrong.
    pub site: String,
}

/// What is known of the secrets of one exchange.
struct Work<'r> {
    stand_ins: &'r StandIns,
    /// Secrets, and what stands in for them: they are nowhere else, either.
    known: Vec<(Vec<char>, Vec<char>)>,
    /// Everything else that has been replaced: the answer may quote it.
    quoted: Vec<(Vec<char>, Vec<char>)>,
}

/// Whether what is replaced is a secret for sure, or only nobody knows what it is.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Why {
    Secret,
    Unknown,
}

/// The names of all fields of both contracts: they give nothing away.
static NAMES: LazyLock<BTreeSet<String>> = LazyLock::new(|| {
    let schemas =
        [v1::document(), v2::document()].map(|document| document.value()["components"]["schemas"].as_object());
    let schemas = schemas.into_iter().flatten().flat_map(|schemas| schemas.values());
    let names = schemas.filter_map(|schema| schema["properties"].as_object());
    names.flat_map(|properties| properties.keys().cloned()).collect()
});

impl Redactor {
    /// With stand-ins by a key that is derived from `secret`: replicas and restarts choose the same ones.
    #[must_use]
    pub fn new(secret: &SecretString, server_version: &'static str, common: CommonPasswords) -> Self {
        Self { stand_ins: StandIns::new(secret, common), server_version }
    }

    /// An exchange without its secrets.
    #[must_use]
    pub fn redact(&self, exchange: &Exchange) -> Redacted {
        let mut work = Work { stand_ins: &self.stand_ins, known: Vec::new(), quoted: Vec::new() };
        let mut target = exchange.target.clone().into_bytes();
        let mut body: Vec<u8> = exchange.body.concat();
        let content_type = headers::content_type(&exchange.headers);
        let opened = work.body(&mut body, exchange.operation, &content_type);
        let asked = work.target(&mut target, exchange.operation, exchange.code);
        let headers = work.headers(&exchange.headers, &headers::OF_REQUESTS, false);
        // Only now is every secret known: nowhere else may it stand, either.
        work.open(&mut body, &opened);
        work.open(&mut target, &asked);
        let site = work.text(&exchange.site);
        let mut response = exchange.response_body.to_vec();
        work.response(&mut response, exchange.operation, exchange.status);
        let response_headers = work.headers(&exchange.response_headers, &headers::OF_RESPONSES, true);
        let operation = exchange.operation.map(|operation| operation.id.as_str());
        let record = Record {
            format: FORMAT.to_owned(),
            id: 0,
            request_id: exchange.request_id.clone(),
            trace_id: exchange.trace_id.clone(),
            received_at: exchange.received_at,
            duration: exchange.duration,
            server_version: self.server_version.to_owned(),
            contract: exchange.contract.map(str::to_owned),
            operation: operation.map(str::to_owned),
            code: exchange.code.map(str::to_owned),
            fingerprint: super::fingerprint(operation, exchange.status, exchange.code, &exchange.site),
            principal: exchange.principal.clone(),
            request: Sent {
                method: exchange.method.clone(),
                target: String::from_utf8_lossy(&target).into_owned(),
                headers,
                body: Bytes(body),
                truncated: exchange.is_body_truncated,
            },
            response: Reply {
                status: exchange.status,
                headers: response_headers,
                body: Bytes(response),
                truncated: exchange.is_response_truncated,
            },
        };
        Redacted { record, site }
    }
}

/// A piece of text that may hold secrets only by accident.
struct Open {
    units: Vec<Unit>,
    /// Whether long keys are looked for, too: not where they are expected and open, such as a cursor or an entity tag.
    with_keys: bool,
    /// Whether people write it: then the secrets that are known from elsewhere are looked for. A word of a list stays itself,
    /// also if somebody's password is the same.
    is_free: bool,
}

impl Work<'_> {
    /// Replaces all of a text.
    fn mask(&mut self, bytes: &mut [u8], units: &[Unit], why: Why) {
        let secret = characters(units);
        let stand_in = self.stand_ins.of(&secret);
        put(bytes, units, &stand_in);
        self.remember(secret, stand_in, why);
    }

    /// As [`Self::mask`], for what may be quoted as it was written, too.
    fn mask_written(&mut self, bytes: &mut [u8], range: Range<usize>, units: &[Unit], why: Why) {
        let written = |bytes: &[u8]| characters(&units::plain(bytes, range.clone()));
        let before = written(bytes);
        self.mask(bytes, units, why);
        let after = written(bytes);
        self.remember(before, after, Why::Unknown);
    }

    /// Replaces the digits of a number.
    fn mask_number(&mut self, bytes: &mut [u8], units: &[Unit], why: Why) {
        let secret = characters(units);
        let stand_in = self.stand_ins.of_number(&secret);
        put(bytes, units, &stand_in);
        self.remember(secret, stand_in, why);
    }

    fn remember(&mut self, secret: Vec<char>, stand_in: Vec<char>, why: Why) {
        let list = if why == Why::Secret { &mut self.known } else { &mut self.quoted };
        let is_new = !list.iter().any(|(other, _)| *other == secret);
        if is_new && secret.len() >= MIN_KNOWN && secret != stand_in && list.len() < MAX_KNOWN {
            list.push((secret, stand_in));
        }
    }

    /// Replaces what looks like a secret in texts that are open, and the secrets that are known from elsewhere.
    fn open(&self, bytes: &mut [u8], texts: &[Open]) {
        for text in texts {
            let known = if text.is_free { self.known.as_slice() } else { &[] };
            self.sweep(bytes, &text.units, text.with_keys, known);
        }
    }

    fn sweep(&self, bytes: &mut [u8], units: &[Unit], with_keys: bool, known: &[(Vec<char>, Vec<char>)]) {
        let original = characters(units);
        let mut swept = original.clone();
        for range in sweep::secrets(&original, with_keys) {
            let stand_in = self.stand_ins.of(&original[range.clone()]);
            swept.splice(range, stand_in);
        }
        for (secret, stand_in) in known {
            let mut at = 0;
            while at + secret.len() <= original.len() {
                if original[at..at + secret.len()] == secret[..] {
                    swept.splice(at..at + secret.len(), stand_in.iter().copied());
                    at += secret.len();
                } else {
                    at += 1;
                }
            }
        }
        put(bytes, units, &swept);
    }

    /// A text of our own that may quote something.
    fn text(&self, text: &str) -> String {
        let mut bytes = text.as_bytes().to_vec();
        let units = units::plain(&bytes, 0..bytes.len());
        self.sweep(&mut bytes, &units, true, &self.everything());
        String::from_utf8_lossy(&bytes).into_owned()
    }

    /// Everything that has been replaced; what contains another one first.
    fn everything(&self) -> Vec<(Vec<char>, Vec<char>)> {
        let mut all: Vec<_> = self.known.iter().chain(&self.quoted).cloned().collect();
        all.sort_by_key(|(secret, _)| secret.len());
        all
    }
}

fn put(bytes: &mut [u8], units: &[Unit], text: &[char]) {
    for (unit, character) in units.iter().zip(text) {
        unit.put(bytes, *character);
    }
}

/// Whether a field of this name holds a secret, whatever the document says of it.
fn is_secret_name(name: &str) -> bool {
    const PARTS: [&str; 12] = [
        "passw",
        "passphrase",
        "pwd",
        "secret",
        "token",
        "apikey",
        "authorization",
        "credential",
        "cookie",
        "email",
        "privatekey",
        "cardnumber",
    ];
    const WHOLE: [&str; 8] = ["pin", "otp", "ssn", "iban", "cvv", "cvc", "auth", "jwt"];
    let name: String = name.to_lowercase().chars().filter(|character| character.is_alphanumeric()).collect();
    PARTS.iter().any(|part| name.contains(part)) || WHOLE.contains(&name.as_str())
}

/// Whether a name is one of the contract's.
fn is_known_name(name: &str) -> bool {
    NAMES.contains(name)
}

/// Names of fields whose text an answer has from us alone.
fn is_our_own(name: &str) -> bool {
    matches!(name, "code" | "type" | "title" | "request_id" | "status")
}
