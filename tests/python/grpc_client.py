"""Calls the warehouse at an address as grpcio does: `grpc_client.py ADDRESS CASE [CA CERTIFICATE KEY]`. Prints what came of it, as JSON."""

import json
import sys

import grpc
from google.protobuf.descriptor_pb2 import FileDescriptorProto
from google.protobuf.descriptor_pool import DescriptorPool
from google.protobuf.empty_pb2 import Empty
from google.protobuf.message_factory import GetMessageClass
from grpc_health.v1 import health_pb2, health_pb2_grpc
from grpc_reflection.v1alpha import reflection_pb2, reflection_pb2_grpc
from grpc_reflection.v1alpha.proto_reflection_descriptor_database import ProtoReflectionDescriptorDatabase

from grpc_stubs import failure, pair, services, told, warehouse

Article, Stock = warehouse.Article, warehouse.Stock
# No call waits longer, whatever is wrong.
WAIT = 20


def patterns(channel):
    stub = services.WarehouseStub(channel)
    return {
        "unary": pair(stub.Check(Article(sku="nut"), timeout=WAIT)),
        "client_stream": pair(stub.Receive(iter([Stock(sku=sku, count=n) for n, sku in enumerate("abc", 1)]), timeout=WAIT)),
        "server_stream": [pair(stock) for stock in stub.Watch(Article(sku="nut"), timeout=WAIT)],
        "bidi_stream": [pair(stock) for stock in stub.Chat(iter([Stock(sku="a", count=1), Stock(sku="b", count=2)]), timeout=WAIT)],
    }


def metadata(channel):
    sent = [("x-shard", "7"), ("x-nameko-tenant", '"acme"'), ("accept-language", "de-CH")]
    seen = services.WarehouseStub(channel).Seen(Empty(), metadata=sent, timeout=WAIT)
    return {"shard": seen.shard, "tenant": seen.tenant, "language": seen.language, "has_deadline": seen.has_deadline}


def errors(channel):
    stub, seen = services.WarehouseStub(channel), []
    try:
        for stock in stub.Watch(Article(sku="short"), timeout=WAIT):
            seen.append(stock.count)
    except grpc.RpcError as error:
        in_a_stream = {**told(error), "seen": seen}
    nothing = channel.unary_unary("/warehouse.v1.Warehouse/Nothing")
    check = channel.unary_unary("/warehouse.v1.Warehouse/Check")
    return {
        "typed": failure(stub.Reserve, Stock(sku="nut", count=5), timeout=WAIT),
        "in_a_stream": in_a_stream,
        "no_such_method": failure(nothing, b"", timeout=WAIT),
        "no_such_service": failure(services.AtticStub(channel).Check, Article(sku="nut"), timeout=WAIT),
        "not_a_message": failure(check, b"\xff\xff\xff", timeout=WAIT),
    }


def late(channel):
    return failure(services.WarehouseStub(channel).Hold, Article(sku="nut"), timeout=0.3)["code"]


def cancelled(channel):
    call = services.WarehouseStub(channel).Hold.future(Article(sku="nut"), timeout=WAIT)
    # Until somebody says that it has begun.
    sys.stdin.read()
    call.cancel()
    return call.code().name


def health(channel):
    stub, request = health_pb2_grpc.HealthStub(channel), health_pb2.HealthCheckRequest
    status = health_pb2.HealthCheckResponse.ServingStatus.Name

    def first(service):
        watching = stub.Watch(request(service=service), timeout=WAIT)
        answer = next(watching)
        watching.cancel()
        return status(answer.status)

    return {
        "program": status(stub.Check(request(), timeout=WAIT).status),
        "service": status(stub.Check(request(service="warehouse.v1.Warehouse"), timeout=WAIT).status),
        "unknown": failure(stub.Check, request(service="attic"), timeout=WAIT)["code"],
        "watched": first("warehouse.v1.Warehouse"),
        "watched_unknown": first("attic"),
    }


def reflection(channel):
    database = ProtoReflectionDescriptorDatabase(channel)
    pool = DescriptorPool(database)
    service = pool.FindServiceByName("warehouse.v1.Warehouse")
    # A message that this program knows by reflection alone.
    article = GetMessageClass(pool.FindMessageTypeByName("warehouse.v1.Article"))
    stock = GetMessageClass(pool.FindMessageTypeByName("warehouse.v1.Stock"))
    check = channel.unary_unary(
        "/warehouse.v1.Warehouse/Check", request_serializer=article.SerializeToString, response_deserializer=stock.FromString
    )
    return {
        "services": list(database.get_services()),
        "file": service.file.name,
        "methods": [method.name for method in service.methods],
        "called": pair(check(article(sku="nut"), timeout=WAIT)),
    }


def reflection_off(channel):
    stub = reflection_pb2_grpc.ServerReflectionStub(channel)
    requests = iter([reflection_pb2.ServerReflectionRequest(list_services="")])
    return failure(lambda: list(stub.ServerReflectionInfo(requests, timeout=WAIT)))["code"]


def sizes(channel):
    stub = services.WarehouseStub(channel)
    text, gzip = "x" * 5000, grpc.Compression.Gzip
    stock, call = stub.Check.with_call(Article(sku=text), compression=gzip, timeout=WAIT)
    encodings = [value for name, value in call.initial_metadata() if name == "grpc-encoding"]
    return {
        "gzip": stock.count,
        "gzip_answered": encodings[0] if encodings else "gzip",
        "too_large": failure(stub.Check, Article(sku="x" * 20000), timeout=WAIT)["code"],
        "too_large_in_a_stream": failure(stub.Receive, iter([Stock(sku="x" * 20000)]), timeout=WAIT)["code"],
        "bomb": failure(stub.Check, Article(sku="x" * 3_000_000), compression=gzip, timeout=WAIT)["code"],
    }


def read(path):
    with open(path, "rb") as file:
        return file.read()


def tls(address, ca, certificate, key):
    def ask(channel):
        try:
            return pair(services.WarehouseStub(channel).Check(Article(sku="nut"), timeout=WAIT))
        except grpc.RpcError as error:
            return error.code().name

    known = grpc.ssl_channel_credentials(read(ca), read(key), read(certificate))
    return {
        "with": ask(grpc.secure_channel(address, known)),
        "without": ask(grpc.secure_channel(address, grpc.ssl_channel_credentials(read(ca)))),
        "plain": ask(grpc.insecure_channel(address)),
    }


address, case, *files = sys.argv[1:]
if case == "tls":
    answer = tls(address, *files)
else:
    with grpc.insecure_channel(address) as channel:
        answer = globals()[case](channel)
print(json.dumps(answer))
