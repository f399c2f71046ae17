//! A dependency provider of our own: what things cost.

use std::{collections::BTreeMap, sync::Arc};

use contracts::{Line, Sku};
use kinoko::{SettingInfo, prelude::*};

const SETTING: &str = "orders.prices";

/// What each article costs, in cents: the setting `orders.prices`. Cheap to clone, as every dependency.
#[derive(Debug, Clone)]
pub struct Prices(Arc<BTreeMap<Sku, u64>>);

impl Dependency for Prices {
    type Options = ();

    async fn setup(cx: &SetupContext, (): ()) -> kinoko::Result<Self> {
        Ok(cx.settings().get::<BTreeMap<Sku, u64>>(SETTING)?.map(Self::new).unwrap_or_default())
    }

    fn settings((): &()) -> Vec<SettingInfo> {
        vec![SettingInfo::new(SETTING).default_text("those of the demonstration")]
    }
}

impl Default for Prices {
    fn default() -> Self {
        Self::new(
            [("TEAPOT", 2_450), ("CUP", 390), ("LAST-ONE", 9_900)].map(|(sku, cents)| (Sku::new(sku), cents)).into(),
        )
    }
}

impl Prices {
    /// These prices.
    pub fn new(prices: BTreeMap<Sku, u64>) -> Self {
        Self(Arc::new(prices))
    }

    /// What these lines cost. What has no price is a present.
    pub fn of(&self, lines: &[Line]) -> u64 {
        lines.iter().map(|line| self.0.get(&line.sku).copied().unwrap_or(0) * u64::from(line.quantity)).sum()
    }
}
