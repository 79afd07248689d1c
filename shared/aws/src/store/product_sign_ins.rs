//! The codes and access tokens for the product, and what it learns of an administrator.

use domain::{AccessTokenDigest, CodeDigest, Grant, Holder, KnownCode, ProductUser, Timestamp};

use super::{
    Table, account, administrator, credential,
    item::{Attributes, Reader},
    names::{Key, SK},
    product_code, product_token,
    transaction::{Commit, Part, PutNewOutcome, Transaction},
};
use crate::Failure;

/// Issues codes and redeems them for access tokens.
pub struct ProductSignIns(Table);

/// The result of [`ProductSignIns::redeem`].
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum RedeemOutcome {
    /// The token is issued.
    Issued,
    /// The code was redeemed before, for this token.
    SpentBefore(AccessTokenDigest),
    /// The code has expired, or is not there any more.
    Expired,
    /// The account has changed since the code was issued, or its subscription has ended.
    NotValid,
}

impl ProductSignIns {
    /// Returns the store over `table`.
    #[must_use]
    pub fn new(table: Table) -> Self {
        Self(table)
    }

    /// Issues the code with this digest. The caller has just checked the session. An item that is there already is that of an earlier attempt
    /// of this call: to put it again could make a code new that has been redeemed in between.
    pub async fn issue(&self, digest: &CodeDigest, grant: &Grant) -> Result<(), Failure> {
        let put = self.0.put_new("dynamodb PutItem (product code)", product_code::to_item(grant, digest)).await?;
        match put {
            PutNewOutcome::Put | PutNewOutcome::Exists => Ok(()),
        }
    }

    /// Returns the code with this digest, if there is one.
    pub async fn code(&self, digest: &CodeDigest) -> Result<Option<KnownCode>, Failure> {
        let item = self.0.get("dynamodb GetItem (product code)", product_code::key(digest)).await?;
        item.map(|item| product_code::from_item(&item)).transpose()
    }

    /// Returns what the product learns of `holder`, while the account may still be known there.
    pub async fn user(&self, holder: Holder) -> Result<Option<ProductUser>, Failure> {
        let keys = [
            account::key(&holder.user_name),
            administrator::key(&holder.subscription, &holder.account_id),
            credential::key(&holder.subscription),
        ];
        let keys = keys.map(Key::into_map).into();
        let items = self.0.batch_get("dynamodb BatchGetItem (product user)", keys, &[]).await?;
        let found = |is_it: fn(&str) -> bool| items.iter().find(|item| sort_key(item).is_some_and(is_it));
        let (Some(account), Some(administrator), Some(credential)) = (
            found(|key| key == account::SORT_KEY),
            found(|key| key.starts_with(administrator::PREFIX)),
            found(|key| key == credential::SORT_KEY),
        ) else {
            return Ok(None);
        };
        let email = account::email(account);
        let (account, credential) = (account::from_item(account)?, credential::from_item(credential)?);
        if !holder.is_valid(&account, &credential) {
            return Ok(None);
        }
        let display_name = administrator::from_item(administrator)?.display_name;
        Ok(Some(ProductUser { holder, display_name, email, company: credential.company, product: credential.product }))
    }

    /// Redeems the code of `grant` for `token`, which the caller has fixed before its first attempt: a code that was redeemed for this very
    /// token was redeemed by an earlier attempt.
    pub async fn redeem(
        &self,
        code: &CodeDigest,
        grant: &Grant,
        token: &AccessTokenDigest,
        now: Timestamp,
    ) -> Result<RedeemOutcome, Failure> {
        let holder = &grant.holder;
        let transaction = Transaction::new(&self.0, "dynamodb TransactWriteItems (redeem product code)")
            .update(Part::Code, product_code::spend(code, token, now))?
            .put_new(Part::Token, product_token::to_item(holder, token, now))?
            .check(Part::Actor, account::unchanged(&holder.user_name, holder.account_version))?
            .check(Part::Credential, credential::not_ended(&holder.subscription))?;
        let refused = match transaction.commit().await? {
            Commit::Done => return Ok(RedeemOutcome::Issued),
            Commit::Refused(refused) => refused,
        };
        let spent_by = refused.item(Part::Code).and_then(|item| product_code::spent_by(Reader(item)));
        Ok(match spent_by {
            Some(spent_by) if spent_by != *token => RedeemOutcome::SpentBefore(spent_by),
            _ if refused.failed(Part::Actor) || refused.failed(Part::Credential) => RedeemOutcome::NotValid,
            Some(_) => RedeemOutcome::Issued,
            None => RedeemOutcome::Expired,
        })
    }

    /// Voids a token, if it is there. No later attempt issues it again: its code is spent.
    pub async fn withdraw(&self, token: &AccessTokenDigest) -> Result<(), Failure> {
        self.0.delete("dynamodb DeleteItem (product token)", product_token::key(token)).await
    }

    /// Returns the holder of the token with this digest, while it has not expired.
    pub async fn holder(&self, digest: &AccessTokenDigest, now: Timestamp) -> Result<Option<Holder>, Failure> {
        let item = self.0.get("dynamodb GetItem (product token)", product_token::key(digest)).await?;
        let known = item.map(|item| product_token::from_item(&item)).transpose()?;
        Ok(known.filter(|(_, expires_at)| now < *expires_at).map(|(holder, _)| holder))
    }
}

fn sort_key(item: &Attributes) -> Option<&str> {
    Reader(item).optional_text(SK)
}
