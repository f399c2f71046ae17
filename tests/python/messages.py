"""The side of a peer that has to do with messages: handlers that tell what they get, and methods that send.

Each handler is described by a JSON object:

    {"method": "on_order", "event": ["orders", "created"], …}     Nameko's event_handler
    {"method": "on_job", "queue": "jobs", …}                      Nameko's consume; the queue is declared as kombu does it.
                                                                  With "exchange": [name, type] and "routing_key": bound

Further keys are options of Nameko's: handler_type, reliable_delivery, requeue_on_error. And of ours:
`fail`: raises the first so many times; `hop`: dispatches the payload less one as an event of this type, while it is above 0.

A handler prints a line of JSON: {"method": …, "payload": its repr, "context": its context data}.
"""

import datetime
import decimal
import json
import sys
import uuid

import kombu
from nameko import events
from nameko.messaging import Publisher, consume
from nameko.rpc import rpc


def add_to(service, handlers):
    """Gives a service class the handlers and the methods that send."""
    service.dispatcher = events.EventDispatcher()
    service.publisher = Publisher()
    for method in (dispatch, dispatch_python, send):
        setattr(service, method.__name__, rpc(method))
    for description in handlers:
        options = dict(description)
        method = telling(options.pop("method"), options.pop("fail", 0), options.pop("hop", None))
        setattr(service, method.__name__, entrypoint(options)(method))


def entrypoint(options):
    if "event" in options:
        source, event_type = options.pop("event")
        # Nameko compares kinds by identity.
        kind = getattr(events, options.pop("handler_type", "service_pool").upper())
        return events.event_handler(source, event_type, handler_type=kind, **options)
    exchange = options.pop("exchange", None)
    queue = kombu.Queue(
        options.pop("queue"),
        exchange=kombu.Exchange(*exchange) if exchange else None,
        routing_key=options.pop("routing_key", ""),
    )
    return consume(queue, **options)


def telling(name, fail, hop):
    failures = iter(range(fail))

    def method(self, payload):
        line = {"method": name, "payload": repr(payload), "context": self.context.context_data}
        sys.stdout.write(json.dumps(line, default=repr) + "\n")
        sys.stdout.flush()
        if next(failures, None) is not None:
            raise ValueError("not yet")
        if hop and payload > 0:
            self.dispatcher(hop, payload - 1)

    method.__name__ = name
    return method


def dispatch(self, event_type, payloads):
    """Dispatches an event for each payload."""
    for payload in payloads:
        self.dispatcher(event_type, payload)


def dispatch_python(self, event_type, expression):
    """Dispatches what no JSON of the caller's can ask for, the values of a list: a datetime, NaN, bytes."""
    dispatch(self, event_type, evaluated(expression))


# Not `publish`: clients of Nameko 3 have a method of that name themselves.
def send(self, payload, options):
    """Publishes with these options of Nameko's Publisher; `exchange` names one that is there."""
    self.publisher(payload, **options)


def evaluated(expression):
    return eval(expression, {"datetime": datetime, "decimal": decimal, "uuid": uuid})
