//! The testing module: what is replaced, restricted, called directly and waited for.

mod hook;
mod replaced;
mod waiter;

use std::{
    sync::{Arc, Mutex},
    time::Duration,
};

use kinoko::{Language, ServiceError, prelude::*};
use kinoko_tests::unique;

/// A dependency that notes its life.
#[derive(Clone, Default)]
struct Oven {
    name: &'static str,
    notes: Arc<Mutex<Vec<String>>>,
}

impl Oven {
    fn fake() -> Self {
        Self { name: "fake", notes: Arc::default() }
    }

    fn note(&self, what: &str) {
        self.notes.lock().unwrap().push(what.to_owned());
    }

    fn notes(&self) -> Vec<String> {
        self.notes.lock().unwrap().clone()
    }
}

impl Dependency for Oven {
    type Options = ();

    async fn setup(_: &SetupContext, (): ()) -> kinoko::Result<Self> {
        Ok(Self { name: "real", notes: Arc::default() })
    }

    async fn start(&self) -> kinoko::Result<()> {
        self.note("start");
        Ok(())
    }

    async fn stop(&self) -> kinoko::Result<()> {
        self.note("stop");
        Ok(())
    }

    async fn worker_teardown(&self, cx: &WorkerContext) -> kinoko::Result<()> {
        self.note(&format!("teardown of {}", cx.entrypoint()));
        match cx.get("oven") {
            Some(text) if text == "broken" => Err(kinoko::Error::msg("the oven is broken")),
            _ => Ok(()),
        }
    }
}

/// A provider that requires another one.
#[derive(Clone)]
struct Recipes(Oven);

impl Dependency for Recipes {
    type Options = ();

    async fn setup(cx: &SetupContext, (): ()) -> kinoko::Result<Self> {
        Ok(Self(cx.require().await?))
    }
}

#[derive(Debug, PartialEq, thiserror::Error, ServiceError)]
enum KitchenError {
    #[error("no {dish} today")]
    OffTheMenu { dish: String },
}

#[derive(Dependencies)]
struct Kitchen {
    oven: Oven,
    second: Oven,
    recipes: Recipes,
}

#[service(name = "kitchen")]
impl Kitchen {
    #[rpc]
    fn ovens(&self) -> Vec<String> {
        [&self.oven, &self.second, &self.recipes.0].map(|oven| oven.name.to_owned()).into()
    }

    #[rpc(sensitive(table))]
    fn cook(&self, dish: String, #[default(1)] table: u32) -> Result<String, KitchenError> {
        match &*dish {
            "soup" => Ok(format!("{dish} for table {table}")),
            "fire" => panic!("the kitchen burns"),
            _ => Err(KitchenError::OffTheMenu { dish }),
        }
    }

    #[rpc]
    fn greet(&self, #[inject] language: Option<Language>, #[inject] cx: WorkerContext) -> (String, Vec<String>) {
        (language.map_or_else(|| "en".to_owned(), |language| language.0), cx.parent_call_ids())
    }

    #[rpc(max_workers = 1)]
    async fn simmer(&self) {
        tokio::time::sleep(Duration::from_secs(3_600)).await;
    }
}

#[derive(Dependencies)]
struct Waiters {
    kitchen: KitchenClient,
}

#[service(name = "waiters")]
impl Waiters {
    #[rpc]
    async fn order(&self, dish: String) -> kinoko::Result<String> {
        Ok(self.kitchen.cook(dish, 7).await?)
    }

    /// Orders, and does not wait for it.
    #[rpc]
    async fn shout(&self, dish: String) -> kinoko::Result<()> {
        self.kitchen.cook(dish, 8).send().await.map(drop).map_err(kinoko::Error::from)
    }
}

fn shared_broker() -> String {
    format!("memory://{}", unique("testing"))
}
