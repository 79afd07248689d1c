//! The program of the function `mail-feedback`, which `handler.rs` describes.

use mail_feedback::{App, handle};

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), lambda::Error> {
    lambda::log_as_json();
    let app = App::new(&lambda::Settings::from_environment(), lambda::Clock::System)?;
    lambda::consume(app, handle).await
}
