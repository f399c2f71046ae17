//! What we know of the user's items, with their spans. Builds no tokens.

mod contract;
mod dependencies;
mod error;
mod method;
mod output;
mod param;
mod service;

pub(crate) use self::{
    contract::ContractModel,
    dependencies::{DependenciesModel, FieldModel},
    error::{ErrorField, ErrorKind, ErrorModel, FieldNames, VariantModel},
    method::{MethodModel, Role},
    output::{Output, ungrouped},
    param::{ParamKind, ParamModel, Pass},
    service::ServiceModel,
};
