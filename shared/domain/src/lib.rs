//! The rules of Firstkey: validated types, states, and the decisions on them. Nothing here does I/O or reads a clock, and no text is for
//! people: `words` renders the codes and times that this crate returns.
//!
//! | module | holds |
//! |---|---|
//! | [`account`] | accounts of the Administration Center: who may sign in, and what the next step is |
//! | [`action`] | the actions that a portal user can take on a subscription |
//! | [`attempts`] | rate limits on sign-in attempts |
//! | [`session`] | sessions of the Administration Center |
//! | [`product`] | the sign-in to the vendor's product: its client, codes and access tokens |
//! | [`device`] | browsers that an account has signed in from |
//! | [`id`] | ids of subscriptions, companies and accounts |
//! | [`name`] | names that people read, and how mails show them |
//! | [`email`] | e-mail addresses, and how they are compared and masked |
//! | [`password`] | passwords that people type and choose, and the policy for new ones |
//! | [`portal_user`] | portal users, as events and operators name them |
//! | [`search`] | what an operator searches for |
//! | [`principal`] | who may see a subscription: people, addresses, organisations; and the caller |
//! | [`operator`] | operators of the support desk |
//! | [`provider_metadata`] | the endpoints and public keys of an identity provider |
//! | [`secret`] | the temporary password in plain text, sealed and hashed |
//! | [`client_secret`] | the secret of the product at an identity provider |
//! | [`credential`] | the credential of a subscription: its state, and why a password is blank |
//! | [`issuing`] | the first and the next issue of temporary credentials |
//! | [`reissue`] | issues that the support desk starts, and the portal users that it adds and removes |
//! | [`approval`] | what takes two operators, and when the second one's consent counts |
//! | [`desk`] | the reasons and the clicks of operators |
//! | [`decision`] | what a refused lease on a mail means, and what a sign-in changes |
//! | [`history`] | the history of a subscription: who did what, and what each reader sees of it |
//! | [`transition`] | what the vendor's other systems learn, and by which events |
//! | [`notice`] | the mails that tell people what others did, and who gets them |
//! | [`mail`] | what is mailed, how far it is, and when it may be sent again |
//! | [`feedback`] | what SES reports of a mail |
//! | [`reminder`] | the reminder before the expiry, and when it is due |
//! | [`support`] | requests to the vendor's support |
//! | [`sender`] | the sender of mails, and how a header writes it |
//! | [`vendor_event`] | what the vendor's events have in common |
//! | [`started`] | the event `SubscriptionStarted`, validated |
//! | [`ended`] | the event `SubscriptionEnded`, validated |
//! | [`life`] | the latest start and the latest end of a subscription, and what an event means by them |
//! | [`purge`] | the deletion of ended subscriptions, and when it is due |
//! | [`retryable`] | failures that may pass |
//! | [`time`] | points in time, which are always an argument |

#![warn(clippy::wildcard_enum_match_arm)]

pub mod account;
pub mod action;
pub mod approval;
pub mod attempts;
pub mod client_secret;
pub mod credential;
pub mod decision;
pub mod desk;
pub mod device;
mod digest;
pub mod email;
pub mod ended;
pub mod failed_call;
pub mod feedback;
pub mod history;
mod history_code;
pub mod id;
pub mod issuing;
pub mod life;
pub mod mail;
pub mod name;
pub mod notice;
mod opaque;
pub mod operator;
pub mod password;
pub mod portal_user;
pub mod principal;
pub mod product;
pub mod provider_metadata;
pub mod purge;
pub mod reissue;
pub mod reminder;
pub mod retryable;
pub mod search;
pub mod secret;
pub mod sender;
pub mod session;
pub mod started;
pub mod support;
mod text;
mod text_enum;
pub mod time;
pub mod transition;
pub mod vendor_event;

pub use account::{Account, AccountId, AccountStatus, CreatedBy, DisplayName, FormDigest, Next, Role, Temporary};
pub use action::CustomerAction;
pub use approval::{
    Approval, ApprovalId, ApprovalOutcome, ApprovalPolicy, Decision, DecisionRefusal, DeskAct, SeenState, Verdict,
};
pub use attempts::{Admission, Budget, ClaimedName, Network, Origin};
pub use client_secret::{ClientSecret, ClientSecretRefusal};
pub use credential::{BlankReason, Credential, CredentialState, Kind, ReasonCode, Refusal, Retrieval, RetrievalId};
pub use decision::{ChoiceEffect, MailClaim, ServiceAdministrator, SignInEffect, TakeRefusal};
pub use desk::{LookUpActOutcome, OperatorClick, Reason, SpendActOutcome};
pub use device::{DeviceDigest, DeviceToken};
pub use email::EmailAddress;
pub use ended::SubscriptionEnded;
pub use failed_call::{FailedCall, failed_service};
pub use feedback::MailFeedback;
pub use history::{Actor, ActorRole, HistoryCursor, HistoryEntry, MaskedAuthor, MaskedEntry, ShownAuthor, ShownEntry};
pub use history_code::HistoryCode;
pub use id::{Company, CompanyId, Issue, SubscriptionId, UserName};
pub use issuing::{NewCredentials, RenewalDecision};
pub use life::{EndDecision, Life, LifeChange, StartDecision};
pub use mail::{MailContent, MailDetail, MailKind, MailStatus, ResendDecision, WelcomeMail};
pub use notice::{Notice, NoticeId, NoticeLevel, Recipients};
pub use operator::Operator;
pub use password::{NewPassword, PasswordContext, PasswordRefusal, TypedPassword};
pub use portal_user::{InvalidPortalUser, PortalUser, PortalUserFields};
pub use principal::{Caller, Label, PersonId, Principal};
pub use product::{
    AccessToken, AccessTokenDigest, AuthorizationCode, Challenge, CodeDigest, CodeRefusal, Freshness, Grant, Holder,
    KnownCode, PkcePolicy, ProductClient, ProductUser,
};
pub use provider_metadata::{IssuerDigest, ProviderMetadata};
pub use purge::{PurgeDay, PurgeDecision};
pub use reissue::{PortalUserChange, Removal};
pub use reminder::{DueHour, DuePartition, Reminder};
pub use retryable::Retryable;
pub use search::SearchKeys;
pub use secret::{PasswordHash, SealedPassword, TemporaryPassword};
pub use sender::Sender;
pub use session::{Scope, Session, SessionDigest, SessionToken};
pub use started::SubscriptionStarted;
pub use support::{Reference, SupportMessage, SupportRequest};
pub use time::Timestamp;
pub use transition::{EventType, IssueReason, Publication, Transition, TransitionId};
pub use vendor_event::EventId;
