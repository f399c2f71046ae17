//! The promises of `kinoko::transport::Transport`, each written once and run against every transport.

mod broker;
mod consuming;
mod delaying;
mod lifetime;
mod options;
mod publishing;
mod requesting;
mod routing;
mod saga_log;
mod settling;

use self::broker::Broker;

/// Makes each promise a test for the in-memory transport, with a paused clock, and one for RabbitMQ.
macro_rules! promises {
    ($($area:ident::{$($promise:ident),* $(,)?};)*) => {
        mod memory {
            use super::*;
            $($(
                #[tokio::test(start_paused = true)]
                async fn $promise() {
                    $area::$promise(&Broker::memory()).await;
                }
            )*)*
        }

        mod amqp {
            use super::*;
            $($(
                #[tokio::test(flavor = "multi_thread", worker_threads = 2)]
                #[cfg_attr(not(broker), ignore = "needs RabbitMQ: run ./test.sh, or set KINOKO_TEST_AMQP_URI")]
                async fn $promise() {
                    let broker = Broker::amqp();
                    $area::$promise(&broker).await;
                    broker.clean().await;
                }
            )*)*
        }
    };
}

promises! {
    routing::{
        declaring_twice_changes_nothing,
        default_exchange_routes_to_the_queue_of_that_name,
        topic_exchange_matches_one_word_and_any_words,
        direct_and_fanout_exchanges_route,
        message_survives_the_trip,
        queue_status_counts_and_knows_what_is_not_there,
        unused_queue_expires,
        idle_queue_can_be_removed_and_no_other,
        idle_quorum_queue_can_be_removed_too,
    };
    options::{
        quorum_queue_keeps_the_same_promises,
        impossible_queue_is_refused,
        what_exists_is_adopted_with_one_warning,
        single_active_consumer_gets_all_until_it_ends,
        higher_priorities_come_first,
        full_queue_drops_its_oldest_or_refuses,
        messages_expire_as_their_queue_says,
        exclusive_queue_is_its_connections_alone,
        auto_delete_queue_and_exchange_go_when_they_are_left,
        headers_exchange_routes_by_arguments,
        argument_is_honoured_or_told,
    };
    requesting::{
        reply_comes_through_the_default_exchange,
        reply_comes_through_the_rpc_exchange,
        replies_reach_their_own_requester,
        unroutable_requests_come_back_once_each,
        expired_message_is_not_delivered,
    };
    publishing::{
        confirmed_message_is_in_its_queue,
        message_that_leads_nowhere_is_told,
        exchange_that_does_not_exist_is_told_at_once_and_harms_nobody,
        no_verdict_reaches_the_wrong_publisher,
        close_waits_for_confirms,
    };
    delaying::{
        delayed_message_comes_not_before_and_soon_after,
        delayed_message_is_what_it_was,
        equal_delays_keep_their_order,
        many_delays_run_at_once,
        delay_outlives_who_asked_for_it,
        what_leads_nowhere_is_lost_and_holds_up_nothing,
        delay_that_cannot_be_kept_is_refused,
    };
    consuming::{
        prefetch_bounds_what_is_unsettled,
        grow_raises_the_prefetch,
        two_consumers_share_a_queue,
        cancel_stops_taking_and_leaves_settling,
    };
    settling::{
        ack_removes,
        reply_acknowledges,
        requeue_redelivers_with_the_flag,
        dropped_delivery_is_redelivered,
        dropped_reply_is_redelivered,
        what_is_given_back_at_once_keeps_its_order,
        what_is_lost_at_once_keeps_its_order,
        what_was_acknowledged_is_not_given_back,
        delivery_in_order_does_not_go_back_by_itself,
    };
    lifetime::{
        after_close_everything_fails_with_closed,
        close_hands_unsettled_messages_to_others,
        close_flushes_replies_and_acknowledgements,
        close_tells_who_waits_for_replies,
    };
}
