//! Creating administrators.

use domain::{Account, DisplayName, EmailAddress, Timestamp};

use super::{
    Table, account, credential,
    history::{Entries, Entry},
    item::{Item, text, time},
    names::{CREATED_AT, DISPLAY_NAME, HANDED_OVER_AT, Key, STATUS, USER_NAME},
    sessions::SignedIn,
    transaction::{Commit, Part, RACES, Transaction},
};
use crate::{Failure, retry::pause};

/// May create administrators, in a session of one or of the service administrator.
pub struct Administrators(Table);

/// An administrator in the making.
pub struct NewAdministrator {
    /// The account, with the click that creates it.
    pub account: Account,
    /// As people call them.
    pub display_name: DisplayName,
    /// Where notices go.
    pub email: Option<EmailAddress>,
}

/// What became of it.
pub enum CreateAdministrator {
    /// It stands, under this id; by this click, or by the same one before.
    Created {
        /// Never reused.
        account_id: String,
    },
    /// Another account has the name.
    NameTaken,
    /// The session that asked has ended.
    SessionEnded,
}

const OPERATION: &str = "dynamodb TransactWriteItems (create administrator)";

impl Administrators {
    /// Over `table`.
    #[must_use]
    pub fn new(table: Table) -> Self {
        Self(table)
    }

    /// Creates `new`, asked for by `signed_in`.
    pub async fn create(
        &self,
        signed_in: &SignedIn,
        new: &NewAdministrator,
        now: Timestamp,
    ) -> Result<CreateAdministrator, Failure> {
        let SignedIn { session, account: creator, .. } = signed_in;
        // No transaction may name one item twice: https://docs.aws.amazon.com/amazondynamodb/latest/APIReference/API_TransactWriteItems.html
        if new.account.user_name == creator.user_name {
            return Ok(CreateAdministrator::NameTaken);
        }
        let mut known = signed_in.credential.clone();
        for _ in 0..RACES {
            let entry = Entry {
                what: "administrator-created",
                by: creator.user_name.as_str(),
                at: now,
                issue: known.issue,
                account: Some(&new.account.user_name),
            };
            let entries = Entries::after(&known).and(&entry);
            let change = credential::advance(&known, entries.seq())
                .and(", #handed_over = if_not_exists(#handed_over, :now)")
                .names([("#handed_over", HANDED_OVER_AT)])
                .value(":now", time(now));
            let transaction = Transaction::new(&self.0, OPERATION)
                .check(Part::Creator, account::unchanged(Key::account(&creator.user_name), session.account_version))?
                .put_new(Part::Account, account::to_item(&new.account, new.email.as_ref()))?
                .put_new(Part::Administrator, new.item(now))?
                .update(Part::Credential, change)?
                .put_history(entries)?;
            let refused = match transaction.commit().await? {
                Commit::Done => {
                    return Ok(CreateAdministrator::Created { account_id: new.account.account_id.clone() });
                }
                Commit::Refused(refused) => refused,
            };
            let taken_by = refused.item(Part::Account).map(account::from_item).transpose()?;
            match taken_by {
                Some(same) if same.created_by == new.account.created_by => {
                    return Ok(CreateAdministrator::Created { account_id: same.account_id });
                }
                _ if refused.failed(Part::Creator) => return Ok(CreateAdministrator::SessionEnded),
                Some(_) => return Ok(CreateAdministrator::NameTaken),
                None => {}
            }
            pause().await;
            let current = self.0.credential(&session.subscription).await?;
            known = current.ok_or_else(|| Failure::unreadable("item", "CREDENTIAL"))?;
        }
        Err(Failure::too_long(OPERATION))
    }
}

impl NewAdministrator {
    /// What the list of administrators shows.
    fn item(&self, now: Timestamp) -> super::item::Attributes {
        Item::at(Key::administrator(&self.account))
            .with(USER_NAME, text(&self.account.user_name))
            .with(DISPLAY_NAME, text(self.display_name.as_str()))
            .with(CREATED_AT, time(now))
            .with(STATUS, text(self.account.status.as_str()))
            .into_map()
    }
}
