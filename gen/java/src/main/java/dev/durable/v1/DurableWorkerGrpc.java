package dev.durable.v1;

import static io.grpc.MethodDescriptor.generateFullMethodName;

/**
 * <pre>
 * The service that workers dial. It has no HTTP mapping, because HTTP/JSON cannot carry the stream.
 * </pre>
 */
@io.grpc.stub.annotations.GrpcGenerated
public final class DurableWorkerGrpc {

  private DurableWorkerGrpc() {}

  public static final java.lang.String SERVICE_NAME = "durable.v1.DurableWorker";

  // Static method descriptors that strictly reflect the proto.
  private static volatile io.grpc.MethodDescriptor<dev.durable.v1.SessionRequest,
      dev.durable.v1.SessionResponse> getSessionMethod;

  @io.grpc.stub.annotations.RpcMethod(
      fullMethodName = SERVICE_NAME + '/' + "Session",
      requestType = dev.durable.v1.SessionRequest.class,
      responseType = dev.durable.v1.SessionResponse.class,
      methodType = io.grpc.MethodDescriptor.MethodType.BIDI_STREAMING)
  public static io.grpc.MethodDescriptor<dev.durable.v1.SessionRequest,
      dev.durable.v1.SessionResponse> getSessionMethod() {
    io.grpc.MethodDescriptor<dev.durable.v1.SessionRequest, dev.durable.v1.SessionResponse> getSessionMethod;
    if ((getSessionMethod = DurableWorkerGrpc.getSessionMethod) == null) {
      synchronized (DurableWorkerGrpc.class) {
        if ((getSessionMethod = DurableWorkerGrpc.getSessionMethod) == null) {
          DurableWorkerGrpc.getSessionMethod = getSessionMethod =
              io.grpc.MethodDescriptor.<dev.durable.v1.SessionRequest, dev.durable.v1.SessionResponse>newBuilder()
              .setType(io.grpc.MethodDescriptor.MethodType.BIDI_STREAMING)
              .setFullMethodName(generateFullMethodName(SERVICE_NAME, "Session"))
              .setSampledToLocalTracing(true)
              .setRequestMarshaller(io.grpc.protobuf.ProtoUtils.marshaller(
                  dev.durable.v1.SessionRequest.getDefaultInstance()))
              .setResponseMarshaller(io.grpc.protobuf.ProtoUtils.marshaller(
                  dev.durable.v1.SessionResponse.getDefaultInstance()))
              .setSchemaDescriptor(new DurableWorkerMethodDescriptorSupplier("Session"))
              .build();
        }
      }
    }
    return getSessionMethod;
  }

  /**
   * Creates a new async stub that supports all call types for the service
   */
  public static DurableWorkerStub newStub(io.grpc.Channel channel) {
    io.grpc.stub.AbstractStub.StubFactory<DurableWorkerStub> factory =
      new io.grpc.stub.AbstractStub.StubFactory<DurableWorkerStub>() {
        @java.lang.Override
        public DurableWorkerStub newStub(io.grpc.Channel channel, io.grpc.CallOptions callOptions) {
          return new DurableWorkerStub(channel, callOptions);
        }
      };
    return DurableWorkerStub.newStub(factory, channel);
  }

  /**
   * Creates a new blocking-style stub that supports all types of calls on the service
   */
  public static DurableWorkerBlockingV2Stub newBlockingV2Stub(
      io.grpc.Channel channel) {
    io.grpc.stub.AbstractStub.StubFactory<DurableWorkerBlockingV2Stub> factory =
      new io.grpc.stub.AbstractStub.StubFactory<DurableWorkerBlockingV2Stub>() {
        @java.lang.Override
        public DurableWorkerBlockingV2Stub newStub(io.grpc.Channel channel, io.grpc.CallOptions callOptions) {
          return new DurableWorkerBlockingV2Stub(channel, callOptions);
        }
      };
    return DurableWorkerBlockingV2Stub.newStub(factory, channel);
  }

  /**
   * Creates a new blocking-style stub that supports unary and streaming output calls on the service
   */
  public static DurableWorkerBlockingStub newBlockingStub(
      io.grpc.Channel channel) {
    io.grpc.stub.AbstractStub.StubFactory<DurableWorkerBlockingStub> factory =
      new io.grpc.stub.AbstractStub.StubFactory<DurableWorkerBlockingStub>() {
        @java.lang.Override
        public DurableWorkerBlockingStub newStub(io.grpc.Channel channel, io.grpc.CallOptions callOptions) {
          return new DurableWorkerBlockingStub(channel, callOptions);
        }
      };
    return DurableWorkerBlockingStub.newStub(factory, channel);
  }

  /**
   * Creates a new ListenableFuture-style stub that supports unary calls on the service
   */
  public static DurableWorkerFutureStub newFutureStub(
      io.grpc.Channel channel) {
    io.grpc.stub.AbstractStub.StubFactory<DurableWorkerFutureStub> factory =
      new io.grpc.stub.AbstractStub.StubFactory<DurableWorkerFutureStub>() {
        @java.lang.Override
        public DurableWorkerFutureStub newStub(io.grpc.Channel channel, io.grpc.CallOptions callOptions) {
          return new DurableWorkerFutureStub(channel, callOptions);
        }
      };
    return DurableWorkerFutureStub.newStub(factory, channel);
  }

  /**
   * <pre>
   * The service that workers dial. It has no HTTP mapping, because HTTP/JSON cannot carry the stream.
   * </pre>
   */
  public interface AsyncService {

    /**
     * <pre>
     * One session of one worker; see the head of this file.
     * </pre>
     */
    default io.grpc.stub.StreamObserver<dev.durable.v1.SessionRequest> session(
        io.grpc.stub.StreamObserver<dev.durable.v1.SessionResponse> responseObserver) {
      return io.grpc.stub.ServerCalls.asyncUnimplementedStreamingCall(getSessionMethod(), responseObserver);
    }
  }

  /**
   * Base class for the server implementation of the service DurableWorker.
   * <pre>
   * The service that workers dial. It has no HTTP mapping, because HTTP/JSON cannot carry the stream.
   * </pre>
   */
  public static abstract class DurableWorkerImplBase
      implements io.grpc.BindableService, AsyncService {

    @java.lang.Override public final io.grpc.ServerServiceDefinition bindService() {
      return DurableWorkerGrpc.bindService(this);
    }
  }

  /**
   * A stub to allow clients to do asynchronous rpc calls to service DurableWorker.
   * <pre>
   * The service that workers dial. It has no HTTP mapping, because HTTP/JSON cannot carry the stream.
   * </pre>
   */
  public static final class DurableWorkerStub
      extends io.grpc.stub.AbstractAsyncStub<DurableWorkerStub> {
    private DurableWorkerStub(
        io.grpc.Channel channel, io.grpc.CallOptions callOptions) {
      super(channel, callOptions);
    }

    @java.lang.Override
    protected DurableWorkerStub build(
        io.grpc.Channel channel, io.grpc.CallOptions callOptions) {
      return new DurableWorkerStub(channel, callOptions);
    }

    /**
     * <pre>
     * One session of one worker; see the head of this file.
     * </pre>
     */
    public io.grpc.stub.StreamObserver<dev.durable.v1.SessionRequest> session(
        io.grpc.stub.StreamObserver<dev.durable.v1.SessionResponse> responseObserver) {
      return io.grpc.stub.ClientCalls.asyncBidiStreamingCall(
          getChannel().newCall(getSessionMethod(), getCallOptions()), responseObserver);
    }
  }

  /**
   * A stub to allow clients to do synchronous rpc calls to service DurableWorker.
   * <pre>
   * The service that workers dial. It has no HTTP mapping, because HTTP/JSON cannot carry the stream.
   * </pre>
   */
  public static final class DurableWorkerBlockingV2Stub
      extends io.grpc.stub.AbstractBlockingStub<DurableWorkerBlockingV2Stub> {
    private DurableWorkerBlockingV2Stub(
        io.grpc.Channel channel, io.grpc.CallOptions callOptions) {
      super(channel, callOptions);
    }

    @java.lang.Override
    protected DurableWorkerBlockingV2Stub build(
        io.grpc.Channel channel, io.grpc.CallOptions callOptions) {
      return new DurableWorkerBlockingV2Stub(channel, callOptions);
    }

    /**
     * <pre>
     * One session of one worker; see the head of this file.
     * </pre>
     */
    @io.grpc.ExperimentalApi("https://github.com/grpc/grpc-java/issues/10918")
    public io.grpc.stub.BlockingClientCall<dev.durable.v1.SessionRequest, dev.durable.v1.SessionResponse>
        session() {
      return io.grpc.stub.ClientCalls.blockingBidiStreamingCall(
          getChannel(), getSessionMethod(), getCallOptions());
    }
  }

  /**
   * A stub to allow clients to do limited synchronous rpc calls to service DurableWorker.
   * <pre>
   * The service that workers dial. It has no HTTP mapping, because HTTP/JSON cannot carry the stream.
   * </pre>
   */
  public static final class DurableWorkerBlockingStub
      extends io.grpc.stub.AbstractBlockingStub<DurableWorkerBlockingStub> {
    private DurableWorkerBlockingStub(
        io.grpc.Channel channel, io.grpc.CallOptions callOptions) {
      super(channel, callOptions);
    }

    @java.lang.Override
    protected DurableWorkerBlockingStub build(
        io.grpc.Channel channel, io.grpc.CallOptions callOptions) {
      return new DurableWorkerBlockingStub(channel, callOptions);
    }
  }

  /**
   * A stub to allow clients to do ListenableFuture-style rpc calls to service DurableWorker.
   * <pre>
   * The service that workers dial. It has no HTTP mapping, because HTTP/JSON cannot carry the stream.
   * </pre>
   */
  public static final class DurableWorkerFutureStub
      extends io.grpc.stub.AbstractFutureStub<DurableWorkerFutureStub> {
    private DurableWorkerFutureStub(
        io.grpc.Channel channel, io.grpc.CallOptions callOptions) {
      super(channel, callOptions);
    }

    @java.lang.Override
    protected DurableWorkerFutureStub build(
        io.grpc.Channel channel, io.grpc.CallOptions callOptions) {
      return new DurableWorkerFutureStub(channel, callOptions);
    }
  }

  private static final int METHODID_SESSION = 0;

  private static final class MethodHandlers<Req, Resp> implements
      io.grpc.stub.ServerCalls.UnaryMethod<Req, Resp>,
      io.grpc.stub.ServerCalls.ServerStreamingMethod<Req, Resp>,
      io.grpc.stub.ServerCalls.ClientStreamingMethod<Req, Resp>,
      io.grpc.stub.ServerCalls.BidiStreamingMethod<Req, Resp> {
    private final AsyncService serviceImpl;
    private final int methodId;

    MethodHandlers(AsyncService serviceImpl, int methodId) {
      this.serviceImpl = serviceImpl;
      this.methodId = methodId;
    }

    @java.lang.Override
    @java.lang.SuppressWarnings("unchecked")
    public void invoke(Req request, io.grpc.stub.StreamObserver<Resp> responseObserver) {
      switch (methodId) {
        default:
          throw new AssertionError();
      }
    }

    @java.lang.Override
    @java.lang.SuppressWarnings("unchecked")
    public io.grpc.stub.StreamObserver<Req> invoke(
        io.grpc.stub.StreamObserver<Resp> responseObserver) {
      switch (methodId) {
        case METHODID_SESSION:
          return (io.grpc.stub.StreamObserver<Req>) serviceImpl.session(
              (io.grpc.stub.StreamObserver<dev.durable.v1.SessionResponse>) responseObserver);
        default:
          throw new AssertionError();
      }
    }
  }

  public static final io.grpc.ServerServiceDefinition bindService(AsyncService service) {
    return io.grpc.ServerServiceDefinition.builder(getServiceDescriptor())
        .addMethod(
          getSessionMethod(),
          io.grpc.stub.ServerCalls.asyncBidiStreamingCall(
            new MethodHandlers<
              dev.durable.v1.SessionRequest,
              dev.durable.v1.SessionResponse>(
                service, METHODID_SESSION)))
        .build();
  }

  private static abstract class DurableWorkerBaseDescriptorSupplier
      implements io.grpc.protobuf.ProtoFileDescriptorSupplier, io.grpc.protobuf.ProtoServiceDescriptorSupplier {
    DurableWorkerBaseDescriptorSupplier() {}

    @java.lang.Override
    public com.google.protobuf.Descriptors.FileDescriptor getFileDescriptor() {
      return dev.durable.v1.WorkerProto.getDescriptor();
    }

    @java.lang.Override
    public com.google.protobuf.Descriptors.ServiceDescriptor getServiceDescriptor() {
      return getFileDescriptor().findServiceByName("DurableWorker");
    }
  }

  private static final class DurableWorkerFileDescriptorSupplier
      extends DurableWorkerBaseDescriptorSupplier {
    DurableWorkerFileDescriptorSupplier() {}
  }

  private static final class DurableWorkerMethodDescriptorSupplier
      extends DurableWorkerBaseDescriptorSupplier
      implements io.grpc.protobuf.ProtoMethodDescriptorSupplier {
    private final java.lang.String methodName;

    DurableWorkerMethodDescriptorSupplier(java.lang.String methodName) {
      this.methodName = methodName;
    }

    @java.lang.Override
    public com.google.protobuf.Descriptors.MethodDescriptor getMethodDescriptor() {
      return getServiceDescriptor().findMethodByName(methodName);
    }
  }

  private static volatile io.grpc.ServiceDescriptor serviceDescriptor;

  public static io.grpc.ServiceDescriptor getServiceDescriptor() {
    io.grpc.ServiceDescriptor result = serviceDescriptor;
    if (result == null) {
      synchronized (DurableWorkerGrpc.class) {
        result = serviceDescriptor;
        if (result == null) {
          serviceDescriptor = result = io.grpc.ServiceDescriptor.newBuilder(SERVICE_NAME)
              .setSchemaDescriptor(new DurableWorkerFileDescriptorSupplier())
              .addMethod(getSessionMethod())
              .build();
        }
      }
    }
    return result;
  }
}
