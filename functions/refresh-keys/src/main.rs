//! The program of the function `refresh-keys`, which `handler.rs` describes.

use refresh_keys::{App, handle};

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), lambda::Error> {
    lambda::log_as_json();
    let app = App::new(&lambda::Settings::from_environment(), lambda::Clock::System)?;
    lambda::on_schedule(app, handle).await
}
