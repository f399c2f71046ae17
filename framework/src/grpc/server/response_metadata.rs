use std::sync::{Arc, Mutex, PoisonError};

use http::HeaderMap;
use tonic::metadata::MetadataMap;

use crate::{Error, ErrorKind, Result, context::WorkerContext, dependency::FromWorker, protocol::Fault};

/// What a method tells its caller beside its answer: gRPC's initial metadata. `#[inject]` brings it.
///
/// What the caller sends along stands in the [`WorkerContext`]: [`WorkerContext::header`] reads metadata by their names.
/// It goes out with a success; an error has its status and its details. Of a method that another door leads to nobody sees it.
///
/// # Examples
///
/// ```
/// use kinoko::grpc::ResponseMetadata;
///
/// # fn stock(metadata: ResponseMetadata) -> kinoko::Result<()> {
/// metadata.insert("x-stock-age", "12s")?;
/// # Ok(()) }
/// ```
#[derive(Debug, Clone, Default)]
pub struct ResponseMetadata(Arc<Mutex<HeaderMap>>);

impl ResponseMetadata {
    /// Adds a value under a name, in the place of an earlier one.
    ///
    /// # Errors
    ///
    /// [`ErrorKind::Config`] for a name that is not lower case letters, digits, `-`, `_` and `.`, begins with `grpc-` or ends with `-bin`, and
    /// for a value that is no printable ASCII: gRPC has no form for these.
    pub fn insert(&self, name: &str, value: impl AsRef<str>) -> Result<()> {
        let refuse = |why: &str| Error::new(ErrorKind::Config, format!("the metadata `{name}` cannot be sent: {why}"));
        if name.starts_with("grpc-") || name.ends_with("-bin") {
            return Err(refuse(
                "names with `grpc-` in front are the protocol's, and those with `-bin` at the end are binary",
            ));
        }
        let key = http::HeaderName::from_lowercase(name.as_bytes())
            .map_err(|_| refuse("a name is lower case letters, digits, `-`, `_` and `.`"))?;
        let value = value.as_ref();
        if !value.bytes().all(|byte| (0x20..0x7f).contains(&byte)) {
            return Err(refuse("a value is printable ASCII"));
        }
        let value = http::HeaderValue::from_str(value).map_err(|_| refuse("a value is printable ASCII"))?;
        self.0.lock().unwrap_or_else(PoisonError::into_inner).insert(key, value);
        Ok(())
    }

    /// What its worker said.
    pub(super) fn take(context: &WorkerContext) -> MetadataMap {
        match context.extension::<Self>() {
            None => MetadataMap::new(),
            Some(said) => {
                MetadataMap::from_headers(std::mem::take(&mut *said.0.lock().unwrap_or_else(PoisonError::into_inner)))
            }
        }
    }
}

impl<S: Sync> FromWorker<S> for ResponseMetadata {
    async fn from_worker(_: &S, cx: &WorkerContext) -> Result<Self, Fault> {
        let said = cx.extension::<Self>().unwrap_or_else(|| {
            let said = Arc::new(Self::default());
            cx.extend(said.clone());
            said
        });
        Ok((*said).clone())
    }
}
