//! Our own rules for a transformed template, which no linter has.

mod access;
mod alarms;
mod delivery;
mod desk;
mod ends;
mod events;
mod keys;
mod operation;
mod product;
mod security;
mod template;

use self::template::Transformed;
use super::Finding;

/// A rule: its name, and a function that describes each place that breaks it.
type Rule = (&'static str, fn(&Transformed) -> Vec<String>);

const RULES: [Rule; 95] = [
    ("open-route", access::open_routes),
    ("wildcard-action", access::wildcard_actions),
    ("wildcard-resource", access::wildcard_resources),
    ("unguarded-set", access::unguarded_sets),
    ("whole-table", access::whole_tables),
    ("unbound-seal", access::unbound_seals),
    ("seal-of-another", access::seals_of_others),
    ("seal-by-any-code", access::seals_by_any_code),
    ("open-table", access::open_tables),
    ("open-bus", access::open_buses),
    ("table-key-elsewhere", access::table_key_elsewhere),
    ("open-policy", access::open_policies),
    ("shared-role", access::shared_roles),
    ("target-without-dead-letters", delivery::targets_without_dead_letters),
    ("queue-without-dead-letters", delivery::queues_without_dead_letters),
    ("short-retention", delivery::short_retentions),
    ("bus-without-archive", delivery::buses_without_archive),
    ("pipe-without-log", delivery::pipes_without_log),
    ("pipe-without-dead-letters", delivery::pipes_without_dead_letters),
    ("short-visibility", delivery::short_visibility),
    ("lease-outside-visibility", delivery::leases_outside_visibility),
    ("whole-batch", delivery::whole_batches),
    ("unlimited-mapping", delivery::unlimited_mappings),
    ("time-out-above-api", delivery::time_outs_above_api),
    ("time-out-below-budgets", delivery::time_outs_below_budgets),
    ("mail-without-tls", delivery::mail_without_tls),
    ("mail-without-feedback", delivery::mail_without_feedback),
    ("feedback-of-others", delivery::feedback_of_others),
    ("schedule-of-another-period", delivery::schedules_of_another_period),
    ("retry-beyond-the-period", delivery::retries_beyond_the_period),
    ("forwarded-bounce", delivery::forwarded_bounces),
    ("stream-from-the-end", events::streams_from_the_end),
    ("batch-in-one-piece", events::batches_in_one_piece),
    ("record-given-up", events::records_given_up),
    ("stream-without-dead-letters", events::streams_without_dead_letters),
    ("unfiltered-stream", events::unfiltered_streams),
    ("crowded-stream", events::crowded_streams),
    ("stream-without-age-alarm", events::streams_without_age_alarm),
    ("publisher-elsewhere", events::publishers_elsewhere),
    ("own-events-in", events::own_events_in),
    ("short-archive", events::short_archives),
    ("log-without-retention", operation::logs_without_retention),
    ("function-without-log", operation::functions_without_log),
    ("unchosen-trace", operation::unchosen_traces),
    ("loud-system-log", operation::loud_system_logs),
    ("function-without-alarm", alarms::functions_without_alarm),
    ("dead-letters-without-alarm", alarms::dead_letters_without_alarm),
    ("silent-alarm", alarms::silent_alarms),
    ("unknown-metric", alarms::unknown_metrics),
    ("queue-without-age-alarm", alarms::queues_without_age_alarm),
    ("rule-without-alarm", alarms::rules_without_alarm),
    ("schedule-without-watch", alarms::schedules_without_watch),
    ("crowded-alarm", alarms::crowded_alarms),
    ("unheard-denial", alarms::unheard_denials),
    ("personal-access-log", operation::personal_access_logs),
    ("unprotected-data", operation::unprotected_data),
    ("key-that-cannot-move", operation::keys_that_cannot_move),
    ("unrotatable-key", access::unrotatable_keys),
    ("role-without-boundary", access::roles_without_boundary),
    ("long-name", operation::long_names),
    ("access-log-without-request", operation::access_logs_without_request),
    ("log-in-shared-policy", operation::logs_in_shared_policy),
    ("unreported-tampering", security::unreported_tampering),
    ("changed-type", operation::changed_types),
    ("bare-parameter", operation::bare_parameters),
    ("secret-in-environment", access::secrets_in_environments),
    ("desk-without-condition", desk::desks_without_condition),
    ("desk-route-elsewhere", desk::desk_routes_elsewhere),
    ("desk-beside-customers", desk::desks_beside_customers),
    ("desk-of-everyone", desk::desks_of_everyone),
    ("desk-that-unseals", desk::desks_that_unseal),
    ("desk-that-writes", desk::desks_that_write),
    ("desk-setting-elsewhere", desk::desk_settings_elsewhere),
    ("acts-without-alarm", desk::acts_without_alarm),
    ("sign-in-without-alarm", desk::sign_ins_without_alarm),
    ("unthrottled-api", desk::unthrottled_apis),
    ("deletion-elsewhere", ends::deletions_elsewhere),
    ("deletion-at-once", ends::deletions_at_once),
    ("unheard-event", ends::unheard_events),
    ("attempts-without-alarm", ends::attempts_without_alarm),
    ("product-without-condition", product::products_without_condition),
    ("signature-of-another", product::signatures_of_others),
    ("unbound-signature", product::unbound_signatures),
    ("signature-by-any-code", product::signatures_by_any_code),
    ("product-that-unseals", product::products_that_unseal),
    ("product-of-everyone", product::products_of_everyone),
    ("unheard-key-denial", product::unheard_key_denials),
    ("code-without-alarm", product::codes_without_alarm),
    ("keys-written-elsewhere", keys::keys_written_elsewhere),
    ("keys-written-by-any-code", keys::keys_written_by_any_code),
    ("keys-read-elsewhere", keys::keys_read_elsewhere),
    ("keys-out-of-reach", keys::keys_out_of_reach),
    ("keys-never-refreshed", keys::keys_never_refreshed),
    ("keys-late-after-deployment", keys::keys_late_after_deployments),
    ("keys-without-alarm", keys::keys_without_alarm),
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
