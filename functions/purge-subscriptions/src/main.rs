//! The program of the function `purge-subscriptions`, which `handler.rs` describes.

use purge_subscriptions::{App, handle};

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), lambda::Error> {
    lambda::log_as_json();
    let app = App::new(&lambda::Settings::from_environment(), lambda::Clock::System)?;
    lambda::on_schedule(app, handle).await
}
