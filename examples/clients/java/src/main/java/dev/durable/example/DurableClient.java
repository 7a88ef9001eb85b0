package dev.durable.example;

import com.google.gson.Gson;
import com.google.protobuf.ByteString;
import com.google.protobuf.Duration;
import dev.durable.v1.DurableControlGrpc;
import dev.durable.v1.DurableControlGrpc.DurableControlBlockingStub;
import dev.durable.v1.Failure;
import dev.durable.v1.GetResultRequest;
import dev.durable.v1.GetResultResponse;
import dev.durable.v1.Invocation;
import dev.durable.v1.InvocationState;
import dev.durable.v1.InvokeRequest;
import dev.durable.v1.Outcome;
import dev.durable.v1.Payload;
import dev.durable.v1.QueryRequest;
import dev.durable.v1.QueryResponse;
import dev.durable.v1.ResolveAwakeableRequest;
import io.grpc.Channel;
import io.grpc.StatusRuntimeException;
import java.util.List;
import java.util.Locale;
import java.util.UUID;
import java.util.concurrent.TimeUnit;
import java.util.function.Consumer;

/** What a program wants of the control plane, over the generated stub. */
final class DurableClient {
  private static final Gson JSON = new Gson();

  private final DurableControlBlockingStub stub;

  DurableClient(Channel channel) {
    // A call waits for a control plane that is restarting, as long as its deadline allows.
    stub = DurableControlGrpc.newBlockingStub(channel).withWaitForReady();
  }

  /** The stub itself, for one call. */
  DurableControlBlockingStub stub() {
    return stub.withDeadlineAfter(60, TimeUnit.SECONDS);
  }

  /**
   * Starts an invocation and returns its id. The request id makes the retries safe: however many
   * arrive, one invocation is started.
   */
  String start(String handler, Object input) throws InterruptedException {
    InvokeRequest request =
        InvokeRequest.newBuilder()
            .setHandler(handler)
            .setInput(payload(input))
            .setRequestId(newRequestId())
            .build();
    for (long delay = 100; ; delay = Math.min(2 * delay, 5_000)) {
      try {
        return stub().invoke(request).getInvocationId();
      } catch (StatusRuntimeException error) {
        if (!Refusal.of(error).isTransient()) {
          throw error;
        }
        Thread.sleep(delay);
      }
    }
  }

  /**
   * Waits for the end, however long it takes, and returns the value. It asks in turns of half a
   * minute, so that no proxy cuts a silent connection.
   */
  <T> T await(String id, Class<T> type) {
    GetResultRequest request =
        GetResultRequest.newBuilder().setInvocationId(id).setWaitTimeout(seconds(30)).build();
    while (true) {
      GetResultResponse result = stub().getResult(request);
      if (result.getState() == InvocationState.INVOCATION_STATE_PAUSED) {
        throw new IllegalStateException(id + " is paused");
      }
      switch (result.getOutcome().getResultCase()) {
        case VALUE:
          return JSON.fromJson(result.getOutcome().getValue().getData().toStringUtf8(), type);
        case FAILURE:
          throw new InvocationFailedException(id, result.getOutcome().getFailure());
        default:
          // Not finished yet: ask again.
      }
    }
  }

  void resolve(String awakeable, Object value) {
    settle(awakeable, Outcome.newBuilder().setValue(payload(value)).build());
  }

  void reject(String awakeable, String message) {
    Failure failure =
        Failure.newBuilder().setType("Rejected").setMessage(message).setTerminal(true).build();
    settle(awakeable, Outcome.newBuilder().setFailure(failure).build());
  }

  private void settle(String awakeable, Outcome outcome) {
    ResolveAwakeableRequest request =
        ResolveAwakeableRequest.newBuilder()
            .setAwakeableId(awakeable)
            .setOutcome(outcome)
            .setRequestId(newRequestId())
            .build();
    stub().resolveAwakeable(request);
  }

  /** Gives everything that matches, page by page. */
  void pages(QueryRequest query, Consumer<List<Invocation>> each) {
    QueryRequest.Builder next = query.toBuilder();
    do {
      QueryResponse page = stub().query(next.build());
      each.accept(page.getInvocationsList());
      next.setPageToken(page.getNextPageToken());
    } while (!next.getPageToken().isEmpty());
  }

  static Duration seconds(long seconds) {
    return Duration.newBuilder().setSeconds(seconds).build();
  }

  /** A state as people read it. */
  static String word(InvocationState state) {
    return state.name().substring("INVOCATION_STATE_".length()).toLowerCase(Locale.ROOT);
  }

  static String newRequestId() {
    return UUID.randomUUID().toString();
  }

  private static Payload payload(Object value) {
    return Payload.newBuilder().setData(ByteString.copyFromUtf8(JSON.toJson(value))).build();
  }
}
