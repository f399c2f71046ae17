//! The quickstart and the shop, as a newcomer runs them; and a real Python Nameko calling the quickstart.

use std::{
    io::{BufRead, BufReader},
    process::{Child, Command, Stdio},
};

use kinoko_tests::{Python, amqp_uri, unique};
use serde_json::json;

fn cargo_run(package: &str, args: &[&str]) -> Command {
    let mut command = Command::new(env!("CARGO"));
    command.args(["run", "--quiet", "--package", package, "--"]).args(args);
    for (name, _) in std::env::vars().filter(|(name, _)| name.starts_with("KINOKO_")) {
        command.env_remove(name);
    }
    command.stdin(Stdio::null());
    command
}

#[test]
fn the_quickstart_greets() {
    let call = ["call", "greeting_service.hello", r#"{"name": "Ada"}"#];
    let output = cargo_run("quickstart", &call).output().unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    assert_eq!(String::from_utf8_lossy(&output.stdout), "\"Hello, Ada!\"\n");
}

#[test]
fn a_program_without_the_feature_tls_says_how_to_have_it() {
    let output = cargo_run("quickstart", &["run"]).env("KINOKO_AMQP_URI", "amqps://localhost").output().unwrap();
    let error = String::from_utf8_lossy(&output.stderr);
    assert_eq!(output.status.code(), Some(2), "{error}");
    let last =
        "this program was built without TLS: enable kinoko's feature `tls` (`amqp_uri` is from KINOKO_AMQP_URI)\n";
    assert!(error.ends_with(last), "{error}");
}

#[test]
fn the_shops_demo_places_an_order() {
    let output = cargo_run("shop", &["demo"]).output().unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    let told = String::from_utf8_lossy(&output.stdout);
    for line in ["Order 1 placed for Ada:", "  2 × TEAPOT", "In stock: 8 teapots", "Refused: only 1 of LAST-ONE left"]
    {
        assert!(told.contains(line), "{told}");
    }
}

/// A service that runs until it is dropped.
struct Serving(Child);

impl Serving {
    /// Starts a program and waits until its log says that the service is there.
    fn start(mut command: Command) -> Self {
        let child = command.stderr(Stdio::piped()).stdout(Stdio::null()).spawn().unwrap();
        let mut serving = Self(child);
        let mut log = BufReader::new(serving.0.stderr.take().unwrap()).lines().map(Result::unwrap);
        assert!(log.any(|line| line.contains("service started")), "it ended before it started");
        // The pipe stays open and is read, so that the program can go on logging.
        std::thread::spawn(move || log.for_each(drop));
        serving
    }
}

impl Drop for Serving {
    fn drop(&mut self) {
        let _ = Command::new("kill").arg(self.0.id().to_string()).status();
        let _ = self.0.wait();
    }
}

#[test]
fn the_shops_own_command_leaves_kinokos_as_they_are() {
    let output = cargo_run("shop", &["list"]).output().unwrap();
    let listed = String::from_utf8_lossy(&output.stdout);
    let place = "place(customer: String, lines: Vec<Line>) -> Order, or OrderError";
    assert!(listed.lines().any(|line| line.starts_with("  rpc ") && line.contains(place)), "{listed}");
}

/// What is called over the broker: the quickstart in another process, and a Python service, which only its own code describes.
#[test]
#[cfg_attr(not(python), ignore = "needs Python with Nameko: run ./test.sh")]
fn the_command_line_calls_services_in_other_processes_and_in_python() {
    let mut command = cargo_run("quickstart", &[]);
    command.env("KINOKO_AMQP_URI", amqp_uri());
    let _serving = Serving::start(command);
    let _python = Python::nameko2().serve("command_line_python_peer");
    let call = |args: &[&str]| {
        let broker = amqp_uri();
        let output = cargo_run("shop", &[&["--broker", &broker, "call"], args].concat()).output().unwrap();
        let (answer, error) = (String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr));
        (output.status.code(), answer.into_owned(), error.into_owned())
    };
    let answered = |text: &str| (Some(0), text.to_owned(), String::new());
    assert_eq!(call(&["greeting_service.hello", "Ada"]), answered("\"Hello, Ada!\"\n"));
    assert_eq!(call(&["command_line_python_peer.add", "40", "2"]), answered("42\n"));
    assert_eq!(call(&["command_line_python_peer.add", r#"{"a": 40}"#]), answered("42\n"));
    let (code, _, error) = call(&["command_line_python_peer.fail"]);
    assert_eq!(code, Some(1));
    let expected = "error: `command_line_python_peer.fail`: ValueError: boom\n  code: ValueError\n  type: builtins.ValueError\n  may have run: yes\n";
    assert_eq!(error, expected);
    let (code, answer, _) = call(&["command_line_python_peer.slow", "30", "--timeout", "300ms", "--json"]);
    assert_eq!(code, Some(1));
    let answer: serde_json::Value = serde_json::from_str(&answer).unwrap();
    assert_eq!((&answer["error"]["code"], &answer["error"]["may_have_run"]), (&json!("TIMEOUT"), &json!(true)));
    let (_, _, error) = call(&["greeting_servce.hello"]);
    assert!(error.starts_with("error: `greeting_servce.hello`: no service `greeting_servce`\n"), "{error}");
}

#[test]
#[cfg_attr(not(python), ignore = "needs Python with Nameko: run ./test.sh")]
fn a_python_script_is_greeted_by_the_quickstart() {
    let mut command = cargo_run("quickstart", &["run"]);
    let _serving = Serving::start({
        command.env("KINOKO_AMQP_URI", amqp_uri());
        command
    });
    let python = Python::nameko2();
    let call = |method: &str, args, kwargs| python.call("greeting_service", method, args, kwargs);
    assert_eq!(call("hello", json!(["Ada"]), json!({})), json!({"result": "Hello, Ada!"}));
    assert_eq!(call("hello", json!([]), json!({"name": "Zoë"})), json!({"result": "Hello, Zoë!"}));
    let error = call("greet", json!([]), json!({}));
    assert_eq!(error["error"]["class"], "MethodNotFound");
    assert_eq!(error["error"]["text"], "greet");
    for (args, kwargs, text) in [
        (json!([]), json!({}), "missing argument `name`"),
        (json!(["Ada", "Grace"]), json!({}), "takes 1 argument, got 2"),
        (json!([]), json!({"nam": "Ada"}), "unknown argument `nam`: did you mean `name`?"),
        (json!([7]), json!({}), "argument `name`: invalid type: integer `7`, expected a string"),
    ] {
        let error = call("hello", args, kwargs);
        assert_eq!((&error["error"]["class"], &error["error"]["text"]), (&json!("IncorrectSignature"), &json!(text)));
    }
}

#[test]
#[cfg_attr(not(broker), ignore = "needs RabbitMQ: run ./test.sh, or set KINOKO_TEST_AMQP_URI")]
fn the_shops_services_run_apart_over_the_broker() {
    use contracts::{Line, OrdersClient};
    let folder = std::env::temp_dir().join(unique("kinoko-shop"));
    std::fs::create_dir_all(&folder).unwrap();
    let file = |file: &str| format!("sqlite:{}", folder.join(file).display());
    let serve = |package, settings: &[(&str, String)]| {
        let settings: Vec<_> = settings.iter().map(|(key, value)| format!("--define={key}={value}")).collect();
        let arguments: Vec<_> = std::iter::once("run").chain(settings.iter().map(String::as_str)).collect();
        let mut command = cargo_run(package, &arguments);
        command.env("KINOKO_AMQP_URI", amqp_uri());
        Serving::start(command)
    };
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(1).enable_all().build().unwrap();
    let gateway = runtime.block_on(gateway::Gateway::open("127.0.0.1:0")).unwrap();
    let apart = [
        serve("inventory-service", &[]),
        serve(
            "payments-service",
            &[("payments.database.url", file("payments.db")), ("payments.gateway", gateway.url())],
        ),
        serve("orders-service", &[("orders.database.url", file("orders.db")), ("saga.log", file("orders.db"))]),
    ];
    runtime.block_on(async {
        let client = kinoko::Client::connect(&amqp_uri()).await.unwrap();
        let order = client.service::<OrdersClient>().place("Ada".into(), vec![Line::new("CUP", 3)]).await.unwrap();
        assert_eq!(order.lines, [Line::new("CUP", 3)]);
        assert_eq!(gateway.counts().charges, 1);
        client.close().await;
    });
    drop(apart);
    std::fs::remove_dir_all(folder).unwrap();
}
