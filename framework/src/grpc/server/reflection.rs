//! Reflection: what is served, for tools such as grpcurl that have no `.proto` file.

use std::collections::BTreeMap;

use tonic_reflection::server::Builder;
use tower::ServiceExt;

use super::table::Own;
use crate::{Error, ErrorKind, Result, service::GrpcInfo};

/// Both versions of the protocol: Python's tools ask by the older one.
///
/// # Errors
///
/// [`ErrorKind::Config`] for descriptors that nobody can read.
pub(super) fn of<'a>(methods: impl Iterator<Item = &'a GrpcInfo>) -> Result<Vec<Own>> {
    let served: BTreeMap<&str, &'static [u8]> = methods.map(|info| (info.service, info.descriptors)).collect();
    let builder = || {
        let mut builder =
            Builder::configure().register_encoded_file_descriptor_set(tonic_health::pb::FILE_DESCRIPTOR_SET);
        for (service, descriptors) in &served {
            builder = builder.with_service_name(*service).register_encoded_file_descriptor_set(descriptors);
        }
        builder
            .with_service_name("grpc.health.v1.Health")
            .with_service_name("grpc.reflection.v1.ServerReflection")
            .with_service_name("grpc.reflection.v1alpha.ServerReflection")
    };
    let refuse = |error| Error::new(ErrorKind::Config, format!("reflection cannot tell what is served: {error}"));
    let (v1, v1alpha) = (builder().build_v1().map_err(refuse)?, builder().build_v1alpha().map_err(refuse)?);
    Ok(vec![
        Own {
            name: "grpc.reflection.v1.ServerReflection",
            answer: Box::new(move |request| Box::pin(super::whole(v1.clone().oneshot(request)))),
        },
        Own {
            name: "grpc.reflection.v1alpha.ServerReflection",
            answer: Box::new(move |request| Box::pin(super::whole(v1alpha.clone().oneshot(request)))),
        },
    ])
}
