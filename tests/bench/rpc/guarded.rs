//! Calls of a method that is guarded, next to the same calls of one that is not: without a token, and with one that nobody looks at.

use kinoko::{App, RunningApp, auth::Jwt, prelude::*};
use serde_json::json;

use super::{
    Path,
    framework::{echoes, settings},
    peer::Role,
};
use crate::{
    Failed,
    load::{Clock, Done, Load},
    measure::{self, Run, Side},
    options::Options,
    payload::{Codec, Payload},
    stats::{Goals, Spread},
};

#[derive(Dependencies)]
struct Guarded {
    jwt: Jwt,
}

#[service(name = "bench_guarded")]
impl Guarded {
    #[rpc]
    #[guard(role = "clerk")]
    async fn echo(&self, payload: Payload) -> Payload {
        crate::payload::echo(payload).await
    }

    #[rpc]
    #[public]
    fn token(&self) -> kinoko::Result<String> {
        self.jwt.issue(&json!({"sub": "ada", "roles": ["clerk"]})).sign()
    }
}

#[allow(dead_code, reason = "it is there to answer")]
pub(crate) struct Server(RunningApp);

/// Takes no notice of the token.
#[derive(Dependencies)]
struct Open;

#[service(name = "bench_open")]
impl Open {
    #[rpc]
    async fn echo(&self, payload: Payload) -> Payload {
        crate::payload::echo(payload).await
    }
}

impl Server {
    pub(crate) async fn start(broker: &str, codec: Codec, role: Role) -> Result<Self, Failed> {
        let app = match role {
            Role::TokenServer => App::new().settings(settings(codec)).broker(broker).service::<Open>(),
            _ => app(broker, codec),
        };
        Ok(Self(app.start().await?))
    }
}

/// Who calls with a token, or the same without one.
pub(crate) struct Client {
    target: Target,
    token: Option<String>,
    _owner: Owner,
}

/// Whom the clients are of.
enum Owner {
    Client { _client: kinoko::Client },
    App { _app: RunningApp },
}

enum Target {
    Guarded(GuardedClient),
    Open(OpenClient),
}

impl Client {
    pub(crate) async fn connect(broker: &str, codec: Codec, role: Role) -> Result<Self, Failed> {
        let client = kinoko::Client::connect_with(broker, &settings(codec)).await?;
        let target = match role {
            Role::TokenClient | Role::OpenClient => Target::Open(client.service()),
            _ => Target::Guarded(client.service()),
        };
        let token = if role == Role::OpenClient { None } else { Some(token().await?) };
        Ok(Self { target, token, _owner: Owner::Client { _client: client } })
    }

    /// With the service in the same process.
    pub(crate) async fn in_memory(codec: Codec, role: Role) -> Result<Self, Failed> {
        let app = app("memory://", codec).service::<Open>().start().await?;
        let target = match role {
            Role::MemoryToken | Role::MemoryOpen => Target::Open(app.client()),
            _ => Target::Guarded(app.client()),
        };
        let token = if role == Role::MemoryOpen { None } else { Some(token().await?) };
        Ok(Self { target, token, _owner: Owner::App { _app: app } })
    }

    pub(crate) async fn load(&self, run: Load, payload: Payload) -> Result<Done, Failed> {
        let token = self.token.clone();
        match &self.target {
            Target::Guarded(client) => {
                let client = client.clone();
                let token = token.unwrap_or_default();
                echoes(run, Clock::Seldom, payload, move |payload| client.echo(payload).auth_token(&token)).await
            }
            Target::Open(client) => {
                let client = client.clone();
                match token {
                    Some(token) => {
                        let call = move |payload| client.echo(payload).auth_token(&token);
                        echoes(run, Clock::Seldom, payload, call).await
                    }
                    None => echoes(run, Clock::Seldom, payload, move |payload| client.echo(payload)).await,
                }
            }
        }
    }
}

/// A program that guards, and signs with the same secret as the others.
fn app(broker: &str, codec: Codec) -> App {
    let mut settings = settings(codec);
    settings.set("jwt.secret", "a secret for a benchmark, which is no secret");
    App::new().service::<Guarded>().settings(settings).broker(broker)
}

async fn token() -> Result<String, Failed> {
    let app = app("memory://", Codec::MessagePack).start().await?;
    let token = app.client::<GuardedClient>().token().await.map_err(|error| error.to_string())?;
    app.stop().await?;
    Ok(token)
}

pub(crate) fn compare(options: &Options, goals: &mut Goals) -> Result<(), Failed> {
    println!("## A guarded method, next to one that is not guarded: called without a token, and with one\n");
    println!(
        "| where | in flight | without a token/s | token/s | guarded/s | token / without | guarded / token | µs more for the token: client | server | broker | for the guard: client | server | broker |"
    );
    println!("|{}", " --- |".repeat(13));
    let codec = Codec::MessagePack;
    if options.memory {
        let start = |role: Role| Ok::<_, Failed>(Side::alone(role.start(codec, &options.broker)?));
        let mut sides = [start(Role::MemoryOpen)?, start(Role::MemoryToken)?, start(Role::MemoryGuarded)?];
        rows("in memory", &mut sides, options, None)?;
    }
    if options.amqp {
        let start = |client: Role, server: Role| {
            let server = server.start(codec, &options.broker)?;
            Ok::<_, Failed>(Side::over_broker(client.start(codec, &options.broker)?, server))
        };
        let mut sides = [
            start(Role::OpenClient, Role::TokenServer)?,
            start(Role::TokenClient, Role::TokenServer)?,
            start(Role::GuardedClient, Role::GuardedServer)?,
        ];
        rows("RabbitMQ, short path", &mut sides, options, Some(goals))?;
        drop(sides);
        super::amqp::clean_up(&options.broker)?;
    }
    println!();
    Ok(())
}

fn rows(place: &str, sides: &mut [Side; 3], options: &Options, mut goals: Option<&mut Goals>) -> Result<(), Failed> {
    for in_flight in [64, 256] {
        let load = Load { bytes: 100, in_flight, until: measure::until(options) };
        let [without, token, guarded] = measure::rounds(sides, &Path::Short.run(), load, options.rounds)?;
        let rate = |runs: &[Run]| Spread::of(runs, |run| run.done.per_second()).median;
        let ratio = |runs: &[Run], base: &[Run]| Spread::of_ratios(runs, base, |run| run.done.per_second());
        let more = |runs: &[Run], base: &[Run]| {
            let of = |value: fn(&Run) -> f64| Spread::of_differences(runs, base, value).median;
            format!(
                "{:+.1} | {:+.1} | {:+.1}",
                of(|run| run.client.micros),
                of(|run| run.server.micros),
                of(|run| run.broker_micros)
            )
        };
        println!(
            "| {place} | {in_flight} | {:.0} | {:.0} | {:.0} | {} | {} | {} | {} |",
            rate(&without),
            rate(&token),
            rate(&guarded),
            ratio(&token, &without),
            ratio(&guarded, &token),
            more(&token, &without),
            more(&guarded, &token),
        );
        if let Some(goals) = &mut goals {
            let what = format!("{place}, guarded, {in_flight} in flight");
            goals.at_least(what, "of the rate with a token that nobody looks at", ratio(&guarded, &token), 0.95);
        }
    }
    Ok(())
}
