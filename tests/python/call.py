"""Calls services as a Python program does, with Nameko's standalone cluster client.

    call.py SERVICE METHOD [ARGS [KWARGS]]     one call; ARGS is a JSON list, KWARGS a JSON object
    call.py --lines [--async]                  one call per line of standard input, in one process over one client:
                                               {"service": …, "method": …, "args": […], "kwargs": {…}}
                                               `python` in place of `args` is an expression for what JSON does not have;
                                               with --async all are sent with `call_async` before the first result is asked for
    call.py --load [--calls N] SERVICE METHOD  calls METHOD(value) with a value of its own each time, N times or until standard
                                               input ends, some at once, and expects [value, who] as the result

Prints one line of JSON per call: {"result": …} or
{"error": {"class": …, "exc_type": …, "value": …, "args": […], "text": …}}.
`class` is what the Python caller catches; `exc_type` and `value` are null unless that is a RemoteError.
A result that JSON does not have (a datetime, bytes, a UUID) is printed as {"python": its repr}.
With --load: one line, {"answered": {who: count}, "failed": […]}.
The exit code is 0 also when a call failed; it is another when the broker cannot be reached.
"""

import argparse
import collections
import datetime
import decimal
import json
import os
import select
import sys
import uuid

from either import cluster  # First: it silences a warning of what the others import.

from nameko import exceptions

# How many calls of --load are on their way at once.
AT_ONCE = 8


def told(answer):
    print(json.dumps(answer, default=lambda value: {"python": repr(value)}), flush=True)


def describe(error):
    return {
        "error": {
            "class": type(error).__name__,
            "exc_type": getattr(error, "exc_type", None),
            "value": getattr(error, "value", None),
            "args": list(error.args),
            "text": str(error),
        }
    }


def attempt(action):
    try:
        return {"result": action()}
    except Exception as error:
        return describe(error)


def read_call(line):
    try:
        request = json.loads(line)
        args = request.get("args") or ()
        if "python" in request:
            args = eval(request["python"], {"datetime": datetime, "decimal": decimal, "uuid": uuid})
        return request["service"], request["method"], args, request.get("kwargs") or {}
    except (ValueError, KeyError, TypeError, SyntaxError) as error:
        sys.exit("not a call: {!r}: {!r}".format(line, error))


def lines(client, at_once):
    calls = (read_call(line) for line in sys.stdin if line.strip())
    if not at_once:
        for service, method, args, kwargs in calls:
            told(attempt(lambda: getattr(client[service], method)(*args, **kwargs)))
        return
    sent = [getattr(client[service], method).call_async(*args, **kwargs) for service, method, args, kwargs in calls]
    for reply in sent:
        told(attempt(reply.result))


def load(client, service, method, calls):
    answered, failed, number = collections.Counter(), [], 0
    while number < calls and not select.select([sys.stdin], [], [], 0)[0]:
        values = ["{}-{}".format(os.getpid(), number + i) for i in range(AT_ONCE)]
        number += AT_ONCE
        sent = [getattr(client[service], method).call_async(value) for value in values]
        for value, reply in zip(values, sent):
            answer = attempt(reply.result)
            if "result" in answer and answer["result"][0] == value:
                answered[answer["result"][1]] += 1
            else:
                failed.append({"sent": value, "got": answer})
    told({"answered": answered, "failed": failed})


def register(path):
    """Makes Nameko raise this exception, as `deserialize_to_instance` does for a class at that path."""
    name = path.rsplit(".", 1)[-1]
    exceptions.registry[path] = type(name, (Exception,), {})


def main():
    parser = argparse.ArgumentParser(description="Call a service with Nameko's standalone client.")
    parser.add_argument("service", nargs="?")
    parser.add_argument("method", nargs="?")
    parser.add_argument("args", nargs="?", type=json.loads, default=[])
    parser.add_argument("kwargs", nargs="?", type=json.loads, default={})
    parser.add_argument("--lines", action="store_true", help="read one call per line of standard input")
    parser.add_argument("--async", dest="at_once", action="store_true", help="with --lines: send all before the first result")
    parser.add_argument("--load", action="store_true", help="call again and again")
    parser.add_argument("--calls", type=int, default=float("inf"), help="with --load: how many calls at least")
    parser.add_argument("--amqp-uri", default=os.environ.get("AMQP_URI"), help="broker, or AMQP_URI")
    parser.add_argument("--timeout", type=float, default=10, help="seconds to wait for each reply (default 10)")
    parser.add_argument("--context", type=json.loads, default={}, help="JSON object sent as nameko.* headers")
    parser.add_argument("--register", action="append", default=[], help="path of an exception to raise as a class of its own")
    options = parser.parse_args()
    if not options.amqp_uri:
        parser.error("give --amqp-uri or AMQP_URI")
    if options.lines == bool(options.service):
        parser.error("give SERVICE and METHOD, or --lines")
    for path in options.register:
        register(path)

    with cluster(options.amqp_uri, options.context, options.timeout) as client:
        if options.lines:
            lines(client, options.at_once)
        elif options.load:
            load(client, options.service, options.method, options.calls)
        else:
            told(attempt(lambda: getattr(client[options.service], options.method)(*options.args, **options.kwargs)))


if __name__ == "__main__":
    main()
