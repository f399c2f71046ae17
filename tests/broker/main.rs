//! What only RabbitMQ can show.
