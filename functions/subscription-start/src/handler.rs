//! `subscription-start`: a subscription starts, so there is a service administrator, and their credentials are mailed.
//!
//! **Source**: a queue of `EventBridge` events `SubscriptionStarted` from the vendor's bus, in batches.
//!
//! It creates credential, account and the order to mail in one transaction, and sends nothing itself. Delivered again, or for a
//! subscription that is known, an event can only make a trial paid, add portal users, and start the next issue where whoever pays
//! could not get in otherwise; everything else is read from the table, never from the second event.

use std::{collections::BTreeSet, sync::Arc, time::Duration};

use aws::{Create, NewCredentials, NextIssue, Sealer, Subscriptions, Table};
use domain::{
    Account, AccountStatus, Credential, Issue, Kind, MailContent, MailStatus, PasswordHash, PortalUser, Principal,
    Role, SubscriptionId, SubscriptionStarted, Temporary, TemporaryPassword, Timestamp, UserName, WelcomeMail,
};
use lambda::{Clock, Hasher, Message, Rejection, Settings};
use tracing::info;

/// May start subscriptions and seal passwords; may not unseal, and may not mail.
pub struct App {
    subscriptions: Subscriptions,
    sealer: Sealer,
    hasher: Hasher,
    clock: Clock,
    lifetime: Duration,
    welcome_mail: MailContent,
}

/// How long temporary credentials work where the deployment does not say: a week.
const LIFETIME: Duration = Duration::from_hours(7 * 24);

/// How often another event may win before this one is left to its next delivery.
const RACES: u32 = 5;

impl App {
    /// With the settings `TABLE_NAME`, `SEALING_KEY`, `CREDENTIAL_LIFETIME_SECONDS`, `WELCOME_MAIL`.
    pub fn new(settings: &Settings, clock: Clock) -> Result<Self, lambda::Error> {
        let aws = aws::connect(|name| settings.optional(name))?;
        Ok(Self {
            subscriptions: Subscriptions::new(Table::new(&aws, settings.required("TABLE_NAME")?)),
            sealer: Sealer::new(&aws, settings.required("SEALING_KEY")?),
            hasher: Hasher::default(),
            clock,
            lifetime: settings.seconds("CREDENTIAL_LIFETIME_SECONDS", LIFETIME)?,
            welcome_mail: settings.parsed("WELCOME_MAIL", MailContent::Credentials, MailContent::parse)?,
        })
    }
}

/// Handles one event.
pub async fn handle(app: Arc<App>, message: Message) -> Result<(), Rejection> {
    let event = SubscriptionStarted::parse(&message.body)
        .map_err(|invalid| Rejection::Permanent { reason: "invalid-event", detail: invalid.as_str() })?;
    for _ in 0..RACES {
        let now = app.clock.now();
        let settled = match app.subscriptions.find(&event.subscription).await.map_err(Rejection::temporary)? {
            Some(known) => app.go_on(&event, &known, now).await?,
            None => app.start(&event, now).await?,
        };
        if settled {
            return Ok(());
        }
    }
    Err(Rejection::temporary("other events for this subscription kept winning"))
}

impl App {
    /// A subscription that nobody knows. `false`: somebody knows it by now.
    async fn start(&self, event: &SubscriptionStarted, now: Timestamp) -> Result<bool, Rejection> {
        for user_name in user_names(event) {
            if self.held_by_another(&event.subscription, &user_name).await? {
                continue;
            }
            match self.create(event, user_name, now).await? {
                Create::Created => {
                    info!(outcome = "started", metric = "Issued");
                    return Ok(true);
                }
                Create::Known => return Ok(false),
                Create::UserNameHeld => {}
            }
        }
        let detail = "another subscription has an account of this user name";
        Err(Rejection::Permanent { reason: "user-name-held", detail })
    }

    async fn create(
        &self,
        event: &SubscriptionStarted,
        user_name: UserName,
        now: Timestamp,
    ) -> Result<Create, Rejection> {
        let new = self.new_credentials(&event.subscription, Issue::FIRST).await?;
        let portal_users = portal_users(event);
        self.subscriptions.welcome(&event.subscription, &portal_users, now).await.map_err(Rejection::temporary)?;
        let credential = Credential {
            subscription: event.subscription.clone(),
            product: event.product.clone(),
            company: event.company.clone(),
            kind: event.kind,
            user_name,
            portal_users: portal_users.iter().map(|user| user.principal).collect(),
            issue: Issue::FIRST,
            sealed_password: Some(new.sealed.clone()),
            retrievals: std::collections::BTreeMap::default(),
            started_at: event.time.unwrap_or(now),
            issued_at: now,
            expires_at: now.plus(self.lifetime),
            signed_in_at: None,
            changed_at: None,
            handed_over_at: None,
            ended_at: None,
            seq: 1,
        };
        let mail = WelcomeMail {
            issue: Issue::FIRST,
            to: event.email.clone(),
            locale: event.locale.clone(),
            content: event.welcome_mail.unwrap_or(self.welcome_mail),
            status: MailStatus::Pending,
            at: now,
        };
        let account = service_administrator(&credential, new.hash, now);
        let created = self.subscriptions.create(&credential, &account, &mail, &event.event).await;
        created.map_err(Rejection::temporary)
    }

    /// A subscription that is known. `false`: it changed in between.
    async fn go_on(&self, event: &SubscriptionStarted, known: &Credential, now: Timestamp) -> Result<bool, Rejection> {
        contradictions(event, known)?;
        let added: Vec<PortalUser> =
            event.portal_users.iter().filter(|user| !known.portal_users.contains(&user.principal)).cloned().collect();
        let principals: BTreeSet<Principal> = added.iter().map(|user| user.principal).collect();
        let becomes_paid = event.kind == Kind::Paid && known.kind == Kind::Trial;
        if !added.is_empty() {
            self.subscriptions.welcome(&event.subscription, &added, now).await.map_err(Rejection::temporary)?;
        }
        if event.kind == Kind::Paid && known.needs_next_issue(now) {
            match self.start_next_issue(event, known, &principals, now).await? {
                NextIssue::Started => return Ok(true),
                NextIssue::LostRace => return Ok(false),
                NextIssue::AlreadyHandled => {}
            }
        }
        if !becomes_paid && added.is_empty() {
            return Ok(true);
        }
        self.subscriptions.extend(known, becomes_paid, &principals, now).await.map_err(Rejection::temporary)
    }

    async fn start_next_issue(
        &self,
        event: &SubscriptionStarted,
        known: &Credential,
        added: &BTreeSet<Principal>,
        now: Timestamp,
    ) -> Result<NextIssue, Rejection> {
        if self.subscriptions.has_handled(&known.subscription, &event.event).await.map_err(Rejection::temporary)? {
            return Ok(NextIssue::AlreadyHandled);
        }
        let new = self.new_credentials(&known.subscription, known.issue.next()).await?;
        let expires_at = now.plus(self.lifetime);
        let next = self.subscriptions.start_next_issue(known, &new, added, &event.event, now, expires_at).await;
        let next = next.map_err(Rejection::temporary)?;
        let started = matches!(next, NextIssue::Started);
        info!(outcome = "next-issue", started, metric = started.then_some("Issued"));
        Ok(next)
    }

    /// A fresh temporary password: sealed for the portal and the mail, hashed for sign-in, both at once, and forgotten here.
    async fn new_credentials(&self, subscription: &SubscriptionId, issue: Issue) -> Result<NewCredentials, Rejection> {
        let password = TemporaryPassword::generate(lambda::random);
        #[expect(clippy::disallowed_methods, reason = "here the password is hashed")]
        let comparable = TemporaryPassword::comparable(password.expose_secret());
        let (sealed, hash) =
            tokio::join!(self.sealer.seal(&password, subscription, issue), self.hasher.hash(comparable));
        Ok(NewCredentials { sealed: sealed.map_err(Rejection::temporary)?, hash: hash.map_err(Rejection::temporary)? })
    }

    /// A cheap look before KMS and argon2 run; the transaction asks again.
    async fn held_by_another(&self, subscription: &SubscriptionId, user_name: &UserName) -> Result<bool, Rejection> {
        let holder = self.subscriptions.holder(user_name).await.map_err(Rejection::temporary)?;
        Ok(holder.is_some_and(|holder| holder != *subscription))
    }
}

/// The name that the event gives; where it gives none, the company's `admin`, or that of the subscription, or one that nobody has.
fn user_names(event: &SubscriptionStarted) -> Vec<UserName> {
    match &event.user_name {
        Some(given) => vec![given.clone()],
        None => vec![
            UserName::admin(&event.company.id),
            UserName::admin_for_subscription(&event.subscription, &event.company.id),
            UserName::admin_from_random(lambda::random_bytes(), &event.company.id),
        ],
    }
}

/// Those of the event, and whoever gets the mail: they can get the credentials again.
fn portal_users(event: &SubscriptionStarted) -> Vec<PortalUser> {
    let mut users = event.portal_users.clone();
    users.push(PortalUser::from_address(&event.email));
    users
}

/// What a later event says of a known subscription must agree with the first.
fn contradictions(event: &SubscriptionStarted, known: &Credential) -> Result<(), Rejection> {
    let detail = if event.company.id != known.company.id {
        "company.id is not that of the known subscription"
    } else if event.product != known.product {
        "product is not that of the known subscription"
    } else if event.user_name.as_ref().is_some_and(|given| *given != known.user_name) {
        "service_administrator.user_name is not that of the known subscription"
    } else {
        return Ok(());
    };
    Err(Rejection::Permanent { reason: "contradictory-event", detail })
}

/// The account that the first credentials are for.
fn service_administrator(credential: &Credential, password_hash: PasswordHash, now: Timestamp) -> Account {
    Account {
        user_name: credential.user_name.clone(),
        account_id: lambda::account_id(now),
        role: Role::ServiceAdministrator,
        password_hash,
        temporary: Some(Temporary { issue: credential.issue, expires_at: credential.expires_at }),
        status: AccountStatus::Active,
        version: 1,
        subscription: credential.subscription.clone(),
        created_by: None,
        first_signed_in_at: None,
    }
}
