"""What grpcio makes of the files in KINOKO_TEST_PROTOS, when it is asked for; and what the scripts beside it share."""

import os
import sys

import grpc
from google.protobuf.json_format import MessageToDict
from google.rpc import error_details_pb2
from grpc_status import rpc_status

sys.path.insert(0, os.environ["KINOKO_TEST_PROTOS"])

warehouse, services = grpc.protos_and_services("warehouse.proto")


def pair(stock):
    return [stock.sku, stock.count]


def failure(call, *args, **kwargs):
    """The error of a call that must fail, and what its details say."""
    try:
        call(*args, **kwargs)
    except grpc.RpcError as error:
        return told(error)
    raise SystemExit("it did not fail")


def told(error):
    answer = {"code": error.code().name, "message": error.details()}
    status = rpc_status.from_call(error)
    for detail in status.details if status else []:
        info = error_details_pb2.ErrorInfo()
        if detail.Unpack(info):
            answer["info"] = MessageToDict(info)
    return answer
