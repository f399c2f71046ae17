//! Metrics of a service's own.

use std::time::Duration;

use kinoko::{
    metrics::{Counter, Gauge, Histogram},
    prelude::*,
};

use crate::scrape::{scrape, settings};

#[derive(Dependencies)]
struct Counting {
    #[dependency(name = "counting_orders_total", help = "Orders that were \"placed\"")]
    orders: Counter,
    #[dependency(name = "counting_paid", labels = ["method", "country"])]
    paid: Counter<2>,
    #[dependency(name = "counting_left", labels = ["sku"])]
    left: Gauge<1>,
    #[dependency(name = "counting_lines", buckets = [1.0, 5.0])]
    lines: Histogram,
}

#[service(name = "counting")]
impl Counting {
    #[rpc]
    fn place(&self, lines: u32) {
        self.orders.inc();
        self.paid.with(["card", "d\"e"]).add(2);
        let left = self.left.with(["A-1"]);
        left.set(10.5);
        left.add(-3.0);
        self.lines.observe(f64::from(lines));
        self.lines.observe_duration(Duration::from_secs(2));
        self.lines.observe(f64::NAN);
    }

    #[rpc]
    fn flood(&self) {
        for number in 0..1_000 {
            self.left.with([&number.to_string()]).set(1.0);
        }
    }
}

/// Names the same metric as [`Counting`].
#[derive(Dependencies)]
struct Sharing {
    #[dependency(name = "counting_orders")]
    orders: Counter,
}

#[service(name = "sharing")]
impl Sharing {
    #[rpc]
    fn place(&self) -> u64 {
        self.orders.inc();
        self.orders.value()
    }
}

#[tokio::test]
async fn own_metrics_are_scraped_beside_kinokos() {
    let app = App::new().service::<Counting>().service::<Sharing>().settings(settings("{}")).start().await.unwrap();
    assert_eq!(scrape(&app).await.value("counting_orders_total"), Some(0.0), "it is there before anybody counts");
    app.client::<CountingClient>().place(3).await.unwrap();
    assert_eq!(app.client::<SharingClient>().place().await.unwrap(), 2, "one name, one metric");
    let scrape = scrape(&app).await;
    assert_eq!(scrape.value("counting_orders_total"), Some(2.0));
    assert_eq!(scrape.lines("# HELP counting_orders "), ["# HELP counting_orders Orders that were \\\"placed\\\""]);
    assert_eq!(scrape.value("counting_paid_total{method=\"card\",country=\"d\\\"e\"}"), Some(2.0));
    assert_eq!(scrape.value("counting_left{sku=\"A-1\"}"), Some(7.5));
    let bucket = |le: &str| scrape.value(&format!("counting_lines_bucket{{le=\"{le}\"}}"));
    assert_eq!([bucket("1.0"), bucket("5.0"), bucket("+Inf")], [Some(0.0), Some(2.0), Some(2.0)]);
    app.stop().await.unwrap();
}

#[tokio::test]
async fn values_from_callers_do_not_make_series_without_end() {
    let app = App::new().service::<Counting>().settings(settings("{}")).start().await.unwrap();
    app.client::<CountingClient>().flood().await.unwrap();
    let scrape = scrape(&app).await;
    assert_eq!(scrape.lines("counting_left{").len(), 201);
    assert_eq!(scrape.value("counting_left{sku=\"other\"}"), Some(1.0));
    app.stop().await.unwrap();
}

macro_rules! misnamed {
    ($service:ident, $name:tt, $ty:ty, $($option:tt)*) => {
        #[derive(Dependencies)]
        struct $service {
            #[dependency($($option)*)]
            #[allow(dead_code, reason = "it does not come to that")]
            metric: $ty,
        }

        #[service(name = $name)]
        impl $service {
            #[rpc]
            fn nothing(&self) {}
        }
    };
}

misnamed!(Nameless, "nameless", Counter, help = "what is it called");
misnamed!(Odd, "odd", Counter, name = "9 lives");
misnamed!(Ours, "ours", Counter, name = "kinoko_orders");
misnamed!(Unlabelled, "unlabelled", Counter<1>, name = "unlabelled");
misnamed!(Labelled, "labelled", Counter, name = "labelled", labels = ["method"]);
misnamed!(Reserved, "reserved", Histogram<1>, name = "reserved", labels = ["le"]);
misnamed!(Falling, "falling", Histogram, name = "falling", buckets = [2.0, 1.0]);
misnamed!(Other, "other_kind", Gauge, name = "counting_orders");

#[tokio::test]
async fn what_prometheus_would_not_take_ends_the_start() {
    async fn refused<S: kinoko::service::Service>() -> String {
        let app = App::new().service::<Counting>().service::<S>().start().await;
        app.unwrap_err().to_string()
    }
    for (error, said) in [
        (refused::<Nameless>().await, "a `Counter` field needs a name"),
        (refused::<Odd>().await, "`9 lives` is no name of a metric"),
        (refused::<Ours>().await, "is kinoko's own"),
        (refused::<Unlabelled>().await, "has 0 labels and its field is made for 1: write `Counter`"),
        (refused::<Labelled>().await, "has 1 labels and its field is made for 0: write `Counter<1>`"),
        (refused::<Reserved>().await, "`le` is no label"),
        (refused::<Falling>().await, "have to ascend"),
        (refused::<Other>().await, "is a `Counter` with the labels [] elsewhere, and a `Gauge`"),
    ] {
        assert!(error.contains(said), "{error}");
        assert!(error.contains("`metric`"), "it names the field: {error}");
    }
}
