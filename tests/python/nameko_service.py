"""A real Nameko service for tests of interop, and the program that runs it.

    nameko_service.py --name peer_1f3a [--amqp-uri amqp://…] [--stop-with-stdin] [--handlers '[…]']

With `--handlers`, a list as messages.py tells, it handles events and messages, and has methods that send some.
Prints `READY` on a line of its own once it consumes, and stops on SIGTERM, SIGINT or (with `--stop-with-stdin`, so that no
peer outlives a test that panicked) when its standard input ends. Logs go to standard error.
"""

import warnings

warnings.filterwarnings("ignore", message="\\s*Eventlet is deprecated")

import eventlet  # noqa: E402

eventlet.monkey_patch()  # Before anything else imports socket or threading.

import argparse  # noqa: E402
import datetime  # noqa: E402
import decimal  # noqa: E402
import json  # noqa: E402
import logging  # noqa: E402
import os  # noqa: E402
import signal  # noqa: E402
import sys  # noqa: E402
import uuid  # noqa: E402

import either  # noqa: E402
import kombu  # noqa: E402
import messages  # noqa: E402
from eventlet import tpool  # noqa: E402
from nameko.extensions import DependencyProvider  # noqa: E402
from nameko.rpc import rpc  # noqa: E402


class OrderRefused(Exception):
    """An error of the application, not registered with Nameko: Python callers get it as a RemoteError."""


class SoldOut(Exception):
    """One that is raised without arguments."""


class CallContext(DependencyProvider):
    """The context data of the call: what came in the `nameko.*` headers, and the call-id stack."""

    def get_dependency(self, worker_ctx):
        return worker_ctx


def make_peer(peer_name, amqp_uri):
    class Peer:
        name = peer_name

        context = CallContext()
        services = either.any_service()

        @rpc
        def echo(self, value):
            return value

        @rpc
        def who(self, value):
            return [value, "python"]

        @rpc
        def add(self, a, b=2):
            return a + b

        @rpc
        def fail(self):
            raise ValueError("boom")

        @rpc
        def refuse(self, reason, count=3):
            raise OrderRefused(reason, count)

        @rpc
        def sold_out(self):
            raise SoldOut()

        @rpc
        def slow(self, seconds):
            eventlet.sleep(seconds)
            return seconds

        @rpc
        def evaluate(self, expression):
            """Returns what no JSON of the caller's can ask for: a datetime, NaN, bytes."""
            return eval(expression, {"datetime": datetime, "decimal": decimal, "uuid": uuid})

        @rpc
        def described(self, value):
            return repr(value)

        @rpc
        def seen_context(self):
            """The context data as this worker sees it, under the keys without `nameko.`; its own call id is the stack's last."""
            return dict(self.context.context_data)

        @rpc
        def call_rust(self, service, method, args=None, kwargs=None):
            """Calls through a standalone client of its own: nothing of this call's context goes along."""
            with either.cluster(amqp_uri) as cluster:
                return getattr(cluster[service], method)(*(args or []), **(kwargs or {}))

        @rpc
        def relay(self, service, method, args=None, kwargs=None):
            """Calls as a service calls another with RpcProxy: context data and call-id stack go along."""
            return getattr(self.services[service], method)(*(args or []), **(kwargs or {}))

    return Peer


def remove_queue(uri, name):
    """Removes the durable request queue, unless another instance uses it or calls wait in it."""
    with kombu.Connection(uri) as connection:
        try:
            connection.channel().queue_delete("rpc-" + name, if_unused=True, if_empty=True)
        except connection.channel_errors as error:
            logging.info("request queue stays: %s", error)


def run(options):
    logging.basicConfig(level=options.log, stream=sys.stderr, format="%(levelname)s %(name)s %(message)s")
    runner = either.runner(options.amqp_uri, options.max_workers)
    peer = make_peer(options.name, options.amqp_uri)
    if options.handlers is not None:
        messages.add_to(peer, options.handlers)
    runner.add_service(peer)

    def stop(*_):
        # A signal handler runs in the main loop of eventlet, where nothing may wait.
        eventlet.spawn_n(runner.stop)

    def stop_with_stdin():
        tpool.execute(sys.stdin.buffer.read)
        stop()

    signal.signal(signal.SIGTERM, stop)
    signal.signal(signal.SIGINT, stop)
    runner.start()
    print("READY", flush=True)
    if options.stop_with_stdin:
        eventlet.spawn_n(stop_with_stdin)
    # In a greenlet of its own, since a signal interrupts the main one (nameko/cli/run.py does the same).
    waiting = eventlet.spawn(runner.wait)
    while True:
        try:
            waiting.wait()
            break
        except InterruptedError:
            continue
    if not options.keep_queue:
        remove_queue(options.amqp_uri, options.name)
    # Not sys.exit: the thread that reads standard input would be waited for.
    sys.stdout.flush()
    os._exit(0)


def main():
    parser = argparse.ArgumentParser(description="Run a Nameko service as a peer for tests.")
    parser.add_argument("--name", default=os.environ.get("NAMEKO_SERVICE"), help="service name, or NAMEKO_SERVICE")
    parser.add_argument("--amqp-uri", default=os.environ.get("AMQP_URI"), help="broker, or AMQP_URI")
    parser.add_argument("--handlers", type=json.loads, help="JSON list of the handlers of events and messages")
    parser.add_argument("--max-workers", type=int, default=10)
    parser.add_argument("--keep-queue", action="store_true", help="leave the request queue behind when stopped")
    parser.add_argument("--stop-with-stdin", action="store_true", help="stop when standard input ends")
    parser.add_argument("--log", default="WARNING")
    options = parser.parse_args()
    if not options.name or not options.amqp_uri:
        parser.error("give --name and --amqp-uri, or NAMEKO_SERVICE and AMQP_URI")
    run(options)


if __name__ == "__main__":
    # Runs the imported module, not `__main__`, so that the paths of exceptions read `nameko_service.OrderRefused`.
    import nameko_service

    nameko_service.main()
