//! The store: one DynamoDB table, the KMS keys, SES, the queue of mails, and a client secret in Secrets Manager. No other crate calls AWS.
//!
//! # The table
//!
//! | item | `PK` | `SK` | written by |
//! |---|---|---|---|
//! | credential | `SUBSCRIPTION#<id>` | `CREDENTIAL` | [`Subscriptions`], [`Retrievals`]; [`SubscriptionEnds`] ends it, [`Restarts`] starts it again |
//! | welcome mail | `SUBSCRIPTION#<id>` | `MAIL` | [`Subscriptions`] orders it, [`Mails`] follows it |
//! | support request | `SUBSCRIPTION#<id>` | `MAIL#support#<reference>` | [`SupportRequests`] orders it, [`Mails`] follows it |
//! | reminder | `SUBSCRIPTION#<id>` | `MAIL#reminder#<issue>` | [`Reminders`] orders it, [`Mails`] follows it; kept for 90 days |
//! | reminder that is due | `DUE#<partition>` | `SUBSCRIPTION#<id>#<issue>` | [`Subscriptions`], [`Renewals`], [`Reissues`] put it, [`Reminders`] works through it; kept for 72 hours after its time |
//! | hour of reminders | `DUE#DONE` | `DUE#DONE` | [`Reminders`]: the last hour that a run has worked through |
//! | notice | `SUBSCRIPTION#<id>` | `MAIL#notice#<event_id>-<principal>` | [`Notices`] orders it, [`Mails`] follows it; kept for 14 days |
//! | support requests of a day | `SUBSCRIPTION#<id>` | `SUPPORT#<day>` | [`SupportRequests`]: three, counted in the transaction of each |
//! | accounts with an address of a day | `SUBSCRIPTION#<id>` | `ADDRESSED#<day>` | [`Administrators`], [`PasswordResets`]: twenty, counted in the transaction of each |
//! | unlocks of an account on a day | `SUBSCRIPTION#<id>` | `UNLOCKED#<account id>#<day>` | [`Accesses`]: three, counted in the transaction of each |
//! | portal user | `SUBSCRIPTION#<id>` | `PORTAL_USER#<principal>` | [`Subscriptions`], [`OperatorActs`], [`Reissues`]; who was removed stays, with the mark `removed_at` |
//! | company | `COMPANY#<id>` | `SUBSCRIPTION#<id>` | [`Subscriptions`]: a hint by which operators find the subscriptions of a company |
//! | reference | `REFERENCE#<reference>` | `REFERENCE` | [`SupportRequests`]: the subscription of a support request; kept for 400 days |
//! | history | `SUBSCRIPTION#<id>` | `EVENT#<seq, ten digits>` | every transaction on the subscription |
//! | life | `SUBSCRIPTION#<id>` | `LIFE` | [`Subscriptions`], [`Restarts`], [`SubscriptionEnds`]: the latest start and the latest end, also of a subscription that is not known yet; kept for 90 days after an end at least |
//! | purge | `PURGE#<UTC day>` | `SUBSCRIPTION#<id>#<ended_at>` | [`SubscriptionEnds`] plans it, [`Purges`] carries it out |
//! | handled event | `SUBSCRIPTION#<id>` | `STARTED#<event>` | [`Subscriptions`], [`Restarts`]: an event that has started an issue starts no second one |
//! | membership | `PORTAL_USER#<principal>` | `SUBSCRIPTION#<id>` | [`Subscriptions`]: a hint for the list, never a right |
//! | account | `ACCOUNT#<user name>` | `ACCOUNT` | [`Subscriptions`], [`Administrators`], [`Passwords`], [`PasswordResets`]; [`SignIns`] and [`Passwords`] retire it, [`Reissues`] makes it active again, [`Removals`] closes it |
//! | click | `SUBSCRIPTION#<id>` | `CLICK#<account and idempotency key, hashed>` | [`Administrators`]: one key creates one account from one form |
//! | click of an operator | `SUBSCRIPTION#<id>` | `CLICK#<operator and idempotency key, hashed>` | [`OperatorActs`], [`Reissues`], [`Accesses`]: one key acts once and has one answer; kept for 7 days |
//! | approval | `SUBSCRIPTION#<id>` | `APPROVAL` | [`OperatorActs`] asks for it and settles it, [`Reissues`] decides it; the last one stays |
//! | pending approval | `DESK#APPROVALS` | `<subscription id>.<approval id>` | a copy for the list, deleted with the decision; kept for a day |
//! | acts of an operator | `OPERATOR#<operator, hashed>` | `ATTEMPTS` | [`Operators`]; stored for a day |
//! | administrator | `SUBSCRIPTION#<id>` | `ADMINISTRATOR#<account id>` | [`Administrators`], [`PasswordResets`], [`Removals`]; [`SignIns`] notes the last sign-in: what [`Team`] lists |
//! | session | `SESSION#<SHA-256 of its token>` | `SESSION` | [`SignIns`], [`Passwords`] |
//! | code for the product | `CODE#<SHA-256 of the code>` | `CODE` | [`ProductSignIns`]: redeemed once; kept for eleven minutes |
//! | access token of the product | `TOKEN#<SHA-256 of the token>` | `TOKEN` | [`ProductSignIns`]; kept for five minutes |
//! | provider metadata | `PROVIDER#<SHA-256 of the issuer>` | `KEYS` | [`ProviderRefreshes`]: the endpoints and public keys of an identity provider |
//! | attempts at a name | `ATTEMPTS#<user name>` | `ACCOUNT` (the failures of strangers), or `NETWORK#<network>` | [`Attempts`], for unknown names too |
//! | device of an account | `ATTEMPTS#<user name>` | `DEVICE#<SHA-256 of its token>` | [`Attempts`]: ten for an account |
//! | attempts of a network | `NETWORK#<network>` | `ATTEMPTS` | [`Attempts`]; stored for a day |
//! | callbacks of a network | `NETWORK#<network>` | `CALLBACK` | [`Callbacks`] |
//!
//! Each key and attribute name is spelled once, in the file of its entity under `store/`. Times are numbers: seconds since the epoch, and
//! milliseconds in `tat`. Text that was typed as a user name but cannot be one has attempts as well, under `ATTEMPTS#?<digest>`.
//!
//! # Access patterns
//!
//! | function | pattern | calls | units |
//! |---|---|---|---|
//! | get-credentials | [`Retrievals::retrieve`], then [`Unsealer::unseal`] | 1 `UpdateItem` (2 in a later issue than the first), 1 `Decrypt` | 1 write each (the item is under 1 KB) |
//! | list-subscriptions | [`Listings::page`] | 1 `Query` for each principal at once, then 1 `BatchGetItem` | 1 read each, 2 for a subscription |
//! | show-history | [`Histories::find`] or, for an administrator, [`Sessions::find`]; then [`Histories::page`], for a file [`Histories::large_page`] | 1 `GetItem` (3 for an administrator), 1 `Query` of 50 items; for a file 1 for each 1,000 | 1 read (3), 3 for a page; 60 for each 1,000 entries of a file |
//! | portal, the history | as a page of show-history | | |
//! | subscription-start, new | [`Subscriptions::find`], [`Subscriptions::company_name`], [`Subscriptions::holder`], [`Subscriptions::welcome`], [`Subscriptions::start`] | 3 `GetItem`, 1 `Query`, 1 `UpdateItem` for each portal user, `BatchWriteItem`, `TransactWriteItems` of 6 | 3.5 reads, 2 writes a portal user, 13 writes |
//! | subscription-start, known | [`Subscriptions::find`], [`Subscriptions::welcome`], then [`Subscriptions::record`] if it is the latest start, [`Subscriptions::extend`], or [`Subscriptions::look_up_event`] and [`Subscriptions::start_next_issue`] | | |
//! | subscription-start, ended | [`Subscriptions::find`], [`Subscriptions::look_up_event`], [`Sealer::seal`], [`Subscriptions::welcome`], [`Restarts::restart`] | 5 `GetItem`, 1 `Encrypt`, 1 `UpdateItem` for each portal user, `BatchWriteItem`, `TransactWriteItems` of 6 and 1 for each retrieval | 5 reads, 2 writes a portal user, 13 writes |
//! | subscription-end | [`SubscriptionEnds::find`], [`SubscriptionEnds::end`], [`SubscriptionEnds::open_accounts`], [`SubscriptionEnds::close`], [`SubscriptionEnds::finish`] | 4 `GetItem`, `TransactWriteItems` of 4 or 5, 1 `Query`, `TransactWriteItems` of 3 to 51 for each 25 administrators, 1 `UpdateItem` | 4 reads, 1 for each 4 KB of the query, 11 writes, 2 and 4 for each administrator |
//! | purge-subscriptions | [`Purges::due`], [`Purges::find`], [`Purges::lease`], [`Purges::delete_some`], [`Purges::delete_last`], [`Purges::remove`] | 31 `Query`; for each subscription 2 `GetItem`, 2 `UpdateItem`, 1 `Query` for each 100 items, 1 for the attempts at each account, and 1 `DeleteItem` for each item | 31 reads; 1 write an item |
//! | send-mail | [`Mails::take`], [`Mails::credential`], [`Unsealer::unseal`], [`Mailer::send`], [`Mails::settle`] | 2 `UpdateItem`, 1 `GetItem`, 1 `Decrypt`, 1 `SendEmail` | 2 writes, 1 read |
//! | mail-feedback | [`MailReports::record`] | 1 `UpdateItem` | 1 write |
//! | resend-mail | [`Resends::order`] | 2 `GetItem` at once, `TransactWriteItems` of 3 (4 after a failed mail) | 2 reads, 6 writes (8) |
//! | renew-credentials | [`Renewals::find`], [`Sealer::seal`], [`Renewals::renew`] | 3 `GetItem`, 1 `Encrypt`, 1 `PutItem`, `TransactWriteItems` of 4 and 1 for each retrieval | 3 reads, 9 writes |
//! | send-reminders | [`Reminders::done`], [`Reminders::due`], [`Reminders::find`], [`Reminders::order`], [`Reminders::remove`], [`Reminders::mark_done`] | 16 `Query` for each hour, of which a run reads two, 1 `GetItem`, 1 `PutItem`; for each reminder 2 `GetItem`, 1 `PutItem`, 1 `DeleteItem` | 33 reads, 1 write; 2 and 2 for each reminder |
//! | contact-support | [`SupportRequests::order`] | 2 `GetItem` at once, `TransactWriteItems` of 5 | 2 reads, 10 writes |
//! | portal, the return from the provider | [`Callbacks::spend`] | 1 `UpdateItem` (up to 5 more where the budget is not full) | 1 write |
//! | portal, the exchange of a code at a provider that demands a secret | [`ClientSecretReader::read`] | 1 `GetSecretValue` in 15 minutes | |
//! | portal, the list | [`Listings::page`] | as list-subscriptions | |
//! | portal, the Administration Center | [`Sessions::find`], at home also [`Team::list`] | 1 `GetItem`, 2 at once; at home 1 `Query` and 1 `GetItem` at once | 5 reads |
//! | sign-in | [`Attempts::spend`], [`SignIns::account`], [`SignIns::begin`], [`Attempts::succeeded`] | 3 `UpdateItem` (2 from a known network, 1 from a known device, up to 2 more where a budget is not full; 1 for a device that the account does not know), 1 `GetItem`; after a success `PutItem` after 1 `GetItem`, or `TransactWriteItems` after 1 or 2, then 2 or 3 `UpdateItem` (1 more for an administrator, [`SignIns::note`]), and 1 `Query` for a new device; 1 `UpdateItem` where a session ends | |
//! | reset-password | [`Sessions::find`], [`Passwords::change`] | 1 `GetItem`, 2 at once, `TransactWriteItems` of 4 (5 or 6 after 1 `GetItem`, where an administrator has a way in for the first time), 2 `Query`, 2 `UpdateItem` and 1 for each device and network that is forgotten; with a current password also the attempts of sign-in | 3 reads, 8 writes |
//! | create-admin | [`Sessions::find`], [`Administrators::create`] | 1 `GetItem`, 2 at once, 1 `Query`, `TransactWriteItems` of 6 (7 with an address); by an administrator also the attempts of sign-in | 4 reads, 12 writes (14) |
//! | reset-admin | [`Sessions::find`], [`Attempts::spend`], [`PasswordResets::reset`], [`Attempts::forget_all`], [`Attempts::clear_failures`] | 1 `GetItem`, 2 at once, the attempts of sign-in, 2 `GetItem` (1 `Query` more for a closed account), `TransactWriteItems` of 5 (6 with an address), 2 `Query`, 1 `UpdateItem`, and 1 write for each device and network that is forgotten | 5 reads, 11 writes (13) |
//! | remove-admin | [`Sessions::find`], [`Attempts::spend`], [`Removals::remove`], [`Attempts::forget_all`] | as reset-admin, `TransactWriteItems` of 5 (4 for the service administrator, after 1 `GetItem` more); for the own account 1 `Query` and 1 `BatchGetItem` instead | 5 reads, 10 writes |
//! | support-desk, a search | [`Desks::search`] | 1 `GetItem` or `Query` for each key that the text may be, at once, then 1 `BatchGetItem` | 1 read each, 1 for a subscription |
//! | support-desk, a subscription | [`Desks::subscription`] | 3 `Query` and 1 `BatchGetItem` at once, then 1 `BatchGetItem` for each 50 accounts | 1 read for each 4 KB of a query, and 1 an item |
//! | reissue-credentials, a reissue | [`Operators::spend`], [`OperatorActs::look_up`], [`Sealer::seal`], [`Reissues::reissue`], [`Operators::forget_attempts`] | 1 `UpdateItem` (2 where the budget is not full), 1 `BatchGetItem`, 1 `Encrypt`, 1 `GetItem`, 1 `PutItem`, `TransactWriteItems` of 5 and 1 for each retrieval (7 more with an approval and another address), 1 `UpdateItem`, 2 `Query`, and 1 write for each device and network that is forgotten | 5 reads, 12 writes (26) |
//! | reissue-credentials, a request or a decision without an act | [`Operators::spend`], [`OperatorActs::look_up`], [`OperatorActs::ask`] or [`OperatorActs::settle`] | 1 `UpdateItem`, 1 `BatchGetItem`, `TransactWriteItems` of 5 (4 where it is overtaken) | 4 reads, 11 writes |
//! | change-access, portal users | [`Operators::spend`], [`OperatorActs::look_up`], [`OperatorActs::ask`] or [`OperatorActs::change_portal_users`] | 1 `UpdateItem`, 1 `BatchGetItem`, `TransactWriteItems` of 5 | 4 reads, 11 writes |
//! | change-access, an account | [`Operators::spend`], [`Accesses::look_up_account`], [`Accesses::unlock`] | 1 `UpdateItem`, 2 `GetItem`, 1 `BatchGetItem`, `TransactWriteItems` of 5 | 6 reads, 11 writes |
//! | product-sign-in, a code | [`Sessions::find`], [`ProductSignIns::issue`] | 1 `GetItem`, 2 at once, and with the click on **Continue** 1 `PutItem` | 3 reads, 1 write |
//! | product-sign-in, a token | [`ProductSignIns::code`], [`ProductSignIns::user`], [`Signer::sign`], [`ProductSignIns::redeem`] | 1 `GetItem`, `BatchGetItem` of 3, 1 `Sign`, `TransactWriteItems` of 4; for a code that was redeemed before 1 `DeleteItem` instead | 4 reads, 8 writes |
//! | product-sign-in, userinfo | [`ProductSignIns::holder`], [`ProductSignIns::user`] | 1 `GetItem`, `BatchGetItem` of 3 | 4 reads |
//! | publish-events | [`Notices::credential`], [`Notices::recipients`], [`Notices::order`], [`EventBus::publish`] | for each subscription in a batch 1 `GetItem`; where it has notices 1 `Query` of mails and portal users, and for administrators 1 `Query` and 1 `BatchGetItem` for each 100 accounts; 1 `PutItem` a notice; 1 `PutEvents` for every ten events of the batch, at most 3 times for an event | 1 read; with notices 1 for each 4 KB of a query, and 1 an account; 1 write a notice |
//! | every function that verifies an ID token | [`Providers::find`] | 1 `GetItem` at the start of a process, and with the first token 14 minutes or more after the last read | 1 read for each 4 KB (about ten keys) |
//! | refresh-keys | [`ProviderRefreshes::put`] | for each issuer 1 `UpdateItem` in 15 minutes | 1 write for each KB |
//!
//! Every read that decides is strongly consistent. Every condition compares the expiry itself, since a time to live deletes days late.
//!
//! # What the protocol leaves open, and what this crate does
//!
//! - **An event starts one issue.** The transaction that starts an issue puts `STARTED#<event>` if absent. Conditions on the state alone
//!   would let a `paid` event start another issue when it is delivered again after a later expiry.
//! - **The vendor's clock orders starts and ends**, not the order of their delivery. Every transaction that starts or ends a subscription
//!   writes its life, if it is as it was read, and so does an event that changes nothing else. The life is read before the credential:
//!   where the life has not changed since, the credential is the one that belongs to it.
//! - **Every transaction asks for a subscription that has not ended**, in one place (`advance_only_if` in `store/credential.rs`). The
//!   exceptions are the later start, a support request, and a decision on an approval with which nothing is carried out: these give
//!   access to nothing. A transaction that the end refuses has lost a race, reads again, and finds the end.
//! - **A later start keeps the listings of former portal users**, since they are hints and never a right: no list shows what the credential
//!   does not admit. The purge finds them by the portal users' items.
//! - **The credential is deleted last.** A purge that dies is found again, and a later start of the id waits for it. Where the retention is
//!   short, the life outlives the credential: an old start that the archive of the vendor's events delivers again must not bring the
//!   subscription back.
//! - **A retrieval names its issue**, by `issue = :issue`. An attempt can be carried out late: after its click was answered, in an issue
//!   that began in between. Without the issue it would spend one of that issue's three retrievals without an answer.
//!   - Nothing is read before the write, so it asks for the first issue. Where nothing else explains the refusal, it asks for the issue in
//!     the refusal's item: one write in the first issue, and two in a later one for what is counted.
//!   - A time in the condition, `issued_at <= :now`, is not enough: an issue is dated before its transaction is carried out, so a request
//!     of the moment in between passes. Random schedules found such clicks, and `tests/model/retrieve.rs` has both rules.
//!   - A call whose time is before `issued_at` has to come back in a second: another call may have answered its click.
//!   - Two cases remain. A call can begin between the next issue's date and its transaction, and hang until after that while another call
//!     answers the same click: the late call continues in that issue. And a click can be answered 404, because the subscription did not
//!     exist yet or did not list the caller: a late attempt of it that finds it allowed is counted.
//! - **A lease on a mail has an id**, `lease_id`, so that a worker whose answer was lost recognises its own lease. Without it, a message
//!   becomes a dead letter after deliveries that each lose their first answer, and the mail is never sent (`tests/model/mail.rs`).
//! - **The queue hides a message for at least the lease and the function's time-out together.** A lease begins later than the message's
//!   invisibility, so an equally long lease can still be held when its own
//!   message is delivered again. With a lease of 60 s, the time-out is 45 s and a message is hidden for 270 s.
//! - **Each call gets its three attempts.** The SDK shares a token bucket of retries among calls, and failures empty it, so it is turned off.
//! - **Only the transaction that begins a session puts it, if absent.** A caller that finds the session there sees its own earlier attempt,
//!   and is done. So a lost answer to a first sign-in or to a change of a password is not a lost race.
//! - **The first sign-in with a temporary password checks the account as its password was verified.** Otherwise an account that was
//!   retired in between would end the retrieval and appear in the history after its own retirement, with a session that is void from the
//!   beginning. `tests/it/interleavings.rs` found it, and `tests/model/account.rs` shows both.
//! - **An administrator whom a colleague has added has a way in from the choice of a password on**, not from the sign-in before it: the
//!   colleague knows that password, and it expires. So the choice does what the first sign-in with a permanent password does.
//! - **Administrators are counted between the read of the credential and the transaction**, which names the number of the last entry in the
//!   history. Every change of their number adds an entry, so the count holds if the transaction is carried out.
//! - **A reset is recognised by its hash.** A request for it has no idempotency key. The attempts of one call share the SDK's
//!   `ClientRequestToken`, by which DynamoDB carries a transaction out once, for ten minutes; the hash tells it without the token, too. Any
//!   other hash is that of another reset, which this one replaces.
//! - **The first sign-in of an issue copies its retrievals into the history and leaves them in the map**, so that the portal still shows
//!   them beside a blank password. A next issue copies those of an issue without a sign-in.
//! - **An account that failures have closed answers like a wrong password**, in the same time and without its hash. A separate 429 would
//!   reveal whether a password is chosen or temporary, and whether the account exists.
//! - **Failures close no administrator who has never signed in.** They are counted for names that are still to be created too, so a
//!   stranger could otherwise close an account that knows no device and no network yet.
//! - **A success forgives what it came by, and nothing else.** If a sign-in from a known device opened the account to strangers, or forgave the
//!   failures of its network, each sign-in of the owner would give an attacker a hundred guesses more.
//! - **A network is known by its time and its failures together.** Nothing is written when it has failed too often: more than a hundred
//!   failures in a row outweigh its time, until a success from there.
//! - **Forgetting a network keeps its budget.** The item stays without its time, since deleting it would refill the budget.
//! - **A code is put only if absent.** A late attempt of the put would otherwise make a code new that has been redeemed in between.
//! - **The ID token is signed before its code is redeemed**, and leaves the function only after that: a failure of KMS spends nothing, and the
//!   product can send the same request again.
//! - **The second use of a code voids the token of the first**: where 20 requests use one at once, one token is issued and void.
//! - **Provider metadata is never replaced by older metadata.** `fetched_at <= :fetched_at` refuses a write that is carried out late, after
//!   that of the next run: it would bring back a key that the provider has withdrawn. An item that is dated over half an hour later is from
//!   the future, and is replaced: AWS carries out no request that was signed over 15 minutes ago.
//! - **A session that ends stays in the table, expired.** A put that is carried out late, after the sign-out, finds it and does not begin
//!   it again.
//! - **Failures count every attempt**, right ones as well, until a success forgets them.
//! - **SES gets 8 seconds for its one attempt**: no caller waits for it, and an attempt that is cut off may still send.
//!
//! # Known quirks
//!
//! - `{:?}` of an SDK error or of an `AttributeValue` prints whole items. Errors leave this crate as [`Failure`], which holds a code and a request id.
//! - The SDK retries neither `TransactionConflictException` nor a cancellation for a conflict; `retry.rs` does.
//! - TLS to AWS trusts Amazon's own roots (`amazon-roots.pem`: Amazon Root CA 1 to 4, Starfield Services Root G2, from Amazon Trust
//!   Services; the first expires in 2037), compiled in: reading a machine's certificates takes milliseconds of every start.

mod connection;
mod event_bus;
mod failure;
mod mailer;
mod retry;
mod sealer;
mod secrets;
mod signer;
mod store;
mod work_queue;

pub use connection::{NoAccess, connect};
pub use event_bus::{EVENTS_PER_CALL, EventBus, PublishedEvent};
pub use failure::Failure;
pub use mailer::{Delivery, InvalidSender, Mailer, Message};
pub use retry::{OPERATION_TIMEOUT, RACES};
pub use sealer::{Sealer, Unsealer};
pub use secrets::ClientSecretReader;
pub use signer::{PublicKeyDer, Signer, SigningKeys};
pub use store::{
    Accesses, AccountState, ActOutcome, Administrators, AnsweredClick, Attempts, BeginOutcome, CLOSED_AT_ONCE,
    Callbacks, ChangeOutcome, CloseOutcome, Consent, CreateOutcome, DeleteOutcome, DeskAccount, DeskAdministrator,
    DeskPortalUser, DeskState, DeskSubscription, DeskSupportRequest, Desks, Due, DueCursor, DuePage, DuePurge,
    DuePurgePage, EndOutcome, ExtendOutcome, FoundPage, Histories, HistoryPage, IssueMail, KnownSubscription, Lease,
    LeaseOutcome, Listed, Listings, LookUpEventOutcome, Mail, MailOrder, MailReports, Mails, NewAdministrator,
    NewSupportRequest, Notices, OpenAccount, OperatorAct, OperatorActs, Operators, OrderNoticeOutcome, OrderOutcome,
    OrderReminderOutcome, Page, PasswordReset, PasswordResets, Passwords, ProductSignIns, ProviderRefreshes, Providers,
    PurgeCursor, Purges, PutProviderOutcome, RecordLifeOutcome, RecordOutcome, RedeemOutcome, Reissue, Reissues,
    Reminders, Removals, RemoveOutcome, RenewOutcome, Renewals, ResendOutcome, Resends, ResetOutcome, Restart,
    RestartOutcome, Restarts, Retrievals, RetrieveOutcome, Sessions, SignIns, SignedIn, SpendCallbackOutcome,
    SpendOutcome, StartNextIssueOutcome, StartOutcome, SubscriptionEnds, Subscriptions, SupportRequests, Table,
    TakeOutcome, TakenMail, Team, TeamMember, UnlockOutcome, UnreadableRecord, read_transitions,
};

/// The configuration that every client is built from: see [`connect`].
pub use aws_types::SdkConfig;
pub use work_queue::WorkQueue;
