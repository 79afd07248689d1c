//! Cookies as a request brings them along.

use http::{HeaderMap, header};

/// Several cookies of one name: a browser keeps one of a name that begins with `__Host-`, so this is not its doing.
pub(crate) struct Several;

/// The cookie of that name, if there is one.
pub(crate) fn one<'a>(headers: &'a HeaderMap, name: &str) -> Result<Option<&'a str>, Several> {
    let lines = headers.get_all(header::COOKIE).iter().filter_map(|line| line.to_str().ok());
    let pairs = lines.flat_map(|line| line.split(';')).filter_map(|pair| pair.trim().split_once('='));
    let mut values = pairs.filter(|(given, _)| *given == name).map(|(_, value)| value);
    match (values.next(), values.next()) {
        (Some(_), Some(_)) => Err(Several),
        (value, _) => Ok(value),
    }
}
