use std::{io, net::SocketAddr};

use axum::{
    Json, Router,
    extract::{Path, State},
    http::{HeaderMap, StatusCode},
    response::{IntoResponse, Response},
    routing::{get, post, put},
};
use serde::Deserialize;
use tokio::{net::TcpListener, task::JoinHandle};

use crate::{
    books::{self, Charge},
    simulation::{Counts, Simulation, Switch},
};

/// A gateway that takes connections, until it is dropped.
#[derive(Debug)]
pub struct Gateway {
    address: SocketAddr,
    simulation: Simulation,
    serving: JoinHandle<io::Result<()>>,
}

impl Gateway {
    /// Opens at this address, `host:port`; port 0 is any that is free.
    ///
    /// # Errors
    ///
    /// Where it cannot listen there.
    pub async fn open(address: &str) -> io::Result<Self> {
        let listener = TcpListener::bind(address).await?;
        let (address, simulation) = (listener.local_addr()?, Simulation::default());
        let serving = tokio::spawn(axum::serve(listener, router(simulation.clone())).into_future());
        Ok(Self { address, simulation, serving })
    }

    /// Where it is: `http://127.0.0.1:8090`.
    pub fn url(&self) -> String {
        format!("http://{}", self.address)
    }

    /// From now on this goes wrong, and nothing else.
    pub fn switch(&self, switch: Switch) {
        self.simulation.switch(switch);
    }

    /// What it has done so far.
    pub fn counts(&self) -> Counts {
        self.simulation.counts()
    }

    /// Serves until the process ends.
    ///
    /// # Errors
    ///
    /// Where it cannot serve any more.
    ///
    /// # Cancel safety
    ///
    /// Dropped, it goes on serving.
    pub async fn serve(&mut self) -> io::Result<()> {
        (&mut self.serving).await.map_err(io::Error::other)?
    }
}

impl Drop for Gateway {
    fn drop(&mut self) {
        self.serving.abort();
    }
}

fn router(simulation: Simulation) -> Router {
    Router::new()
        .route("/charges", post(charge))
        .route("/charges/{key}", get(find))
        .route("/refunds", post(refund))
        .route("/switch", put(switch))
        .route("/counts", get(counts))
        .with_state(simulation)
}

#[derive(Deserialize)]
struct NewCharge {
    order: u64,
    cents: u64,
}

async fn charge(
    State(simulation): State<Simulation>,
    headers: HeaderMap,
    Json(NewCharge { order, cents }): Json<NewCharge>,
) -> Result<Response, StatusCode> {
    let key = headers.get("idempotency-key").and_then(|key| key.to_str().ok()).ok_or(StatusCode::BAD_REQUEST)?;
    let work = |books: &mut books::Books, switch: &Switch| match switch.broken_order == Some(order) {
        true => Err(StatusCode::INTERNAL_SERVER_ERROR),
        false => books.charge(key.to_owned(), order, cents, switch.limit_cents).ok_or(StatusCode::UNPROCESSABLE_ENTITY),
    };
    let charge = simulation.work(work).await??;
    let status = match charge.state {
        books::State::Charged => StatusCode::CREATED,
        books::State::Declined => StatusCode::PAYMENT_REQUIRED,
        books::State::Refunded => StatusCode::CONFLICT,
    };
    Ok((status, Json(charge)).into_response())
}

async fn find(State(simulation): State<Simulation>, Path(key): Path<String>) -> Result<Json<Charge>, StatusCode> {
    simulation.work(|books, _| books.get(&key)).await?.map(Json).ok_or(StatusCode::NOT_FOUND)
}

#[derive(Deserialize)]
struct Refund {
    key: String,
}

async fn refund(
    State(simulation): State<Simulation>,
    Json(Refund { key }): Json<Refund>,
) -> Result<Json<Charge>, StatusCode> {
    simulation.work(|books, _| books.refund(key)).await.map(Json)
}

async fn switch(State(simulation): State<Simulation>, Json(switch): Json<Switch>) -> StatusCode {
    simulation.switch(switch);
    StatusCode::NO_CONTENT
}

async fn counts(State(simulation): State<Simulation>) -> Json<Counts> {
    Json(simulation.counts())
}
