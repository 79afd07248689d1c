//! Two administrators enter the product while AWS fails at random. The product uses each code, some of them several times at once; one
//! administrator resets or removes the other, and at last the subscription ends.

use super::{
    team::{AT_ONCE, LEE, MO, Member, Team, work_teams},
    *,
};

/// The number of times that each administrator enters the product.
const ENTRIES: usize = 3;

/// The most uses of one code.
const USES: usize = 3;

impl Team<'_> {
    /// Enters the product several times.
    async fn enter_product(&self, member: Member, session: Label, mut random: fastrand::Rng) {
        for _ in 0..ENTRIES {
            sleep(Duration::from_millis(random.u64(..300))).await;
            let code = self.name();
            self.perform(Op::Enter { session, who: member.who, code }).await;
            if self.scene().world.knows_code(code) {
                let uses = (0..random.usize(1..=USES)).map(|_| self.use_code(code, random.u64(..200)));
                join_all(uses.collect::<Vec<_>>()).await;
            }
        }
    }

    /// Uses a code after a while, and looks at the user of the token that it gives.
    async fn use_code(&self, code: Label, wait: u64) {
        sleep(Duration::from_millis(wait)).await;
        let token = self.name();
        self.perform(Op::Redeem { code, gives: token }).await;
        if self.scene().world.knows_access_token(token) {
            self.perform(Op::ReadUser { token }).await;
        }
    }

    /// Lets Lee reset or remove Mo.
    async fn act_on_mo(&self, session: Label, mut random: fastrand::Rng) {
        sleep(Duration::from_millis(300 + random.u64(..600))).await;
        let (who, current, gives) = (MO.who, LEE.own, self.name());
        let op = if random.bool() {
            Op::Help { session, who, current, gives }
        } else {
            Op::Remove { session, who, current }
        };
        self.perform(op).await;
    }

    /// Runs both administrators while AWS fails; when they are done, the subscription ends.
    async fn run_entries(&self, seed: u64) {
        let random = |part: u64| fastrand::Rng::with_seed(seed * 100 + part);
        let [lee, mo] = self.prepare().await;
        let left = AtomicUsize::new(1);
        let people = async {
            join!(
                self.enter_product(LEE, lee, random(0)),
                self.enter_product(MO, mo, random(1)),
                self.act_on_mo(lee, random(2)),
            );
            self.perform(Op::End { at: 1 }).await;
            left.store(0, Ordering::SeqCst);
        };
        join!(people, self.schedule().fail(fastrand::Rng::with_seed(seed), &left));
        sleep(Duration::from_millis(DELAYS[2] + 200)).await;
    }

    /// Looks at the users of all tokens after the end, and judges everything.
    async fn judge_entries(&self) -> Result<(), String> {
        self.await_end().await?;
        for token in self.scene().world.known_access_tokens() {
            self.perform(Op::ReadUser { token }).await;
        }
        self.judge().await
    }
}

/// Plays one schedule.
async fn play(team: &Team<'_>, seed: u64) -> Result<(), String> {
    team.run_entries(seed).await;
    team.judge_entries().await
}

#[tokio::test(flavor = "multi_thread")]
async fn entries_to_the_product_in_process() {
    let (seeds, report) = (Mutex::new(seeds(4, 200)), Mutex::default());
    let products = join_all((0..AT_ONCE).map(|_| Product::in_process())).await;
    let test = "entries_to_the_product_in_process";
    join_all(products.iter().map(|product| work_teams(product, &seeds, &report, (test, play)))).await;
    report.into_inner().unwrap().finish("schedules of the sign-in to the product");
}
