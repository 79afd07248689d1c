//! Conditions, composed of named clauses.
//!
//! A clause is a constant or a function beside its entity: one comparison, named after what it requires. A clause that is not met is a
//! refusal, which `domain` names. Clauses may be negated or compared, but never joined: [`all`] and [`any`] do that.

use std::collections::HashMap;

/// The item must exist.
pub(super) const ITEM_EXISTS: &str = "attribute_exists(PK)";
/// The item must not exist.
pub(super) const ITEM_IS_NEW: &str = "attribute_not_exists(PK)";

/// The attribute names behind the `#placeholders` of an entity's expressions. DynamoDB reserves many words, so every attribute has one.
pub(super) type Placeholders = &'static [(&'static str, &'static str)];

/// Returns the condition that holds where all of `clauses` hold.
pub(super) fn all<const N: usize>(clauses: [&str; N]) -> String {
    clauses.join(" AND ")
}

/// Returns the clause that holds where one of `clauses` holds.
pub(super) fn any<S: AsRef<str>>(clauses: &[S]) -> String {
    let clauses: Vec<&str> = clauses.iter().map(AsRef::as_ref).collect();
    format!("({})", clauses.join(" OR "))
}

/// Returns those of `placeholders` that occur in `expressions`: DynamoDB refuses a request that defines others.
pub(super) fn names_in(placeholders: Placeholders, expressions: &[&str]) -> HashMap<String, String> {
    let part_of_a_name = |c: char| c.is_ascii_alphanumeric() || matches!(c, '#' | '_');
    let words = expressions.iter().flat_map(|expression| expression.split(|c| !part_of_a_name(c)));
    let used: Vec<&str> = words.filter(|word| word.starts_with('#')).collect();
    let occurs = |(placeholder, _): &&(&str, &str)| used.contains(placeholder);
    let named = placeholders.iter().filter(occurs);
    named.map(|(placeholder, name)| ((*placeholder).to_owned(), (*name).to_owned())).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_choice_is_one_clause_among_all() {
        assert_eq!(all(["#a = :a", &any(&["#b = :b", "#c = :c"])]), "#a = :a AND (#b = :b OR #c = :c)");
    }

    #[test]
    fn only_placeholders_that_occur_whole_are_named() {
        let placeholders: Placeholders =
            &[("#lease", "lease_until"), ("#lease_id", "lease_id"), ("#ret", "retrievals")];
        let names = names_in(placeholders, &["SET #lease_id = :id", "size(#ret) < :three AND #ret.#rid = :r"]);
        let mut names: Vec<_> = names.into_iter().collect();
        names.sort();
        assert_eq!(names, [("#lease_id", "lease_id"), ("#ret", "retrievals")].map(|(p, n)| (p.into(), n.into())));
    }
}
