//! The keys of KMS that sign ID tokens for the product. They are real RSA keys: the KMS emulator answers `Sign` with bytes that no verifier
//! accepts.

use std::collections::BTreeSet;
use std::path::Path;
use std::sync::{Mutex, OnceLock};

use aws_lc_rs::digest::{Digest, SHA256, digest};
use aws_lc_rs::encoding::{AsDer as _, Pkcs8V1Der, PublicKeyX509Der};
use aws_lc_rs::error::Unspecified;
use aws_lc_rs::rsa::{KeyPair, KeySize};
use aws_lc_rs::signature::{KeyPair as _, RSA_PKCS1_SHA256};
use base64::Engine as _;
use base64::prelude::BASE64_STANDARD;
use http::StatusCode;
use serde_json::{Value, json};

use super::file;
use super::kms::SIGNING_KEYS;
use super::roles::key_arn;
use super::service::Service;
use super::wire::Answer;
use super::{Error, lock};

/// The only algorithm that the emulator signs with.
const ALGORITHM: &str = "RSASSA_PKCS1_V1_5_SHA_256";

/// The keys of this process, for clouds that preserve no state. Each is generated at its first use: that takes a tenth of a second, and
/// most tests sign nothing.
static GENERATED: [OnceLock<KeyPair>; SIGNING_KEYS.len()] = [const { OnceLock::new() }; SIGNING_KEYS.len()];

/// The signing keys, in the order of [`SIGNING_KEYS`].
pub(super) struct SigningKeys {
    /// The keys of the file, if state is preserved.
    kept: Option<[KeyPair; SIGNING_KEYS.len()]>,
    /// The ARNs of the keys that are disabled.
    disabled: Mutex<BTreeSet<String>>,
}

impl SigningKeys {
    /// Reads the keys from a file, or generates keys and writes them for the next start. Without a file, the keys are those of this
    /// process.
    pub(super) fn open(path: Option<&Path>) -> Result<Self, Error> {
        let kept = path.map(read_or_generate).transpose()?;
        Ok(Self { kept, disabled: Mutex::default() })
    }

    /// Disables a key, given by its alias, or enables it again.
    pub(super) fn disable(&self, alias: &str, is_disabled: bool) {
        let (mut disabled, arn) = (lock(&self.disabled), key_arn(alias));
        if is_disabled {
            disabled.insert(arn);
        } else {
            disabled.remove(&arn);
        }
    }

    /// Returns whether a call names one of these keys, by its alias, its id or its ARN.
    pub(super) fn has(call: &Value) -> bool {
        number(call).is_some()
    }

    /// Answers a call that names one of these keys.
    pub(super) fn answer(&self, operation: &str, call: &Value) -> Answer {
        let Some((number, arn)) = number(call) else {
            return refused("NotFoundException", "The call names no signing key.");
        };
        if lock(&self.disabled).contains(&arn) {
            return refused("DisabledException", &format!("{arn} is disabled."));
        }
        let pair = match &self.kept {
            Some(pairs) => &pairs[number],
            None => GENERATED[number].get_or_init(|| generate().expect("the operating system provides random numbers")),
        };
        let answer = match operation {
            "GetPublicKey" => public_key(pair, &arn),
            "Sign" if call["SigningAlgorithm"] != ALGORITHM => {
                return refused("InvalidKeyUsageException", &format!("The local cloud signs with {ALGORITHM} alone."));
            }
            "Sign" => sign(pair, &arn, call),
            _ => {
                let message = format!("The local cloud has no {operation} of a signing key.");
                return refused("UnsupportedOperationException", &message);
            }
        };
        match answer {
            Some(answer) => Answer::json(StatusCode::OK, answer.to_string()),
            None => refused("ValidationException", "The message is not valid for its message type."),
        }
    }
}

/// Returns the number and the ARN of the signing key that a call names.
fn number(call: &Value) -> Option<(usize, String)> {
    let arn = key_arn(call["KeyId"].as_str()?);
    let number = SIGNING_KEYS.iter().position(|alias| key_arn(alias) == arn)?;
    Some((number, arn))
}

fn public_key(pair: &KeyPair, arn: &str) -> Option<Value> {
    let key: PublicKeyX509Der<'static> = pair.public_key().as_der().ok()?;
    Some(json!({
        "KeyId": arn,
        "PublicKey": BASE64_STANDARD.encode(key.as_ref()),
        "CustomerMasterKeySpec": "RSA_2048",
        "KeySpec": "RSA_2048",
        "KeyUsage": "SIGN_VERIFY",
        "SigningAlgorithms": [ALGORITHM],
    }))
}

/// Signs a message, or the digest of one. `None` if the digest is not a SHA-256, or the message is longer than KMS takes.
fn sign(pair: &KeyPair, arn: &str, call: &Value) -> Option<Value> {
    const LONGEST_MESSAGE: usize = 4096;
    let message = BASE64_STANDARD.decode(call["Message"].as_str()?).ok()?;
    let digest = match call["MessageType"].as_str() {
        Some("DIGEST") => Digest::import_less_safe(&message, &SHA256).ok()?,
        None | Some("RAW") if message.len() <= LONGEST_MESSAGE => digest(&SHA256, &message),
        _ => return None,
    };
    let mut signature = vec![0; pair.public_modulus_len()];
    pair.sign_digest(&RSA_PKCS1_SHA256, &digest, &mut signature).ok()?;
    let signature = BASE64_STANDARD.encode(signature);
    Some(json!({ "KeyId": arn, "Signature": signature, "SigningAlgorithm": ALGORITHM }))
}

fn refused(code: &str, message: &str) -> Answer {
    Answer::error(Service::Kms, StatusCode::BAD_REQUEST, code, message)
}

fn generate() -> Result<KeyPair, Unspecified> {
    KeyPair::generate(KeySize::Rsa2048)
}

/// Reads the keys of an earlier start, or generates keys and writes them. The file has them in PKCS #8 and base64.
fn read_or_generate(path: &Path) -> Result<[KeyPair; SIGNING_KEYS.len()], Error> {
    let unreadable = || Error::new(format!("{} has no signing keys", path.display()));
    if let Some(texts) = file::read::<[String; SIGNING_KEYS.len()]>(path)? {
        let pair = |text: &String| KeyPair::from_pkcs8(&BASE64_STANDARD.decode(text).ok()?).ok();
        let pairs: Option<Vec<_>> = texts.iter().map(pair).collect();
        return pairs.and_then(|pairs| pairs.try_into().ok()).ok_or_else(unreadable);
    }
    let failed = |source: Unspecified| Error::caused("cannot generate the signing keys", source);
    let pairs = [generate().map_err(failed)?, generate().map_err(failed)?];
    let texts = pairs.each_ref().map(|pair| {
        let der: Result<Pkcs8V1Der<'static>, Unspecified> = pair.as_der();
        der.map(|der| BASE64_STANDARD.encode(der.as_ref()))
    });
    let texts: Vec<String> = texts.into_iter().collect::<Result<_, _>>().map_err(failed)?;
    let written = file::write(path, &texts);
    written.map_err(|source| Error::caused(format!("cannot write {}", path.display()), source))?;
    Ok(pairs)
}
