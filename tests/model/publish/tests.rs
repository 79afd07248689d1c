//! The scopes, and the expected results.

use super::{PublishModel, Variant};
use crate::check::{assert_caught_by, assert_holds, is_full_run};

fn model(variant: Variant) -> PublishModel {
    let (records, failures) = if is_full_run() { (vec![true, false, true], 4) } else { (vec![true, false], 3) };
    // Lambda delivers for 23 hours; here there is one delivery for each record and for each failure.
    let deliveries = failures + if is_full_run() { 3 } else { 2 };
    PublishModel { variant, records, failures, deliveries }
}

#[test]
fn the_design_holds() {
    let reached = ["a record is delivered again after its event", "an event is published late"];
    assert_holds("publish-events", model(Variant::Design), &reached);
}

#[test]
fn each_mutant_is_caught() {
    let mutants = [
        (Variant::EventBeforeNotices, "an event is not published before its notices"),
        (Variant::NoticeReplaced, "a notice is ordered once"),
        (Variant::RefusalAcknowledged, "what is acknowledged is published"),
        (Variant::UnreadableFails, "no record holds up the others"),
        (Variant::IdOfTheDelivery, "an event has one id"),
    ];
    for (variant, property) in mutants {
        assert_caught_by(&format!("{variant:?}"), model(variant), property);
    }
}
