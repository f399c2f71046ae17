//! What strangers send: no message ends the process, each sender is answered where it can be, nothing goes back to its queue.

mod flood;
mod generator;
mod limits;
mod program;
mod replies;
mod requests;
mod sender;
mod target;
mod wire;

/// Makes each check a test in memory and one over RabbitMQ.
macro_rules! on_both {
    ($($area:ident::{$($check:ident),* $(,)?};)*) => {
        mod memory {
            use super::*;
            $($(
                #[tokio::test(flavor = "multi_thread", worker_threads = 2)]
                async fn $check() {
                    $area::$check(&format!("memory://{}", kinoko_tests::unique("hostile"))).await;
                }
            )*)*
        }

        mod amqp {
            use super::*;
            $($(
                #[tokio::test(flavor = "multi_thread", worker_threads = 2)]
                #[cfg_attr(not(broker), ignore = "needs RabbitMQ: run ./test.sh, or set KINOKO_TEST_AMQP_URI")]
                async fn $check() {
                    $area::$check(&kinoko_tests::amqp_uri()).await;
                }
            )*)*
        }
    };
}

on_both! {
    limits::{
        a_request_above_the_limit_is_refused_while_every_slot_is_taken,
        an_answer_above_the_limit_becomes_a_fault,
        a_reply_above_the_callers_limit_is_told,
        a_name_without_room_is_a_bad_request,
    };
    requests::{
        what_no_method_takes_is_refused,
        what_is_no_text_of_ours_is_read_leniently,
        replies_go_wherever_they_are_told_and_nothing_comes_of_it,
    };
    replies::{
        forged_replies_are_dropped,
        a_forged_reply_with_the_right_id_ends_its_call,
    };
    flood::{
        random_messages_are_survived,
    };
}
