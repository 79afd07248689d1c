//! Rules about published events: what reads the table's stream, what may publish, and that no rule takes published events.

use serde_json::Value;

use super::{
    delivery::{is_of_stream, is_queue},
    template::{Transformed, cases, list, mentions, named, one_or_more},
};

/// The `source` of published events.
const OURS: &str = "firstkey";

/// The most readers of a shard that do not slow each other:
/// <https://docs.aws.amazon.com/amazondynamodb/latest/developerguide/Streams.html>.
const READERS: usize = 2;

/// The longest time that an event may wait in the stream before an alarm begins, in milliseconds.
const LATE: u64 = 900_000;

/// The time for which the stream keeps a record, in seconds.
const KEPT: u64 = 86_400;

/// The records that a function may get: the values of `eventName`, and the pattern of the sort key.
const RECORDS: [(&[&str], &str); 3] = [
    (&["INSERT"], r#"{"prefix":"EVENT#"}"#),
    (&["INSERT", "MODIFY"], r#""CREDENTIAL""#),
    (&["INSERT", "MODIFY"], r#""MAIL""#),
];

/// Returns the id of each mapping of a stream, with its properties.
fn mappings<'a>(template: &Transformed<'a>) -> impl Iterator<Item = (&'a str, &'a Value)> {
    let all = template.resources("AWS::Lambda::EventSourceMapping");
    all.map(|(id, mapping)| (id, &mapping["Properties"])).filter(|(_, mapping)| is_of_stream(mapping))
}

fn broken(template: &Transformed, breaks: impl Fn(&Value) -> bool) -> Vec<String> {
    mappings(template).filter(|(_, mapping)| breaks(mapping)).map(|(id, _)| id.to_owned()).collect()
}

/// Finds functions that would miss what is in the stream before their mapping is created, or created again.
pub(super) fn streams_from_the_end(template: &Transformed) -> Vec<String> {
    broken(template, |mapping| mapping["StartingPosition"] != "TRIM_HORIZON")
}

/// Finds functions that retry a whole batch for a record that makes them fail.
pub(super) fn batches_in_one_piece(template: &Transformed) -> Vec<String> {
    broken(template, |mapping| mapping["BisectBatchOnFunctionError"] != true)
}

/// Finds functions that give up a record hours before the stream does, or that leave it to the stream, which drops it without a report.
pub(super) fn records_given_up(template: &Transformed) -> Vec<String> {
    broken(template, |mapping| {
        let age = mapping["MaximumRecordAgeInSeconds"].as_u64();
        let retried = mapping["MaximumRetryAttempts"].is_null() || mapping["MaximumRetryAttempts"] == -1;
        !retried || age.is_none_or(|age| !(KEPT - 7200..KEPT).contains(&age))
    })
}

/// Finds functions whose records are lost when Lambda gives them up.
pub(super) fn streams_without_dead_letters(template: &Transformed) -> Vec<String> {
    broken(template, |mapping| !is_queue(template, &mapping["DestinationConfig"]["OnFailure"]["Destination"]))
}

/// Finds functions that get other records than those that they publish: those of accounts, sessions and codes, and of deletions.
pub(super) fn unfiltered_streams(template: &Transformed) -> Vec<String> {
    broken(template, |mapping| {
        let filters: Vec<_> = list(&mapping["FilterCriteria"]["Filters"]).collect();
        filters.len() != RECORDS.len() || !filters.iter().all(|filter| lets_in_a_known_kind(&filter["Pattern"]))
    })
}

fn lets_in_a_known_kind(pattern: &Value) -> bool {
    let pattern: Value = serde_json::from_str(pattern.as_str().unwrap_or_default()).unwrap_or_default();
    RECORDS.iter().any(|(names, sort_key)| {
        let sort_key: Value = serde_json::from_str(sort_key).unwrap_or_default();
        pattern["eventName"] == serde_json::json!(names)
            && pattern["dynamodb"]["Keys"]["SK"]["S"] == serde_json::json!([sort_key])
    })
}

/// Finds tables whose stream has more readers than it can serve.
pub(super) fn crowded_streams(template: &Transformed) -> Vec<String> {
    let pipes = template.resources("AWS::Pipes::Pipe").map(|(_, pipe)| &pipe["Properties"]["Source"]);
    let sources: Vec<_> = pipes.chain(mappings(template).map(|(_, mapping)| &mapping["EventSourceArn"])).collect();
    let tables = template.resources("AWS::DynamoDB::Table").map(|(id, _)| id);
    let crowded = tables.filter(|table| sources.iter().filter(|source| mentions(source, table)).count() > READERS);
    crowded.map(str::to_owned).collect()
}

/// Finds functions without an alarm on the age of what they read from the stream.
pub(super) fn streams_without_age_alarm(template: &Transformed) -> Vec<String> {
    let watched = |function: &str| {
        template.resources("AWS::CloudWatch::Alarm").any(|(_, alarm)| {
            let alarm = &alarm["Properties"];
            alarm["MetricName"] == "IteratorAge"
                && alarm["Statistic"] == "Maximum"
                && mentions(&alarm["Dimensions"], function)
                && alarm["ComparisonOperator"] == "GreaterThanThreshold"
                && alarm["Threshold"].as_u64().is_some_and(|age| age <= LATE)
        })
    };
    broken(template, |mapping| !named(&mapping["FunctionName"]).is_some_and(watched))
}

/// Finds roles that may put events on another bus than the bus for published events, or in the name of another source.
pub(super) fn publishers_elsewhere(template: &Transformed) -> Vec<String> {
    let publishes = template.allowed().into_iter().filter(|statement| {
        let of_role = statement.kind == "AWS::IAM::Role" || statement.kind == "AWS::IAM::RolePolicy";
        of_role && statement.actions().contains(&"events:PutEvents")
    });
    let elsewhere = publishes.filter(|statement| {
        let mut buses = one_or_more(&statement.value["Resource"]).flat_map(cases);
        !buses.all(|bus| named(bus) == Some("PublishedEvents"))
            || statement.condition("StringEquals", "events:source") != [OURS]
    });
    elsewhere.map(|statement| statement.place).collect()
}

/// Finds rules that would take published events: those of any source, of `firstkey`, or of a source that the operator may set to it.
pub(super) fn own_events_in(template: &Transformed) -> Vec<String> {
    let refuses = |source: &Value| match named(source) {
        Some(parameter) => {
            let pattern = template.0["Parameters"][parameter]["AllowedPattern"].as_str();
            pattern.is_some_and(|pattern| pattern.starts_with(&format!("^(?!{OURS}$)")))
        }
        None => source.as_str().map_or(source["anything-but"] == OURS, |source| source != OURS),
    };
    let rules = template.resources("AWS::Events::Rule").map(|(id, rule)| (id, &rule["Properties"]));
    let open = rules.filter(|(_, rule)| {
        let source = &rule["EventPattern"]["source"];
        rule["ScheduleExpression"].is_null()
            && (list(source).next().is_none() || !list(source).flat_map(cases).all(refuses))
    });
    open.map(|(id, _)| id.to_owned()).collect()
}

/// Finds archives that forget an event before 30 days.
pub(super) fn short_archives(template: &Transformed) -> Vec<String> {
    let archives = template.resources("AWS::Events::Archive").filter(|(_, archive)| {
        let days = &archive["Properties"]["RetentionDays"];
        // Without a number of days, or with zero, an archive forgets nothing.
        !days.is_null() && days.as_u64().is_none_or(|days| days != 0 && days < 30)
    });
    archives.map(|(id, _)| id.to_owned()).collect()
}
