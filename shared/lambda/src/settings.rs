//! The settings of a function, read from the environment in one place.

use std::{collections::HashMap, fmt, time::Duration};

use domain::{ApprovalPolicy, Budget, Sender, ServiceAdministrator, approval::APPROVAL_WAIT, attempts};

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

    /// Returns `CREDENTIAL_LIFETIME_SECONDS`, how long temporary credentials work: a week unless the deployment sets it.
    pub fn credential_lifetime(&self) -> Result<Duration, MissingSetting> {
        self.seconds("CREDENTIAL_LIFETIME_SECONDS", Duration::from_hours(7 * 24))
    }

    /// Returns `REMINDER_BEFORE_SECONDS`, how long before their expiry people are reminded of credentials: two days unless the deployment
    /// sets it, and zero for no reminders.
    pub fn reminder_before(&self) -> Result<Duration, MissingSetting> {
        let seconds = |text: &str| text.parse().ok().map(Duration::from_secs);
        self.parsed("REMINDER_BEFORE_SECONDS", Duration::from_hours(48), seconds)
    }

    /// Returns whether what operators may not do alone takes an approval: `DESK_APPROVAL`, `required` by default.
    pub fn approval_policy(&self) -> Result<ApprovalPolicy, MissingSetting> {
        self.parsed("DESK_APPROVAL", ApprovalPolicy::Required, ApprovalPolicy::parse)
    }

    /// Returns `DESK_APPROVAL_WAIT_SECONDS`, how long the people of a subscription that is handed over can object before an approval is given:
    /// an hour unless the deployment sets it.
    pub fn approval_wait(&self) -> Result<Duration, MissingSetting> {
        let seconds = |text: &str| text.parse().ok().map(Duration::from_secs);
        self.parsed("DESK_APPROVAL_WAIT_SECONDS", APPROVAL_WAIT, seconds)
    }

    /// Returns the budget of one network, with the burst of `SIGN_IN_NETWORK_BURST`. It is the same wherever a password is verified.
    pub fn network_budget(&self) -> Result<Budget, MissingSetting> {
        let parse = |text: &str| text.parse().ok().filter(|burst| *burst > 0);
        let burst = self.parsed("SIGN_IN_NETWORK_BURST", attempts::NETWORK.burst, parse)?;
        Ok(Budget { burst, ..attempts::NETWORK })
    }

    /// Returns what the first way in of an administrator means for the service administrator: `KEEP_SERVICE_ADMINISTRATOR`, `false` by default.
    pub fn service_administrator(&self) -> Result<ServiceAdministrator, MissingSetting> {
        let keeps = self.parsed("KEEP_SERVICE_ADMINISTRATOR", false, |text| text.parse().ok())?;
        Ok(if keeps { ServiceAdministrator::Stays } else { ServiceAdministrator::IsRetired })
    }

    /// Returns the vendor's name: `VENDOR_NAME`, or else the name in `SENDER`, or else the domain there.
    pub fn vendor_name(&self) -> Result<String, MissingSetting> {
        let sender = || self.optional("SENDER").and_then(|sender| sender_name(&sender));
        self.optional("VENDOR_NAME").or_else(sender).ok_or(MissingSetting("VENDOR_NAME"))
    }

    /// Returns whether the pseudo-language for tests is a language: `PSEUDO_LANGUAGE`, `false` by default.
    pub fn has_pseudo_language(&self) -> Result<bool, MissingSetting> {
        self.parsed("PSEUDO_LANGUAGE", false, |text| text.parse().ok())
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

/// Returns the display name of `Contoso <credentials@contoso.example>`, or the domain of an address without a name.
fn sender_name(sender: &str) -> Option<String> {
    let sender = Sender::parse(sender)?;
    let name = sender.name();
    Some(if name.is_empty() { sender.address().domain() } else { name }.to_owned())
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
    fn the_vendor_name_comes_from_its_setting_or_from_the_sender() {
        for (name, value, vendor) in [
            ("VENDOR_NAME", "Contoso", "Contoso"),
            ("SENDER", "Contoso <a@contoso.example>", "Contoso"),
            ("SENDER", "\"Contoso, Inc.\" <a@contoso.example>", "Contoso, Inc."),
            ("SENDER", "\"Müller \\\"AG\\\"\" <a@contoso.example>", "Müller \"AG\""),
            ("SENDER", "a@contoso.example", "contoso.example"),
        ] {
            assert_eq!(settings(name, value).vendor_name().unwrap(), vendor);
        }
        assert!(settings("OTHER", "Contoso").vendor_name().is_err());
    }

    #[test]
    fn the_pseudo_language_must_be_asked_for() {
        let has = |value| settings("PSEUDO_LANGUAGE", value).has_pseudo_language().ok();
        assert_eq!(["", "false", "true", "yes"].map(has), [Some(false), Some(false), Some(true), None]);
    }

    #[test]
    fn an_empty_setting_is_absent_and_a_wrong_one_is_named() {
        assert!(settings("A", "").required("A").is_err());
        let wrong = settings("LIFETIME", "a week").seconds("LIFETIME", Duration::from_secs(1));
        assert!(wrong.err().is_some_and(|error| error.to_string().contains("LIFETIME")));
        assert!(settings("LIFETIME", "0").seconds("LIFETIME", Duration::from_secs(1)).is_err());
    }
}
