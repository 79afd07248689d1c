//! Small wrong changes to the real code, one at a time, each of which a test has to find: what a suite of tests that passes
//! is worth. [`mutants`] lists them.
//!
//! The working tree is never touched: they are made in a copy under the target directory. Unchanged, it passes the same tests
//! first, so that what fails afterwards fails for the change. A change that does not compile, one whose place is not found,
//! and one for which no test is found, are errors of the list and not catches.

mod mutants;
mod tree;

use std::collections::BTreeSet;

use anyhow::{Context as _, bail, ensure};

use self::{
    mutants::{Edit, MUTANTS, Mutant, Suite},
    tree::Tree,
};
use super::{
    Outcome,
    nextest::{self, Run},
};
use crate::{environment, say, tell, workspace::Workspace};

/// Of the sample, which is the same every day.
const SEED: u64 = 6;

/// How many are tried where not all of them are.
const SAMPLE: usize = 3;

/// With this set to names, with commas between, those are tried: for whoever writes one, or changes the code around some.
const NAMED: &str = "FIRSTKEY_MUTANT";

pub(super) async fn run(workspace: &Workspace) -> Outcome {
    let chosen = chosen(workspace)?;
    let tree = Tree::copy(workspace).await?;
    unchanged_passes(workspace, &tree, &chosen).await?;
    let mut survivors = Vec::new();
    let mut rows = vec!["| change | caught by |".to_owned(), "|---|---|".to_owned()];
    for mutant in &chosen {
        say!("\n-- {}: {}", mutant.name, mutant.breaks);
        let run = with_change(workspace, &tree, mutant).await.with_context(|| mutant.name)?;
        let by = if run.caught() { run.failed().join("`, `") } else { "nothing".to_owned() };
        say!("-- {} is caught by `{by}`", mutant.name);
        if !run.caught() {
            survivors.push(mutant.name);
        }
        rows.push(format!("| **{}**: {} | `{by}` |", mutant.name, mutant.breaks));
    }
    for row in rows {
        tell!("{row}");
    }
    ensure!(survivors.is_empty(), "no test finds {}", survivors.join(", "));
    Ok(Some(format!("{} of {} mutants caught, of {} in all", chosen.len(), chosen.len(), MUTANTS.len())))
}

/// All of them, those that are named, or a sample; in the order of the list, where neighbours share what is compiled for them.
fn chosen(workspace: &Workspace) -> anyhow::Result<Vec<&'static Mutant>> {
    if let Some(names) = environment::get(NAMED) {
        let names = names.to_string_lossy();
        let names: Vec<&str> = names.split(',').collect();
        let unknown = names.iter().find(|name| MUTANTS.iter().all(|mutant| mutant.name != **name));
        if let Some(unknown) = unknown {
            bail!("there is no mutant {unknown}");
        }
        return Ok(MUTANTS.iter().filter(|mutant| names.contains(&mutant.name)).collect());
    }
    if workspace.full {
        return Ok(MUTANTS.iter().collect());
    }
    say!("{SAMPLE} of {} mutants, by seed {SEED}", MUTANTS.len());
    let mut places: Vec<_> = (0..MUTANTS.len()).collect();
    fastrand::Rng::with_seed(SEED).shuffle(&mut places);
    places.truncate(SAMPLE);
    places.sort_unstable();
    Ok(places.into_iter().map(|place| &MUTANTS[place]).collect())
}

/// The tests that have to find the changes, without any.
async fn unchanged_passes(workspace: &Workspace, tree: &Tree, chosen: &[&Mutant]) -> anyhow::Result<()> {
    let mut suites: Vec<Suite> = Vec::new();
    for mutant in chosen {
        if !suites.contains(&mutant.suite) {
            suites.push(mutant.suite);
        }
    }
    for suite in suites {
        let own = chosen.iter().filter(|mutant| mutant.suite == suite);
        let filters: BTreeSet<_> = own.map(|mutant| mutant.caught_by).collect();
        let run = tests(workspace, tree, suite, &Vec::from_iter(filters).join(" | ")).await?;
        ensure!(run.status.success(), "without any change: {}: {}; {}", run.line, run.status, run.summary());
    }
    Ok(())
}

/// Makes the change, runs the tests, and takes it back, whatever they say.
async fn with_change(workspace: &Workspace, tree: &Tree, mutant: &Mutant) -> anyhow::Result<Run> {
    let mut changed = Vec::new();
    for Edit { file, find, replace } in mutant.edits {
        changed.push(tree.change(file, find, replace)?);
    }
    let run = tests(workspace, tree, mutant.suite, mutant.caught_by).await;
    for file in changed.into_iter().rev() {
        file.restore()?;
    }
    let run = run?;
    let verdict = run.status.success() || run.caught() && !run.failed().is_empty();
    ensure!(verdict, "no verdict: {}: {}; {}", run.line, run.status, run.summary());
    Ok(run)
}

async fn tests(workspace: &Workspace, tree: &Tree, suite: Suite, filter: &str) -> anyhow::Result<Run> {
    let mut command = nextest::command(workspace).await?;
    command.args(suite.arguments()).args(["--profile", "mutation", "--status-level", "fail", "--filterset", filter]);
    command.current_dir(&tree.root).env("CARGO_TARGET_DIR", &tree.target);
    // That a property fails is enough: the smallest case for it is not looked for.
    command.env("PROPTEST_MAX_SHRINK_ITERS", "0");
    nextest::run(command).await
}

#[cfg(test)]
mod tests {
    use std::{fs, path::Path};

    use super::*;

    #[test]
    fn every_mutant_has_a_name_of_its_own_and_its_places_in_the_code() -> anyhow::Result<()> {
        let names: BTreeSet<_> = MUTANTS.iter().map(|mutant| mutant.name).collect();
        assert_eq!(names.len(), MUTANTS.len());
        let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("../..");
        for mutant in MUTANTS {
            for Edit { file, find, replace } in mutant.edits {
                let found = fs::read_to_string(root.join(file))?.matches(find).count();
                assert!(found == 1 && find != replace, "{}: {found} times in {file}: {find}", mutant.name);
            }
        }
        Ok(())
    }
}
