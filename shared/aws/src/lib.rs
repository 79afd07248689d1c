//! Where it is kept: one DynamoDB table, a KMS key, SES. The only room that speaks to AWS.
//!
//! # The table
//!
//! | item | `PK` | `SK` | written by |
//! |---|---|---|---|
//! | credential | `SUBSCRIPTION#<id>` | `CREDENTIAL` | [`Subscriptions`], [`Retrievals`] |
//! | welcome mail | `SUBSCRIPTION#<id>` | `MAIL` | [`Subscriptions`] orders it, [`Mails`] follows it |
//! | support request | `SUBSCRIPTION#<id>` | `MAIL#support#<reference>` | [`SupportRequests`] orders it, [`Mails`] follows it |
//! | support requests of a day | `SUBSCRIPTION#<id>` | `SUPPORT#<day>` | [`SupportRequests`]: three, counted in the transaction of each |
//! | portal user | `SUBSCRIPTION#<id>` | `PORTAL_USER#<principal>` | [`Subscriptions`] |
//! | history | `SUBSCRIPTION#<id>` | `EVENT#<seq, ten digits>` | every transaction on the subscription |
//! | handled event | `SUBSCRIPTION#<id>` | `STARTED#<event>` | [`Subscriptions`]: an event that has given an issue gives no second one |
//! | membership | `PORTAL_USER#<principal>` | `SUBSCRIPTION#<id>` | [`Subscriptions`]: a hint for the list, never a right |
//! | account | `ACCOUNT#<user name>` | `ACCOUNT` | [`Subscriptions`], [`Passwords`], [`Administrators`]; [`SignIns`] retires it |
//! | administrator | `SUBSCRIPTION#<id>` | `ADMINISTRATOR#<account id>` | [`Administrators`]: what a list of them shows |
//! | session | `SESSION#<SHA-256 of its token>` | `SESSION` | [`SignIns`], [`Passwords`] |
//! | attempts at a name | `ATTEMPTS#<user name>` | `ACCOUNT`, or `NETWORK#<network>` | [`Attempts`], for unknown names too |
//! | attempts of a network | `NETWORK#<network>` | `ATTEMPTS` | [`Attempts`] |
//!
//! Names of keys and attributes are spelled in one file, `store/names.rs`. Times are numbers: seconds since the epoch, and
//! milliseconds in `tat`. What was typed as a name and is none has a place among the attempts as well, `ATTEMPTS#?<digest>`.
//!
//! # Access patterns
//!
//! | who asks | pattern | calls | units |
//! |---|---|---|---|
//! | get-credentials | [`Retrievals::retrieve`], then [`Unsealer::unseal`] | 1 `UpdateItem` (2 in a later issue than the first), 1 `Decrypt` | 1 write each (the item is under 1 KB) |
//! | list-subscriptions | [`Listings::page`] | 1 `Query` for each principal at once, then 1 `BatchGetItem` | 1 read each, 2 for a subscription |
//! | subscription-start, new | [`Subscriptions::find`], [`Subscriptions::holder`], [`Subscriptions::welcome`], [`Subscriptions::create`] | 2 `GetItem`, `BatchWriteItem`, `TransactWriteItems` of 5 | 2 reads, 2 writes a portal user, 10 writes |
//! | subscription-start, known | [`Subscriptions::find`], then nothing, [`Subscriptions::extend`], or [`Subscriptions::has_handled`] and [`Subscriptions::start_next_issue`] | | |
//! | send-mail | [`Mails::take`], [`Mails::credential`], [`Unsealer::unseal`], [`Mailer::send`], [`Mails::settle`] | 2 `UpdateItem`, 1 `GetItem`, 1 `Decrypt`, 1 `SendEmail` | 2 writes, 1 read |
//! | contact-support | [`SupportRequests::order`] | 1 `GetItem`, `TransactWriteItems` of 4 | 1 read, 8 writes |
//! | portal, the list | [`Listings::page`] | as list-subscriptions | |
//! | portal, the Administration Center | [`Sessions::find`], at home also [`Team::of`] | 1 `GetItem`, 2 at once, 1 `Query` | 4 reads |
//! | sign-in | [`Attempts::spend`], [`SignIns::account`], [`SignIns::begin`], [`Attempts::succeeded`] | 3 `UpdateItem` (2 from a known network, up to 3 more where a bucket is not full), 1 `GetItem`; if it succeeds `PutItem` or `TransactWriteItems` after 1 or 2 `GetItem`, and 2 `UpdateItem` | |
//! | reset-password | [`Sessions::find`], [`Passwords::change`] | 1 `GetItem`, 2 at once, `TransactWriteItems` of 4; with a current password also the attempts of sign-in | 3 reads, 8 writes |
//! | create-admin | [`Sessions::find`], [`Administrators::create`] | the same, `TransactWriteItems` of 5 | 3 reads, 10 writes |
//!
//! Every read that decides is strongly consistent. Every condition compares the expiry itself, since a time to live deletes days late.
//!
//! # What the protocol's page left open, and how it is here
//!
//! - "No event produces two issues" is held by the item `STARTED#<event>`, put if absent in the transaction that starts an issue: the conditions on the
//!   state alone would let a `paid` event that is delivered again after a later expiry start another issue.
//! - A retrieval names its issue: `issue = :issue`. An attempt that is carried out after its click was answered, in an issue that began in
//!   between, would otherwise spend one of that issue's three for nobody. Nothing is read before the write, so it asks for the first
//!   issue, and where nothing else explains a refusal, for the one in the refusal's item: one write in the first issue; in a later one,
//!   two for what is counted. A time in the condition, `issued_at <= :now`, does not do it: an issue is dated before its transaction is
//!   carried out, so a request of the moment in between passes. Random schedules found such clicks; the model in
//!   `tests/model/retrieve.rs` has both rules.
//!   A call whose time is before `issued_at` is told to come back in a second: its click may have been answered by another call since.
//!   What is left: a call that begins between the next issue's date and its transaction, and hangs until after that while the same click
//!   is answered by another call, goes on into that issue; and a click that was answered 404, because the subscription did not exist
//!   yet or did not list the caller, is counted when a late attempt of it finds that it may be.
//! - A lease on a mail has a name, `lease_id`: a take whose answer was lost recognises itself. Without it, five deliveries that lose their
//!   first answers each are a dead letter, and the mail was never sent (`tests/model/mail.rs`).
//! - The queue has to hide a message for at least the lease and the function's time-out together: the lease begins later than the
//!   message's invisibility, so a lease as long as that can meet its own message. With 60 s of lease: a time-out of 30 s, 180 s hidden.
//! - Each call gets its three attempts, whatever calls before it came to: the SDK's bucket of retries, which failures empty, is off.
//! - A session is put by the one transaction that begins it, under a condition that it is absent: whoever finds it there has met an
//!   earlier attempt of its own, and is done. So a lost answer of a first sign-in or of a choice of a password is no lost race.
//! - The first sign-in with a temporary password asks, in its transaction, for the account as its password was verified: one that was retired
//!   in between would otherwise end the retrieval and stand in the history behind its own retirement, with a session that is dead on
//!   arrival. `tests/it/interleavings.rs` found it, `tests/model/account.rs` shows both.
//! - The first sign-in of an issue copies its retrievals into the history and leaves them in the map, so that the portal still
//!   shows them beside a blank password; a next issue copies those of an issue in which nobody signed in.
//! - An account that is closed by failures has the answer and the time of a wrong password, computed without its hash: a 429 of its
//!   own would tell an account with a chosen password from an unknown name, and a temporary one.
//! - Failures close no administrator who has never signed in: they are counted for names that are still to be created, too, so a stranger
//!   could otherwise close an account that has no known network yet.
//! - A session that ends stays in the table, expired, and is put only where it is absent: a put that is carried out late, after its owner
//!   signed out, would otherwise begin it again.
//! - Failures count every attempt from a network that is not known, right ones as well, until a success forgets them.
//! - SES gets 8 seconds for its one attempt, since nobody waits for it and an attempt that is cut off may still send.
//!
//! # Known quirks
//!
//! - `{:?}` of an SDK error or of an `AttributeValue` prints whole items. Errors leave this crate as [`Failure`], which holds a code and a request id.
//! - The SDK retries neither `TransactionConflictException` nor a cancellation for a conflict; `retry.rs` does.
//! - Trusted for TLS to AWS are Amazon's own roots (`amazon-roots.pem`: Amazon Root CA 1 to 4, Starfield Services Root G2, from Amazon Trust
//!   Services; the first expires in 2037), compiled in: reading a machine's certificates takes milliseconds of every start.

mod connection;
mod failure;
mod mailer;
mod retry;
mod sealer;
mod store;

pub use connection::{NoAccess, connect};
pub use failure::Failure;
pub use mailer::{Delivery, InvalidSender, Mailer, Message};
pub use sealer::{Sealer, Unsealer};
pub use store::{
    Administrator, Administrators, Attempts, BeginOutcome, ChangeOutcome, CreateOutcome, ExtendOutcome, Lease, Listed,
    Listings, Mail, MailOrder, Mails, NewAdministrator, NewSupportRequest, OrderOutcome, Page, Passwords, Retrievals,
    RetrieveOutcome, Sessions, SignIns, SignedIn, SpendOutcome, StartNextIssueOutcome, StartOutcome, Subscriptions,
    SupportRequests, Table, TakeOutcome, TakenMail, Team,
};

/// The one configuration that every client is built from: see [`connect`].
pub use aws_types::SdkConfig;
