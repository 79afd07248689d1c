//! Measures the same requests with tables of a thousand, a hundred thousand and a million subscriptions. In a larger table, no request takes
//! longer, makes other calls of AWS or consumes other units. The times are those of the embedded DynamoDB on this machine; the calls and the
//! units are the same on AWS.
//!
//! A table is filled with copies of the items of two real subscriptions, past the endpoint. It stays under `target/bench`, where the largest
//! takes gigabytes, and later runs use it again until items have other shapes. The measured subscriptions start through the functions in
//! each run. Their ids are spread evenly over those of the copies, and the requests go from one to the next, as customers come.

mod copies;
mod fill;
mod table;

use std::path::Path;

use anyhow::{bail, ensure};
use fastrand::Rng;
use support::Function;

use self::table::{Cost, Table};
use crate::{
    Section,
    report::{self, Check, Limit, number},
};

/// The numbers of subscriptions. `FIRSTKEY_SUBSCRIPTIONS` replaces the last one.
const SCALES: [usize; 3] = [1_000, 100_000, 1_000_000];

/// The number of measured rounds. In each, every request is made once to every table, and the tables take turns in random order.
const ROUNDS: usize = 150;

/// The number of rounds before them, in which the functions open their connections.
const WARM_UP: usize = 3;

/// The seed of the order in which the tables take turns.
const SEED: u64 = 19;

/// The largest allowed ratio of the medians with the largest table and with the smallest.
const MAX_RATIO: f64 = 1.10;

/// A request that is measured.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Request {
    Retrieval,
    List,
    SignIn,
    SearchByCompany,
    SearchByUserName,
    History,
}

impl Request {
    const ALL: [Self; 6] =
        [Self::Retrieval, Self::List, Self::SignIn, Self::SearchByCompany, Self::SearchByUserName, Self::History];

    fn name(self) -> &'static str {
        match self {
            Self::Retrieval => "retrieval",
            Self::List => "list of a customer",
            Self::SignIn => "sign-in from a new browser",
            Self::SearchByCompany => "search of the desk by company",
            Self::SearchByUserName => "search of the desk by user name",
            Self::History => "page of a history",
        }
    }

    fn function(self) -> Function {
        match self {
            Self::Retrieval => Function::GetCredentials,
            Self::List => Function::ListSubscriptions,
            Self::SignIn => Function::SignIn,
            Self::SearchByCompany | Self::SearchByUserName => Function::SupportDesk,
            Self::History => Function::ShowHistory,
        }
    }
}

/// Measures every request with every table. `programs` is the directory of the release binaries.
pub(crate) async fn run(programs: &Path) -> anyhow::Result<Section> {
    let played = fill::play().await?;
    let mut tables = Vec::new();
    for count in scales()? {
        tables.push(Table::open(count, &played, programs).await?);
    }
    let mut random = Rng::with_seed(SEED);
    for round in 0..WARM_UP + ROUNDS {
        for request in Request::ALL {
            random.shuffle(&mut tables);
            for table in &mut tables {
                table.measure(request, round).await?;
            }
        }
        if round + 1 == WARM_UP {
            tables.iter_mut().for_each(Table::forget);
        }
    }
    tables.sort_by_key(|table| table.count);
    report(&tables)
}

fn scales() -> anyhow::Result<[usize; 3]> {
    let [small, middle, large] = SCALES;
    let large = support::env_number("FIRSTKEY_SUBSCRIPTIONS").map_or(Ok(large), usize::try_from)?;
    ensure!(large > 2 * small, "FIRSTKEY_SUBSCRIPTIONS must be more than {}", 2 * small);
    Ok([small, middle.min(large / 2), large])
}

fn report(tables: &[Table]) -> anyhow::Result<Section> {
    let [smallest, middle, largest] = tables else { bail!("there are three tables") };
    let heads = tables.iter().map(|table| format!("{}, ms", table.count)).collect::<Vec<_>>();
    let heads = ["request", &heads[0], &heads[1], &heads[2], "ratio", "AWS calls", "read units", "write units"];
    let (mut rows, mut checks) = (report::Table::new(&heads), Vec::new());
    for request in Request::ALL {
        let times = [smallest, middle, largest].map(|table| table.median(request));
        let (ratio, costs) = (times[2] / times[0], smallest.costs(request));
        let numbers = times.into_iter().chain([ratio]).chain(means(&costs)?);
        rows.row([request.name().to_owned()].into_iter().chain(numbers.map(number)));
        let against = format!("{}, {} subscriptions against {}", request.name(), largest.count, smallest.count);
        checks.push(Check::new(against, Limit::AtMost(MAX_RATIO), ratio));
        let others = [middle, largest].map(|table| differences(&costs, &table.costs(request)));
        let rounds = format!("{}, rounds with other calls or units than with {}", request.name(), smallest.count);
        checks.push(Check::new(rounds, Limit::AtMost(0.0), f64::from(others[0] + others[1])));
    }
    let sizes = tables.iter().map(|table| format!("{} MB", table.bytes / 1_000_000)).collect::<Vec<_>>().join(", ");
    let markdown = format!(
        "{}\nMedians of {ROUNDS} requests to each table, by turns in random order. The ratio is that of the largest table and the \
         smallest. Calls and units are means. The files of the tables have {sizes}.\n\n{}",
        rows.markdown(),
        report::checks_table(&checks)
    );
    Ok(Section { title: "Scale".to_owned(), markdown, missed: report::missed(&checks) })
}

/// Returns the mean number of calls, of read units and of write units.
fn means(costs: &[Cost]) -> anyhow::Result<[f64; 3]> {
    let rounds = f64::from(u32::try_from(costs.len())?);
    let calls: usize = costs.iter().map(|cost| cost.calls.len()).sum();
    let reads: f64 = costs.iter().map(|cost| cost.reads).sum();
    let writes: f64 = costs.iter().map(|cost| cost.writes).sum();
    Ok([f64::from(u32::try_from(calls)?), reads, writes].map(|sum| sum / rounds))
}

/// Returns the number of rounds whose costs differ.
fn differences(some: &[Cost], others: &[Cost]) -> u32 {
    some.iter().zip(others).map(|(one, other)| u32::from(one != other)).sum()
}
