//! The password hasher, argon2id. Hashing is slow on purpose, so it never runs on the thread that answers.

use std::{
    fmt,
    sync::{Arc, Mutex, PoisonError},
};

use argon2::{Algorithm, Argon2, Block, Params, Version};
use base64::{Engine, prelude::BASE64_STANDARD_NO_PAD};
use domain::{PasswordHash, Retryable, TemporaryPassword};
use subtle::ConstantTimeEq;
use tokio::task;
use zeroize::{Zeroize, Zeroizing};

use crate::random_bytes;

/// The cost parameters of a hash.
#[derive(Clone, Copy)]
struct Cost {
    /// The beginning of every PHC string of this cost.
    prefix: &'static str,
    memory_kib: u32,
    passes: u32,
    lanes: u32,
}

/// The cost of a release: 19 MiB, two passes, one lane. It is the minimum of the OWASP Password Storage Cheat Sheet (2026), and the crate's own
/// default.
const RELEASED: Cost = Cost { prefix: "$argon2id$v=19$m=19456,t=2,p=1$", memory_kib: 19_456, passes: 2, lanes: 1 };

/// The cost of a build with debug assertions, which runs in tests and in the local cloud: they hash so often that it was a third of their work.
const QUICK: Cost = Cost { prefix: "$argon2id$v=19$m=32,t=1,p=1$", memory_kib: 32, passes: 1, lanes: 1 };

/// The cost of new hashes.
const COST: Cost = if cfg!(debug_assertions) { QUICK } else { RELEASED };

/// Every cost that a hash in the table may have. Another cost means that something else has written to the table.
const ALLOWED: &[Cost] = if cfg!(debug_assertions) { &[RELEASED, QUICK] } else { &[RELEASED] };

const SALT: usize = 16;
const HASH: usize = 32;

/// Hashes passwords one at a time, in one buffer that it wipes after each: a fresh buffer costs a third more time, and argon2 itself
/// does not wipe what it has written.
#[derive(Clone, Default)]
pub struct Hasher(Arc<Mutex<Vec<Block>>>);

/// A password could not be hashed.
#[derive(Debug)]
pub enum HashingFailed {
    /// The machine is out of memory or shutting down.
    Machine(&'static str),
    /// A hash in the table has a cost or a form that this product never writes.
    Foreign,
}

impl Retryable for HashingFailed {
    fn is_transient(&self) -> bool {
        matches!(self, Self::Machine(_))
    }
}

impl Hasher {
    /// Hashes a temporary password in the form in which a typed one is compared with it.
    pub async fn hash_temporary(&self, password: &TemporaryPassword) -> Result<PasswordHash, HashingFailed> {
        #[expect(clippy::disallowed_methods, reason = "here the password is hashed")]
        let comparable = TemporaryPassword::comparable(password.expose_secret());
        self.hash(comparable).await
    }

    /// Hashes `password` with a fresh salt.
    pub async fn hash(&self, password: Zeroizing<String>) -> Result<PasswordHash, HashingFailed> {
        let this = self.clone();
        let hashed = task::spawn_blocking(move || this.phc(&password, random_bytes(), &COST)).await;
        hashed.map_err(|_| HashingFailed::Machine("the thread ended"))?
    }

    /// Returns whether `password` matches `hash`. Without a hash it takes the same time and does not match.
    pub async fn verify(
        &self,
        password: Zeroizing<String>,
        hash: Option<&PasswordHash>,
    ) -> Result<bool, HashingFailed> {
        let stored = match hash {
            Some(hash) => StoredHash::parse(hash.as_phc()).ok_or(HashingFailed::Foreign)?,
            None => StoredHash::decoy(),
        };
        let this = self.clone();
        let verified = task::spawn_blocking(move || {
            let computed = this.compute(&password, &stored.salt, &stored.cost)?;
            Ok(bool::from(computed.ct_eq(&stored.hash)) && !stored.is_decoy)
        });
        verified.await.map_err(|_| HashingFailed::Machine("the thread ended"))?
    }

    /// Hashes `password` with this salt and cost, in the form of the table.
    fn phc(&self, password: &str, salt: [u8; SALT], cost: &Cost) -> Result<PasswordHash, HashingFailed> {
        let hash = self.compute(password, &salt, cost)?;
        let (salt, hash) = (BASE64_STANDARD_NO_PAD.encode(salt), BASE64_STANDARD_NO_PAD.encode(hash.as_slice()));
        Ok(PasswordHash::from_phc(format!("{}{salt}${hash}", cost.prefix)))
    }

    fn compute(&self, password: &str, salt: &[u8; SALT], cost: &Cost) -> Result<Zeroizing<[u8; HASH]>, HashingFailed> {
        let params = Params::new(cost.memory_kib, cost.passes, cost.lanes, Some(HASH));
        let params = params.map_err(|_| HashingFailed::Machine("parameters"))?;
        // A panic while hashing leaves blocks that the next hash overwrites: nothing that must not be read.
        let mut blocks = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        blocks.resize(params.block_count(), Block::default());
        let mut hash = Zeroizing::new([0; HASH]);
        let argon2 = Argon2::new(Algorithm::Argon2id, Version::V0x13, params);
        let hashed = argon2.hash_password_into_with_memory(
            password.as_bytes(),
            salt,
            hash.as_mut_slice(),
            blocks.as_mut_slice(),
        );
        blocks.iter_mut().for_each(Zeroize::zeroize);
        hashed.map_err(|_| HashingFailed::Machine("argon2"))?;
        Ok(hash)
    }
}

/// The parts of a hash from the table.
struct StoredHash {
    cost: Cost,
    salt: [u8; SALT],
    hash: [u8; HASH],
    /// Whether this replaces the hash of an account that does not exist, so that no password matches.
    is_decoy: bool,
}

impl StoredHash {
    fn parse(phc: &str) -> Option<Self> {
        let (cost, rest) = ALLOWED.iter().find_map(|cost| phc.strip_prefix(cost.prefix).map(|rest| (*cost, rest)))?;
        let (salt, hash) = rest.split_once('$')?;
        let bytes = |text| BASE64_STANDARD_NO_PAD.decode(text).ok();
        Some(Self { cost, salt: bytes(salt)?.try_into().ok()?, hash: bytes(hash)?.try_into().ok()?, is_decoy: false })
    }

    /// Returns a hash that costs the same work as a stored one, and that no password matches.
    fn decoy() -> Self {
        Self { cost: COST, salt: [0; SALT], hash: [0; HASH], is_decoy: true }
    }
}

impl fmt::Display for HashingFailed {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Machine(what) => write!(f, "a password could not be hashed: {what}"),
            Self::Foreign => f.write_str("a password hash in the table has a foreign cost or form"),
        }
    }
}

impl std::error::Error for HashingFailed {}

#[cfg(test)]
mod tests {
    use super::*;

    /// Made by the reference implementation (libargon2): salt `saltsaltsaltsalt`, two passes, 19,456 KiB, one lane, 32 bytes.
    const REFERENCE: &str =
        "$argon2id$v=19$m=19456,t=2,p=1$c2FsdHNhbHRzYWx0c2FsdA$QKHrg5tayLGcN+Y0HVPNaBqykOVLUxlMkZycXE1uWRM";

    #[test]
    fn a_hash_is_the_one_of_the_reference_implementation_and_the_buffer_is_wiped() {
        let hasher = Hasher::default();
        let hash = hasher.phc("correct horse battery staple", *b"saltsaltsaltsalt", &RELEASED);
        assert_eq!(hash.ok().map(|hash| hash.as_phc().to_owned()).as_deref(), Some(REFERENCE));
        let blocks = hasher.0.lock().unwrap_or_else(PoisonError::into_inner);
        assert!(blocks.iter().all(|block| block.as_ref().iter().all(|word| *word == 0)));
    }

    #[tokio::test]
    async fn only_the_right_password_matches_its_hash() {
        let hasher = Hasher::default();
        let hash = PasswordHash::from_phc(REFERENCE.into());
        let verify = async |password: &str, hash| hasher.verify(Zeroizing::new(password.into()), hash).await.ok();
        assert_eq!(verify("correct horse battery staple", Some(&hash)).await, Some(true));
        assert_eq!(verify("correct horse battery stapl", Some(&hash)).await, Some(false));
        assert_eq!(verify("correct horse battery staple", None).await, Some(false));
        let own = hasher.hash(Zeroizing::new("own".into())).await.ok();
        assert_eq!(verify("own", own.as_ref()).await, Some(true));
    }

    #[tokio::test]
    async fn without_a_hash_the_same_memory_is_filled() {
        let hasher = Hasher::default();
        assert_eq!(hasher.verify(Zeroizing::new("any".into()), None).await.ok(), Some(false));
        let blocks = hasher.0.lock().unwrap_or_else(PoisonError::into_inner);
        assert_eq!(blocks.len(), COST.memory_kib as usize);
    }

    #[tokio::test]
    async fn a_hash_of_another_cost_or_form_is_refused_and_not_computed() {
        let hasher = Hasher::default();
        for (part, other) in [
            ("m=19456", "m=8"),
            ("m=19456", "m=4000000"),
            ("t=2", "t=1"),
            ("argon2id", "argon2i"),
            ("v=19", "v=16"),
            ("c2FsdHNhbHRzYWx0c2FsdA", "c2FsdA"),
            ("QKHrg5ta", ""),
            ("$QKHrg5ta", "!QKHrg5ta"),
        ] {
            let hash = PasswordHash::from_phc(REFERENCE.replace(part, other));
            let password = Zeroizing::new("correct horse battery staple".to_owned());
            assert!(hasher.verify(password, Some(&hash)).await.is_err(), "{part}");
        }
        assert!(hasher.0.lock().unwrap_or_else(PoisonError::into_inner).is_empty());
    }

    #[tokio::test]
    async fn two_hashes_of_one_password_have_two_salts() {
        let hasher = Hasher::default();
        let [one, other] =
            [hasher.hash(Zeroizing::new("x".into())).await, hasher.hash(Zeroizing::new("x".into())).await];
        assert_ne!(one.ok().map(|hash| hash.as_phc().to_owned()), other.ok().map(|hash| hash.as_phc().to_owned()));
    }
}
