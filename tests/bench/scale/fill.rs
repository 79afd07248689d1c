//! Fills a table with copies of two subscriptions.

use std::{fs, path::Path, sync::Arc};

use anyhow::ensure;
use support::{Call, Deployment, TestStack};
use tools::say;

use super::copies::{Pattern, Patterns, shapes};
use crate::{customers::Customer, lab};

/// The version of the copies. A table with those of another version is filled again.
const VERSION: u32 = 1;

/// The two subscriptions that are copied, and the shapes of their items.
pub(super) struct Played {
    patterns: Arc<Patterns>,
    shapes: String,
}

/// Plays the stories of the two subscriptions that are copied: one is retrieved twice; the administrators of the other one take over.
pub(super) async fn play() -> anyhow::Result<Played> {
    let stack = TestStack::start().await;
    let retrieved = Customer::start(&stack, "t0000000".to_owned()).await?;
    let settled = Customer::start(&stack, "t0000001".to_owned()).await?;
    for (customer, key, used) in [(&retrieved, "first", 1), (&retrieved, "second", 2), (&settled, "first", 1)] {
        let answer = stack.call("get-credentials", customer.retrieve(key)).await;
        customer.check_retrieved(&answer, used)?;
    }
    let message = Call::contact_support(&settled.subscription, "The mail has not come.").bearer(&settled.token);
    let answer = stack.call("contact-support", message.key("message")).await;
    ensure!(answer.status == 202, "support is not contacted: {answer:?}");
    let session = settled.choose_password(&stack).await;
    let lee = format!("lee@{}", settled.company());
    stack.first_administrator(&session, &lee, "a quiet lamp over the harbour").await;
    stack.cloud.drained().await?;
    let items = stack.cloud.dump_table().await?;
    let [retrieved, settled] = [retrieved, settled].map(|customer| Pattern::new(&customer.subscription, &items));
    Ok(Played { patterns: Arc::new(Patterns { retrieved, settled }), shapes: shapes(&items) })
}

/// Fills the table in a directory with `count` copies, unless an earlier run has done so.
pub(super) async fn fill(directory: &Path, count: usize, played: &Played) -> anyhow::Result<()> {
    let (stamp, wanted) = (directory.join("stamp"), format!("version {VERSION}\n{}", played.shapes));
    if fs::read_to_string(&stamp).is_ok_and(|stamp| stamp == wanted) {
        return Ok(());
    }
    say!("filling a table with {count} subscriptions");
    lab::remove(directory)?;
    let stack = Deployment::default().with_data_directory(directory.to_owned()).start().await;
    stack.cloud.import(Arc::clone(&played.patterns).batches(count)).await?;
    drop(stack);
    Ok(fs::write(stamp, wanted)?)
}
