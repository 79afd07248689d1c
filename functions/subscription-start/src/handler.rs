//! `subscription-start`: creates the service administrator of a new subscription, and orders the mail with their credentials.
//!
//! **Source**: a queue of `EventBridge` events `SubscriptionStarted` from the vendor's bus, in batches.
//!
//! One transaction creates the credential, the account and the order to mail; the function sends nothing itself. An event that is
//! delivered again, or that is about a known subscription, can only turn a trial into a paid subscription, add portal users, and start
//! the next issue if a paying customer could not get in otherwise. Everything else is read from the table, never from the later event. A
//! portal user whom an operator has removed is not added again.
//!
//! Starts and ends are ordered by their times. A start does nothing where an end is as late or later, and starts a subscription again that has
//! ended before.

#![warn(clippy::wildcard_enum_match_arm)]

mod restart;

use std::{collections::BTreeSet, sync::Arc, time::Duration};

use aws::{
    ExtendOutcome, IssueMail, KnownSubscription, LookUpEventOutcome, RecordLifeOutcome, Restarts, Sealer,
    StartNextIssueOutcome, StartOutcome, Subscriptions, Table,
};
use domain::{
    Account, Company, Credential, Issue, LifeChange, MailContent, NewCredentials, PortalUser, Principal, StartDecision,
    SubscriptionId, SubscriptionStarted, TemporaryPassword, Timestamp, UserName, WelcomeMail, name,
    started::InvalidEvent,
};
use lambda::{Clock, Hasher, Message, Rejection, Settings};
use tracing::{info, warn};

/// The function's stores and settings: they let it start subscriptions and seal passwords. It can neither unseal nor send mail.
pub struct App {
    subscriptions: Subscriptions,
    restarts: Restarts,
    sealer: Sealer,
    hasher: Hasher,
    clock: Clock,
    lifetime: Duration,
    reminder_before: Duration,
    welcome_mail: MailContent,
}

impl App {
    /// Reads the settings `TABLE_NAME`, `SEALING_KEY`, `CREDENTIAL_LIFETIME_SECONDS`, `REMINDER_BEFORE_SECONDS` and `WELCOME_MAIL`.
    pub fn new(settings: &Settings, clock: Clock) -> Result<Self, lambda::Error> {
        let aws = aws::connect(|name| settings.optional(name))?;
        let table = Table::new(&aws, settings.required("TABLE_NAME")?);
        Ok(Self {
            subscriptions: Subscriptions::new(table.clone()),
            restarts: Restarts::new(table),
            sealer: Sealer::new(&aws, settings.required("SEALING_KEY")?),
            hasher: Hasher::default(),
            clock,
            lifetime: settings.credential_lifetime()?,
            reminder_before: settings.reminder_before()?,
            welcome_mail: settings.parsed("WELCOME_MAIL", MailContent::Credentials, MailContent::parse)?,
        })
    }
}

/// Handles one event.
pub async fn handle(app: Arc<App>, message: Message) -> Result<(), Rejection> {
    let event = SubscriptionStarted::parse(&message.body).map_err(refuse)?;
    let started_at = event.started_at(app.clock.now());
    for _ in 0..aws::RACES {
        let known = app.subscriptions.find(&event.subscription).await?;
        match app.handle_once(&event, &known, started_at).await? {
            Progress::Handled => return Ok(()),
            Progress::LostRace => {}
        }
    }
    Err(Rejection::temporary("other events for this subscription kept winning"))
}

/// The result of one attempt to handle an event.
enum Progress {
    /// The table reflects the event.
    Handled,
    /// Another event changed the subscription in between.
    LostRace,
}

impl App {
    async fn handle_once(
        &self,
        event: &SubscriptionStarted,
        known: &KnownSubscription,
        started_at: Timestamp,
    ) -> Result<Progress, Rejection> {
        let KnownSubscription { credential, life } = known;
        let (decision, change) = (life.judge_start(credential.as_ref(), started_at), life.with_start(started_at));
        let now = self.clock.now();
        match (decision, credential) {
            (StartDecision::Overtaken, _) => {
                info!(outcome = "ended-since");
                Ok(Progress::Handled)
            }
            (StartDecision::Wait, _) => Err(Rejection::temporary("the subscription that ended is not closed yet")),
            (StartDecision::Update, Some(known)) => self.update(event, known, &change, now).await,
            (StartDecision::Restart, Some(known)) => self.restart(event, known, &change, now).await,
            (StartDecision::Start | StartDecision::Update | StartDecision::Restart, _) => {
                self.start(event, &change, now).await
            }
        }
    }

    /// Starts a subscription that does not exist yet.
    async fn start(
        &self,
        event: &SubscriptionStarted,
        life: &LifeChange,
        now: Timestamp,
    ) -> Result<Progress, Rejection> {
        if !event.company.id.may_be_new() {
            return Err(refuse(InvalidEvent::CompanyId));
        }
        if let Some(name) = self.subscriptions.company_name(&event.company.id).await? {
            note_company_name(event, &name);
        }
        for user_name in user_names(event) {
            let is_wish = event.user_name.as_ref() == Some(&user_name);
            if !self.held_by_another(&event.subscription, &user_name).await? {
                match self.create(event, user_name, life, now).await? {
                    StartOutcome::Started => {
                        info!(outcome = "started", metric = "Issued");
                        return Ok(Progress::Handled);
                    }
                    StartOutcome::Known => return Ok(Progress::LostRace),
                    StartOutcome::UserNameHeld => {}
                }
            }
            if is_wish {
                warn!(outcome = "user-name-held", metric = "UserNameHeld");
            }
        }
        let detail = "another subscription has an account of this user name";
        Err(Rejection::Permanent { reason: "user-name-held", detail })
    }

    async fn create(
        &self,
        event: &SubscriptionStarted,
        user_name: UserName,
        life: &LifeChange,
        now: Timestamp,
    ) -> Result<StartOutcome, Rejection> {
        let new = self.new_credentials(&event.subscription, Issue::FIRST).await?;
        let portal_users = self.welcome(event, &event.company, &portal_users(event), None, now).await?;
        if portal_users.is_empty() {
            // An operator has removed them, so another delivery has started the subscription.
            return Ok(StartOutcome::Known);
        }
        let credential = Credential::first_issue(event, user_name, &portal_users, new.sealed, now, self.lifetime);
        let account = Account::service_administrator(&credential, lambda::account_id(now), new.hash);
        let mail = WelcomeMail::first_issue(event, self.welcome_mail, now);
        self.expect_reminder(&credential).await?;
        Ok(self.subscriptions.start(&credential, &account, &mail, &event.event, life).await?)
    }

    /// Updates a subscription that exists.
    async fn update(
        &self,
        event: &SubscriptionStarted,
        known: &Credential,
        life: &LifeChange,
        now: Timestamp,
    ) -> Result<Progress, Rejection> {
        refuse_contradictions(event, known)?;
        self.refuse_another_user_name(event, known).await?;
        note_company_name(event, &known.company.name);
        let is_new = |user: &&PortalUser| !known.portal_users.contains(&user.principal());
        let added: Vec<PortalUser> = event.portal_users.iter().filter(is_new).cloned().collect();
        let added = self.welcome(event, &known.company, &added, None, now).await?;
        let extended = known.extended_by(event.kind, &added);
        if known.needs_next_issue(event, now) {
            match self.start_next_issue(event, known, &extended, life, now).await? {
                StartNextIssueOutcome::Started(_) => return Ok(Progress::Handled),
                StartNextIssueOutcome::LostRace => return Ok(Progress::LostRace),
                StartNextIssueOutcome::AlreadyHandled => {}
            }
        }
        if extended == *known {
            return Ok(match self.subscriptions.record(&event.subscription, life).await? {
                RecordLifeOutcome::Recorded => Progress::Handled,
                RecordLifeOutcome::LostRace => Progress::LostRace,
            });
        }
        Ok(match self.subscriptions.extend(known, &extended, life, now).await? {
            ExtendOutcome::Extended => Progress::Handled,
            ExtendOutcome::LostRace => Progress::LostRace,
        })
    }

    /// Writes portal users and the company's listing. Returns those of the portal users whom no operator has removed since `closed_at`, or ever.
    async fn welcome(
        &self,
        event: &SubscriptionStarted,
        company: &Company,
        portal_users: &[PortalUser],
        closed_at: Option<Timestamp>,
        now: Timestamp,
    ) -> Result<Vec<PortalUser>, Rejection> {
        let welcomed = self.subscriptions.welcome(&event.subscription, company, portal_users, closed_at, now).await?;
        let distinct: BTreeSet<Principal> = portal_users.iter().map(PortalUser::principal).collect();
        if welcomed.len() < distinct.len() {
            info!(outcome = "removed-portal-users-stay-removed", number = distinct.len() - welcomed.len());
        }
        Ok(welcomed)
    }

    /// Refuses an event that gives another user name than the subscription has. A name that another subscription holds is no contradiction:
    /// the first event had to do without it.
    async fn refuse_another_user_name(&self, event: &SubscriptionStarted, known: &Credential) -> Result<(), Rejection> {
        let Some(given) = event.user_name.as_ref().filter(|given| **given != known.user_name) else { return Ok(()) };
        if self.held_by_another(&known.subscription, given).await? {
            return Ok(());
        }
        let detail = "service_administrator.user_name is not that of the known subscription";
        Err(Rejection::Permanent { reason: "contradictory-event", detail })
    }

    async fn start_next_issue(
        &self,
        event: &SubscriptionStarted,
        known: &Credential,
        extended: &Credential,
        life: &LifeChange,
        now: Timestamp,
    ) -> Result<StartNextIssueOutcome, Rejection> {
        let looked_up = self.subscriptions.look_up_event(&known.subscription, &event.event).await?;
        if looked_up == LookUpEventOutcome::Handled {
            return Ok(StartNextIssueOutcome::AlreadyHandled);
        }
        let new = self.new_credentials(&known.subscription, known.issue.next()).await?;
        let next = extended.next_issue(new.sealed, now, self.lifetime);
        self.expect_reminder(&next).await?;
        let outcome = self.subscriptions.start_next_issue(known, &next, &new.hash, &event.event, life).await?;
        let metric = match outcome {
            StartNextIssueOutcome::Started(IssueMail::Ordered) => Some("Issued"),
            StartNextIssueOutcome::Started(IssueMail::AddressRuledOut) => Some("IssuedUnmailed"),
            StartNextIssueOutcome::AlreadyHandled | StartNextIssueOutcome::LostRace => None,
        };
        info!(outcome = "next-issue", started = metric.is_some(), metric);
        Ok(outcome)
    }

    /// Puts the reminder of the issue of `credential` on the list, if the deployment wants reminders.
    async fn expect_reminder(&self, credential: &Credential) -> Result<(), Rejection> {
        if let Some(due_at) = credential.reminder_due_at(self.reminder_before) {
            self.subscriptions.expect_reminder(&credential.subscription, credential.issue, due_at).await?;
        }
        Ok(())
    }

    /// Generates a temporary password, and returns it sealed for the portal and the mail and hashed for the sign-in.
    async fn new_credentials(&self, subscription: &SubscriptionId, issue: Issue) -> Result<NewCredentials, Rejection> {
        let password = TemporaryPassword::generate(lambda::random);
        let (sealed, hash) =
            tokio::join!(self.sealer.seal(&password, subscription, issue), self.hasher.hash_temporary(&password));
        Ok(NewCredentials { sealed: sealed?, hash: hash? })
    }

    /// Returns whether another subscription has the name. This is a cheap check before KMS and argon2 run; the transaction checks again.
    async fn held_by_another(&self, subscription: &SubscriptionId, user_name: &UserName) -> Result<bool, Rejection> {
        let holder = self.subscriptions.holder(user_name).await?;
        Ok(holder.is_some_and(|holder| holder != *subscription))
    }
}

/// Returns the user names to try: the one in the event, the company's default, the subscription's, and a random one.
fn user_names(event: &SubscriptionStarted) -> impl Iterator<Item = UserName> {
    let defaults = [
        UserName::admin(&event.company.id),
        UserName::admin_for_subscription(&event.subscription, &event.company.id),
        UserName::admin_from_random(lambda::random_bytes(), &event.company.id),
    ];
    event.user_name.iter().cloned().chain(defaults)
}

/// Returns the event's portal users and the recipient of the mail, who can get the credentials again.
fn portal_users(event: &SubscriptionStarted) -> Vec<PortalUser> {
    let mut users = event.portal_users.clone();
    users.push(PortalUser::Address(event.email.clone()));
    users
}

/// Logs that an event gives the company another name than a known subscription of it has. The name is that of a customer, and stays out of
/// the log.
fn note_company_name(event: &SubscriptionStarted, known: &str) {
    if !name::look_alike(&event.company.name, known) {
        warn!(outcome = "company-named-differently", metric = "CompanyNamedDifferently");
    }
}

/// Refuses a later event that does not agree with the first one.
fn refuse_contradictions(event: &SubscriptionStarted, known: &Credential) -> Result<(), Rejection> {
    refuse_another_company(event, known)?;
    if name::look_alike(&event.product, &known.product) {
        return Ok(());
    }
    let detail = "product is not that of the known subscription";
    Err(Rejection::Permanent { reason: "contradictory-event", detail })
}

/// Refuses an event that gives a known subscription to another company, whose people would see the history of the first one.
fn refuse_another_company(event: &SubscriptionStarted, known: &Credential) -> Result<(), Rejection> {
    if event.company.id != known.company.id {
        let detail = "company.id is not that of the known subscription";
        return Err(Rejection::Permanent { reason: "contradictory-event", detail });
    }
    Ok(())
}

/// Returns the rejection of an event that can never be handled.
fn refuse(invalid: InvalidEvent) -> Rejection {
    Rejection::Permanent { reason: "invalid-event", detail: requirement(invalid) }
}

/// Returns what the event does not meet, in a sentence for the log: the vendor's engineer reads it beside the message id.
fn requirement(invalid: InvalidEvent) -> &'static str {
    match invalid {
        InvalidEvent::TooLarge => "the event is over 256 KB",
        InvalidEvent::Envelope => "the message is not an EventBridge event in JSON",
        InvalidEvent::DetailType => "detail-type is not SubscriptionStarted",
        InvalidEvent::Detail => "detail lacks a field, or a field has the wrong type",
        InvalidEvent::Time => "time is not in RFC 3339",
        InvalidEvent::SubscriptionId => "subscription_id is not 1 to 64 of A-Z a-z 0-9 _ -",
        InvalidEvent::Kind => "kind is neither trial nor paid",
        InvalidEvent::Product => "product is no name: 1 to 100 visible characters on one line, and no link",
        InvalidEvent::CompanyId => {
            "company.id is not 1 to 41 of a-z 0-9 . -, with a letter or digit at both ends and between two of . -"
        }
        InvalidEvent::CompanyName => "company.name is no name: 1 to 100 visible characters on one line, and no link",
        InvalidEvent::AdministratorEmail => "service_administrator.email is not an email address",
        InvalidEvent::AdministratorEmailNotAscii => {
            "the part of service_administrator.email before @ is not ASCII, and SES cannot send to it"
        }
        InvalidEvent::AdministratorUserName => "service_administrator.user_name does not end in @ and the company id",
        InvalidEvent::PortalUsers => "portal_users are more than a hundred",
        InvalidEvent::PortalUser => {
            "a portal user is neither an email, nor an issuer with a subject or an organization"
        }
        InvalidEvent::PortalUserEmail => "the email of a portal user is not an address",
        InvalidEvent::PortalUserEmailNotAscii => {
            "the part of a portal user's email before @ is not ASCII, and SES cannot send to it"
        }
        InvalidEvent::WelcomeMail => "welcome_mail is neither credentials nor link",
    }
}
