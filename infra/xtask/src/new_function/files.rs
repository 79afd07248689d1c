//! The files that a new function writes and edits: all of them, or none.

use std::{
    collections::BTreeMap,
    fs,
    path::{Path, PathBuf},
};

use anyhow::{Context as _, ensure};

/// A file with its new contents.
#[derive(Debug)]
pub(super) struct File {
    /// The path from the root of the workspace.
    pub(super) path: String,
    /// The contents before; `None` for a new file.
    pub(super) before: Option<String>,
    pub(super) after: String,
}

/// Files that are changed in memory.
pub(super) struct Files {
    root: PathBuf,
    all: BTreeMap<String, File>,
}

impl Files {
    pub(super) fn new(root: &Path) -> Self {
        Self { root: root.to_owned(), all: BTreeMap::new() }
    }

    pub(super) fn exists(&self, path: &str) -> bool {
        self.root.join(path).exists()
    }

    pub(super) fn read(&self, path: &str) -> anyhow::Result<String> {
        fs::read_to_string(self.root.join(path)).with_context(|| path.to_owned())
    }

    pub(super) fn create(&mut self, path: String, after: String) {
        self.all.insert(path.clone(), File { path, before: None, after });
    }

    pub(super) fn edit(
        &mut self,
        path: &str,
        edit: impl FnOnce(String) -> anyhow::Result<String>,
    ) -> anyhow::Result<()> {
        let before = self.read(path)?;
        let text = self.all.get(path).map_or_else(|| before.clone(), |file| file.after.clone());
        let after = edit(text).with_context(|| path.to_owned())?;
        self.all.insert(path.to_owned(), File { path: path.to_owned(), before: Some(before), after });
        Ok(())
    }

    /// Inserts a row before the only line that begins with `anchor`, and before the doc comment of that line.
    pub(super) fn insert_before(&mut self, path: &str, anchor: &str, row: &str) -> anyhow::Result<()> {
        self.edit(path, |text| {
            let lines: Vec<_> = text.lines().collect();
            let mut found = (0..lines.len()).filter(|index| lines[*index].starts_with(anchor));
            let index = found.next().with_context(|| format!("no line begins with {anchor:?}"))?;
            ensure!(found.next().is_none(), "more than one line begins with {anchor:?}");
            let comment = lines[..index].iter().rev().take_while(|line| line.trim_start().starts_with("///")).count();
            Ok(inserted(&lines, index - comment, row))
        })
    }

    /// Inserts a row into a sorted list, of which each row fulfils `is_row`.
    pub(super) fn insert_sorted(&mut self, path: &str, is_row: fn(&str) -> bool, row: &str) -> anyhow::Result<()> {
        self.edit(path, |text| {
            let lines: Vec<_> = text.lines().collect();
            let mut rows = (0..lines.len()).filter(|index| is_row(lines[*index]));
            let last = rows.clone().next_back().context("the list is not where it is expected")?;
            let index = rows.find(|index| lines[*index] > row).unwrap_or(last + 1);
            Ok(inserted(&lines, index, row))
        })
    }

    pub(super) fn into_all(self) -> Vec<File> {
        self.all.into_values().collect()
    }
}

fn inserted(lines: &[&str], index: usize, row: &str) -> String {
    let (before, after) = lines.split_at(index);
    [before, &[row], after, &[""]].concat().join("\n")
}

/// Writes all files. If one cannot be written, undoes those before it.
pub(super) fn write(root: &Path, files: &[File]) -> anyhow::Result<()> {
    for (index, file) in files.iter().enumerate() {
        if let Err(error) = file.write(root) {
            for written in files[..=index].iter().rev() {
                written.undo(root);
            }
            return Err(error.context("nothing is changed"));
        }
    }
    Ok(())
}

impl File {
    fn write(&self, root: &Path) -> anyhow::Result<()> {
        let path = root.join(&self.path);
        if let Some(directory) = path.parent() {
            fs::create_dir_all(directory).with_context(|| self.path.clone())?;
        }
        fs::write(path, &self.after).with_context(|| self.path.clone())
    }

    /// Restores the file as far as possible. A new file goes, with the directories that it leaves empty.
    fn undo(&self, root: &Path) {
        let path = root.join(&self.path);
        if let Some(before) = &self.before {
            let _ = fs::write(path, before);
        } else {
            let _ = fs::remove_file(&path);
            for directory in path.ancestors().skip(1).take_while(|directory| *directory != root) {
                let _ = fs::remove_dir(directory);
            }
        }
    }
}
