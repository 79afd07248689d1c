//! Stages that are one test binary, which tells what it tried: tables, and a line that begins with its name.

use anyhow::ensure;

use tokio::process::Command;
use tools::{Workspace, tell};

use super::{Outcome, nextest};
use crate::installed::environments::Environment;

/// Runs the binary `name` of the tests alone, repeats its tables, and gives its lines.
pub(super) async fn run(workspace: &Workspace, name: &'static str) -> Outcome {
    check(nextest::command_with_product(workspace).await?, name).await
}

/// The same, in the profile of nextest that has its name.
pub(super) async fn in_profile(workspace: &Workspace, name: &'static str) -> Outcome {
    let mut command = nextest::command_with_product(workspace).await?;
    command.args(["--profile", name]);
    check(command, name).await
}

/// The same, when these tools are there.
pub(super) async fn with_tools(workspace: &Workspace, name: &'static str, tools: &[Environment]) -> Outcome {
    for environment in tools {
        environment.programs(workspace).await?;
    }
    in_profile(workspace, name).await
}

async fn check(mut command: Command, name: &'static str) -> Outcome {
    // The features of the whole workspace: those with which the other stages have built.
    command.args(["--workspace", "--test", name, "--success-output", "final"]);
    let run = nextest::run(command).await?;
    ensure!(run.status.success(), "{}: {}; {}", run.line, run.status, run.summary());
    ensure!(run.summary().ends_with(", 0 skipped"), "a skipped test is a failure here: {}", run.summary());
    for row in tables(&run.said) {
        tell!("{row}");
    }
    tell!("");
    let told = told(&run.said, name);
    ensure!(!told.is_empty(), "no test of `{name}` printed a line `{name}: …`");
    Ok(Some(told.join("; ")))
}

/// The rows of Markdown tables, in their order; before each table an empty line.
fn tables(said: &[String]) -> Vec<&str> {
    let lines = || said.iter().map(|line| line.trim());
    let mut rows = Vec::new();
    for (row, next) in lines().zip(lines().skip(1).chain([""])).filter(|(row, _)| row.starts_with('|')) {
        if next.starts_with("|--") {
            rows.push("");
        }
        rows.push(row);
    }
    rows
}

/// What the tests say in the end, without the name.
fn told<'a>(said: &'a [String], name: &str) -> Vec<&'a str> {
    let after_name = |line: &'a String| line.trim().strip_prefix(name)?.strip_prefix(": ");
    said.iter().filter_map(after_name).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tables_and_last_lines_are_found_among_what_nextest_says() {
        let said: Vec<_> = [
            "        PASS [   0.1s] (1/1) tests::faults matrix",
            "  stdout ───",
            "    | fault | tried |",
            "    |---|---|",
            "    faults: 12 tried, 0 violations",
            "    crashes: 3 crashes, 0 violations",
        ]
        .map(ToOwned::to_owned)
        .into();
        assert_eq!(tables(&said), ["", "| fault | tried |", "|---|---|"]);
        assert_eq!(told(&said, "faults"), ["12 tried, 0 violations"]);
        assert_eq!(told(&said, "bench"), [""; 0]);
    }
}
