//! The item of an identity provider's metadata: its key, attributes and write.

use std::time::Duration;

use domain::{IssuerDigest, ProviderMetadata};

use super::{
    condition::{self, Placeholders},
    item::{Attributes, Reader, text, time},
    names::Key,
    transaction::Change,
};
use crate::Failure;

const DISCOVERY: &str = "discovery";
const FETCHED_AT: &str = "fetched_at";
const ISSUER: &str = "issuer";
const KEY_SET: &str = "key_set";

const PLACEHOLDERS: Placeholders =
    &[("#discovery", DISCOVERY), ("#fetched", FETCHED_AT), ("#issuer", ISSUER), ("#keys", KEY_SET)];

/// The item is new.
const NEVER_FETCHED: &str = "attribute_not_exists(#fetched)";
/// The item is no newer. Otherwise: `PutProviderOutcome::Newer`.
const NOT_FETCHED_LATER: &str = "#fetched <= :fetched";
/// The item is from the future. No run could ever replace it otherwise.
const FROM_THE_FUTURE: &str = "#fetched > :latest";

/// How much later than a write an item can be dated that is not from the future. AWS carries out no request that was signed over 15 minutes
/// ago, so the runs after that of a late write have dates before this.
const LATEST: Duration = Duration::from_mins(30);

/// Returns the key of the metadata of `issuer`.
pub(super) fn key(issuer: &str) -> Key {
    Key { pk: format!("PROVIDER#{}", IssuerDigest::new(issuer).as_str()), sk: "KEYS".to_owned() }
}

/// Reads the metadata of `issuer` from an item. An item that names another issuer is an error.
pub(super) fn from_item(item: &Attributes, issuer: &str) -> Result<ProviderMetadata, Failure> {
    let item = Reader(item);
    Ok(ProviderMetadata {
        issuer: item.parsed(ISSUER, |found| (found == issuer).then(|| found.to_owned()))?,
        discovery: item.text(DISCOVERY)?.to_owned(),
        key_set: item.text(KEY_SET)?.to_owned(),
        fetched_at: item.time(FETCHED_AT)?,
    })
}

/// Returns the write of `metadata`, if the item has none that was fetched later, or one from the future.
pub(super) fn put(metadata: &ProviderMetadata) -> Change {
    let sets = "SET #issuer = :issuer, #discovery = :discovery, #keys = :keys, #fetched = :fetched";
    Change::new(key(&metadata.issuer), PLACEHOLDERS, sets)
        .only_if(&condition::any(&[NEVER_FETCHED, NOT_FETCHED_LATER, FROM_THE_FUTURE]))
        .value(":issuer", text(&metadata.issuer))
        .value(":discovery", text(&metadata.discovery))
        .value(":keys", text(&metadata.key_set))
        .value(":fetched", time(metadata.fetched_at))
        .value(":latest", time(metadata.fetched_at.plus(LATEST)))
}

#[cfg(test)]
mod tests {
    use domain::Timestamp;

    use super::*;
    use crate::store::item::Item;

    const ISSUER_A: &str = "https://a.example";

    fn item(issuer: &str) -> Item {
        Item::at(key(ISSUER_A))
            .with(ISSUER, text(issuer))
            .with(DISCOVERY, text("{}"))
            .with(KEY_SET, text("{\"keys\":[]}"))
            .with(FETCHED_AT, time(Timestamp::from_epoch_seconds(7)))
    }

    #[test]
    fn an_item_is_read_as_it_was_written() {
        let read = from_item(&item(ISSUER_A).into_map(), ISSUER_A).expect("readable");
        let expected = ProviderMetadata {
            issuer: ISSUER_A.into(),
            discovery: "{}".into(),
            key_set: "{\"keys\":[]}".into(),
            fetched_at: Timestamp::from_epoch_seconds(7),
        };
        assert_eq!(read, expected);
    }

    #[test]
    fn an_item_of_another_issuer_or_without_a_part_cannot_be_read() {
        let refused = |item: Item| from_item(&item.into_map(), ISSUER_A).expect_err("unreadable").is_unreadable();
        assert!(refused(item("https://b.example")));
        for name in [ISSUER, DISCOVERY, KEY_SET, FETCHED_AT] {
            assert!(refused(item(ISSUER_A).with(name, crate::store::item::boolean(true))), "{name}");
            let mut without = item(ISSUER_A).into_map();
            without.remove(name);
            assert!(from_item(&without, ISSUER_A).is_err(), "{name}");
        }
    }

    #[test]
    fn every_issuer_has_a_key_of_its_own() {
        let [a, b] = [ISSUER_A, "https://b.example"].map(key);
        assert_ne!(a.pk, b.pk);
        assert_eq!((a.pk.len(), a.sk.as_str()), ("PROVIDER#".len() + 43, "KEYS"));
    }
}
