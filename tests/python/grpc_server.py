"""The warehouse as grpcio serves it: `grpc_server.py [CA CERTIFICATE KEY]`, with files by TLS, to clients whose certificate is of the CA.

Prints its port, and ends with its standard input.
"""

import json
import sys
from concurrent.futures import ThreadPoolExecutor
from threading import Event

import grpc
from google.protobuf import any_pb2
from google.protobuf.empty_pb2 import Empty
from google.rpc import error_details_pb2, status_pb2
from grpc_status import rpc_status

from grpc_stubs import services, warehouse

Stock = warehouse.Stock


def out_of_stock(context, sku, left):
    """As a service of kinoko's says it."""
    info = error_details_pb2.ErrorInfo(reason="OUT_OF_STOCK", domain="warehouse", metadata={"data": json.dumps({"sku": sku, "left": left})})
    detail = any_pb2.Any()
    detail.Pack(info)
    code = grpc.StatusCode.FAILED_PRECONDITION
    status = status_pb2.Status(code=code.value[0], message=f"only {left} left of {sku}", details=[detail])
    context.abort_with_status(rpc_status.to_status(status))


class Keeper(services.WarehouseServicer):
    def Check(self, article, context):
        return Stock(sku=article.sku, count=len(article.sku))

    def Receive(self, stocks, context):
        total = Stock()
        for stock in stocks:
            total = Stock(sku=stock.sku, count=total.count + stock.count)
        return total

    def Watch(self, article, context):
        for count in (1, 2, 3):
            yield Stock(sku=article.sku, count=count)
        if article.sku == "short":
            out_of_stock(context, article.sku, 0)

    def Chat(self, stocks, context):
        for stock in stocks:
            yield Stock(sku=stock.sku, count=stock.count * 2)

    def Reserve(self, stock, context):
        if not stock.sku:
            context.abort(grpc.StatusCode.NOT_FOUND, "what?")
        out_of_stock(context, stock.sku, 2)

    def Hold(self, article, context):
        # Until its caller has given up.
        over = Event()
        context.add_callback(over.set)
        over.wait()
        return Empty()

    def Seen(self, request, context):
        sent = dict(context.invocation_metadata())
        left = context.time_remaining()
        return warehouse.Context(shard=sent.get("x-shard", ""), has_deadline=left is not None and 0 < left <= 20)


def main():
    server = grpc.server(ThreadPoolExecutor(8))
    services.add_WarehouseServicer_to_server(Keeper(), server)
    if len(sys.argv) > 1:
        ca, certificate, key = (open(path, "rb").read() for path in sys.argv[1:])
        credentials = grpc.ssl_server_credentials([(key, certificate)], ca, require_client_auth=True)
        port = server.add_secure_port("127.0.0.1:0", credentials)
    else:
        port = server.add_insecure_port("127.0.0.1:0")
    server.start()
    print(port, flush=True)
    sys.stdin.read()
    server.stop(None)


main()
