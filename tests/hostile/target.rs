//! Services to aim at. Each test that needs settings of its own has its own, since all tests share one broker.

use std::collections::{BTreeMap, HashMap};

use kinoko::{prelude::*, protocol::Value};
use serde::{Deserialize, Serialize};

/// Nests as deep as a sender likes.
#[derive(Debug, Serialize, Deserialize)]
pub(crate) enum Tree {
    Leaf(i64),
    Not(Box<Tree>),
    Both { left: Box<Tree>, right: Box<Tree> },
    Many(Vec<Tree>),
}

#[derive(Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Line {
    sku: String,
    qty: u32,
    #[serde(default)]
    price: Option<f64>,
}

#[derive(Debug, thiserror::Error, ServiceError)]
pub(crate) enum LargeError {
    #[error("too much")]
    TooMuch { text: String },
}

macro_rules! target {
    ($type:ident, $name:tt) => {
        #[derive(Dependencies)]
        pub(crate) struct $type;

        #[service(name = $name)]
        impl $type {
            #[rpc]
            async fn echo(&self, value: Value) -> Value {
                value
            }

            #[rpc]
            #[allow(clippy::too_many_arguments, reason = "one of each type")]
            async fn typed(
                &self,
                n: u32,
                #[default("")] text: String,
                #[default([])] lines: Vec<Line>,
                tree: Option<Tree>,
                map: Option<HashMap<String, f64>>,
                ids: Option<BTreeMap<u16, Vec<()>>>,
                bytes: Option<serde_bytes::ByteBuf>,
                address: Option<std::net::IpAddr>,
            ) -> (u32, usize) {
                drop((tree, map, ids, bytes, address));
                (n, text.len() + lines.len())
            }

            #[rpc]
            fn borrowed(&self, text: &str, numbers: &[i64], pair: (bool, char)) -> i64 {
                let _ = (text, pair);
                numbers.iter().fold(0, |sum, number| sum.wrapping_add(*number))
            }

            #[rpc]
            async fn large(&self, bytes: usize, fail: bool) -> Result<String, LargeError> {
                let text = "x".repeat(bytes);
                if fail { Err(LargeError::TooMuch { text }) } else { Ok(text) }
            }

            #[rpc]
            async fn wait(&self, #[inject] cx: WorkerContext) {
                // Its caller gives up first, which drops this.
                let _ = cx;
                std::future::pending::<()>().await;
            }

            #[rpc]
            async fn context(&self, #[inject] cx: WorkerContext) -> (Vec<String>, usize) {
                (cx.parent_call_ids(), cx.data().count())
            }
        }
    };
}

target!(Requests, "hostile_requests");
target!(LimitedRequests, "hostile_limited_requests");
target!(LimitedAnswers, "hostile_limited_answers");
target!(LimitedReplies, "hostile_limited_replies");
target!(Flooded, "hostile_flooded");
