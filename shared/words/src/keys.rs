//! The keys of the texts.

macro_rules! words {
    ($($key:ident)*) => {
        /// The texts of one language, by key. The English text in `en.rs` says what a key means.
        #[expect(missing_docs, reason = "the English text says what a key is, better than a sentence about it")]
        #[derive(Clone, Copy)]
        pub struct Words {
            $(pub $key: &'static str,)*
        }

        impl Words {
            /// Returns every key with its text, in the same order for all languages.
            #[must_use]
            pub fn all(&self) -> Vec<(&'static str, &'static str)> {
                vec![$((stringify!($key), self.$key)),*]
            }

            pub(crate) fn map(self, each: impl Fn(&'static str) -> &'static str) -> Self {
                Self { $($key: each(self.$key)),* }
            }
        }
    };
}

words! {
    // The language itself.
    language
    direction
    date
    months
    // On every page.
    customer_portal
    administration_center
    skip
    help
    contact_support
    choose_language
    account
    sign_out
    close
    cancel
    needs_scripts
    failed
    offline
    unavailable
    forbidden
    session_ended
    sign_in_again
    // Customers: signed out.
    start_lead
    sign_in_with
    default_provider
    which_account
    go_administration
    go_administration_link
    signed_out
    signed_out_lead
    signed_out_there
    signed_out_back
    // Customers: a sign-in that failed.
    not_signed_in
    sign_in_cancelled
    sign_in_stale
    sign_in_not_accepted
    sign_in_incomplete
    sign_in_misconfigured
    sign_in_too_large
    provider_unavailable
    try_again
    // People who retrieved credentials, without a confirmed address.
    unconfirmed_account
    unconfirmed_account_first
    not_found_title
    not_found_lead
    // Customers: the list.
    subscriptions
    your_subscriptions
    none_for
    none_lead
    no_address_title
    no_address_lead
    account_without_address
    unconfirmed
    use_another_account
    list_unavailable
    nothing_is_lost
    page_unavailable
    next_page
    first_page
    end_of_list
    trial
    paid
    started
    company
    user_name
    progress
    step_mailed
    step_not_delivered
    step_complained
    step_mail_to
    step_signed_in
    step_password
    step_administrator
    step_done
    step_open
    mail_pending
    mail_delayed
    mail_not_needed
    retrievals_left
    works_until
    state_signed_in
    state_changed
    state_handed_over
    state_expired
    state_expired_support
    state_ended
    actions
    action_get
    action_resend
    action_renew
    go
    // Customers: the questions before another retrieval.
    question_other
    question_ask
    question_last
    question_last_after
    question_again
    question_retrieve
    // Customers: the window with the credentials.
    credentials_for
    retrieving
    for_whom
    temporary_password
    works_until_sentence
    copy
    copied
    copy_failed
    copy_both
    print
    copy_instructions
    hand_over
    hand_over_how
    retrievals_left_sentence
    retrieved_by_you
    retrieved_by
    go_to_center
    new_tab
    make_sure
    hidden
    show_again
    print_type
    instructions
    both
    // Customers: a welcome mail that did not reach its reader.
    undelivered
    undelivered_full
    undelivered_no_mailbox
    undelivered_domain
    undelivered_blocked
    undelivered_suppressed
    complained
    undelivered_get
    undelivered_support
    // Customers: the welcome mail again, and new credentials after they have expired.
    resent
    resend_early
    resend_used_up
    resend_impossible
    renewed
    renewed_unmailed
    renew_refused
    renewed_before
    // Customers: the history of a subscription.
    history
    history_when
    history_what
    history_who
    history_author
    history_support
    history_vendor
    history_download
    history_json_lines
    history_csv
    history_unavailable
    entry_issued
    entry_paid
    entry_portal_users_added
    entry_retrieved
    entry_signed_in
    entry_password_changed
    entry_administrator_created
    entry_administrator_signed_in
    entry_service_administrator_retired
    entry_support_requested
    entry_mail_resent
    entry_renewed
    entry_mail_failed
    entry_mail_complained
    entry_other
    // Customers: the reasons for a blank password.
    blank
    reason_signed_in
    reason_signed_in_and_changed
    reason_signed_in_only
    reason_changed
    reason_retrieved_you
    reason_retrieved_company
    reason_retrieved_company_over
    reason_retrieved_others
    list_you
    list_other
    reason_expired
    reason_ended
    too_old
    gone
    // Customers: support.
    support_title
    support_about
    support_message
    support_send
    support_sent
    support_sent_anonymous
    support_too_many
    support_empty
    message_kept
    support_lead
    support_mail
    support_desk
    support_signed_in
    support_signed_in_how
    support_have_ready
    support_ready_company
    support_ready_product
    support_ready_user
    support_never
    support_none
    // Help.
    help_title
    help_lead
    help_1
    help_2
    help_3
    help_4
    help_questions
    help_q_three
    help_a_three
    help_q_blank
    help_a_blank
    help_q_account
    help_a_account
    help_q_typing
    help_a_typing
    // The Administration Center.
    password_or_temporary
    show_password
    hide_password
    sign_in
    lost_it
    lost_it_link
    wrong_credentials
    too_many_attempts
    reset_title
    reset_lead
    new_password
    password_rule
    password_count
    reset_save
    reset_until
    password_too_short
    password_too_long
    password_too_common
    password_reused
    create_title
    create_lead
    create_another_title
    create_another_lead
    create_user_name_hint
    display_name
    display_name_other
    email
    email_other
    optional
    password
    create_closed
    create_submit
    create_too_many
    user_name_taken
    user_name_wrong
    form_wrong
    created_title
    created_lead
    created_other_lead
    home_title
    home_for
    open_product
    administrators
    add_second
    add_administrator
    you
    back_home
    // The welcome mail.
    mail_subject
    mail_hello
    mail_trying
    mail_subscribed
    mail_with_these
    mail_sign_in_here
    mail_sign_in
    mail_works_until
    mail_hand_over_how
    mail_lost
    mail_waiting
    mail_link_until
    mail_link_hand_over_how
    mail_not_asked
    // The reminder that the credentials of an issue are about to expire.
    reminder_subject
    reminder_opening
    reminder_until
    reminder_portal
    reminder_sign_in
    // Notices: mails about what someone did.
    notice_retrieved_subject
    notice_retrieved
    notice_portal_users_added_subject
    notice_portal_users_added
    notice_signed_in_subject
    notice_signed_in
    notice_password_changed_subject
    notice_password_changed
    notice_administrator_created_subject
    notice_administrator_created
    notice_other_subject
    notice_other
    notice_unconfirmed
    notice_expected
    notice_unexpected
    notice_history
    // The mail of a support request.
    request_subject
    request_title
    request_from
    request_from_unverified
    request_from_without_reply
    request_about_trial
    request_about_paid
    request_company
    request_user_name
    request_history
    request_message
    history_issued
    history_retrieved
    history_signed_in
    history_changed
    history_handed_over
    history_ended
    history_expired
    history_works_until
    // The support desk, for the vendor's staff: every page.
    desk
    desk_needs_scripts
    desk_failed
    desk_offline
    desk_left
    desk_too_many
    desk_signed_out_lead
    desk_not_found_lead
    desk_no_access
    // The support desk: the search.
    desk_find
    desk_query
    desk_search
    desk_proves_nothing
    desk_found
    desk_nothing
    desk_nothing_lead
    desk_subscription
    desk_subscription_id
    desk_state
    desk_state_issued
    desk_state_expired
    desk_state_ended
    // The support desk: what to do next with a subscription, in one sentence.
    desk_next
    desk_next_ended
    desk_next_wait
    desk_next_decide
    desk_next_unlock
    desk_next_mail
    desk_next_used_up
    desk_next_retrieve
    desk_next_renew
    desk_next_expired
    desk_next_signed_in
    desk_next_changed
    desk_next_handed_over
    desk_see_approval
    desk_see_history
    // The support desk: the welcome mail's state, and what to do about it.
    desk_mail
    desk_mail_to
    desk_mail_pending
    desk_mail_sent
    desk_mail_delayed
    desk_mail_undelivered
    desk_mail_delivered
    desk_mail_bounced
    desk_mail_suppressed
    desk_mail_complained
    desk_mail_not_needed
    // The support desk: the credentials, and who retrieved them.
    desk_credentials
    desk_issue
    desk_not_retrieved
    // The support desk: portal users.
    desk_portal_users
    desk_user_subject
    desk_user_organization
    desk_user_unknown
    desk_added_at
    desk_remove
    desk_remove_user
    desk_remove_lead
    desk_remove_others
    desk_remove_last
    desk_add
    desk_add_lead
    desk_add_by
    desk_add_address
    desk_add_subject
    desk_add_organization
    desk_email
    desk_issuer
    desk_subject
    desk_organization
    // The support desk: administrators.
    desk_administrators
    desk_service_administrator
    desk_last_signed_in
    desk_never_signed_in
    desk_account_locked
    desk_account_retired
    desk_account_closed
    desk_unlock
    desk_unlock_account
    desk_unlock_lead
    // The support desk: support requests.
    desk_requests
    desk_no_requests
    // The support desk: a reissue, and every other act.
    desk_reissue
    desk_reissue_submit
    desk_reason
    desk_reason_hint
    desk_reason_given
    desk_send_to
    desk_on_file
    desk_another
    desk_new_address
    desk_keeps
    desk_void
    desk_void_password
    desk_void_sessions
    desk_void_retrievals
    desk_void_address
    desk_sensitive
    desk_without_approval
    desk_ask
    desk_pending_first
    // The support desk: approvals.
    desk_approvals
    desk_approvals_none
    desk_asked_by
    desk_asked_at
    desk_for_whom
    desk_decide_by
    desk_not_before
    desk_approve
    desk_reject
    desk_own
    desk_fresh
    // The support desk: what an act has done.
    desk_said_reissued
    desk_said_asked
    desk_said_added
    desk_said_removed
    desk_said_unlocked
    desk_said_approved
    desk_said_rejected
    desk_said_conflict
}
