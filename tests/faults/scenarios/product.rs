//! The scenarios of the sign-in to the product.

use support::specification::{
    ADMINISTRATOR_PASSWORD, Label, Op,
    UserName::{self, Admin, Lee, Mo},
};

use super::{
    A_MINUTE, Scenario, admin_created, password_chosen, scenario, sign_in,
    team::{self, END},
};

/// The time after which a token has expired.
const FIVE_MINUTES: Op = Op::Wait { seconds: 300 };

fn enter(session: Label, who: UserName, code: Label) -> Op {
    Op::Enter { session, who, code }
}

fn redeem(code: Label, gives: Label) -> Op {
    Op::Redeem { code, gives }
}

fn read_user(token: Label) -> Op {
    Op::ReadUser { token }
}

fn after(before: Vec<Op>, more: &[Op]) -> Vec<Op> {
    [before, more.to_vec()].concat()
}

/// A subscription that is handed over to Lee, whose session is `L` and whose code is `code`.
fn entered() -> Vec<Op> {
    [admin_created(), vec![sign_in(Lee, "L"), enter("L", Lee, "code")]].concat()
}

/// The same, after the product has redeemed the code for `token`.
fn redeemed() -> Vec<Op> {
    after(entered(), &[redeem("code", "token")])
}

/// A subscription with Lee and Mo, whose code in the session `M` is `code`.
fn mo_entered() -> Vec<Op> {
    after(team::proven(), &[enter("M", Mo, "code")])
}

/// The operations that show which tokens are good, before and after another use of each code.
fn uses() -> Vec<Op> {
    let look = ["token", "one", "again"].map(read_user);
    let uses = ["code", "again"].map(|code| redeem(code, "later"));
    [&look[..], &uses, &look, &[read_user("later")]].concat()
}

/// The scenarios of `product-sign-in`.
pub(super) fn sign_ins() -> Vec<Scenario> {
    let [helps, removes] = [
        Op::Help { session: "L", who: Mo, current: ADMINISTRATOR_PASSWORD, gives: "one" },
        Op::Remove { session: "L", who: Mo, current: ADMINISTRATOR_PASSWORD },
    ];
    let run = |state, before, op| scenario("product-sign-in", state, before, op, uses());
    let handed_over = || [admin_created(), vec![sign_in(Lee, "L")]].concat();
    let lee_enters = enter("L", Lee, "code");
    let use_it = redeem("code", "one");
    vec![
        run("entered", handed_over(), lee_enters),
        run("entered by the service administrator", password_chosen(), enter("F", Admin, "code")),
        run("entered on the page of another account", team::proven(), enter("L", Mo, "code")),
        run("entered after a removal", after(team::proven(), &[removes]), enter("M", Mo, "code")),
        run("entered after the end", after(handed_over(), &[END]), lee_enters),
        run("redeemed", entered(), use_it),
        run("redeemed before", redeemed(), use_it),
        run("redeemed twice before", after(redeemed(), &[redeem("code", "other")]), use_it),
        run("redeemed after a minute", after(entered(), &[A_MINUTE]), use_it),
        run("redeemed after a reset", after(mo_entered(), &[helps]), use_it),
        run("redeemed after a removal", after(mo_entered(), &[removes]), use_it),
        run("redeemed after the end", after(entered(), &[END]), use_it),
        run("known", redeemed(), read_user("token")),
        run("known for five minutes", after(redeemed(), &[FIVE_MINUTES]), read_user("token")),
        run("known until a removal", after(mo_entered(), &[redeem("code", "token"), removes]), read_user("token")),
        run("known until the end", after(redeemed(), &[END]), read_user("token")),
    ]
}
