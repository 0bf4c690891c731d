// Calls one method with the stubs of protoc's Go plugins and prints what came back as one JSON document.
//
// Arguments: the address, and the method as "Service/Method". Standard input: {"token": ..., "request": ...}, where a
// token of null sends no authorization. The stubs are found as tokenbroker/v1 in GOPATH.
package main

import (
	"context"
	"encoding/json"
	"log"
	"os"
	"reflect"
	"strings"
	"time"

	"google.golang.org/genproto/googleapis/rpc/code"
	"google.golang.org/genproto/googleapis/rpc/errdetails"
	"google.golang.org/grpc"
	"google.golang.org/grpc/metadata"
	"google.golang.org/grpc/status"
	"google.golang.org/protobuf/encoding/protojson"
	"google.golang.org/protobuf/proto"
	tokenbroker "tokenbroker/v1"
)

const callTimeout = 30 * time.Second

type question struct {
	Token   *string
	Request json.RawMessage
}

type answer struct {
	Response json.RawMessage `json:"response"`
}

type refusal struct {
	Code   string `json:"code"`
	Reason string `json:"reason"`
}

func main() {
	address, path := os.Args[1], os.Args[2]
	var given question
	must(json.NewDecoder(os.Stdin).Decode(&given))

	// A proxy of the environment is not for this machine's own ports.
	connection, err := grpc.Dial(address, grpc.WithInsecure(), grpc.WithNoProxy())
	must(err)
	ctx, cancel := context.WithTimeout(context.Background(), callTimeout)
	defer cancel()
	if given.Token != nil {
		ctx = metadata.AppendToOutgoingContext(ctx, "authorization", "Bearer "+*given.Token)
	}
	must(json.NewEncoder(os.Stdout).Encode(call(ctx, generated(connection, path), given.Request)))
}

// generated finds the stub's own function of a method, so that none has to be listed here.
func generated(connection *grpc.ClientConn, path string) reflect.Value {
	service, method, _ := strings.Cut(path, "/")
	stubs := map[string]any{
		"TokenBrokerService": tokenbroker.NewTokenBrokerServiceClient(connection),
		"AdminService":       tokenbroker.NewAdminServiceClient(connection),
	}
	return reflect.ValueOf(stubs[service]).MethodByName(method)
}

func call(ctx context.Context, function reflect.Value, request []byte) any {
	message := reflect.New(function.Type().In(1).Elem())
	must(protojson.Unmarshal(request, message.Interface().(proto.Message)))
	response, err := invoke(function, reflect.ValueOf(ctx), message)
	if err != nil {
		return refusalOf(status.Convert(err))
	}
	text, err := protojson.Marshal(response)
	must(err)
	return answer{text}
}

// invoke waits for the response; of a stream it takes the first message.
func invoke(function reflect.Value, arguments ...reflect.Value) (proto.Message, error) {
	results := function.Call(arguments)
	if err, failed := results[1].Interface().(error); failed {
		return nil, err
	}
	if response, isMessage := results[0].Interface().(proto.Message); isMessage {
		return response, nil
	}
	return invoke(results[0].MethodByName("Recv"))
}

// refusalOf reads the ErrorInfo; without one the reason is empty.
func refusalOf(status *status.Status) refusal {
	refusal := refusal{Code: code.Code(status.Code()).String()}
	for _, detail := range status.Details() {
		if info, isInfo := detail.(*errdetails.ErrorInfo); isInfo && info.Domain == "tokenbroker" {
			refusal.Reason = info.Reason
		}
	}
	return refusal
}

func must(err error) {
	if err != nil {
		log.Fatal(err)
	}
}
