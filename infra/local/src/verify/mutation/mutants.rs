//! The changes: what each breaks, where, and which test has to find it.
//!
//! A clause of a condition is not taken out but made true, so that DynamoDB does not refuse the request for a placeholder that
//! is left over: what is to fail is the rule, and not the request.

/// One small wrong change.
pub(super) struct Mutant {
    /// Unlike any other.
    pub(super) name: &'static str,
    /// In one sentence.
    pub(super) breaks: &'static str,
    /// One, but where two guards make one rule.
    pub(super) edits: &'static [Edit],
    pub(super) suite: Suite,
    /// The tests that have to find it, as a filterset of nextest.
    pub(super) caught_by: &'static str,
}

/// What stands once in a file, and what is put in its place.
pub(super) struct Edit {
    pub(super) file: &'static str,
    pub(super) find: &'static str,
    pub(super) replace: &'static str,
}

/// Where the tests are.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Suite {
    /// The sentences of `tests/it`.
    It,
    /// Those within a package.
    Unit(&'static str),
}

impl Suite {
    /// For Cargo. The first is built with the features of the whole workspace, as the stage `test` has built everything.
    pub(super) fn arguments(self) -> [&'static str; 3] {
        match self {
            Self::It => ["--workspace", "--test", "it"],
            Self::Unit(package) => ["--lib", "--package", package],
        }
    }
}

const RETRIEVALS: &str = "shared/aws/src/store/retrievals.rs";
const CREDENTIAL: &str = "shared/domain/src/credential.rs";
const GET_CREDENTIALS: &str = "functions/get-credentials/src/handler.rs";
const MAILS: &str = "shared/aws/src/store/mails.rs";
const SEND_MAIL: &str = "functions/send-mail/src/handler.rs";
const SUBSCRIPTIONS: &str = "shared/aws/src/store/subscriptions.rs";
const SIGN_INS: &str = "shared/aws/src/store/sign_ins.rs";
const STORED_ACCOUNT: &str = "shared/aws/src/store/account.rs";
const TRANSACTION: &str = "shared/aws/src/store/transaction.rs";
const ATTEMPTS: &str = "shared/aws/src/store/attempts.rs";
const SIGN_IN: &str = "functions/sign-in/src/handler.rs";
const RESET_PASSWORD: &str = "functions/reset-password/src/handler.rs";
const CREATE_ADMIN: &str = "functions/create-admin/src/handler.rs";
const ACCOUNT: &str = "shared/domain/src/account.rs";
const SESSION: &str = "shared/domain/src/session.rs";
const PASSWORD: &str = "shared/domain/src/password.rs";
const HASHER: &str = "shared/lambda/src/hasher.rs";
const COOKIE: &str = "shared/web/src/cookie.rs";
const TOKEN: &str = "shared/web/src/identity/token.rs";
const PRINCIPALS: &str = "shared/web/src/identity/principals.rs";

/// In the order of what they break, so that neighbours share what is compiled.
pub(super) const MUTANTS: &[Mutant] = &[
    Mutant {
        name: "retrieval-without-a-password",
        breaks: "a retrieval is counted though there is no password to show",
        edits: &[Edit {
            file: RETRIEVALS,
            find: "attribute_exists(#sealed)",
            replace: "(attribute_exists(#sealed) OR attribute_exists(#pu))",
        }],
        suite: Suite::It,
        caught_by: "test(/^condition::/)",
    },
    Mutant {
        name: "retrieval-of-another-issue",
        breaks: "a request that was made for the issue before spends one of this issue's retrievals",
        edits: &[Edit {
            file: RETRIEVALS,
            find: "#issue = :issue",
            replace: "(#issue = :issue OR attribute_exists(#pu))",
        }],
        suite: Suite::It,
        caught_by: "test(get_credentials::a_click_that_was_shown_the_password_is_not_counted_in_the_next_issue_too)",
    },
    Mutant {
        name: "retrieval-of-an-earlier-issue",
        breaks: "a request that was made for an earlier issue spends one of this issue's retrievals",
        edits: &[Edit { file: RETRIEVALS, find: "#issue = :issue", replace: "#issue >= :issue" }],
        suite: Suite::It,
        caught_by: "test(get_credentials::a_click_that_was_shown_the_password_is_not_counted_in_the_next_issue_too)",
    },
    Mutant {
        name: "retrieval-after-expiry",
        breaks: "an expired password is shown",
        edits: &[Edit { file: RETRIEVALS, find: "#exp > :now", replace: "(#exp > :now OR attribute_exists(#pu))" }],
        suite: Suite::It,
        caught_by: "test(/^condition::/)",
    },
    Mutant {
        name: "retrieval-at-expiry",
        breaks: "a password is shown in the second in which it expires",
        edits: &[Edit { file: RETRIEVALS, find: "#exp > :now", replace: "#exp >= :now" }],
        suite: Suite::It,
        caught_by: "test(/^condition::/)",
    },
    Mutant {
        name: "retrieval-after-sign-in",
        breaks: "a password is shown after the service administrator signed in",
        edits: &[Edit {
            file: RETRIEVALS,
            find: "attribute_not_exists(#signed_in)",
            replace: "(attribute_not_exists(#signed_in) OR attribute_exists(#pu))",
        }],
        suite: Suite::It,
        caught_by: "test(/^condition::/)",
    },
    Mutant {
        name: "retrieval-after-change",
        breaks: "a password is shown after the service administrator chose another",
        edits: &[Edit {
            file: RETRIEVALS,
            find: "attribute_not_exists(#changed)",
            replace: "(attribute_not_exists(#changed) OR attribute_exists(#pu))",
        }],
        suite: Suite::It,
        caught_by: "test(/^condition::/)",
    },
    Mutant {
        name: "retrieval-after-the-end",
        breaks: "a password is shown after the subscription ended",
        edits: &[Edit {
            file: RETRIEVALS,
            find: "attribute_not_exists(#ended)",
            replace: "(attribute_not_exists(#ended) OR attribute_exists(#pu))",
        }],
        suite: Suite::It,
        caught_by: "test(/^condition::/)",
    },
    Mutant {
        name: "retrieval-by-anybody",
        breaks: "whoever is no portal user is shown the password",
        edits: &[Edit {
            file: RETRIEVALS,
            find: "({one_of_them})",
            replace: "({one_of_them} OR attribute_exists(#pu))",
        }],
        suite: Suite::It,
        caught_by: "test(/^condition::/)",
    },
    Mutant {
        name: "click-counted-again",
        breaks: "the same click is a second retrieval, with another time",
        edits: &[Edit {
            file: RETRIEVALS,
            find: "attribute_not_exists(#ret.#rid)",
            replace: "(attribute_not_exists(#ret.#rid) OR attribute_exists(#pu))",
        }],
        suite: Suite::It,
        caught_by: "test(/^condition::/)",
    },
    Mutant {
        name: "retrievals-without-a-cap",
        breaks: "there is no end to retrievals",
        edits: &[Edit {
            file: RETRIEVALS,
            find: "size(#ret) < :three",
            replace: "(size(#ret) < :three OR attribute_exists(#pu))",
        }],
        suite: Suite::It,
        caught_by: "test(/^condition::/)",
    },
    Mutant {
        name: "four-retrievals",
        breaks: "a fourth retrieval is admitted",
        edits: &[Edit { file: RETRIEVALS, find: "size(#ret) < :three", replace: "size(#ret) <= :three" }],
        suite: Suite::It,
        caught_by: "test(/^condition::/)",
    },
    Mutant {
        name: "old-image-ignored",
        breaks: "a refusal is told without the item that it met, so nobody recognises their own write",
        edits: &[Edit {
            file: RETRIEVALS,
            find: "ReturnValuesOnConditionCheckFailure::AllOld)",
            replace: "ReturnValuesOnConditionCheckFailure::None)",
        }],
        suite: Suite::It,
        caught_by: "test(get_credentials::the_same_click_twice_is_counted_once_and_shows_the_same)",
    },
    Mutant {
        name: "conflict-is-an-answer",
        breaks: "a write that met a transaction is told as if there were no subscription",
        edits: &[Edit {
            file: RETRIEVALS,
            find: r"Some(UpdateItemError::TransactionConflictException(_)) => {
                return Ok(Try::Conflict(Failure::of(OPERATION, &error)));
            }",
            replace: "Some(UpdateItemError::TransactionConflictException(_)) => RetrieveOutcome::NoSubscription,",
        }],
        suite: Suite::It,
        caught_by: "test(get_credentials::a_conflict_is_tried_again_and_never_told_as_a_reason)",
    },
    Mutant {
        name: "shown-before-it-is-counted",
        breaks: "the password is shown for what was read before the write, whatever becomes of the write",
        edits: &[Edit {
            file: RETRIEVALS,
            find: "                let outcome = through_conflicts(OPERATION, write).await?;",
            replace: r"                let read = self.0.credential(subscription).await?;
                let outcome = match read {
                    Some(read) if matches!(read.judge_refusal(caller, click, now), Refusal::Unexplained) => {
                        through_conflicts(OPERATION, write).await.ok();
                        RetrieveOutcome::Counted(Box::new(read))
                    }
                    _ => through_conflicts(OPERATION, write).await?,
                };",
        }],
        suite: Suite::It,
        caught_by: "test(get_credentials::of_200_at_once_exactly_three_are_shown_the_password_and_197_are_told_why_not)",
    },
    Mutant {
        name: "decrypted-before-it-is-decided",
        breaks: "a retrieval that is refused unseals the password first",
        edits: &[Edit {
            file: GET_CREDENTIALS,
            find: "        RetrieveOutcome::Refused(credential) => match credential.judge_refusal(&caller, &click, now) {",
            replace: r"        RetrieveOutcome::Refused(credential) => match {
            app.disclose(&credential, &caller).await.ok();
            credential.judge_refusal(&caller, &click, now)
        } {",
        }],
        suite: Suite::It,
        caught_by: "test(get_credentials::a_retrieval_is_one_write_unit_and_one_decrypt_and_a_refused_one_does_not_decrypt)",
    },
    Mutant {
        name: "first-issue-alone",
        breaks: "nobody retrieves in a later issue than the first",
        edits: &[Edit { file: RETRIEVALS, find: "Some(right) => issue = right,", replace: "Some(_) => {}" }],
        suite: Suite::It,
        caught_by: "test(subscription_start::a_trial_used_up_and_never_signed_in_is_given_new_credentials_when_paid)",
    },
    Mutant {
        name: "call-from-before-the-issue",
        breaks: "a call that hangs until the next issue has begun is counted in it, whatever became of its click meanwhile",
        edits: &[Edit {
            file: CREDENTIAL,
            find: "            (true, None) if self.issued_at > now => Refusal::NotYet,\n",
            replace: "",
        }],
        suite: Suite::It,
        caught_by: "test(get_credentials::a_call_from_before_the_issue_is_told_to_come_back_and_counts_nothing_in_it)",
    },
    Mutant {
        name: "time-of-each-write",
        breaks: "where the second write of a retrieval hangs, its caller waits for more than three seconds",
        edits: &[Edit {
            file: RETRIEVALS,
            find: "timeout(OPERATION_TIMEOUT, until_decided)",
            replace: "timeout(OPERATION_TIMEOUT * 2, until_decided)",
        }],
        suite: Suite::It,
        caught_by: "test(get_credentials::a_table_that_hangs_in_the_second_write_of_a_later_issue_is_unavailable_in_under_three_seconds)",
    },
    Mutant {
        name: "replay-before-membership",
        breaks: "whoever is no portal user any more is shown the password for an old click",
        edits: &[Edit {
            file: CREDENTIAL,
            find: r"        if !self.admits(&caller.principals()) {
            return Refusal::NotAPortalUser;
        }
        let counted = self.retrievals.get(click);
        if counted.is_some_and(|counted| now.since(counted.at) < REPLAY_WINDOW) && self.disclosable(now) {
            return Refusal::SameClick;
        }
",
            replace: r"        let counted = self.retrievals.get(click);
        if counted.is_some_and(|counted| now.since(counted.at) < REPLAY_WINDOW) && self.disclosable(now) {
            return Refusal::SameClick;
        }
        if !self.admits(&caller.principals()) {
            return Refusal::NotAPortalUser;
        }
",
        }],
        suite: Suite::It,
        caught_by: "test(/^condition::/)",
    },
    Mutant {
        name: "replay-without-an-end",
        breaks: "a click is repeated for as long as the password works",
        edits: &[Edit {
            file: CREDENTIAL,
            find: "counted.is_some_and(|counted| now.since(counted.at) < REPLAY_WINDOW) && self.disclosable(now)",
            replace: "counted.is_some() && self.disclosable(now)",
        }],
        suite: Suite::It,
        caught_by: "test(get_credentials::a_click_is_repeated_for_ten_minutes_and_is_then_a_conflict)",
    },
    Mutant {
        name: "replay-a-second-longer",
        breaks: "a click is repeated in the second in which its ten minutes end",
        edits: &[Edit {
            file: CREDENTIAL,
            find: "counted.is_some_and(|counted| now.since(counted.at) < REPLAY_WINDOW) && self.disclosable(now)",
            replace: "counted.is_some_and(|counted| now.since(counted.at) <= REPLAY_WINDOW) && self.disclosable(now)",
        }],
        suite: Suite::It,
        caught_by: "test(/^condition::/)",
    },
    Mutant {
        name: "replay-after-its-end",
        breaks: "a click is repeated after sign-in, change, expiry or end",
        edits: &[Edit {
            file: CREDENTIAL,
            find: "counted.is_some_and(|counted| now.since(counted.at) < REPLAY_WINDOW) && self.disclosable(now)",
            replace: "counted.is_some_and(|counted| now.since(counted.at) < REPLAY_WINDOW)",
        }],
        suite: Suite::It,
        caught_by: "test(/^condition::/)",
    },
    Mutant {
        name: "click-of-an-organisation",
        breaks: "two people of one organisation who use the same key are one click",
        edits: &[Edit {
            file: CREDENTIAL,
            find: "Self::encode(digest(&[caller.issuer().as_bytes(), caller.subject().as_bytes(), idempotency_key.as_bytes()]))",
            replace: r"Self::encode(digest(&[
            caller.principals().last().map_or(&[][..], |principal| principal.as_bytes()),
            idempotency_key.as_bytes(),
        ]))",
        }],
        suite: Suite::It,
        caught_by: "test(get_credentials::two_people_of_one_organisation_with_the_same_key_are_counted_apart)",
    },
    Mutant {
        name: "expired-a-second-late",
        breaks: "in the second in which a password expires its blank has no reason",
        edits: &[Edit {
            file: CREDENTIAL,
            find: "self.expires_at <= now && self.changed_at.is_none()",
            replace: "self.expires_at < now && self.changed_at.is_none()",
        }],
        suite: Suite::It,
        caught_by: "test(/^condition::/)",
    },
    Mutant {
        name: "paid-and-used-up",
        breaks: "whoever pays after three retrievals without a sign-in never gets in",
        edits: &[Edit {
            file: CREDENTIAL,
            find: "(self.expired(now) || used_up)",
            replace: "(self.expired(now) || used_up && false)",
        }],
        suite: Suite::It,
        caught_by: "test(subscription_start::a_trial_used_up_and_never_signed_in_is_given_new_credentials_when_paid)",
    },
    Mutant {
        name: "lease-not-compared",
        breaks: "two workers have one mail at the same time",
        edits: &[Edit { file: MAILS, find: "#lease <= :now)", replace: "#lease <= :now OR attribute_exists(#lease))" }],
        suite: Suite::It,
        caught_by: "test(send_mail::while_another_worker_has_the_mail_a_delivery_fails_and_is_never_acknowledged)",
    },
    Mutant {
        name: "own-lease-not-recognised",
        breaks: "a worker whose claim was carried out without an answer thinks that it is another one's",
        edits: &[Edit {
            file: MAILS,
            find: "let ours = Reader(&item).optional_text(LEASE_ID) == Some(&lease.id);",
            replace: "let ours = Reader(&item).optional_text(LEASE_ID).is_none();",
        }],
        suite: Suite::It,
        caught_by: "test(subscription_start::with_every_first_answer_lost_it_is_still_one_issue_and_one_mail)",
    },
    Mutant {
        name: "sent-mail-taken-again",
        breaks: "a mail that is sent is sent again with the next delivery",
        edits: &[Edit {
            file: MAILS,
            find: "#status = :pending AND (",
            replace: "(#status = :pending OR attribute_exists(#status)) AND (",
        }],
        suite: Suite::It,
        caught_by: "test(send_mail::an_order_for_an_earlier_issue_sends_nothing) | test(send_mail::after_three_refusals)",
    },
    Mutant {
        name: "record-asks-for-the-lease",
        breaks: "a mail that went out is not recorded where its lease was given back meanwhile",
        edits: &[Edit {
            file: MAILS,
            find: r##".condition_expression("#issue = :n AND #rank < :r")"##,
            replace: r##".condition_expression("#issue = :n AND #rank < :r AND attribute_exists(#lease)")"##,
        }],
        suite: Suite::It,
        caught_by: "test(send_mail::a_sent_mail_is_recorded_without_the_lease)",
    },
    Mutant {
        name: "record-over-a-higher-rank",
        breaks: "what became of a mail is overwritten by what was known before",
        edits: &[Edit {
            file: MAILS,
            find: r##".condition_expression("#issue = :n AND #rank < :r")"##,
            replace: r##".condition_expression("#issue = :n AND (#rank < :r OR attribute_exists(#rank))")"##,
        }],
        suite: Suite::It,
        caught_by: "test(send_mail::a_sent_mail_is_recorded_without_the_lease)",
    },
    Mutant {
        name: "release-of-anybodys-lease",
        breaks: "a worker that is late gives back the lease of another one",
        edits: &[Edit {
            file: MAILS,
            find: r##""#issue = :n AND #lease_id = :mine""##,
            replace: r##""#issue = :n AND (#lease_id = :mine OR attribute_exists(#lease_id))""##,
        }],
        suite: Suite::It,
        caught_by: "test(send_mail::a_sent_mail_is_recorded_without_the_lease)",
    },
    Mutant {
        name: "live-lease-acknowledged",
        breaks: "a message is done while another worker has the mail and may die",
        edits: &[Edit {
            file: SEND_MAIL,
            find: r#"Take::Leased => Err(Rejection::temporary("another worker has the mail, or one had it when it died")),"#,
            replace: "Take::Leased => Ok(()),",
        }],
        suite: Suite::It,
        caught_by: "test(send_mail::while_another_worker_has_the_mail_a_delivery_fails_and_is_never_acknowledged)",
    },
    Mutant {
        name: "mail-that-nobody-needs",
        breaks: "a password that expired, was used or is over is mailed",
        edits: &[Edit {
            file: SEND_MAIL,
            find: "credential.issue == order.issue && credential.disclosable(now)",
            replace: "credential.issue == order.issue",
        }],
        suite: Suite::It,
        caught_by: "test(send_mail::a_mail_that_is_no_longer_needed_is_not_sent)",
    },
    Mutant {
        name: "lease-given-back-without-an-answer",
        breaks: "a mail that may be on its way is sent again at once",
        edits: &[Edit {
            file: SEND_MAIL,
            find: "Delivery::Unknown(failure) => Err(Rejection::temporary(failure)),",
            replace: "Delivery::Unknown(failure) => self.give_back(order, taken, Rejection::temporary(failure)).await,",
        }],
        suite: Suite::It,
        caught_by: "test(send_mail::while_another_worker_has_the_mail)",
    },
    Mutant {
        name: "mail-tried-again-by-the-sdk",
        breaks: "one call of SES becomes several mails",
        edits: &[Edit {
            file: "shared/aws/src/mailer.rs",
            find: "Client::new(&connection::once(config))",
            replace: "Client::new(config)",
        }],
        suite: Suite::It,
        caught_by: "test(send_mail::a_throttled_mail)",
    },
    Mutant {
        name: "event-not-marked",
        breaks: "an event that started an issue starts another one when it is delivered again",
        edits: &[Edit {
            file: SUBSCRIPTIONS,
            find: r"            .put_new(Part::Event, handled(id, event, now))?
",
            replace: "",
        }],
        suite: Suite::It,
        caught_by: "test(subscription_start::a_paid_event_delivered_again_after_its_issue_expired_starts_no_second_one)",
    },
    Mutant {
        name: "next-issue-without-the-retrievals",
        breaks: "a retrieval beside the next issue is missing from the history",
        edits: &[Edit {
            file: SUBSCRIPTIONS,
            find: "AND size(#ret) = :k AND",
            replace: "AND (size(#ret) = :k OR attribute_exists(#ret)) AND",
        }],
        suite: Suite::It,
        caught_by: "test(subscription_start::a_retrieval_beside_the_next_issue)",
    },
    Mutant {
        name: "next-issue-keeps-the-version",
        breaks: "a session from before the new issue lives on",
        edits: &[Edit {
            file: SUBSCRIPTIONS,
            find: r#".value(":one", number(1_u64))"#,
            replace: r#".value(":one", number(0_u64))"#,
        }],
        suite: Suite::It,
        caught_by: "test(subscription_start::a_trial_that_expired_and_is_paid_gets_one_new_issue_by_one_mail_and_it_works)",
    },
    Mutant {
        name: "company-may-change",
        breaks: "an event of another company takes a subscription over",
        edits: &[Edit {
            file: "functions/subscription-start/src/handler.rs",
            find: "event.company.id != known.company.id",
            replace: "event.company.id != known.company.id && event.product != known.product",
        }],
        suite: Suite::It,
        caught_by: "test(subscription_start::events_that_contradict_the_first_fail_alone_and_change_nothing)",
    },
    Mutant {
        name: "number-of-the-last-entry-not-asked",
        breaks: "two changes at once are one line of the history",
        edits: &[
            Edit {
                file: "shared/aws/src/store/credential.rs",
                find: r##""SET #seq = :q2", "#seq = :q")"##,
                replace: r##""SET #seq = :q2", "#seq = :q OR attribute_exists(#seq)")"##,
            },
            Edit {
                file: TRANSACTION,
                find: "self = self.put_new(Part::History, item)?;",
                replace: "self = self.put(Part::History, item)?;",
            },
        ],
        suite: Suite::It,
        caught_by: "test(create_admin::ten_creations_at_once_all_stand_and_so_does_a_choice_of_a_password_beside_them)",
    },
    Mutant {
        name: "conflict-in-a-transaction-is-an-answer",
        breaks: "a transaction that met another one fails instead of trying again",
        edits: &[Edit {
            file: TRANSACTION,
            find: r#"let later = ["TransactionConflict", "ThrottlingError", "ProvisionedThroughputExceeded"];"#,
            replace: r#"let later = ["ThrottlingError", "ProvisionedThroughputExceeded"];"#,
        }],
        suite: Suite::It,
        caught_by: "test(create_admin::with_every_first_answer_lost_or_in_conflict_a_creation_is_one_account)",
    },
    Mutant {
        name: "account-not-asked-at-the-first-sign-in",
        breaks: "whoever was retired while their password was verified has signed in, says the history",
        edits: &[Edit {
            file: SIGN_INS,
            find: r"            .check(Part::Account, account::unchanged(Key::account(&account.user_name), account.version))?
",
            replace: "",
        }],
        suite: Suite::It,
        caught_by: "test(interleavings::whoever_is_retired_with)",
    },
    Mutant {
        name: "first-sign-in-without-the-retrievals",
        breaks: "a retrieval beside the first sign-in is missing from the history",
        edits: &[Edit {
            file: SIGN_INS,
            find: "AND #seq = :q AND size(#ret) = :k",
            replace: "AND #seq = :q AND (size(#ret) = :k OR attribute_exists(#ret))",
        }],
        suite: Suite::It,
        caught_by: "test(sign_in::a_retrieval_beside_the_first_sign_in)",
    },
    Mutant {
        name: "sign-in-leaves-the-password-shown",
        breaks: "the password is shown after the service administrator signed in with it",
        edits: &[Edit {
            file: SIGN_INS,
            find: "if credential.signed_in_at.is_some() {",
            replace: "if credential.signed_in_at.is_some() || credential.issue == issue {",
        }],
        suite: Suite::It,
        caught_by: "test(sign_in::an_abandoned_reset_goes_on_after_the_next_sign_in_and_retrieval_stays_ended)",
    },
    Mutant {
        name: "sign-in-goes-on-with-a-changed-account",
        breaks: "a sign-in with the password of one issue ends the retrieval of the next",
        edits: &[Edit {
            file: SIGN_INS,
            find: "Some(current) if current.version == account.version => account = current,",
            replace: "Some(current) => account = current,",
        }],
        suite: Suite::It,
        caught_by: "test(interleavings::of_all_sessions) | test(interleavings::whoever_is_retired_with)",
    },
    Mutant {
        name: "nobody-is-retired",
        breaks: "the service administrator keeps the account beside the permanent administrator",
        edits: &[Edit {
            file: SIGN_INS,
            find: "if retires {",
            replace: "if retires && account.status != AccountStatus::Active {",
        }],
        suite: Suite::It,
        caught_by: "test(sign_in::the_story_goes_on_to_the_permanent_administrator)",
    },
    Mutant {
        name: "choice-keeps-the-version",
        breaks: "sessions from before a choice of a password live on",
        edits: &[Edit {
            file: STORED_ACCOUNT,
            find: r#".value(":one", number(1_u64))"#,
            replace: r#".value(":one", number(0_u64))"#,
        }],
        suite: Suite::It,
        caught_by: "test(reset_password::after_a_choice_the_old_session_and_the_old_password_do_nothing_and_the_new_cookie_does)",
    },
    Mutant {
        name: "choice-without-the-version",
        breaks: "of two who change one password at once both are told that they did",
        edits: &[Edit {
            file: STORED_ACCOUNT,
            find: r##"None => "#version = :v AND #status = :active","##,
            replace: r#"None => "(#version = :v OR attribute_exists(#version)) AND #status = :active","#,
        }],
        suite: Suite::It,
        caught_by: "test(interleavings::of_two_who_change_one_password_one_does_and_a_new_issue_ends_it)",
    },
    Mutant {
        name: "first-choice-without-the-version",
        breaks: "a session from before a new issue chooses the password of the new one",
        edits: &[Edit {
            file: STORED_ACCOUNT,
            find: r##"Some(_) => "#version = :v AND"##,
            replace: r#"Some(_) => "(#version = :v OR attribute_exists(#version)) AND"#,
        }],
        suite: Suite::It,
        caught_by: "test(interleavings::of_all_sessions_of_a_temporary_password_one_resets_it_and_a_new_issue_ends_them)",
    },
    Mutant {
        name: "choice-after-expiry",
        breaks: "a temporary password that has expired is changed",
        edits: &[Edit {
            file: STORED_ACCOUNT,
            find: r#"AND #expires_at > :now""#,
            replace: r#"AND (#expires_at > :now OR attribute_exists(#expires_at))""#,
        }],
        suite: Suite::It,
        caught_by: "test(reset_password::a_choice_read_before)",
    },
    Mutant {
        name: "creation-without-the-version",
        breaks: "whoever is signed out by a change creates an administrator afterwards",
        edits: &[Edit {
            file: STORED_ACCOUNT,
            find: r##"as_it_was(key, "", "#version = :v AND #status = :active", version)"##,
            replace: r#"as_it_was(key, "", "(#version = :v OR attribute_exists(#version)) AND #status = :active", version)"#,
        }],
        suite: Suite::It,
        caught_by: "test(interleavings::whoever_creates)",
    },
    Mutant {
        name: "name-of-another-click",
        breaks: "a name that somebody else has is told as created",
        edits: &[Edit {
            file: "shared/aws/src/store/administrators.rs",
            find: "Some(same) if same.created_by == new.account.created_by",
            replace: "Some(same) if same.created_by.is_some() || new.account.created_by.is_none()",
        }],
        suite: Suite::It,
        caught_by: "test(create_admin::a_name_that_is_taken_is_told_so_to_any_other_click_and_nothing_changes)",
    },
    Mutant {
        name: "name-of-another-company",
        breaks: "an administrator is created under the name of another company",
        edits: &[Edit {
            file: CREATE_ADMIN,
            find: "own.then_some(Self",
            replace: "(own || email.is_none()).then_some(Self",
        }],
        suite: Suite::It,
        caught_by: "test(create_admin::a_name_of_another_company_or_none_at_all_is_refused_alike_whether_it_exists_or_not)",
    },
    Mutant {
        name: "reset-session-creates",
        breaks: "a session that may only choose a password creates an administrator",
        edits: &[Edit {
            file: CREATE_ADMIN,
            find: "if signed_in.session.scope != Scope::Full {",
            replace: "if signed_in.session.scope != Scope::Full && key.is_none() {",
        }],
        suite: Suite::It,
        caught_by: "test(create_admin::only_a_full_session_that_lives_creates_anything)",
    },
    Mutant {
        name: "attempt-spent-after-verifying",
        breaks: "a wrong password costs nothing",
        edits: &[Edit {
            file: SIGN_IN,
            find: r"        let failures = match self.attempts.spend(&name, &network, now).await.map_err(problem)? {
            Admission::Admitted { failures } => failures,
            Admission::Exhausted { retry_after } => {
                return Err(Problem::new(ProblemCode::TooManyAttempts).retry_after(retry_after));
            }
        };
        let account = self.sign_ins.account(&name).await.map_err(problem)?;
        let account = self.verified(account, &input.password, failures, now).await?;
",
            replace: r"        let account = self.sign_ins.account(&name).await.map_err(problem)?;
        let account = self.verified(account, &input.password, None, now).await?;
        match self.attempts.spend(&name, &network, now).await.map_err(problem)? {
            Admission::Admitted { .. } => {}
            Admission::Exhausted { retry_after } => {
                return Err(Problem::new(ProblemCode::TooManyAttempts).retry_after(retry_after));
            }
        }
",
        }],
        suite: Suite::It,
        caught_by: "test(attempts::of_64_guesses_at_one_instant_from_one_network_5_are_verified_whoever_the_name_is)",
    },
    Mutant {
        name: "busy-without-its-bound",
        breaks: "a budget that is spent admits everybody",
        edits: &[Edit {
            file: ATTEMPTS,
            find: r##""#tat > :now AND #tat <= :latest""##,
            replace: r##""#tat > :now AND (#tat <= :latest OR attribute_exists(#tat))""##,
        }],
        suite: Suite::It,
        caught_by: "test(attempts::of_64_guesses_at_one_instant_from_one_network_5_are_verified_whoever_the_name_is)",
    },
    Mutant {
        name: "idle-without-its-condition",
        breaks: "a bucket is full again with every attempt",
        edits: &[Edit {
            file: ATTEMPTS,
            find: r#""attribute_not_exists(#tat) OR #tat <= :now""#,
            replace: r#""attribute_not_exists(#tat) OR #tat <= :now OR attribute_exists(#tat)""#,
        }],
        suite: Suite::It,
        caught_by: "test(attempts::of_64_guesses_at_one_instant_from_one_network_5_are_verified_whoever_the_name_is)",
    },
    Mutant {
        name: "one-attempt-more",
        breaks: "a budget admits one more than its size",
        edits: &[Edit {
            file: "shared/domain/src/attempts.rs",
            find: "Millis::from(self.burst.saturating_sub(1))",
            replace: "Millis::from(self.burst)",
        }],
        suite: Suite::It,
        caught_by: "test(attempts::of_64_guesses_at_one_instant_from_one_network_5_are_verified_whoever_the_name_is)",
    },
    Mutant {
        name: "owner-spends-with-strangers",
        breaks: "strangers who guess keep the owner out",
        edits: &[Edit {
            file: ATTEMPTS,
            find: ".is_some_and(|until| now < until)",
            replace: ".is_some_and(|until| until < now)",
        }],
        suite: Suite::It,
        caught_by: "test(attempts::strangers_and_the_owner_on_a_known_network_spend_nothing_of_each_other)",
    },
    Mutant {
        name: "failures-not-forgotten",
        breaks: "a hundred wrong passwords in a lifetime close an account",
        edits: &[Edit {
            file: ATTEMPTS,
            find: r#""SET #ttl = :until REMOVE #failures""#,
            replace: r#""SET #ttl = if_not_exists(#failures, :until)""#,
        }],
        suite: Suite::It,
        caught_by: "test(attempts::a_hundred_failures)",
    },
    Mutant {
        name: "closed-one-failure-early",
        breaks: "the hundredth wrong password in a row closes an account instead of the next",
        edits: &[Edit {
            file: ACCOUNT,
            find: "failures > FAILURES_UNTIL_CLOSED",
            replace: "failures >= FAILURES_UNTIL_CLOSED",
        }],
        suite: Suite::Unit("domain"),
        caught_by: "test(account::tests::only_a_password_that_a_person_chose_is_closed_by_guesses)",
    },
    Mutant {
        name: "closed-before-anybody-came",
        breaks: "failures from before an account was created close it",
        edits: &[Edit {
            file: ACCOUNT,
            find: "self.temporary.is_none() && has_signed_in &&",
            replace: "self.temporary.is_none() && (has_signed_in || true) &&",
        }],
        suite: Suite::It,
        caught_by: "test(attempts::nobody_closes_an_account_that_is_still_to_be_created)",
    },
    Mutant {
        name: "no-work-for-nobody",
        breaks: "an unknown name is answered without a hash, and so sooner",
        edits: &[Edit {
            file: HASHER,
            find: "None => Kept::nobodys(),",
            replace: "None => return Ok(Kept::nobodys().nobodys && false),",
        }],
        suite: Suite::Unit("lambda"),
        caught_by: "test(/^hasher::/)",
    },
    Mutant {
        name: "any-cost-of-a-hash",
        breaks: "a hash in the table is computed whatever it costs",
        edits: &[Edit {
            file: HASHER,
            find: "phc.strip_prefix(cost.prefix).map(|rest| (cost, rest))",
            replace: "phc.splitn(5, '$').nth(4).map(|rest| (cost, rest))",
        }],
        suite: Suite::Unit("lambda"),
        caught_by: "test(hasher::tests::a_hash_of_another_cost_or_form_is_refused_and_not_computed)",
    },
    Mutant {
        name: "temporary-password-after-expiry",
        breaks: "a temporary password signs in after it has expired",
        edits: &[Edit {
            file: ACCOUNT,
            find: "self.temporary.is_none_or(|temporary| now < temporary.expires_at)",
            replace: "self.temporary.is_none_or(|temporary| now != temporary.expires_at)",
        }],
        suite: Suite::It,
        caught_by: "test(sign_in::a_temporary_password_signs_in_until_it_expires_and_not_after)",
    },
    Mutant {
        name: "temporary-password-at-expiry",
        breaks: "a temporary password signs in in the second in which it expires",
        edits: &[Edit { file: ACCOUNT, find: "now < temporary.expires_at)", replace: "now <= temporary.expires_at)" }],
        suite: Suite::It,
        caught_by: "test(sign_in::a_temporary_password_signs_in_until_it_expires_and_not_after)",
    },
    Mutant {
        name: "retired-signs-in",
        breaks: "a retired account signs in",
        edits: &[Edit {
            file: ACCOUNT,
            find: "self.status == AccountStatus::Active && self",
            replace: "self.status != AccountStatus::Closed && self",
        }],
        suite: Suite::It,
        caught_by: "test(sign_in::whatever_is_wrong) | test(sign_in::the_story)",
    },
    Mutant {
        name: "session-of-any-version",
        breaks: "a session from before a choice of a password is good",
        edits: &[Edit {
            file: SESSION,
            find: "self.account_version == account.version",
            replace: "self.account_version <= account.version",
        }],
        suite: Suite::It,
        caught_by: "test(reset_password::after_a_choice_the_old_session_and_the_old_password_do_nothing_and_the_new_cookie_does)",
    },
    Mutant {
        name: "session-without-an-end",
        breaks: "a session that has expired is good",
        edits: &[Edit {
            file: SESSION,
            find: r"now < self.expires_at
",
            replace: r"now.since(self.expires_at) < LIFETIME
",
        }],
        suite: Suite::It,
        caught_by: "test(create_admin::only_a_full_session_that_lives_creates_anything)",
    },
    Mutant {
        name: "session-begins-again",
        breaks: "a session that was left begins again when a late write of it is carried out",
        edits: &[Edit {
            file: SIGN_INS,
            find: r#"let request = request.condition_expression("attribute_not_exists(PK)");"#,
            replace: r#"let request = request.condition_expression("attribute_not_exists(PK) OR attribute_exists(PK)");"#,
        }],
        suite: Suite::It,
        caught_by: "test(sign_in::whoever_has_signed_out_stays_out_when_the_write_of_their_session_arrives_late)",
    },
    Mutant {
        name: "temporary-password-kept",
        breaks: "the temporary password is chosen as the permanent one",
        edits: &[Edit {
            file: RESET_PASSWORD,
            find: "if same.map_err(hashing)? { Err",
            replace: "if !same.map_err(hashing)? && new.is_empty() { Err",
        }],
        suite: Suite::It,
        caught_by: "test(reset_password::the_temporary_password_cannot_be_kept_however_it_is_written)",
    },
    Mutant {
        name: "current-password-not-asked",
        breaks: "whoever finds a signed-in browser changes the password",
        edits: &[Edit {
            file: RESET_PASSWORD,
            find: "        if !right.map_err(hashing)? {",
            replace: "        if !right.map_err(hashing)? && current.is_empty() {",
        }],
        suite: Suite::It,
        caught_by: "test(/^reset_password::a_later_choice/)",
    },
    Mutant {
        name: "fourteen-characters",
        breaks: "a password of fourteen characters is taken",
        edits: &[Edit {
            file: PASSWORD,
            find: "pub const SHORTEST: usize = 15;",
            replace: "pub const SHORTEST: usize = 14;",
        }],
        suite: Suite::Unit("domain"),
        caught_by: "test(password::tests::a_password_has_15_to_128_code_points)",
    },
    Mutant {
        name: "common-password",
        breaks: "a password that is guessed first is taken",
        edits: &[Edit {
            file: PASSWORD,
            find: "if common::is_common(&normal, context) {",
            replace: "if common::is_common(&normal, context) && normal.is_empty() {",
        }],
        suite: Suite::Unit("domain"),
        caught_by: "test(/^password::tests::/)",
    },
    Mutant {
        name: "accents-as-typed",
        breaks: "a password typed on another keyboard is another one",
        edits: &[Edit {
            file: PASSWORD,
            find: "typed.nfc().take(LONGEST + 1)",
            replace: "typed.chars().take(LONGEST + 1)",
        }],
        suite: Suite::It,
        caught_by: "test(reset_password::however_a_keyboard_writes_an_accent_it_is_the_same_password)",
    },
    Mutant {
        name: "cookie-for-scripts",
        breaks: "a script reads the session",
        edits: &[Edit {
            file: COOKIE,
            find: r#"Max-Age={seconds}; HttpOnly; Secure; SameSite={same_site}""#,
            replace: r#"Max-Age={seconds}; Secure; SameSite={same_site}""#,
        }],
        suite: Suite::It,
        caught_by: "test(sign_in::the_cookie_is_for_this_host_alone_and_lives_as_long_as_the_session)",
    },
    Mutant {
        name: "cookie-in-the-clear",
        breaks: "the session travels without TLS",
        edits: &[Edit {
            file: COOKIE,
            find: r#"Max-Age={seconds}; HttpOnly; Secure; SameSite={same_site}""#,
            replace: r#"Max-Age={seconds}; HttpOnly; SameSite={same_site}""#,
        }],
        suite: Suite::It,
        caught_by: "test(sign_in::the_cookie_is_for_this_host_alone_and_lives_as_long_as_the_session)",
    },
    Mutant {
        name: "cookie-for-other-sites",
        breaks: "another site sends the session along",
        edits: &[Edit {
            file: COOKIE,
            find: r#"Max-Age={seconds}; HttpOnly; Secure; SameSite={same_site}""#,
            replace: r#"Max-Age={seconds}; HttpOnly; Secure; SameSite=None;{same_site}""#,
        }],
        suite: Suite::It,
        caught_by: "test(sign_in::the_cookie_is_for_this_host_alone_and_lives_as_long_as_the_session)",
    },
    Mutant {
        name: "another-site-by-its-own-words",
        breaks: "a browser says that another site asks, and it is done",
        edits: &[Edit {
            file: "shared/web/src/same_origin.rs",
            find: r#"&["same-origin", "none"]"#,
            replace: r#"&["same-origin", "same-site", "cross-site", "none"]"#,
        }],
        suite: Suite::It,
        caught_by: "test(sign_in::another_site_and_a_bad_body_are_refused_before_anything_is_spent)",
    },
    Mutant {
        name: "another-origin",
        breaks: "another site changes something by an older browser",
        edits: &[Edit {
            file: "shared/web/src/same_origin.rs",
            find: "&[public_origin]).unwrap_or(true))",
            replace: "&[public_origin]).is_none_or(|own| own || !own))",
        }],
        suite: Suite::Unit("web"),
        caught_by: "test(another_site)",
    },
    Mutant {
        name: "another-audience",
        breaks: "a token that was made for another client is taken",
        edits: &[Edit {
            file: TOKEN,
            find: r#"demand(is_for(claims, &rules.client_id), "another audience")"#,
            replace: r#"demand(is_for(claims, &rules.client_id) || claims.contains_key("aud"), "another audience")"#,
        }],
        suite: Suite::It,
        caught_by: "test(get_credentials::no_token_that_is_not_good_writes_anything)",
    },
    Mutant {
        name: "another-issuer",
        breaks: "a token of another issuer is taken",
        edits: &[Edit {
            file: TOKEN,
            find: r#"text(claims, "iss") == Some(&rules.issuer)"#,
            replace: r#"text(claims, "iss").is_some()"#,
        }],
        suite: Suite::It,
        caught_by: "test(get_credentials::no_token_that_is_not_good_writes_anything)",
    },
    Mutant {
        name: "token-at-its-end",
        breaks: "a token is taken in the second in which it ends",
        edits: &[Edit { file: TOKEN, find: "now < expires_at(claims)?", replace: "now <= expires_at(claims)?" }],
        suite: Suite::Unit("web"),
        caught_by: "test(identity::tests::token::a_token_lives_until_the_second_of_its_end)",
    },
    Mutant {
        name: "nonce-of-another-request",
        breaks: "a token that was made for another request signs its owner in here",
        edits: &[Edit {
            file: "shared/web/src/identity/mod.rs",
            find: r#"if claims.get("nonce").and_then(serde_json::Value::as_str) != Some(nonce) {"#,
            replace: r#"if nonce.is_empty() && claims.get("nonce").is_none() {"#,
        }],
        suite: Suite::It,
        caught_by: "test(portal_sign_in::a_token_for_another_request_or_application_is_refused)",
    },
    Mutant {
        name: "state-of-another-browser",
        breaks: "an answer of the provider to another browser signs that other person in here",
        edits: &[Edit {
            file: "functions/portal/src/auth.rs",
            find: "state == begun.ties.state",
            replace: "!state.is_empty() && !begun.ties.state.is_empty()",
        }],
        suite: Suite::It,
        caught_by: "test(portal_sign_in::a_response_to_another_browsers_sign_in_is_refused)",
    },
    Mutant {
        name: "return-to-another-site",
        breaks: "a link that begins a sign-in here ends it on another site",
        edits: &[Edit {
            file: "functions/portal/src/auth.rs",
            find: r#"&& !back.starts_with("//")"#,
            replace: r#"&& !back.starts_with("///")"#,
        }],
        suite: Suite::It,
        caught_by: "test(portal_sign_in::the_return_path_never_leads_to_another_site)",
    },
    Mutant {
        name: "any-algorithm",
        breaks: "a token that was signed with the public key as a shared secret is read on",
        edits: &[Edit {
            file: "shared/web/src/identity/key_set.rs",
            find: "RSA.contains(&algorithm) || matches!(algorithm, Algorithm::ES256 | Algorithm::ES384)",
            replace: "RSA.contains(&algorithm) || matches!(algorithm, Algorithm::ES256 | Algorithm::ES384 | Algorithm::HS256)",
        }],
        suite: Suite::Unit("web"),
        caught_by: "test(/^identity::tests::token::/)",
    },
    Mutant {
        name: "key-of-another-algorithm",
        breaks: "a key verifies what it was not made for",
        edits: &[Edit {
            file: "shared/web/src/identity/key_set.rs",
            find: "self.of_id(id).find(|key| is_of(key, algorithm))",
            replace: "self.of_id(id).find(|key| is_of(key, algorithm) || is_accepted(algorithm))",
        }],
        suite: Suite::Unit("web"),
        caught_by: "test(/^identity::tests::token::/)",
    },
    Mutant {
        name: "organisation-without-a-role",
        breaks: "whoever is of an organisation acts for it, whatever they are there",
        edits: &[Edit {
            file: PRINCIPALS,
            find: "!values(claims, &rule.role_claim).any(|role| role == rule.role)",
            replace: "values(claims, &rule.role_claim).any(|role| role.is_empty())",
        }],
        suite: Suite::Unit("web"),
        caught_by: "test(/^identity::tests::fixtures::/)",
    },
    Mutant {
        name: "address-that-nobody-verified",
        breaks: "an address that somebody only says is theirs counts",
        edits: &[Edit {
            file: PRINCIPALS,
            find: "EmailTrust::EmailVerified => is_email_verified(claims),",
            replace: r#"EmailTrust::EmailVerified => claims.contains_key("email"),"#,
        }],
        suite: Suite::Unit("web"),
        caught_by: "test(/^identity::tests::fixtures::/)",
    },
    Mutant {
        name: "password-in-the-log",
        breaks: "a wrong password is logged",
        edits: &[Edit {
            file: SIGN_IN,
            find: r"        let name = ClaimedName::of(&input.user_name);
",
            replace: r#"        let name = ClaimedName::of(&input.user_name);
        warn!(password = %input.password, "somebody signs in");
"#,
        }],
        suite: Suite::It,
        caught_by: "test(no_leaks::nothing_leaks_where_calls_arrive_twice)",
    },
    Mutant {
        name: "panic-in-the-log",
        breaks: "a panic is logged with its message, which may repeat anything",
        edits: &[Edit {
            file: "shared/lambda/src/log.rs",
            find: r#"error!(place, "panic");"#,
            replace: r#"error!(place, message = %info, "panic");"#,
        }],
        suite: Suite::It,
        caught_by: "test(no_leaks::a_panic)",
    },
    Mutant {
        name: "token-in-the-table",
        breaks: "the token of a session is kept instead of its digest",
        edits: &[Edit {
            file: SESSION,
            find: "SessionDigest(encode(&Sha256::digest(self.0.as_bytes())))",
            replace: "SessionDigest(self.0.to_string())",
        }],
        suite: Suite::It,
        caught_by: "test(no_leaks::nothing_leaks_where_calls_arrive_twice)",
    },
];
