//! The copy of the working tree that mutants change: every file that Git does not ignore, in a separate directory.
//!
//! The copy has its own target directory. In a shared one, Cargo would take a package of one tree for the same package of the other, and
//! would test and deploy code that was compiled with a change.

use std::{
    collections::BTreeSet,
    fs, io,
    path::{Path, PathBuf},
};

use anyhow::{Context as _, ensure};

use tools::Workspace;

use super::list::Edit;

/// A copy of the working tree.
pub(super) struct Tree {
    pub(super) root: PathBuf,
    /// The target directory of the copy.
    pub(super) target: PathBuf,
}

/// A changed file with its original text.
pub(super) struct Changed {
    path: PathBuf,
    original: String,
}

impl Tree {
    /// Copies the working tree over what an earlier run left. Files that are already equal stay untouched, so that Cargo does not compile
    /// them again.
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
            tree.copy_file(&workspace.root, file).with_context(|| format!("{} is not copied", file.display()))?;
        }
        tree.remove_all_but(&files, Path::new(""))?;
        let members = members(workspace).await?;
        copy_registry_artefacts(&workspace.target.join("debug"), &tree.target.join("debug"), &members)?;
        Ok(tree)
    }

    /// Copies a file, unless the copy is already equal.
    fn copy_file(&self, from: &Path, file: &Path) -> anyhow::Result<()> {
        let (text, there) = (fs::read(from.join(file))?, self.root.join(file));
        if fs::read(&there).is_ok_and(|present| present == text) {
            return Ok(());
        }
        fs::create_dir_all(there.parent().context("a file is in a directory")?)?;
        Ok(fs::write(there, text)?)
    }

    /// Removes every file that is not one of `files`.
    fn remove_all_but(&self, files: &BTreeSet<PathBuf>, directory: &Path) -> anyhow::Result<()> {
        for entry in fs::read_dir(self.root.join(directory))? {
            let entry = entry?;
            let name = directory.join(entry.file_name());
            if entry.file_type()?.is_dir() {
                self.remove_all_but(files, &name)?;
            } else if !files.contains(&name) {
                fs::remove_file(entry.path())?;
            }
        }
        Ok(())
    }

    /// Makes an edit in the copy.
    pub(super) fn change(&self, edit: &Edit) -> anyhow::Result<Changed> {
        let path = self.root.join(&edit.file);
        let original = fs::read_to_string(&path).with_context(|| format!("{} cannot be read", edit.file))?;
        fs::write(&path, edit.apply(&original)?)?;
        Ok(Changed { path, original })
    }
}

impl Changed {
    /// Restores the original text. The file gets a new modification time, by which Cargo notices the change.
    pub(super) fn restore(self) -> anyhow::Result<()> {
        fs::write(&self.path, self.original).with_context(|| format!("{} is not restored", self.path.display()))
    }
}

/// Returns the names of the workspace's packages.
async fn members(workspace: &Workspace) -> anyhow::Result<BTreeSet<String>> {
    let mut command = workspace.command("cargo");
    let output = command.args(["tree", "--workspace", "--depth", "0", "--prefix", "none"]).output().await;
    let output = output.context("cargo could not be started")?;
    ensure!(output.status.success(), "cargo tree: {}", String::from_utf8_lossy(&output.stderr));
    let listed = String::from_utf8_lossy(&output.stdout);
    Ok(listed.lines().filter_map(|line| line.split_whitespace().next()).map(ToOwned::to_owned).collect())
}

/// Copies the compiled crates of the registry, which are the same in both trees, so that they are not compiled again. The copies keep their
/// modification times, by which Cargo sees that they are up to date. They are not hard links, since Cargo writes into files.
fn copy_registry_artefacts(from: &Path, to: &Path, members: &BTreeSet<String>) -> anyhow::Result<()> {
    let mut hashes = BTreeSet::new();
    for part in [".fingerprint", "build"] {
        for (name, entry) in entries(&from.join(part))? {
            let Some((package, hash)) = name.rsplit_once('-') else { continue };
            if !members.contains(package) {
                hashes.insert(hash.to_owned());
                copy(&entry, &to.join(part).join(&name))?;
            }
        }
    }
    for (name, entry) in entries(&from.join("deps"))? {
        let stem = name.split('.').next().unwrap_or_default();
        if stem.rsplit_once('-').is_some_and(|(_, hash)| hashes.contains(hash)) {
            copy(&entry, &to.join("deps").join(&name))?;
        }
    }
    Ok(())
}

/// Returns the entries of a directory with their names, or an empty list if the directory does not exist.
fn entries(directory: &Path) -> anyhow::Result<Vec<(String, PathBuf)>> {
    if !directory.exists() {
        return Ok(Vec::new());
    }
    let named = |entry: io::Result<fs::DirEntry>| entry.map(|entry| (entry.file_name(), entry.path()));
    let entries = fs::read_dir(directory)?.map(named).collect::<io::Result<Vec<_>>>()?;
    Ok(entries.into_iter().filter_map(|(name, path)| Some((name.into_string().ok()?, path))).collect())
}

/// Copies a file or a directory with the modification times. A file that exists already stays as it is.
fn copy(from: &Path, to: &Path) -> anyhow::Result<()> {
    if from.is_dir() {
        for (name, entry) in entries(from)? {
            copy(&entry, &to.join(name))?;
        }
        return Ok(());
    }
    if to.exists() {
        return Ok(());
    }
    fs::create_dir_all(to.parent().context("a file is in a directory")?)?;
    fs::copy(from, to).with_context(|| format!("copying {}", from.display()))?;
    let modified = fs::metadata(from)?.modified()?;
    Ok(fs::File::options().write(true).open(to)?.set_modified(modified)?)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_what_comes_from_the_registry_is_copied_with_its_times() -> anyhow::Result<()> {
        let (from, to) = (tempfile::tempdir()?, tempfile::tempdir()?);
        let files = [
            ".fingerprint/serde-0a/lib-serde",
            ".fingerprint/domain-0b/lib-domain",
            "build/serde-0c/out/private.rs",
            "deps/libserde-0a.rlib",
            "deps/libdomain-0b.rlib",
            "deps/it-0d",
        ];
        for file in files {
            let path = from.path().join(file);
            fs::create_dir_all(path.parent().context("a directory")?)?;
            fs::write(path, file)?;
        }
        let past = std::time::UNIX_EPOCH + std::time::Duration::from_secs(1_000_000);
        let library = from.path().join("deps/libserde-0a.rlib");
        fs::File::options().write(true).open(library)?.set_modified(past)?;
        copy_registry_artefacts(from.path(), to.path(), &BTreeSet::from(["domain".to_owned()]))?;
        let copied: Vec<_> = files.iter().filter(|file| to.path().join(file).exists()).collect();
        assert_eq!(copied, [&files[0], &files[2], &files[3]]);
        assert_eq!(fs::metadata(to.path().join("deps/libserde-0a.rlib"))?.modified()?, past);
        Ok(())
    }
}
