# Calls one method with the stubs of protoc's gRPC plugin and prints what came back as one JSON document.
#
# Arguments: the address, and the method as "Service/Method". Standard input: {"token": ..., "request": ...}, where a
# token of null sends no authorization. The stubs are found through RUBYLIB, google.rpc comes with Debian's gRPC.

require 'json'
require 'grpc'
require 'google/protobuf/well_known_types' # without it, Any cannot be unpacked
require 'google/rpc/error_details_pb'
require 'tokenbroker/v1/admin_services_pb'
require 'tokenbroker/v1/token_broker_services_pb'

CALL_SECONDS_MAX = 30

def main(address, method_path)
  given = JSON.parse($stdin.set_encoding(Encoding::UTF_8).read)
  service_name, method_name = method_path.split('/')
  service = Tokenbroker::V1.const_get(service_name)
  method = service::Service.rpc_descs.fetch(method_name.to_sym)
  request = method.input.decode_json(JSON.generate(given['request']))
  stub = service::Stub.new(address, :this_channel_is_insecure)
  print JSON.generate(call(stub, method, request, given['token']))
end

def call(stub, method, request, token)
  metadata = token.nil? ? {} : { 'authorization' => "Bearer #{token}" }
  name = GRPC::GenericService.underscore(method.name.to_s)
  answer = stub.public_send(name, request, metadata: metadata, deadline: Time.now + CALL_SECONDS_MAX)
  message = method.server_streamer? ? answer.first : answer
  { response: JSON.parse(message.to_json) }
rescue GRPC::BadStatus => e
  { code: code_name(e.code), reason: reason(e) }
end

def code_name(code)
  GRPC::Core::StatusCodes.constants.find { |name| GRPC::Core::StatusCodes.const_get(name) == code }
end

# Reads the ErrorInfo; without one the reason is empty.
def reason(error)
  details = error.to_rpc_status&.details.to_a
  infos = details.filter_map { |detail| detail.unpack(Google::Rpc::ErrorInfo) }
  infos.find { |info| info.domain == 'tokenbroker' }&.reason.to_s
end

main(*ARGV)
