//! Timestamps, dates, IDs and nullable fields of requests and responses.

use std::{borrow::Cow, fmt};

use chrono::{DateTime, Datelike, NaiveDate, SecondsFormat, Timelike, Utc};
use openapi_model::normalize_date_time;
use poem_openapi::{
    registry::{MetaSchema, MetaSchemaRef, Registry},
    types::{ParseError, ParseFromJSON, ParseFromParameter, ParseResult, ToJSON, Type},
};
use serde::{Deserialize, Deserializer, Serialize, Serializer};
use serde_json::Value;

/// Implements the type traits of poem-openapi for a scalar that implements the traits of serde. `@type` omits `Argument`.
macro_rules! scalar {
    ($name:ident, $schema:expr) => {
        scalar!(@type $name, $schema);

        impl crate::operation::Argument for $name {}
    };
    (@type $name:ident, $schema:expr) => {
        impl Type for $name {
            const IS_REQUIRED: bool = true;
            type RawValueType = Self;
            type RawElementValueType = Self;

            fn name() -> Cow<'static, str> {
                stringify!($name).into()
            }

            fn schema_ref() -> MetaSchemaRef {
                MetaSchemaRef::Inline(Box::new($schema))
            }

            fn as_raw_value(&self) -> Option<&Self> {
                Some(self)
            }

            fn raw_element_iter<'a>(&'a self) -> Box<dyn Iterator<Item = &'a Self> + 'a> {
                Box::new(self.as_raw_value().into_iter())
            }
        }

        impl ToJSON for $name {
            fn to_json(&self) -> Option<Value> {
                serde_json::to_value(self).ok()
            }
        }

        impl ParseFromJSON for $name {
            fn parse_from_json(value: Option<Value>) -> ParseResult<Self> {
                serde_json::from_value(value.unwrap_or_default()).map_err(ParseError::custom)
            }
        }
    };
}

pub(crate) use scalar;

/// A timestamp: RFC 3339 in UTC with microseconds, `2026-01-31T12:00:00.000000Z`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Timestamp(DateTime<Utc>);

impl Timestamp {
    /// Parses a time of a request, see [`normalize_date_time`].
    ///
    /// # Errors
    /// Fails if the text is not a time, or not one in the years 1 to 9999.
    pub fn parse(text: &str) -> Result<Self, &'static str> {
        const INVALID: &str = "not a time with an offset in the years 1 to 9999";
        let normalized = normalize_date_time(text).ok_or(INVALID)?;
        DateTime::parse_from_rfc3339(&normalized).map(|time| Self(time.to_utc())).map_err(|_| INVALID)
    }

    /// Converts microseconds since 1970. A value outside the range of the calendar becomes 1970.
    #[must_use]
    pub fn from_micros(micros: i64) -> Self {
        Self(DateTime::from_timestamp_micros(micros).unwrap_or_default())
    }

    /// Returns microseconds since 1970.
    #[must_use]
    pub const fn micros(self) -> i64 {
        self.0.timestamp_micros()
    }
}

impl fmt::Display for Timestamp {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match TimestampText::new(self.0) {
            Some(text) => f.write_str(text.as_str()),
            None => f.write_str(&self.0.to_rfc3339_opts(SecondsFormat::Micros, true)),
        }
    }
}

/// The text of a timestamp, without the formatter of chrono, which is slower: a page contains dozens of timestamps.
struct TimestampText([u8; 27]);

impl TimestampText {
    /// Returns `None` for a leap second and for years that do not have four digits.
    fn new(time: DateTime<Utc>) -> Option<Self> {
        let (year, micros) = (u32::try_from(time.year()).ok()?, time.nanosecond() / 1_000);
        if year > 9_999 || micros > 999_999 {
            return None;
        }
        let mut text = *b"0000-00-00T00:00:00.000000Z";
        let parts = [
            (0..4, year),
            (5..7, time.month()),
            (8..10, time.day()),
            (11..13, time.hour()),
            (14..16, time.minute()),
            (17..19, time.second()),
            (20..26, micros),
        ];
        for (range, mut number) in parts {
            for digit in text[range].iter_mut().rev() {
                *digit += u8::try_from(number % 10).unwrap_or_default();
                number /= 10;
            }
        }
        Some(Self(text))
    }

    fn as_str(&self) -> &str {
        str::from_utf8(&self.0).unwrap_or_default()
    }
}

impl fmt::Display for Date {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

impl Serialize for Timestamp {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        match TimestampText::new(self.0) {
            Some(text) => serializer.serialize_str(text.as_str()),
            None => serializer.collect_str(self),
        }
    }
}

impl<'de> Deserialize<'de> for Timestamp {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        Self::parse(&String::deserialize(deserializer)?).map_err(serde::de::Error::custom)
    }
}

impl ParseFromParameter for Timestamp {
    fn parse_from_parameter(value: &str) -> ParseResult<Self> {
        Self::parse(value).map_err(ParseError::custom)
    }
}

scalar!(Timestamp, MetaSchema::new_with_format("string", "date-time"));

/// A calendar date: `YYYY-MM-DD`.
#[derive(Clone, Copy, Debug, Deserialize, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(transparent)]
pub struct Date(pub NaiveDate);

impl ParseFromParameter for Date {
    fn parse_from_parameter(value: &str) -> ParseResult<Self> {
        value.trim().parse().map(Self).map_err(ParseError::custom)
    }
}

scalar!(Date, MetaSchema::new_with_format("string", "date"));

/// An email address, at most 254 characters.
#[derive(Clone, Debug, Deserialize, PartialEq, Eq, Serialize)]
#[serde(transparent)]
pub struct EmailAddress(pub String);

scalar!(
    EmailAddress,
    MetaSchema { min_length: Some(3), max_length: Some(254), ..MetaSchema::new_with_format("string", "email") }
);

impl From<&str> for EmailAddress {
    fn from(address: &str) -> Self {
        Self(address.to_owned())
    }
}

/// The ID of a resource: a positive 64-bit integer.
#[derive(Clone, Copy, Debug, Deserialize, PartialEq, Eq, Hash, Serialize)]
#[serde(transparent)]
pub struct Id(pub i64);

scalar!(Id, MetaSchema { minimum: Some(1.0), ..MetaSchema::new_with_format("integer", "int64") });

impl ParseFromParameter for Id {
    fn parse_from_parameter(value: &str) -> ParseResult<Self> {
        value.parse().map(Self).map_err(ParseError::custom)
    }
}

/// Text to search for. The maximum length is checked against the document, which counts normalized characters; the validator
/// of poem-openapi would count them before normalization.
#[derive(Clone, Debug, Deserialize, PartialEq, Eq, Serialize)]
#[serde(transparent)]
pub struct SearchText(pub String);

scalar!(SearchText, MetaSchema { max_length: Some(200), ..MetaSchema::new("string") });

impl ParseFromParameter for SearchText {
    fn parse_from_parameter(value: &str) -> ParseResult<Self> {
        Ok(Self(value.to_owned()))
    }
}

/// A response field that can be null. It is never omitted, so that all responses have the same fields.
#[derive(Clone, Copy, Debug, Default, Deserialize, PartialEq, Eq, Serialize)]
#[serde(transparent)]
pub struct Nullable<T>(pub Option<T>);

impl<T> From<Option<T>> for Nullable<T> {
    fn from(value: Option<T>) -> Self {
        Self(value)
    }
}

impl<T: Type> Type for Nullable<T> {
    const IS_REQUIRED: bool = true;
    type RawValueType = T::RawValueType;
    type RawElementValueType = T::RawElementValueType;

    fn name() -> Cow<'static, str> {
        T::name()
    }

    fn schema_ref() -> MetaSchemaRef {
        T::schema_ref().merge(MetaSchema { nullable: true, ..MetaSchema::ANY })
    }

    fn register(registry: &mut Registry) {
        T::register(registry);
    }

    fn as_raw_value(&self) -> Option<&Self::RawValueType> {
        self.0.as_ref().and_then(Type::as_raw_value)
    }

    fn raw_element_iter<'a>(&'a self) -> Box<dyn Iterator<Item = &'a Self::RawElementValueType> + 'a> {
        match &self.0 {
            Some(value) => value.raw_element_iter(),
            None => Box::new(std::iter::empty()),
        }
    }
}

impl<T: ToJSON> ToJSON for Nullable<T> {
    fn to_json(&self) -> Option<Value> {
        Some(self.0.as_ref().and_then(ToJSON::to_json).unwrap_or_default())
    }
}

impl<T: ParseFromJSON> ParseFromJSON for Nullable<T> {
    fn parse_from_json(value: Option<Value>) -> ParseResult<Self> {
        match value.unwrap_or_default() {
            Value::Null => Ok(Self(None)),
            value => T::parse_from_json(Some(value)).map(|value| Self(Some(value))).map_err(ParseError::propagate),
        }
    }
}

/// Truncates text from the client, for error responses with a maximum length.
pub(crate) fn truncate(text: &str, max: usize) -> String {
    match text.char_indices().nth(max) {
        None => text.to_owned(),
        Some(_) => text.chars().take(max.saturating_sub(1)).chain(['…']).collect(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn timestamps_are_utc_with_microseconds() {
        for (micros, text) in [
            (0, "1970-01-01T00:00:00.000000Z"),
            (1_767_225_600_000_001, "2026-01-01T00:00:00.000001Z"),
            (-1, "1969-12-31T23:59:59.999999Z"),
        ] {
            assert_eq!(serde_json::to_value(Timestamp::from_micros(micros)).ok(), Some(Value::from(text)));
        }
    }

    #[test]
    fn timestamps_are_formatted_as_by_chrono() {
        let times = [
            "2016-12-31T23:59:60.5Z",
            "0001-01-01T00:00:00Z",
            "9999-12-31T23:59:59.9999999Z",
            "2024-02-29T01:02:03.040506Z",
        ];
        let times = times.map(|text| Timestamp::parse(text).unwrap());
        let micros = [0, -1, 1_767_225_600_000_001, 253_402_300_800_000_000, -62_198_755_200_000_001];
        for time in times.into_iter().chain(micros.map(Timestamp::from_micros)) {
            let expected = time.0.to_rfc3339_opts(SecondsFormat::Micros, true);
            assert_eq!(time.to_string(), expected);
            assert_eq!(serde_json::to_value(time).ok(), Some(Value::from(expected)));
        }
    }

    #[test]
    fn timestamps_that_are_accepted_can_be_sent_back() {
        for text in [
            "2026-01-31T12:00Z",
            "20260131T120000.5+0200",
            "2016-12-31T23:59:60Z",
            "0001-01-01T00:00:00Z",
            "9999-12-31T23:59:59.9999999Z",
            "9999-12-31T23:59:59+23:59",
        ] {
            let time = Timestamp::parse(text).unwrap();
            for sent in [time.to_string(), Timestamp::from_micros(time.micros()).to_string()] {
                assert!(Timestamp::parse(&sent).is_ok(), "{text}: {sent}");
                assert!(serde_json::from_value::<Timestamp>(Value::from(&*sent)).is_ok(), "{text}: {sent}");
            }
        }
        for text in ["9999-12-31T23:59:59-01:00", "+10000-01-01T00:00:00Z", "0001-01-01T00:00:00+01:00", "2026-01-31"] {
            assert!(Timestamp::parse(text).is_err(), "{text}");
            assert!(serde_json::from_value::<Timestamp>(Value::from(text)).is_err(), "{text}");
        }
    }

    #[test]
    fn truncate_counts_characters() {
        for (text, expected) in [("", ""), ("abc", "abc"), ("äöü", "äöü"), ("äöüß", "äö…"), ("abcdef", "ab…")]
        {
            assert_eq!(truncate(text, 3), expected);
        }
    }

    #[test]
    fn nullable_field_is_null_and_required() {
        assert_eq!(serde_json::to_value(Nullable::<String>(None)).ok(), Some(Value::Null));
        const { assert!(<Nullable<String> as Type>::IS_REQUIRED) };
    }
}
