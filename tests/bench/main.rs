//! What calls, events, HTTP requests, sagas and policies cost through kinoko, next to hand-written lapin, plain axum, plain tonic, sqlx and tower-resilience
//! with the same semantics:
//! `cargo bench -p kinoko-tests --bench performance`.
//!
//! The driver starts itself again, once for every program that is measured, so that processor time, memory and allocations
//! belong to one side each. It compares what ran within one round; absolute figures move with the machine.
//! `docs/reference/performance.md` has the last results, and what they mean.
#![allow(clippy::print_stdout, clippy::print_stderr, reason = "its output is what it is for")]

mod events;
mod grpc;
mod http;
mod load;
mod measure;
mod measured;
mod options;
mod outbox;
mod payload;
mod policies;
mod process;
mod rpc;
mod sagas;
mod stats;

use std::process::ExitCode;

use self::options::{Mode, Options, Role};

/// Counts allocations for each thread apart, which costs a nanosecond or two; both sides of a comparison pay it.
#[global_allocator]
static ALLOCATOR: alloc_tracker::Allocator<std::alloc::System> = alloc_tracker::Allocator::system();

fn main() -> ExitCode {
    let options = match Options::parse(std::env::args().skip(1)) {
        Ok(options) => options,
        Err(text) => {
            eprintln!("{text}");
            return ExitCode::from(2);
        }
    };
    let done = match &options.mode {
        Mode::Role(Role::Rpc(role)) => rpc::run(*role, &options),
        Mode::Role(Role::Events(role)) => events::run(*role, &options),
        Mode::Role(Role::Http(role)) => http::run(*role),
        Mode::Role(Role::Grpc(role)) => grpc::run(*role),
        Mode::Role(Role::Outbox(role)) => outbox::run(*role, &options),
        Mode::Role(Role::Sagas(role)) => sagas::run(*role),
        Mode::Compare => compare(&options),
        Mode::Soak(calls) => rpc::soak::run(&options, *calls),
        Mode::Start => rpc::start::run(&options),
    };
    match done {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("error: {error}");
            ExitCode::FAILURE
        }
    }
}

/// What ends the benchmark early.
type Failed = Box<dyn std::error::Error + Send + Sync>;

fn compare(options: &Options) -> Result<(), Failed> {
    let mut goals = stats::Goals::default();
    if options.rpc && options.memory {
        rpc::memory::compare(options, &mut goals)?;
    }
    if options.rpc && options.amqp {
        rpc::amqp::compare(options, &mut goals)?;
    }
    if options.rpc {
        rpc::guarded::compare(options, &mut goals)?;
    }
    if options.events {
        events::compare(options, &mut goals)?;
    }
    if options.http {
        http::compare(options, &mut goals)?;
    }
    if options.grpc {
        grpc::compare(options, &mut goals)?;
    }
    if options.outbox && options.amqp {
        outbox::compare(options)?;
    }
    if options.sagas {
        sagas::compare(options, &mut goals)?;
    }
    if options.policies {
        policies::compare(options, &mut goals)?;
    }
    goals.print();
    Ok(())
}
