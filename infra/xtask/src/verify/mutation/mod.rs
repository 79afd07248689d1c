//! Mutation tests: small wrong changes to the real code, made one at a time, each of which a test must catch. They show what passing tests
//! are worth. `tests/mutants/` lists them.
//!
//! The working tree is never touched: changes are made in a copy under the target directory. The unchanged copy must pass the same tests
//! first, so that a later failure is due to the change. A change that does not compile, that does not find its text, or that names no
//! existing test is an error in the list, and does not count as caught.

mod list;
mod results;
mod tree;

use std::collections::{BTreeMap, BTreeSet};

use anyhow::{bail, ensure};
use tools::{Workspace, environment, say};

use self::{
    list::{Mutant, TestName},
    results::Results,
    tree::Tree,
};
use super::{
    Outcome,
    nextest::{self, Run},
};

/// The seed of the sample, which makes it the same every day.
const SEED: u64 = 6;

/// The size of the sample.
const SAMPLE: usize = 3;

/// The environment variable with the names of the mutants to try, separated by commas: useful while writing a mutant or the code around it.
const NAMED: &str = "FIRSTKEY_MUTANT";

/// Tries the chosen mutants, and fails if one of them survives.
pub(super) async fn run(workspace: &Workspace) -> Outcome {
    let all = Mutant::all(&workspace.root)?;
    let (chosen, is_recorded) = chosen(workspace, &all)?;
    let results = Results::read(workspace).await?;
    let (earlier, chosen): (Vec<_>, Vec<_>) =
        chosen.into_iter().partition(|mutant| workspace.full && results.has(mutant));
    say!("{} to try, {} caught earlier in this code", chosen.len(), earlier.len());
    let tree = Tree::copy(workspace).await?;
    unchanged_passes(workspace, &tree, &chosen).await?;
    let (mut survivors, mut undecided) = (Vec::new(), Vec::new());
    for mutant in &chosen {
        say!("\n-- {}: {}", mutant.name, mutant.breaks);
        let by = match with_change(workspace, &tree, mutant).await {
            Ok(by) => by,
            Err(why) => {
                say!("-- {} has no result: {why:#}", mutant.name);
                undecided.push(mutant.name.as_str());
                continue;
            }
        };
        let names = by.iter().map(ToString::to_string).collect::<Vec<_>>();
        say!(
            "-- {} is caught by: {}",
            mutant.name,
            if by.is_empty() { "nothing".to_owned() } else { names.join(", ") }
        );
        for missed in mutant.caught_by.iter().filter(|test| !by.contains(test)) {
            say!("-- {} is not caught by: {missed}", mutant.name);
        }
        if by.is_empty() {
            survivors.push(mutant.name.as_str());
        }
        if is_recorded {
            results.add(workspace, mutant, &by).await?;
        }
    }
    ensure!(undecided.is_empty(), "no result for {}", undecided.join(", "));
    ensure!(survivors.is_empty(), "no test finds {}", survivors.join(", "));
    let caught = chosen.len() + earlier.len();
    Ok(Some(format!("{caught} of {caught} mutants caught, {} of them earlier, of {} in all", earlier.len(), all.len())))
}

/// Fails if a mutant names a test that does not exist.
pub(super) async fn named_tests_exist(workspace: &Workspace) -> anyhow::Result<()> {
    let listed = nextest::list(workspace).await?;
    for Mutant { name, caught_by, .. } in Mutant::all(&workspace.root)? {
        for test in caught_by {
            ensure!(listed.contains(&test.to_string()), "the mutant {name} names a test that does not exist: {test}");
        }
    }
    Ok(())
}

/// Returns all mutants, the named ones, or a sample; and whether their results are recorded.
fn chosen<'m>(workspace: &Workspace, all: &'m [Mutant]) -> anyhow::Result<(Vec<&'m Mutant>, bool)> {
    if let Some(names) = environment::get(NAMED) {
        let names = names.to_string_lossy();
        let names: Vec<&str> = names.split(',').collect();
        let unknown = names.iter().find(|name| all.iter().all(|mutant| mutant.name != **name));
        if let Some(unknown) = unknown {
            bail!("there is no mutant {unknown}");
        }
        return Ok((all.iter().filter(|mutant| names.contains(&mutant.name.as_str())).collect(), true));
    }
    if workspace.full {
        return Ok((all.iter().collect(), true));
    }
    say!("{SAMPLE} of {} mutants, by seed {SEED}", all.len());
    let mut places: Vec<_> = (0..all.len()).collect();
    fastrand::Rng::with_seed(SEED).shuffle(&mut places);
    places.truncate(SAMPLE);
    places.sort_unstable();
    Ok((places.into_iter().map(|place| &all[place]).collect(), false))
}

/// Checks that the tests of the chosen mutants pass without any change.
async fn unchanged_passes(workspace: &Workspace, tree: &Tree, chosen: &[&Mutant]) -> anyhow::Result<()> {
    let mut binaries: BTreeMap<&str, BTreeSet<&TestName>> = BTreeMap::new();
    for mutant in chosen {
        binaries.entry(mutant.binary()).or_default().extend(&mutant.caught_by);
    }
    for (binary, named) in binaries {
        let run = tests(workspace, tree, binary, named).await?;
        ensure!(run.status.success(), "without any change: {}: {}; {}", run.line, run.status, run.summary());
    }
    Ok(())
}

/// Makes the change, runs the tests, and reverts the change whatever the result. Returns the tests that failed.
async fn with_change(workspace: &Workspace, tree: &Tree, mutant: &Mutant) -> anyhow::Result<Vec<TestName>> {
    let mut changed = Vec::new();
    for edit in &mutant.edits {
        changed.push(tree.change(edit)?);
    }
    let run = tests(workspace, tree, mutant.binary(), &mutant.caught_by).await;
    for file in changed.into_iter().rev() {
        file.restore()?;
    }
    let run = run?;
    let verdict = run.status.success() || run.caught() && !run.failed().is_empty();
    ensure!(verdict, "no verdict: {}: {}; {}", run.line, run.status, run.summary());
    if !run.caught() {
        return Ok(Vec::new());
    }
    let failed = run.failed().into_iter();
    Ok(failed.map(|test| TestName { binary: mutant.binary().to_owned(), test: test.to_owned() }).collect())
}

/// Runs the named tests of a binary in the copy.
async fn tests(
    workspace: &Workspace,
    tree: &Tree,
    binary: &str,
    named: impl IntoIterator<Item = &TestName>,
) -> anyhow::Result<Run> {
    let filter: Vec<_> = named.into_iter().map(|name| format!("test(={})", name.test)).collect();
    let mut command = nextest::command(workspace).await?;
    command.args(target(binary)).args(["--profile", "mutation", "--status-level", "fail"]);
    command.args(["--filterset", &filter.join(" | ")]);
    command.current_dir(&tree.root).env("CARGO_TARGET_DIR", &tree.target);
    // No mutant is debugged, and without debug information each one is compiled faster.
    command.env("CARGO_PROFILE_DEV_DEBUG", "0");
    // Where nothing else is built twice, `.ci/run` turns this off. Here the same crates are built again for each mutant.
    command.env("CARGO_INCREMENTAL", "1");
    // A failing property is enough, so no time is spent on shrinking the case.
    command.env("PROPTEST_MAX_SHRINK_ITERS", "0");
    nextest::run(command).await
}

/// Returns Cargo's options that build a test binary. A binary of `tests` is built with the features of the whole workspace, as everything
/// else is. The unit tests of a library are built alone, since a change would make Cargo rebuild those of every other library too.
fn target(binary: &str) -> [&str; 3] {
    match binary.split_once("::") {
        Some((_, test)) => ["--workspace", "--test", test],
        None => ["--lib", "--package", binary],
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_test_binary_is_built_with_the_features_of_the_workspace() {
        assert_eq!(target("tests::it"), ["--workspace", "--test", "it"]);
        assert_eq!(target("domain"), ["--lib", "--package", "domain"]);
    }
}
