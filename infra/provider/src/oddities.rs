//! The oddities of a provider's tokens and keys, in which real providers differ from each other.

use serde_json::Value;

use super::keys::Algorithm;

/// The oddities of a provider's tokens and keys. By default there are none. Each field is one difference of real providers.
#[derive(Debug, Clone, Default)]
pub struct TokenOddities {
    /// Claims that are merged into those of every token; null removes a claim.
    pub claims: Value,
    /// Fields that are merged into the header of every token; null removes a field.
    pub header: Value,
    /// The algorithm, and so the key, of tokens whose person names none.
    pub algorithm: Option<Algorithm>,
    /// The algorithms whose keys are in the key set; all of them by default.
    pub published: Option<Vec<Algorithm>>,
    /// Fields that are merged into every key of the key set; null removes a field.
    pub key: Value,
}
