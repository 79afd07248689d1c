//! A simulation of many mails: the queue, instances that die with their leases, and the limits of SES. Pacing and waiting are the code of
//! the function; time is simulated, so days pass in moments.

use std::{
    cmp::Reverse,
    collections::{BTreeSet, BinaryHeap, VecDeque},
    time::{Duration, Instant},
};

use super::{Pace, latest_turn, rest};

/// The settings of the template.
const TIMEOUT: Duration = Duration::from_secs(45);
const VISIBILITY: Duration = Duration::from_secs(270);
const LEASE: Duration = Duration::from_mins(1);
const BATCH: usize = 10;
const RECEIVES: u32 = 20;

/// The time from the start of an invocation until a mail is leased.
const TAKING: Duration = Duration::from_millis(20);

/// One invocation of so many dies at once, and keeps its leases.
const DEADLY: usize = 50;

const SECOND: Duration = Duration::from_secs(1);
const DAY: Duration = Duration::from_hours(24);

/// The mails, instances and limits of a simulation.
#[derive(Clone, Copy)]
struct Scenario {
    mails: usize,
    instances: usize,
    /// The rate of each instance.
    paced: &'static str,
    /// The limits of SES: mails in any second, and in any 24 hours.
    rate: usize,
    quota: usize,
}

/// How a simulation ended.
struct Outcome {
    /// When each mail was sent.
    sent: Vec<Duration>,
    dead: usize,
    /// How often SES refused a mail for the rate.
    too_fast: usize,
}

#[derive(Clone, Copy, Default)]
struct Mail {
    receives: u32,
    lease_until: Option<Instant>,
}

#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Event {
    /// An instance asks the queue.
    Poll(usize),
    /// An instance sends a mail.
    Send { instance: usize, mail: usize, refusals: u32, latest: Instant },
}

struct Simulation {
    scenario: Scenario,
    began: Instant,
    events: BinaryHeap<Reverse<(Instant, Event)>>,
    /// The mails in the queue, by the time at which they become visible.
    queue: BTreeSet<(Instant, usize)>,
    mails: Vec<Mail>,
    paces: Vec<Pace>,
    /// The number of mails that each instance is handling.
    handling: Vec<usize>,
    invocations: usize,
    accepted: VecDeque<Instant>,
    random: fastrand::Rng,
    outcome: Outcome,
}

impl Simulation {
    fn run(scenario: Scenario) -> Outcome {
        let began = Instant::now();
        let pace = || Pace::parse(scenario.paced).expect("a rate");
        let mut this = Self {
            scenario,
            began,
            events: (0..scenario.instances).map(|instance| Reverse((began, Event::Poll(instance)))).collect(),
            queue: (0..scenario.mails).map(|mail| (began, mail)).collect(),
            mails: vec![Mail::default(); scenario.mails],
            paces: (0..scenario.instances).map(|_| pace()).collect(),
            handling: vec![0; scenario.instances],
            invocations: 0,
            accepted: VecDeque::new(),
            random: fastrand::Rng::with_seed(14),
            outcome: Outcome { sent: Vec::new(), dead: 0, too_fast: 0 },
        };
        while let Some(Reverse((now, event))) = this.events.pop() {
            match event {
                Event::Poll(instance) => this.poll(instance, now),
                Event::Send { instance, mail, refusals, latest } => this.send(instance, mail, refusals, latest, now),
            }
        }
        this.outcome
    }

    /// Delivers a batch to an instance, or lets it wait until a mail is visible.
    fn poll(&mut self, instance: usize, now: Instant) {
        let batch: Vec<_> = self.queue.iter().take_while(|(at, _)| *at <= now).take(BATCH).copied().collect();
        if batch.is_empty() {
            let next = self.queue.first().map(|(at, _)| Reverse((*at, Event::Poll(instance))));
            self.events.extend(next);
            return;
        }
        self.invocations += 1;
        let dies = self.invocations.is_multiple_of(DEADLY);
        self.handling[instance] = batch.len();
        for received in batch {
            self.queue.remove(&received);
            self.take(instance, received.1, dies, now);
        }
    }

    fn take(&mut self, instance: usize, mail: usize, dies: bool, now: Instant) {
        let state = &mut self.mails[mail];
        state.receives += 1;
        let is_leased = state.lease_until.is_some_and(|until| until > now);
        if !is_leased {
            state.lease_until = Some(now + LEASE);
        }
        if is_leased || dies {
            return self.fail(instance, mail, now + VISIBILITY, now);
        }
        self.wait(instance, mail, 0, latest_turn(now, now + TIMEOUT), (now + TAKING, Duration::ZERO));
    }

    /// Waits for a turn, or gives the lease back.
    fn wait(
        &mut self,
        instance: usize,
        mail: usize,
        refusals: u32,
        latest: Instant,
        (now, back_off): (Instant, Duration),
    ) {
        match self.paces[instance].turn(now, back_off, latest) {
            Some(turn) => self.events.push(Reverse((turn, Event::Send { instance, mail, refusals, latest }))),
            None => self.give_back(instance, mail, now + VISIBILITY, now),
        }
    }

    fn send(&mut self, instance: usize, mail: usize, refusals: u32, latest: Instant, now: Instant) {
        while self.accepted.front().is_some_and(|at| now - *at >= DAY) {
            self.accepted.pop_front();
        }
        if self.accepted.len() >= self.scenario.quota {
            let rest = rest(self.mails[mail].receives);
            return self.give_back(instance, mail, now + rest, now);
        }
        if self.accepted.iter().rev().take_while(|at| now - **at < SECOND).count() >= self.scenario.rate {
            self.outcome.too_fast += 1;
            let back_off = self.paces[instance].back_off(refusals + 1, self.random.f64());
            return self.wait(instance, mail, refusals + 1, latest, (now, back_off));
        }
        self.accepted.push_back(now);
        self.outcome.sent.push(now - self.began);
        self.finish(instance, now);
    }

    fn give_back(&mut self, instance: usize, mail: usize, visible: Instant, now: Instant) {
        self.mails[mail].lease_until = None;
        self.fail(instance, mail, visible, now);
    }

    /// Lets the queue deliver the mail again, or give it up.
    fn fail(&mut self, instance: usize, mail: usize, visible: Instant, now: Instant) {
        if self.mails[mail].receives < RECEIVES {
            self.queue.insert((visible, mail));
        } else {
            self.outcome.dead += 1;
        }
        self.finish(instance, now);
    }

    fn finish(&mut self, instance: usize, now: Instant) {
        self.handling[instance] -= 1;
        if self.handling[instance] == 0 {
            self.events.push(Reverse((now, Event::Poll(instance))));
        }
    }
}

impl Outcome {
    /// Asserts that every mail was sent, and returns when the last one was.
    fn last_of(self, mails: usize) -> Duration {
        assert_eq!((self.sent.len(), self.dead), (mails, 0));
        self.sent.into_iter().max().unwrap_or_default()
    }
}

#[test]
fn twenty_thousand_mails_are_sent_at_fourteen_a_second() {
    let scenario = Scenario { mails: 20_000, instances: 2, paced: "7", rate: 14, quota: 50_000 };
    let outcome = Simulation::run(scenario);
    assert!(outcome.too_fast < 2000, "{}", outcome.too_fast);
    let last = outcome.last_of(20_000);
    assert!(last < Duration::from_secs(20_000 / 14 * 5 / 4), "{last:?}");
}

#[test]
fn five_hundred_mails_leave_the_sandbox_on_the_third_day() {
    let outcome = Simulation::run(Scenario { mails: 500, instances: 2, paced: "0.5", rate: 1, quota: 200 });
    let on = |day: u32| outcome.sent.iter().filter(|at| **at >= DAY * (day - 1) && **at < DAY * day).count();
    assert_eq!((on(1), on(2), on(3)), (200, 200, 100));
    outcome.last_of(500);
}

#[test]
fn instances_that_are_too_fast_together_lose_no_mail() {
    for (instances, paced) in [(5, "14"), (5, "1000"), (20, "2")] {
        let outcome = Simulation::run(Scenario { mails: 5000, instances, paced, rate: 14, quota: 50_000 });
        assert!(outcome.too_fast > 0, "{instances} at {paced}");
        let last = outcome.last_of(5000);
        assert!(last < Duration::from_hours(1), "{instances} at {paced}: {last:?}");
    }
}
