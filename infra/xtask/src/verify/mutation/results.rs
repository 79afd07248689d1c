//! The results of mutants, in `tests/mutants/results.tsv`. Each result is appended as soon as it is known, so that a run that was stopped
//! continues after the last one.

use std::{
    collections::{BTreeMap, BTreeSet},
    fs::{self, OpenOptions},
    io::Write as _,
    path::PathBuf,
};

use anyhow::{Context as _, ensure};
use tools::Workspace;

use super::super::stamps::{commit, git};
use super::list::{Mutant, TestName};

const HEADER: &str = "mutant\tcommit\tdate\tresult\tcaught_by\tedits";
const CAUGHT: &str = "caught";
const SURVIVED: &str = "survived";

/// The recorded results, and the file to append new ones to.
pub(super) struct Results {
    path: PathBuf,
    /// The commit under test, with the suffix `-changed` if the working tree differs from it.
    commit: String,
    /// The names and fingerprints of the mutants that are known to be caught in this code.
    caught: BTreeSet<(String, String)>,
}

impl Results {
    /// Reads the results. A result counts if only results and documents have changed since its commit.
    pub(super) async fn read(workspace: &Workspace) -> anyhow::Result<Self> {
        let path = workspace.root.join("tests").join("mutants").join("results.tsv");
        let text = fs::read_to_string(&path).with_context(|| path.display().to_string())?;
        let Some(commit) = commit(workspace).await? else {
            let commit = git(workspace, &["rev-parse", "--short=12", "HEAD"]).await?;
            return Ok(Self { path, commit: format!("{commit}-changed"), caught: BTreeSet::new() });
        };
        let (mut caught, mut same_code) = (BTreeSet::new(), BTreeMap::new());
        for row in rows(&text)? {
            let (mutant, seen_on, result, edits) = row;
            if !same_code.contains_key(seen_on) {
                same_code.insert(seen_on, is_same_code(workspace, seen_on).await);
            }
            if result == CAUGHT && same_code[seen_on] {
                caught.insert((mutant.to_owned(), edits.to_owned()));
            }
        }
        Ok(Self { path, commit, caught })
    }

    /// Returns whether the mutant is known to be caught in this code.
    pub(super) fn has(&self, mutant: &Mutant) -> bool {
        self.caught.contains(&(mutant.name.clone(), mutant.fingerprint()))
    }

    /// Appends a result: the tests that caught the mutant, or an empty list.
    pub(super) async fn add(&self, workspace: &Workspace, mutant: &Mutant, by: &[TestName]) -> anyhow::Result<()> {
        let date = workspace.command("date").args(["-u", "+%F"]).output().await.context("date")?;
        let date = String::from_utf8(date.stdout).context("the date")?;
        let by = by.iter().map(ToString::to_string).collect::<Vec<_>>().join(", ");
        let result = if by.is_empty() { SURVIVED } else { CAUGHT };
        let row = [&mutant.name, &self.commit, date.trim(), result, &by, &mutant.fingerprint()].join("\t");
        let mut file = OpenOptions::new().append(true).open(&self.path)?;
        Ok(writeln!(file, "{row}")?)
    }
}

/// Parses each row into mutant, commit, result and fingerprint.
fn rows(text: &str) -> anyhow::Result<Vec<(&str, &str, &str, &str)>> {
    let mut lines = text.lines();
    ensure!(lines.next() == Some(HEADER), "results.tsv begins with the names of its columns");
    let row = |line| match *str::split(line, '\t').collect::<Vec<_>>() {
        [mutant, commit, _, result, _, edits] => Ok((mutant, commit, result, edits)),
        _ => Err(anyhow::anyhow!("no row of results: {line}")),
    };
    lines.map(row).collect()
}

async fn is_same_code(workspace: &Workspace, seen_on: &str) -> bool {
    let paths = ["--", ".", ":(exclude)tests/mutants/results.tsv", ":(exclude)*.md"];
    let mut arguments = vec!["diff", "--quiet", seen_on, "HEAD"];
    arguments.extend(paths);
    git(workspace, &arguments).await.is_ok()
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use super::*;

    #[test]
    fn the_results_that_are_there_can_be_read() -> anyhow::Result<()> {
        let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../tests/mutants/results.tsv");
        assert!(rows(&fs::read_to_string(path)?)?.len() >= 94);
        Ok(())
    }

    #[test]
    fn a_row_that_is_cut_off_is_an_error() {
        let row = "one\t0123456789ab\t2026-11-26\tcaught\ttests::it a::b\t00";
        assert!(
            rows(&format!("{HEADER}\n{row}\n")).is_ok_and(|rows| rows == [("one", "0123456789ab", "caught", "00")])
        );
        assert!(rows(&format!("{HEADER}\none\t0123\n")).is_err());
        assert!(rows(row).is_err());
    }
}
