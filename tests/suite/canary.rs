//! Secrets are planted wherever a program has some, and looked for wherever anything is shown.

use std::{
    fmt::Debug,
    process::{Command, Stdio},
};

use kinoko::{
    Client, Settings,
    prelude::*,
    protocol::{Headers, Message, Properties},
    service::Outcome,
    transport::{TransportOptions, connect},
};
use kinoko_tests::{captured_log, unique};
use serde_json::json;

/// Short enough to be kept whole anywhere, and nothing else looks like it.
const CANARY: &str = "canary4711";

#[derive(serde::Serialize, serde::Deserialize, Debug)]
struct Card {
    holder: String,
    number: u64,
}

#[derive(Dependencies)]
struct Vault {
    #[dependency(key = "canary_vault")]
    section: Config<serde_json::Value>,
    #[dependency(key = "canary_vault.pin", default = String::new(), secret)]
    pin: Config<String>,
    tunnel: ServiceProxy,
}

#[service(name = "canary_vault")]
impl Vault {
    #[rpc(sensitive(card, password))]
    async fn store(&self, card: Card, password: String, user: String, #[inject] cx: WorkerContext) -> String {
        kinoko::tracing::info!(target: "kinoko::canary", ?cx, pin = ?self.pin, section = ?self.section, "storing");
        let call = self.tunnel.call("canary_vault", "peek").kwarg("card", &card).kwarg("password", &password);
        kinoko::tracing::info!(target: "kinoko::canary", call = ?call, "peeking");
        match call.await {
            Ok(_) => user,
            Err(error) => error.to_string(),
        }
    }

    #[rpc(sensitive(card))]
    fn peek(&self, card: u32) -> u32 {
        card
    }
}

const SETTINGS: &str = "canary_vault: {pin: canary4711, db_password: canary4711, url: 'x://me:canary4711@h'}";

#[track_caller]
fn shown(shown: &impl Debug) -> String {
    let text = format!("{shown:?} {shown:#?}");
    assert!(!text.contains(CANARY), "{text}");
    text
}

#[tokio::test]
async fn no_log_line_error_or_debug_output_in_this_process_has_a_secret() {
    captured_log();
    let mut settings = Settings::from_yaml(SETTINGS).unwrap();
    settings.set("amqp_uri", format!("amqp://me:{CANARY}@host/"));
    shown(&settings);
    let app = App::new().settings(settings).broker(format!("memory://{}", unique("canary"))).service::<Vault>();
    shown(&App::new().broker(format!("amqp://me:{CANARY}@host/")));
    shown(&app);
    let app = app.start().await.unwrap();
    shown(&app);
    let client = app.client::<VaultClient>();
    shown(&client);
    let card = || Card { holder: CANARY.into(), number: 4711 };
    let call = client.store(card(), CANARY.into(), "ada".into()).header("x-key", CANARY).context("auth_token", CANARY);
    shown(&call);
    // The nested call is of another type, which is told without the value.
    assert_eq!(call.await.unwrap(), "bad request: argument `card`: wrong type");
    let proxy = app.proxy();
    for kwargs in [
        json!({"card": {"holder": CANARY, "number": CANARY}, "password": "x", "user": "ada"}),
        json!({"card": CANARY, "password": CANARY, "user": "ada"}),
        json!({"card": {"holder": 1}, "password": [CANARY], "user": "ada"}),
        json!({"crad": CANARY, "pasword": CANARY, "user": "ada"}),
        json!({"card": null, "password": {"value": CANARY}}),
    ] {
        let mut call = proxy.call("canary_vault", "store");
        for (name, value) in kwargs.as_object().unwrap() {
            call = call.kwarg(name, value);
        }
        shown(&call);
        let error = call.await.unwrap_err();
        shown(&error);
        assert!(!error.to_string().contains(CANARY), "{error}");
    }
    let error = proxy.call("canary_vault", "store").arg(CANARY).arg(CANARY).arg("ada").arg(CANARY).await.unwrap_err();
    assert!(!error.to_string().contains(CANARY), "{error}");
    app.stop().await.unwrap();

    let log = captured_log();
    assert!(log.contains("storing") && log.contains("peeking") && log.contains(r#""password":"***""#), "{log}");
    let line = log.lines().find(|line| line.contains(CANARY));
    assert!(line.is_none(), "{line:?}");
}

#[tokio::test]
async fn no_public_type_that_holds_messages_or_settings_shows_them() {
    let properties = Properties { headers: [("authorization", CANARY)].into_iter().collect(), ..Properties::default() };
    let message = Message { properties, body: CANARY.into(), ..Message::default() };
    assert!(shown(&message).contains("authorization"));
    shown(&Headers::from_iter([("nameko.auth_token", CANARY)]));
    shown(&Outcome::Reply(CANARY.into()));
    shown(&kinoko::AuthToken(CANARY.into()));
    shown(&Config::fixed(CANARY.to_owned()));
    for url in [format!("amqp://me:{CANARY}@host:port/"), format!("me:{CANARY}@host"), format!("x{CANARY}")] {
        let error = connect(&url, TransportOptions::default()).await.unwrap_err();
        shown(&error);
        assert!(!error.chain().contains(CANARY), "{error}");
        let error = Client::connect(&url).await.unwrap_err();
        assert!(!error.chain().contains(CANARY), "{error}");
    }
}

/// A program's own standard error at TRACE, in both formats.
#[test]
fn no_line_of_a_program_has_a_secret() {
    for format in ["text", "json"] {
        for arguments in [
            json!({"name": "Ada", "password": CANARY}),
            json!({"name": "Ada", "password": [CANARY]}),
            json!({"name": "Ada", "pasword": CANARY}),
            json!(["Ada", 1, CANARY, CANARY]),
        ] {
            let output = Command::new(env!("CARGO_BIN_EXE_program-greeter"))
                .env_clear()
                .args(["call", "program_greeter.greet", &arguments.to_string(), "--log", "trace"])
                .env("KINOKO_LOG_FORMAT", format)
                .env("KINOKO_GREETER__API_KEY", CANARY)
                .env("KINOKO_GREETER__PIN", "94711947")
                .stdin(Stdio::null())
                .output()
                .unwrap();
            let log = String::from_utf8_lossy(&output.stderr);
            assert!(log.contains("arguments") && log.contains("***"), "{log}");
            assert!(!log.contains(CANARY) && !log.contains("94711947"), "{log}");
            if format == "json" {
                // What is not the last word of a failed program is one object a line.
                for line in log.lines().take_while(|line| !line.starts_with("error:")) {
                    let line: serde_json::Value = serde_json::from_str(line).unwrap();
                    for key in ["timestamp", "level", "target", "message"] {
                        assert!(line[key].is_string(), "{line}");
                    }
                    if line["message"] == "greeting" {
                        assert!(
                            line["span"]["call_id"].as_str().unwrap().starts_with("program_greeter.greet."),
                            "{line}"
                        );
                    }
                }
            }
        }
    }
}

/// A secret of 32 bytes, as they have to be.
const KEY: &str = "canary4711-canary4711-canary4711";

#[derive(Dependencies)]
struct Safe {
    jwt: kinoko::auth::Jwt,
    passwords: kinoko::auth::Password,
    safe: ServiceProxy,
}

#[service(name = "canary_safe", http = "/safe")]
impl Safe {
    #[rpc]
    #[http(POST, "/open")]
    #[guard(role = "keeper")]
    async fn open(
        &self,
        #[inject] who: kinoko::auth::Identity,
        #[inject] claims: kinoko::auth::Claims<serde_json::Value>,
        #[inject] token: kinoko::AuthToken,
        #[inject] cx: WorkerContext,
    ) -> kinoko::Result<String> {
        let pair = self.jwt.issue(&json!({"sub": "ada", "canary": CANARY})).pair()?;
        let issue = self.jwt.issue(&json!({"sub": CANARY}));
        let (jwt, passwords) = (&self.jwt, &self.passwords);
        kinoko::tracing::info!(target: "kinoko::canary", ?who, ?claims, ?token, ?cx, ?pair, ?issue, ?jwt, ?passwords, "open");
        self.passwords.hash(CANARY).await?;
        self.passwords.verify(CANARY, Some(CANARY)).await.unwrap_err();
        Ok(self.safe.call("canary_safe", "closed").await.unwrap_err().to_string())
    }

    #[rpc]
    fn closed(&self) {}
}

#[tokio::test]
async fn no_token_no_key_and_no_password_is_shown() {
    captured_log();
    let mut settings = Settings::default();
    settings.set("jwt", json!({"secret": KEY}));
    let app = kinoko::testing::TestApp::new().service::<Safe>().settings(settings).start().await.unwrap();
    let token = app.token(&json!({"sub": "ada", "roles": ["keeper"], "canary": CANARY})).unwrap();
    let guest = app.token(&json!({"sub": "ada", "canary": CANARY})).unwrap();
    let signature = |token: &str| token.rsplit('.').next().unwrap().to_owned();
    let forged = format!("{}.{CANARY}", guest.rsplit_once('.').unwrap().0);
    let client = app.client::<SafeClient>();
    assert_eq!(client.open().auth_token(&token).await.unwrap(), "not allowed: nobody may call this");
    let mut told = Vec::new();
    for token in [&*guest, &forged, CANARY, ""] {
        let call = client.open().auth_token(token);
        told.push(shown(&call));
        told.push(shown(&call.await.unwrap_err()));
        let answer = app.http().post("/safe/open").bearer(token).send().await.unwrap();
        told.push(answer.text() + answer.header("www-authenticate"));
    }
    for jwt in
        [json!({"secret": CANARY}), json!({"keys": [{"algorithm": "RS256", "secret": KEY}]}), json!({"keys": [CANARY]})]
    {
        let mut settings = Settings::default();
        settings.set("jwt", jwt);
        let app = kinoko::testing::TestApp::new().service::<Safe>().settings(settings);
        told.push(shown(&app.start().await.unwrap_err()));
    }
    app.stop().await.unwrap();
    let log = captured_log();
    assert!(
        log.contains("a call is refused for its token") && log.contains("invalid=it is malformed"),
        "why it is refused is in the log"
    );
    for text in told.iter().map(String::as_str).chain(log.lines()) {
        for secret in [CANARY, &signature(&token), &signature(&guest)] {
            assert!(!text.contains(secret), "{text}");
        }
    }
}
