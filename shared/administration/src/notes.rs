//! The notes that follow an attempt at a password. What they are about is decided before, so a failure here costs no more than budgets: it is
//! logged, and the answer stays the same.

use aws::Attempts;
use domain::{Account, Admission, ClaimedName, DeviceDigest, Origin, Timestamp, UserName};
use tracing::warn;

/// Makes the network and the device known to the account, and forgets the failures of what the attempt came by.
pub async fn note_success(
    attempts: &Attempts,
    name: &ClaimedName,
    origin: &Origin,
    admission: Admission,
    device: Option<&DeviceDigest>,
    now: Timestamp,
) {
    if let Err(failure) = attempts.succeeded(name, origin, admission, device, now).await {
        warn!(service = failure.service(), cause = %failure, "failures are not forgotten, or device and network are not known");
    }
}

/// Counts an account that is closed to strangers, and forgets a device that has failed too often.
pub async fn note_failure(
    attempts: &Attempts,
    account: Option<&Account>,
    name: &ClaimedName,
    origin: &Origin,
    admission: Admission,
) {
    if account.is_some_and(|account| account.is_closed_after(admission)) {
        warn!(metric = "AccountClosed", "an account is closed to strangers");
    }
    if let Err(failure) = attempts.failed(name, origin, admission).await {
        warn!(service = failure.service(), cause = %failure, "a device that has failed too often is not forgotten");
    }
}

/// Makes an account that is retired or removed forget every device and network.
pub async fn forget_known_places(attempts: &Attempts, user_name: &UserName) {
    if let Err(failure) = attempts.forget_all(&user_name.into()).await {
        warn!(service = failure.service(), cause = %failure, "the devices and networks of an account that is closed are not forgotten");
    }
}

/// Makes an account with a new temporary password forget every device and network, and opens it to strangers.
pub async fn forget_attempts(attempts: &Attempts, user_name: &UserName) {
    let name = ClaimedName::from(user_name);
    let (failures, known) = tokio::join!(attempts.clear_failures(&name), attempts.forget_all(&name));
    if let Err(failure) = failures.and(known) {
        warn!(service = failure.service(), cause = %failure, "failures, devices and networks are not forgotten");
    }
}
