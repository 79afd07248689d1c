//! The benches, and their sections of `infra/docs/evidence.md`, each between two comments.

/// A bench, which writes the section of its name.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Bench {
    Functions,
    Peers,
    Argon2,
    Scale,
    Load,
}

impl Bench {
    pub(crate) const ALL: [Self; 5] = [Self::Functions, Self::Peers, Self::Argon2, Self::Scale, Self::Load];

    pub(crate) const fn name(self) -> &'static str {
        match self {
            Self::Functions => "functions",
            Self::Peers => "peers",
            Self::Argon2 => "argon2",
            Self::Scale => "scale",
            Self::Load => "load",
        }
    }
}

/// Returns the document with the new text of a bench. `None` if it lacks one of the two comments.
pub(crate) fn replace(document: &str, bench: Bench, text: &str) -> Option<String> {
    let [begin, end] = ["begin", "end"].map(|edge| format!("<!-- bench {}: {edge} -->", bench.name()));
    let (before, rest) = document.split_once(&begin)?;
    let (_, after) = rest.split_once(&end)?;
    Some(format!("{before}{begin}\n\n{}\n\n{end}{after}", text.trim()))
}
