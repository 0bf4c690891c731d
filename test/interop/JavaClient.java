import com.google.gson.JsonElement;
import com.google.gson.JsonObject;
import com.google.gson.JsonParser;
import com.google.protobuf.Any;
import com.google.protobuf.InvalidProtocolBufferException;
import com.google.protobuf.Message;
import com.google.protobuf.util.JsonFormat;
import com.google.rpc.ErrorInfo;
import io.grpc.Channel;
import io.grpc.Context;
import io.grpc.Grpc;
import io.grpc.InsecureChannelCredentials;
import io.grpc.ManagedChannel;
import io.grpc.Metadata;
import io.grpc.StatusRuntimeException;
import io.grpc.protobuf.StatusProto;
import io.grpc.stub.AbstractStub;
import io.grpc.stub.MetadataUtils;
import java.io.BufferedReader;
import java.io.InputStreamReader;
import java.io.PrintStream;
import java.lang.reflect.InvocationTargetException;
import java.lang.reflect.Method;
import java.nio.charset.StandardCharsets;
import java.util.Iterator;
import java.util.concurrent.Callable;
import java.util.concurrent.TimeUnit;
import java.util.stream.Stream;
import tokenbroker.v1.AdminServiceGrpc;
import tokenbroker.v1.TokenBrokerServiceGrpc;

/**
 * Calls methods with the stubs of protoc's grpc-java plugin, all through one channel.
 *
 * <p>Argument: the address. Each line of standard input is one call as a JSON document, {"method": "Service/Method",
 * "token": ..., "request": ...}, where a token of null sends no authorization; it is answered by one line with what
 * came back. The end of the input ends the program.
 */
public final class JavaClient {
  private static final int CALL_SECONDS_MAX = 30;
  private static final Metadata.Key<String> AUTHORIZATION =
      Metadata.Key.of("authorization", Metadata.ASCII_STRING_MARSHALLER);

  public static void main(String[] args) throws Exception {
    // Not the platform's encoding, which Java 17 takes from the locale.
    var calls = new BufferedReader(new InputStreamReader(System.in, StandardCharsets.UTF_8));
    var answers = new PrintStream(System.out, true, StandardCharsets.UTF_8);
    ManagedChannel channel =
        Grpc.newChannelBuilder(args[0], InsecureChannelCredentials.create())
            // A proxy of the environment is not for this machine's own ports.
            .proxyDetector(address -> null)
            .build();
    try {
      for (String line = calls.readLine(); line != null; line = calls.readLine()) {
        answers.println(answer(channel, JsonParser.parseString(line).getAsJsonObject()));
      }
    } finally {
      channel.shutdownNow();
    }
  }

  private static JsonObject answer(Channel channel, JsonObject given) throws Exception {
    String[] path = given.get("method").getAsString().split("/");
    AbstractStub<?> stub = stub(channel, path[0], given.get("token"));
    Method method = method(stub, path[1]);
    Message request = message(method.getParameterTypes()[0], given.get("request"));
    var answer = new JsonObject();
    try {
      String response = JsonFormat.printer().print(call(() -> method.invoke(stub, request)));
      answer.add("response", JsonParser.parseString(response));
    } catch (StatusRuntimeException error) {
      answer.addProperty("code", error.getStatus().getCode().name());
      answer.addProperty("reason", reason(error));
    }
    return answer;
  }

  private static AbstractStub<?> stub(Channel channel, String service, JsonElement token) {
    var metadata = new Metadata();
    if (!token.isJsonNull()) metadata.put(AUTHORIZATION, "Bearer " + token.getAsString());
    AbstractStub<?> stub =
        switch (service) {
          case "TokenBrokerService" -> TokenBrokerServiceGrpc.newBlockingStub(channel);
          case "AdminService" -> AdminServiceGrpc.newBlockingStub(channel);
          default -> throw new IllegalArgumentException("there is no service " + service);
        };
    return stub.withInterceptors(MetadataUtils.newAttachHeadersInterceptor(metadata))
        .withDeadlineAfter(CALL_SECONDS_MAX, TimeUnit.SECONDS);
  }

  private static Method method(AbstractStub<?> stub, String name) {
    String inJava = Character.toLowerCase(name.charAt(0)) + name.substring(1);
    return Stream.of(stub.getClass().getMethods())
        .filter(method -> method.getName().equals(inJava))
        .findFirst()
        .orElseThrow();
  }

  private static Message message(Class<?> type, JsonElement json) throws Exception {
    var builder = (Message.Builder) type.getMethod("newBuilder").invoke(null);
    JsonFormat.parser().merge(json.toString(), builder);
    return builder.build();
  }

  /** Takes the first message of a stream and leaves it. */
  private static Message call(Callable<Object> method) throws Exception {
    try (var context = Context.current().withCancellation()) {
      Object answer = context.call(method);
      return (Message) (answer instanceof Iterator<?> stream ? stream.next() : answer);
    } catch (InvocationTargetException error) {
      throw error.getCause() instanceof StatusRuntimeException status ? status : error;
    }
  }

  /** Reads the ErrorInfo; without one the reason is empty. */
  private static String reason(StatusRuntimeException error) throws InvalidProtocolBufferException {
    com.google.rpc.Status status = StatusProto.fromThrowable(error);
    if (status == null) return "";
    for (Any detail : status.getDetailsList()) {
      if (!detail.is(ErrorInfo.class)) continue;
      ErrorInfo info = detail.unpack(ErrorInfo.class);
      if (info.getDomain().equals("tokenbroker")) return info.getReason();
    }
    return "";
  }
}
