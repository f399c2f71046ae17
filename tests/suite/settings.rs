//! Which settings a program takes, and which it refuses.

use std::time::Duration;

use kinoko::{ErrorKind, SettingInfo, Settings, prelude::*};
use kinoko_tests::captured_log;

#[derive(serde::Deserialize, Clone)]
struct Pool {
    size: u8,
    password: String,
}

/// Reads a section of its own while it is set up.
#[derive(Clone)]
struct Provider;

impl Dependency for Provider {
    type Options = ();
    async fn setup(cx: &SetupContext, (): ()) -> kinoko::Result<Self> {
        cx.settings().get::<bool>("fastlane.fast")?;
        Ok(Self)
    }
}

/// Says what it reads.
#[derive(Clone)]
struct Telling;

impl Dependency for Telling {
    type Options = ();
    fn settings((): &()) -> Vec<SettingInfo> {
        vec![SettingInfo::new("settings_telling")]
    }
    async fn setup(_: &SetupContext, (): ()) -> kinoko::Result<Self> {
        Ok(Self)
    }
}

#[derive(Dependencies)]
#[allow(dead_code, reason = "they act by being set up")]
struct Reader {
    #[dependency(key = "settings_pool")]
    pool: Config<Pool>,
    #[dependency(key = "settings_reader.wait", default = Duration::from_secs(1))]
    wait: Config<Duration>,
    #[dependency(key = "settings_reader.pin", default = 0, secret)]
    pin: Config<u32>,
    provider: Provider,
}

#[service(name = "settings_reader")]
impl Reader {
    #[rpc]
    fn read(&self) -> (u8, usize, Duration) {
        (self.pool.size, self.pool.password.len(), *self.wait)
    }

    #[rpc]
    fn debug(&self) -> String {
        format!("{:?} {:?} {:?}", self.pool, self.wait, self.pin)
    }
}

#[derive(Dependencies)]
#[allow(dead_code, reason = "it acts by being declared")]
struct Other {
    telling: Telling,
    #[dependency(key = "settings_other", default = 1)]
    other: Config<u8>,
}

#[service(name = "settings_other")]
impl Other {
    #[rpc]
    fn nothing(&self) {}
}

const RIGHT: &str = "
settings_pool: {size: 3, password: 4711}
settings_reader: {wait: 2s, pin: 987654}
fastlane: {fast: true}
settings_telling: {deep: {er: 1}}
settings_other: 2
x-anchors: {a: 1}
";

fn app(yaml: &str) -> App {
    App::new().service::<Reader>().service::<Other>().settings(Settings::from_yaml(yaml).unwrap())
}

#[tokio::test]
async fn what_fields_and_providers_read_is_known_and_typed() {
    let app = app(RIGHT).start().await.unwrap();
    let client = app.client::<ReaderClient>();
    assert_eq!(client.read().await.unwrap(), (3, 4, Duration::from_secs(2)));
    let debug = client.debug().await.unwrap();
    assert!(debug.contains(r#"settings_pool = {"password":"***","size":3}"#), "{debug}");
    assert!(debug.contains("settings_reader.wait") && !debug.contains("4711") && !debug.contains("987654"), "{debug}");
    app.stop().await.unwrap();
}

#[tokio::test]
async fn a_programs_own_default_holds_where_nobody_says_otherwise() {
    let wait = async |yaml: &str| {
        let app = app(yaml).default_setting("settings_reader.wait", "9s").start().await.unwrap();
        let (.., wait) = app.client::<ReaderClient>().read().await.unwrap();
        app.stop().await.unwrap();
        wait
    };
    assert_eq!(wait(RIGHT).await, Duration::from_secs(2));
    assert_eq!(wait(&RIGHT.replace("wait: 2s, ", "")).await, Duration::from_secs(9));
}

#[tokio::test]
async fn what_nobody_reads_ends_the_start_with_one_message() {
    let yaml = format!("{RIGHT}settings_othr: 3\nbilling: {{a: 1}}\n");
    let error = app(&yaml).start().await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Config);
    assert_eq!(
        error.to_string(),
        "unknown setting `billing` (line 9): nothing in this program reads it; \
         unknown setting `settings_othr` (line 8): did you mean `settings_other`? \
         (correct or remove it, or name it in `App::known_settings` if something else reads it)"
    );
    let app = app(&yaml).known_settings(["settings_othr", "billing"]).start().await.unwrap();
    app.stop().await.unwrap();
}

#[tokio::test]
async fn a_service_that_is_not_started_has_its_settings_all_the_same() {
    captured_log();
    // Of the provider that is not set up nobody knows what it reads: a warning.
    let app = app(RIGHT).only(["settings_other"]).start().await.unwrap();
    app.stop().await.unwrap();
    let log = captured_log();
    assert!(
        log.contains(
            "WARN kinoko::container::app: unknown setting `fastlane` (line 4): nothing in this program reads it"
        ),
        "{log}"
    );
    assert!(!log.contains("unknown setting `settings_reader") && !log.contains("unknown setting `settings_telling"));
}

#[tokio::test]
async fn a_missing_setting_names_the_one_that_is_spelt_like_it() {
    let error = app("settings_pol: {size: 3}").start().await.unwrap_err().to_string();
    assert!(error.contains("setting `settings_pool` is missing"), "{error}");
    assert!(error.ends_with("is it what line 1 calls `settings_pol`?"), "{error}");
}
