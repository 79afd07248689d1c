//! The settings of a function, read from the environment in one place.

use std::{collections::HashMap, fmt, time::Duration};

use domain::{Budget, attempts};

/// The settings of a function: the variables of its environment. It has no `Debug`, because the keys to AWS are among them.
pub struct Settings(Box<Read>);

type Read = dyn Fn(&str) -> Option<String> + Send + Sync;

/// The error for a setting that the function needs to start and that is missing or does not parse.
#[derive(Debug)]
pub struct MissingSetting(&'static str);

impl Settings {
    /// Returns the settings of this process.
    #[must_use]
    pub fn from_environment() -> Self {
        #[expect(clippy::disallowed_methods, reason = "this is the one place where the environment is read")]
        Self::read_by(|name| std::env::var(name).ok())
    }

    /// Returns settings with the given values.
    #[must_use]
    pub fn given(settings: HashMap<String, String>) -> Self {
        Self::read_by(move |name| settings.get(name).cloned())
    }

    /// Returns the settings that `read` finds, for a test that records what a function asks for.
    pub fn read_by(read: impl Fn(&str) -> Option<String> + Send + Sync + 'static) -> Self {
        Self(Box::new(read))
    }

    /// Returns a setting that may be absent; an empty one is absent.
    #[must_use]
    pub fn optional(&self, name: &str) -> Option<String> {
        (self.0)(name).filter(|value| !value.is_empty())
    }

    /// Returns a setting that must be present.
    pub fn required(&self, name: &'static str) -> Result<String, MissingSetting> {
        self.optional(name).ok_or(MissingSetting(name))
    }

    /// Returns a setting that must be present and parse.
    pub fn required_as<T>(&self, name: &'static str, parse: impl Fn(&str) -> Option<T>) -> Result<T, MissingSetting> {
        parse(&self.required(name)?).ok_or(MissingSetting(name))
    }

    /// Returns a setting that is a whole number of seconds above zero.
    pub fn seconds(&self, name: &'static str, otherwise: Duration) -> Result<Duration, MissingSetting> {
        let Some(value) = self.optional(name) else { return Ok(otherwise) };
        let seconds: u64 = value.parse().map_err(|_| MissingSetting(name))?;
        (seconds > 0).then(|| Duration::from_secs(seconds)).ok_or(MissingSetting(name))
    }

    /// Returns the budget of one network, with the burst of `SIGN_IN_NETWORK_BURST`. It is the same wherever a password is verified.
    pub fn network_budget(&self) -> Result<Budget, MissingSetting> {
        let parse = |text: &str| text.parse().ok().filter(|burst| *burst > 0);
        let burst = self.parsed("SIGN_IN_NETWORK_BURST", attempts::NETWORK.burst, parse)?;
        Ok(Budget { burst, ..attempts::NETWORK })
    }

    /// Returns a setting that `parse` understands, or `otherwise` where it is absent.
    pub fn parsed<T>(
        &self,
        name: &'static str,
        otherwise: T,
        parse: impl Fn(&str) -> Option<T>,
    ) -> Result<T, MissingSetting> {
        self.optional(name).map_or(Ok(otherwise), |value| parse(&value).ok_or(MissingSetting(name)))
    }
}

impl fmt::Display for MissingSetting {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "the setting {} is missing, or not what it should be", self.0)
    }
}

impl std::error::Error for MissingSetting {}

#[cfg(test)]
mod tests {
    use super::*;

    fn settings(name: &str, value: &str) -> Settings {
        Settings::given(HashMap::from([(name.to_owned(), value.to_owned())]))
    }

    #[test]
    fn an_empty_setting_is_absent_and_a_wrong_one_is_named() {
        assert!(settings("A", "").required("A").is_err());
        let wrong = settings("LIFETIME", "a week").seconds("LIFETIME", Duration::from_secs(1));
        assert!(wrong.err().is_some_and(|error| error.to_string().contains("LIFETIME")));
        assert!(settings("LIFETIME", "0").seconds("LIFETIME", Duration::from_secs(1)).is_err());
    }
}
