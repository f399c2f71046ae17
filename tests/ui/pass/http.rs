//! Every place of a parameter, every kind of answer, every door beside another.
#![deny(warnings)]

use kinoko::{
    http::axum::{
        Json,
        extract::Path,
        http::{HeaderMap, StatusCode},
    },
    prelude::*,
};
use serde::{Deserialize, Serialize};

#[derive(Deserialize, Serialize)]
pub struct Order {
    id: u32,
}

#[derive(Deserialize)]
struct Filter {
    #[allow(dead_code, reason = "only read")]
    name: Option<String>,
}

#[derive(Debug, thiserror::Error, ServiceError)]
pub enum OrderError {
    #[error("no order {id}")]
    #[fault(http = 404)]
    NotFound { id: u32 },
}

type Fallible<T> = Result<T, OrderError>;

#[contract(name = "orders")]
pub trait Orders {
    async fn get(&self, id: u32) -> Result<Order, OrderError>;
}

#[derive(Dependencies)]
struct Desk;

#[service(contract = Orders, http = "/api")]
impl Desk {
    /// One order.
    #[rpc]
    #[http(GET, "/orders/{id}", tag = "orders", summary = "One", deprecated)]
    #[http(GET, "/old/{id}", hide)]
    async fn get(
        &self,
        #[inject] cx: WorkerContext,
        /// Which one.
        id: u32,
    ) -> Result<Order, OrderError> {
        let _ = cx;
        Ok(Order { id })
    }

    #[http(GET, "/orders", deny_unknown_query)]
    fn list(&self, #[query] filter: Filter, #[default(20)] limit: u32, tags: Vec<String>) -> Fallible<Vec<Order>> {
        let _ = (filter, limit, tags);
        Ok(Vec::new())
    }

    #[http(POST, "/orders", status = 201, timeout = "5s", max_body_bytes = 1024, max_workers = 2)]
    fn place(
        &self,
        order: Order,
        #[query] dry_run: Option<bool>,
        #[header] if_match: Option<String>,
        #[cookie("session")] cookie: Option<String>,
    ) -> Json<u32> {
        let _ = (dry_run, if_match, cookie);
        Json(order.id)
    }

    #[http(PUT, "/orders/{id}", sensitive(note))]
    fn change(&self, id: u32, note: &str, lines: &[u32], r#type: Option<String>) -> (StatusCode, String) {
        let _ = (id, lines, r#type);
        (StatusCode::ACCEPTED, note.to_owned())
    }

    #[http(POST, "/login")]
    async fn login(&self, #[form] name: String, #[form] password: String) {
        let _ = (name, password);
    }

    #[http(PATCH, "/orders/{id}")]
    fn extracted(&self, Path(id): Path<u32>, #[extract] headers: HeaderMap, Json(order): Json<Order>) -> kinoko::Result<()> {
        let _ = (id, headers, order);
        Ok(())
    }

    #[http(DELETE, "/gone/{id}")]
    #[cfg(any())]
    fn gone(&self, id: NoSuchType) {}

    #[http(DELETE, "/orders/{id}")]
    fn delete(&self, id: u32) -> Result<(), StatusCode> {
        let _ = id;
        Err(StatusCode::CONFLICT)
    }

    #[websocket(name = "watch")]
    async fn watch_orders(&self, id: u32) -> Option<u32> {
        Some(id)
    }
}

fn main() {}
