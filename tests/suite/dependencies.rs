//! Container-wide dependencies: set up once, in order, started and stopped; circles refused.

use std::sync::{Arc, Mutex};

use kinoko::{ErrorKind, Scope, prelude::*};

/// What happened, in order.
#[derive(Clone, Default)]
struct Journal(Arc<Mutex<Vec<String>>>);

impl Dependency for Journal {
    type Options = ();
    const SCOPE: Scope = Scope::Process;
    async fn setup(_: &SetupContext, (): ()) -> kinoko::Result<Self> {
        Ok(JOURNAL.with(Clone::clone))
    }
}

// Each test runs on a thread of its own, so this is one journal per test.
thread_local! {
    static JOURNAL: Journal = Journal::default();
}

fn journal() -> Vec<String> {
    JOURNAL.with(|journal| std::mem::take(&mut *journal.0.lock().unwrap()))
}

impl Journal {
    fn note(&self, text: impl Into<String>) {
        self.0.lock().unwrap().push(text.into());
    }
}

#[derive(Clone)]
struct Part {
    name: String,
    journal: Journal,
}

struct PartOptions {
    name: String,
    fail: bool,
}

impl Default for PartOptions {
    fn default() -> Self {
        Self { name: "default".into(), fail: false }
    }
}

impl Dependency for Part {
    type Options = PartOptions;
    async fn setup(cx: &SetupContext, options: PartOptions) -> kinoko::Result<Self> {
        let journal: Journal = cx.require().await?;
        journal.note(format!("setup {}", options.name));
        if options.fail {
            return Err(kinoko::Error::msg("no luck"));
        }
        Ok(Self { name: options.name, journal })
    }
    async fn start(&self) -> kinoko::Result<()> {
        self.journal.note(format!("start {}", self.name));
        Ok(())
    }
    async fn stop(&self) -> kinoko::Result<()> {
        self.journal.note(format!("stop {}", self.name));
        Ok(())
    }
}

#[derive(Clone)]
struct NeedsPart(Part);

impl Dependency for NeedsPart {
    type Options = ();
    async fn setup(cx: &SetupContext, (): ()) -> kinoko::Result<Self> {
        Ok(Self(cx.require().await?))
    }
}

#[derive(Dependencies)]
struct Whole {
    needs: NeedsPart,
    #[dependency(name = "own")]
    part: Part,
    #[dependency(name = "second")]
    other: Part,
}

#[service(name = "dependencies_whole")]
impl Whole {
    #[rpc]
    fn names(&self) -> [String; 3] {
        [self.needs.0.name.clone(), self.part.name.clone(), self.other.name.clone()]
    }
}

#[tokio::test]
async fn a_required_dependency_is_the_services_own_field_set_up_once() {
    let app = App::new().service::<Whole>().start().await.unwrap();
    assert_eq!(app.client::<WholeClient>().names().await.unwrap(), ["own", "own", "second"]);
    app.stop().await.unwrap();
    assert_eq!(
        journal(),
        ["setup own", "setup second", "start own", "start second", "stop second", "stop own"],
        "and stopped in reverse order"
    );
}

#[derive(Dependencies)]
struct Broken {
    #[dependency(name = "good")]
    good: Part,
    #[dependency(name = "bad", fail = true)]
    bad: Part,
}

#[service(name = "dependencies_broken")]
impl Broken {
    #[rpc]
    fn unused(&self) -> bool {
        self.good.name == self.bad.name
    }
}

#[tokio::test]
async fn a_failed_setup_names_the_field_and_stops_what_was_there() {
    let error = App::new().service::<Broken>().start().await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Setup);
    assert_eq!(error.to_string(), "setting up `bad` of service `dependencies_broken`: no luck");
    assert_eq!(journal(), ["setup good", "setup bad", "stop good"]);
}

/// Neither a panic nor an endless wait in one stop keeps the others from theirs.
#[derive(Clone)]
struct Stubborn {
    panics: bool,
}

#[derive(Default)]
struct StubbornOptions {
    panics: bool,
}

impl Dependency for Stubborn {
    type Options = StubbornOptions;
    async fn setup(_: &SetupContext, options: StubbornOptions) -> kinoko::Result<Self> {
        Ok(Self { panics: options.panics })
    }
    async fn stop(&self) -> kinoko::Result<()> {
        assert!(!self.panics, "it will not stop");
        std::future::pending().await
    }
}

#[derive(Dependencies)]
#[allow(dead_code, reason = "they act by being stopped")]
struct Mule {
    #[dependency(name = "last")]
    part: Part,
    waits: Stubborn,
    #[dependency(panics = true)]
    panics: Stubborn,
}

#[service(name = "dependencies_mule")]
impl Mule {
    #[rpc]
    fn unused(&self) {}
}

#[tokio::test(start_paused = true)]
async fn a_dependency_that_will_not_stop_keeps_no_other_one() {
    let app = App::new().service::<Mule>().start().await.unwrap();
    app.stop().await.unwrap();
    assert_eq!(journal(), ["setup last", "start last", "stop last"]);
}

#[derive(Clone)]
struct Hen;
#[derive(Clone)]
struct Egg;

impl Dependency for Hen {
    type Options = ();
    async fn setup(cx: &SetupContext, (): ()) -> kinoko::Result<Self> {
        cx.require::<Egg>().await.map(|_| Self)
    }
}

impl Dependency for Egg {
    type Options = ();
    async fn setup(cx: &SetupContext, (): ()) -> kinoko::Result<Self> {
        cx.require::<Hen>().await.map(|_| Self)
    }
}

#[derive(Dependencies)]
struct Farm {
    _hen: Hen,
}

#[service(name = "dependencies_farm")]
impl Farm {
    #[rpc]
    fn unused(&self) {}
}

#[tokio::test]
async fn a_circle_is_refused_and_named() {
    let error = App::new().service::<Farm>().start().await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Setup);
    assert!(
        error.to_string().contains("in a circle: suite::dependencies::Hen → suite::dependencies::Egg → "),
        "{error}"
    );
}

#[derive(Dependencies)]
struct First {
    journal: Journal,
}
#[service(name = "dependencies_first")]
impl First {
    #[rpc]
    fn same(&self, #[inject] _cx: WorkerContext) -> usize {
        Arc::strong_count(&self.journal.0)
    }
}

#[tokio::test]
async fn a_process_wide_dependency_is_shared_by_services() {
    let app = App::new().service::<First>().service::<Whole>().start().await.unwrap();
    app.client::<FirstClient>().same().await.unwrap();
    let setups = journal().iter().filter(|line| line.starts_with("setup own")).count();
    assert_eq!(setups, 1, "container-wide ones are not shared");
    app.stop().await.unwrap();
}

#[derive(Dependencies)]
struct Settled {
    #[dependency(key = "settled.limit", default = 50)]
    limit: Config<usize>,
    #[dependency(key = "settled.label")]
    label: Config<String>,
}

#[service(name = "dependencies_settled")]
impl Settled {
    #[rpc]
    fn both(&self) -> (usize, String) {
        (*self.limit, (*self.label).clone())
    }
}

#[tokio::test]
async fn settings_are_fields_with_defaults_and_a_missing_one_says_where_to_write_it() {
    let start =
        |yaml: &str| App::new().settings(kinoko::Settings::from_yaml(yaml).unwrap()).service::<Settled>().start();
    let app = start("settled: {label: x}").await.unwrap();
    assert_eq!(app.client::<SettledClient>().both().await.unwrap(), (50, "x".into()));
    app.stop().await.unwrap();
    let error = start("settled: {limit: 3}").await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Config);
    assert_eq!(
        error.to_string(),
        "setting up `label` of service `dependencies_settled`: setting `settled.label` is missing: \
         write it into kinoko.yaml, set KINOKO_SETTLED__LABEL, or give the field a `default`"
    );
    let error = start("settled: {limit: many, label: x}").await.unwrap_err();
    assert!(error.to_string().contains("setting `settled.limit` (from line 1): invalid type"), "{error}");
}
