//! Each page of `docs` with Rust blocks: they compile, and run in memory unless they say `no_run`.

#[doc = include_str!("../../docs/guide/01-quickstart.md")]
mod page_01_quickstart {}

#[doc = include_str!("../../docs/guide/02-services.md")]
mod page_02_services {}

#[doc = include_str!("../../docs/guide/03-dependencies.md")]
mod page_03_dependencies {}

#[doc = include_str!("../../docs/guide/04-clients.md")]
mod page_04_clients {}

#[doc = include_str!("../../docs/guide/05-errors.md")]
mod page_05_errors {}

#[doc = include_str!("../../docs/guide/06-configuration.md")]
mod page_06_configuration {}

#[doc = include_str!("../../docs/guide/07-testing.md")]
mod page_07_testing {}

#[doc = include_str!("../../docs/guide/08-running.md")]
mod page_08_running {}

#[doc = include_str!("../../docs/guide/09-events.md")]
mod page_09_events {}

#[doc = include_str!("../../docs/guide/10-dead-letters.md")]
mod page_10_dead_letters {}

#[doc = include_str!("../../docs/guide/11-timers.md")]
mod page_11_timers {}

#[doc = include_str!("../../docs/guide/12-queues.md")]
mod page_12_queues {}

#[doc = include_str!("../../docs/guide/13-testing-events.md")]
mod page_13_testing_events {}

#[doc = include_str!("../../docs/guide/14-http.md")]
mod page_14_http {}

#[doc = include_str!("../../docs/guide/15-validation.md")]
mod page_15_validation {}

#[doc = include_str!("../../docs/guide/16-http-server.md")]
mod page_16_http_server {}

#[doc = include_str!("../../docs/guide/17-documents.md")]
mod page_17_documents {}

#[doc = include_str!("../../docs/guide/18-websockets.md")]
mod page_18_websockets {}

#[doc = include_str!("../../docs/guide/19-databases.md")]
mod page_19_databases {}

#[doc = include_str!("../../docs/guide/20-sagas.md")]
mod page_20_sagas {}

#[doc = include_str!("../../docs/guide/21-outbox-and-idempotency.md")]
mod page_21_outbox_and_idempotency {}

#[doc = include_str!("../../docs/guide/22-metrics.md")]
mod metrics {}

#[doc = include_str!("../../docs/guide/23-traces.md")]
mod traces {}

#[doc = include_str!("../../docs/guide/26-who-may-call.md")]
mod page_26_who_may_call {}

#[doc = include_str!("../../docs/guide/27-failing-well.md")]
mod page_27_failing_well {}

#[doc = include_str!("../../docs/guide/28-grpc.md")]
mod page_28_grpc {}

#[doc = include_str!("../../docs/guide/29-consul.md")]
mod page_29_consul {}

#[doc = include_str!("../../docs/guide/from-nameko.md")]
mod from_nameko {}

#[doc = include_str!("../../docs/reference/attributes.md")]
mod attributes {}
