//! A service of every kind of thing that documents tell of.

use std::{
    collections::BTreeMap,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};

use garde::Validate;
use kinoko::{Valid, http::File, prelude::*};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

#[derive(Debug, Clone, Serialize, Deserialize, JsonSchema)]
pub(crate) struct Book {
    /// The library's.
    id: u32,
    title: String,
    kind: Kind,
    pages: u32,
    /// Who has it.
    lent_to: Option<String>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub(crate) enum Kind {
    Novel,
    Poetry,
    Science,
}

/// A book that is not there yet.
#[derive(Debug, Clone, Serialize, Deserialize, JsonSchema, Validate)]
#[serde(deny_unknown_fields)]
#[schemars(example = serde_json::json!({"title": "The Dispossessed", "kind": "novel", "pages": 341}))]
pub(crate) struct NewBook {
    #[garde(length(min = 1, max = 80))]
    title: String,
    #[garde(skip)]
    kind: Kind,
    #[garde(range(min = 1, max = 5000))]
    pages: u32,
}

/// Which part of a list.
#[derive(Debug, Deserialize, JsonSchema, Validate)]
pub(crate) struct Page {
    /// How many to leave out.
    #[serde(default)]
    #[garde(skip)]
    offset: u32,
    /// How many to list.
    #[serde(default = "ten")]
    #[garde(range(min = 1, max = 100))]
    limit: u32,
}

fn ten() -> u32 {
    10
}

#[derive(Debug, Clone, Serialize, Deserialize, JsonSchema)]
pub(crate) struct Loan {
    book: u32,
    reader: String,
    days: u8,
}

#[derive(Debug, Serialize, JsonSchema)]
pub(crate) struct Cover {
    bytes: usize,
    caption: Option<String>,
}

#[derive(Debug, Serialize, JsonSchema)]
pub(crate) struct Greeting {
    reader: Option<String>,
    session: Option<String>,
}

#[derive(Debug, Serialize, Deserialize, JsonSchema)]
pub(crate) struct Card {
    reader: String,
    newsletter: bool,
}

#[derive(Debug, thiserror::Error, ServiceError)]
pub(crate) enum LibraryError {
    /// There never was such a book, or it is gone.
    #[error("no book {id}")]
    #[fault(code = "NO_BOOK", http = 404)]
    NoBook { id: u32 },
    /// Somebody has it.
    #[error("{to} has book {id}")]
    #[fault(code = "LENT_OUT", http = 409)]
    LentOut { id: u32, to: String },
}

#[event(source = "readers", name = "returned")]
#[derive(Debug, Serialize, Deserialize, JsonSchema)]
pub(crate) struct Returned {
    book: u32,
}

/// There is a new book.
#[event(source = "library", name = "acquired")]
#[derive(Debug, Serialize, Deserialize, JsonSchema)]
pub(crate) struct Acquired {
    book: Book,
}

/// The books, in memory.
#[derive(Clone, Default)]
struct Shelves(Arc<Mutex<BTreeMap<u32, Book>>>);

impl Shelves {
    fn books(&self) -> MutexGuard<'_, BTreeMap<u32, Book>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Dependency for Shelves {
    type Options = ();

    async fn setup(_: &SetupContext, (): ()) -> kinoko::Result<Self> {
        let shelves = Self::default();
        let title = "The Left Hand of Darkness".to_owned();
        shelves.books().insert(1, Book { id: 1, title, kind: Kind::Novel, pages: 286, lent_to: None });
        Ok(shelves)
    }
}

#[derive(Dependencies)]
pub(crate) struct Library {
    shelves: Shelves,
}

/// Lends books.
#[service(name = "library", http = "/api", dispatches(Acquired, Returned))]
impl Library {
    /// Lists books.
    #[http(GET, "/books", deny_unknown_query)]
    fn list(&self, #[query] page: Valid<Page>, word: Option<String>, kind: Option<Kind>) -> Vec<Book> {
        let fits = |book: &&Book| {
            word.as_ref().is_none_or(|word| book.title.contains(word.as_str()))
                && kind.is_none_or(|kind| book.kind == kind)
        };
        let books = self.shelves.books();
        books.values().filter(fits).skip(page.offset as usize).take(page.limit as usize).cloned().collect()
    }

    /// Takes a book in.
    #[http(POST, "/books", status = 201)]
    fn add(&self, book: Valid<NewBook>) -> Book {
        let mut books = self.shelves.books();
        let id = books.last_key_value().map_or(1, |(id, _)| id + 1);
        let NewBook { title, kind, pages } = (*book).clone();
        let book = Book { id, title, kind, pages, lent_to: None };
        books.insert(id, book.clone());
        book
    }

    /// Looks a book up.
    ///
    /// <img src="data:," onerror="window.hacked = true"> is no picture.
    #[rpc]
    #[websocket]
    #[http(GET, "/books/{id}")]
    fn get(&self, id: u32) -> Result<Book, LibraryError> {
        self.shelves.books().get(&id).cloned().ok_or(LibraryError::NoBook { id })
    }

    /// Takes a book out for good.
    #[http(DELETE, "/books/{id}", status = 204)]
    fn remove(&self, id: u32) -> Result<(), LibraryError> {
        self.shelves.books().remove(&id).map(drop).ok_or(LibraryError::NoBook { id })
    }

    /// Lends a book.
    ///
    /// <img src="data:," onerror="window.hacked = true"> is no picture.
    #[rpc]
    #[http(POST, "/books/{id}/loans", status = 201, tag = "loans")]
    fn lend(&self, id: u32, reader: String, #[default(14)] days: u8) -> Result<Loan, LibraryError> {
        let mut books = self.shelves.books();
        let book = books.get_mut(&id).ok_or(LibraryError::NoBook { id })?;
        match &book.lent_to {
            Some(to) => Err(LibraryError::LentOut { id, to: to.clone() }),
            None => {
                book.lent_to = Some(reader.clone());
                Ok(Loan { book: id, reader, days })
            }
        }
    }

    /// Shows a cover.
    #[http(PUT, "/books/{id}/cover")]
    fn cover(
        &self,
        id: u32,
        #[multipart] picture: File,
        #[multipart] caption: Option<String>,
    ) -> Result<Cover, LibraryError> {
        self.get(id)?;
        Ok(Cover { bytes: picture.bytes().len(), caption })
    }

    /// Makes a reader's card.
    #[http(POST, "/cards", status = 201, tag = "readers")]
    fn card(
        &self,
        #[form] reader: String,
        #[form]
        #[default(false)]
        newsletter: bool,
    ) -> Card {
        Card { reader, newsletter }
    }

    /// Says who is asking.
    #[http(GET, "/me", tag = "readers", deprecated)]
    fn me(&self, #[header("x-reader")] reader: Option<String>, #[cookie] session: Option<String>) -> Greeting {
        Greeting { reader, session }
    }

    #[http(GET, "/internal", hide)]
    fn internal(&self) {}

    /// Notes that a book is back.
    #[event_handler(Returned)]
    async fn on_returned(&self, event: Returned) {
        if let Some(book) = self.shelves.books().get_mut(&event.book) {
            book.lent_to = None;
        }
    }

    /// Unpacks what somebody gave.
    #[consume("gifts")]
    async fn on_gift(&self, book: NewBook) {
        drop(book);
    }

    /// Reminds who is late.
    #[timer(cron = "0 6 * * *", zone = "Europe/Berlin", once_per = "fleet")]
    async fn remind(&self) {}
}
