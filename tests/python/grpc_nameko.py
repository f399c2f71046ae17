"""nameko-grpc: `grpc_nameko.py call PORT` calls the warehouse there, `grpc_nameko.py serve` is one, and prints its port."""

import json
import os
import sys
import threading

mode = sys.argv[1]


def end_with_input():
    """Whoever started it is gone then."""
    sys.stdin.read()
    os._exit(0)


if mode == "serve":
    threading.Thread(target=end_with_input, daemon=True).start()

    import eventlet

    eventlet.monkey_patch()

from google.protobuf.empty_pb2 import Empty
from nameko_grpc.client import Client
from nameko_grpc.context import metadata_from_context_data
from nameko_grpc.entrypoint import Grpc
from nameko_grpc.errors import GrpcError

from grpc_stubs import pair, services, warehouse

Stub = services.WarehouseStub


def call(port):
    with Client(f"//127.0.0.1:{port}", Stub) as client:
        sent = metadata_from_context_data({"tenant": "acme", "language": "de-CH"})
        seen = client.Seen.future(Empty(), metadata=sent, timeout=20).result()
        try:
            error = client.Reserve(warehouse.Stock(sku="nut", count=5))
        except GrpcError as refused:
            error = [refused.code.name, refused.message]
        return {
            "check": pair(client.Check(warehouse.Article(sku="nut"))),
            "tenant": seen.tenant,
            "language": seen.language,
            "error": error,
        }


class Keeper:
    name = "warehouse"

    grpc = Grpc.implementing(Stub)

    @grpc
    def Check(self, article, context):
        return warehouse.Stock(sku=article.sku, count=len(article.sku))

    @grpc
    def Seen(self, request, context):
        sent = dict(context.invocation_metadata())
        return warehouse.Context(tenant=json.loads(sent.get("x-nameko-tenant", '""')))


def serve():
    from nameko import config
    from nameko.containers import ServiceContainer

    config.setup({"GRPC_BIND_HOST": "127.0.0.1", "GRPC_BIND_PORT": 0})
    container = ServiceContainer(Keeper)
    container.start()
    server = next(iter(container.entrypoints)).grpc_server
    print(server.channel.conn_pool.listening_socket.getsockname()[1], flush=True)
    container.wait()


if mode == "call":
    print(json.dumps(call(sys.argv[2])))
else:
    serve()
