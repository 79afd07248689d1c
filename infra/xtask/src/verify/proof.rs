//! Stages that run one test binary. The binary prints what it tried: tables, and a line that begins with its name.

use anyhow::ensure;

use tokio::process::Command;
use tools::{Workspace, python::Environment, tell};

use super::{Outcome, nextest};

/// Runs the test binary `name` alone, prints its tables, and returns its lines.
pub(super) async fn run(workspace: &Workspace, name: &'static str) -> Outcome {
    check(nextest::command_with_product(workspace).await?, name).await
}

/// Runs the test binary in the profile of nextest that has its name.
pub(super) async fn in_profile(workspace: &Workspace, name: &'static str) -> Outcome {
    let mut command = nextest::command_with_product(workspace).await?;
    command.args(["--profile", name]);
    check(command, name).await
}

/// Installs these tools, and then runs the test binary in the profile of its name.
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
    let violations = violations(&run.output);
    ensure!(run.status.success(), "{}: {}; {}{violations}", run.line, run.status, run.summary());
    ensure!(run.summary().ends_with(", 0 skipped"), "a skipped test is a failure here: {}", run.summary());
    for row in tables(&run.output) {
        tell!("{row}");
    }
    tell!("");
    let results = results(&run.output, name);
    ensure!(!results.is_empty(), "no test of `{name}` printed a line `{name}: …`");
    Ok(Some(results.join("; ")))
}

/// Returns the rows of Markdown tables in their order, with an empty line before each table.
fn tables(output: &[String]) -> Vec<&str> {
    let lines = || output.iter().map(|line| line.trim());
    let mut rows = Vec::new();
    for (row, next) in lines().zip(lines().skip(1).chain([""])).filter(|(row, _)| row.starts_with('|')) {
        if next.starts_with("|--") {
            rows.push("");
        }
        rows.push(row);
    }
    rows
}

/// Returns the lines that name a violated invariant, each after a line break. The end of a log that was cut shows them.
fn violations(output: &[String]) -> String {
    let named = output.iter().map(|line| line.trim()).filter(|line| line.contains(": violated: "));
    std::iter::once("").chain(named).collect::<Vec<_>>().join("\n")
}

/// Returns the lines that begin with the name of the binary, without the name.
fn results<'a>(output: &'a [String], name: &str) -> Vec<&'a str> {
    let after_name = |line: &'a String| line.trim().strip_prefix(name)?.strip_prefix(": ");
    output.iter().filter_map(after_name).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tables_and_last_lines_are_found_among_what_nextest_says() {
        let output: Vec<_> = [
            "        PASS [   0.1s] (1/1) tests::faults matrix",
            "  stdout ───",
            "    | fault | tried |",
            "    |---|---|",
            "    faults: 12 tried, 0 violations",
            "    crashes: 3 crashes, 0 violations",
        ]
        .map(ToOwned::to_owned)
        .into();
        assert_eq!(tables(&output), ["", "| fault | tried |", "|---|---|"]);
        assert_eq!(results(&output, "faults"), ["12 tried, 0 violations"]);
        assert_eq!(results(&output, "bench"), [""; 0]);
    }
}
