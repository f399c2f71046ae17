//! The API: listed, looked at, asked for something. All of it needs the token.

use std::sync::Arc;

use axum::{
    Router,
    extract::{Path, Query, State, rejection::PathRejection},
    http::{StatusCode, Uri},
    middleware::from_fn_with_state,
    response::Response,
    routing::{get, post},
};
use serde::Deserialize;
use serde_json::{Value, json};

use super::view;
use crate::{
    Error,
    http::{
        ops::{
            Token,
            guard::{guard, refused},
            health::json_response,
        },
        problem,
    },
    protocol::Fault,
    saga::{Ask, SagaFilter, SagaId, SagaRefusal, SagaState, SagaStore},
};

/// How many sagas one answer has, where the request does not say, and at most.
const LIMIT: usize = 50;
const MOST: usize = 500;

pub(super) struct Api {
    pub(super) store: SagaStore,
    pub(super) token: Token,
}

/// What a query may say.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Wanted {
    saga: Option<String>,
    service: Option<String>,
    /// States, with commas between.
    state: Option<String>,
    limit: Option<usize>,
    offset: Option<usize>,
}

type Named = Result<Path<(String, String)>, PathRejection>;

impl Api {
    pub(super) fn router(self) -> Router {
        let api = Arc::new(self);
        let asked = |ask| {
            post(move |State(api): State<Arc<Self>>, named: Named| async move { answer(api.ask(ask, named).await) })
        };
        Router::new()
            .route("/sagas", get(|State(api): State<Arc<Self>>, uri: Uri| async move { answer(api.list(&uri).await) }))
            .route(
                "/sagas/{saga}/{id}",
                get(|State(api): State<Arc<Self>>, named: Named| async move { answer(api.one(named).await) }),
            )
            .route("/sagas/{saga}/{id}/retry", asked(Ask::Retry))
            .route("/sagas/{saga}/{id}/skip", asked(Ask::Skip))
            .route("/sagas/{saga}/{id}/cancel", asked(Ask::Cancel))
            .route_layer(from_fn_with_state(api.token.clone(), guard))
            .with_state(api)
    }

    async fn list(&self, uri: &Uri) -> Result<(StatusCode, Value), Fault> {
        let filter = filter(uri)?;
        let (limit, offset) = (filter.limit, filter.offset);
        // One more tells whether there are more.
        let mut found =
            self.store.list(&SagaFilter { limit: limit + 1, ..filter }).await.map_err(|error| unreachable(&error))?;
        let more = found.len() > limit;
        found.truncate(limit);
        let hosted = self.store.hosted();
        let sagas: Vec<_> = found.iter().map(|saga| view::line(saga, &hosted)).collect();
        Ok((StatusCode::OK, json!({ "sagas": sagas, "limit": limit, "offset": offset, "more": more })))
    }

    async fn one(&self, named: Named) -> Result<(StatusCode, Value), Fault> {
        let id = id(named)?;
        let found = self.store.status(&id).await.map_err(|error| unreachable(&error))?;
        let status = found.ok_or_else(|| none(&id))?;
        Ok((StatusCode::OK, view::whole(&status, &self.store.hosted())))
    }

    async fn ask(&self, ask: Ask, named: Named) -> Result<(StatusCode, Value), Fault> {
        let id = id(named)?;
        self.store.ask(&id, ask).await.map_err(|refusal| told(&id, refusal))?;
        let asked = ask.as_str();
        tracing::info!(saga = %id, asked, "asked of a saga through the operations endpoints");
        // Whoever runs it does it when it reads it.
        Ok((StatusCode::ACCEPTED, json!({ "saga": id.saga, "id": id.id, "asked": asked })))
    }
}

fn answer(result: Result<(StatusCode, Value), Fault>) -> Response {
    match result {
        Ok((status, body)) => json_response(status, &body),
        Err(fault) => refused(&fault),
    }
}

fn filter(uri: &Uri) -> Result<SagaFilter, Fault> {
    let Query(wanted) =
        Query::<Wanted>::try_from_uri(uri).map_err(|error| bad(format!("the query: {}", error.body_text())))?;
    let limit = wanted.limit.unwrap_or(LIMIT);
    if !(1..=MOST).contains(&limit) {
        return Err(bad(format!("`limit` is {limit}: write 1 to {MOST}, and take more by `offset`")));
    }
    let words = wanted.state.iter().flat_map(|states| states.split(',')).map(str::trim).filter(|word| !word.is_empty());
    let states =
        words.map(|word| SagaState::parse(word).ok_or_else(|| bad(unknown_state(word)))).collect::<Result<_, _>>()?;
    let given = |text: Option<String>| text.filter(|text| !text.is_empty());
    Ok(SagaFilter {
        saga: given(wanted.saga),
        service: given(wanted.service),
        states,
        limit,
        offset: wanted.offset.unwrap_or_default(),
    })
}

fn unknown_state(word: &str) -> String {
    let known: Vec<_> = SagaState::ALL.iter().map(|state| state.as_str()).collect();
    format!("no saga is ever `{word}`: the states are {}", known.join(", "))
}

fn id(named: Named) -> Result<SagaId, Fault> {
    let Path((saga, id)) = named.map_err(|error| bad(error.body_text()))?;
    Ok(SagaId { saga, id })
}

fn bad(text: impl Into<String>) -> Fault {
    problem::bad_request("INVALID_REQUEST", text)
}

fn none(id: &SagaId) -> Fault {
    let text = format!("the log has no saga `{id}`: `/sagas` lists those that it has");
    Fault { code: Some("NO_SUCH_SAGA".into()), ..problem::plain(StatusCode::NOT_FOUND, text) }
}

fn unreachable(error: &Error) -> Fault {
    let text = format!("the log of sagas does not answer, ask again: {}", error.chain());
    Fault {
        code: Some("LOG_UNREACHABLE".into()),
        retryable: Some(true),
        ..problem::plain(StatusCode::SERVICE_UNAVAILABLE, text)
    }
}

/// A refusal, with what to do instead.
fn told(id: &SagaId, refusal: SagaRefusal) -> Fault {
    let (code, hint) = match &refusal {
        SagaRefusal::NotFound { .. } => return none(id),
        SagaRefusal::Log(error) => return unreachable(error),
        SagaRefusal::Over { .. } => ("SAGA_IS_OVER", ": nothing happens to it any more"),
        SagaRefusal::NotParked { state, .. } if state.is_over() => ("NOT_PARKED", ": nothing happens to it any more"),
        SagaRefusal::NotParked { .. } => ("NOT_PARKED", ": it goes on by itself, and `cancel` asks it to go back"),
        // Says so itself.
        SagaRefusal::NotCompensating { .. } => ("NOT_COMPENSATING", ""),
        _ => ("REFUSED", ""),
    };
    let fault = problem::plain(StatusCode::CONFLICT, format!("{refusal}{hint}"));
    Fault { code: Some(code.into()), ..fault }
}
