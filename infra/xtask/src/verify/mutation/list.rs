//! The mutants of `tests/mutants/`: one file for each, which says what the change breaks, which tests must catch it, and which text it
//! replaces by which.
//!
//! A clause of a condition is not removed but made true. Otherwise DynamoDB would refuse the request for an unused placeholder, and the
//! test would fail for the request instead of the rule.

use std::{collections::BTreeSet, fmt, fs, path::Path, str::FromStr};

use anyhow::{Context as _, bail, ensure};
use serde::Deserialize;

/// One small wrong change.
#[derive(Debug)]
pub(super) struct Mutant {
    pub(super) name: String,
    /// The rule that the change breaks, in one sentence.
    pub(super) breaks: String,
    /// The edits: one, unless two guards enforce the same rule.
    pub(super) edits: Vec<Edit>,
    /// The tests that must catch it, all in one binary.
    pub(super) caught_by: Vec<TestName>,
}

/// A file of `tests/mutants/`.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct File {
    breaks: String,
    caught_by: Vec<String>,
    edits: Vec<Edit>,
}

/// A text that occurs once in a file, and its replacement. Texts are compared with each run of whitespace collapsed into one space.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Edit {
    pub(super) file: String,
    pub(super) find: String,
    pub(super) replace: String,
}

/// A test by its full name, as nextest lists it: `tests::it portal::a_path`.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct TestName {
    /// The binary: `tests::it` for a test binary, `domain` for the unit tests of a library.
    pub(super) binary: String,
    pub(super) test: String,
}

impl Mutant {
    /// Reads all mutants, in an order in which neighbours share compiled crates.
    pub(super) fn all(root: &Path) -> anyhow::Result<Vec<Self>> {
        let directory = root.join("tests").join("mutants");
        let mut all = Vec::new();
        for entry in fs::read_dir(&directory).with_context(|| directory.display().to_string())? {
            let path = entry?.path();
            if path.extension().is_some_and(|ending| ending == "toml") {
                all.push(Self::read(&path).with_context(|| path.display().to_string())?);
            }
        }
        let place = |mutant: &Self| (mutant.binary().to_owned(), mutant.edits[0].file.clone(), mutant.name.clone());
        all.sort_by_cached_key(place);
        Ok(all)
    }

    fn read(path: &Path) -> anyhow::Result<Self> {
        let name = path.file_stem().context("a file has a name")?.to_string_lossy().into_owned();
        let File { breaks, caught_by, edits } = toml::from_str(&fs::read_to_string(path)?)?;
        let caught_by = caught_by.iter().map(|name| name.parse()).collect::<anyhow::Result<Vec<TestName>>>()?;
        ensure!(!edits.is_empty(), "it changes nothing");
        let binaries: BTreeSet<_> = caught_by.iter().map(|test| &test.binary).collect();
        ensure!(binaries.len() == 1, "the tests in `caught_by` are in {} binaries instead of one", binaries.len());
        Ok(Self { name, breaks, edits, caught_by })
    }

    /// Returns the binary that has the mutant's tests.
    pub(super) fn binary(&self) -> &str {
        &self.caught_by[0].binary
    }

    /// Returns a hash of the edits, since a result is valid only for the edits that it was measured with. The hash is FNV-1a, which is the
    /// same on every machine.
    pub(super) fn fingerprint(&self) -> String {
        let texts = self.edits.iter().flat_map(|edit| [&edit.file, &edit.find, &edit.replace]);
        let bytes = texts.flat_map(|text| collapsed(text).into_bytes().into_iter().chain(*b"\n"));
        let hash = bytes
            .fold(0xcbf2_9ce4_8422_2325_u64, |hash, byte| (hash ^ u64::from(byte)).wrapping_mul(0x0000_0100_0000_01b3));
        format!("{hash:016x}")
    }
}

impl Edit {
    /// Returns the text of the file with the edit applied.
    pub(super) fn apply(&self, original: &str) -> anyhow::Result<String> {
        let found = places(original, &self.find);
        let [place] = found.as_slice() else {
            bail!("{} has this {} times instead of once: {}", self.file, found.len(), self.find)
        };
        ensure!(collapsed(&self.find) != collapsed(&self.replace), "this would change nothing: {}", self.find);
        Ok([&original[..place.start], &self.replace, &original[place.end..]].concat())
    }
}

impl FromStr for TestName {
    type Err = anyhow::Error;

    fn from_str(name: &str) -> anyhow::Result<Self> {
        let (binary, test) = name.split_once(' ').with_context(|| format!("no binary and test: {name:?}"))?;
        Ok(Self { binary: binary.to_owned(), test: test.to_owned() })
    }
}

impl fmt::Display for TestName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {}", self.binary, self.test)
    }
}

/// Returns the text with each run of whitespace collapsed into one space.
fn collapsed(text: &str) -> String {
    pieces(text).map(|(_, piece)| piece).collect()
}

/// Returns the characters of a text with their positions, each run of whitespace as one space.
fn pieces(text: &str) -> impl Iterator<Item = (usize, char)> {
    let mut is_after_space = false;
    text.char_indices().filter_map(move |(at, piece)| {
        let is_space = piece.is_whitespace();
        let is_left_out = is_space && is_after_space;
        is_after_space = is_space;
        (!is_left_out).then_some((at, if is_space { ' ' } else { piece }))
    })
}

/// Returns where `wanted` occurs in a text, compared with whitespace collapsed.
fn places(text: &str, wanted: &str) -> Vec<std::ops::Range<usize>> {
    let (wanted, mut collapsed, mut starts) = (collapsed(wanted), String::new(), Vec::new());
    for (at, piece) in pieces(text) {
        collapsed.push(piece);
        starts.resize(collapsed.len(), at);
    }
    starts.push(text.len());
    let found = collapsed.match_indices(&wanted).map(|(start, found)| starts[start]..starts[start + found.len()]);
    found.collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn edit(find: &str, replace: &str) -> Edit {
        Edit { file: "a.rs".to_owned(), find: find.to_owned(), replace: replace.to_owned() }
    }

    #[test]
    fn every_mutant_finds_its_places_in_the_code_once() -> anyhow::Result<()> {
        let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("../..");
        let all = Mutant::all(&root)?;
        assert!(all.len() >= 94, "{}", all.len());
        for mutant in all {
            for edit in &mutant.edits {
                let original = fs::read_to_string(root.join(&edit.file)).with_context(|| mutant.name.clone())?;
                edit.apply(&original).with_context(|| mutant.name.clone())?;
            }
        }
        Ok(())
    }

    #[test]
    fn a_text_is_found_however_it_is_broken_into_lines() -> anyhow::Result<()> {
        assert_eq!(edit("a < b", "a <= b").apply("if a\n    < b {}")?, "if a <= b {}");
        assert_eq!(edit("a\n  + é, b", "c").apply("(a + é,   b)")?, "(c)");
        assert_eq!(edit("now < end\n", "true\n").apply("(now < end)\nnow < end\n}")?, "(now < end)\ntrue\n}");
        Ok(())
    }

    #[test]
    fn a_text_that_is_there_twice_or_not_at_all_changes_nothing() {
        assert!(edit("b", "").apply("abb").is_err_and(|error| error.to_string().contains("2 times")));
        assert!(edit("c", "").apply("abb").is_err_and(|error| error.to_string().contains("0 times")));
        assert!(edit("a  b", "a b").apply("a b").is_err());
    }

    #[test]
    fn a_result_counts_for_the_texts_it_was_found_with() {
        let mutant = |find: &str| Mutant {
            name: "one".to_owned(),
            breaks: String::new(),
            edits: vec![edit(find, "b")],
            caught_by: Vec::new(),
        };
        assert_eq!(mutant("a  c").fingerprint(), mutant("a\nc").fingerprint());
        assert_ne!(mutant("a c").fingerprint(), mutant("ac").fingerprint());
    }
}
