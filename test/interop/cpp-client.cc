// Calls one method with the stubs of protoc's C++ plugins and prints what came back as one JSON document.
//
// Arguments: the address, and the method as "Service/Method". Standard input: {"token": ..., "request": ...}, where a
// token of null sends no authorization.

#include <chrono>
#include <functional>
#include <iostream>
#include <iterator>
#include <map>
#include <memory>
#include <stdexcept>
#include <string>

#include <google/protobuf/struct.pb.h>
#include <google/protobuf/util/json_util.h>
#include <grpcpp/grpcpp.h>

#include "google/rpc/code.pb.h"
#include "google/rpc/error_details.pb.h"
#include "google/rpc/status.pb.h"
#include "tokenbroker/v1/admin.grpc.pb.h"
#include "tokenbroker/v1/token_broker.grpc.pb.h"

namespace {

using google::protobuf::Message;
using google::protobuf::Struct;
using tokenbroker::v1::AdminService;
using tokenbroker::v1::TokenBrokerService;

constexpr std::chrono::seconds kCallTime{30};

/// Takes the request as JSON and sets the response, as JSON too, unless the status is an error.
using Call = std::function<grpc::Status(grpc::ClientContext*, const std::string&, std::string*)>;

void must(const google::protobuf::util::Status& status) {
  if (!status.ok()) throw std::runtime_error(status.ToString());
}

std::string json(const Message& message) {
  std::string text;
  must(google::protobuf::util::MessageToJsonString(message, &text));
  return text;
}

template <class Stub, class Request, class Response>
Call call(std::shared_ptr<Stub> stub,
          grpc::Status (Stub::*rpc)(grpc::ClientContext*, const Request&, Response*)) {
  return [=](grpc::ClientContext* context, const std::string& text, std::string* answer) {
    Request request;
    Response response;
    must(google::protobuf::util::JsonStringToMessage(text, &request));
    const grpc::Status status = ((*stub).*rpc)(context, request, &response);
    if (status.ok()) *answer = json(response);
    return status;
  };
}

/// Of a stream the first message is taken.
template <class Stub, class Request, class Response>
Call call(std::shared_ptr<Stub> stub,
          std::unique_ptr<grpc::ClientReader<Response>> (Stub::*rpc)(grpc::ClientContext*, const Request&)) {
  return [=](grpc::ClientContext* context, const std::string& text, std::string* answer) {
    Request request;
    Response response;
    must(google::protobuf::util::JsonStringToMessage(text, &request));
    const auto stream = ((*stub).*rpc)(context, request);
    if (!stream->Read(&response)) return stream->Finish();
    *answer = json(response);
    context->TryCancel();
    stream->Finish();
    return grpc::Status::OK;
  };
}

std::map<std::string, Call> calls(const std::shared_ptr<grpc::Channel>& channel) {
  using Broker = TokenBrokerService::Stub;
  using Admin = AdminService::Stub;
  const std::shared_ptr<Broker> broker = TokenBrokerService::NewStub(channel);
  const std::shared_ptr<Admin> admin = AdminService::NewStub(channel);
  return {
      {"TokenBrokerService/GetAccessToken", call(broker, &Broker::GetAccessToken)},
      {"TokenBrokerService/WatchAccessTokens", call(broker, &Broker::WatchAccessTokens)},
      {"TokenBrokerService/GetStatus", call(broker, &Broker::GetStatus)},
      {"TokenBrokerService/Refresh", call(broker, &Broker::Refresh)},
      {"TokenBrokerService/Disconnect", call(broker, &Broker::Disconnect)},
      {"AdminService/CreateConsentLink", call(admin, &Admin::CreateConsentLink)},
      {"AdminService/GetConsent", call(admin, &Admin::GetConsent)},
      {"AdminService/CompleteConsent", call(admin, &Admin::CompleteConsent)},
      {"AdminService/ListConnections", call(admin, &Admin::ListConnections)},
      {"AdminService/ImportConnection", call(admin, &Admin::ImportConnection)},
      {"AdminService/ListProviders", call(admin, &Admin::ListProviders)},
      {"AdminService/WatchConnections", call(admin, &Admin::WatchConnections)},
      {"AdminService/ListAuditRecords", call(admin, &Admin::ListAuditRecords)},
      {"AdminService/FindReleases", call(admin, &Admin::FindReleases)},
      {"AdminService/GetKeys", call(admin, &Admin::GetKeys)},
      {"AdminService/RotateKeys", call(admin, &Admin::RotateKeys)},
      {"AdminService/RewrapKeys", call(admin, &Admin::RewrapKeys)},
      {"AdminService/RebindConnections", call(admin, &Admin::RebindConnections)},
      {"AdminService/GetRestore", call(admin, &Admin::GetRestore)},
  };
}

/// Reads the ErrorInfo; without one the reason is empty.
std::string reason(const grpc::Status& status) {
  google::rpc::Status details;
  google::rpc::ErrorInfo info;
  details.ParseFromString(status.error_details());
  for (const auto& detail : details.details())
    if (detail.UnpackTo(&info) && info.domain() == "tokenbroker") return info.reason();
  return "";
}

std::string refusal(const grpc::Status& status) {
  Struct fields;
  const auto code = static_cast<google::rpc::Code>(status.error_code());
  (*fields.mutable_fields())["code"].set_string_value(google::rpc::Code_Name(code));
  (*fields.mutable_fields())["reason"].set_string_value(reason(status));
  return json(fields);
}

std::string run(const std::string& address, const std::string& method, const std::string& input) {
  Struct given;
  must(google::protobuf::util::JsonStringToMessage(input, &given));

  // A proxy of the environment is not for this machine's own ports.
  grpc::ChannelArguments arguments;
  arguments.SetInt(GRPC_ARG_ENABLE_HTTP_PROXY, 0);
  const auto known = calls(grpc::CreateCustomChannel(address, grpc::InsecureChannelCredentials(), arguments));
  const auto found = known.find(method);
  if (found == known.end()) throw std::runtime_error("add " + method + " to calls()");

  grpc::ClientContext context;
  context.set_deadline(std::chrono::system_clock::now() + kCallTime);
  const auto& token = given.fields().at("token");
  if (!token.has_null_value()) context.AddMetadata("authorization", "Bearer " + token.string_value());

  std::string response;
  const grpc::Status status = found->second(&context, json(given.fields().at("request")), &response);
  return status.ok() ? "{\"response\":" + response + "}" : refusal(status);
}

}  // namespace

int main(int, char** arguments) {
  try {
    const std::string input{std::istreambuf_iterator<char>(std::cin), {}};
    std::cout << run(arguments[1], arguments[2], input);
  } catch (const std::exception& error) {
    std::cerr << error.what() << '\n';
    return EXIT_FAILURE;
  }
}
