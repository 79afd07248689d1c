//! A linearizability check: it decides whether concurrent operations could have happened one after the other.
//!
//! A history is right if there is an order of whole operations that results in the contents of the table, gives every answer that was
//! given, and puts no operation before one that had been answered when it was called. An operation without an answer took effect at any
//! moment after it was called, or never.
//!
//! Two operations may take effect before the attempt that is answered: the SDK retries a retrieval whose answer was lost, and a
//! redelivered event is handled from its beginning. So each of them may have happened once, without an answer, before it happens.

use std::{
    collections::HashSet,
    fmt::Write,
    hash::{BuildHasher, RandomState},
};

use crate::specification::{Op, Reply, State};

/// An operation as its caller saw it.
#[derive(Clone, Debug)]
pub struct Event {
    /// The operation.
    pub op: Op,
    /// The time of the call, in any unit.
    pub called: u64,
    /// The time of the answer and the answer, if there was one.
    pub answered: Option<(u64, Reply)>,
}

impl Event {
    fn may_happen_before(&self) -> bool {
        matches!(self.op, Op::Retrieve { .. } | Op::Start { .. } | Op::Restart { .. } | Op::End { .. })
    }
}

/// Finds an order of `history` that leads from `start` to the table's `lines`. Returns the operations in that order, or a description of
/// the history if no order does.
///
/// # Panics
///
/// Panics if there are more than 128 operations, because each is a bit of a mask.
pub fn find_order(start: &State, history: &[Event], lines: &[String]) -> Result<Vec<Op>, String> {
    assert!(history.len() <= 128, "{} operations are too many for one history", history.len());
    let mut search = Search { history, lines, seen: PointSet::default(), order: Vec::new(), nearest: None };
    if search.search(&Step { done: 0, begun: 0, state: start.clone() }) {
        return Ok(search.order);
    }
    Err(describe_failure(start, history, lines, search.nearest.as_ref()))
}

/// A point of the search: the operations so far and the state that they result in.
#[derive(Hash)]
struct Step {
    /// The bits of the operations that have happened.
    done: u128,
    /// The bits of the operations that have taken effect once without an answer and have yet to happen.
    begun: u128,
    state: State,
}

/// The points where the search has been, each by 128 bits of hashes: a history can have millions of them. Two points with the same bits
/// would hide an order, with a probability of one in 10^24 for ten million points.
#[derive(Default)]
struct PointSet {
    hashers: [RandomState; 2],
    points: HashSet<[u64; 2]>,
}

impl PointSet {
    /// Returns whether the search has not been there before.
    fn insert(&mut self, step: &Step) -> bool {
        self.points.insert(self.hashers.each_ref().map(|hasher| hasher.hash_one(step)))
    }
}

struct Search<'a> {
    history: &'a [Event],
    lines: &'a [String],
    seen: PointSet,
    order: Vec<Op>,
    /// The state after the longest order so far, with the number of operations in it.
    nearest: Option<(u32, State)>,
}

impl Search<'_> {
    fn search(&mut self, step: &Step) -> bool {
        if !self.seen.insert(step) {
            return false;
        }
        let left: Vec<_> = (0..self.history.len()).filter(|n| step.done & (1 << n) == 0).collect();
        // An operation that was called after another was answered comes after it.
        let earliest = left.iter().filter_map(|n| self.history[*n].answered.as_ref().map(|(at, _)| *at)).min();
        if earliest.is_none() && step.state.lines() == self.lines {
            return true;
        }
        let done = step.done.count_ones();
        if self.nearest.as_ref().is_none_or(|(most, _)| *most < done) {
            self.nearest = Some((done, step.state.clone()));
        }
        left.into_iter()
            .filter(|n| earliest.is_none_or(|earliest| self.history[*n].called <= earliest))
            .any(|n| self.happens(n, step))
    }

    /// Returns whether an order exists in which operation `n` happens next, with its answer or, where that may be, once before it.
    fn happens(&mut self, n: usize, step: &Step) -> bool {
        let event = &self.history[n];
        let mut state = step.state.clone();
        let reply = state.apply(event.op);
        let is_right = event.answered.as_ref().is_none_or(|(_, given)| *given == reply);
        let bit = 1_u128 << n;
        let begins = event.may_happen_before() && step.begun & bit == 0 && state != step.state;
        (is_right && self.descend(n, &Step { done: step.done | bit, begun: step.begun & !bit, state: state.clone() }))
            || (begins && self.descend(n, &Step { done: step.done, begun: step.begun | bit, state }))
    }

    /// Searches on from `step`, with operation `n` as the last one of the order.
    fn descend(&mut self, n: usize, step: &Step) -> bool {
        self.order.push(self.history[n].op);
        let found = self.search(step);
        if !found {
            self.order.pop();
        }
        found
    }
}

/// Describes a history that no order explains.
fn describe_failure(start: &State, history: &[Event], lines: &[String], nearest: Option<&(u32, State)>) -> String {
    let mut text = format!("no order of whole operations does this, from\n{}\n", listed(&start.lines()));
    let mut in_order: Vec<_> = history.iter().collect();
    in_order.sort_by_key(|event| event.called);
    for event in in_order {
        let _ = match &event.answered {
            Some((at, (status, what))) => {
                writeln!(text, "  {:>9} to {at:>9}  {}: {status} {what}", event.called, event.op)
            }
            None => writeln!(text, "  {:>9} to         ?  {}: no answer", event.called, event.op),
        };
    }
    let _ = write!(text, "to the table\n{}", listed(lines));
    if let Some((count, state)) = nearest {
        let _ = write!(
            text,
            "\nThe longest order that gives the answers has {count} operations and results in\n{}",
            listed(&state.lines())
        );
    }
    text
}

fn listed(lines: &[String]) -> String {
    lines.iter().map(|line| format!("  | {line}")).collect::<Vec<_>>().join("\n")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::specification::{Password, Person, UserName, reply};

    fn retrieve(person: Person, key: &'static str) -> Op {
        Op::Retrieve { person, key }
    }

    fn event(op: Op, called: u64, answered: u64, what: Reply) -> Event {
        Event { op, called, answered: Some((answered, what)) }
    }

    fn lost(op: Op, called: u64) -> Event {
        Event { op, called, answered: None }
    }

    fn password(used: u32) -> Reply {
        (200, format!("the password of issue 1, {used} used"))
    }

    /// Returns the lines of the table after these operations, one after the other.
    fn after(ops: &[Op]) -> Vec<String> {
        let mut state = State::started();
        for op in ops {
            state.apply(*op);
        }
        state.lines()
    }

    fn check(history: &[Event], lines: &[String]) -> Result<Vec<Op>, String> {
        find_order(&State::started(), history, lines)
    }

    const A: Op = Op::Retrieve { person: Person::Dana, key: "a" };
    const B: Op = Op::Retrieve { person: Person::Dana, key: "b" };
    const C: Op = Op::Retrieve { person: Person::Kim, key: "c" };
    const D: Op = Op::Retrieve { person: Person::Kim, key: "d" };

    #[test]
    fn three_concurrent_retrievals_may_be_counted_in_any_order() {
        let history = [event(A, 1, 9, password(3)), event(B, 1, 9, password(1)), event(C, 1, 9, password(2))];
        assert_eq!(check(&history, &after(&[A, B, C])), Ok(vec![B, C, A]));
    }

    #[test]
    fn a_fourth_password_is_refused() {
        let shown = |op, n| event(op, 1, 9, password(n));
        let history = [shown(A, 1), shown(B, 2), shown(C, 3), shown(D, 3)];
        let refusal = check(&history, &after(&[A, B, C])).expect_err("one too many");
        assert!(refusal.contains("retrieval of kim with key d: 200 the password of issue 1, 3 used"), "{refusal}");
    }

    #[test]
    fn a_retrieval_that_was_answered_and_not_counted_is_refused() {
        assert!(check(&[event(A, 1, 2, password(1))], &after(&[])).is_err());
        assert!(
            check(&[event(A, 1, 2, password(1))], &after(&[A, B])).is_err(),
            "a retrieval without a call is counted"
        );
    }

    #[test]
    fn one_click_counted_twice_is_refused() {
        let history = [event(A, 1, 2, password(1)), event(A, 3, 4, password(2))];
        assert!(check(&history, &after(&[A, B])).is_err());
    }

    #[test]
    fn an_operation_without_an_answer_may_take_effect_but_not_before_its_call() {
        assert!(check(&[lost(A, 1)], &after(&[])).is_ok());
        assert!(check(&[lost(A, 1)], &after(&[A])).is_ok());
        let blank = event(B, 1, 2, reply(200, "blank: administrator-signed-in; 0 used"));
        let sign_in = Op::SignIn { who: UserName::Admin, password: Password::Temporary(1), begins: "s" };
        assert!(check(&[blank.clone(), lost(sign_in, 1)], &after(&[sign_in])).is_ok());
        assert!(check(&[blank, lost(sign_in, 3)], &after(&[sign_in])).is_err());
    }

    #[test]
    fn an_answered_operation_comes_before_one_that_was_called_later() {
        let history = [event(A, 1, 2, password(2)), event(B, 3, 4, password(1))];
        assert!(check(&history, &after(&[A, B])).is_err());
    }

    #[test]
    fn a_retried_retrieval_is_answered_from_the_state_at_the_retry() {
        let sign_in = Op::SignIn { who: UserName::Admin, password: Password::Temporary(1), begins: "s" };
        let blank = reply(200, "blank: administrator-signed-in; 1 used");
        let history = [event(A, 1, 9, blank), event(sign_in, 3, 4, reply(200, "reset-password"))];
        assert!(check(&history, &after(&[A, sign_in])).is_ok());
        let history = [event(A, 5, 9, reply(200, "blank: administrator-signed-in; 1 used")), history[1].clone()];
        assert!(check(&history, &after(&[A, sign_in])).is_err(), "it was called after the sign-in");
    }

    #[test]
    fn a_session_that_is_good_after_a_reset_is_refused() {
        let sign_in = |begins| Op::SignIn { who: UserName::Admin, password: Password::Temporary(1), begins };
        let reset = |session| Op::Reset { session, current: None, to: Password::Chosen(0), begins: "n" };
        let history = |looked: Reply| {
            [
                event(sign_in("s"), 1, 2, reply(200, "reset-password")),
                event(sign_in("t"), 3, 4, reply(200, "reset-password")),
                event(reset("s"), 5, 6, reply(200, "create-administrator")),
                event(Op::CheckSession { session: "t" }, 7, 8, looked),
            ]
        };
        let lines = after(&[sign_in("s"), sign_in("t"), reset("s")]);
        assert!(check(&history(reply(401, "not-signed-in")), &lines).is_ok());
        assert!(check(&history(reply(422, "password-too-short")), &lines).is_err());
    }

    #[test]
    fn two_resets_of_one_temporary_password_are_refused() {
        let sign_in = |begins| Op::SignIn { who: UserName::Admin, password: Password::Temporary(1), begins };
        let reset = |session| Op::Reset { session, current: None, to: Password::Chosen(0), begins: "n" };
        let history = [
            event(sign_in("s"), 1, 2, reply(200, "reset-password")),
            event(sign_in("t"), 1, 2, reply(200, "reset-password")),
            event(reset("s"), 3, 4, reply(200, "create-administrator")),
            event(reset("t"), 3, 4, reply(200, "create-administrator")),
        ];
        assert!(check(&history, &after(&[sign_in("s"), sign_in("t"), reset("s"), reset("t")])).is_err());
    }

    #[test]
    fn two_issues_of_one_event_are_refused() {
        let paid = Op::Start { event: "paid", paid: true };
        let spent = [A, B, C].map(|op| event(op, 1, 2, password(1)));
        let spent = spent.into_iter().zip(1..).map(|(event, n)| Event { answered: Some((2, password(n))), ..event });
        let history: Vec<_> = spent.chain([event(paid, 3, 4, reply(200, "done")), lost(paid, 5)]).collect();
        assert!(check(&history, &after(&[A, B, C, paid])).is_ok());
        let other = Op::Start { event: "another", paid: true };
        let e = retrieve(Person::Dana, "e");
        let twice = after(&[A, B, C, paid, A, B, C, other, e]);
        assert!(check(&history, &twice).is_err());
    }
}
