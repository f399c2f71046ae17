//! The same as a service.

use kinoko::{App, RunningApp, Settings, Valid, prelude::*};

use super::articles::{Article, NewArticle, added, article};
use crate::Failed;

#[derive(Dependencies)]
struct Articles;

#[service(name = "articles")]
impl Articles {
    #[http(GET, "/articles/{id}")]
    async fn one(&self, id: u32) -> Article {
        article(id)
    }

    #[http(POST, "/articles", status = 201)]
    async fn add(&self, new: Valid<NewArticle>) -> Article {
        added(new.into_inner())
    }
}

pub(crate) async fn start() -> Result<RunningApp, Failed> {
    let settings = Settings::from_yaml("http: {address: \"127.0.0.1:0\"}")?;
    Ok(App::new().service::<Articles>().settings(settings).start().await?)
}
