//! Items and their attributes, so that no store spells an `AttributeValue`.

use std::collections::HashMap;

use aws_sdk_dynamodb::{primitives::Blob, types::AttributeValue};
use domain::Timestamp;

use super::names::{Key, PK, SK};
use crate::Failure;

pub(super) type Attributes = HashMap<String, AttributeValue>;

/// An item that is being built. An attribute without a value is left out: the table holds no nulls.
pub(super) struct Item(Attributes);

impl Item {
    /// Returns an item that has only its key.
    pub(super) fn at(Key { pk, sk }: Key) -> Self {
        Self::new().with(PK, AttributeValue::S(pk)).with(SK, AttributeValue::S(sk))
    }

    /// Returns an empty map: for a map within an item, and for the values of an expression.
    pub(super) fn new() -> Self {
        Self(Attributes::new())
    }

    pub(super) fn with(mut self, name: impl Into<String>, value: AttributeValue) -> Self {
        self.0.insert(name.into(), value);
        self
    }

    pub(super) fn with_if(self, name: &str, value: Option<AttributeValue>) -> Self {
        match value {
            Some(value) => self.with(name, value),
            None => self,
        }
    }

    pub(super) fn into_map(self) -> Attributes {
        self.0
    }

    pub(super) fn into_value(self) -> AttributeValue {
        AttributeValue::M(self.0)
    }
}

pub(super) fn text(value: &(impl ToString + ?Sized)) -> AttributeValue {
    AttributeValue::S(value.to_string())
}

pub(super) fn number(value: impl Into<u64>) -> AttributeValue {
    AttributeValue::N(value.into().to_string())
}

pub(super) fn time(value: Timestamp) -> AttributeValue {
    AttributeValue::N(value.epoch_seconds().to_string())
}

/// Returns a number that may be negative, such as a difference of two times.
pub(super) fn signed(value: i64) -> AttributeValue {
    AttributeValue::N(value.to_string())
}

pub(super) fn binary(value: &[u8]) -> AttributeValue {
    AttributeValue::B(Blob::new(value))
}

pub(super) fn binary_set<'a>(values: impl IntoIterator<Item = &'a [u8]>) -> AttributeValue {
    AttributeValue::Bs(values.into_iter().map(Blob::new).collect())
}

pub(super) fn boolean(value: bool) -> AttributeValue {
    AttributeValue::Bool(value)
}

/// An item that was read. An error names the attribute that is missing or has another type, and never repeats content.
#[derive(Clone, Copy)]
pub(super) struct Reader<'a>(pub(super) &'a Attributes);

impl<'a> Reader<'a> {
    pub(super) fn text(self, name: &'static str) -> Result<&'a str, Failure> {
        required(name, self.0.get(name).and_then(|value| value.as_s().ok())).map(String::as_str)
    }

    pub(super) fn optional_text(self, name: &str) -> Option<&'a str> {
        self.0.get(name).and_then(|value| value.as_s().ok()).map(String::as_str)
    }

    /// Returns what `parse` makes of a text; a text that it refuses is an error.
    pub(super) fn parsed<T>(self, name: &'static str, parse: impl Fn(&str) -> Option<T>) -> Result<T, Failure> {
        required(name, parse(self.text(name)?))
    }

    pub(super) fn number<N: std::str::FromStr>(self, name: &'static str) -> Result<N, Failure> {
        required(name, self.0.get(name).and_then(|value| value.as_n().ok()?.parse().ok()))
    }

    pub(super) fn boolean(self, name: &'static str) -> Result<bool, Failure> {
        required(name, self.0.get(name).and_then(|value| value.as_bool().ok()).copied())
    }

    /// Returns `None` for an absent attribute; one that is not a boolean is an error.
    pub(super) fn optional_boolean(self, name: &'static str) -> Result<Option<bool>, Failure> {
        self.0.contains_key(name).then(|| self.boolean(name)).transpose()
    }

    /// Returns `None` for an absent attribute; one that is not a number is an error.
    pub(super) fn optional_number<N: std::str::FromStr>(self, name: &'static str) -> Result<Option<N>, Failure> {
        self.0.contains_key(name).then(|| self.number(name)).transpose()
    }

    pub(super) fn time(self, name: &'static str) -> Result<Timestamp, Failure> {
        self.number(name).map(Timestamp::from_epoch_seconds)
    }

    /// Returns `None` for an absent attribute; one that is not a time is an error, never "absent".
    pub(super) fn optional_time(self, name: &'static str) -> Result<Option<Timestamp>, Failure> {
        self.0.contains_key(name).then(|| self.time(name)).transpose()
    }

    pub(super) fn binary(self, name: &'static str) -> Result<&'a [u8], Failure> {
        required(name, self.0.get(name).and_then(|value| value.as_b().ok())).map(Blob::as_ref)
    }

    pub(super) fn optional_binary(self, name: &'static str) -> Result<Option<&'a [u8]>, Failure> {
        self.0.contains_key(name).then(|| self.binary(name)).transpose()
    }

    pub(super) fn binary_set(self, name: &'static str) -> Result<&'a [Blob], Failure> {
        required(name, self.0.get(name).and_then(|value| value.as_bs().ok())).map(Vec::as_slice)
    }

    pub(super) fn map(self, name: &'static str) -> Result<Reader<'a>, Failure> {
        required(name, self.0.get(name).and_then(|value| value.as_m().ok())).map(Reader)
    }
}

/// Returns the value of a required attribute, or the error that names it.
pub(super) fn required<T>(name: &'static str, value: Option<T>) -> Result<T, Failure> {
    value.ok_or_else(|| Failure::unreadable("item", name))
}
