use std::{collections::BTreeMap, time::Duration};

use serde::Deserialize;

use super::*;

fn with_env<const N: usize>(yaml: &str, variables: [(&str, &str); N]) -> Settings {
    let mut settings = Settings::from_yaml(yaml).unwrap();
    settings.apply_env(variables.map(|(key, value)| (key.into(), value.into()))).unwrap();
    settings
}

fn file(path: &str, text: &str) -> Result<Settings> {
    let variables = |name: &str| match name {
        "PORT" => Some("5672".to_owned()),
        "DB_PASSWORD" => Some("hunter2".to_owned()),
        _ => None,
    };
    Settings::read(text, Some(path.into()), &variables)
}

#[derive(Debug, Deserialize, PartialEq)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
struct Database {
    password: String,
    #[serde(default)]
    max_size: Option<u32>,
    #[serde(default)]
    tags: Vec<String>,
    #[serde(default)]
    wait: Duration,
}

#[test]
fn environment_goes_over_the_file_and_keeps_text_text() {
    let settings = with_env(
        "max_workers: 3\norders: {max_lines: 1, note: x}",
        [("KINOKO_MAX_WORKERS", "9"), ("KINOKO_ORDERS__NOTE", "12"), ("PATH", "/bin"), ("KINOKO_CONFIG", "a.yaml")],
    );
    assert_eq!(settings.get::<usize>("max_workers").unwrap(), Some(9));
    assert_eq!(settings.get::<usize>("orders.max_lines").unwrap(), Some(1));
    assert_eq!(settings.get::<String>("orders.note").unwrap().as_deref(), Some("12"));
    assert_eq!(settings.get::<String>("config").unwrap(), None);
    for text in ["1.10", "12345e6", "123456789012345678901234567890", "true", "[a", "null", ""] {
        let settings = with_env("", [("KINOKO_VERSION", text)]);
        assert_eq!(settings.get::<String>("version").unwrap().as_deref(), Some(text));
    }
}

#[test]
fn definitions_go_over_the_environment() {
    let mut settings = with_env("a: {b: 1}", [("KINOKO_A__B", "2")]);
    settings.define("a.b=3").unwrap();
    settings.define("url = x=y ").unwrap();
    assert_eq!(settings.get::<u8>("a.b").unwrap(), Some(3));
    assert_eq!(settings.get::<String>("url").unwrap().as_deref(), Some(" x=y "));
    for wrong in [".=3", "a.=3", "a..b=3"] {
        let error = settings.define(wrong).unwrap_err().to_string();
        assert!(error.contains("(from --define): a part of the key is empty"), "{wrong}: {error}");
    }
    let deep = format!("{}=3", ["a"; 50_000].join("."));
    assert!(settings.define(&deep).unwrap_err().to_string().ends_with("a key has at most 64 parts"));
    for wrong in ["a.b", "=3"] {
        assert!(settings.define(wrong).unwrap_err().to_string().contains("write `orders.max_lines=7`"));
    }
    let error = settings.define("a.b.c=3").unwrap_err();
    assert_eq!(
        error.to_string(),
        "setting `a.b.c` (from --define): `a.b` (--define) is no section, so nothing can stand in it"
    );
}

#[test]
fn a_section_is_a_struct_whose_fields_variables_set() {
    let settings = with_env(
        "db: {password: a, maxSize: 3}",
        [
            ("KINOKO_DB__PASSWORD", "12345"),
            ("KINOKO_DB__MAXSIZE", "7"),
            ("KINOKO_DB__TAGS", "[a, 2]"),
            ("KINOKO_DB__WAIT", "1m 30s"),
        ],
    );
    let expected = Database {
        password: "12345".into(),
        max_size: Some(7),
        tags: vec!["a".into(), "2".into()],
        wait: Duration::from_secs(90),
    };
    assert_eq!(settings.get::<Database>("db").unwrap(), Some(expected));
    // With no file to say how the key is spelt.
    let settings =
        with_env("", [("KINOKO_DB__PASSWORD", "x"), ("KINOKO_DB__MAXSIZE", "7"), ("KINOKO_DB", "{tags: [b]}")]);
    let database = settings.get::<Database>("db").unwrap().unwrap();
    assert_eq!((database.max_size, database.tags), (Some(7), vec!["b".to_owned()]));
    assert_eq!(settings.get::<u8>("db.maxSize").unwrap(), Some(7));
}

#[test]
fn variables_reach_keys_with_capitals() {
    let settings = with_env("Orders: {MaxLines: 1}", [("KINOKO_ORDERS__MAXLINES", "2"), ("KINOKO_PLACES", "{a: 1}")]);
    assert_eq!(settings.get::<u8>("Orders.MaxLines").unwrap(), Some(2));
    assert_eq!(settings.get::<BTreeMap<String, u8>>("places").unwrap().unwrap()["a"], 1);
    assert_eq!(settings.unknown(), [""; 0]);
}

#[test]
fn numbers_without_quotes_are_texts_where_texts_are_read_and_quoted_ones_are_no_numbers() {
    let settings =
        Settings::from_yaml("plain: 1.10 # now\nhex: 0x1F\nquoted: '7'\nlist:\n- 007\n- yes\nnothing:\n").unwrap();
    assert_eq!(settings.get::<String>("plain").unwrap().as_deref(), Some("1.10"));
    assert_eq!(settings.get::<f64>("plain").unwrap(), Some(1.1));
    assert_eq!(settings.get::<u8>("hex").unwrap(), Some(31));
    assert_eq!(settings.get::<String>("hex").unwrap().as_deref(), Some("0x1F"));
    assert_eq!(settings.get::<Vec<String>>("list").unwrap().unwrap(), ["007", "yes"]);
    assert_eq!(settings.get::<Option<String>>("nothing").unwrap(), Some(None));
    assert!(settings.get::<String>("nothing").is_err());
    let error = settings.get::<u8>("quoted").unwrap_err();
    assert_eq!(error.to_string(), "setting `quoted` (from line 3): invalid type: string \"7\", expected u8");
}

#[test]
fn anchors_merges_and_dotted_keys_mean_what_yaml_says() {
    let settings = file(
        "kinoko.yaml",
        "x-base: &base {size: 3, port: '${PORT}'}\na: {<<: *base, size: 4}\nb: *base\norders.max_lines: 5\norders: {min: 1}\n",
    )
    .unwrap();
    for (key, value) in [("a.size", 4), ("a.port", 5672), ("b.size", 3), ("orders.max_lines", 5), ("orders.min", 1)] {
        assert_eq!(settings.get::<u16>(key).unwrap(), Some(value), "{key}");
    }
    assert_eq!(settings.unknown(), ["unknown setting `b.port` (kinoko.yaml:3, ${PORT}): did you mean `a.port`?"]);
}

#[test]
fn toml_is_read_by_its_ending() {
    let text = "max_workers = 3\n[orders]\nport = '${PORT}'\nlines = [1, 2]\nratio = 0.5\nday = 2026-11-24\n";
    let settings = file("conf/kinoko.toml", text).unwrap();
    assert_eq!(settings.get::<u8>("max_workers").unwrap(), Some(3));
    assert_eq!(settings.get::<u16>("orders.port").unwrap(), Some(5672));
    assert_eq!(settings.get::<Vec<u8>>("orders.lines").unwrap(), Some(vec![1, 2]));
    assert_eq!(settings.get::<f32>("orders.ratio").unwrap(), Some(0.5));
    assert_eq!(settings.get::<String>("orders.day").unwrap().as_deref(), Some("2026-11-24"));
    let error = settings.get::<bool>("orders.ratio").unwrap_err().to_string();
    assert!(error.starts_with("setting `orders.ratio` (from conf/kinoko.toml:5): invalid type"), "{error}");
    assert_eq!(file("KINOKO.TOML", "max_workers = 3").unwrap().get::<u8>("max_workers").unwrap(), Some(3));
    let error = file("kinoko.toml", "password = 'x'\nb = = 2").unwrap_err().to_string();
    assert!(error.starts_with("settings file `kinoko.toml`: line 2, column 5: "), "{error}");
}

#[test]
fn a_file_that_cannot_be_read_says_where_and_shows_nothing_of_it() {
    for (text, start) in [
        ("password: hunter2\nlist: [1, 2\nb: hunter2", "settings file `kinoko.yaml`: line "),
        ("a: 1\na: 2", "settings file `kinoko.yaml`: line 2, column 1: "),
        ("- hunter2", "settings file `kinoko.yaml`: settings are a map"),
        ("a: b: hunter2", "settings file `kinoko.yaml`: line 1, column "),
        ("a: 1\nb: ${NOWHERE}", "settings file `kinoko.yaml`: line 2: the variable NOWHERE is not set"),
        ("a: 1\n---\nb: hunter2", "settings file `kinoko.yaml`: line 3, column 1: a settings file is one document"),
        ("null: 1", "settings file `kinoko.yaml`: line 1, column 1: a key cannot be null: write it in quotes"),
        ("a: &a [*a]", "settings file `kinoko.yaml`: line 1, column 8: an alias stands inside its own anchor"),
        ("'': hunter2", "settings file `kinoko.yaml`: `` (kinoko.yaml:1): a part of the key is empty"),
        (".: hunter2", "settings file `kinoko.yaml`: `.` (kinoko.yaml:1): a part of the key is empty"),
        (
            "a: {b: 1}\na.b: 2",
            "settings file `kinoko.yaml`: `a.b` is set twice, kinoko.yaml:1 and kinoko.yaml:2: write one of them",
        ),
        (
            "a: 1\na.b: 2",
            "settings file `kinoko.yaml`: `a.b` is set, and so is `a` (kinoko.yaml:1), which is no section",
        ),
    ] {
        let error = file("kinoko.yaml", text).unwrap_err();
        assert!(error.to_string().starts_with(start), "{error}");
        assert!(!error.chain().contains("hunter2") && !error.chain().contains('\n'), "{error}");
    }
}

#[test]
fn a_duration_without_a_unit_is_told_what_to_write() {
    let settings = Settings::from_yaml("grace_period: 30").unwrap();
    let error = settings.duration("grace_period", Duration::ZERO).unwrap_err();
    let start = "setting `grace_period` (from line 1): `30` is no duration: its unit is missing; write `2s`";
    assert!(error.to_string().starts_with(start), "{error}");
}

#[test]
fn a_wrong_type_names_key_and_origin_also_inside_a_section() {
    let settings =
        with_env("db:\n  password: a\n  tags: [x, {}]", [("KINOKO_MAX_WORKERS", "many"), ("KINOKO_DB__MAXSIZE", "-1")]);
    let error = settings.get::<usize>("max_workers").unwrap_err();
    assert_eq!(
        error.to_string(),
        "setting `max_workers` (from KINOKO_MAX_WORKERS): invalid type: string \"many\", expected usize"
    );
    let error = settings.get::<Database>("db").unwrap_err().to_string();
    assert!(
        error.starts_with("setting `db.maxSize` (from KINOKO_DB__MAXSIZE): invalid value: integer `-1`"),
        "{error}"
    );
    let error = settings.get::<Vec<String>>("db.tags").unwrap_err().to_string();
    assert!(error.starts_with("setting `db.tags[1]` (from line 3): invalid type: map"), "{error}");
}

#[test]
fn secrets_are_in_no_error_and_no_debug() {
    let settings = file(
        "kinoko.yaml",
        "api_key: hunter2\nurl: amqp://me:hunter2@h\ndb: {password: hunter2}\npin: hunter2\ndsn2: 'x ${DB_PASSWORD}'\n",
    )
    .unwrap();
    settings.declare([SettingInfo::new("pin").secret()]);
    for key in ["api_key", "url", "db.password", "pin", "dsn2"] {
        let error = settings.get::<u8>(key).unwrap_err();
        let texts = format!("{error} {error:?} {}", error.chain());
        assert!(!texts.contains("hunter2"), "{texts}");
        assert!(texts.contains("expected u8") && texts.contains(key) && texts.contains("kinoko.yaml:"), "{texts}");
    }
    // The error of a whole section, which serde tells of no field.
    #[derive(Debug)]
    struct Talkative;
    impl<'de> Deserialize<'de> for Talkative {
        fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
            let value = Value::deserialize(deserializer)?;
            Err(serde::de::Error::custom(format!("I do not like {value}")))
        }
    }
    let error = settings.get::<Talkative>("db").unwrap_err().to_string();
    assert_eq!(error, "setting `db` (from kinoko.yaml:3): it does not fit; the value is a secret and not shown");
    let shown = format!("{settings:?}");
    assert!(shown.starts_with(r#"{"api_key": kinoko.yaml:1, "db.password": kinoko.yaml:3"#), "{shown}");
    assert!(!shown.contains("hunter2"), "{shown}");
}

#[test]
fn what_nobody_reads_is_told_with_the_nearest_key() {
    let settings = with_env(
        "max_wrkers: 3\norders: {max_lnes: 1, max_lines: 2}\nmax_lines: 3\nbilling: {a: 1}\nx-anchors: {a: 1}\nstock: 3\n",
        [
            ("KINOKO_MAXWORKERS", "3"),
            ("KINOKO_ORDERS_MAX_LINES", "3"),
            ("KINOKO_NOISE", "3"),
            ("KINOKO_SHOP_SERVICE_HOST", "10.0.0.1"),
            ("KINOKO_SHOP_PORT_80_TCP_ADDR", "10.0.0.1"),
            ("KINOKO_SHOP_PORT", "tcp://10.0.0.1:80"),
        ],
    );
    settings.declare(own());
    settings.declare(["orders.max_lines", "stock.level"].map(SettingInfo::new));
    assert_eq!(settings.get::<u8>("orders.max_lines").unwrap(), Some(2));
    assert_eq!(
        settings.unknown(),
        [
            "unknown setting `billing` (line 4): nothing in this program reads it",
            "unknown setting `max_lines` (line 3): did you mean `orders.max_lines`?",
            "unknown setting `max_wrkers` (line 1): did you mean `max_workers`?",
            "unknown variable `KINOKO_MAXWORKERS`: did you mean `KINOKO_MAX_WORKERS`?",
            "unknown variable `KINOKO_NOISE`: nothing in this program reads it",
            "unknown setting `orders.max_lnes` (line 2): did you mean `orders.max_lines`?",
            "unknown variable `KINOKO_ORDERS_MAX_LINES`: did you mean `KINOKO_ORDERS__MAX_LINES`?",
            "setting `stock` (line 6) is a section, in which stands `stock.level`",
        ]
    );
    assert!(settings.missing("orders.max_lins").ends_with("is it what line 2 calls `orders.max_lnes`?"));
}

#[test]
fn a_key_with_dots_inside_a_section_is_no_way_to_write_a_known_one() {
    let settings = Settings::from_yaml("orders: {db.url: x}\nhosts: {a.example: 1}\n").unwrap();
    settings.declare(["orders.db.url", "hosts"].map(SettingInfo::new));
    assert_eq!(settings.get::<BTreeMap<String, u8>>("hosts").unwrap().unwrap()["a.example"], 1);
    let unknown = settings.unknown();
    assert_eq!(unknown.len(), 1);
    assert!(
        unknown[0].starts_with("setting `orders.db.url` (line 1) is not read: `db.url` is one name"),
        "{unknown:?}"
    );
    #[cfg(feature = "cli")]
    assert_eq!(settings.entries().iter().filter(|entry| !entry.known).count(), 1);
}

#[test]
fn a_section_is_no_list() {
    let error = Settings::from_yaml("db: [x, 3]").unwrap().get::<Database>("db").unwrap_err().to_string();
    assert_eq!(error, "setting `db` (from line 1): invalid type: sequence, expected struct Database");
}

#[test]
fn variables_that_are_no_settings_and_those_that_name_nothing() {
    let settings = with_env("", [("KINOKO_EXPAND", "1"), ("KINOKO_CONFIG", "x"), ("KINOKO_TEST_X", "1")]);
    assert_eq!(settings.unknown(), [""; 0]);
    for name in ["KINOKO_", "KINOKO_ORDERS__", "KINOKO___X"] {
        let error = Settings::default().apply_env([(name.into(), "1".into())]).unwrap_err().to_string();
        assert!(error.contains(&format!("(from {name}): a part of the key is empty")), "{error}");
    }
}

#[test]
fn reading_a_section_makes_known_what_is_in_it() {
    let settings = Settings::from_yaml("db: {password: x, pool: {size: 3}}\n").unwrap();
    assert_eq!(settings.unknown().len(), 1);
    settings.get::<Value>("db").unwrap();
    assert_eq!(settings.clone().unknown(), [""; 0]);
}

#[test]
fn namekos_own_file_is_read_and_each_key_is_noted() {
    let text = "AMQP_URI: pyamqp://${USER:me}:hunter2@h/\nWEB_SERVER_ADDRESS: 0.0.0.0:8000\nHEARTBEAT: 60\nrpc_exchange: other\n\
                max_workers: 4\nserializer: json\nparent_calls_tracked: 3\nLOGGING: {version: 1}\nACCEPT: [json]\nLOGIN_METHOD: PLAIN\n\
                AMQP_SSL: {ca_certs: x}\nPREFETCH_COUNT: 5\nDECLARE_EVENT_EXCHANGES: false\nAUTO_DELETE_EVENT_EXCHANGES: true\n";
    let mut settings = file("config.yaml", text).unwrap();
    settings.apply_env([("KINOKO_AMQP_URI".into(), "memory://".into())]).unwrap();
    settings.define("HEARTBEAT=30").unwrap();
    settings.declare(own());
    assert_eq!(settings.get::<String>("amqp_uri").unwrap().as_deref(), Some("memory://"));
    assert_eq!(settings.duration("heartbeat", Duration::ZERO).unwrap(), Duration::from_secs(30));
    assert_eq!(settings.get::<String>("amqp_tls.ca_certs").unwrap().as_deref(), Some("x"));
    assert_eq!(settings.get::<String>("login_method").unwrap().as_deref(), Some("PLAIN"));
    assert_eq!(settings.get::<String>("http.address").unwrap().as_deref(), Some("0.0.0.0:8000"));
    assert_eq!(settings.unknown(), [""; 0]);
    assert_eq!(
        settings.notes(),
        [
            "`ACCEPT` (config.yaml:9) is Nameko's and has no effect: kinoko reads every content type that it has a codec for",
            "`AUTO_DELETE_EVENT_EXCHANGES` (config.yaml:14) is Nameko's and has no effect: an exchange that is there is used as it is, \
             and one that kinoko makes stays",
            "`DECLARE_EVENT_EXCHANGES` (config.yaml:13) is Nameko's and has no effect: an exchange that is there is used as it is, \
             and one that is missing is made",
            "`LOGGING` (config.yaml:8) is Nameko's and has no effect: it is for Python's loggers; write `log` and `log_format`",
            "`PREFETCH_COUNT` (config.yaml:12) is Nameko's and has no effect: it follows `max_workers` and each handler's `concurrency`",
            "`AMQP_URI` (config.yaml:1, ${USER}), which is Nameko's, is read as `amqp_uri`",
            "`AMQP_SSL` (config.yaml:11), which is Nameko's, is read as `amqp_tls`",
            "`LOGIN_METHOD` (config.yaml:10), which is Nameko's, is read as `login_method`",
            "`HEARTBEAT` (config.yaml:3), which is Nameko's, is read as `heartbeat`",
            match cfg!(feature = "http") {
                true => "`WEB_SERVER_ADDRESS` (config.yaml:2), which is Nameko's, is read as `http.address`",
                false =>
                    "`WEB_SERVER_ADDRESS` (config.yaml:2), which is Nameko's, is read as `http.address`; \
                          this program is built without HTTP (kinoko's feature `http`), so nothing listens there",
            },
            "`HEARTBEAT` (--define), which is Nameko's, is read as `heartbeat`",
        ]
    );
}

#[test]
fn namekos_key_and_ours_are_one_too_many() {
    let error = file("config.yaml", "AMQP_URI: a\namqp_uri: b").unwrap_err().to_string();
    assert_eq!(
        error,
        "setting `amqp_uri` (from config.yaml:2) is set as Nameko's `AMQP_URI` too (config.yaml:1): remove one of them"
    );
}
