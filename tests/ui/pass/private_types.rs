//! A service in a module of its own, with types that nobody else may name, and arguments that only travel inwards.
#![deny(warnings, missing_docs, missing_debug_implementations, unreachable_pub)]
#![forbid(unsafe_code)]

mod warehouse {
    mod stock {
        use kinoko::prelude::*;
        use serde::{Deserialize, Serialize};

        #[derive(Debug, Serialize, Deserialize)]
        struct Hidden {
            left: u32,
        }

        #[derive(Dependencies)]
        pub(super) struct Stock;

        #[service(name = "stock")]
        impl Stock {
            #[rpc]
            fn hidden(&self, hidden: Hidden) -> Hidden {
                hidden
            }

            #[rpc]
            fn left(&self) -> u32 {
                3
            }
        }

        #[event(source = "stock")]
        #[derive(Serialize, Deserialize)]
        struct Emptied {
            left: u32,
        }

        #[derive(EventSet)]
        enum StockEvent {
            Emptied(Emptied),
        }

        #[derive(Dependencies)]
        pub(super) struct Listener;

        #[service(name = "listener")]
        impl Listener {
            #[event_handler(Emptied)]
            fn emptied(&self, emptied: Emptied) {
                assert_eq!(emptied.left, 0);
            }

            #[event_handler(StockEvent, kind = "broadcast")]
            fn any(&self, StockEvent::Emptied(Emptied { left }): StockEvent) {
                assert_eq!(left, 0);
            }
        }

        #[derive(Deserialize)]
        struct Inwards {
            left: u32,
        }

        #[derive(Dependencies)]
        pub(super) struct Sink;

        #[service(name = "sink", client = false, wire = "nameko")]
        impl Sink {
            #[rpc]
            fn take(&self, inwards: Inwards) -> u32 {
                inwards.left
            }
        }
    }

    pub(super) async fn run() -> kinoko::Result<()> {
        let app = kinoko::App::new().service::<stock::Stock>().service::<stock::Sink>().service::<stock::Listener>().start().await?;
        assert_eq!(app.client::<stock::StockClient>().left().await?, 3);
        assert_eq!(app.proxy().call("sink", "take").kwarg("inwards", serde_json::json!({"left": 2})).await?, 2);
        app.stop().await
    }
}

#[kinoko::main]
async fn main() -> kinoko::Result<()> {
    warehouse::run().await
}
