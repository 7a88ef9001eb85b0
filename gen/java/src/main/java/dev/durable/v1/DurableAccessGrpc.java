package dev.durable.v1;

import static io.grpc.MethodDescriptor.generateFullMethodName;

/**
 * <pre>
 * Administers who may do what.
 * </pre>
 */
@io.grpc.stub.annotations.GrpcGenerated
public final class DurableAccessGrpc {

  private DurableAccessGrpc() {}

  public static final java.lang.String SERVICE_NAME = "durable.v1.DurableAccess";

  // Static method descriptors that strictly reflect the proto.
  private static volatile io.grpc.MethodDescriptor<dev.durable.v1.GetIdentityRequest,
      dev.durable.v1.GetIdentityResponse> getGetIdentityMethod;

  @io.grpc.stub.annotations.RpcMethod(
      fullMethodName = SERVICE_NAME + '/' + "GetIdentity",
      requestType = dev.durable.v1.GetIdentityRequest.class,
      responseType = dev.durable.v1.GetIdentityResponse.class,
      methodType = io.grpc.MethodDescriptor.MethodType.UNARY)
  public static io.grpc.MethodDescriptor<dev.durable.v1.GetIdentityRequest,
      dev.durable.v1.GetIdentityResponse> getGetIdentityMethod() {
    io.grpc.MethodDescriptor<dev.durable.v1.GetIdentityRequest, dev.durable.v1.GetIdentityResponse> getGetIdentityMethod;
    if ((getGetIdentityMethod = DurableAccessGrpc.getGetIdentityMethod) == null) {
      synchronized (DurableAccessGrpc.class) {
        if ((getGetIdentityMethod = DurableAccessGrpc.getGetIdentityMethod) == null) {
          DurableAccessGrpc.getGetIdentityMethod = getGetIdentityMethod =
              io.grpc.MethodDescriptor.<dev.durable.v1.GetIdentityRequest, dev.durable.v1.GetIdentityResponse>newBuilder()
              .setType(io.grpc.MethodDescriptor.MethodType.UNARY)
              .setFullMethodName(generateFullMethodName(SERVICE_NAME, "GetIdentity"))
              .setSampledToLocalTracing(true)
              .setRequestMarshaller(io.grpc.protobuf.ProtoUtils.marshaller(
                  dev.durable.v1.GetIdentityRequest.getDefaultInstance()))
              .setResponseMarshaller(io.grpc.protobuf.ProtoUtils.marshaller(
                  dev.durable.v1.GetIdentityResponse.getDefaultInstance()))
              .setSchemaDescriptor(new DurableAccessMethodDescriptorSupplier("GetIdentity"))
              .build();
        }
      }
    }
    return getGetIdentityMethod;
  }

  private static volatile io.grpc.MethodDescriptor<dev.durable.v1.CreateTokenRequest,
      dev.durable.v1.CreateTokenResponse> getCreateTokenMethod;

  @io.grpc.stub.annotations.RpcMethod(
      fullMethodName = SERVICE_NAME + '/' + "CreateToken",
      requestType = dev.durable.v1.CreateTokenRequest.class,
      responseType = dev.durable.v1.CreateTokenResponse.class,
      methodType = io.grpc.MethodDescriptor.MethodType.UNARY)
  public static io.grpc.MethodDescriptor<dev.durable.v1.CreateTokenRequest,
      dev.durable.v1.CreateTokenResponse> getCreateTokenMethod() {
    io.grpc.MethodDescriptor<dev.durable.v1.CreateTokenRequest, dev.durable.v1.CreateTokenResponse> getCreateTokenMethod;
    if ((getCreateTokenMethod = DurableAccessGrpc.getCreateTokenMethod) == null) {
      synchronized (DurableAccessGrpc.class) {
        if ((getCreateTokenMethod = DurableAccessGrpc.getCreateTokenMethod) == null) {
          DurableAccessGrpc.getCreateTokenMethod = getCreateTokenMethod =
              io.grpc.MethodDescriptor.<dev.durable.v1.CreateTokenRequest, dev.durable.v1.CreateTokenResponse>newBuilder()
              .setType(io.grpc.MethodDescriptor.MethodType.UNARY)
              .setFullMethodName(generateFullMethodName(SERVICE_NAME, "CreateToken"))
              .setSampledToLocalTracing(true)
              .setRequestMarshaller(io.grpc.protobuf.ProtoUtils.marshaller(
                  dev.durable.v1.CreateTokenRequest.getDefaultInstance()))
              .setResponseMarshaller(io.grpc.protobuf.ProtoUtils.marshaller(
                  dev.durable.v1.CreateTokenResponse.getDefaultInstance()))
              .setSchemaDescriptor(new DurableAccessMethodDescriptorSupplier("CreateToken"))
              .build();
        }
      }
    }
    return getCreateTokenMethod;
  }

  private static volatile io.grpc.MethodDescriptor<dev.durable.v1.ListTokensRequest,
      dev.durable.v1.ListTokensResponse> getListTokensMethod;

  @io.grpc.stub.annotations.RpcMethod(
      fullMethodName = SERVICE_NAME + '/' + "ListTokens",
      requestType = dev.durable.v1.ListTokensRequest.class,
      responseType = dev.durable.v1.ListTokensResponse.class,
      methodType = io.grpc.MethodDescriptor.MethodType.UNARY)
  public static io.grpc.MethodDescriptor<dev.durable.v1.ListTokensRequest,
      dev.durable.v1.ListTokensResponse> getListTokensMethod() {
    io.grpc.MethodDescriptor<dev.durable.v1.ListTokensRequest, dev.durable.v1.ListTokensResponse> getListTokensMethod;
    if ((getListTokensMethod = DurableAccessGrpc.getListTokensMethod) == null) {
      synchronized (DurableAccessGrpc.class) {
        if ((getListTokensMethod = DurableAccessGrpc.getListTokensMethod) == null) {
          DurableAccessGrpc.getListTokensMethod = getListTokensMethod =
              io.grpc.MethodDescriptor.<dev.durable.v1.ListTokensRequest, dev.durable.v1.ListTokensResponse>newBuilder()
              .setType(io.grpc.MethodDescriptor.MethodType.UNARY)
              .setFullMethodName(generateFullMethodName(SERVICE_NAME, "ListTokens"))
              .setSampledToLocalTracing(true)
              .setRequestMarshaller(io.grpc.protobuf.ProtoUtils.marshaller(
                  dev.durable.v1.ListTokensRequest.getDefaultInstance()))
              .setResponseMarshaller(io.grpc.protobuf.ProtoUtils.marshaller(
                  dev.durable.v1.ListTokensResponse.getDefaultInstance()))
              .setSchemaDescriptor(new DurableAccessMethodDescriptorSupplier("ListTokens"))
              .build();
        }
      }
    }
    return getListTokensMethod;
  }

  private static volatile io.grpc.MethodDescriptor<dev.durable.v1.RevokeTokenRequest,
      dev.durable.v1.RevokeTokenResponse> getRevokeTokenMethod;

  @io.grpc.stub.annotations.RpcMethod(
      fullMethodName = SERVICE_NAME + '/' + "RevokeToken",
      requestType = dev.durable.v1.RevokeTokenRequest.class,
      responseType = dev.durable.v1.RevokeTokenResponse.class,
      methodType = io.grpc.MethodDescriptor.MethodType.UNARY)
  public static io.grpc.MethodDescriptor<dev.durable.v1.RevokeTokenRequest,
      dev.durable.v1.RevokeTokenResponse> getRevokeTokenMethod() {
    io.grpc.MethodDescriptor<dev.durable.v1.RevokeTokenRequest, dev.durable.v1.RevokeTokenResponse> getRevokeTokenMethod;
    if ((getRevokeTokenMethod = DurableAccessGrpc.getRevokeTokenMethod) == null) {
      synchronized (DurableAccessGrpc.class) {
        if ((getRevokeTokenMethod = DurableAccessGrpc.getRevokeTokenMethod) == null) {
          DurableAccessGrpc.getRevokeTokenMethod = getRevokeTokenMethod =
              io.grpc.MethodDescriptor.<dev.durable.v1.RevokeTokenRequest, dev.durable.v1.RevokeTokenResponse>newBuilder()
              .setType(io.grpc.MethodDescriptor.MethodType.UNARY)
              .setFullMethodName(generateFullMethodName(SERVICE_NAME, "RevokeToken"))
              .setSampledToLocalTracing(true)
              .setRequestMarshaller(io.grpc.protobuf.ProtoUtils.marshaller(
                  dev.durable.v1.RevokeTokenRequest.getDefaultInstance()))
              .setResponseMarshaller(io.grpc.protobuf.ProtoUtils.marshaller(
                  dev.durable.v1.RevokeTokenResponse.getDefaultInstance()))
              .setSchemaDescriptor(new DurableAccessMethodDescriptorSupplier("RevokeToken"))
              .build();
        }
      }
    }
    return getRevokeTokenMethod;
  }

  private static volatile io.grpc.MethodDescriptor<dev.durable.v1.ListAuditRequest,
      dev.durable.v1.ListAuditResponse> getListAuditMethod;

  @io.grpc.stub.annotations.RpcMethod(
      fullMethodName = SERVICE_NAME + '/' + "ListAudit",
      requestType = dev.durable.v1.ListAuditRequest.class,
      responseType = dev.durable.v1.ListAuditResponse.class,
      methodType = io.grpc.MethodDescriptor.MethodType.UNARY)
  public static io.grpc.MethodDescriptor<dev.durable.v1.ListAuditRequest,
      dev.durable.v1.ListAuditResponse> getListAuditMethod() {
    io.grpc.MethodDescriptor<dev.durable.v1.ListAuditRequest, dev.durable.v1.ListAuditResponse> getListAuditMethod;
    if ((getListAuditMethod = DurableAccessGrpc.getListAuditMethod) == null) {
      synchronized (DurableAccessGrpc.class) {
        if ((getListAuditMethod = DurableAccessGrpc.getListAuditMethod) == null) {
          DurableAccessGrpc.getListAuditMethod = getListAuditMethod =
              io.grpc.MethodDescriptor.<dev.durable.v1.ListAuditRequest, dev.durable.v1.ListAuditResponse>newBuilder()
              .setType(io.grpc.MethodDescriptor.MethodType.UNARY)
              .setFullMethodName(generateFullMethodName(SERVICE_NAME, "ListAudit"))
              .setSampledToLocalTracing(true)
              .setRequestMarshaller(io.grpc.protobuf.ProtoUtils.marshaller(
                  dev.durable.v1.ListAuditRequest.getDefaultInstance()))
              .setResponseMarshaller(io.grpc.protobuf.ProtoUtils.marshaller(
                  dev.durable.v1.ListAuditResponse.getDefaultInstance()))
              .setSchemaDescriptor(new DurableAccessMethodDescriptorSupplier("ListAudit"))
              .build();
        }
      }
    }
    return getListAuditMethod;
  }

  /**
   * Creates a new async stub that supports all call types for the service
   */
  public static DurableAccessStub newStub(io.grpc.Channel channel) {
    io.grpc.stub.AbstractStub.StubFactory<DurableAccessStub> factory =
      new io.grpc.stub.AbstractStub.StubFactory<DurableAccessStub>() {
        @java.lang.Override
        public DurableAccessStub newStub(io.grpc.Channel channel, io.grpc.CallOptions callOptions) {
          return new DurableAccessStub(channel, callOptions);
        }
      };
    return DurableAccessStub.newStub(factory, channel);
  }

  /**
   * Creates a new blocking-style stub that supports all types of calls on the service
   */
  public static DurableAccessBlockingV2Stub newBlockingV2Stub(
      io.grpc.Channel channel) {
    io.grpc.stub.AbstractStub.StubFactory<DurableAccessBlockingV2Stub> factory =
      new io.grpc.stub.AbstractStub.StubFactory<DurableAccessBlockingV2Stub>() {
        @java.lang.Override
        public DurableAccessBlockingV2Stub newStub(io.grpc.Channel channel, io.grpc.CallOptions callOptions) {
          return new DurableAccessBlockingV2Stub(channel, callOptions);
        }
      };
    return DurableAccessBlockingV2Stub.newStub(factory, channel);
  }

  /**
   * Creates a new blocking-style stub that supports unary and streaming output calls on the service
   */
  public static DurableAccessBlockingStub newBlockingStub(
      io.grpc.Channel channel) {
    io.grpc.stub.AbstractStub.StubFactory<DurableAccessBlockingStub> factory =
      new io.grpc.stub.AbstractStub.StubFactory<DurableAccessBlockingStub>() {
        @java.lang.Override
        public DurableAccessBlockingStub newStub(io.grpc.Channel channel, io.grpc.CallOptions callOptions) {
          return new DurableAccessBlockingStub(channel, callOptions);
        }
      };
    return DurableAccessBlockingStub.newStub(factory, channel);
  }

  /**
   * Creates a new ListenableFuture-style stub that supports unary calls on the service
   */
  public static DurableAccessFutureStub newFutureStub(
      io.grpc.Channel channel) {
    io.grpc.stub.AbstractStub.StubFactory<DurableAccessFutureStub> factory =
      new io.grpc.stub.AbstractStub.StubFactory<DurableAccessFutureStub>() {
        @java.lang.Override
        public DurableAccessFutureStub newStub(io.grpc.Channel channel, io.grpc.CallOptions callOptions) {
          return new DurableAccessFutureStub(channel, callOptions);
        }
      };
    return DurableAccessFutureStub.newStub(factory, channel);
  }

  /**
   * <pre>
   * Administers who may do what.
   * </pre>
   */
  public interface AsyncService {

    /**
     * <pre>
     * Returns who the caller is and what it may do. Every caller with a valid credential may ask.
     * </pre>
     */
    default void getIdentity(dev.durable.v1.GetIdentityRequest request,
        io.grpc.stub.StreamObserver<dev.durable.v1.GetIdentityResponse> responseObserver) {
      io.grpc.stub.ServerCalls.asyncUnimplementedUnaryCall(getGetIdentityMethod(), responseObserver);
    }

    /**
     * <pre>
     * Makes an API token. Only this answer has its text: the control plane keeps a salted hash. Nobody can
     * give more than it has: the scopes, the handlers and the namespace must be within the caller's own.
     * A second request with the same name is ALREADY_EXISTS / TOKEN_EXISTS. Other errors: INVALID_FIELD.
     * </pre>
     */
    default void createToken(dev.durable.v1.CreateTokenRequest request,
        io.grpc.stub.StreamObserver<dev.durable.v1.CreateTokenResponse> responseObserver) {
      io.grpc.stub.ServerCalls.asyncUnimplementedUnaryCall(getCreateTokenMethod(), responseObserver);
    }

    /**
     * <pre>
     * Returns the API tokens by name, without their texts: those within the caller's namespace.
     * </pre>
     */
    default void listTokens(dev.durable.v1.ListTokensRequest request,
        io.grpc.stub.StreamObserver<dev.durable.v1.ListTokensResponse> responseObserver) {
      io.grpc.stub.ServerCalls.asyncUnimplementedUnaryCall(getListTokensMethod(), responseObserver);
    }

    /**
     * <pre>
     * Revokes an API token. All nodes refuse it within seconds, and end the streams that were opened with
     * it, also the sessions of workers. A revoked token stays in the list for 30 days. Errors:
     * TOKEN_NOT_FOUND.
     * </pre>
     */
    default void revokeToken(dev.durable.v1.RevokeTokenRequest request,
        io.grpc.stub.StreamObserver<dev.durable.v1.RevokeTokenResponse> responseObserver) {
      io.grpc.stub.ServerCalls.asyncUnimplementedUnaryCall(getRevokeTokenMethod(), responseObserver);
    }

    /**
     * <pre>
     * Returns the calls that have changed something, the newest first. A page may be short, or empty,
     * although there are more: only an empty `next_page_token` is the end. Errors: INVALID_FIELD,
     * UNIMPLEMENTED where no audit is kept that can be listed, UNAVAILABLE.
     * </pre>
     */
    default void listAudit(dev.durable.v1.ListAuditRequest request,
        io.grpc.stub.StreamObserver<dev.durable.v1.ListAuditResponse> responseObserver) {
      io.grpc.stub.ServerCalls.asyncUnimplementedUnaryCall(getListAuditMethod(), responseObserver);
    }
  }

  /**
   * Base class for the server implementation of the service DurableAccess.
   * <pre>
   * Administers who may do what.
   * </pre>
   */
  public static abstract class DurableAccessImplBase
      implements io.grpc.BindableService, AsyncService {

    @java.lang.Override public final io.grpc.ServerServiceDefinition bindService() {
      return DurableAccessGrpc.bindService(this);
    }
  }

  /**
   * A stub to allow clients to do asynchronous rpc calls to service DurableAccess.
   * <pre>
   * Administers who may do what.
   * </pre>
   */
  public static final class DurableAccessStub
      extends io.grpc.stub.AbstractAsyncStub<DurableAccessStub> {
    private DurableAccessStub(
        io.grpc.Channel channel, io.grpc.CallOptions callOptions) {
      super(channel, callOptions);
    }

    @java.lang.Override
    protected DurableAccessStub build(
        io.grpc.Channel channel, io.grpc.CallOptions callOptions) {
      return new DurableAccessStub(channel, callOptions);
    }

    /**
     * <pre>
     * Returns who the caller is and what it may do. Every caller with a valid credential may ask.
     * </pre>
     */
    public void getIdentity(dev.durable.v1.GetIdentityRequest request,
        io.grpc.stub.StreamObserver<dev.durable.v1.GetIdentityResponse> responseObserver) {
      io.grpc.stub.ClientCalls.asyncUnaryCall(
          getChannel().newCall(getGetIdentityMethod(), getCallOptions()), request, responseObserver);
    }

    /**
     * <pre>
     * Makes an API token. Only this answer has its text: the control plane keeps a salted hash. Nobody can
     * give more than it has: the scopes, the handlers and the namespace must be within the caller's own.
     * A second request with the same name is ALREADY_EXISTS / TOKEN_EXISTS. Other errors: INVALID_FIELD.
     * </pre>
     */
    public void createToken(dev.durable.v1.CreateTokenRequest request,
        io.grpc.stub.StreamObserver<dev.durable.v1.CreateTokenResponse> responseObserver) {
      io.grpc.stub.ClientCalls.asyncUnaryCall(
          getChannel().newCall(getCreateTokenMethod(), getCallOptions()), request, responseObserver);
    }

    /**
     * <pre>
     * Returns the API tokens by name, without their texts: those within the caller's namespace.
     * </pre>
     */
    public void listTokens(dev.durable.v1.ListTokensRequest request,
        io.grpc.stub.StreamObserver<dev.durable.v1.ListTokensResponse> responseObserver) {
      io.grpc.stub.ClientCalls.asyncUnaryCall(
          getChannel().newCall(getListTokensMethod(), getCallOptions()), request, responseObserver);
    }

    /**
     * <pre>
     * Revokes an API token. All nodes refuse it within seconds, and end the streams that were opened with
     * it, also the sessions of workers. A revoked token stays in the list for 30 days. Errors:
     * TOKEN_NOT_FOUND.
     * </pre>
     */
    public void revokeToken(dev.durable.v1.RevokeTokenRequest request,
        io.grpc.stub.StreamObserver<dev.durable.v1.RevokeTokenResponse> responseObserver) {
      io.grpc.stub.ClientCalls.asyncUnaryCall(
          getChannel().newCall(getRevokeTokenMethod(), getCallOptions()), request, responseObserver);
    }

    /**
     * <pre>
     * Returns the calls that have changed something, the newest first. A page may be short, or empty,
     * although there are more: only an empty `next_page_token` is the end. Errors: INVALID_FIELD,
     * UNIMPLEMENTED where no audit is kept that can be listed, UNAVAILABLE.
     * </pre>
     */
    public void listAudit(dev.durable.v1.ListAuditRequest request,
        io.grpc.stub.StreamObserver<dev.durable.v1.ListAuditResponse> responseObserver) {
      io.grpc.stub.ClientCalls.asyncUnaryCall(
          getChannel().newCall(getListAuditMethod(), getCallOptions()), request, responseObserver);
    }
  }

  /**
   * A stub to allow clients to do synchronous rpc calls to service DurableAccess.
   * <pre>
   * Administers who may do what.
   * </pre>
   */
  public static final class DurableAccessBlockingV2Stub
      extends io.grpc.stub.AbstractBlockingStub<DurableAccessBlockingV2Stub> {
    private DurableAccessBlockingV2Stub(
        io.grpc.Channel channel, io.grpc.CallOptions callOptions) {
      super(channel, callOptions);
    }

    @java.lang.Override
    protected DurableAccessBlockingV2Stub build(
        io.grpc.Channel channel, io.grpc.CallOptions callOptions) {
      return new DurableAccessBlockingV2Stub(channel, callOptions);
    }

    /**
     * <pre>
     * Returns who the caller is and what it may do. Every caller with a valid credential may ask.
     * </pre>
     */
    public dev.durable.v1.GetIdentityResponse getIdentity(dev.durable.v1.GetIdentityRequest request) throws io.grpc.StatusException {
      return io.grpc.stub.ClientCalls.blockingV2UnaryCall(
          getChannel(), getGetIdentityMethod(), getCallOptions(), request);
    }

    /**
     * <pre>
     * Makes an API token. Only this answer has its text: the control plane keeps a salted hash. Nobody can
     * give more than it has: the scopes, the handlers and the namespace must be within the caller's own.
     * A second request with the same name is ALREADY_EXISTS / TOKEN_EXISTS. Other errors: INVALID_FIELD.
     * </pre>
     */
    public dev.durable.v1.CreateTokenResponse createToken(dev.durable.v1.CreateTokenRequest request) throws io.grpc.StatusException {
      return io.grpc.stub.ClientCalls.blockingV2UnaryCall(
          getChannel(), getCreateTokenMethod(), getCallOptions(), request);
    }

    /**
     * <pre>
     * Returns the API tokens by name, without their texts: those within the caller's namespace.
     * </pre>
     */
    public dev.durable.v1.ListTokensResponse listTokens(dev.durable.v1.ListTokensRequest request) throws io.grpc.StatusException {
      return io.grpc.stub.ClientCalls.blockingV2UnaryCall(
          getChannel(), getListTokensMethod(), getCallOptions(), request);
    }

    /**
     * <pre>
     * Revokes an API token. All nodes refuse it within seconds, and end the streams that were opened with
     * it, also the sessions of workers. A revoked token stays in the list for 30 days. Errors:
     * TOKEN_NOT_FOUND.
     * </pre>
     */
    public dev.durable.v1.RevokeTokenResponse revokeToken(dev.durable.v1.RevokeTokenRequest request) throws io.grpc.StatusException {
      return io.grpc.stub.ClientCalls.blockingV2UnaryCall(
          getChannel(), getRevokeTokenMethod(), getCallOptions(), request);
    }

    /**
     * <pre>
     * Returns the calls that have changed something, the newest first. A page may be short, or empty,
     * although there are more: only an empty `next_page_token` is the end. Errors: INVALID_FIELD,
     * UNIMPLEMENTED where no audit is kept that can be listed, UNAVAILABLE.
     * </pre>
     */
    public dev.durable.v1.ListAuditResponse listAudit(dev.durable.v1.ListAuditRequest request) throws io.grpc.StatusException {
      return io.grpc.stub.ClientCalls.blockingV2UnaryCall(
          getChannel(), getListAuditMethod(), getCallOptions(), request);
    }
  }

  /**
   * A stub to allow clients to do limited synchronous rpc calls to service DurableAccess.
   * <pre>
   * Administers who may do what.
   * </pre>
   */
  public static final class DurableAccessBlockingStub
      extends io.grpc.stub.AbstractBlockingStub<DurableAccessBlockingStub> {
    private DurableAccessBlockingStub(
        io.grpc.Channel channel, io.grpc.CallOptions callOptions) {
      super(channel, callOptions);
    }

    @java.lang.Override
    protected DurableAccessBlockingStub build(
        io.grpc.Channel channel, io.grpc.CallOptions callOptions) {
      return new DurableAccessBlockingStub(channel, callOptions);
    }

    /**
     * <pre>
     * Returns who the caller is and what it may do. Every caller with a valid credential may ask.
     * </pre>
     */
    public dev.durable.v1.GetIdentityResponse getIdentity(dev.durable.v1.GetIdentityRequest request) {
      return io.grpc.stub.ClientCalls.blockingUnaryCall(
          getChannel(), getGetIdentityMethod(), getCallOptions(), request);
    }

    /**
     * <pre>
     * Makes an API token. Only this answer has its text: the control plane keeps a salted hash. Nobody can
     * give more than it has: the scopes, the handlers and the namespace must be within the caller's own.
     * A second request with the same name is ALREADY_EXISTS / TOKEN_EXISTS. Other errors: INVALID_FIELD.
     * </pre>
     */
    public dev.durable.v1.CreateTokenResponse createToken(dev.durable.v1.CreateTokenRequest request) {
      return io.grpc.stub.ClientCalls.blockingUnaryCall(
          getChannel(), getCreateTokenMethod(), getCallOptions(), request);
    }

    /**
     * <pre>
     * Returns the API tokens by name, without their texts: those within the caller's namespace.
     * </pre>
     */
    public dev.durable.v1.ListTokensResponse listTokens(dev.durable.v1.ListTokensRequest request) {
      return io.grpc.stub.ClientCalls.blockingUnaryCall(
          getChannel(), getListTokensMethod(), getCallOptions(), request);
    }

    /**
     * <pre>
     * Revokes an API token. All nodes refuse it within seconds, and end the streams that were opened with
     * it, also the sessions of workers. A revoked token stays in the list for 30 days. Errors:
     * TOKEN_NOT_FOUND.
     * </pre>
     */
    public dev.durable.v1.RevokeTokenResponse revokeToken(dev.durable.v1.RevokeTokenRequest request) {
      return io.grpc.stub.ClientCalls.blockingUnaryCall(
          getChannel(), getRevokeTokenMethod(), getCallOptions(), request);
    }

    /**
     * <pre>
     * Returns the calls that have changed something, the newest first. A page may be short, or empty,
     * although there are more: only an empty `next_page_token` is the end. Errors: INVALID_FIELD,
     * UNIMPLEMENTED where no audit is kept that can be listed, UNAVAILABLE.
     * </pre>
     */
    public dev.durable.v1.ListAuditResponse listAudit(dev.durable.v1.ListAuditRequest request) {
      return io.grpc.stub.ClientCalls.blockingUnaryCall(
          getChannel(), getListAuditMethod(), getCallOptions(), request);
    }
  }

  /**
   * A stub to allow clients to do ListenableFuture-style rpc calls to service DurableAccess.
   * <pre>
   * Administers who may do what.
   * </pre>
   */
  public static final class DurableAccessFutureStub
      extends io.grpc.stub.AbstractFutureStub<DurableAccessFutureStub> {
    private DurableAccessFutureStub(
        io.grpc.Channel channel, io.grpc.CallOptions callOptions) {
      super(channel, callOptions);
    }

    @java.lang.Override
    protected DurableAccessFutureStub build(
        io.grpc.Channel channel, io.grpc.CallOptions callOptions) {
      return new DurableAccessFutureStub(channel, callOptions);
    }

    /**
     * <pre>
     * Returns who the caller is and what it may do. Every caller with a valid credential may ask.
     * </pre>
     */
    public com.google.common.util.concurrent.ListenableFuture<dev.durable.v1.GetIdentityResponse> getIdentity(
        dev.durable.v1.GetIdentityRequest request) {
      return io.grpc.stub.ClientCalls.futureUnaryCall(
          getChannel().newCall(getGetIdentityMethod(), getCallOptions()), request);
    }

    /**
     * <pre>
     * Makes an API token. Only this answer has its text: the control plane keeps a salted hash. Nobody can
     * give more than it has: the scopes, the handlers and the namespace must be within the caller's own.
     * A second request with the same name is ALREADY_EXISTS / TOKEN_EXISTS. Other errors: INVALID_FIELD.
     * </pre>
     */
    public com.google.common.util.concurrent.ListenableFuture<dev.durable.v1.CreateTokenResponse> createToken(
        dev.durable.v1.CreateTokenRequest request) {
      return io.grpc.stub.ClientCalls.futureUnaryCall(
          getChannel().newCall(getCreateTokenMethod(), getCallOptions()), request);
    }

    /**
     * <pre>
     * Returns the API tokens by name, without their texts: those within the caller's namespace.
     * </pre>
     */
    public com.google.common.util.concurrent.ListenableFuture<dev.durable.v1.ListTokensResponse> listTokens(
        dev.durable.v1.ListTokensRequest request) {
      return io.grpc.stub.ClientCalls.futureUnaryCall(
          getChannel().newCall(getListTokensMethod(), getCallOptions()), request);
    }

    /**
     * <pre>
     * Revokes an API token. All nodes refuse it within seconds, and end the streams that were opened with
     * it, also the sessions of workers. A revoked token stays in the list for 30 days. Errors:
     * TOKEN_NOT_FOUND.
     * </pre>
     */
    public com.google.common.util.concurrent.ListenableFuture<dev.durable.v1.RevokeTokenResponse> revokeToken(
        dev.durable.v1.RevokeTokenRequest request) {
      return io.grpc.stub.ClientCalls.futureUnaryCall(
          getChannel().newCall(getRevokeTokenMethod(), getCallOptions()), request);
    }

    /**
     * <pre>
     * Returns the calls that have changed something, the newest first. A page may be short, or empty,
     * although there are more: only an empty `next_page_token` is the end. Errors: INVALID_FIELD,
     * UNIMPLEMENTED where no audit is kept that can be listed, UNAVAILABLE.
     * </pre>
     */
    public com.google.common.util.concurrent.ListenableFuture<dev.durable.v1.ListAuditResponse> listAudit(
        dev.durable.v1.ListAuditRequest request) {
      return io.grpc.stub.ClientCalls.futureUnaryCall(
          getChannel().newCall(getListAuditMethod(), getCallOptions()), request);
    }
  }

  private static final int METHODID_GET_IDENTITY = 0;
  private static final int METHODID_CREATE_TOKEN = 1;
  private static final int METHODID_LIST_TOKENS = 2;
  private static final int METHODID_REVOKE_TOKEN = 3;
  private static final int METHODID_LIST_AUDIT = 4;

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
        case METHODID_GET_IDENTITY:
          serviceImpl.getIdentity((dev.durable.v1.GetIdentityRequest) request,
              (io.grpc.stub.StreamObserver<dev.durable.v1.GetIdentityResponse>) responseObserver);
          break;
        case METHODID_CREATE_TOKEN:
          serviceImpl.createToken((dev.durable.v1.CreateTokenRequest) request,
              (io.grpc.stub.StreamObserver<dev.durable.v1.CreateTokenResponse>) responseObserver);
          break;
        case METHODID_LIST_TOKENS:
          serviceImpl.listTokens((dev.durable.v1.ListTokensRequest) request,
              (io.grpc.stub.StreamObserver<dev.durable.v1.ListTokensResponse>) responseObserver);
          break;
        case METHODID_REVOKE_TOKEN:
          serviceImpl.revokeToken((dev.durable.v1.RevokeTokenRequest) request,
              (io.grpc.stub.StreamObserver<dev.durable.v1.RevokeTokenResponse>) responseObserver);
          break;
        case METHODID_LIST_AUDIT:
          serviceImpl.listAudit((dev.durable.v1.ListAuditRequest) request,
              (io.grpc.stub.StreamObserver<dev.durable.v1.ListAuditResponse>) responseObserver);
          break;
        default:
          throw new AssertionError();
      }
    }

    @java.lang.Override
    @java.lang.SuppressWarnings("unchecked")
    public io.grpc.stub.StreamObserver<Req> invoke(
        io.grpc.stub.StreamObserver<Resp> responseObserver) {
      switch (methodId) {
        default:
          throw new AssertionError();
      }
    }
  }

  public static final io.grpc.ServerServiceDefinition bindService(AsyncService service) {
    return io.grpc.ServerServiceDefinition.builder(getServiceDescriptor())
        .addMethod(
          getGetIdentityMethod(),
          io.grpc.stub.ServerCalls.asyncUnaryCall(
            new MethodHandlers<
              dev.durable.v1.GetIdentityRequest,
              dev.durable.v1.GetIdentityResponse>(
                service, METHODID_GET_IDENTITY)))
        .addMethod(
          getCreateTokenMethod(),
          io.grpc.stub.ServerCalls.asyncUnaryCall(
            new MethodHandlers<
              dev.durable.v1.CreateTokenRequest,
              dev.durable.v1.CreateTokenResponse>(
                service, METHODID_CREATE_TOKEN)))
        .addMethod(
          getListTokensMethod(),
          io.grpc.stub.ServerCalls.asyncUnaryCall(
            new MethodHandlers<
              dev.durable.v1.ListTokensRequest,
              dev.durable.v1.ListTokensResponse>(
                service, METHODID_LIST_TOKENS)))
        .addMethod(
          getRevokeTokenMethod(),
          io.grpc.stub.ServerCalls.asyncUnaryCall(
            new MethodHandlers<
              dev.durable.v1.RevokeTokenRequest,
              dev.durable.v1.RevokeTokenResponse>(
                service, METHODID_REVOKE_TOKEN)))
        .addMethod(
          getListAuditMethod(),
          io.grpc.stub.ServerCalls.asyncUnaryCall(
            new MethodHandlers<
              dev.durable.v1.ListAuditRequest,
              dev.durable.v1.ListAuditResponse>(
                service, METHODID_LIST_AUDIT)))
        .build();
  }

  private static abstract class DurableAccessBaseDescriptorSupplier
      implements io.grpc.protobuf.ProtoFileDescriptorSupplier, io.grpc.protobuf.ProtoServiceDescriptorSupplier {
    DurableAccessBaseDescriptorSupplier() {}

    @java.lang.Override
    public com.google.protobuf.Descriptors.FileDescriptor getFileDescriptor() {
      return dev.durable.v1.AccessProto.getDescriptor();
    }

    @java.lang.Override
    public com.google.protobuf.Descriptors.ServiceDescriptor getServiceDescriptor() {
      return getFileDescriptor().findServiceByName("DurableAccess");
    }
  }

  private static final class DurableAccessFileDescriptorSupplier
      extends DurableAccessBaseDescriptorSupplier {
    DurableAccessFileDescriptorSupplier() {}
  }

  private static final class DurableAccessMethodDescriptorSupplier
      extends DurableAccessBaseDescriptorSupplier
      implements io.grpc.protobuf.ProtoMethodDescriptorSupplier {
    private final java.lang.String methodName;

    DurableAccessMethodDescriptorSupplier(java.lang.String methodName) {
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
      synchronized (DurableAccessGrpc.class) {
        result = serviceDescriptor;
        if (result == null) {
          serviceDescriptor = result = io.grpc.ServiceDescriptor.newBuilder(SERVICE_NAME)
              .setSchemaDescriptor(new DurableAccessFileDescriptorSupplier())
              .addMethod(getGetIdentityMethod())
              .addMethod(getCreateTokenMethod())
              .addMethod(getListTokensMethod())
              .addMethod(getRevokeTokenMethod())
              .addMethod(getListAuditMethod())
              .build();
        }
      }
    }
    return result;
  }
}
