//! Whatever is sent: it binds, or the answer is a 4xx that is not much larger than the request.

use super::*;

#[derive(Debug, Deserialize, garde::Validate, schemars::JsonSchema)]
struct Node {
    #[garde(length(max = 3))]
    #[allow(dead_code)]
    name: Option<String>,
    #[garde(skip)]
    #[serde(default)]
    #[allow(dead_code)]
    left: Option<Box<Tree>>,
    #[garde(skip)]
    #[allow(dead_code)]
    count: u8,
}

/// Each form has the others inside, so that trying all would take a time that doubles with each level.
#[derive(Debug, Deserialize, schemars::JsonSchema)]
#[serde(untagged)]
enum Tree {
    #[allow(dead_code)]
    Left { tree: Box<Tree>, a: u8 },
    #[allow(dead_code)]
    Right { tree: Box<Tree>, b: u8 },
    #[allow(dead_code)]
    Leaf(u8),
}

route!(Everything {
    node: Valid<Node> = ParamPlace::Query, true;
    tag: Vec<u8> = ParamPlace::Header, false;
    session: Option<i32> = ParamPlace::Cookie, false;
    body: Vec<Valid<Node>> = ParamPlace::Body(JSON), true;
} deny_unknown_query: true);
route!(Form { node: Valid<Node> = ParamPlace::Body(FORM), true; });
route!(Multi { node: Valid<Node> = ParamPlace::Body(MULTIPART), true; file: Vec<File> = ParamPlace::Query, false; });
route!(Trees { tree: Tree = ParamPlace::Body(JSON), true; });

fn noise(random: &mut fastrand::Rng, words: &[&str]) -> Vec<u8> {
    let mut text = Vec::new();
    for _ in 0..random.usize(..12) {
        match random.u8(..8) {
            0 => text.push(random.u8(..)),
            _ => text.extend_from_slice(random.choice(words).unwrap().as_bytes()),
        }
    }
    text
}

#[test]
fn nothing_makes_it_panic() {
    let mut random = fastrand::Rng::with_seed(7);
    let words = ["name", "left", "count", "=", "&", "%C3", "%", "+", "1", "-", "300", "\u{fc}", "a", "x=1", "tree"];
    let json = [
        "{",
        "}",
        "[",
        "]",
        ":",
        ",",
        "\"name\"",
        "\"count\"",
        "\"left\"",
        "1",
        "-1",
        "null",
        "true",
        "1e999",
        "\"\\u00",
    ];
    let parts = [
        "--edge",
        "\r\n",
        "\r\n\r\n",
        "content-disposition: form-data; ",
        "name=\"count\"",
        "filename=\"\"",
        "1",
        "--",
    ];
    for round in 0..1_000 {
        let text = String::from_utf8_lossy(&noise(&mut random, &words)).into_owned();
        let uri: String =
            text.chars().filter(|letter| letter.is_ascii_graphic() && !"\"<>#\\^`{}|".contains(*letter)).collect();
        let plain =
            |bytes: Vec<u8>| bytes.into_iter().filter(|byte| *byte >= 0x20 && *byte != 0x7f).collect::<Vec<_>>();
        let mut sent = query(&uri).header("content-type", "application/json");
        sent = sent.header("tag", plain(noise(&mut random, &["1", ",", " ", "x"])));
        sent = sent.header("cookie", plain(noise(&mut random, &["session", "=", ";", "7"])));
        sent.body = noise(&mut random, &json);
        let statuses = [
            sent.status::<Everything>(Everything::route()),
            body("application/x-www-form-urlencoded", noise(&mut random, &words)).status::<Form>(Form::route()),
            body("multipart/form-data; boundary=edge", noise(&mut random, &parts)).status::<Multi>(Multi::route()),
            json_body(&String::from_utf8_lossy(&noise(&mut random, &json))).status::<Trees>(Trees::route()),
        ];
        for status in statuses {
            assert!(matches!(status, 200 | 400 | 415 | 422), "round {round}: {status}");
        }
    }
}

#[test]
fn an_answer_is_not_larger_than_it_must_be() {
    let many = format!("[{}]", vec!["{}"; 20_000].join(","));
    let long = format!(r#"[{{"count": "{}"}}]"#, "x".repeat(60_000));
    for text in [many, long] {
        let fault = query("count=1").header("content-type", "application/json");
        let fault =
            Sent { body: text.into_bytes(), ..fault }.bound::<Everything, _>(Everything::route(), drop).unwrap_err();
        let answer = serde_json::to_vec(&fault).unwrap().len();
        assert!(answer < 12_000, "{answer} bytes");
    }
    let keys: String = (0..50_000).map(|key| format!("k{key}&")).collect();
    let wrong = body("application/x-www-form-urlencoded", keys).wrong::<Form>(Form::route());
    assert_eq!(wrong, ["body /count required"]);
}

#[test]
fn a_look_at_choices_inside_choices_ends() {
    // Serde tries an untagged enum in the same way; how deep one may nest is the type's business.
    let deep = (0..60).fold(json!("x"), |inner, _| json!({"tree": inner, "a": 1, "b": 1}));
    let schemas = super::super::schema::Schemas::of(Trees::route());
    let _ = super::super::walk::walk(&schemas, schemas.param(0), &deep, false);
}
