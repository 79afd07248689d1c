//! argon2id: slow on purpose, so never on the thread that answers.

use std::{
    fmt,
    sync::{Arc, Mutex, PoisonError},
};

use argon2::{Algorithm, Argon2, Block, Params, Version};
use base64::{Engine, prelude::BASE64_STANDARD_NO_PAD};
use domain::PasswordHash;
use tokio::task;
use zeroize::{Zeroize, Zeroizing};

use crate::random_bytes;

/// 19 MiB, two passes, one lane: the minimum of the OWASP Password Storage Cheat Sheet (2026), and the crate's own default.
const MEMORY_KIB: u32 = 19_456;
const PASSES: u32 = 2;
const LANES: u32 = 1;
const SALT: usize = 16;
const HASH: usize = 32;

/// Hashes passwords, one at a time, in one buffer that is wiped after each: a fresh buffer costs a third more time, and argon2
/// itself leaves what it has written.
#[derive(Clone, Default)]
pub struct Hasher(Arc<Mutex<Vec<Block>>>);

/// The machine could not hash: out of memory, or shutting down.
#[derive(Debug)]
pub struct HashingFailed(&'static str);

impl Hasher {
    /// Hashes `password` with a fresh salt.
    pub async fn hash(&self, password: Zeroizing<String>) -> Result<PasswordHash, HashingFailed> {
        let this = self.clone();
        let hashed = task::spawn_blocking(move || this.phc(&password, random_bytes())).await;
        hashed.map_err(|_| HashingFailed("the thread ended"))?
    }

    fn phc(&self, password: &str, salt: [u8; SALT]) -> Result<PasswordHash, HashingFailed> {
        let params = Params::new(MEMORY_KIB, PASSES, LANES, Some(HASH)).map_err(|_| HashingFailed("parameters"))?;
        // A panic while hashing leaves blocks that the next hash overwrites: nothing that must not be read.
        let mut blocks = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        blocks.resize(params.block_count(), Block::default());
        let mut hash = Zeroizing::new([0; HASH]);
        let argon2 = Argon2::new(Algorithm::Argon2id, Version::V0x13, params);
        let hashed = argon2.hash_password_into_with_memory(
            password.as_bytes(),
            &salt,
            hash.as_mut_slice(),
            blocks.as_mut_slice(),
        );
        blocks.iter_mut().for_each(Zeroize::zeroize);
        hashed.map_err(|_| HashingFailed("argon2"))?;
        let (salt, hash) = (BASE64_STANDARD_NO_PAD.encode(salt), BASE64_STANDARD_NO_PAD.encode(hash.as_slice()));
        Ok(PasswordHash::from_phc(format!("$argon2id$v=19$m={MEMORY_KIB},t={PASSES},p={LANES}${salt}${hash}")))
    }
}

impl fmt::Display for HashingFailed {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "a password could not be hashed: {}", self.0)
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
        let hash =
            hasher.phc("correct horse battery staple", *b"saltsaltsaltsalt").map(|hash| hash.as_phc().to_owned());
        assert_eq!(hash.ok().as_deref(), Some(REFERENCE));
        let blocks = hasher.0.lock().unwrap_or_else(PoisonError::into_inner);
        assert!(blocks.iter().all(|block| block.as_ref().iter().all(|word| *word == 0)));
    }

    #[tokio::test]
    async fn two_hashes_of_one_password_have_two_salts() {
        let hasher = Hasher::default();
        let [one, other] =
            [hasher.hash(Zeroizing::new("x".into())).await, hasher.hash(Zeroizing::new("x".into())).await];
        assert_ne!(one.ok().map(|hash| hash.as_phc().to_owned()), other.ok().map(|hash| hash.as_phc().to_owned()));
    }
}
