use std::{sync::Arc, time::Duration};

use kinoko::{
    ErrorKind,
    protocol::Message,
    transport::{ConnectionState, Queue, Topology},
};
use kinoko_tests::{PrivateBroker, Raw, amqp_uri, eventually, message, soon, unique};
use tokio::time::timeout;

use crate::support::{open, queue, reach};

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
#[cfg_attr(not(broker), ignore = "needs RabbitMQ: run ./test.sh, or set KINOKO_TEST_AMQP_URI")]
async fn full_queue_refuses_what_it_has_no_room_for_and_nothing_else() {
    const TASKS: usize = 32;
    const EACH: usize = 50;
    const ROOM: u32 = 3;
    let (transport, raw) = (open(&amqp_uri()).await, Raw::connect(&amqp_uri()).await);
    let full = unique("broker.full");
    raw.declare_queue(&full, &[("x-max-length", (ROOM as i32).into()), ("x-overflow", reject())]).await;
    let wide = queue();
    let name = wide.name.clone();
    soon("a declaration", transport.declare(Topology { queues: vec![wide], ..Topology::default() })).await.unwrap();
    let mut tasks = tokio::task::JoinSet::new();
    for task in 0..TASKS {
        let (transport, full, name) = (Arc::clone(&transport), full.clone(), name.clone());
        tasks.spawn(async move {
            let mut taken = 0;
            for number in 0..EACH {
                let is_full = (number + task) % 10 == 0;
                let key = if is_full { &*full } else { &*name };
                match soon("a confirm", transport.publish(message("", key, &format!("{task}-{number}")))).await {
                    Ok(published) => {
                        assert!(published.routed);
                        taken += u32::from(is_full);
                    }
                    Err(error) => assert!(is_full && error.kind() == ErrorKind::Rejected, "{error:?} for {key}"),
                }
            }
            taken
        });
    }
    let mut taken = 0;
    while let Some(task) = soon("the publishers", tasks.join_next()).await {
        taken += task.unwrap();
    }
    let status = soon("a status", transport.queue_status(&full.clone().into())).await.unwrap().unwrap();
    assert_eq!((taken, status.messages), (ROOM, ROOM));
    let status = soon("a status", transport.queue_status(&name)).await.unwrap().unwrap();
    assert_eq!(status.messages as usize, TASKS * EACH * 9 / 10);
    soon("a close", transport.close()).await;
    raw.delete_queue(&full).await;
}

fn reject() -> lapin::types::AMQPValue {
    lapin::types::AMQPValue::LongString("reject-publish".into())
}

/// The broker ends the channel for it, once.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
#[cfg_attr(not(broker), ignore = "needs RabbitMQ: run ./test.sh, or set KINOKO_TEST_AMQP_URI")]
async fn wrong_user_id_is_told_in_the_brokers_words_and_harms_nobody_after() {
    const TASKS: usize = 100;
    let transport = open(&amqp_uri()).await;
    let queue = queue();
    let name = queue.name.clone();
    soon("a declaration", transport.declare(Topology { queues: vec![queue], ..Topology::default() })).await.unwrap();
    let publish = |user: &'static str| {
        let (transport, mut message) = (Arc::clone(&transport), message("", &name, "1"));
        message.properties.user_id = Some(user.into());
        async move { soon("a verdict", transport.publish(message)).await }
    };
    let refused = |error: kinoko::Error| {
        assert_eq!(error.kind(), ErrorKind::Usage, "{error:?}");
        assert!(error.to_string().contains("user_id property set to 'stranger'"), "{error}");
    };
    refused(publish("stranger").await.unwrap_err());
    let mut tasks = tokio::task::JoinSet::new();
    for number in 0..TASKS {
        let user = if number % 2 == 0 { "guest" } else { "stranger" };
        let publishing = publish(user);
        tasks.spawn(async move { (user, publishing.await) });
    }
    for (user, verdict) in tasks.join_all().await {
        match verdict {
            Ok(published) => assert!(published.routed && user == "guest"),
            Err(error) if user == "stranger" => refused(error),
            Err(error) => panic!("{error:?}"),
        }
    }
    soon("a close", transport.close()).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
#[cfg_attr(
    not(private_broker),
    ignore = "needs a RabbitMQ of its own: run ./test.sh, or set KINOKO_TEST_RABBITMQ_SERVER"
)]
async fn withdrawn_publish_is_never_sent() {
    let broker = PrivateBroker::start_new();
    let transport = open(&broker.uri()).await;
    let name = unique("broker.withdrawn");
    let topology = Topology { queues: vec![Queue::durable(name.clone())], ..Topology::default() };
    soon("a declaration", transport.declare(topology)).await.unwrap();
    assert!(soon("a confirm", transport.publish(message("", &name, "first"))).await.unwrap().routed);
    broker.ctl(&["set_vm_memory_high_watermark", "absolute", "1"]);
    // RabbitMQ tells a connection with its next publish, which it holds back itself.
    let told = tokio::spawn({
        let (transport, message) = (transport.clone(), message("", &name, "tells"));
        async move { transport.publish(message).await }
    });
    reach(&*transport, |state| matches!(state, ConnectionState::Blocked(_))).await;
    let withdrawn = transport.publish(message("", &name, "withdrawn"));
    assert!(timeout(Duration::from_millis(200), withdrawn).await.is_err(), "it waits for the end of the alarm");
    broker.ctl(&["set_vm_memory_high_watermark", "0.4"]);
    assert!(soon("the confirm", told).await.unwrap().unwrap().routed);
    assert!(soon("a confirm", transport.publish(message("", &name, "last"))).await.unwrap().routed);
    let queue = name.into();
    let counted = || async { transport.queue_status(&queue).await.unwrap().filter(|status| status.messages == 3) };
    eventually(Duration::from_secs(5), "three messages, without the withdrawn one", counted).await;
    soon("a close", transport.close()).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
#[cfg_attr(
    not(private_broker),
    ignore = "needs a RabbitMQ of its own: run ./test.sh, or set KINOKO_TEST_RABBITMQ_SERVER"
)]
async fn what_the_broker_forbids_is_told_at_once_and_lets_the_next_one_pass() {
    let mut broker = PrivateBroker::stopped();
    broker.configure("max_message_size = 100000\n", &[]);
    broker.start();
    broker.ctl(&["add_user", "limited", "pass"]);
    broker.ctl(&["set_permissions", "limited", ".*", "^(amq\\.default)$", ".*"]);
    let transport = open(&broker.uri_of("limited", "pass")).await;
    let queue = queue();
    let name = queue.name.clone();
    soon("a declaration", transport.declare(Topology { queues: vec![queue], ..Topology::default() })).await.unwrap();
    for _ in 0..2 {
        let error = soon("a verdict", transport.publish(message("amq.topic", "key", "1"))).await.unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Refused, "{error:?}");
        assert!(error.to_string().contains("access to exchange 'amq.topic'"), "{error}");
        let large = Message { body: vec![b'x'; 100_001].into(), ..message("", &name, "1") };
        let error = soon("a verdict", transport.publish(large)).await.unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Usage, "{error:?}");
        assert!(error.to_string().contains("is larger than configured max size 100000"), "{error}");
        assert!(soon("a confirm", transport.publish(message("", &name, "2"))).await.unwrap().routed);
    }
    soon("a close", transport.close()).await;
}
