//! The release binaries' sizes: what Lambda loads before it starts them.

use std::fs;

use anyhow::{Context as _, ensure};

use super::Outcome;
use crate::workspace::Workspace;

const MIB: u64 = 1024 * 1024;
const MOST: u64 = 7 * MIB;

pub(super) fn check(workspace: &Workspace) -> Outcome {
    let mut sizes = Vec::new();
    for function in &workspace.functions {
        let path = workspace.target.join("release").join(function);
        let size = fs::metadata(&path).with_context(|| format!("{}: run the stage release", path.display()))?.len();
        ensure!(size < MOST, "{function} is {}, more than {}", mebibytes(size), mebibytes(MOST));
        sizes.push(format!("{function} {}", mebibytes(size)));
    }
    Ok(Some(sizes.join(", ")))
}

fn mebibytes(bytes: u64) -> String {
    let hundredths = bytes * 100 / MIB;
    format!("{}.{:02} MiB", hundredths / 100, hundredths % 100)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sizes_read_as_people_say_them() {
        assert_eq!([0, MIB, MOST, MIB * 5 / 2].map(mebibytes), ["0.00 MiB", "1.00 MiB", "7.00 MiB", "2.50 MiB"]);
    }
}
