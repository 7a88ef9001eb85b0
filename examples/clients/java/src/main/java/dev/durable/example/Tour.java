package dev.durable.example;

import dev.durable.v1.CancelRequest;
import dev.durable.v1.ErrorReason;
import dev.durable.v1.Invocation;
import dev.durable.v1.InvocationState;
import dev.durable.v1.PauseRequest;
import dev.durable.v1.QueryRequest;
import dev.durable.v1.ResumeRequest;
import dev.durable.v1.WatchInvocationRequest;
import io.grpc.Grpc;
import io.grpc.InsecureChannelCredentials;
import io.grpc.ManagedChannel;
import io.grpc.StatusRuntimeException;
import java.util.ArrayList;
import java.util.List;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.atomic.AtomicInteger;

/**
 * Starts, waits for, steers and finds invocations; what a program of yours would take over is in
 * {@link DurableClient}.
 */
public final class Tour {
  // What the handlers take and give. To the control plane a value is bytes; here it is JSON.
  record Greet(String name) {}

  record Greeting(String message, int letters) {}

  record Order(String item) {}

  record Approval(String by) {}

  record Ordered(String item, String approved_by) {}

  public static void main(String[] arguments) throws InterruptedException {
    String address = arguments.length > 0 ? arguments[0] : "127.0.0.1:50051";
    ManagedChannel channel =
        Grpc.newChannelBuilder(address, InsecureChannelCredentials.create()).build();
    try {
      tour(new DurableClient(channel));
    } finally {
      channel.shutdownNow().awaitTermination(5, TimeUnit.SECONDS);
    }
  }

  private static void tour(DurableClient durable) throws InterruptedException {
    // Start and wait.
    String ada = durable.start("greet", new Greet("Ada"));
    Greeting greeting = durable.await(ada, Greeting.class);
    System.out.printf("greeting: %s %d%n", greeting.message(), greeting.letters());

    // Pause and resume. An order waits for an approval that somebody outside gives.
    String book = durable.start("order", new Order("book"));
    PauseRequest pause =
        PauseRequest.newBuilder()
            .setInvocationId(book)
            .setRequestId(DurableClient.newRequestId())
            .setReason("stocktaking")
            .setWaitTimeout(DurableClient.seconds(10))
            .build();
    System.out.println("pause: " + DurableClient.word(durable.stub().pause(pause).getState()));
    durable.stub().resume(resume(book));

    // Resolve: the order goes on with the value.
    durable.resolve(book + ".approval", new Approval("Grace"));
    Ordered ordered = durable.await(book, Ordered.class);
    System.out.printf("resolve: %s, approved by %s%n", ordered.item(), ordered.approved_by());

    // Reject: the order fails, and says why.
    String lamp = durable.start("order", new Order("lamp"));
    durable.reject(lamp + ".approval", "out of stock");
    try {
      durable.await(lamp, Ordered.class);
    } catch (InvocationFailedException failed) {
      System.out.println("reject: " + failed.failure().getMessage());
    }

    // Cancel, while a watch follows; the stream ends with the final state.
    String pen = durable.start("order", new Order("pen"));
    CancelRequest cancel =
        CancelRequest.newBuilder()
            .setInvocationId(pen)
            .setRequestId(DurableClient.newRequestId())
            .setReason("no more")
            .build();
    durable.stub().cancel(cancel);
    WatchInvocationRequest watch =
        WatchInvocationRequest.newBuilder().setInvocationId(pen).build();
    InvocationState[] last = {InvocationState.INVOCATION_STATE_UNSPECIFIED};
    durable
        .stub()
        .watchInvocation(watch)
        .forEachRemaining(change -> last[0] = change.getInvocation().getState());
    System.out.println("cancel: " + DurableClient.word(last[0]));

    // Find, page by page.
    List<Invocation> found = new ArrayList<>();
    AtomicInteger pages = new AtomicInteger();
    QueryRequest query = QueryRequest.newBuilder().setHandler("order").setPageSize(2).build();
    durable.pages(
        query,
        page -> {
          found.addAll(page);
          pages.incrementAndGet();
        });
    System.out.printf("query: %d orders on %d pages%n", found.size(), pages.get());

    // Refusals are told apart by code and reason, never by text.
    try {
      durable.start("nobody", new Greet("?"));
    } catch (StatusRuntimeException error) {
      Refusal refusal = Refusal.of(error);
      System.out.printf(
          "refusal: %s %s %s%n",
          refusal.code(), refusal.reason(), refusal.metadata().get("handler"));
    }
    try {
      durable.stub().resume(resume(book));
    } catch (StatusRuntimeException error) {
      Refusal refusal = Refusal.of(error);
      if (refusal.because(ErrorReason.ERROR_REASON_INVALID_STATE)) {
        System.out.printf(
            "refusal: %s %s %s%n",
            refusal.code(), refusal.reason(), refusal.metadata().get("operation"));
      }
    }
  }

  private static ResumeRequest resume(String id) {
    return ResumeRequest.newBuilder()
        .setInvocationId(id)
        .setRequestId(DurableClient.newRequestId())
        .build();
  }

  private Tour() {}
}
