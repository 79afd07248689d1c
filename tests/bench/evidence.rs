//! The sections of `infra/docs/evidence.md` that the benches write, each between two comments.

/// Returns the document with the new text of a bench. `None` if it lacks one of the two comments.
pub(crate) fn replace(document: &str, bench: &str, text: &str) -> Option<String> {
    let [begin, end] = ["begin", "end"].map(|edge| format!("<!-- bench {bench}: {edge} -->"));
    let (before, rest) = document.split_once(&begin)?;
    let (_, after) = rest.split_once(&end)?;
    Some(format!("{before}{begin}\n\n{}\n\n{end}{after}", text.trim()))
}
