//! Runs a model: a design must keep every property and reach the named situations, a mutant must be caught.

use std::collections::BTreeSet;
use std::fmt::Debug;
use std::hash::Hash;
use std::time::Instant;

use stateright::{Checker, HasDiscoveries, Model};

/// Returns whether this run explores the enlarged scopes, which takes minutes.
#[expect(clippy::disallowed_methods, reason = "a switch of this test program, not a setting of a function")]
pub(crate) fn is_full_run() -> bool {
    std::env::var("FIRSTKEY_FULL").is_ok_and(|value| value == "1")
}

/// Explores the whole model and asserts that no `always` property is violated and that every property in `reached` is reached.
pub(crate) fn assert_holds<M>(title: &str, model: M, reached: &[&'static str])
where
    M: Model + Send + Sync + 'static,
    M::State: Clone + Debug + Hash + PartialEq + Send + Sync,
    M::Action: Clone + Debug + PartialEq + Send,
{
    let started = Instant::now();
    let checker = model.checker().spawn_bfs().join();
    let seconds = started.elapsed().as_secs_f32();
    println!("{title}: {} states, depth {}, {seconds:.1} s", checker.unique_state_count(), checker.max_depth());

    for property in checker.model().properties() {
        let discovery = checker.discovery(property.name);
        if property.expectation.discovery_is_failure() {
            if let Some(path) = discovery {
                panic!("{title} breaks \u{201c}{}\u{201d}: {:#?}", property.name, path.into_actions());
            }
        } else {
            assert!(
                discovery.is_some() || !reached.contains(&property.name),
                "{title} never reaches: {}",
                property.name
            );
        }
    }
}

/// Explores the model until `property` is violated, asserts that it is, and prints the counterexample.
pub(crate) fn assert_caught_by<M>(mutant: &str, model: M, property: &'static str)
where
    M: Model + Send + Sync + 'static,
    M::State: Clone + Debug + Hash + PartialEq + Send + Sync,
    M::Action: Clone + Debug + PartialEq + Send,
{
    let started = Instant::now();
    let wanted = HasDiscoveries::AllOf(BTreeSet::from([property]));
    let checker = model.checker().finish_when(wanted).spawn_bfs().join();
    let known = checker.model().properties();
    let Some(condition) = known.iter().find(|known| known.name == property).map(|known| known.condition) else {
        panic!("the model has no property {property:?}");
    };
    let Some(path) = checker.discovery(property) else {
        panic!("{mutant}: \u{201c}{property}\u{201d} holds in all {} states", checker.unique_state_count());
    };
    let seconds = started.elapsed().as_secs_f32();
    println!("{mutant} breaks \u{201c}{property}\u{201d} ({} states, {seconds:.1} s):", checker.unique_state_count());
    for (state, action) in path.into_vec() {
        match action {
            Some(action) if condition(checker.model(), &state) => println!("    {action:?}"),
            _ => break,
        }
    }
}
