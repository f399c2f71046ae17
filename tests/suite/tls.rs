//! What is wrong with TLS settings and certificate files is told before anybody is connected to.

use kinoko::{
    Client, ErrorKind, Settings,
    transport::{Login, Tls, TransportOptions},
};
use kinoko_tests::{Authority, Folder, write_pem};

fn options(yaml: &str) -> TransportOptions {
    TransportOptions::from_settings("test", &Settings::from_yaml(yaml).unwrap()).unwrap()
}

fn settings_error(yaml: &str) -> String {
    let error = TransportOptions::from_settings("test", &Settings::from_yaml(yaml).unwrap()).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Config);
    error.to_string()
}

#[test]
fn settings_are_read_as_kinoko_and_as_nameko_write_them() {
    assert_eq!(options("{}").tls, None);
    assert_eq!(options("amqp_tls: false").tls, None);
    assert_eq!(options("amqp_tls: true").tls, Some(Tls::default()));
    let ours = options("amqp_tls: {ca: a.pem, cert: b.pem, key: c.pem, server_name: d}").tls;
    let wanted = ours.clone().unwrap();
    assert_eq!(wanted.ca.unwrap().to_str(), Some("a.pem"));
    assert_eq!(wanted.server_name.as_deref(), Some("d"));
    let nameko = "{ca_certs: a.pem, certfile: b.pem, keyfile: c.pem, server_hostname: d, cert_reqs: CERT_REQUIRED, ssl_version: 5}";
    assert_eq!(options(&format!("AMQP_SSL: {nameko}")).tls, ours);
    assert_eq!(options("amqp_tls: {cert_reqs: 2, ca: a.pem, cert: b.pem, key: c.pem, server_name: d}").tls, ours);

    assert_eq!(options("{}").login, Login::Plain);
    for yaml in ["login_method: external", "LOGIN_METHOD: EXTERNAL"] {
        assert_eq!(options(yaml).login, Login::External);
    }
    assert_eq!(options("login_method: AMQPLAIN").login, Login::AmqPlain);
}

#[test]
fn wrong_settings_say_what_to_write() {
    for (yaml, expected) in [
        (
            "amqp_tls: ca.pem",
            "setting `amqp_tls` (from line 1): write `true`, or a map of `ca`, `cert`, `key` and `server_name`",
        ),
        (
            "amqp_tls: {cafile: x}",
            "setting `amqp_tls.cafile` (from line 1): there is no such option: `amqp_tls` takes `ca`, `cert`, ",
        ),
        ("amqp_tls: {ca: ''}", "setting `amqp_tls.ca` (from line 1): it is empty"),
        ("amqp_tls: {ca: [x]}", "setting `amqp_tls.ca` (from line 1): it must be a text"),
        ("amqp_tls: {verify: false}", "setting `amqp_tls.verify` (from line 1): kinoko always verifies the broker: "),
        (
            "AMQP_SSL: {cert_reqs: CERT_NONE}",
            "setting `amqp_tls.cert_reqs` (from line 1): kinoko always verifies the broker: ",
        ),
        ("AMQP_SSL: {password: s3cret}", "setting `amqp_tls.password` (from line 1): kinoko reads no encrypted key: "),
        ("AMQP_SSL: {ciphers: HIGH}", "setting `amqp_tls.ciphers` (from line 1): there is no such option"),
        ("login_method: magic", "setting `login_method` (from line 1): write `plain`, `amqplain` or `external`"),
    ] {
        let text = settings_error(yaml);
        assert!(text.starts_with(expected) && !text.contains("s3cret"), "{yaml}: {text}");
    }
}

/// Nobody listens there: what is asked is whether it gets that far.
const NOBODY: &str = "amqps://127.0.0.1:1";

async fn file_error(tls: &str) -> String {
    let settings = Settings::from_yaml(&format!("amqp_tls: {tls}")).unwrap();
    let error = Client::connect_with(NOBODY, &settings).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Config, "{error:?}");
    error.to_string()
}

async fn is_usable(tls: &str) {
    let settings = Settings::from_yaml(&format!("amqp_tls: {tls}")).unwrap();
    Client::connect_with(NOBODY, &settings).await.unwrap().close().await;
}

#[tokio::test]
async fn certificate_files_that_cannot_be_used_say_why() {
    let folder = Folder::new();
    let authority = Authority::new("kinoko test CA");
    let (one, other) = (authority.issue(&["client"], |_| {}), authority.issue(&["client"], |_| {}));
    let file = |text: &str| write_pem(&folder, text).display().to_string();
    let ca = file(&authority.pem);
    let (cert, key) = (file(&one.pem), file(&one.key));
    let both = file(&format!("{}{}", one.pem, one.key));
    let base64 = one.key.lines().nth(1).unwrap();

    is_usable(&format!("{{ca: {ca}, cert: {cert}, key: {key}}}")).await;
    is_usable(&format!("{{ca: {ca}, cert: {both}}}")).await;
    for (tls, expected) in [
        (
            "ca: /nowhere/ca.pem".to_owned(),
            "the file of CA certificates (`ca`), `/nowhere/ca.pem`, cannot be used: No such file",
        ),
        (format!("ca: {key}"), "it holds no `BEGIN CERTIFICATE`; it has to be PEM"),
        (format!("ca: {}", file("-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n")), "cannot be used: "),
        (format!("ca: {}", file("-----BEGIN CERTIFICATE-----\nAAAA\n")), "cannot be used: "),
        (format!("ca: {ca}, key: {key}"), "there is a key for the client (`key`"),
        (format!("ca: {ca}, cert: {cert}"), "the file of the client's key (`key`), "),
        (format!("ca: {ca}, cert: {cert}, key: {}", file(&other.key)), "does not belong to the certificate"),
        (
            format!("ca: {ca}, cert: {cert}, key: {}", file(&one.key.replace("PRIVATE KEY", "ENCRYPTED PRIVATE KEY"))),
            "it is encrypted; decrypt it (`openssl pkey -in … -out …`)",
        ),
        (
            format!(
                "ca: {ca}, cert: {cert}, key: {}",
                file(&one.key.replacen("-----\n", "-----\nProc-Type: 4,ENCRYPTED\n\n", 1))
            ),
            "it is encrypted",
        ),
        (
            format!("ca: {ca}, cert: {cert}, key: {}", file(&one.key.replace("-----END", "----END"))),
            "it holds no whole `BEGIN PRIVATE KEY`",
        ),
    ] {
        let text = file_error(&format!("{{{tls}}}")).await;
        assert!(text.starts_with("amqps://guest@127.0.0.1:1/%2F: ") && text.contains(expected), "{tls}: {text}");
        assert!(!text.contains(base64), "the key is in an error: {text}");
    }
}
