//! Tests of the parts of the benches that measure nothing. Cargo builds a bench without its tests.

mod chart;
#[path = "scale/copies.rs"]
mod copies;
#[path = "tests/copies_and_growth.rs"]
mod copies_and_growth;
mod cost;
mod evidence;
#[path = "load/growth.rs"]
mod growth;
mod names;
mod process;
mod report;
mod statistics;

use std::time::Duration;

use serde_json::Value;

use self::{
    chart::{Group, svg},
    cost::Usage,
    evidence::Bench,
    process::{parse_memory, parse_run_time, peak_memory, processor_time, resident_memory},
    report::{Check, Limit, Table, checks_table, missed, number},
    statistics::Samples,
};

fn samples(values: impl IntoIterator<Item = f64>) -> Samples {
    let mut samples = Samples::default();
    values.into_iter().for_each(|value| samples.push(value));
    samples
}

#[test]
fn the_median_is_the_middle_value_or_the_mean_of_the_two_in_the_middle() {
    assert!((samples([9.0, 1.0, 5.0]).median() - 5.0).abs() < f64::EPSILON);
    assert!((samples([9.0, 1.0, 5.0, 6.0]).median() - 5.5).abs() < f64::EPSILON);
    assert!(samples([]).median().is_nan());
}

#[test]
fn a_percentile_is_a_value_that_was_measured() {
    let hundred = samples((1..=100).map(f64::from));
    for (percent, expected) in [(0, 1.0), (50, 50.0), (99, 99.0), (100, 100.0)] {
        assert!((hundred.percentile(percent) - expected).abs() < f64::EPSILON, "{percent}");
    }
    assert!((samples([7.0]).percentile(99) - 7.0).abs() < f64::EPSILON);
    assert!(samples([]).percentile(99).is_nan());
}

#[test]
fn times_are_kept_in_milliseconds() {
    let mut times = Samples::default();
    times.push_time(Duration::from_micros(2500));
    assert!(times.len() == 1 && (times.median() - 2.5).abs() < 1e-9);
}

#[test]
fn the_system_reports_the_memory_and_the_time_of_a_process() -> anyhow::Result<()> {
    let status = "Name:\tbootstrap\nVmHWM:\t    8324 kB\nVmRSS:\t    8000 kB\n";
    assert_eq!((parse_memory(status, "VmHWM"), parse_memory(status, "VmRSS")), (Some(8324), Some(8000)));
    assert_eq!(parse_memory(status, "Vm"), None);
    assert_eq!(parse_run_time("1234567 89 10\n"), Some(Duration::from_nanos(1_234_567)));
    assert_eq!(parse_run_time(""), None);
    let this = std::process::id();
    assert!(peak_memory(this)? > 0 && resident_memory(this)? > 0 && processor_time(this)? > Duration::ZERO);
    Ok(())
}

#[test]
fn a_limit_is_met_by_a_value_up_to_it_and_never_by_what_could_not_be_measured() {
    let check = |limit, measured| Check::new("first answer", limit, measured);
    for (limit, measured, met) in [
        (Limit::AtMost(1.3), 1.3, true),
        (Limit::AtMost(1.3), 1.31, false),
        (Limit::AtLeast(50.0), 50.0, true),
        (Limit::AtLeast(50.0), 49.9, false),
        (Limit::AtMost(1.3), f64::NAN, false),
        (Limit::AtLeast(50.0), f64::NAN, false),
    ] {
        assert_eq!(check(limit, measured).is_met(), met, "{limit:?} {measured}");
    }
    let checks = [check(Limit::AtMost(1.3), 1.25), check(Limit::AtLeast(50.0), 42.0)];
    assert_eq!(missed(&checks), ["first answer: 42, but the limit is at least 50."]);
    let table = "| what | limit | measured | met |\n|---|--:|--:|--:|\n| first answer | at most 1.30 | 1.25 | yes |\n\
                 | first answer | at least 50 | 42 | **no** |\n";
    assert_eq!(checks_table(&checks), table);
}

#[test]
fn a_table_is_markdown() {
    let mut table = Table::new(&["function", "first"]);
    table.row(["`noop`".to_owned(), number(0.5)]);
    assert_eq!(table.markdown(), "| function | first |\n|---|--:|\n| `noop` | 0.50 |\n");
}

#[test]
fn a_number_has_the_digits_that_a_reader_needs() {
    let cases =
        [(0.0, "0"), (1.0, "1"), (1.34, "1.34"), (9.999, "10"), (12.34, "12.3"), (99.96, "100"), (252.4, "252")];
    for (value, text) in cases {
        assert_eq!(number(value), text);
    }
    assert_eq!(number(f64::NAN), "–");
}

#[test]
fn a_million_retrievals_cost_what_the_prices_say() {
    let usage = Usage { memory_mb: 512.0, milliseconds: 1.3, reads: 1.0, writes: 1.0, kms_requests: 1.0 };
    let lambda = 0.2 + 0.5 * 0.002 * 13.3334;
    assert!((usage.dollars_per_million() - (lambda + 0.125 + 0.625 + 3.0)).abs() < 1e-9);
    assert!((Usage::default().dollars_per_million() - 0.2).abs() < 1e-9, "a request costs something");
}

#[test]
fn a_chart_has_the_name_and_the_value_of_each_bar_as_text() {
    let bars = vec![("get-credentials".to_owned(), 2.8), ("A & <B>".to_owned(), 252.0)];
    let chart = svg("A start", &[Group { title: "Start, ms".to_owned(), bars }]);
    for text in [">A start</title>", ">Start, ms<", ">get-credentials<", ">2.80<", ">A &amp; &lt;B&gt;<", ">252<"] {
        assert!(chart.contains(text), "{text} is not in {chart}");
    }
    assert!(chart.contains("class=\"own\"") && chart.contains("width=\"500.0\""), "{chart}");
    assert!(chart.contains("prefers-color-scheme: dark"), "it reads in the dark");
    assert!(svg("Nothing", &[]).ends_with("</svg>\n"));
}

#[test]
fn a_bench_replaces_its_own_section_of_the_evidence_and_nothing_else() {
    let document = "# Evidence\n\n<!-- bench peers: begin -->\nold\n<!-- bench peers: end -->\n\n## Others\n";
    let replaced = evidence::replace(document, Bench::Peers, "new\n").expect("the comments are there");
    let expected = "# Evidence\n\n<!-- bench peers: begin -->\n\nnew\n\n<!-- bench peers: end -->\n\n## Others\n";
    assert_eq!(replaced, expected);
    assert_eq!(evidence::replace(&replaced, Bench::Peers, "new").as_deref(), Some(expected), "again");
    assert_eq!(evidence::replace(document, Bench::Scale, "new"), None);
}

#[test]
fn the_evidence_has_a_place_for_each_bench() {
    let document = include_str!("../../infra/docs/evidence.md");
    for bench in Bench::ALL {
        assert!(evidence::replace(document, bench, "").is_some(), "{}", bench.name());
    }
}

#[test]
fn every_npm_package_of_the_peers_is_pinned_by_its_content_and_by_no_address() {
    let [manifest, lock] = [include_str!("peers/package.json"), include_str!("peers/package-lock.json")];
    let [manifest, lock] = [manifest, lock].map(|text| serde_json::from_str::<Value>(text).expect("JSON"));
    for (name, version) in manifest["dependencies"].as_object().expect("dependencies") {
        assert_eq!(lock["packages"][format!("node_modules/{name}")]["version"], *version, "{name}");
    }
    let locked = lock["packages"].as_object().expect("packages").iter().filter(|(path, _)| !path.is_empty());
    for (path, package) in locked {
        assert!(package["integrity"].as_str().is_some_and(|hash| hash.starts_with("sha512-")), "{path}");
        assert!(package["resolved"].is_null(), "{path}: npm config omit-lockfile-registry-resolved=true");
    }
}
