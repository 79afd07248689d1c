//! The events by which each function is measured. Every event does the function's main work, and succeeds: its state is prepared for it by
//! the same product in this process.

use std::cell::Cell;

use anyhow::{Context as _, bail, ensure};
use cloud::Feedback;
use domain::{DuePartition, SubscriptionId, Timestamp};
use serde_json::{Value, json};
use support::{Api, Call, Function, RelyingParty, desk, ended};
use tokio::sync::OnceCell;

use crate::{
    customers::{Customer, source_ip, started},
    lab::{Lab, system_time},
};

/// The passwords of the service administrators, and of the two administrators of a team.
const CHOSEN: &str = "seven green boats at noon";
const LEES: &str = "a quiet lamp over the harbour";
const MOS: &str = "three old maps under the glass";

const DAY: i64 = 86_400;

/// The events of one function.
pub(crate) struct Events<'a> {
    lab: &'a Lab,
    function: Function,
    /// The number of this event, which makes names unique.
    number: Cell<u32>,
    /// The customer, the team and the records that all events of the function share.
    customer: OnceCell<Customer>,
    team: OnceCell<Team>,
    records: OnceCell<Value>,
}

/// The two administrators of a subscription.
struct Team {
    /// The id of the company.
    company: String,
    /// Lee's session.
    lee: String,
    /// The id of Mo's account.
    mo: String,
}

impl<'a> Events<'a> {
    pub(crate) fn new(lab: &'a Lab, function: Function) -> Self {
        let (customer, team, records) = (OnceCell::new(), OnceCell::new(), OnceCell::new());
        Self { lab, function, number: Cell::new(0), customer, team, records }
    }

    /// Prepares the state for one more event, and returns the event.
    pub(crate) async fn next(&self) -> anyhow::Result<Value> {
        self.number.set(self.number.get() + 1);
        self.lab.set_clock();
        let event = match self.function {
            Function::SubscriptionStart => batch(&[started(&self.name("new"))]),
            Function::SendMail => json!({ "Records": self.mail_orders(&self.customer().await?) }),
            Function::MailFeedback => self.feedback().await?,
            Function::SubscriptionEnd => batch(&[ended(&self.customer().await?.subscription)]),
            Function::PublishEvents => self.records.get_or_try_init(|| self.history_records()).await?.clone(),
            Function::SendReminders => {
                self.put_due_reminder().await?;
                tick(self.function)?
            }
            Function::PurgeSubscriptions | Function::RefreshKeys => tick(self.function)?,
            Function::ListSubscriptions
            | Function::ShowHistory
            | Function::GetCredentials
            | Function::ContactSupport
            | Function::ResendMail
            | Function::RenewCredentials
            | Function::Portal => self.customers_request().await?.into_event(),
            Function::SupportDesk | Function::ReissueCredentials | Function::ChangeAccess => {
                self.operators_request().await?.into_event()
            }
            Function::SignIn
            | Function::ResetPassword
            | Function::CreateAdmin
            | Function::ResetAdmin
            | Function::RemoveAdmin
            | Function::ProductSignIn => self.administrators_request().await?.into_event(),
        };
        // The Pipe has read what the preparation wrote, so that it does nothing during the measurement.
        self.lab.stack.cloud.drained().await?;
        Ok(event)
    }

    /// Returns the request of a customer.
    async fn customers_request(&self) -> anyhow::Result<Call> {
        Ok(match self.function {
            Function::ListSubscriptions => self.shared_customer().await?.list(),
            Function::ShowHistory => self.shared_customer().await?.history(),
            Function::GetCredentials => self.customer().await?.retrieve("click"),
            Function::ContactSupport => {
                let customer = self.customer().await?;
                Call::contact_support(&customer.subscription, "Where is the mail?").bearer(&customer.token).key("click")
            }
            Function::ResendMail => {
                let customer = self.customer_with_mail().await?;
                Call::resend_mail(&customer.subscription).bearer(&customer.token)
            }
            Function::RenewCredentials => self.renewal().await?,
            Function::Portal => Call::get("/").cookie("__Host-customer", &self.shared_customer().await?.token),
            other => bail!("{other} has no request of a customer"),
        })
    }

    /// Returns the request of an administrator.
    async fn administrators_request(&self) -> anyhow::Result<Call> {
        let from = self.network();
        let call = match self.function {
            Function::SignIn => {
                let (customer, _) = self.service_session().await?;
                Call::sign_in(&customer.user_name(), CHOSEN)
            }
            Function::ResetPassword => {
                let (_, session) = self.temporary_session().await?;
                Call::reset_password(&session, CHOSEN)
            }
            Function::CreateAdmin => {
                let (customer, session) = self.service_session().await?;
                Call::create_admin(&session, &format!("lee@{}", customer.company()), LEES).key("click")
            }
            Function::ResetAdmin => {
                let team = self.team().await?;
                Call::reset_admin(&team.lee, &team.mo, LEES).key(&self.name("click"))
            }
            Function::RemoveAdmin => {
                let team = self.team().await?;
                let colleague = self.add_colleague(team).await?;
                Call::remove_admin(&team.lee, &colleague, LEES).key(&self.name("click"))
            }
            Function::ProductSignIn => {
                let party = RelyingParty::default();
                party.redemption(&party.code(&self.lab.stack, &self.team().await?.lee).await)
            }
            other => bail!("{other} has no request of an administrator"),
        };
        Ok(call.from(&from))
    }

    /// Returns the request of an operator, each of another one, since their acts are limited.
    async fn operators_request(&self) -> anyhow::Result<Call> {
        const REASON: &str = "Ticket 4711";
        let operator = self.lab.stack.operator_token(&format!("{}@contoso.example", self.name("operator")));
        if self.function == Function::SupportDesk {
            let query = format!("query={}", self.shared_customer().await?.subscription);
            return Ok(Call::get("/desk/api/subscriptions").query(&query).operator(&operator));
        }
        let subscription = self.customer().await?.subscription;
        let call = match self.function {
            Function::ReissueCredentials => desk::reissue(&subscription, 1, REASON),
            Function::ChangeAccess => desk::add_portal_user(&subscription, "lee@fabrikam.example", REASON),
            other => bail!("{other} has no request of an operator"),
        };
        let (_, call) = call.routed(Api::Desk);
        Ok(call.operator(&operator).key("click"))
    }

    /// Returns a name that no other event has.
    fn name(&self, what: &str) -> String {
        format!("{}-{what}-{}", self.function, self.number.get())
    }

    /// Returns an address from which no event came before.
    fn network(&self) -> String {
        source_ip(self.lab.next_number())
    }

    /// Starts a subscription. Its mail is ordered and not sent.
    async fn customer(&self) -> anyhow::Result<Customer> {
        let customer = Customer::order(&self.lab.stack, self.name("sub")).await?;
        self.lab.stack.cloud.drained().await?;
        Ok(customer)
    }

    /// Returns a customer whom all events of the function are about.
    async fn shared_customer(&self) -> anyhow::Result<&Customer> {
        self.customer.get_or_try_init(|| self.customer()).await
    }

    fn mail_orders(&self, customer: &Customer) -> Vec<Value> {
        self.lab.stack.take_mail_orders(&customer.subscription)
    }

    /// Starts a subscription whose mail is sent.
    async fn customer_with_mail(&self) -> anyhow::Result<Customer> {
        let customer = self.customer().await?;
        let orders = json!({ "Records": self.mail_orders(&customer) });
        let answer = self.lab.stack.invoke(Function::SendMail.name(), orders).await;
        ensure!(answer == json!({ "batchItemFailures": [] }), "the mail is not sent: {answer}");
        Ok(customer)
    }

    /// Returns the report of SES that a mail was delivered.
    async fn feedback(&self) -> anyhow::Result<Value> {
        let customer = self.customer_with_mail().await?;
        let to = format!("it@{}.example", customer.company());
        let report = self.lab.stack.cloud.feedback_event(&to, Feedback::Delivered);
        Ok(batch(&[report.with_context(|| format!("no mail to {to}"))?]))
    }

    /// Returns the records of the stream about the history of a new subscription. The function publishes them again each time.
    async fn history_records(&self) -> anyhow::Result<Value> {
        let customer = self.customer().await?;
        let key = format!("SUBSCRIPTION#{}", customer.subscription);
        let mut records = self.lab.stack.cloud.stream_records().await?;
        records.retain(|record| {
            let keys = &record["dynamodb"]["Keys"];
            keys["PK"]["S"] == key && keys["SK"]["S"].as_str().is_some_and(|key| key.starts_with("EVENT#"))
        });
        ensure!(!records.is_empty(), "the stream has no history of {key}");
        Ok(json!({ "Records": records }))
    }

    /// Puts a reminder on the list that is due now.
    async fn put_due_reminder(&self) -> anyhow::Result<()> {
        let (customer, now) = (self.customer().await?, system_time());
        self.set_credential(&customer, &[("issued_at", now - 3 * DAY), ("expires_at", now + DAY)]).await;
        let id = SubscriptionId::parse(&customer.subscription).context("the id of a subscription")?;
        let partition = DuePartition::new(Timestamp::from_epoch_seconds(now), &id);
        let due = json!({
            "PK": { "S": format!("DUE#{partition}") },
            "SK": { "S": format!("SUBSCRIPTION#{id}#1") },
            "due_at": { "N": now.to_string() },
            "ttl": { "N": (now + 3 * DAY).to_string() },
        });
        self.lab.table.put(&due).await;
        Ok(())
    }

    /// Returns the renewal of credentials that have expired.
    async fn renewal(&self) -> anyhow::Result<Call> {
        let (customer, now) = (self.customer().await?, system_time());
        self.set_credential(&customer, &[("issued_at", now - 7 * DAY), ("expires_at", now - 60)]).await;
        Ok(Call::renew_credentials(&customer.subscription).bearer(&customer.token))
    }

    async fn set_credential(&self, customer: &Customer, times: &[(&str, i64)]) {
        for (name, time) in times {
            let key = format!("SUBSCRIPTION#{}", customer.subscription);
            self.lab.table.set_number(key, "CREDENTIAL", name, *time).await;
        }
    }

    /// Starts a subscription and signs its service administrator in with the temporary password.
    async fn temporary_session(&self) -> anyhow::Result<(Customer, String)> {
        let customer = self.customer().await?;
        let shown = self.lab.stack.retrieve(&customer.token, &customer.subscription, "click").await;
        let password = shown.password().with_context(|| format!("no password: {shown:?}"))?;
        let sign_in = Call::sign_in(&customer.user_name(), password).from(&self.network());
        let session = self.session(Function::SignIn, sign_in).await?;
        Ok((customer, session))
    }

    /// Starts a subscription whose service administrator has chosen [`CHOSEN`] and is signed in.
    async fn service_session(&self) -> anyhow::Result<(Customer, String)> {
        let (customer, session) = self.temporary_session().await?;
        let choice = Call::reset_password(&session, CHOSEN).from(&self.network());
        let session = self.session(Function::ResetPassword, choice).await?;
        Ok((customer, session))
    }

    /// Makes a call that starts a session. Returns the session.
    async fn session(&self, function: Function, call: Call) -> anyhow::Result<String> {
        let answer = self.lab.stack.call(function.name(), call).await;
        answer.session().with_context(|| format!("{function} starts no session: {answer:?}"))
    }

    async fn team(&self) -> anyhow::Result<&Team> {
        self.team.get_or_try_init(|| self.start_team()).await
    }

    async fn start_team(&self) -> anyhow::Result<Team> {
        let (customer, service) = self.service_session().await?;
        let (stack, company) = (&self.lab.stack, customer.company());
        let [lee, mo] = ["lee", "mo"].map(|name| format!("{name}@{company}"));
        let lee = stack.first_administrator(&service, &lee, LEES).await;
        stack.proven_administrator(&lee, LEES, &mo, MOS).await;
        Ok(Team { mo: stack.account_id(&mo).await, lee, company })
    }

    /// Adds one more administrator to a team. Returns the id of the account.
    async fn add_colleague(&self, team: &Team) -> anyhow::Result<String> {
        let name = format!("mo{}@{}", self.number.get(), team.company);
        let add = Call::add_admin(&team.lee, &name, LEES).key(&self.name("add")).from(&self.network());
        let added = self.lab.stack.call(Function::CreateAdmin.name(), add).await;
        let id = added.body["account_id"].as_str().with_context(|| format!("no colleague: {added:?}"))?;
        Ok(id.to_owned())
    }
}

/// Returns a batch of a queue with these events.
fn batch(events: &[Value]) -> Value {
    let record = |(n, event): (usize, &Value)| json!({ "messageId": n.to_string(), "body": event.to_string() });
    json!({ "Records": events.iter().enumerate().map(record).collect::<Vec<_>>() })
}

/// Returns the event of a schedule.
fn tick(function: Function) -> anyhow::Result<Value> {
    Ok(serde_json::from_str(&function.event())?)
}
