//! What we know of the user's items, with their spans. Builds no tokens.

mod access;
mod body;
mod contract;
mod dependencies;
mod entrypoints;
mod error;
mod event;
mod event_set;
mod grpc;
mod http;
mod method;
mod output;
mod param;
mod payload;
mod place;
mod policy;
mod rpc;
mod saga;
mod service;
mod step;

pub(crate) use self::{
    access::{Access, AccessRule},
    contract::ContractModel,
    dependencies::{DependenciesModel, FieldModel},
    entrypoints::{ConsumerModel, Entrypoints, EventHandlerModel, TimerModel},
    error::{ErrorField, ErrorKind, ErrorModel, FieldNames, VariantModel},
    event::EventModel,
    event_set::{EventSetModel, EventVariant},
    grpc::{GrpcModel, is_short_result},
    http::{Format, HttpModel, Place, PlaceKind},
    method::{Entrypoint, Giver, MethodModel, Role},
    output::{Output, ungrouped},
    param::{ParamKind, ParamModel, Pass},
    payload::Payload,
    policy::{PolicyModel, PolicyParam},
    rpc::{Rpc, RpcModel},
    saga::SagaModel,
    service::ServiceModel,
    step::{From, Source, StepModel},
};
use crate::syntax::spelled;
