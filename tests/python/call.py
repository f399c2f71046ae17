"""Calls services as a Python program does, with `nameko.standalone.rpc.ClusterRpcProxy`.

    call.py SERVICE METHOD [ARGS [KWARGS]]     one call; ARGS is a JSON list, KWARGS a JSON object
    call.py --lines                            one call per line of standard input, in one process over one client:
                                               {"service": …, "method": …, "args": […], "kwargs": {…}}

Prints one line of JSON per call: {"result": …} or
{"error": {"class": …, "exc_type": …, "value": …, "args": […], "text": …}}.
`class` is what the Python caller catches; `exc_type` and `value` are null unless that is a RemoteError.
A result that JSON does not have (a datetime, bytes, a UUID) is printed as {"python": its repr}.
The exit code is 0 also when a call failed; it is another when the broker cannot be reached.
"""

import argparse
import json
import os
import sys
import warnings

warnings.filterwarnings("ignore", message="\\s*Eventlet is deprecated")

from nameko.standalone.rpc import ClusterRpcProxy  # noqa: E402


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


def call(cluster, service, method, args=(), kwargs=None):
    try:
        return {"result": getattr(cluster[service], method)(*args, **(kwargs or {}))}
    except Exception as error:
        return describe(error)


def call_line(cluster, line):
    try:
        request = json.loads(line)
        service, method = request["service"], request["method"]
    except (ValueError, KeyError, TypeError) as error:
        sys.exit("not a call: {!r}: {!r}".format(line, error))
    return call(cluster, service, method, request.get("args") or (), request.get("kwargs"))


def main():
    parser = argparse.ArgumentParser(description="Call a service with Nameko's standalone client.")
    parser.add_argument("service", nargs="?")
    parser.add_argument("method", nargs="?")
    parser.add_argument("args", nargs="?", type=json.loads, default=[])
    parser.add_argument("kwargs", nargs="?", type=json.loads, default={})
    parser.add_argument("--lines", action="store_true", help="read one call per line of standard input")
    parser.add_argument("--amqp-uri", default=os.environ.get("AMQP_URI"), help="broker, or AMQP_URI")
    parser.add_argument("--timeout", type=float, default=10, help="seconds to wait for each reply (default 10)")
    parser.add_argument("--context", type=json.loads, default={}, help="JSON object sent as nameko.* headers")
    options = parser.parse_args()
    if not options.amqp_uri:
        parser.error("give --amqp-uri or AMQP_URI")
    if options.lines == bool(options.service):
        parser.error("give SERVICE and METHOD, or --lines")

    config = {"AMQP_URI": options.amqp_uri}
    with ClusterRpcProxy(config, context_data=options.context, timeout=options.timeout) as cluster:
        if options.lines:
            for line in sys.stdin:
                if line.strip():
                    told(call_line(cluster, line))
        else:
            told(call(cluster, options.service, options.method, options.args, options.kwargs))


if __name__ == "__main__":
    main()
