//! The release binaries of the functions: the sizes of the binary that Lambda starts and of the zip file that is uploaded, and that no binary
//! has a clock that can be moved or a quick hash of passwords.

use std::fs;

use anyhow::ensure;

use tools::Workspace;

use super::Outcome;

const MIB: u64 = 1024 * 1024;

/// The files that `cargo lambda build` makes of a function, with their maximum sizes.
const MOST: [(&str, u64); 2] = [("bootstrap", 8 * MIB), ("bootstrap.zip", MIB * 7 / 2)];

/// The texts that only a build with debug assertions has: the setting that moves the clock of a function, and the cost of a quick hash.
const ONLY_FOR_TESTS: [&str; 2] = ["FIRSTKEY_CLOCK", "m=32,t=1,p=1"];

/// Checks the binaries of these functions.
pub(super) fn check(workspace: &Workspace, functions: &[String]) -> Outcome {
    let mut sizes = Vec::new();
    for function in functions {
        let mut both = Vec::new();
        for (file, most) in MOST {
            let size = fs::metadata(workspace.released(function, file)?)?.len();
            ensure!(size <= most, "{function}/{file} is {}, more than {}", mebibytes(size), mebibytes(most));
            both.push(mebibytes(size));
        }
        let bootstrap = fs::read(workspace.released(function, "bootstrap")?)?;
        for text in ONLY_FOR_TESTS {
            ensure!(!contains(&bootstrap, text), "{function}/bootstrap knows {text}");
        }
        sizes.push(format!("{function} {}", both.join(" zipped ")));
    }
    Ok(Some(sizes.join(", ")))
}

fn contains(binary: &[u8], text: &str) -> bool {
    binary.windows(text.len()).any(|window| window == text.as_bytes())
}

fn mebibytes(bytes: u64) -> String {
    let hundredths = bytes * 100 / MIB;
    format!("{}.{:02} MiB", hundredths / 100, hundredths % 100)
}

#[cfg(test)]
mod tests {
    use std::path::PathBuf;

    use super::*;

    #[test]
    fn a_function_that_is_too_large_to_upload_is_named() -> anyhow::Result<()> {
        let target = tempfile::tempdir()?;
        let directory = target.path().join("lambda").join("sign-in");
        fs::create_dir_all(&directory)?;
        let (root, functions) = (PathBuf::from("."), vec!["sign-in".to_owned()]);
        let workspace = Workspace { root, target: target.path().to_owned(), functions: functions.clone(), full: false };
        let write = |file: &str, size| fs::File::create(directory.join(file))?.set_len(size);
        write("bootstrap", MIB * 7)?;
        write("bootstrap.zip", MIB * 7 / 2)?;
        assert_eq!(check(&workspace, &functions)?, Some("sign-in 7.00 MiB zipped 3.50 MiB".to_owned()));
        write("bootstrap.zip", MIB * 7 / 2 + 1)?;
        let error = check(&workspace, &functions).expect_err("too large");
        assert!(error.to_string().starts_with("sign-in/bootstrap.zip is 3.50 MiB"), "{error}");
        write("bootstrap.zip", MIB)?;
        for text in ONLY_FOR_TESTS {
            fs::write(directory.join("bootstrap"), format!("\0RUST_LOG{text}\0"))?;
            let error = check(&workspace, &functions).expect_err("this is for tests alone");
            assert_eq!(error.to_string(), format!("sign-in/bootstrap knows {text}"));
        }
        let error = check(&workspace, &["portal".to_owned()]).expect_err("not built");
        assert!(error.to_string().ends_with("lambda/portal/bootstrap is missing: run the stage release"), "{error}");
        Ok(())
    }

    #[test]
    fn sizes_read_as_people_say_them() {
        assert_eq!([0, MIB, MIB * 7, MIB * 5 / 2].map(mebibytes), ["0.00 MiB", "1.00 MiB", "7.00 MiB", "2.50 MiB"]);
    }
}
