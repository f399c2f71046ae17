//! Plain axum, as its documentation has it.

use std::net::SocketAddr;

use garde::Validate;
use kinoko::http::axum::{
    Json, Router,
    extract::Path,
    http::StatusCode,
    routing::{get, post},
    serve::ListenerExt,
};
use tokio::net::TcpListener;

use super::articles::{Article, NewArticle, added, article};
use crate::Failed;

pub(crate) async fn start() -> Result<SocketAddr, Failed> {
    let router = Router::new().route("/articles/{id}", get(one)).route("/articles", post(add));
    let listener = TcpListener::bind("127.0.0.1:0").await?;
    let address = listener.local_addr()?;
    let listener = listener.tap_io(|stream| drop(stream.set_nodelay(true)));
    tokio::spawn(async move { kinoko::http::axum::serve(listener, router).await });
    Ok(address)
}

async fn one(Path(id): Path<u32>) -> Json<Article> {
    Json(article(id))
}

async fn add(Json(new): Json<NewArticle>) -> Result<(StatusCode, Json<Article>), (StatusCode, String)> {
    match new.validate() {
        Ok(()) => Ok((StatusCode::CREATED, Json(added(new)))),
        Err(report) => Err((StatusCode::UNPROCESSABLE_ENTITY, report.to_string())),
    }
}
