//! What comes by the exchange from anybody.

use kinoko::prelude::*;
use kinoko_tests::eventually;
use serde_json::json;

use super::{
    SOON,
    asker::{Asker, presence},
    on_both, suggestion,
};

on_both! {
    what_makes_no_sense_harms_nobody,
    questions_without_end_are_answered_at_a_pace,
    an_answer_is_not_answered,
}

/// A service for one test: instances of others would answer as well.
macro_rules! target {
    ($name:tt) => {
        #[derive(Dependencies)]
        struct Target;

        #[service(name = $name)]
        impl Target {
            #[rpc]
            fn add(&self, a: u32, b: u32) -> u32 {
                a + b
            }
        }
    };
}

async fn what_makes_no_sense_harms_nobody(broker: String) {
    target!("target_of_nonsense");
    let app = App::new().service::<Target>().broker(&broker).start().await.unwrap();
    let asker = Asker::connect(&broker).await;
    asker.one("ping.target_of_nonsense").await;
    let nested = "[".repeat(200_000);
    let huge = "x".repeat(2 * 1024 * 1024);
    let large = presence("large", &[&"y".repeat(70_000), "innocent_victmi"]).to_string();
    for body in ["", "{}", "null", "\u{0}", nested.as_str(), huge.as_str(), large.as_str()] {
        for key in ["hello", "bye", "ping", "info", "stats", "else"] {
            asker.publish(key, None, "", body).await;
        }
        asker.publish("ping.target_of_nonsense", Some(""), "", body).await;
        // By the name of its queue, as answers come.
        let instance = asker.one("ping.target_of_nonsense").await["instance"].as_str().unwrap().to_owned();
        let queue = format!("kinoko.srv-{instance}");
        for id in ["", &instance] {
            let mut message = kinoko_tests::message("", &queue, id);
            message.body = body.as_bytes().to_vec().into();
            asker.transport.publish(message).await.unwrap();
        }
    }
    let mut terminal = presence("terminal", &["innocent_\u{1b}[2Jctim", "innocent_victim"]);
    terminal["program"] = json!("\u{1b}]0;owned\u{7}");
    asker.say("hello", &terminal).await;
    let known = eventually(SOON, "what is right is heard", || async { suggestion(&app, "innocent_victmi").await });
    assert_eq!(known.await, "innocent_victim");
    assert_eq!(suggestion(&app, "innocent_[2Jctim").await.as_deref(), Some("innocent_victim"));
    asker.say("bye", &json!({"instance": "terminal"})).await;
    assert_eq!(app.client::<TargetClient>().add(1, 2).await.unwrap(), 3);
    asker.close().await;
    app.stop().await.unwrap();
}

async fn questions_without_end_are_answered_at_a_pace(broker: String) {
    target!("target_of_questions");
    let app = App::new().service::<Target>().broker(&broker).start().await.unwrap();
    let asker = Asker::connect(&broker).await;
    let ping = asker.one("ping.target_of_questions").await;
    let key = format!("ping.target_of_questions.{}", ping["instance"].as_str().unwrap());
    let queue = asker.queue.clone();
    for _ in 0..2_000 {
        asker.publish(&key, Some(&queue), "flood", "").await;
    }
    let answers = asker.count().await;
    assert!((1..1_000).contains(&answers), "{answers} answers to 2000 questions");
    assert_eq!(app.client::<TargetClient>().add(1, 2).await.unwrap(), 3);
    // Who asks calmly is answered again.
    eventually(SOON, "an answer", || async { asker.ask(&key).await.pop() }).await;
    asker.close().await;
    app.stop().await.unwrap();
}

/// A question in the name of another program: its answer goes there, and ends there.
async fn an_answer_is_not_answered(broker: String) {
    target!("target_of_answers");
    let app = App::new().service::<Target>().broker(&broker).start().await.unwrap();
    let asker = Asker::connect(&broker).await;
    let ping = asker.one("ping.target_of_answers").await;
    let instance = ping["instance"].as_str().unwrap();
    let (key, queue) = (format!("ping.target_of_answers.{instance}"), format!("kinoko.srv-{instance}"));
    assert!(asker.publish(&key, Some(&queue), "loop", "").await);
    assert!(asker.publish("hello", Some(&queue), "loop", presence("x", &[]).to_string()).await);
    assert_eq!(asker.count().await, 0);
    // As many answers as questions, after all that.
    assert_eq!(asker.ask(&key).await.len(), 1);
    asker.close().await;
    app.stop().await.unwrap();
}
