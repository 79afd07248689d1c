//! The team of a subscription: its page, the form for a new colleague, the questions before a colleague is helped or removed, and the form
//! for another password of one's own.

use askama::Template;
use aws::{SignedIn, TeamMember};
use domain::{Role, Scope};
use http::StatusCode;
use web::{Problem, Reply};

use super::{
    Frame, Policy,
    administration::{HERE, PASSWORD, as_account},
    reply,
};
use crate::Visit;

#[derive(Template)]
#[template(path = "home.html")]
struct HomePage<'a> {
    f: Frame<'a>,
    signed_in: SignedIn,
    team: Vec<TeamMember>,
}

#[derive(Template)]
#[template(path = "add.html")]
struct AddPage<'a> {
    f: Frame<'a>,
    signed_in: SignedIn,
    /// The end of every user name of the company, such as `@fabrikam`.
    suffix: String,
}

#[derive(Template)]
#[template(path = "reset.html")]
struct ResetPage<'a> {
    f: Frame<'a>,
    signed_in: SignedIn,
    member: TeamMember,
    /// Whether the account is closed, so that the reset opens it again.
    is_former: bool,
}

#[derive(Template)]
#[template(path = "former.html")]
struct FormerPage<'a> {
    f: Frame<'a>,
    former: Vec<TeamMember>,
}

#[derive(Template)]
#[template(path = "remove.html")]
struct RemovePage<'a> {
    f: Frame<'a>,
    signed_in: SignedIn,
    member: TeamMember,
    is_service: bool,
}

#[derive(Template)]
#[template(path = "remove_self.html")]
struct RemoveSelfPage<'a> {
    f: Frame<'a>,
    why: &'static str,
}

#[derive(Template)]
#[template(path = "change.html")]
struct ChangePage<'a> {
    f: Frame<'a>,
    signed_in: SignedIn,
}

impl HomePage<'_> {
    /// Returns the number of permanent accounts.
    fn administrators(&self) -> usize {
        administrators(&self.team)
    }

    fn is_own(&self, member: &TeamMember) -> bool {
        member.account_id == self.signed_in.account.account_id
    }

    #[expect(clippy::unused_self, reason = "templates call methods of their page")]
    fn is_service(&self, member: &TeamMember) -> bool {
        is_service(member)
    }

    /// Returns the name that the list shows for a member. The service administrator has none of their own.
    fn name<'m>(&self, member: &'m TeamMember) -> &'m str {
        if is_service(member) { self.f.w.service_administrator } else { &member.display_name }
    }
}

impl Visit<'_> {
    /// Shows the team to an administrator.
    pub(crate) async fn team(&self, signed_in: SignedIn) -> Result<Reply, Problem> {
        let f = self.frame().in_administration();
        let team = self.app.team.list(&signed_in.credential).await?;
        let own = |one: &&TeamMember| one.account_id == signed_in.account.account_id;
        let name = team.iter().find(own).map_or("", |own| &*own.display_name);
        let title = f.with(f.w.home_title, "name", name);
        let page = HomePage { f: as_account(f, &signed_in).titled(&title), signed_in, team };
        reply(StatusCode::OK, Policy::Acts, &page, &page.f)
    }

    /// Shows the form for a new colleague of an administrator.
    pub(crate) fn add_administrator(&self, signed_in: SignedIn, suffix: String) -> Result<Reply, Problem> {
        let f = self.frame().in_administration();
        let title = f.w.create_another_title;
        let page = AddPage { f: as_account(f, &signed_in).titled(title), suffix, signed_in };
        reply(StatusCode::OK, Policy::Acts, &page, &page.f)
    }

    /// Shows the form for another password to an administrator.
    pub(crate) fn change_password(&self, signed_in: SignedIn) -> Result<Reply, Problem> {
        let f = self.frame().in_administration();
        let title = f.w.change_title;
        let page = ChangePage { f: as_account(f, &signed_in).titled(title), signed_in };
        reply(StatusCode::OK, Policy::Acts, &page, &page.f)
    }

    /// Asks an administrator whether the password of a colleague is to be reset. The password of the service administrator is reissued by
    /// the support desk instead.
    pub(crate) async fn reset_administrator(&self, account_id: &str) -> Result<Reply, Problem> {
        let Some(signed_in) = self.administrator().await? else { return Ok(web::see_other(HERE)) };
        if account_id == signed_in.account.account_id {
            return Ok(web::see_other(PASSWORD));
        }
        let active = member(self.app.team.list(&signed_in.credential).await?, account_id);
        let is_former = active.is_none();
        let found = match active {
            Some(active) => Some(active),
            None => member(self.app.team.removed(&signed_in.credential).await?, account_id),
        };
        let Some(member) = found.filter(|one| !is_service(one)) else { return self.not_found() };
        let f = self.frame().in_administration();
        let title = f.with(f.w.reset_other_title, "name", &member.display_name);
        let page = ResetPage { f: as_account(f, &signed_in).titled(&title), signed_in, member, is_former };
        reply(StatusCode::OK, Policy::Acts, &page, &page.f)
    }

    /// Shows an administrator the colleagues who were removed.
    pub(crate) async fn removed_administrators(&self) -> Result<Reply, Problem> {
        let Some(signed_in) = self.administrator().await? else { return Ok(web::see_other(HERE)) };
        let former = self.app.team.removed(&signed_in.credential).await?;
        let f = self.frame().in_administration();
        let title = f.w.former_title;
        let page = FormerPage { f: as_account(f, &signed_in).titled(title), former };
        reply(StatusCode::OK, Policy::Acts, &page, &page.f)
    }

    /// Asks an administrator whether a colleague or the service administrator is to be removed.
    pub(crate) async fn remove_administrator(&self, account_id: &str) -> Result<Reply, Problem> {
        let Some(signed_in) = self.administrator().await? else { return Ok(web::see_other(HERE)) };
        let team = self.app.team.list(&signed_in.credential).await?;
        let f = as_account(self.frame().in_administration(), &signed_in);
        if account_id == signed_in.account.account_id {
            let has_proven_colleague = team.iter().any(|one| one.account_id != account_id && is_proven(one));
            let why = if has_proven_colleague { f.w.remove_self_lead } else { f.w.last_administrator };
            let title = f.w.remove_self_title;
            let page = RemoveSelfPage { f: f.titled(title), why };
            return reply(StatusCode::OK, Policy::Acts, &page, &page.f);
        }
        let Some(member) = member(team, account_id) else { return self.not_found() };
        let is_service = is_service(&member);
        let title = if is_service { f.w.remove_service_title } else { f.w.remove_title };
        let title = f.with(title, "name", &member.display_name);
        let page = RemovePage { f: f.titled(&title), signed_in, member, is_service };
        reply(StatusCode::OK, Policy::Acts, &page, &page.f)
    }

    /// Returns the session of a permanent administrator with a password of their own, or `None` for any other.
    async fn administrator(&self) -> Result<Option<SignedIn>, Problem> {
        let is_administrator =
            |one: &SignedIn| one.session.scope == Scope::Full && one.account.role == Role::Administrator;
        Ok(self.session().await?.filter(is_administrator))
    }
}

/// Returns the number of permanent accounts in a team.
fn administrators(team: &[TeamMember]) -> usize {
    team.iter().filter(|one| !is_service(one)).count()
}

fn member(team: Vec<TeamMember>, account_id: &str) -> Option<TeamMember> {
    team.into_iter().find(|one| one.account_id == account_id)
}

/// Returns whether a member is an administrator who has signed in since the account was created or last reset, as far as the list tells.
fn is_proven(member: &TeamMember) -> bool {
    !is_service(member) && !member.is_waiting
}

fn is_service(member: &TeamMember) -> bool {
    member.role == Role::ServiceAdministrator
}
