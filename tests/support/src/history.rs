//! Whether what happened at once could have happened one after the other.
//!
//! A history is right if there is an order of whole operations that comes to the table as it is, gives every answer that was given, and
//! puts no operation before one that had been answered when it was called. What was never answered was carried out at any moment after
//! it was called, or never.
//!
//! Two operations may be carried out before they are: the SDK sends a retrieval again whose answer was lost, and an event is handled
//! from its beginning again. So each of them may have happened once, without an answer, before it happens.

use std::{collections::HashSet, fmt::Write};

use crate::specification::{Op, State, Told};

/// An operation as its caller saw it.
#[derive(Clone, Debug)]
pub struct Event {
    /// What was asked for.
    pub op: Op,
    /// When: any number that grows.
    pub called: u64,
    /// When it was answered, and what.
    pub answered: Option<(u64, Told)>,
}

impl Event {
    fn may_happen_before(&self) -> bool {
        matches!(self.op, Op::Retrieve { .. } | Op::Start { .. })
    }
}

/// Finds an order of `history` from `start` to the table's `lines`; the operations in that order, or the whole story of why there is
/// none.
///
/// # Panics
///
/// With more than 64 operations: each is a bit.
pub fn explain(start: &State, history: &[Event], lines: &[String]) -> Result<Vec<Op>, String> {
    assert!(history.len() <= 64, "{} operations are too many for one history", history.len());
    let mut search = Search { history, lines, seen: HashSet::new(), order: Vec::new(), nearest: None };
    if search.goes_on(&Step { done: 0, begun: 0, state: start.clone() }) {
        return Ok(search.order);
    }
    Err(story(start, history, lines, search.nearest.as_ref()))
}

#[derive(Clone, PartialEq, Eq, Hash)]
struct Step {
    /// The operations that have happened.
    done: u64,
    /// Those that have happened once without an answer, and are still to happen.
    begun: u64,
    state: State,
}

struct Search<'a> {
    history: &'a [Event],
    lines: &'a [String],
    seen: HashSet<Step>,
    order: Vec<Op>,
    /// The state that came furthest, with how many of the answers it gives.
    nearest: Option<(u32, State)>,
}

impl Search<'_> {
    fn goes_on(&mut self, step: &Step) -> bool {
        if !self.seen.insert(step.clone()) {
            return false;
        }
        let left: Vec<_> = (0..self.history.len()).filter(|n| step.done & (1 << n) == 0).collect();
        // Whatever was called later than one of these was answered comes after it.
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

    /// Whether it goes on when the operation `n` happens next, with its answer or, where it may, once before that.
    fn happens(&mut self, n: usize, step: &Step) -> bool {
        let event = &self.history[n];
        let mut state = step.state.clone();
        let told = state.apply(event.op);
        let is_right = event.answered.as_ref().is_none_or(|(_, given)| *given == told);
        let bit = 1 << n;
        let begins = event.may_happen_before() && step.begun & bit == 0 && state != step.state;
        (is_right && self.takes(n, &Step { done: step.done | bit, begun: step.begun & !bit, state: state.clone() }))
            || (begins && self.takes(n, &Step { done: step.done, begun: step.begun | bit, state }))
    }

    fn takes(&mut self, n: usize, step: &Step) -> bool {
        self.order.push(self.history[n].op);
        let found = self.goes_on(step);
        if !found {
            self.order.pop();
        }
        found
    }
}

fn story(start: &State, history: &[Event], lines: &[String], nearest: Option<&(u32, State)>) -> String {
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
            "\nThe longest order that gives the answers has {count} operations and comes to\n{}",
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
    use crate::specification::{Password, Person, Who, told};

    fn retrieve(person: Person, key: &'static str) -> Op {
        Op::Retrieve { person, key }
    }

    fn event(op: Op, called: u64, answered: u64, what: Told) -> Event {
        Event { op, called, answered: Some((answered, what)) }
    }

    fn lost(op: Op, called: u64) -> Event {
        Event { op, called, answered: None }
    }

    fn password(used: u32) -> Told {
        (200, format!("the password of issue 1, {used} used"))
    }

    /// The table after these, one after the other.
    fn after(ops: &[Op]) -> Vec<String> {
        let mut state = State::started();
        for op in ops {
            state.apply(*op);
        }
        state.lines()
    }

    fn check(history: &[Event], lines: &[String]) -> Result<Vec<Op>, String> {
        explain(&State::started(), history, lines)
    }

    const A: Op = Op::Retrieve { person: Person::Dana, key: "a" };
    const B: Op = Op::Retrieve { person: Person::Dana, key: "b" };
    const C: Op = Op::Retrieve { person: Person::Kim, key: "c" };
    const D: Op = Op::Retrieve { person: Person::Kim, key: "d" };

    #[test]
    fn three_at_once_are_told_in_any_order() {
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
        assert!(check(&[event(A, 1, 2, password(1))], &after(&[A, B])).is_err(), "nor is one that nobody asked for");
    }

    #[test]
    fn one_click_counted_twice_is_refused() {
        let history = [event(A, 1, 2, password(1)), event(A, 3, 4, password(2))];
        assert!(check(&history, &after(&[A, B])).is_err());
    }

    #[test]
    fn no_answer_is_carried_out_or_not_and_never_before_it_was_called() {
        assert!(check(&[lost(A, 1)], &after(&[])).is_ok());
        assert!(check(&[lost(A, 1)], &after(&[A])).is_ok());
        let blank = event(B, 1, 2, told(200, "blank: administrator-signed-in; 0 used"));
        let sign_in = Op::SignIn { who: Who::Admin, password: Password::Temporary(1), begins: "s" };
        assert!(check(&[blank.clone(), lost(sign_in, 1)], &after(&[sign_in])).is_ok());
        assert!(check(&[blank, lost(sign_in, 3)], &after(&[sign_in])).is_err());
    }

    #[test]
    fn what_was_answered_comes_before_what_was_called_later() {
        let history = [event(A, 1, 2, password(2)), event(B, 3, 4, password(1))];
        assert!(check(&history, &after(&[A, B])).is_err());
    }

    #[test]
    fn a_retrieval_counted_without_an_answer_is_answered_as_things_are_then() {
        let sign_in = Op::SignIn { who: Who::Admin, password: Password::Temporary(1), begins: "s" };
        let blank = told(200, "blank: administrator-signed-in; 1 used");
        let history = [event(A, 1, 9, blank), event(sign_in, 3, 4, told(200, "reset-password"))];
        assert!(check(&history, &after(&[A, sign_in])).is_ok());
        let history = [event(A, 5, 9, told(200, "blank: administrator-signed-in; 1 used")), history[1].clone()];
        assert!(check(&history, &after(&[A, sign_in])).is_err(), "it was called after the sign-in");
    }

    #[test]
    fn a_session_that_is_good_after_a_reset_is_refused() {
        let sign_in = |begins| Op::SignIn { who: Who::Admin, password: Password::Temporary(1), begins };
        let reset = |session| Op::Reset { session, current: None, to: Password::Chosen(0), begins: "n" };
        let history = |looked: Told| {
            [
                event(sign_in("s"), 1, 2, told(200, "reset-password")),
                event(sign_in("t"), 3, 4, told(200, "reset-password")),
                event(reset("s"), 5, 6, told(200, "create-administrator")),
                event(Op::Look { session: "t" }, 7, 8, looked),
            ]
        };
        let lines = after(&[sign_in("s"), sign_in("t"), reset("s")]);
        assert!(check(&history(told(401, "not-signed-in")), &lines).is_ok());
        assert!(check(&history(told(422, "password-too-short")), &lines).is_err());
    }

    #[test]
    fn two_resets_of_one_temporary_password_are_refused() {
        let sign_in = |begins| Op::SignIn { who: Who::Admin, password: Password::Temporary(1), begins };
        let reset = |session| Op::Reset { session, current: None, to: Password::Chosen(0), begins: "n" };
        let history = [
            event(sign_in("s"), 1, 2, told(200, "reset-password")),
            event(sign_in("t"), 1, 2, told(200, "reset-password")),
            event(reset("s"), 3, 4, told(200, "create-administrator")),
            event(reset("t"), 3, 4, told(200, "create-administrator")),
        ];
        assert!(check(&history, &after(&[sign_in("s"), sign_in("t"), reset("s"), reset("t")])).is_err());
    }

    #[test]
    fn two_issues_of_one_event_are_refused() {
        let paid = Op::Start { event: "paid", paid: true };
        let spent = [A, B, C].map(|op| event(op, 1, 2, password(1)));
        let spent = spent.into_iter().zip(1..).map(|(event, n)| Event { answered: Some((2, password(n))), ..event });
        let history: Vec<_> = spent.chain([event(paid, 3, 4, told(200, "done")), lost(paid, 5)]).collect();
        assert!(check(&history, &after(&[A, B, C, paid])).is_ok());
        let other = Op::Start { event: "another", paid: true };
        let e = retrieve(Person::Dana, "e");
        let twice = after(&[A, B, C, paid, A, B, C, other, e]);
        assert!(check(&history, &twice).is_err());
    }
}
