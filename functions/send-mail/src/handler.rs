//! `send-mail`: sends the welcome mails, the reminders, the notices and the support requests that were ordered. No mail is lost, and each
//! is sent once unless a call fails.
//!
//! **Source**: a queue of stream records of mail items that are pending and have not been tried, in batches.
//!
//! This is the only function that unseals a password for a mail, and the only one that calls SES. It takes a lease on the mail, sends it,
//! and records the result. SES has no idempotency key, so a crash between sending and recording can send the mail of an issue a second
//! time, with the same password.

#![warn(clippy::wildcard_enum_match_arm)]

mod letter;
mod pace;

use std::{
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::{Duration, Instant},
};

use aws::{
    Delivery, Lease, Mail, MailOrder, Mailer, Mails, Message as Envelope, Table, TakeOutcome, TakenMail, Unsealer,
    WorkQueue,
};
use base64::{Engine, prelude::BASE64_URL_SAFE_NO_PAD};
use domain::{Credential, MailContent, MailStatus, Principal, Timestamp, WelcomeMail};
use lambda::{Clock, Message, Rejection, Settings};
use tracing::{info, warn};
use words::{Language, Languages};

use crate::{
    letter::{Letter, NoticeContext},
    pace::Pace,
};

/// The function's stores and clients: they let it lease and settle mails, unseal passwords, and send. It can neither seal nor count
/// retrievals.
pub struct App {
    mails: Mails,
    unsealer: Unsealer,
    mailer: Mailer,
    queue: WorkQueue,
    pace: Mutex<Pace>,
    clock: Clock,
    lease: Duration,
    origin: String,
    support_url: String,
    support_language: Language,
    vendor: String,
}

/// The metrics of a mail. Welcome mails have their own, so that the alarm on missing ones is not silenced by requests to support.
struct Metrics {
    sent: &'static str,
    refused: &'static str,
    not_needed: &'static str,
}

impl Metrics {
    const WELCOME: Self = Self { sent: "Mailed", refused: "MailRefused", not_needed: "MailNotNeeded" };
    const REMINDER: Self =
        Self { sent: "ReminderMailed", refused: "ReminderMailRefused", not_needed: "ReminderMailNotNeeded" };
    const SUPPORT: Self =
        Self { sent: "SupportMailed", refused: "SupportMailRefused", not_needed: "SupportMailNotNeeded" };
    const NOTICE: Self = Self { sent: "NoticeMailed", refused: "NoticeMailRefused", not_needed: "NoticeMailNotNeeded" };
}

/// Returns the metrics of a mail.
fn metrics(mail: &Mail) -> &'static Metrics {
    match mail {
        Mail::Welcome(_) => &Metrics::WELCOME,
        Mail::Reminder(_) => &Metrics::REMINDER,
        Mail::Support(_) => &Metrics::SUPPORT,
        Mail::Notice(_) => &Metrics::NOTICE,
    }
}

/// The longest time of one mail: taking it, waiting for its turn, and everything after.
pub const LONGEST: Duration = Duration::from_secs(39);

/// How long a lease lasts: longer than this function may run. The two together are no longer than the queue hides a message.
const LEASE: Duration = Duration::from_mins(1);

/// Why a mail was given back that had no turn in time.
const NO_TURN: &str = "there is no turn left for the mail at this rate";

/// How often a sent mail is recorded until it succeeds. Each try takes 2.5 s at most.
const RECORD_TRIES: u32 = 3;
const RECORD_PAUSE: Duration = Duration::from_millis(300);

impl App {
    /// Reads the settings `TABLE_NAME`, `SEALING_KEY`, `SENDER`, `PUBLIC_ORIGIN`, `SUPPORT_URL`, `SUPPORT_LANGUAGE`,
    /// `PSEUDO_LANGUAGE`, `MAIL_LEASE_SECONDS`, `MAIL_RATE`, `MAIL_CONFIGURATION_SET`, `MAIL_QUEUE_URL`, and `VENDOR_NAME` or else the
    /// name in `SENDER`.
    pub fn new(settings: &Settings, clock: Clock) -> Result<Self, lambda::Error> {
        let aws = aws::connect(|name| settings.optional(name))?;
        let origin = settings.required("PUBLIC_ORIGIN")?;
        let languages = Languages::new(settings.has_pseudo_language()?);
        Ok(Self {
            mails: Mails::new(Table::new(&aws, settings.required("TABLE_NAME")?)),
            unsealer: Unsealer::new(&aws, settings.required("SEALING_KEY")?),
            mailer: Mailer::new(&aws, &settings.required("SENDER")?, settings.required("MAIL_CONFIGURATION_SET")?)?,
            queue: WorkQueue::new(&aws, settings.required("MAIL_QUEUE_URL")?),
            pace: Mutex::new(settings.parsed("MAIL_RATE", Pace::default(), Pace::parse)?),
            clock,
            lease: settings.seconds("MAIL_LEASE_SECONDS", LEASE)?,
            support_url: settings.optional("SUPPORT_URL").unwrap_or_else(|| format!("{origin}/support")),
            support_language: settings.parsed("SUPPORT_LANGUAGE", Language::English, |code| languages.find(code))?,
            vendor: settings.vendor_name()?,
            origin,
        })
    }
}

/// Handles one order.
pub async fn handle(app: Arc<App>, message: Message) -> Result<(), Rejection> {
    let detail = "no stream record of a mail item";
    let order = MailOrder::parse(&message.body).ok_or(Rejection::Permanent { reason: "invalid-order", detail })?;
    let now = app.clock.now();
    let lease = Lease { id: BASE64_URL_SAFE_NO_PAD.encode(lambda::random_bytes::<16>()), until: now.plus(app.lease) };
    match app.mails.take(&order, lease, now).await? {
        TakeOutcome::Settled => Ok(()),
        TakeOutcome::Leased => Err(Rejection::temporary("another worker has the mail, or one had it when it died")),
        TakeOutcome::Taken(taken) => app.deliver(&message, &order, &taken, now).await,
    }
}

impl App {
    /// Waits for the turn of a leased mail, and writes and sends it. A failure before SES has accepted the mail gives the lease back, so that
    /// the next delivery can start at once.
    async fn deliver(
        &self,
        message: &Message,
        order: &MailOrder,
        taken: &TakenMail,
        now: Timestamp,
    ) -> Result<(), Rejection> {
        let latest = pace::latest_turn(Instant::now(), message.deadline);
        if !self.has_turn(Duration::ZERO, latest).await {
            return self.give_back(order, taken, Rejection::temporary(NO_TURN)).await;
        }
        let letter = match self.write(order, taken, now).await {
            Ok(Some(letter)) => letter,
            Ok(None) => {
                info!(outcome = "not-needed", metric = metrics(&taken.mail).not_needed);
                return self.settle(order, MailStatus::NotNeeded, None, now).await;
            }
            Err(rejection) => return self.give_back(order, taken, rejection).await,
        };
        let mail = Envelope {
            to: taken.mail.to(),
            reply_to: taken.mail.reply_to(),
            subject: &letter.subject,
            text: &letter.text,
            html: &letter.html,
            subscription: &order.subscription,
            issue: order.issue,
            kind: &order.kind,
            round: order.round,
        };
        match self.send(&mail, latest).await {
            Delivery::Sent(message_id) => {
                info!(outcome = "mailed", metric = metrics(&taken.mail).sent);
                self.record(order, &message_id, now).await
            }
            Delivery::AddressRefused(failure) => {
                let metric = metrics(&taken.mail).refused;
                warn!(outcome = "bounced", metric, service = failure.service(), cause = %failure);
                self.settle(order, MailStatus::Bounced, None, now).await
            }
            Delivery::QuotaReached(failure) => {
                warn!(outcome = "quota-reached", metric = "MailQuotaReached", service = failure.service(), cause = %failure);
                self.rest(message).await;
                self.give_back(order, taken, failure.into()).await
            }
            Delivery::TooFast(failure) | Delivery::NotSent(failure) => {
                self.give_back(order, taken, failure.into()).await
            }
            // The mail may be on its way: the lease stays, so that no other delivery sends it again at once.
            Delivery::Unknown(failure) => Err(failure.into()),
        }
    }

    /// Sends a mail that has its turn. While SES refuses it for the rate, it waits for other turns, up to the last one.
    async fn send(&self, mail: &Envelope<'_>, latest: Instant) -> Delivery {
        let mut refusals = 0;
        loop {
            let delivery = self.mailer.send(mail).await;
            if !matches!(delivery, Delivery::TooFast(_)) {
                return delivery;
            }
            refusals += 1;
            let back_off = self.pace().back_off(refusals, fastrand::f64());
            if !self.has_turn(back_off, latest).await {
                return delivery;
            }
        }
    }

    /// Waits for the next turn after `wait`. Returns `false`, and waits for nothing, if it is later than `latest`.
    async fn has_turn(&self, wait: Duration, latest: Instant) -> bool {
        let turn = self.pace().turn(Instant::now(), wait, latest);
        if let Some(turn) = turn {
            tokio::time::sleep_until(turn.into()).await;
        }
        turn.is_some()
    }

    fn pace(&self) -> MutexGuard<'_, Pace> {
        self.pace.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Hides a message while the quota of the day is reached, since its deliveries would otherwise be used up within the hour.
    async fn rest(&self, message: &Message) {
        if let Err(failure) = self.queue.hide(&message.receipt_handle, pace::rest(message.receives())).await {
            warn!(outcome = "not-hidden", service = failure.service(), cause = %failure);
        }
    }

    /// Writes the mail, or returns `None` if it is no longer needed.
    async fn write(&self, order: &MailOrder, taken: &TakenMail, now: Timestamp) -> Result<Option<Letter>, Rejection> {
        let credential = self.mails.credential(&order.subscription).await?;
        let Some(credential) = credential else { return Ok(None) };
        match &taken.mail {
            Mail::Welcome(mail) if credential.issue == order.issue && credential.disclosable(now) => {
                self.welcome(mail, &credential).await.map(Some)
            }
            Mail::Reminder(mail) if credential.issue == order.issue && credential.disclosable(now) => {
                let language = Language::preferred(mail.locale.as_deref().unwrap_or_default());
                Ok(Some(Letter::reminder(language, &credential, &self.origin, &self.support_url)?))
            }
            Mail::Welcome(_) | Mail::Reminder(_) => Ok(None),
            Mail::Support(request) => Ok(Some(Letter::support(self.support_language, &credential, request, now)?)),
            // What happened stays true, whatever became of the issue.
            Mail::Notice(notice) => {
                let context =
                    NoticeContext { vendor: &self.vendor, origin: &self.origin, support_url: &self.support_url };
                Ok(Some(Letter::notice(notice, &credential, &context)?))
            }
        }
    }

    /// Writes a welcome mail, and unseals the password if the mail carries it. An address that has lost its access since the order gets none.
    async fn welcome(&self, mail: &WelcomeMail, credential: &Credential) -> Result<Letter, Rejection> {
        let is_listed = credential.admits(&[Principal::email(&mail.to)]);
        let password = match (mail.content, &credential.sealed_password) {
            (MailContent::Credentials, Some(sealed)) if is_listed => {
                Some(self.unsealer.unseal(sealed, &credential.subscription, credential.issue).await?)
            }
            (MailContent::Credentials | MailContent::Link, _) => None,
        };
        let language = Language::preferred(mail.locale.as_deref().unwrap_or_default());
        Ok(Letter::welcome(language, credential, password.as_ref(), &self.origin, &self.support_url)?)
    }

    /// Records that the mail was sent. A mail that is not recorded is sent again, so this retries for as long as the function has time.
    async fn record(&self, order: &MailOrder, message_id: &str, now: Timestamp) -> Result<(), Rejection> {
        for _ in 1..RECORD_TRIES {
            if self.settle(order, MailStatus::Sent, Some(message_id), now).await.is_ok() {
                return Ok(());
            }
            tokio::time::sleep(RECORD_PAUSE).await;
        }
        self.settle(order, MailStatus::Sent, Some(message_id), now).await
    }

    /// Writes the final status of a mail.
    async fn settle(
        &self,
        order: &MailOrder,
        status: MailStatus,
        message_id: Option<&str>,
        now: Timestamp,
    ) -> Result<(), Rejection> {
        Ok(self.mails.settle(order, status, message_id, now).await?)
    }

    /// Releases the lease, and returns the rejection that made it necessary.
    async fn give_back(&self, order: &MailOrder, taken: &TakenMail, rejection: Rejection) -> Result<(), Rejection> {
        if let Err(failure) = self.mails.release(order, taken).await {
            warn!(outcome = "lease-kept", service = failure.service(), cause = %failure);
        }
        Err(rejection)
    }
}
