//! The sign-in of operators at their identity provider. `web::sign_in` has the flow. Its callbacks have no budget in the table, since this
//! function writes nothing: the desk's own API throttles them.

use std::sync::Arc;

use aws::{ClientSecretReader, SdkConfig};
use lambda::Settings;
use web::{
    ClientSecretSource, CodeFlow, InvalidSetting, LogoutHint, OperatorIdentity, Problem, ReadClientSecret, Reply,
    SignInOutcome, SignIns, Site,
};

use crate::Visit;

/// Returns the sign-ins of operators.
pub(crate) fn sign_ins(
    settings: &Settings,
    operators: &OperatorIdentity,
    aws: &SdkConfig,
) -> Result<SignIns, InvalidSetting> {
    let secret = ClientSecretSource::from_settings(
        Site::Desk,
        |name| settings.optional(name),
        |name| stored_client_secret(aws, name),
    )?;
    let flow = CodeFlow::for_operators(operators, secret, LogoutHint::IfKnown);
    Ok(SignIns::new(flow, lambda::random_bytes::<32>))
}

/// Returns the reader of a stored client secret.
fn stored_client_secret(aws: &SdkConfig, name: String) -> ReadClientSecret {
    let reader = Arc::new(ClientSecretReader::new(aws, name));
    Box::new(move || {
        let reader = Arc::clone(&reader);
        Box::pin(async move { Ok(reader.read().await?) })
    })
}

impl Visit<'_> {
    /// Redirects to the provider.
    pub(crate) async fn sign_in(&self) -> Result<Reply, Problem> {
        self.answer(self.app.sign_ins.begin(self.request, self.now).await)
    }

    /// Completes a sign-in when the provider redirects back.
    pub(crate) async fn callback(&self) -> Result<Reply, Problem> {
        let operators = &self.app.operators;
        self.answer(self.app.sign_ins.complete_for_operator(operators, self.request, self.now).await)
    }

    fn answer(&self, outcome: SignInOutcome) -> Result<Reply, Problem> {
        outcome.into_reply(|refusal, again| self.refusal_page(refusal, again))
    }
}
