pub(crate) async fn random_messages_are_survived(_broker: &str) {}
