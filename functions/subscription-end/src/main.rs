//! The Lambda function `subscription-end`; see `handler.rs`.

use subscription_end::{App, handle};

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), lambda::Error> {
    lambda::log_as_json();
    let app = App::new(&lambda::Settings::from_environment(), lambda::Clock::System)?;
    lambda::consume(app, handle).await
}
