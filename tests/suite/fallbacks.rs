//! What stands in the place of a call whose service is not well: the last good answer, or what a function says. And options of single methods.

use std::{
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering::SeqCst},
    },
    time::Duration,
};

use kinoko::{CallError, prelude::*, resilience::CircuitBreaker};
use tokio::time::advance;

/// What the catalog does: counts who asks, and goes up and down.
#[derive(Clone, Default)]
struct Catalog {
    asked: Arc<AtomicUsize>,
    /// 0: well, 1: fails, 2: hangs.
    state: Arc<AtomicUsize>,
}

thread_local! {
    static CATALOG: Catalog = Catalog::default();
}

impl Dependency for Catalog {
    type Options = ();
    async fn setup(_: &SetupContext, (): ()) -> kinoko::Result<Self> {
        Ok(CATALOG.with(Clone::clone))
    }
}

impl Catalog {
    fn is(&self, state: usize) {
        self.state.store(state, SeqCst);
    }
}

#[derive(Debug, thiserror::Error, ServiceError)]
enum PriceError {
    #[error("no article {0}")]
    #[fault(http = 404)]
    NoArticle(u32),
    #[error("the catalog is down")]
    Down,
}

#[derive(Dependencies)]
struct Prices {
    catalog: Catalog,
}

#[service(name = "fallbacks_prices")]
impl Prices {
    /// A hundred times the article's number, and a little more with each time that anybody asks.
    #[rpc]
    async fn price(&self, article: u32) -> Result<u32, PriceError> {
        let asked = self.catalog.asked.fetch_add(1, SeqCst);
        match self.catalog.state.load(SeqCst) {
            1 => Err(PriceError::Down),
            2 => std::future::pending().await,
            _ if article == 404 => Err(PriceError::NoArticle(article)),
            _ => Ok(article * 100 + u32::try_from(asked).unwrap()),
        }
    }

    #[rpc(name = "how_many")]
    async fn stock(&self) -> Result<u32, PriceError> {
        if self.catalog.state.load(SeqCst) == 0 { Ok(3) } else { Err(PriceError::Down) }
    }
}

/// Shows prices. What cannot be had costs 1 where the circuit is open, 2 where nobody answers, and fails otherwise.
#[derive(Dependencies)]
struct Window {
    #[dependency(
        timeout = "10s",
        breaker = breaker(),
        methods(price(timeout = "1s", fallback = instead), stock(fallback = Self::none)),
    )]
    prices: PricesClient,
}

fn breaker() -> CircuitBreaker {
    CircuitBreaker { min_calls: 4, open_for: Duration::from_secs(60), ..CircuitBreaker::default() }
}

async fn instead(error: CallError<PriceError>) -> Result<u32, CallError<PriceError>> {
    match error {
        CallError::CircuitOpen(_) => Ok(1),
        CallError::Timeout(_) => Ok(2),
        error => Err(error),
    }
}

impl Window {
    async fn none(_: CallError<PriceError>) -> Result<u32, CallError<PriceError>> {
        Ok(0)
    }
}

#[service(name = "fallbacks_window")]
impl Window {
    #[rpc(timeout = "1h")]
    async fn price(&self, article: u32) -> Result<u32, kinoko::Error> {
        Ok(self.prices.price(article).await?)
    }

    #[rpc(timeout = "1h")]
    async fn stock(&self) -> Result<u32, kinoko::Error> {
        Ok(self.prices.stock().await?)
    }

    /// Sent now, awaited later.
    #[rpc(timeout = "1h")]
    async fn price_later(&self, article: u32) -> Result<u32, kinoko::Error> {
        let pending = self.prices.price(article).send().await.map_err(kinoko::Error::from)?;
        Ok(pending.await?)
    }
}

#[tokio::test(start_paused = true)]
async fn a_function_answers_where_the_service_does_not() {
    let app = App::new().service::<Prices>().service::<Window>().start().await.unwrap();
    let (catalog, window) = (CATALOG.with(Clone::clone), app.client::<WindowClient>());
    assert_eq!(window.price(5).await.unwrap(), 500);
    let answer = window.price(404).await.unwrap_err().to_string();
    assert!(answer.contains("no article 404"), "an answer is one: {answer}");
    catalog.is(1);
    let failed = window.price(5).await.unwrap_err().to_string();
    assert!(failed.contains("the catalog is down"), "the fallback's error is the call's: {failed}");
    assert_eq!(window.stock().await.unwrap(), 0, "each method has its own");
    catalog.is(2);
    let began = tokio::time::Instant::now();
    assert_eq!(window.price(5).await.unwrap(), 2);
    assert_eq!(began.elapsed().as_secs(), 1, "the method's own timeout");
    assert!(window.price_later(5).await.is_err(), "what is awaited later is one attempt");
    catalog.is(0);
    assert_eq!(window.price(5).await.unwrap(), 1, "the circuit is open");
    assert_eq!(window.stock().await.unwrap(), 3, "another method's circuit is not");
    app.stop().await.unwrap();
}

#[derive(Dependencies)]
struct Shelf {
    #[dependency(methods(price(last_good = "5m", timeout = "1s", fallback = instead)))]
    prices: PricesClient,
}

#[service(name = "fallbacks_shelf")]
impl Shelf {
    #[rpc(timeout = "1h")]
    async fn price(&self, article: u32) -> Result<u32, kinoko::Error> {
        Ok(self.prices.price(article).idempotency_key(format!("{:?}", tokio::time::Instant::now())).await?)
    }
}

#[tokio::test(start_paused = true)]
async fn the_last_good_answer_serves_the_same_call_of_the_same_caller() {
    let app = App::new().service::<Prices>().service::<Shelf>().start().await.unwrap();
    let (catalog, shelf) = (CATALOG.with(Clone::clone), app.client::<ShelfClient>());
    assert_eq!(shelf.price(5).await.unwrap(), 500);
    assert_eq!(shelf.price(5).await.unwrap(), 501);
    assert_eq!(shelf.price(6).auth_token("ada's").await.unwrap(), 602);
    catalog.is(1);
    assert_eq!(shelf.price(5).await.unwrap(), 501, "the last one");
    assert_eq!(shelf.price(6).auth_token("ada's").await.unwrap(), 602);
    for other in [shelf.price(7), shelf.price(6), shelf.price(6).auth_token("bob's"), shelf.price(5).context("a", 1)] {
        assert!(other.await.unwrap_err().to_string().contains("down"));
    }
    advance(Duration::from_secs(298)).await;
    catalog.is(2);
    assert_eq!(shelf.price(5).await.unwrap(), 501);
    advance(Duration::from_secs(1)).await;
    assert_eq!(shelf.price(5).await.unwrap(), 2, "it is too old, and the function answers");
    catalog.is(0);
    assert!(shelf.price(404).await.unwrap_err().to_string().contains("no article"), "no answer takes this one's place");
    app.stop().await.unwrap();
}

/// A caller that is out of time itself says nothing of the service.
#[tokio::test(start_paused = true)]
async fn who_calls_too_late_opens_no_circuit() {
    #[derive(Dependencies)]
    struct Late {
        #[dependency(breaker = breaker())]
        prices: PricesClient,
    }

    #[service(name = "fallbacks_late")]
    impl Late {
        #[rpc(timeout = "1h")]
        async fn price(&self) -> Result<u32, kinoko::Error> {
            for _ in 0..10 {
                let late = self.prices.price(1).timeout(Duration::ZERO).await.unwrap_err();
                assert!(matches!(late, CallError::Timeout(timeout) if !timeout.sent));
            }
            Ok(self.prices.price(1).await?)
        }
    }

    let app = App::new().service::<Prices>().service::<Late>().start().await.unwrap();
    assert_eq!(app.client::<LateClient>().price().await.unwrap(), 100);
    app.stop().await.unwrap();
}
