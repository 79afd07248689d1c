//! The program of the function `publish-events`, which `handler.rs` describes.

use publish_events::{App, handle};

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), lambda::Error> {
    lambda::log_as_json();
    let app = App::new(&lambda::Settings::from_environment(), lambda::Clock::System)?;
    lambda::on_stream(app, handle).await
}
