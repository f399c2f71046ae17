//! TLS as RabbitMQ speaks it: verified connections, client certificates, logins by certificate.

use std::{
    fmt::Write,
    io::{BufRead, BufReader},
    path::PathBuf,
    process::{Command, Stdio},
};

use kinoko::{
    App, Client, Settings,
    prelude::*,
    transport::{ConnectionState, Login, Tls, TransportOptions, connect},
};
use kinoko_tests::{Authority, Issued, PrivateBroker, captured_log, free_ports, soon, write_pem};
use rcgen::{DnType, date_time_ymd};

use crate::support::{Echo, open, queue, reach, refusal};

/// A node with a TLS listener on `localhost`, whose certificate a CA of the test issued.
struct TlsBroker {
    node: PrivateBroker,
    ca: Authority,
    port: u16,
}

impl TlsBroker {
    /// Starts it, with these lines in its configuration too.
    fn start(more: &str, plugins: &[&str]) -> Self {
        let ca = Authority::new("kinoko test CA");
        let [port] = free_ports();
        let mut broker = Self { node: PrivateBroker::stopped(), ca, port };
        let certificate = broker.ca.issue(&["localhost"], |_| {});
        broker.start_showing(&certificate, more, plugins);
        broker
    }

    fn start_showing(&mut self, certificate: &Issued, more: &str, plugins: &[&str]) {
        let directory = self.node.directory();
        let (cert, key) = certificate.write(directory);
        let ca = write_pem(directory, &self.ca.pem);
        let mut conf = format!("listeners.ssl.1 = 127.0.0.1:{}\n", self.port);
        for (option, file) in [("cacertfile", ca), ("certfile", cert), ("keyfile", key)] {
            writeln!(conf, "ssl_options.{option} = {}", file.display()).unwrap();
        }
        self.node.configure(&format!("{conf}{more}"), plugins);
        self.node.start();
    }

    fn url(&self) -> String {
        format!("amqps://guest:guest@localhost:{}/", self.port)
    }

    fn tls(&self) -> Tls {
        let mut tls = Tls::default();
        tls.ca = Some(write_pem(self.node.directory(), &self.ca.pem));
        tls
    }

    fn tls_with(&self, certificate: &Issued) -> Tls {
        let mut tls = self.tls();
        let (cert, key) = certificate.write(self.node.directory());
        (tls.cert, tls.key) = (Some(cert), Some(key));
        tls
    }
}

fn options(tls: Tls) -> TransportOptions {
    TransportOptions { tls: Some(tls), ..TransportOptions::default() }
}

async fn echoes(url: &str, options: TransportOptions) -> Echo {
    let transport = soon("a connection", connect(url, options)).await.unwrap();
    let echo = Echo::with_queue(transport, queue()).await;
    echo.call("over TLS").await;
    echo
}

#[derive(Dependencies)]
struct Vault;

#[service(name = "broker_tls_vault")]
impl Vault {
    #[rpc]
    fn open(&self, word: String) -> String {
        word.to_uppercase()
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
#[cfg_attr(
    not(private_broker),
    ignore = "needs a RabbitMQ of its own: run ./test.sh, or set KINOKO_TEST_RABBITMQ_SERVER"
)]
async fn services_and_clients_speak_over_verified_tls() {
    let log = captured_log;
    log();
    let mut broker = TlsBroker::start("", &[]);

    // By settings, for an app and for a client; by URL too.
    let mut settings = Settings::default();
    settings.set("amqp_tls.ca", broker.tls().ca.unwrap().to_str().unwrap());
    let app = soon("a start", App::new().service::<Vault>().settings(settings.clone()).broker(broker.url()).start());
    let app = app.await.unwrap();
    let client = soon("a client", Client::connect_with(&broker.url(), &settings)).await.unwrap();
    let opened = soon("a call", async { client.service::<VaultClient>().open("sesame".into()).await }).await;
    assert_eq!(opened.unwrap(), "SESAME");
    client.close().await;
    soon("a stop", app.stop()).await.unwrap();
    let ca = broker.tls().ca.unwrap();
    let by_url = format!("{}?cacertfile={}&verify=verify_peer", broker.url(), ca.display());
    let echo = echoes(&by_url, TransportOptions::default()).await;

    // By the system's CAs, which this variable names, and without: the program ends with the reason.
    let program = |variable: &str, file: PathBuf| {
        let mut command = Command::new(env!("CARGO_BIN_EXE_program-with-a-service"));
        command.env_clear().env("KINOKO_AMQP_URI", broker.url()).env("SLEEP_MILLIS", "1").env(variable, file);
        command.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap()
    };
    let mut trusting = program("SSL_CERT_FILE", ca.clone());
    let mut lines = BufReader::new(trusting.stdout.take().unwrap()).lines();
    let answered = lines.any(|line| line.unwrap() == "answered");
    trusting.kill().unwrap();
    trusting.wait().unwrap();
    assert!(answered);
    let other = write_pem(broker.node.directory(), &Authority::new("another CA").pem);
    for (variable, reason) in [
        ("SSL_CERT_FILE", "it was not issued by a CA that this system trusts"),
        ("KINOKO_AMQP_TLS__CA", "it was not issued by a CA of the file `ca`"),
    ] {
        let output = program(variable, other.clone()).wait_with_output().unwrap();
        let error = String::from_utf8_lossy(&output.stderr);
        assert_eq!(output.status.code(), Some(3), "{error}");
        let last = error.lines().last().unwrap();
        assert!(last.starts_with("error: amqps://guest@localhost:") && last.contains(reason), "{last}");
    }

    // The same broker by a name that its certificate lacks, and to clients that do not know its CA.
    let by_address = broker.url().replace("localhost", "127.0.0.1");
    let text = refusal(&by_address, options(broker.tls())).await;
    assert!(text.contains("it is not valid for `127.0.0.1` but for ") && text.contains("localhost"), "{text}");
    let mut named = broker.tls();
    named.server_name = Some("localhost".to_owned());
    echoes(&by_address, options(named)).await.transport.close().await;
    let mut stranger = Tls::default();
    stranger.ca = Some(write_pem(broker.node.directory(), &Authority::new("another CA").pem));
    let text = refusal(&broker.url(), options(stranger)).await;
    assert!(text.contains("it was not issued by a CA of the file `ca`"), "{text}");
    let text = refusal(&broker.url().replace("guest:guest", "guest:wrong"), options(broker.tls())).await;
    assert!(text.contains("refuses the user name or password of user `guest`"), "{text}");
    let plain = format!("amqps://guest:guest@{}/", broker.node.host_port());
    let text = refusal(&plain, options(broker.tls())).await;
    assert!(text.contains("does not speak TLS"), "{text}");
    // It answers with an alert, which its reset may take away.
    let transport = open(&broker.url().replace("amqps", "amqp")).await;
    reach(&*transport, |state| matches!(state, ConnectionState::Connecting(reason) if reason.contains("`amqps://`")))
        .await;
    soon("a close", transport.close()).await;

    // Whoever was connected once goes on trying, and says why it cannot.
    broker.node.kill9();
    echo.lost(1).await;
    let expired = broker.ca.issue(&["localhost"], |params| params.not_after = date_time_ymd(2024, 1, 1));
    broker.start_showing(&expired, "", &[]);
    let distrusts = |state: &ConnectionState| match state {
        ConnectionState::Connecting(reason) => reason.contains("the broker's certificate is refused: it expired "),
        _ => false,
    };
    reach(&*echo.transport, distrusts).await;
    assert!(log().contains("lost the broker, connecting again until it is back"), "{}", log());
    broker.node.kill9();
    let renewed = broker.ca.issue(&["localhost"], |_| {});
    broker.start_showing(&renewed, "", &[]);
    reach(&*echo.transport, |state| *state == ConnectionState::Connected).await;
    echo.call("with the renewed certificate").await;
    soon("a close", echo.transport.close()).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
#[cfg_attr(
    not(private_broker),
    ignore = "needs a RabbitMQ of its own: run ./test.sh, or set KINOKO_TEST_RABBITMQ_SERVER"
)]
async fn client_certificates_are_shown_and_can_be_the_login() {
    let conf = "ssl_options.verify = verify_peer\nssl_options.fail_if_no_peer_cert = true\n\
                auth_mechanisms.1 = PLAIN\nauth_mechanisms.2 = AMQPLAIN\nauth_mechanisms.3 = EXTERNAL\n\
                ssl_cert_login_from = common_name\n";
    let broker = TlsBroker::start(conf, &["rabbitmq_auth_mechanism_ssl"]);
    broker.node.ctl(&["add_user", "orders", "unused"]);
    broker.node.ctl(&["set_permissions", "orders", ".*", ".*", ".*"]);
    let named = |ca: &Authority, name: &str| {
        ca.issue(&[], |params| {
            params.distinguished_name.remove(DnType::CommonName);
            params.distinguished_name.push(DnType::CommonName, name);
        })
    };
    let orders = named(&broker.ca, "orders");

    // User and password over a connection that wants a certificate.
    echoes(&broker.url(), options(broker.tls_with(&orders))).await.transport.close().await;
    // The certificate is who we are, whatever the URL says.
    let external = |tls| TransportOptions { login: Login::External, ..options(tls) };
    let url = format!("amqps://nobody@localhost:{}/", broker.port);
    let echo = echoes(&url, external(broker.tls_with(&orders))).await;
    assert_eq!(echo.transport.address(), format!("amqps://localhost:{}/%2F", broker.port));
    soon("a close", echo.transport.close()).await;
    let by_url = format!("{url}?auth_mechanism=external");
    echoes(&by_url, options(broker.tls_with(&orders))).await.transport.close().await;
    let amqplain = TransportOptions { login: Login::AmqPlain, ..options(broker.tls_with(&orders)) };
    echoes(&broker.url(), amqplain).await.transport.close().await;

    // Often enough to meet the broker's reset before its refusal is read.
    let forged = named(&Authority::new("another CA"), "orders");
    for _ in 0..20 {
        let text = refusal(&broker.url(), options(broker.tls())).await;
        assert!(
            text.contains("the broker wants a certificate of the client: name one that it trusts as `amqp_tls.cert`"),
            "{text}"
        );
        let text = refusal(&broker.url(), options(broker.tls_with(&forged))).await;
        assert!(text.contains("the broker refuses the client's certificate `"), "{text}");
    }
    let unknown = named(&broker.ca, "unknown");
    let text = refusal(&url, external(broker.tls_with(&unknown))).await;
    assert!(text.contains("does not take the client's certificate as a login (EXTERNAL)"), "{text}");
}
