//! Whether a step happened may not be known: then it is repeated under its key, and taken back by its key where it is given up.

use std::sync::{Arc, Mutex};

use kinoko::{
    prelude::*,
    saga::{Outcome, SagaState},
    testing::TestApp,
};

use super::{Journal, Plan, Receipt, order, place_order};

#[tokio::test(start_paused = true)]
async fn a_step_that_panics_or_takes_too_long_is_repeated() {
    let (saga, journal) = place_order();
    journal.plan("charge", &[Plan::Panic, Plan::Hang]);
    let began = tokio::time::Instant::now();
    assert_eq!(saga.start("17", order(30)).await.unwrap().await.unwrap(), Receipt("lamp, 30 paid".into()));
    assert_eq!(journal.lines().iter().filter(|line| line.starts_with("charge")).count(), 3);
    // Half a second to one after the first, the limit of 5 s, one to two seconds after the second.
    let took = began.elapsed().as_millis();
    assert!((6_500..=8_100).contains(&took), "{took} ms");
}

#[tokio::test(start_paused = true)]
async fn what_is_given_up_unknown_is_taken_back_by_its_key() {
    let (saga, journal) = place_order();
    journal.plan("charge", &[Plan::Hang; 5]);
    saga.start("17", order(30)).await.unwrap().await.unwrap_err();
    assert_eq!(journal.lines()[6..], ["refund what place_order/17/charge may have charged", "release lamp"]);
}

#[tokio::test(start_paused = true)]
async fn what_turns_out_not_to_have_happened_is_not_taken_back() {
    let (saga, journal) = place_order();
    journal.plan("charge", &[Plan::Hang, Plan::Refuse]);
    saga.start("17", order(30)).await.unwrap().await.unwrap_err();
    assert_eq!(journal.lines()[3..], ["release lamp"]);
}

#[tokio::test(start_paused = true)]
async fn a_step_that_only_its_own_output_can_take_back_is_never_given_up_unknown() {
    let (saga, journal) = place_order();
    journal.plan("reserve", &[Plan::Panic; 3]);
    let handle = saga.start("17", order(30)).await.unwrap();
    let error = handle.await.unwrap_err();
    assert!(
        error.to_string().contains("parked at `reserve`: whether it happened is not known, after 3 attempts"),
        "{error}"
    );
    // Nobody can cancel what may have happened; another try tells.
    saga.cancel("17").await.unwrap();
    saga.retry("17").await.unwrap();
    while saga.status("17").await.unwrap().unwrap().instance.state == SagaState::Parked {
        tokio::task::yield_now().await;
    }
    assert_eq!(saga.handle("17").await.unwrap(), Receipt("lamp, 30 paid".into()));
}

/// Answers, or not, and notes the key of each request.
#[derive(Clone, Default)]
struct Seen(Arc<Mutex<Vec<String>>>);

impl Dependency for Seen {
    type Options = ();
    async fn setup(_: &SetupContext, (): ()) -> kinoko::Result<Self> {
        Ok(Self::default())
    }
}

#[derive(Dependencies)]
struct Bank {
    seen: Seen,
}

#[service(name = "saga_bank")]
impl Bank {
    #[rpc]
    async fn pay(&self, #[inject] cx: WorkerContext, amount: u32) -> u64 {
        let key = cx.header("kinoko.idempotency_key").and_then(|key| key.as_str()).unwrap_or("none").to_owned();
        let language = cx.get("language").and_then(|value| value.as_str()).unwrap_or("none").to_owned();
        let calls = {
            let mut seen = self.seen.0.lock().unwrap();
            seen.push(format!("{key} {language} {amount}"));
            seen.len()
        };
        if calls == 2 {
            std::future::pending::<()>().await;
        }
        u64::from(amount)
    }
}

#[derive(Dependencies)]
struct Pay {
    #[dependency(timeout = "2s")]
    bank: BankClient,
    journal: Journal,
}

#[saga(name = "pay")]
impl Pay {
    #[step(compensate = back)]
    async fn pay(&self, amount: &u32) -> Result<u64, CallError<std::convert::Infallible>> {
        Ok(self.bank.pay(*amount).await? + self.bank.pay(1).await?)
    }

    async fn back(&self, paid: Outcome<u64>) -> Result<(), Retry> {
        let paid = match paid {
            Outcome::Done(paid) => u32::try_from(paid).unwrap(),
            Outcome::Unknown(_) => 0,
        };
        self.bank.pay(paid).await.map(drop).map_err(|error| Retry::because(error.to_string()))
    }

    #[step]
    async fn end(&self, paid: &u64) -> Result<String, super::ShopError> {
        self.journal.attempt("end", format!("end {paid}")).await?;
        Ok("paid".into())
    }
}

#[derive(Dependencies)]
struct Payments {
    pay: Saga<Pay>,
    journal: Journal,
}

#[service(name = "saga_payments")]
impl Payments {
    #[rpc]
    async fn pay(&self, refuse: bool) -> kinoko::Result<String> {
        if refuse {
            self.journal.plan("end", &[Plan::Refuse]);
        }
        Ok(self.pay.start("17", 30).await?.await?)
    }
}

#[tokio::test(start_paused = true)]
async fn calls_carry_the_key_of_their_step_and_the_context_of_the_starter() {
    let seen = Seen::default();
    let app = TestApp::new().service::<Bank>().service::<Payments>().replace(seen.clone()).replace(Journal::default());
    let app = app.start().await.unwrap();
    let error = app.hook().language("de").client::<PaymentsClient>().pay(true).await.unwrap_err();
    assert!(error.to_string().contains("end was refused"), "{error}");
    app.stop().await.unwrap();
    assert_eq!(
        *seen.0.lock().unwrap(),
        [
            "pay/17/pay de 30",
            "pay/17/pay#2 de 1",
            // The second call was not answered: the step is repeated, with the same keys.
            "pay/17/pay de 30",
            "pay/17/pay#2 de 1",
            "pay/17/pay/back de 31",
        ]
    );
}
