"""Asks kinoko programs what they are, with a client that knows AMQP and nothing else. Prints each answer as a line.

    ask.py KEY

KEY is the routing key of a question: ping, info.orders … RabbitMQ's direct reply-to is the queue of the answers.
"""

import argparse
import os
import socket

import either  # First: it silences a warning of what the others import.
from kombu import Connection

REPLY_TO = "amq.rabbitmq.reply-to"


def main():
    parser = argparse.ArgumentParser(description="Ask kinoko programs what they are.")
    parser.add_argument("key")
    parser.add_argument("--amqp-uri", default=os.environ.get("AMQP_URI"), help="broker, or AMQP_URI")
    options = parser.parse_args()
    with Connection(options.amqp_uri) as connection:
        channel = connection.default_channel
        channel.basic_consume(queue=REPLY_TO, no_ack=True, callback=lambda message: print(message.body, flush=True))
        message = channel.prepare_message(b"", content_type="", content_encoding="binary", properties={"reply_to": REPLY_TO, "correlation_id": "1"})
        channel.basic_publish(message, exchange="kinoko.srv", routing_key=options.key)
        while True:
            try:
                connection.drain_events(timeout=1)
            except socket.timeout:
                break


if __name__ == "__main__":
    main()
