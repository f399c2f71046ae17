//! What an agent is asked, by one that is not Consul and says what it is told to.

use std::time::Duration;

use kinoko_tests::{eventually, soon};
use serde_json::{Value, json};
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::{TcpListener, TcpStream},
    sync::mpsc,
};

use crate::stage::{caller, settings};

/// One answer: status, index, whether a leader is known, and the body.
type Answer = (u16, u64, bool, Value);

/// An agent that answers one request after the other with these, and the next one never.
async fn agent(answers: Vec<Answer>) -> (String, mpsc::UnboundedReceiver<String>) {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = format!("http://{}", listener.local_addr().unwrap());
    let (told, asked) = mpsc::unbounded_channel();
    tokio::spawn(async move {
        let mut answers = answers.into_iter();
        loop {
            let (mut stream, _) = listener.accept().await.unwrap();
            while let Some(path) = request(&mut stream).await {
                told.send(path).unwrap();
                let Some(answer) = answers.next() else { std::future::pending().await };
                respond(&mut stream, answer).await;
            }
        }
    });
    (address, asked)
}

/// The path of the next request; `None`: the connection is closed.
async fn request(stream: &mut TcpStream) -> Option<String> {
    let mut head = Vec::new();
    while !head.ends_with(b"\r\n\r\n") {
        head.push(stream.read_u8().await.ok()?);
    }
    let head = String::from_utf8(head).unwrap();
    head.split(' ').nth(1).map(str::to_owned)
}

async fn respond(stream: &mut TcpStream, (status, index, leader, body): Answer) {
    let body = body.to_string();
    let answer = format!(
        "HTTP/1.1 {status} X\r\nX-Consul-Index: {index}\r\nX-Consul-KnownLeader: {leader}\r\nContent-Length: {}\r\n\r\n{body}",
        body.len()
    );
    stream.write_all(answer.as_bytes()).await.unwrap();
}

fn instance(id: &str) -> Value {
    json!({
        "Node": {"Address": "10.0.0.9"},
        "Service": {"ID": id, "Address": "10.0.0.1", "Port": 8000, "Tags": ["http"], "Meta": {}},
    })
}

/// The index of a request for the instances of `shelf`, once it has all that it must have.
fn index_of(path: &str) -> u64 {
    let (path, query) = path.split_once('?').unwrap();
    assert_eq!(path, "/v1/health/service/shelf");
    let query: Vec<_> = query.split('&').collect();
    for wanted in ["passing=true", "stale", "near=_agent", "tag=http", "wait=60s"] {
        assert!(query.contains(&wanted), "{query:?}");
    }
    let index = query.iter().find_map(|part| part.strip_prefix("index="));
    index.expect("an index").parse().expect("a number")
}

#[tokio::test]
async fn an_index_that_goes_back_is_forgotten() {
    let list = |ids: &[&str]| ids.iter().map(|id| instance(id)).collect::<Value>();
    let (address, mut asked) =
        agent(vec![(200, 10, true, list(&["a"])), (200, 12, true, list(&["a", "b"])), (200, 5, true, list(&["c"]))])
            .await;
    let shelves = caller(&settings(&address, ""), "shelf");
    for index in [0, 10, 12, 0] {
        let path = soon("a query", asked.recv()).await.unwrap();
        assert_eq!(index_of(&path), index);
    }
    assert_eq!(shelves.list().iter().map(|instance| &*instance.id).collect::<Vec<_>>(), ["c"]);
}

#[tokio::test]
async fn what_is_known_is_kept_while_consul_knows_nothing() {
    let (address, mut asked) = agent(vec![
        (200, 10, true, json!([instance("a")])),
        (500, 0, false, json!("No cluster leader")),
        // It has just begun.
        (200, 1, false, json!([])),
        // It leads, and was told of nobody yet.
        (200, 2, true, json!([])),
        (200, 3, true, json!([instance("b")])),
    ])
    .await;
    let shelves = caller(&settings(&address, ""), "shelf");
    let mut reasons = Vec::new();
    for index in [0, 10, 0, 0, 0, 3] {
        let path = soon("a query", asked.recv()).await.unwrap();
        assert_eq!(index_of(&path), index);
        reasons.extend(shelves.stale());
        if index == 0 && !reasons.is_empty() {
            assert_eq!(shelves.pick().await.unwrap().id, "a");
        }
    }
    assert!(reasons[0].contains("answered 500 Internal Server Error: \"No cluster leader\""), "{reasons:?}");
    assert_eq!(reasons[1], "Consul has no leader, and knows of no instance");
    assert_eq!(reasons[2], "Consul is back, and was not told of any instance yet");
    assert_eq!(shelves.stale(), None);
    assert_eq!(shelves.pick().await.unwrap().id, "b");
}

#[tokio::test]
async fn an_instance_is_where_it_says_or_where_its_node_is() {
    let mut bare = instance("bare");
    bare["Service"]["Address"] = json!("");
    bare["Service"]["Tags"] = Value::Null;
    bare["Service"]["Meta"] = Value::Null;
    let mut secure = instance("secure");
    secure["Service"]["Address"] = json!("fd00::1");
    secure["Service"]["Meta"] = json!({"scheme": "https", "version": "2.0.0"});
    let (address, _asked) = agent(vec![(200, 1, true, json!([bare, secure]))]).await;
    let shelves = caller(&settings(&address, ""), "shelf");
    soon("both are found", shelves.wait_for(|all| all.len() == 2)).await;
    let urls: Vec<_> = shelves.list().iter().map(|instance| instance.url()).collect();
    assert_eq!(urls, ["http://10.0.0.9:8000", "https://[fd00::1]:8000"]);
    assert_eq!(shelves.list()[1].version.as_deref(), Some("2.0.0"));
}

#[tokio::test]
async fn an_answer_that_is_none_is_an_outage() {
    let (address, _asked) =
        agent(vec![(200, 1, true, json!([instance("a")])), (200, 2, true, json!({"no": "list"}))]).await;
    let shelves = caller(&settings(&address, ""), "shelf");
    let stale = eventually(Duration::from_secs(10), "it is said", || async { shelves.stale() }).await;
    assert!(stale.starts_with("Consul's answer cannot be read"), "{stale}");
    assert_eq!(shelves.pick().await.unwrap().id, "a");
}
