//! Our own rules for a transformed template, which no linter has.

mod access;
mod delivery;
mod operation;
mod template;

use self::template::Transformed;
use super::Finding;

/// A rule: its name, and a function that describes each place that breaks it.
type Rule = (&'static str, fn(&Transformed) -> Vec<String>);

const RULES: [Rule; 30] = [
    ("open-route", access::open_routes),
    ("wildcard-action", access::wildcard_actions),
    ("wildcard-resource", access::wildcard_resources),
    ("unguarded-set", access::unguarded_sets),
    ("whole-table", access::whole_tables),
    ("unbound-seal", access::unbound_seals),
    ("seal-of-another", access::seals_of_others),
    ("table-key-elsewhere", access::table_key_elsewhere),
    ("open-policy", access::open_policies),
    ("shared-role", access::shared_roles),
    ("target-without-dead-letters", delivery::targets_without_dead_letters),
    ("queue-without-dead-letters", delivery::queues_without_dead_letters),
    ("pipe-without-dead-letters", delivery::pipes_without_dead_letters),
    ("short-visibility", delivery::short_visibility),
    ("lease-outside-visibility", delivery::leases_outside_visibility),
    ("whole-batch", delivery::whole_batches),
    ("unlimited-mapping", delivery::unlimited_mappings),
    ("time-out-above-api", delivery::time_outs_above_api),
    ("time-out-below-budgets", delivery::time_outs_below_budgets),
    ("mail-without-tls", delivery::mail_without_tls),
    ("mail-without-feedback", delivery::mail_without_feedback),
    ("log-without-retention", operation::logs_without_retention),
    ("function-without-log", operation::functions_without_log),
    ("function-without-trace", operation::functions_without_trace),
    ("function-without-alarm", operation::functions_without_alarm),
    ("dead-letters-without-alarm", operation::dead_letters_without_alarm),
    ("silent-alarm", operation::silent_alarms),
    ("personal-access-log", operation::personal_access_logs),
    ("unprotected-data", operation::unprotected_data),
    ("bare-parameter", operation::bare_parameters),
];

/// Returns the findings of the rules in a transformed template.
pub(super) fn findings(document: &serde_json::Value) -> Vec<Finding> {
    let transformed = Transformed(document);
    let found = RULES.iter().flat_map(|(rule, broken)| broken(&transformed).into_iter().map(|text| (*rule, text)));
    found.map(|(rule, text)| Finding { by: "firstkey".to_owned(), rule: rule.to_owned(), text }).collect()
}

/// Returns the names of the rules.
pub(super) fn names() -> impl Iterator<Item = &'static str> {
    RULES.iter().map(|(name, _)| *name)
}
