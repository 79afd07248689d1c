//! Acts of administrators, operators and the vendor beside each other. One of two deeds waits before each of its calls of the table in turn,
//! while the other one is carried out as a whole. The answers and the table must be those of the two deeds one after the other, in either
//! order; that the product does each of them rightly alone is what the tests of its functions say.

use std::fmt::Write as _;

use futures_util::join;
use serde_json::{Value, json};
use support::{at, ended};

use super::*;

const CHOSEN: &str = CHOICES[0];
const LEES: &str = CHOICES[1];
const MOS: &str = CHOICES[2];
const NEXT: &str = CHOICES[3];

/// The time of the clocks at the start: 20 November 2026, 09:00 UTC, the time of an end.
const BEGIN: i64 = 1_795_165_200;

/// The time of a start after the end, and that of the start of the tests of a purge.
const AFTER_THE_END: &str = "2026-11-21T09:00:00Z";

const RETENTION: i64 = 400 * 24 * 3600;

/// A deed stops before each of this many calls, and then before one of [`STRIDE`]: a purge makes a call for each item.
const EACH: usize = 12;
const STRIDE: usize = 9;

/// The name of the machine whose deed stops before each of its calls.
const SLOW: &str = "@slow";

/// An act on a subscription or its accounts.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Deed {
    LeeResetsMo,
    LeeRemovesMo,
    MoResetsLee,
    MoRemovesLee,
    LeeAddsNoor,
    LeeRemovesService,
    MoChooses,
    ServiceCreatesNoor,
    Reissue,
    ServiceSignsIn,
    End,
    Restart,
    Purge,
}

use Deed::{
    End, LeeAddsNoor, LeeRemovesMo, LeeRemovesService, LeeResetsMo, MoChooses, MoRemovesLee, MoResetsLee, Purge,
    Reissue, Restart, ServiceCreatesNoor, ServiceSignsIn,
};

/// The answer to a deed.
struct Answered {
    status: u16,
    problem: String,
    /// The temporary password that it shows.
    shown: Option<String>,
    /// The session that it begins.
    session: Option<String>,
}

/// A copy of a subscription.
struct Replica {
    subscription: String,
    company: String,
    /// The session tokens, by user name.
    sessions: BTreeMap<&'static str, String>,
}

impl Replica {
    fn new(number: usize) -> Self {
        let (subscription, company) = (format!("subscription-{number}-x"), format!("company-{number}-x"));
        Self { subscription, company, sessions: BTreeMap::new() }
    }

    fn name(&self, who: &str) -> String {
        format!("{who}@{}", self.company)
    }
}

/// A stack with a subscription from which each run starts with its own copy.
struct Ground {
    stack: TestStack,
    slow: Machine,
    /// The temporary password of the service administrator.
    temporary: String,
    ids: BTreeMap<&'static str, String>,
    items: Vec<Value>,
    /// The user names that have a session at the start.
    signed_in: Vec<&'static str>,
    copies: usize,
}

/// How far the subscription is, from which the runs start.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Begin {
    /// The service administrator has chosen a password, and has created Lee, who has not signed in.
    Chosen,
    /// Lee and Mo are proven.
    Team,
    /// Lee and Mo are proven, and a reissue has made the service administrator active again.
    Reawakened,
    /// The subscription has ended, and its retention is over.
    Due,
}

impl Ground {
    async fn start(begin: Begin) -> Self {
        let deployment = Deployment::default().with_start_time(BEGIN).with("DESK_APPROVAL", "off");
        let stack = deployment.with("SIGN_IN_NETWORK_BURST", "1000000").start().await;
        let first = Replica::new(0);
        let mut start = event(&first.subscription, "trial");
        start["detail"]["company"]["id"] = first.company.clone().into();
        stack.start_subscription(start).await;
        let temporary = stack.mailed_password();
        let (admin, lee, mo) = (first.name("admin"), first.name("lee"), first.name("mo"));
        let service = stack.choose_password(&admin, &temporary, CHOSEN).await;
        let mut signed_in = vec!["admin"];
        let create = Call::create_admin(&service, &lee, LEES);
        assert_eq!(stack.call("create-admin", create).await.status, 201);
        if begin != Begin::Chosen {
            let session = stack.sign_in(&lee, LEES).await.session().unwrap();
            stack.proven_administrator(&session, LEES, &mo, MOS).await;
            signed_in = vec!["lee", "mo"];
        }
        let mut ground = Self {
            slow: stack.separate_machine(SLOW),
            stack,
            temporary,
            ids: BTreeMap::new(),
            items: vec![],
            signed_in,
            copies: 0,
        };
        if begin == Begin::Reawakened {
            let answer = ground.perform(&first, Reissue, None).await;
            assert_eq!((answer.status, &*answer.problem), (202, ""));
            ground.stack.cloud.drained().await.unwrap();
            let dana = ground.stack.token("dana@fabrikam.example");
            let retrieved = ground.stack.retrieve(&dana, &first.subscription, "a").await;
            retrieved.password().unwrap().clone_into(&mut ground.temporary);
        }
        if begin == Begin::Due {
            assert_eq!(ground.perform(&first, End, None).await.status, 200);
            ground.stack.advance_clock(RETENTION);
            ground.slow.advance_clock(RETENTION);
            ground.signed_in.clear();
        }
        for who in ["admin", "lee", "mo"] {
            if begin != Begin::Chosen || who != "mo" {
                ground.ids.insert(who, ground.stack.account_id(&first.name(who)).await);
            }
        }
        ground.items = ground.items_of(&first).await;
        ground
    }

    /// Returns the items of a copy, without sessions.
    async fn items_of(&self, replica: &Replica) -> Vec<Value> {
        let mut all = self.stack.items("").await;
        let marks = [&replica.subscription, &replica.company];
        all.retain(|item| {
            let text = item.to_string();
            item["SK"]["S"] != "SESSION" && marks.iter().any(|mark| text.contains(*mark))
        });
        all
    }

    /// Writes a copy of the subscription, with a session of each account that had one.
    async fn copy(&mut self) -> Replica {
        self.copies += 1;
        let (from, mut replica) = (Replica::new(0), Replica::new(self.copies));
        let renamed = |item: &Value| {
            let text = item.to_string().replace(&from.subscription, &replica.subscription);
            serde_json::from_str(&text.replace(&from.company, &replica.company)).unwrap()
        };
        let mut items: Vec<Value> = self.items.iter().map(renamed).collect();
        let sign_ins = self.signed_in.iter().map(|who| {
            let account =
                items.iter().find(|item| item["PK"]["S"] == format!("ACCOUNT#{}", replica.name(who))).unwrap();
            let token = format!("{:-<43}", format!("{who}-{}", self.copies));
            let now = self.stack.cloud.clock().epoch_seconds();
            let session = json!({
                "PK": { "S": session_key(&token) }, "SK": { "S": "SESSION" }, "account": { "S": replica.name(who) },
                "subscription_id": { "S": replica.subscription }, "account_version": account["version"],
                "scope": { "S": "full" },
                "expires_at": { "N": (now + 3600).to_string() }, "ttl": { "N": (now + 3600).to_string() },
            });
            ((*who, token), session)
        });
        let (sessions, more): (Vec<_>, Vec<_>) = sign_ins.unzip();
        replica.sessions = sessions.into_iter().collect();
        items.extend(more);
        Table::connect(&self.stack.cloud.aws_url(), "desk").put_all(&items).await;
        replica
    }

    /// Carries out a deed, on the slow machine or on the stack.
    async fn perform(&self, replica: &Replica, deed: Deed, slow: Option<&Machine>) -> Answered {
        let session = |who: &str| replica.sessions.get(who).map_or("", String::as_str);
        let id = |who: &str| &*self.ids[who];
        let (function, call) = match deed {
            LeeResetsMo => ("reset-admin", Call::reset_admin(session("lee"), id("mo"), LEES)),
            LeeRemovesMo => ("remove-admin", Call::remove_admin(session("lee"), id("mo"), LEES)),
            MoResetsLee => ("reset-admin", Call::reset_admin(session("mo"), id("lee"), MOS)),
            MoRemovesLee => ("remove-admin", Call::remove_admin(session("mo"), id("lee"), MOS)),
            LeeRemovesService => ("remove-admin", Call::remove_admin(session("lee"), id("admin"), LEES)),
            LeeAddsNoor => ("create-admin", Call::add_admin(session("lee"), &replica.name("noor"), LEES).key("noor")),
            ServiceCreatesNoor => {
                ("create-admin", Call::create_admin(session("admin"), &replica.name("noor"), NEXT).key("noor"))
            }
            MoChooses => {
                let body = json!({ "new_password": NEXT, "current_password": MOS });
                ("reset-password", Call::post("/reset-password").session(session("mo")).json(&body))
            }
            ServiceSignsIn => ("sign-in", Call::sign_in(&replica.name("admin"), &self.temporary)),
            Reissue => return self.reissue(replica, slow).await,
            End => return self.deliver("subscription-end", &ended(&replica.subscription), slow).await,
            Restart => {
                let mut start = at(event(&replica.subscription, "paid"), AFTER_THE_END);
                start["detail"]["company"]["id"] = replica.company.clone().into();
                return self.deliver("subscription-start", &start, slow).await;
            }
            Purge => return self.purge(slow).await,
        };
        let answer = match slow {
            Some(machine) => machine.call(function, call).await,
            None => self.stack.call(function, call.from("192.0.2.2")).await,
        };
        Answered::new(&answer)
    }

    async fn reissue(&self, replica: &Replica, slow: Option<&Machine>) -> Answered {
        // Each copy has an operator of its own, so that no budget runs out.
        let token = self.stack.operator_token(&format!("olga@desk-{}.example", self.copies));
        let issue = self.items_of(replica).await.iter().find_map(|item| item["issue"]["N"].as_str()?.parse().ok());
        let call = support::desk::reissue(&replica.subscription, issue.unwrap_or(1), "Ticket 4711").operator(&token);
        let (function, call) = call.key("click").routed(support::Api::Desk);
        let answer = match slow {
            Some(machine) => machine.call(function.name(), call).await,
            None => self.stack.call(function.name(), call).await,
        };
        Answered::new(&answer)
    }

    /// Delivers an event once.
    async fn deliver(&self, function: &'static str, event: &Value, slow: Option<&Machine>) -> Answered {
        let message = json!({ "messageId": "message", "body": event.to_string() });
        let is_done = if let Some(machine) = slow {
            machine.consume(function, &[message]).await
        } else {
            let answer = self.stack.invoke(function, json!({ "Records": [message] })).await;
            answer == json!({ "batchItemFailures": [] })
        };
        Answered::delivered(is_done)
    }

    async fn purge(&self, slow: Option<&Machine>) -> Answered {
        let is_done = if let Some(machine) = slow {
            machine.run_schedule("purge-subscriptions").await
        } else {
            let tick = serde_json::from_str(&support::Function::from_name("purge-subscriptions").event()).unwrap();
            self.stack.try_invoke("purge-subscriptions", tick).await.is_ok()
        };
        Answered::delivered(is_done)
    }

    fn wait(&self, seconds: i64) {
        self.stack.advance_clock(seconds);
        self.slow.advance_clock(seconds);
    }

    /// Repeats a delivery that has failed for a while, as its queue or its schedule does.
    async fn complete(&self, replica: &Replica, deed: Deed, answer: Answered) -> Answered {
        if answer.status != 503 || ![End, Restart, Purge].contains(&deed) {
            return answer;
        }
        self.wait(16 * 60);
        let again = self.perform(replica, deed, None).await;
        assert_eq!(again.status, 200, "{deed:?} does not succeed when it is repeated");
        again
    }

    /// Describes a copy after its deeds: what the table holds, which sessions are valid, and which of the passwords that were shown signs in.
    async fn describe(&self, replica: &Replica, answers: &[(Deed, Answered)]) -> Vec<String> {
        if answers.iter().any(|(deed, _)| *deed == Purge) {
            // A run leaves the note of an end that is not the last one to the run of the next hour.
            self.wait(3600);
            assert_eq!(self.purge(None).await.status, 200);
        }
        let mut lines: Vec<String> =
            self.items_of(replica).await.iter().filter_map(|item| line(item, replica)).collect();
        lines.sort();
        for (who, token) in &replica.sessions {
            let check = self.stack.call("reset-password", Call::reset_password(token, "short")).await;
            lines.push(format!("session of {who}: {}", check.status));
        }
        let mut answered = Vec::new();
        for (deed, answer) in answers {
            answered.push(self.describe_answer(replica, *deed, answer).await);
        }
        answered.sort();
        lines.append(&mut answered);
        lines
    }

    async fn describe_answer(&self, replica: &Replica, deed: Deed, answer: &Answered) -> String {
        let mut line = format!("{deed:?}: {} {}", answer.status, answer.problem);
        let whom = match deed {
            LeeResetsMo => "mo",
            MoResetsLee => "lee",
            _ => "noor",
        };
        if let Some(password) = &answer.shown {
            let call = Call::sign_in(&replica.name(whom), password).from("192.0.2.3");
            let answer = self.stack.call("sign-in", call).await;
            write!(line, ", shown, {} {}", answer.status, answer.next().unwrap_or_default()).unwrap();
        }
        if let Some(token) = &answer.session {
            let check = self.stack.call("reset-password", Call::reset_password(token, "short")).await;
            write!(line, ", begun, {}", check.status).unwrap();
        }
        line
    }

    /// Carries out two deeds one after the other.
    async fn in_turn(&mut self, deeds: [Deed; 2]) -> Vec<String> {
        let replica = self.copy().await;
        let mut answers = Vec::new();
        for deed in deeds {
            let answer = self.perform(&replica, deed, None).await;
            answers.push((deed, self.complete(&replica, deed, answer).await));
        }
        self.describe(&replica, &answers).await
    }

    /// Carries out `other` while `slow` waits before its call number `position`. Returns `None` where `slow` has fewer calls.
    async fn beside(&mut self, slow: Deed, other: Deed, position: usize) -> Option<(String, Vec<String>)> {
        let replica = self.copy().await;
        let mut gate = self.stack.cloud.gate(|call| call.function.ends_with(SLOW) && is_step(call));
        let (finished, mut end) = tokio::sync::oneshot::channel::<()>();
        let begun = async {
            let answer = self.perform(&replica, slow, Some(&self.slow)).await;
            drop(finished);
            answer
        };
        let interfere = async {
            for n in 0..=position {
                let held = tokio::select! {
                    held = gate.next() => held.unwrap(),
                    _ = &mut end => return None,
                };
                if n < position {
                    held.release().await;
                    continue;
                }
                let place = format!("{slow:?} waits before its call {n}, {held:?}, for {other:?}");
                let answer = self.perform(&replica, other, None).await;
                drop(gate);
                held.release().await;
                return Some((place, answer));
            }
            None
        };
        let (answer, interfered) = join!(begun, interfere);
        let (place, others) = interfered?;
        // A start that met a purge is delivered again after it.
        let answers = [
            (slow, self.complete(&replica, slow, answer).await),
            (other, self.complete(&replica, other, others).await),
        ];
        Some((place, self.describe(&replica, &answers).await))
    }

    /// Runs two deeds beside each other with `FIRSTKEY_FULL` alone.
    async fn run_if_full(&mut self, one: Deed, other: Deed) {
        if support::has_env("FIRSTKEY_FULL") {
            self.run(one, other).await;
        }
    }

    /// Runs two deeds beside each other: each stops before each of its calls in turn.
    async fn run(&mut self, one: Deed, other: Deed) {
        let serial = [self.in_turn([one, other]).await, self.in_turn([other, one]).await];
        for (slow, fast) in [(one, other), (other, one)] {
            let (mut positions, mut stops) = (0, 0);
            while let Some((place, lines)) = self.beside(slow, fast, positions).await {
                let is_unavailable = lines.iter().any(|line| line.contains(": 503 "));
                assert!(
                    serial.contains(&lines) || serial.contains(&with_refusal(&lines)) || is_unavailable,
                    "{place}: {lines:#?} is neither {:#?} nor {:#?}",
                    serial[0],
                    serial[1]
                );
                positions += if positions < EACH || support::has_env("FIRSTKEY_FULL") { 1 } else { STRIDE };
                stops += 1;
            }
            assert!(stops > 2, "{slow:?} makes few calls");
            println!("{slow:?} beside {fast:?}: {stops} stops");
        }
    }
}

impl Answered {
    fn new(answer: &Answer) -> Self {
        Self {
            status: answer.status,
            problem: answer.problem().unwrap_or_default().to_owned(),
            shown: answer.temporary_password().map(str::to_owned),
            session: answer.session(),
        }
    }

    fn delivered(is_done: bool) -> Self {
        Self { status: if is_done { 200 } else { 503 }, problem: String::new(), shown: None, session: None }
    }
}

/// Returns the lines as if a removal that was done had been refused. One that has read its session before an end finds an account that the end
/// has closed: nothing is left to do, and the answer says so.
fn with_refusal(lines: &[String]) -> Vec<String> {
    lines.iter().map(|line| line.replace(": 204 ", ": 401 not-signed-in")).collect()
}

/// Describes an item, apart from what depends on the copy, on times and on random numbers.
fn line(item: &Value, replica: &Replica) -> Option<String> {
    let text = |name: &str| item[name]["S"].as_str().unwrap_or_default();
    let number = |name: &str| item[name]["N"].as_str().unwrap_or_default();
    let marks = |names: &[&str]| {
        names.iter().filter(|name| !item[**name].is_null()).flat_map(|name| [" ", *name]).collect::<String>()
    };
    let (pk, sk) = (text("PK"), text("SK"));
    let kind = sk.split('#').next().unwrap_or_default();
    let line = match kind {
        "ACCOUNT" if pk.starts_with("ACCOUNT#") => {
            let must_change = item["must_change"]["BOOL"] == true;
            let marks = marks(&["first_signed_in_at", "issue"]);
            format!("{pk}: {} version {} must change {must_change}{marks}", text("status"), number("version"))
        }
        "ADMINISTRATOR" => format!("administrator {}: {}", text("user_name"), text("status")),
        "CREDENTIAL" => {
            let names = ["sealed_password", "signed_in_at", "changed_at", "handed_over_at", "ended_at", "closed_at"];
            format!("credential: issue {} seq {}{}", number("issue"), number("seq"), marks(&names))
        }
        "EVENT" => format!(
            "{sk}: {} by {} {}",
            text("what"),
            text("by").split('@').next().unwrap_or_default(),
            text("account")
        ),
        "LIFE" => "life".to_owned(),
        "SUBSCRIPTION" if pk.starts_with("PURGE#") => "purge".to_owned(),
        "MAIL" if sk == "MAIL" => format!("mail of issue {}", number("issue")),
        _ => return None,
    };
    Some(line.replace(&replica.company, "company").replace(&replica.subscription, "subscription"))
}

#[tokio::test(flavor = "multi_thread")]
async fn a_reset_beside_a_removal_is_before_it_or_after_it() {
    let mut ground = Ground::start(Begin::Team).await;
    ground.run(LeeResetsMo, LeeRemovesMo).await;
    ground.run_if_full(LeeResetsMo, LeeResetsMo).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn the_first_of_two_who_remove_or_reset_each_other_does() {
    let mut ground = Ground::start(Begin::Team).await;
    ground.run(LeeRemovesMo, MoRemovesLee).await;
    ground.run(LeeResetsMo, MoRemovesLee).await;
    ground.run_if_full(LeeResetsMo, MoResetsLee).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn an_administrator_who_is_reset_or_removed_chooses_a_password_before_it_or_not_at_all() {
    let mut ground = Ground::start(Begin::Team).await;
    ground.run(LeeResetsMo, MoChooses).await;
    ground.run(LeeRemovesMo, MoChooses).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn an_end_beside_acts_of_administrators_lets_none_be_after_it() {
    let mut ground = Ground::start(Begin::Team).await;
    ground.run(End, LeeResetsMo).await;
    ground.run(End, LeeRemovesMo).await;
    ground.run(End, LeeAddsNoor).await;
    ground.run_if_full(End, MoChooses).await;
    ground.run_if_full(End, End).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn an_end_beside_a_reissue_or_the_first_administrator_lets_neither_be_after_it() {
    let mut ground = Ground::start(Begin::Chosen).await;
    ground.run(End, Reissue).await;
    ground.run(End, ServiceCreatesNoor).await;
    ground.run(End, Restart).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_service_administrator_that_a_reissue_makes_active_again_is_closed_before_it_or_after_it() {
    let mut ground = Ground::start(Begin::Reawakened).await;
    ground.run(LeeRemovesService, Reissue).await;
    ground.run(LeeRemovesService, ServiceSignsIn).await;
    ground.run_if_full(LeeRemovesService, LeeRemovesService).await;
    ground.run_if_full(End, LeeRemovesService).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_start_beside_a_purge_keeps_everything_or_is_a_first_one() {
    let mut ground = Ground::start(Begin::Due).await;
    ground.run(Restart, Purge).await;
    ground.run_if_full(Purge, Purge).await;
}
