"""Calls one method with the stubs of protoc's gRPC plugin and prints what came back as one JSON document.

Arguments: the address, and the method as "Service/Method". Standard input: {"token": ..., "request": ...}, where a
token of null sends no authorization. The stubs are found through PYTHONPATH.
"""

import json
import sys

import grpc
from google.protobuf import json_format
from google.rpc import error_details_pb2, status_pb2
from tokenbroker.v1 import (
    admin_pb2,
    admin_pb2_grpc,
    token_broker_pb2,
    token_broker_pb2_grpc,
)

SERVICES = {
    "TokenBrokerService": (token_broker_pb2, token_broker_pb2_grpc.TokenBrokerServiceStub),
    "AdminService": (admin_pb2, admin_pb2_grpc.AdminServiceStub),
}
CALL_SECONDS_MAX = 30


def main(address, method_path):
    given = json.load(sys.stdin)
    service, method = method_path.split("/")
    module, stub = SERVICES[service]
    request_type = module.DESCRIPTOR.services_by_name[service].methods_by_name[method].input_type
    request = json_format.ParseDict(given["request"], getattr(module, request_type.name)())
    with grpc.insecure_channel(address) as channel:
        json.dump(call(getattr(stub(channel), method), request, given["token"]), sys.stdout)


def call(method, request, token):
    metadata = [] if token is None else [("authorization", "Bearer " + token)]
    try:
        answer = method(request, metadata=metadata, timeout=CALL_SECONDS_MAX)
        message = next(answer) if hasattr(answer, "__next__") else answer
        return {"response": json_format.MessageToDict(message)}
    except grpc.RpcError as error:
        return {"code": error.code().name, "reason": reason(error)}


def reason(error):
    """Reads the ErrorInfo; without one the reason is empty."""
    for key, value in error.trailing_metadata():
        if key == "grpc-status-details-bin":
            for detail in status_pb2.Status.FromString(value).details:
                info = error_details_pb2.ErrorInfo()
                if detail.Unpack(info) and info.domain == "tokenbroker":
                    return info.reason
    return ""


main(*sys.argv[1:])
