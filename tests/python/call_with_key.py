"""Calls a service of kinoko under an idempotency key. Nameko's own clients send no headers of one's own, so kombu publishes it.

    call_with_key.py SERVICE METHOD KEY ARGS   ARGS is a JSON list

Prints the reply's body, one line of JSON.
"""

import json
import os
import sys
import uuid

from kombu import Connection, Consumer, Exchange, Queue

service, method, key, args = sys.argv[1:]
correlation_id = str(uuid.uuid4())
exchange = Exchange("nameko-rpc", type="topic", durable=True)
replies = Queue(f"rpc.reply-{correlation_id}", exchange, routing_key=correlation_id, exclusive=True, auto_delete=True)


def told(body, message):
    print(json.dumps(body), flush=True)
    message.ack()


with Connection(os.environ["AMQP_URI"]) as connection:
    with Consumer(connection, replies, callbacks=[told], accept=["json"]):
        connection.Producer(serializer="json").publish(
            {"args": json.loads(args), "kwargs": {}},
            exchange=exchange,
            routing_key=f"{service}.{method}",
            reply_to=correlation_id,
            correlation_id=correlation_id,
            headers={"kinoko.idempotency_key": key},
        )
        connection.drain_events(timeout=20)
