//! State kept between starts, a JSON file for each owner.

use std::fs::{self, OpenOptions};
use std::io::{ErrorKind, Write as _};
use std::path::Path;

use serde::Serialize;
use serde::de::DeserializeOwned;

use super::error::{Cause, Error};

/// Nothing where the file does not exist.
pub(super) fn read<T: DeserializeOwned>(path: &Path) -> Result<Option<T>, Error> {
    let unreadable = |source: Cause| Error::caused(format!("cannot read {}", path.display()), source);
    match fs::read(path) {
        Ok(bytes) => serde_json::from_slice(&bytes).map(Some).map_err(|error| unreadable(error.into())),
        Err(error) if error.kind() == ErrorKind::NotFound => Ok(None),
        Err(error) => Err(unreadable(error.into())),
    }
}

/// Written beside and renamed, so that a kill in between leaves the old state whole.
pub(super) fn write<T: Serialize>(path: &Path, state: &T) -> std::io::Result<()> {
    let beside = path.with_extension("new");
    let mut file = private().truncate(true).write(true).open(&beside)?;
    file.write_all(&serde_json::to_vec(state)?)?;
    fs::rename(beside, path)
}

/// How a file is opened that only its owner may read: there are keys and mails in it.
pub(super) fn private() -> OpenOptions {
    let mut options = OpenOptions::new();
    options.create(true);
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
    options
}

/// Only the owner may look in: it holds keys and mails.
pub(super) fn create_directory(path: &Path) -> Result<(), Error> {
    let mut builder = fs::DirBuilder::new();
    builder.recursive(true);
    #[cfg(unix)]
    std::os::unix::fs::DirBuilderExt::mode(&mut builder, 0o700);
    builder.create(path).map_err(|source| Error::caused(format!("cannot create {}", path.display()), source))
}
