//! JSON files that preserve state between starts, one for each owner.

use std::fs::{self, OpenOptions};
use std::io::{ErrorKind, Write as _};
use std::path::Path;

use serde::Serialize;
use serde::de::DeserializeOwned;

use super::error::{Cause, Error};

/// Reads the state from a file, or returns `None` if the file does not exist.
pub(super) fn read<T: DeserializeOwned>(path: &Path) -> Result<Option<T>, Error> {
    let unreadable = |source: Cause| Error::caused(format!("cannot read {}", path.display()), source);
    match fs::read(path) {
        Ok(bytes) => serde_json::from_slice(&bytes).map(Some).map_err(|error| unreadable(error.into())),
        Err(error) if error.kind() == ErrorKind::NotFound => Ok(None),
        Err(error) => Err(unreadable(error.into())),
    }
}

/// Writes the state to a temporary file and renames it, so that a crash leaves the old state intact.
pub(super) fn write<T: Serialize>(path: &Path, state: &T) -> std::io::Result<()> {
    let temporary = path.with_extension("new");
    let mut file = private().truncate(true).write(true).open(&temporary)?;
    file.write_all(&serde_json::to_vec(state)?)?;
    fs::rename(temporary, path)
}

/// Returns options to create a file that only its owner can read, because it holds keys or mails.
pub(super) fn private() -> OpenOptions {
    let mut options = OpenOptions::new();
    options.create(true);
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
    options
}

/// Creates a directory that only its owner can open, because it holds keys and mails.
pub(super) fn create_directory(path: &Path) -> Result<(), Error> {
    let mut builder = fs::DirBuilder::new();
    builder.recursive(true);
    #[cfg(unix)]
    std::os::unix::fs::DirBuilderExt::mode(&mut builder, 0o700);
    builder.create(path).map_err(|source| Error::caused(format!("cannot create {}", path.display()), source))
}
