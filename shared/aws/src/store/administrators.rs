//! The creation of administrators.

use domain::{
    Account, CreatedBy, Credential, DisplayName, EmailAddress, FormDigest, HistoryCode, Timestamp,
    account::MOST_ADMINISTRATORS,
};
use futures_util::try_join;

use super::{
    Table, account, administrator, click, credential,
    day::DailyLimit,
    history::{Entries, Entry},
    item::Attributes,
    sessions::SignedIn,
    transaction::{Commit, Part, Transaction},
};
use crate::{
    Failure,
    retry::{Race, through_races},
};

/// Creates administrators, in a session of an administrator or of the service administrator.
pub struct Administrators(Table);

/// An administrator who is to be created.
pub struct NewAdministrator {
    /// The account. It names the click that creates it.
    pub account: Account,
    /// The click, if it has an idempotency key.
    pub click: Option<CreatedBy>,
    /// The name that people call them by.
    pub display_name: DisplayName,
    /// The address that notices go to.
    pub email: Option<EmailAddress>,
}

/// The result of [`Administrators::create`].
pub enum CreateOutcome {
    /// The administrator is created.
    Created,
    /// An earlier attempt of this click has created this account. Whether it had the same password is for the caller to verify.
    CreatedBefore(Account),
    /// The click's key was used for another form.
    AnotherForm,
    /// Another account has the name.
    NameTaken,
    /// The session that asked has ended.
    SessionEnded,
    /// The subscription has as many active administrators as it may.
    Full,
    /// The subscription has had its accounts with an address of this day.
    TooMany,
}

const OPERATION: &str = "dynamodb TransactWriteItems (create administrator)";

impl Administrators {
    /// Returns the store over `table`.
    #[must_use]
    pub fn new(table: Table) -> Self {
        Self(table)
    }

    /// Creates `new` on behalf of `signed_in`.
    pub async fn create(
        &self,
        signed_in: &SignedIn,
        new: &NewAdministrator,
        now: Timestamp,
    ) -> Result<CreateOutcome, Failure> {
        // No transaction may name one item twice: https://docs.aws.amazon.com/amazondynamodb/latest/APIReference/API_TransactWriteItems.html
        if new.account.user_name == signed_in.account.user_name {
            return Ok(CreateOutcome::NameTaken);
        }
        through_races(OPERATION, Some(signed_in.credential.clone()), |known| async move {
            let known = match known {
                Some(known) => known,
                None => self.0.existing_credential(&signed_in.session.subscription).await?,
            };
            self.create_once(signed_in, new, &known, now).await
        })
        .await
    }

    async fn create_once(
        &self,
        signed_in: &SignedIn,
        new: &NewAdministrator,
        known: &Credential,
        now: Timestamp,
    ) -> Result<Race<CreateOutcome>, Failure> {
        if known.ended_at.is_some() {
            return Ok(Race::Decided(CreateOutcome::SessionEnded));
        }
        let form = FormDigest::new(&new.account.user_name, &new.display_name, new.email.as_ref());
        // Counted after the read of the credential: the transaction is refused if another one has changed their number since.
        if self.0.active_administrators(&known.subscription).await?.len() >= MOST_ADMINISTRATORS {
            let met = self.look_up(new).await?;
            let decided = judge(&met, new, &form)?;
            return Ok(Race::Decided(decided.unwrap_or(CreateOutcome::Full)));
        }
        let transaction = self.transaction(signed_in, new, &form, known, now)?;
        let refused = match transaction.commit().await? {
            Commit::Done => return Ok(Race::Decided(CreateOutcome::Created)),
            Commit::Refused(refused) => refused,
        };
        let met = Met { click: refused.item(Part::Click).cloned(), account: refused.item(Part::Account).cloned() };
        Ok(match judge(&met, new, &form)? {
            Some(CreateOutcome::NameTaken) | None if refused.failed(Part::Actor) => {
                Race::Decided(CreateOutcome::SessionEnded)
            }
            Some(decided) => Race::Decided(decided),
            None if refused.failed(Part::AddressedDay) => Race::Decided(CreateOutcome::TooMany),
            None => Race::Lost,
        })
    }

    /// Reads what may be in the way of a creation.
    async fn look_up(&self, new: &NewAdministrator) -> Result<Met, Failure> {
        let mark = async {
            let Some(click) = &new.click else { return Ok(None) };
            self.0.get("dynamodb GetItem (click)", click::key(&new.account.subscription, click)).await
        };
        let account = self.0.get("dynamodb GetItem (account)", account::key(&new.account.user_name));
        let (click, account) = try_join!(mark, account)?;
        Ok(Met { click, account })
    }

    /// Returns the writes of the creation. A click that is retried fails on its account, so that nothing is counted again.
    fn transaction(
        &self,
        signed_in: &SignedIn,
        new: &NewAdministrator,
        form: &FormDigest,
        known: &Credential,
        now: Timestamp,
    ) -> Result<Transaction<'_>, Failure> {
        let SignedIn { session, account: creator, .. } = signed_in;
        let entry = Entry::new(HistoryCode::AdministratorCreated, creator, now, known.issue);
        let entries = Entries::after(known).and(&entry.with_account(&new.account.user_name));
        let change = match known.hands_over_at(creator.role, now) {
            Some(at) => credential::hand_over(known, entries.seq(), at),
            None => credential::advance(known, entries.seq()),
        };
        let mut transaction = Transaction::new(&self.0, OPERATION)
            .check(Part::Actor, account::unchanged(&creator.user_name, session.account_version))?
            .put_new(Part::Account, account::to_item(&new.account, new.email.as_ref()))?
            .put_new(Part::Administrator, administrator::to_item(&new.account, &new.display_name, now))?
            .update(Part::Credential, change)?
            .put_history(entries)?;
        if let Some(click) = &new.click {
            transaction = transaction.put_new(Part::Click, click::to_item(&known.subscription, click, form, now))?;
        }
        if new.email.is_some() {
            let count = DailyLimit::ADDRESSED.count(&known.subscription, now);
            transaction = transaction.update(Part::AddressedDay, count)?;
        }
        Ok(transaction)
    }
}

/// The items that are in the way of a creation: the mark of its click, and an account with the name.
struct Met {
    click: Option<Attributes>,
    account: Option<Attributes>,
}

/// Returns what the items that a creation has met say about it, if anything.
fn judge(met: &Met, new: &NewAdministrator, form: &FormDigest) -> Result<Option<CreateOutcome>, Failure> {
    let earlier = met.click.as_ref().map(click::form).transpose()?;
    if earlier.is_some_and(|earlier| earlier != *form) {
        return Ok(Some(CreateOutcome::AnotherForm));
    }
    Ok(match met.account.as_ref().map(account::from_item).transpose()? {
        Some(same) if same.created_by == new.account.created_by => Some(CreateOutcome::CreatedBefore(same)),
        Some(_) => Some(CreateOutcome::NameTaken),
        None => None,
    })
}
