//! The copy that is changed: what Git knows of the working tree, as it is, in a directory of its own.
//!
//! It is built with a target directory of its own: in that of the workspace Cargo takes a package of the one tree for the
//! same package of the other, and what was compiled with a change would be tested, and deployed, as if it had none.

use std::{
    collections::BTreeSet,
    fs,
    path::{Path, PathBuf},
};

use anyhow::{Context as _, ensure};

use crate::workspace::Workspace;

pub(super) struct Tree {
    pub(super) root: PathBuf,
    /// Where it is built.
    pub(super) target: PathBuf,
}

/// A file as it was, for as long as it is changed.
pub(super) struct Changed {
    path: PathBuf,
    original: String,
}

impl Tree {
    /// Whatever an earlier run left there is put right, and files that are right are left alone, so that they need not be
    /// compiled again.
    pub(super) async fn copy(workspace: &Workspace) -> anyhow::Result<Self> {
        let directory = workspace.target.join("mutation");
        let mut git = workspace.command("git");
        git.args(["ls-files", "-z", "--cached", "--others", "--exclude-standard"]);
        let output = git.output().await.context("git could not be started")?;
        ensure!(output.status.success(), "git ls-files: {}", String::from_utf8_lossy(&output.stderr));
        let listed = String::from_utf8(output.stdout).context("the name of a file is not UTF-8")?;
        let listed = listed.split('\0').filter(|name| !name.is_empty()).map(PathBuf::from);
        // A file that was deleted and not yet committed is listed too.
        let files: BTreeSet<_> = listed.filter(|name| workspace.root.join(name).is_file()).collect();
        let tree = Self { root: directory.join("tree"), target: directory.join("target") };
        for file in &files {
            tree.bring(&workspace.root, file).with_context(|| format!("{} is not copied", file.display()))?;
        }
        tree.forget_all_but(&files, Path::new(""))?;
        Ok(tree)
    }

    fn bring(&self, from: &Path, file: &Path) -> anyhow::Result<()> {
        let (text, there) = (fs::read(from.join(file))?, self.root.join(file));
        if fs::read(&there).is_ok_and(|present| present == text) {
            return Ok(());
        }
        fs::create_dir_all(there.parent().context("a file stands in a directory")?)?;
        Ok(fs::write(there, text)?)
    }

    fn forget_all_but(&self, files: &BTreeSet<PathBuf>, directory: &Path) -> anyhow::Result<()> {
        for entry in fs::read_dir(self.root.join(directory))? {
            let entry = entry?;
            let name = directory.join(entry.file_name());
            if entry.file_type()?.is_dir() {
                self.forget_all_but(files, &name)?;
            } else if !files.contains(&name) {
                fs::remove_file(entry.path())?;
            }
        }
        Ok(())
    }

    /// Puts `replacement` for `text`, which stands in the file once.
    pub(super) fn change(&self, file: &str, text: &str, replacement: &str) -> anyhow::Result<Changed> {
        let path = self.root.join(file);
        let original = fs::read_to_string(&path).with_context(|| format!("{file} cannot be read"))?;
        fs::write(&path, replaced(&original, text, replacement).with_context(|| file.to_owned())?)?;
        Ok(Changed { path, original })
    }
}

impl Changed {
    /// As it was, but written anew: Cargo looks at the time.
    pub(super) fn restore(self) -> anyhow::Result<()> {
        fs::write(&self.path, self.original).with_context(|| format!("{} is not restored", self.path.display()))
    }
}

/// A text that is not there, or is there twice, no longer says what it was written for.
fn replaced(original: &str, text: &str, replacement: &str) -> anyhow::Result<String> {
    let found = original.matches(text).count();
    ensure!(found == 1, "this stands there {found} times instead of once: {text}");
    ensure!(text != replacement, "this would change nothing: {text}");
    Ok(original.replacen(text, replacement, 1))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_what_stands_there_once_is_replaced() -> anyhow::Result<()> {
        assert_eq!(replaced("a < b", "<", "<=")?, "a <= b");
        for (text, replacement) in [("b", ""), ("c", ""), ("a", "a")] {
            assert!(replaced("abb", text, replacement).is_err(), "{text}");
        }
        Ok(())
    }
}
