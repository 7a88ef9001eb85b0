package dev.durable.v1;

import static io.grpc.MethodDescriptor.generateFullMethodName;

/**
 * <pre>
 * Starts, awaits, inspects and controls invocations.
 * </pre>
 */
@io.grpc.stub.annotations.GrpcGenerated
public final class DurableControlGrpc {

  private DurableControlGrpc() {}

  public static final java.lang.String SERVICE_NAME = "durable.v1.DurableControl";

  // Static method descriptors that strictly reflect the proto.
  private static volatile io.grpc.MethodDescriptor<dev.durable.v1.InvokeRequest,
      dev.durable.v1.InvokeResponse> getInvokeMethod;

  @io.grpc.stub.annotations.RpcMethod(
      fullMethodName = SERVICE_NAME + '/' + "Invoke",
      requestType = dev.durable.v1.InvokeRequest.class,
      responseType = dev.durable.v1.InvokeResponse.class,
      methodType = io.grpc.MethodDescriptor.MethodType.UNARY)
  public static io.grpc.MethodDescriptor<dev.durable.v1.InvokeRequest,
      dev.durable.v1.InvokeResponse> getInvokeMethod() {
    io.grpc.MethodDescriptor<dev.durable.v1.InvokeRequest, dev.durable.v1.InvokeResponse> getInvokeMethod;
    if ((getInvokeMethod = DurableControlGrpc.getInvokeMethod) == null) {
      synchronized (DurableControlGrpc.class) {
        if ((getInvokeMethod = DurableControlGrpc.getInvokeMethod) == null) {
          DurableControlGrpc.getInvokeMethod = getInvokeMethod =
              io.grpc.MethodDescriptor.<dev.durable.v1.InvokeRequest, dev.durable.v1.InvokeResponse>newBuilder()
              .setType(io.grpc.MethodDescriptor.MethodType.UNARY)
              .setFullMethodName(generateFullMethodName(SERVICE_NAME, "Invoke"))
              .setSampledToLocalTracing(true)
              .setRequestMarshaller(io.grpc.protobuf.ProtoUtils.marshaller(
                  dev.durable.v1.InvokeRequest.getDefaultInstance()))
              .setResponseMarshaller(io.grpc.protobuf.ProtoUtils.marshaller(
                  dev.durable.v1.InvokeResponse.getDefaultInstance()))
              .setSchemaDescriptor(new DurableControlMethodDescriptorSupplier("Invoke"))
              .build();
        }
      }
    }
    return getInvokeMethod;
  }

  private static volatile io.grpc.MethodDescriptor<dev.durable.v1.GetResultRequest,
      dev.durable.v1.GetResultResponse> getGetResultMethod;

  @io.grpc.stub.annotations.RpcMethod(
      fullMethodName = SERVICE_NAME + '/' + "GetResult",
      requestType = dev.durable.v1.GetResultRequest.class,
      responseType = dev.durable.v1.GetResultResponse.class,
      methodType = io.grpc.MethodDescriptor.MethodType.UNARY)
  public static io.grpc.MethodDescriptor<dev.durable.v1.GetResultRequest,
      dev.durable.v1.GetResultResponse> getGetResultMethod() {
    io.grpc.MethodDescriptor<dev.durable.v1.GetResultRequest, dev.durable.v1.GetResultResponse> getGetResultMethod;
    if ((getGetResultMethod = DurableControlGrpc.getGetResultMethod) == null) {
      synchronized (DurableControlGrpc.class) {
        if ((getGetResultMethod = DurableControlGrpc.getGetResultMethod) == null) {
          DurableControlGrpc.getGetResultMethod = getGetResultMethod =
              io.grpc.MethodDescriptor.<dev.durable.v1.GetResultRequest, dev.durable.v1.GetResultResponse>newBuilder()
              .setType(io.grpc.MethodDescriptor.MethodType.UNARY)
              .setFullMethodName(generateFullMethodName(SERVICE_NAME, "GetResult"))
              .setSampledToLocalTracing(true)
              .setRequestMarshaller(io.grpc.protobuf.ProtoUtils.marshaller(
                  dev.durable.v1.GetResultRequest.getDefaultInstance()))
              .setResponseMarshaller(io.grpc.protobuf.ProtoUtils.marshaller(
                  dev.durable.v1.GetResultResponse.getDefaultInstance()))
              .setSchemaDescriptor(new DurableControlMethodDescriptorSupplier("GetResult"))
              .build();
        }
      }
    }
    return getGetResultMethod;
  }

  private static volatile io.grpc.MethodDescriptor<dev.durable.v1.GetInvocationRequest,
      dev.durable.v1.GetInvocationResponse> getGetInvocationMethod;

  @io.grpc.stub.annotations.RpcMethod(
      fullMethodName = SERVICE_NAME + '/' + "GetInvocation",
      requestType = dev.durable.v1.GetInvocationRequest.class,
      responseType = dev.durable.v1.GetInvocationResponse.class,
      methodType = io.grpc.MethodDescriptor.MethodType.UNARY)
  public static io.grpc.MethodDescriptor<dev.durable.v1.GetInvocationRequest,
      dev.durable.v1.GetInvocationResponse> getGetInvocationMethod() {
    io.grpc.MethodDescriptor<dev.durable.v1.GetInvocationRequest, dev.durable.v1.GetInvocationResponse> getGetInvocationMethod;
    if ((getGetInvocationMethod = DurableControlGrpc.getGetInvocationMethod) == null) {
      synchronized (DurableControlGrpc.class) {
        if ((getGetInvocationMethod = DurableControlGrpc.getGetInvocationMethod) == null) {
          DurableControlGrpc.getGetInvocationMethod = getGetInvocationMethod =
              io.grpc.MethodDescriptor.<dev.durable.v1.GetInvocationRequest, dev.durable.v1.GetInvocationResponse>newBuilder()
              .setType(io.grpc.MethodDescriptor.MethodType.UNARY)
              .setFullMethodName(generateFullMethodName(SERVICE_NAME, "GetInvocation"))
              .setSampledToLocalTracing(true)
              .setRequestMarshaller(io.grpc.protobuf.ProtoUtils.marshaller(
                  dev.durable.v1.GetInvocationRequest.getDefaultInstance()))
              .setResponseMarshaller(io.grpc.protobuf.ProtoUtils.marshaller(
                  dev.durable.v1.GetInvocationResponse.getDefaultInstance()))
              .setSchemaDescriptor(new DurableControlMethodDescriptorSupplier("GetInvocation"))
              .build();
        }
      }
    }
    return getGetInvocationMethod;
  }

  private static volatile io.grpc.MethodDescriptor<dev.durable.v1.WatchInvocationRequest,
      dev.durable.v1.WatchInvocationResponse> getWatchInvocationMethod;

  @io.grpc.stub.annotations.RpcMethod(
      fullMethodName = SERVICE_NAME + '/' + "WatchInvocation",
      requestType = dev.durable.v1.WatchInvocationRequest.class,
      responseType = dev.durable.v1.WatchInvocationResponse.class,
      methodType = io.grpc.MethodDescriptor.MethodType.SERVER_STREAMING)
  public static io.grpc.MethodDescriptor<dev.durable.v1.WatchInvocationRequest,
      dev.durable.v1.WatchInvocationResponse> getWatchInvocationMethod() {
    io.grpc.MethodDescriptor<dev.durable.v1.WatchInvocationRequest, dev.durable.v1.WatchInvocationResponse> getWatchInvocationMethod;
    if ((getWatchInvocationMethod = DurableControlGrpc.getWatchInvocationMethod) == null) {
      synchronized (DurableControlGrpc.class) {
        if ((getWatchInvocationMethod = DurableControlGrpc.getWatchInvocationMethod) == null) {
          DurableControlGrpc.getWatchInvocationMethod = getWatchInvocationMethod =
              io.grpc.MethodDescriptor.<dev.durable.v1.WatchInvocationRequest, dev.durable.v1.WatchInvocationResponse>newBuilder()
              .setType(io.grpc.MethodDescriptor.MethodType.SERVER_STREAMING)
              .setFullMethodName(generateFullMethodName(SERVICE_NAME, "WatchInvocation"))
              .setSampledToLocalTracing(true)
              .setRequestMarshaller(io.grpc.protobuf.ProtoUtils.marshaller(
                  dev.durable.v1.WatchInvocationRequest.getDefaultInstance()))
              .setResponseMarshaller(io.grpc.protobuf.ProtoUtils.marshaller(
                  dev.durable.v1.WatchInvocationResponse.getDefaultInstance()))
              .setSchemaDescriptor(new DurableControlMethodDescriptorSupplier("WatchInvocation"))
              .build();
        }
      }
    }
    return getWatchInvocationMethod;
  }

  private static volatile io.grpc.MethodDescriptor<dev.durable.v1.QueryRequest,
      dev.durable.v1.QueryResponse> getQueryMethod;

  @io.grpc.stub.annotations.RpcMethod(
      fullMethodName = SERVICE_NAME + '/' + "Query",
      requestType = dev.durable.v1.QueryRequest.class,
      responseType = dev.durable.v1.QueryResponse.class,
      methodType = io.grpc.MethodDescriptor.MethodType.UNARY)
  public static io.grpc.MethodDescriptor<dev.durable.v1.QueryRequest,
      dev.durable.v1.QueryResponse> getQueryMethod() {
    io.grpc.MethodDescriptor<dev.durable.v1.QueryRequest, dev.durable.v1.QueryResponse> getQueryMethod;
    if ((getQueryMethod = DurableControlGrpc.getQueryMethod) == null) {
      synchronized (DurableControlGrpc.class) {
        if ((getQueryMethod = DurableControlGrpc.getQueryMethod) == null) {
          DurableControlGrpc.getQueryMethod = getQueryMethod =
              io.grpc.MethodDescriptor.<dev.durable.v1.QueryRequest, dev.durable.v1.QueryResponse>newBuilder()
              .setType(io.grpc.MethodDescriptor.MethodType.UNARY)
              .setFullMethodName(generateFullMethodName(SERVICE_NAME, "Query"))
              .setSampledToLocalTracing(true)
              .setRequestMarshaller(io.grpc.protobuf.ProtoUtils.marshaller(
                  dev.durable.v1.QueryRequest.getDefaultInstance()))
              .setResponseMarshaller(io.grpc.protobuf.ProtoUtils.marshaller(
                  dev.durable.v1.QueryResponse.getDefaultInstance()))
              .setSchemaDescriptor(new DurableControlMethodDescriptorSupplier("Query"))
              .build();
        }
      }
    }
    return getQueryMethod;
  }

  private static volatile io.grpc.MethodDescriptor<dev.durable.v1.GetStatsRequest,
      dev.durable.v1.GetStatsResponse> getGetStatsMethod;

  @io.grpc.stub.annotations.RpcMethod(
      fullMethodName = SERVICE_NAME + '/' + "GetStats",
      requestType = dev.durable.v1.GetStatsRequest.class,
      responseType = dev.durable.v1.GetStatsResponse.class,
      methodType = io.grpc.MethodDescriptor.MethodType.UNARY)
  public static io.grpc.MethodDescriptor<dev.durable.v1.GetStatsRequest,
      dev.durable.v1.GetStatsResponse> getGetStatsMethod() {
    io.grpc.MethodDescriptor<dev.durable.v1.GetStatsRequest, dev.durable.v1.GetStatsResponse> getGetStatsMethod;
    if ((getGetStatsMethod = DurableControlGrpc.getGetStatsMethod) == null) {
      synchronized (DurableControlGrpc.class) {
        if ((getGetStatsMethod = DurableControlGrpc.getGetStatsMethod) == null) {
          DurableControlGrpc.getGetStatsMethod = getGetStatsMethod =
              io.grpc.MethodDescriptor.<dev.durable.v1.GetStatsRequest, dev.durable.v1.GetStatsResponse>newBuilder()
              .setType(io.grpc.MethodDescriptor.MethodType.UNARY)
              .setFullMethodName(generateFullMethodName(SERVICE_NAME, "GetStats"))
              .setSampledToLocalTracing(true)
              .setRequestMarshaller(io.grpc.protobuf.ProtoUtils.marshaller(
                  dev.durable.v1.GetStatsRequest.getDefaultInstance()))
              .setResponseMarshaller(io.grpc.protobuf.ProtoUtils.marshaller(
                  dev.durable.v1.GetStatsResponse.getDefaultInstance()))
              .setSchemaDescriptor(new DurableControlMethodDescriptorSupplier("GetStats"))
              .build();
        }
      }
    }
    return getGetStatsMethod;
  }

  private static volatile io.grpc.MethodDescriptor<dev.durable.v1.ListHandlersRequest,
      dev.durable.v1.ListHandlersResponse> getListHandlersMethod;

  @io.grpc.stub.annotations.RpcMethod(
      fullMethodName = SERVICE_NAME + '/' + "ListHandlers",
      requestType = dev.durable.v1.ListHandlersRequest.class,
      responseType = dev.durable.v1.ListHandlersResponse.class,
      methodType = io.grpc.MethodDescriptor.MethodType.UNARY)
  public static io.grpc.MethodDescriptor<dev.durable.v1.ListHandlersRequest,
      dev.durable.v1.ListHandlersResponse> getListHandlersMethod() {
    io.grpc.MethodDescriptor<dev.durable.v1.ListHandlersRequest, dev.durable.v1.ListHandlersResponse> getListHandlersMethod;
    if ((getListHandlersMethod = DurableControlGrpc.getListHandlersMethod) == null) {
      synchronized (DurableControlGrpc.class) {
        if ((getListHandlersMethod = DurableControlGrpc.getListHandlersMethod) == null) {
          DurableControlGrpc.getListHandlersMethod = getListHandlersMethod =
              io.grpc.MethodDescriptor.<dev.durable.v1.ListHandlersRequest, dev.durable.v1.ListHandlersResponse>newBuilder()
              .setType(io.grpc.MethodDescriptor.MethodType.UNARY)
              .setFullMethodName(generateFullMethodName(SERVICE_NAME, "ListHandlers"))
              .setSampledToLocalTracing(true)
              .setRequestMarshaller(io.grpc.protobuf.ProtoUtils.marshaller(
                  dev.durable.v1.ListHandlersRequest.getDefaultInstance()))
              .setResponseMarshaller(io.grpc.protobuf.ProtoUtils.marshaller(
                  dev.durable.v1.ListHandlersResponse.getDefaultInstance()))
              .setSchemaDescriptor(new DurableControlMethodDescriptorSupplier("ListHandlers"))
              .build();
        }
      }
    }
    return getListHandlersMethod;
  }

  private static volatile io.grpc.MethodDescriptor<dev.durable.v1.ListWorkersRequest,
      dev.durable.v1.ListWorkersResponse> getListWorkersMethod;

  @io.grpc.stub.annotations.RpcMethod(
      fullMethodName = SERVICE_NAME + '/' + "ListWorkers",
      requestType = dev.durable.v1.ListWorkersRequest.class,
      responseType = dev.durable.v1.ListWorkersResponse.class,
      methodType = io.grpc.MethodDescriptor.MethodType.UNARY)
  public static io.grpc.MethodDescriptor<dev.durable.v1.ListWorkersRequest,
      dev.durable.v1.ListWorkersResponse> getListWorkersMethod() {
    io.grpc.MethodDescriptor<dev.durable.v1.ListWorkersRequest, dev.durable.v1.ListWorkersResponse> getListWorkersMethod;
    if ((getListWorkersMethod = DurableControlGrpc.getListWorkersMethod) == null) {
      synchronized (DurableControlGrpc.class) {
        if ((getListWorkersMethod = DurableControlGrpc.getListWorkersMethod) == null) {
          DurableControlGrpc.getListWorkersMethod = getListWorkersMethod =
              io.grpc.MethodDescriptor.<dev.durable.v1.ListWorkersRequest, dev.durable.v1.ListWorkersResponse>newBuilder()
              .setType(io.grpc.MethodDescriptor.MethodType.UNARY)
              .setFullMethodName(generateFullMethodName(SERVICE_NAME, "ListWorkers"))
              .setSampledToLocalTracing(true)
              .setRequestMarshaller(io.grpc.protobuf.ProtoUtils.marshaller(
                  dev.durable.v1.ListWorkersRequest.getDefaultInstance()))
              .setResponseMarshaller(io.grpc.protobuf.ProtoUtils.marshaller(
                  dev.durable.v1.ListWorkersResponse.getDefaultInstance()))
              .setSchemaDescriptor(new DurableControlMethodDescriptorSupplier("ListWorkers"))
              .build();
        }
      }
    }
    return getListWorkersMethod;
  }

  private static volatile io.grpc.MethodDescriptor<dev.durable.v1.ListDeploymentsRequest,
      dev.durable.v1.ListDeploymentsResponse> getListDeploymentsMethod;

  @io.grpc.stub.annotations.RpcMethod(
      fullMethodName = SERVICE_NAME + '/' + "ListDeployments",
      requestType = dev.durable.v1.ListDeploymentsRequest.class,
      responseType = dev.durable.v1.ListDeploymentsResponse.class,
      methodType = io.grpc.MethodDescriptor.MethodType.UNARY)
  public static io.grpc.MethodDescriptor<dev.durable.v1.ListDeploymentsRequest,
      dev.durable.v1.ListDeploymentsResponse> getListDeploymentsMethod() {
    io.grpc.MethodDescriptor<dev.durable.v1.ListDeploymentsRequest, dev.durable.v1.ListDeploymentsResponse> getListDeploymentsMethod;
    if ((getListDeploymentsMethod = DurableControlGrpc.getListDeploymentsMethod) == null) {
      synchronized (DurableControlGrpc.class) {
        if ((getListDeploymentsMethod = DurableControlGrpc.getListDeploymentsMethod) == null) {
          DurableControlGrpc.getListDeploymentsMethod = getListDeploymentsMethod =
              io.grpc.MethodDescriptor.<dev.durable.v1.ListDeploymentsRequest, dev.durable.v1.ListDeploymentsResponse>newBuilder()
              .setType(io.grpc.MethodDescriptor.MethodType.UNARY)
              .setFullMethodName(generateFullMethodName(SERVICE_NAME, "ListDeployments"))
              .setSampledToLocalTracing(true)
              .setRequestMarshaller(io.grpc.protobuf.ProtoUtils.marshaller(
                  dev.durable.v1.ListDeploymentsRequest.getDefaultInstance()))
              .setResponseMarshaller(io.grpc.protobuf.ProtoUtils.marshaller(
                  dev.durable.v1.ListDeploymentsResponse.getDefaultInstance()))
              .setSchemaDescriptor(new DurableControlMethodDescriptorSupplier("ListDeployments"))
              .build();
        }
      }
    }
    return getListDeploymentsMethod;
  }

  private static volatile io.grpc.MethodDescriptor<dev.durable.v1.PromoteBuildRequest,
      dev.durable.v1.PromoteBuildResponse> getPromoteBuildMethod;

  @io.grpc.stub.annotations.RpcMethod(
      fullMethodName = SERVICE_NAME + '/' + "PromoteBuild",
      requestType = dev.durable.v1.PromoteBuildRequest.class,
      responseType = dev.durable.v1.PromoteBuildResponse.class,
      methodType = io.grpc.MethodDescriptor.MethodType.UNARY)
  public static io.grpc.MethodDescriptor<dev.durable.v1.PromoteBuildRequest,
      dev.durable.v1.PromoteBuildResponse> getPromoteBuildMethod() {
    io.grpc.MethodDescriptor<dev.durable.v1.PromoteBuildRequest, dev.durable.v1.PromoteBuildResponse> getPromoteBuildMethod;
    if ((getPromoteBuildMethod = DurableControlGrpc.getPromoteBuildMethod) == null) {
      synchronized (DurableControlGrpc.class) {
        if ((getPromoteBuildMethod = DurableControlGrpc.getPromoteBuildMethod) == null) {
          DurableControlGrpc.getPromoteBuildMethod = getPromoteBuildMethod =
              io.grpc.MethodDescriptor.<dev.durable.v1.PromoteBuildRequest, dev.durable.v1.PromoteBuildResponse>newBuilder()
              .setType(io.grpc.MethodDescriptor.MethodType.UNARY)
              .setFullMethodName(generateFullMethodName(SERVICE_NAME, "PromoteBuild"))
              .setSampledToLocalTracing(true)
              .setRequestMarshaller(io.grpc.protobuf.ProtoUtils.marshaller(
                  dev.durable.v1.PromoteBuildRequest.getDefaultInstance()))
              .setResponseMarshaller(io.grpc.protobuf.ProtoUtils.marshaller(
                  dev.durable.v1.PromoteBuildResponse.getDefaultInstance()))
              .setSchemaDescriptor(new DurableControlMethodDescriptorSupplier("PromoteBuild"))
              .build();
        }
      }
    }
    return getPromoteBuildMethod;
  }

  private static volatile io.grpc.MethodDescriptor<dev.durable.v1.RollBackBuildRequest,
      dev.durable.v1.RollBackBuildResponse> getRollBackBuildMethod;

  @io.grpc.stub.annotations.RpcMethod(
      fullMethodName = SERVICE_NAME + '/' + "RollBackBuild",
      requestType = dev.durable.v1.RollBackBuildRequest.class,
      responseType = dev.durable.v1.RollBackBuildResponse.class,
      methodType = io.grpc.MethodDescriptor.MethodType.UNARY)
  public static io.grpc.MethodDescriptor<dev.durable.v1.RollBackBuildRequest,
      dev.durable.v1.RollBackBuildResponse> getRollBackBuildMethod() {
    io.grpc.MethodDescriptor<dev.durable.v1.RollBackBuildRequest, dev.durable.v1.RollBackBuildResponse> getRollBackBuildMethod;
    if ((getRollBackBuildMethod = DurableControlGrpc.getRollBackBuildMethod) == null) {
      synchronized (DurableControlGrpc.class) {
        if ((getRollBackBuildMethod = DurableControlGrpc.getRollBackBuildMethod) == null) {
          DurableControlGrpc.getRollBackBuildMethod = getRollBackBuildMethod =
              io.grpc.MethodDescriptor.<dev.durable.v1.RollBackBuildRequest, dev.durable.v1.RollBackBuildResponse>newBuilder()
              .setType(io.grpc.MethodDescriptor.MethodType.UNARY)
              .setFullMethodName(generateFullMethodName(SERVICE_NAME, "RollBackBuild"))
              .setSampledToLocalTracing(true)
              .setRequestMarshaller(io.grpc.protobuf.ProtoUtils.marshaller(
                  dev.durable.v1.RollBackBuildRequest.getDefaultInstance()))
              .setResponseMarshaller(io.grpc.protobuf.ProtoUtils.marshaller(
                  dev.durable.v1.RollBackBuildResponse.getDefaultInstance()))
              .setSchemaDescriptor(new DurableControlMethodDescriptorSupplier("RollBackBuild"))
              .build();
        }
      }
    }
    return getRollBackBuildMethod;
  }

  private static volatile io.grpc.MethodDescriptor<dev.durable.v1.DrainBuildRequest,
      dev.durable.v1.DrainBuildResponse> getDrainBuildMethod;

  @io.grpc.stub.annotations.RpcMethod(
      fullMethodName = SERVICE_NAME + '/' + "DrainBuild",
      requestType = dev.durable.v1.DrainBuildRequest.class,
      responseType = dev.durable.v1.DrainBuildResponse.class,
      methodType = io.grpc.MethodDescriptor.MethodType.UNARY)
  public static io.grpc.MethodDescriptor<dev.durable.v1.DrainBuildRequest,
      dev.durable.v1.DrainBuildResponse> getDrainBuildMethod() {
    io.grpc.MethodDescriptor<dev.durable.v1.DrainBuildRequest, dev.durable.v1.DrainBuildResponse> getDrainBuildMethod;
    if ((getDrainBuildMethod = DurableControlGrpc.getDrainBuildMethod) == null) {
      synchronized (DurableControlGrpc.class) {
        if ((getDrainBuildMethod = DurableControlGrpc.getDrainBuildMethod) == null) {
          DurableControlGrpc.getDrainBuildMethod = getDrainBuildMethod =
              io.grpc.MethodDescriptor.<dev.durable.v1.DrainBuildRequest, dev.durable.v1.DrainBuildResponse>newBuilder()
              .setType(io.grpc.MethodDescriptor.MethodType.UNARY)
              .setFullMethodName(generateFullMethodName(SERVICE_NAME, "DrainBuild"))
              .setSampledToLocalTracing(true)
              .setRequestMarshaller(io.grpc.protobuf.ProtoUtils.marshaller(
                  dev.durable.v1.DrainBuildRequest.getDefaultInstance()))
              .setResponseMarshaller(io.grpc.protobuf.ProtoUtils.marshaller(
                  dev.durable.v1.DrainBuildResponse.getDefaultInstance()))
              .setSchemaDescriptor(new DurableControlMethodDescriptorSupplier("DrainBuild"))
              .build();
        }
      }
    }
    return getDrainBuildMethod;
  }

  private static volatile io.grpc.MethodDescriptor<dev.durable.v1.ListPatchesRequest,
      dev.durable.v1.ListPatchesResponse> getListPatchesMethod;

  @io.grpc.stub.annotations.RpcMethod(
      fullMethodName = SERVICE_NAME + '/' + "ListPatches",
      requestType = dev.durable.v1.ListPatchesRequest.class,
      responseType = dev.durable.v1.ListPatchesResponse.class,
      methodType = io.grpc.MethodDescriptor.MethodType.UNARY)
  public static io.grpc.MethodDescriptor<dev.durable.v1.ListPatchesRequest,
      dev.durable.v1.ListPatchesResponse> getListPatchesMethod() {
    io.grpc.MethodDescriptor<dev.durable.v1.ListPatchesRequest, dev.durable.v1.ListPatchesResponse> getListPatchesMethod;
    if ((getListPatchesMethod = DurableControlGrpc.getListPatchesMethod) == null) {
      synchronized (DurableControlGrpc.class) {
        if ((getListPatchesMethod = DurableControlGrpc.getListPatchesMethod) == null) {
          DurableControlGrpc.getListPatchesMethod = getListPatchesMethod =
              io.grpc.MethodDescriptor.<dev.durable.v1.ListPatchesRequest, dev.durable.v1.ListPatchesResponse>newBuilder()
              .setType(io.grpc.MethodDescriptor.MethodType.UNARY)
              .setFullMethodName(generateFullMethodName(SERVICE_NAME, "ListPatches"))
              .setSampledToLocalTracing(true)
              .setRequestMarshaller(io.grpc.protobuf.ProtoUtils.marshaller(
                  dev.durable.v1.ListPatchesRequest.getDefaultInstance()))
              .setResponseMarshaller(io.grpc.protobuf.ProtoUtils.marshaller(
                  dev.durable.v1.ListPatchesResponse.getDefaultInstance()))
              .setSchemaDescriptor(new DurableControlMethodDescriptorSupplier("ListPatches"))
              .build();
        }
      }
    }
    return getListPatchesMethod;
  }

  private static volatile io.grpc.MethodDescriptor<dev.durable.v1.PauseRequest,
      dev.durable.v1.PauseResponse> getPauseMethod;

  @io.grpc.stub.annotations.RpcMethod(
      fullMethodName = SERVICE_NAME + '/' + "Pause",
      requestType = dev.durable.v1.PauseRequest.class,
      responseType = dev.durable.v1.PauseResponse.class,
      methodType = io.grpc.MethodDescriptor.MethodType.UNARY)
  public static io.grpc.MethodDescriptor<dev.durable.v1.PauseRequest,
      dev.durable.v1.PauseResponse> getPauseMethod() {
    io.grpc.MethodDescriptor<dev.durable.v1.PauseRequest, dev.durable.v1.PauseResponse> getPauseMethod;
    if ((getPauseMethod = DurableControlGrpc.getPauseMethod) == null) {
      synchronized (DurableControlGrpc.class) {
        if ((getPauseMethod = DurableControlGrpc.getPauseMethod) == null) {
          DurableControlGrpc.getPauseMethod = getPauseMethod =
              io.grpc.MethodDescriptor.<dev.durable.v1.PauseRequest, dev.durable.v1.PauseResponse>newBuilder()
              .setType(io.grpc.MethodDescriptor.MethodType.UNARY)
              .setFullMethodName(generateFullMethodName(SERVICE_NAME, "Pause"))
              .setSampledToLocalTracing(true)
              .setRequestMarshaller(io.grpc.protobuf.ProtoUtils.marshaller(
                  dev.durable.v1.PauseRequest.getDefaultInstance()))
              .setResponseMarshaller(io.grpc.protobuf.ProtoUtils.marshaller(
                  dev.durable.v1.PauseResponse.getDefaultInstance()))
              .setSchemaDescriptor(new DurableControlMethodDescriptorSupplier("Pause"))
              .build();
        }
      }
    }
    return getPauseMethod;
  }

  private static volatile io.grpc.MethodDescriptor<dev.durable.v1.ResumeRequest,
      dev.durable.v1.ResumeResponse> getResumeMethod;

  @io.grpc.stub.annotations.RpcMethod(
      fullMethodName = SERVICE_NAME + '/' + "Resume",
      requestType = dev.durable.v1.ResumeRequest.class,
      responseType = dev.durable.v1.ResumeResponse.class,
      methodType = io.grpc.MethodDescriptor.MethodType.UNARY)
  public static io.grpc.MethodDescriptor<dev.durable.v1.ResumeRequest,
      dev.durable.v1.ResumeResponse> getResumeMethod() {
    io.grpc.MethodDescriptor<dev.durable.v1.ResumeRequest, dev.durable.v1.ResumeResponse> getResumeMethod;
    if ((getResumeMethod = DurableControlGrpc.getResumeMethod) == null) {
      synchronized (DurableControlGrpc.class) {
        if ((getResumeMethod = DurableControlGrpc.getResumeMethod) == null) {
          DurableControlGrpc.getResumeMethod = getResumeMethod =
              io.grpc.MethodDescriptor.<dev.durable.v1.ResumeRequest, dev.durable.v1.ResumeResponse>newBuilder()
              .setType(io.grpc.MethodDescriptor.MethodType.UNARY)
              .setFullMethodName(generateFullMethodName(SERVICE_NAME, "Resume"))
              .setSampledToLocalTracing(true)
              .setRequestMarshaller(io.grpc.protobuf.ProtoUtils.marshaller(
                  dev.durable.v1.ResumeRequest.getDefaultInstance()))
              .setResponseMarshaller(io.grpc.protobuf.ProtoUtils.marshaller(
                  dev.durable.v1.ResumeResponse.getDefaultInstance()))
              .setSchemaDescriptor(new DurableControlMethodDescriptorSupplier("Resume"))
              .build();
        }
      }
    }
    return getResumeMethod;
  }

  private static volatile io.grpc.MethodDescriptor<dev.durable.v1.CancelRequest,
      dev.durable.v1.CancelResponse> getCancelMethod;

  @io.grpc.stub.annotations.RpcMethod(
      fullMethodName = SERVICE_NAME + '/' + "Cancel",
      requestType = dev.durable.v1.CancelRequest.class,
      responseType = dev.durable.v1.CancelResponse.class,
      methodType = io.grpc.MethodDescriptor.MethodType.UNARY)
  public static io.grpc.MethodDescriptor<dev.durable.v1.CancelRequest,
      dev.durable.v1.CancelResponse> getCancelMethod() {
    io.grpc.MethodDescriptor<dev.durable.v1.CancelRequest, dev.durable.v1.CancelResponse> getCancelMethod;
    if ((getCancelMethod = DurableControlGrpc.getCancelMethod) == null) {
      synchronized (DurableControlGrpc.class) {
        if ((getCancelMethod = DurableControlGrpc.getCancelMethod) == null) {
          DurableControlGrpc.getCancelMethod = getCancelMethod =
              io.grpc.MethodDescriptor.<dev.durable.v1.CancelRequest, dev.durable.v1.CancelResponse>newBuilder()
              .setType(io.grpc.MethodDescriptor.MethodType.UNARY)
              .setFullMethodName(generateFullMethodName(SERVICE_NAME, "Cancel"))
              .setSampledToLocalTracing(true)
              .setRequestMarshaller(io.grpc.protobuf.ProtoUtils.marshaller(
                  dev.durable.v1.CancelRequest.getDefaultInstance()))
              .setResponseMarshaller(io.grpc.protobuf.ProtoUtils.marshaller(
                  dev.durable.v1.CancelResponse.getDefaultInstance()))
              .setSchemaDescriptor(new DurableControlMethodDescriptorSupplier("Cancel"))
              .build();
        }
      }
    }
    return getCancelMethod;
  }

  private static volatile io.grpc.MethodDescriptor<dev.durable.v1.RestartRequest,
      dev.durable.v1.RestartResponse> getRestartMethod;

  @io.grpc.stub.annotations.RpcMethod(
      fullMethodName = SERVICE_NAME + '/' + "Restart",
      requestType = dev.durable.v1.RestartRequest.class,
      responseType = dev.durable.v1.RestartResponse.class,
      methodType = io.grpc.MethodDescriptor.MethodType.UNARY)
  public static io.grpc.MethodDescriptor<dev.durable.v1.RestartRequest,
      dev.durable.v1.RestartResponse> getRestartMethod() {
    io.grpc.MethodDescriptor<dev.durable.v1.RestartRequest, dev.durable.v1.RestartResponse> getRestartMethod;
    if ((getRestartMethod = DurableControlGrpc.getRestartMethod) == null) {
      synchronized (DurableControlGrpc.class) {
        if ((getRestartMethod = DurableControlGrpc.getRestartMethod) == null) {
          DurableControlGrpc.getRestartMethod = getRestartMethod =
              io.grpc.MethodDescriptor.<dev.durable.v1.RestartRequest, dev.durable.v1.RestartResponse>newBuilder()
              .setType(io.grpc.MethodDescriptor.MethodType.UNARY)
              .setFullMethodName(generateFullMethodName(SERVICE_NAME, "Restart"))
              .setSampledToLocalTracing(true)
              .setRequestMarshaller(io.grpc.protobuf.ProtoUtils.marshaller(
                  dev.durable.v1.RestartRequest.getDefaultInstance()))
              .setResponseMarshaller(io.grpc.protobuf.ProtoUtils.marshaller(
                  dev.durable.v1.RestartResponse.getDefaultInstance()))
              .setSchemaDescriptor(new DurableControlMethodDescriptorSupplier("Restart"))
              .build();
        }
      }
    }
    return getRestartMethod;
  }

  private static volatile io.grpc.MethodDescriptor<dev.durable.v1.RepinRequest,
      dev.durable.v1.RepinResponse> getRepinMethod;

  @io.grpc.stub.annotations.RpcMethod(
      fullMethodName = SERVICE_NAME + '/' + "Repin",
      requestType = dev.durable.v1.RepinRequest.class,
      responseType = dev.durable.v1.RepinResponse.class,
      methodType = io.grpc.MethodDescriptor.MethodType.UNARY)
  public static io.grpc.MethodDescriptor<dev.durable.v1.RepinRequest,
      dev.durable.v1.RepinResponse> getRepinMethod() {
    io.grpc.MethodDescriptor<dev.durable.v1.RepinRequest, dev.durable.v1.RepinResponse> getRepinMethod;
    if ((getRepinMethod = DurableControlGrpc.getRepinMethod) == null) {
      synchronized (DurableControlGrpc.class) {
        if ((getRepinMethod = DurableControlGrpc.getRepinMethod) == null) {
          DurableControlGrpc.getRepinMethod = getRepinMethod =
              io.grpc.MethodDescriptor.<dev.durable.v1.RepinRequest, dev.durable.v1.RepinResponse>newBuilder()
              .setType(io.grpc.MethodDescriptor.MethodType.UNARY)
              .setFullMethodName(generateFullMethodName(SERVICE_NAME, "Repin"))
              .setSampledToLocalTracing(true)
              .setRequestMarshaller(io.grpc.protobuf.ProtoUtils.marshaller(
                  dev.durable.v1.RepinRequest.getDefaultInstance()))
              .setResponseMarshaller(io.grpc.protobuf.ProtoUtils.marshaller(
                  dev.durable.v1.RepinResponse.getDefaultInstance()))
              .setSchemaDescriptor(new DurableControlMethodDescriptorSupplier("Repin"))
              .build();
        }
      }
    }
    return getRepinMethod;
  }

  private static volatile io.grpc.MethodDescriptor<dev.durable.v1.ExportInvocationRequest,
      dev.durable.v1.ExportInvocationResponse> getExportInvocationMethod;

  @io.grpc.stub.annotations.RpcMethod(
      fullMethodName = SERVICE_NAME + '/' + "ExportInvocation",
      requestType = dev.durable.v1.ExportInvocationRequest.class,
      responseType = dev.durable.v1.ExportInvocationResponse.class,
      methodType = io.grpc.MethodDescriptor.MethodType.UNARY)
  public static io.grpc.MethodDescriptor<dev.durable.v1.ExportInvocationRequest,
      dev.durable.v1.ExportInvocationResponse> getExportInvocationMethod() {
    io.grpc.MethodDescriptor<dev.durable.v1.ExportInvocationRequest, dev.durable.v1.ExportInvocationResponse> getExportInvocationMethod;
    if ((getExportInvocationMethod = DurableControlGrpc.getExportInvocationMethod) == null) {
      synchronized (DurableControlGrpc.class) {
        if ((getExportInvocationMethod = DurableControlGrpc.getExportInvocationMethod) == null) {
          DurableControlGrpc.getExportInvocationMethod = getExportInvocationMethod =
              io.grpc.MethodDescriptor.<dev.durable.v1.ExportInvocationRequest, dev.durable.v1.ExportInvocationResponse>newBuilder()
              .setType(io.grpc.MethodDescriptor.MethodType.UNARY)
              .setFullMethodName(generateFullMethodName(SERVICE_NAME, "ExportInvocation"))
              .setSampledToLocalTracing(true)
              .setRequestMarshaller(io.grpc.protobuf.ProtoUtils.marshaller(
                  dev.durable.v1.ExportInvocationRequest.getDefaultInstance()))
              .setResponseMarshaller(io.grpc.protobuf.ProtoUtils.marshaller(
                  dev.durable.v1.ExportInvocationResponse.getDefaultInstance()))
              .setSchemaDescriptor(new DurableControlMethodDescriptorSupplier("ExportInvocation"))
              .build();
        }
      }
    }
    return getExportInvocationMethod;
  }

  private static volatile io.grpc.MethodDescriptor<dev.durable.v1.SignalRequest,
      dev.durable.v1.SignalResponse> getSignalMethod;

  @io.grpc.stub.annotations.RpcMethod(
      fullMethodName = SERVICE_NAME + '/' + "Signal",
      requestType = dev.durable.v1.SignalRequest.class,
      responseType = dev.durable.v1.SignalResponse.class,
      methodType = io.grpc.MethodDescriptor.MethodType.UNARY)
  public static io.grpc.MethodDescriptor<dev.durable.v1.SignalRequest,
      dev.durable.v1.SignalResponse> getSignalMethod() {
    io.grpc.MethodDescriptor<dev.durable.v1.SignalRequest, dev.durable.v1.SignalResponse> getSignalMethod;
    if ((getSignalMethod = DurableControlGrpc.getSignalMethod) == null) {
      synchronized (DurableControlGrpc.class) {
        if ((getSignalMethod = DurableControlGrpc.getSignalMethod) == null) {
          DurableControlGrpc.getSignalMethod = getSignalMethod =
              io.grpc.MethodDescriptor.<dev.durable.v1.SignalRequest, dev.durable.v1.SignalResponse>newBuilder()
              .setType(io.grpc.MethodDescriptor.MethodType.UNARY)
              .setFullMethodName(generateFullMethodName(SERVICE_NAME, "Signal"))
              .setSampledToLocalTracing(true)
              .setRequestMarshaller(io.grpc.protobuf.ProtoUtils.marshaller(
                  dev.durable.v1.SignalRequest.getDefaultInstance()))
              .setResponseMarshaller(io.grpc.protobuf.ProtoUtils.marshaller(
                  dev.durable.v1.SignalResponse.getDefaultInstance()))
              .setSchemaDescriptor(new DurableControlMethodDescriptorSupplier("Signal"))
              .build();
        }
      }
    }
    return getSignalMethod;
  }

  private static volatile io.grpc.MethodDescriptor<dev.durable.v1.PurgeRequest,
      dev.durable.v1.PurgeResponse> getPurgeMethod;

  @io.grpc.stub.annotations.RpcMethod(
      fullMethodName = SERVICE_NAME + '/' + "Purge",
      requestType = dev.durable.v1.PurgeRequest.class,
      responseType = dev.durable.v1.PurgeResponse.class,
      methodType = io.grpc.MethodDescriptor.MethodType.UNARY)
  public static io.grpc.MethodDescriptor<dev.durable.v1.PurgeRequest,
      dev.durable.v1.PurgeResponse> getPurgeMethod() {
    io.grpc.MethodDescriptor<dev.durable.v1.PurgeRequest, dev.durable.v1.PurgeResponse> getPurgeMethod;
    if ((getPurgeMethod = DurableControlGrpc.getPurgeMethod) == null) {
      synchronized (DurableControlGrpc.class) {
        if ((getPurgeMethod = DurableControlGrpc.getPurgeMethod) == null) {
          DurableControlGrpc.getPurgeMethod = getPurgeMethod =
              io.grpc.MethodDescriptor.<dev.durable.v1.PurgeRequest, dev.durable.v1.PurgeResponse>newBuilder()
              .setType(io.grpc.MethodDescriptor.MethodType.UNARY)
              .setFullMethodName(generateFullMethodName(SERVICE_NAME, "Purge"))
              .setSampledToLocalTracing(true)
              .setRequestMarshaller(io.grpc.protobuf.ProtoUtils.marshaller(
                  dev.durable.v1.PurgeRequest.getDefaultInstance()))
              .setResponseMarshaller(io.grpc.protobuf.ProtoUtils.marshaller(
                  dev.durable.v1.PurgeResponse.getDefaultInstance()))
              .setSchemaDescriptor(new DurableControlMethodDescriptorSupplier("Purge"))
              .build();
        }
      }
    }
    return getPurgeMethod;
  }

  private static volatile io.grpc.MethodDescriptor<dev.durable.v1.ResolveAwakeableRequest,
      dev.durable.v1.ResolveAwakeableResponse> getResolveAwakeableMethod;

  @io.grpc.stub.annotations.RpcMethod(
      fullMethodName = SERVICE_NAME + '/' + "ResolveAwakeable",
      requestType = dev.durable.v1.ResolveAwakeableRequest.class,
      responseType = dev.durable.v1.ResolveAwakeableResponse.class,
      methodType = io.grpc.MethodDescriptor.MethodType.UNARY)
  public static io.grpc.MethodDescriptor<dev.durable.v1.ResolveAwakeableRequest,
      dev.durable.v1.ResolveAwakeableResponse> getResolveAwakeableMethod() {
    io.grpc.MethodDescriptor<dev.durable.v1.ResolveAwakeableRequest, dev.durable.v1.ResolveAwakeableResponse> getResolveAwakeableMethod;
    if ((getResolveAwakeableMethod = DurableControlGrpc.getResolveAwakeableMethod) == null) {
      synchronized (DurableControlGrpc.class) {
        if ((getResolveAwakeableMethod = DurableControlGrpc.getResolveAwakeableMethod) == null) {
          DurableControlGrpc.getResolveAwakeableMethod = getResolveAwakeableMethod =
              io.grpc.MethodDescriptor.<dev.durable.v1.ResolveAwakeableRequest, dev.durable.v1.ResolveAwakeableResponse>newBuilder()
              .setType(io.grpc.MethodDescriptor.MethodType.UNARY)
              .setFullMethodName(generateFullMethodName(SERVICE_NAME, "ResolveAwakeable"))
              .setSampledToLocalTracing(true)
              .setRequestMarshaller(io.grpc.protobuf.ProtoUtils.marshaller(
                  dev.durable.v1.ResolveAwakeableRequest.getDefaultInstance()))
              .setResponseMarshaller(io.grpc.protobuf.ProtoUtils.marshaller(
                  dev.durable.v1.ResolveAwakeableResponse.getDefaultInstance()))
              .setSchemaDescriptor(new DurableControlMethodDescriptorSupplier("ResolveAwakeable"))
              .build();
        }
      }
    }
    return getResolveAwakeableMethod;
  }

  private static volatile io.grpc.MethodDescriptor<dev.durable.v1.CreateWebhookRequest,
      dev.durable.v1.CreateWebhookResponse> getCreateWebhookMethod;

  @io.grpc.stub.annotations.RpcMethod(
      fullMethodName = SERVICE_NAME + '/' + "CreateWebhook",
      requestType = dev.durable.v1.CreateWebhookRequest.class,
      responseType = dev.durable.v1.CreateWebhookResponse.class,
      methodType = io.grpc.MethodDescriptor.MethodType.UNARY)
  public static io.grpc.MethodDescriptor<dev.durable.v1.CreateWebhookRequest,
      dev.durable.v1.CreateWebhookResponse> getCreateWebhookMethod() {
    io.grpc.MethodDescriptor<dev.durable.v1.CreateWebhookRequest, dev.durable.v1.CreateWebhookResponse> getCreateWebhookMethod;
    if ((getCreateWebhookMethod = DurableControlGrpc.getCreateWebhookMethod) == null) {
      synchronized (DurableControlGrpc.class) {
        if ((getCreateWebhookMethod = DurableControlGrpc.getCreateWebhookMethod) == null) {
          DurableControlGrpc.getCreateWebhookMethod = getCreateWebhookMethod =
              io.grpc.MethodDescriptor.<dev.durable.v1.CreateWebhookRequest, dev.durable.v1.CreateWebhookResponse>newBuilder()
              .setType(io.grpc.MethodDescriptor.MethodType.UNARY)
              .setFullMethodName(generateFullMethodName(SERVICE_NAME, "CreateWebhook"))
              .setSampledToLocalTracing(true)
              .setRequestMarshaller(io.grpc.protobuf.ProtoUtils.marshaller(
                  dev.durable.v1.CreateWebhookRequest.getDefaultInstance()))
              .setResponseMarshaller(io.grpc.protobuf.ProtoUtils.marshaller(
                  dev.durable.v1.CreateWebhookResponse.getDefaultInstance()))
              .setSchemaDescriptor(new DurableControlMethodDescriptorSupplier("CreateWebhook"))
              .build();
        }
      }
    }
    return getCreateWebhookMethod;
  }

  private static volatile io.grpc.MethodDescriptor<dev.durable.v1.RevokeWebhookRequest,
      dev.durable.v1.RevokeWebhookResponse> getRevokeWebhookMethod;

  @io.grpc.stub.annotations.RpcMethod(
      fullMethodName = SERVICE_NAME + '/' + "RevokeWebhook",
      requestType = dev.durable.v1.RevokeWebhookRequest.class,
      responseType = dev.durable.v1.RevokeWebhookResponse.class,
      methodType = io.grpc.MethodDescriptor.MethodType.UNARY)
  public static io.grpc.MethodDescriptor<dev.durable.v1.RevokeWebhookRequest,
      dev.durable.v1.RevokeWebhookResponse> getRevokeWebhookMethod() {
    io.grpc.MethodDescriptor<dev.durable.v1.RevokeWebhookRequest, dev.durable.v1.RevokeWebhookResponse> getRevokeWebhookMethod;
    if ((getRevokeWebhookMethod = DurableControlGrpc.getRevokeWebhookMethod) == null) {
      synchronized (DurableControlGrpc.class) {
        if ((getRevokeWebhookMethod = DurableControlGrpc.getRevokeWebhookMethod) == null) {
          DurableControlGrpc.getRevokeWebhookMethod = getRevokeWebhookMethod =
              io.grpc.MethodDescriptor.<dev.durable.v1.RevokeWebhookRequest, dev.durable.v1.RevokeWebhookResponse>newBuilder()
              .setType(io.grpc.MethodDescriptor.MethodType.UNARY)
              .setFullMethodName(generateFullMethodName(SERVICE_NAME, "RevokeWebhook"))
              .setSampledToLocalTracing(true)
              .setRequestMarshaller(io.grpc.protobuf.ProtoUtils.marshaller(
                  dev.durable.v1.RevokeWebhookRequest.getDefaultInstance()))
              .setResponseMarshaller(io.grpc.protobuf.ProtoUtils.marshaller(
                  dev.durable.v1.RevokeWebhookResponse.getDefaultInstance()))
              .setSchemaDescriptor(new DurableControlMethodDescriptorSupplier("RevokeWebhook"))
              .build();
        }
      }
    }
    return getRevokeWebhookMethod;
  }

  private static volatile io.grpc.MethodDescriptor<dev.durable.v1.GetStateRequest,
      dev.durable.v1.GetStateResponse> getGetStateMethod;

  @io.grpc.stub.annotations.RpcMethod(
      fullMethodName = SERVICE_NAME + '/' + "GetState",
      requestType = dev.durable.v1.GetStateRequest.class,
      responseType = dev.durable.v1.GetStateResponse.class,
      methodType = io.grpc.MethodDescriptor.MethodType.UNARY)
  public static io.grpc.MethodDescriptor<dev.durable.v1.GetStateRequest,
      dev.durable.v1.GetStateResponse> getGetStateMethod() {
    io.grpc.MethodDescriptor<dev.durable.v1.GetStateRequest, dev.durable.v1.GetStateResponse> getGetStateMethod;
    if ((getGetStateMethod = DurableControlGrpc.getGetStateMethod) == null) {
      synchronized (DurableControlGrpc.class) {
        if ((getGetStateMethod = DurableControlGrpc.getGetStateMethod) == null) {
          DurableControlGrpc.getGetStateMethod = getGetStateMethod =
              io.grpc.MethodDescriptor.<dev.durable.v1.GetStateRequest, dev.durable.v1.GetStateResponse>newBuilder()
              .setType(io.grpc.MethodDescriptor.MethodType.UNARY)
              .setFullMethodName(generateFullMethodName(SERVICE_NAME, "GetState"))
              .setSampledToLocalTracing(true)
              .setRequestMarshaller(io.grpc.protobuf.ProtoUtils.marshaller(
                  dev.durable.v1.GetStateRequest.getDefaultInstance()))
              .setResponseMarshaller(io.grpc.protobuf.ProtoUtils.marshaller(
                  dev.durable.v1.GetStateResponse.getDefaultInstance()))
              .setSchemaDescriptor(new DurableControlMethodDescriptorSupplier("GetState"))
              .build();
        }
      }
    }
    return getGetStateMethod;
  }

  private static volatile io.grpc.MethodDescriptor<dev.durable.v1.SetStateRequest,
      dev.durable.v1.SetStateResponse> getSetStateMethod;

  @io.grpc.stub.annotations.RpcMethod(
      fullMethodName = SERVICE_NAME + '/' + "SetState",
      requestType = dev.durable.v1.SetStateRequest.class,
      responseType = dev.durable.v1.SetStateResponse.class,
      methodType = io.grpc.MethodDescriptor.MethodType.UNARY)
  public static io.grpc.MethodDescriptor<dev.durable.v1.SetStateRequest,
      dev.durable.v1.SetStateResponse> getSetStateMethod() {
    io.grpc.MethodDescriptor<dev.durable.v1.SetStateRequest, dev.durable.v1.SetStateResponse> getSetStateMethod;
    if ((getSetStateMethod = DurableControlGrpc.getSetStateMethod) == null) {
      synchronized (DurableControlGrpc.class) {
        if ((getSetStateMethod = DurableControlGrpc.getSetStateMethod) == null) {
          DurableControlGrpc.getSetStateMethod = getSetStateMethod =
              io.grpc.MethodDescriptor.<dev.durable.v1.SetStateRequest, dev.durable.v1.SetStateResponse>newBuilder()
              .setType(io.grpc.MethodDescriptor.MethodType.UNARY)
              .setFullMethodName(generateFullMethodName(SERVICE_NAME, "SetState"))
              .setSampledToLocalTracing(true)
              .setRequestMarshaller(io.grpc.protobuf.ProtoUtils.marshaller(
                  dev.durable.v1.SetStateRequest.getDefaultInstance()))
              .setResponseMarshaller(io.grpc.protobuf.ProtoUtils.marshaller(
                  dev.durable.v1.SetStateResponse.getDefaultInstance()))
              .setSchemaDescriptor(new DurableControlMethodDescriptorSupplier("SetState"))
              .build();
        }
      }
    }
    return getSetStateMethod;
  }

  private static volatile io.grpc.MethodDescriptor<dev.durable.v1.GetServerInfoRequest,
      dev.durable.v1.GetServerInfoResponse> getGetServerInfoMethod;

  @io.grpc.stub.annotations.RpcMethod(
      fullMethodName = SERVICE_NAME + '/' + "GetServerInfo",
      requestType = dev.durable.v1.GetServerInfoRequest.class,
      responseType = dev.durable.v1.GetServerInfoResponse.class,
      methodType = io.grpc.MethodDescriptor.MethodType.UNARY)
  public static io.grpc.MethodDescriptor<dev.durable.v1.GetServerInfoRequest,
      dev.durable.v1.GetServerInfoResponse> getGetServerInfoMethod() {
    io.grpc.MethodDescriptor<dev.durable.v1.GetServerInfoRequest, dev.durable.v1.GetServerInfoResponse> getGetServerInfoMethod;
    if ((getGetServerInfoMethod = DurableControlGrpc.getGetServerInfoMethod) == null) {
      synchronized (DurableControlGrpc.class) {
        if ((getGetServerInfoMethod = DurableControlGrpc.getGetServerInfoMethod) == null) {
          DurableControlGrpc.getGetServerInfoMethod = getGetServerInfoMethod =
              io.grpc.MethodDescriptor.<dev.durable.v1.GetServerInfoRequest, dev.durable.v1.GetServerInfoResponse>newBuilder()
              .setType(io.grpc.MethodDescriptor.MethodType.UNARY)
              .setFullMethodName(generateFullMethodName(SERVICE_NAME, "GetServerInfo"))
              .setSampledToLocalTracing(true)
              .setRequestMarshaller(io.grpc.protobuf.ProtoUtils.marshaller(
                  dev.durable.v1.GetServerInfoRequest.getDefaultInstance()))
              .setResponseMarshaller(io.grpc.protobuf.ProtoUtils.marshaller(
                  dev.durable.v1.GetServerInfoResponse.getDefaultInstance()))
              .setSchemaDescriptor(new DurableControlMethodDescriptorSupplier("GetServerInfo"))
              .build();
        }
      }
    }
    return getGetServerInfoMethod;
  }

  private static volatile io.grpc.MethodDescriptor<dev.durable.v1.GetClusterRequest,
      dev.durable.v1.GetClusterResponse> getGetClusterMethod;

  @io.grpc.stub.annotations.RpcMethod(
      fullMethodName = SERVICE_NAME + '/' + "GetCluster",
      requestType = dev.durable.v1.GetClusterRequest.class,
      responseType = dev.durable.v1.GetClusterResponse.class,
      methodType = io.grpc.MethodDescriptor.MethodType.UNARY)
  public static io.grpc.MethodDescriptor<dev.durable.v1.GetClusterRequest,
      dev.durable.v1.GetClusterResponse> getGetClusterMethod() {
    io.grpc.MethodDescriptor<dev.durable.v1.GetClusterRequest, dev.durable.v1.GetClusterResponse> getGetClusterMethod;
    if ((getGetClusterMethod = DurableControlGrpc.getGetClusterMethod) == null) {
      synchronized (DurableControlGrpc.class) {
        if ((getGetClusterMethod = DurableControlGrpc.getGetClusterMethod) == null) {
          DurableControlGrpc.getGetClusterMethod = getGetClusterMethod =
              io.grpc.MethodDescriptor.<dev.durable.v1.GetClusterRequest, dev.durable.v1.GetClusterResponse>newBuilder()
              .setType(io.grpc.MethodDescriptor.MethodType.UNARY)
              .setFullMethodName(generateFullMethodName(SERVICE_NAME, "GetCluster"))
              .setSampledToLocalTracing(true)
              .setRequestMarshaller(io.grpc.protobuf.ProtoUtils.marshaller(
                  dev.durable.v1.GetClusterRequest.getDefaultInstance()))
              .setResponseMarshaller(io.grpc.protobuf.ProtoUtils.marshaller(
                  dev.durable.v1.GetClusterResponse.getDefaultInstance()))
              .setSchemaDescriptor(new DurableControlMethodDescriptorSupplier("GetCluster"))
              .build();
        }
      }
    }
    return getGetClusterMethod;
  }

  private static volatile io.grpc.MethodDescriptor<dev.durable.v1.DrainNodeRequest,
      dev.durable.v1.DrainNodeResponse> getDrainNodeMethod;

  @io.grpc.stub.annotations.RpcMethod(
      fullMethodName = SERVICE_NAME + '/' + "DrainNode",
      requestType = dev.durable.v1.DrainNodeRequest.class,
      responseType = dev.durable.v1.DrainNodeResponse.class,
      methodType = io.grpc.MethodDescriptor.MethodType.UNARY)
  public static io.grpc.MethodDescriptor<dev.durable.v1.DrainNodeRequest,
      dev.durable.v1.DrainNodeResponse> getDrainNodeMethod() {
    io.grpc.MethodDescriptor<dev.durable.v1.DrainNodeRequest, dev.durable.v1.DrainNodeResponse> getDrainNodeMethod;
    if ((getDrainNodeMethod = DurableControlGrpc.getDrainNodeMethod) == null) {
      synchronized (DurableControlGrpc.class) {
        if ((getDrainNodeMethod = DurableControlGrpc.getDrainNodeMethod) == null) {
          DurableControlGrpc.getDrainNodeMethod = getDrainNodeMethod =
              io.grpc.MethodDescriptor.<dev.durable.v1.DrainNodeRequest, dev.durable.v1.DrainNodeResponse>newBuilder()
              .setType(io.grpc.MethodDescriptor.MethodType.UNARY)
              .setFullMethodName(generateFullMethodName(SERVICE_NAME, "DrainNode"))
              .setSampledToLocalTracing(true)
              .setRequestMarshaller(io.grpc.protobuf.ProtoUtils.marshaller(
                  dev.durable.v1.DrainNodeRequest.getDefaultInstance()))
              .setResponseMarshaller(io.grpc.protobuf.ProtoUtils.marshaller(
                  dev.durable.v1.DrainNodeResponse.getDefaultInstance()))
              .setSchemaDescriptor(new DurableControlMethodDescriptorSupplier("DrainNode"))
              .build();
        }
      }
    }
    return getDrainNodeMethod;
  }

  /**
   * Creates a new async stub that supports all call types for the service
   */
  public static DurableControlStub newStub(io.grpc.Channel channel) {
    io.grpc.stub.AbstractStub.StubFactory<DurableControlStub> factory =
      new io.grpc.stub.AbstractStub.StubFactory<DurableControlStub>() {
        @java.lang.Override
        public DurableControlStub newStub(io.grpc.Channel channel, io.grpc.CallOptions callOptions) {
          return new DurableControlStub(channel, callOptions);
        }
      };
    return DurableControlStub.newStub(factory, channel);
  }

  /**
   * Creates a new blocking-style stub that supports all types of calls on the service
   */
  public static DurableControlBlockingV2Stub newBlockingV2Stub(
      io.grpc.Channel channel) {
    io.grpc.stub.AbstractStub.StubFactory<DurableControlBlockingV2Stub> factory =
      new io.grpc.stub.AbstractStub.StubFactory<DurableControlBlockingV2Stub>() {
        @java.lang.Override
        public DurableControlBlockingV2Stub newStub(io.grpc.Channel channel, io.grpc.CallOptions callOptions) {
          return new DurableControlBlockingV2Stub(channel, callOptions);
        }
      };
    return DurableControlBlockingV2Stub.newStub(factory, channel);
  }

  /**
   * Creates a new blocking-style stub that supports unary and streaming output calls on the service
   */
  public static DurableControlBlockingStub newBlockingStub(
      io.grpc.Channel channel) {
    io.grpc.stub.AbstractStub.StubFactory<DurableControlBlockingStub> factory =
      new io.grpc.stub.AbstractStub.StubFactory<DurableControlBlockingStub>() {
        @java.lang.Override
        public DurableControlBlockingStub newStub(io.grpc.Channel channel, io.grpc.CallOptions callOptions) {
          return new DurableControlBlockingStub(channel, callOptions);
        }
      };
    return DurableControlBlockingStub.newStub(factory, channel);
  }

  /**
   * Creates a new ListenableFuture-style stub that supports unary calls on the service
   */
  public static DurableControlFutureStub newFutureStub(
      io.grpc.Channel channel) {
    io.grpc.stub.AbstractStub.StubFactory<DurableControlFutureStub> factory =
      new io.grpc.stub.AbstractStub.StubFactory<DurableControlFutureStub>() {
        @java.lang.Override
        public DurableControlFutureStub newStub(io.grpc.Channel channel, io.grpc.CallOptions callOptions) {
          return new DurableControlFutureStub(channel, callOptions);
        }
      };
    return DurableControlFutureStub.newStub(factory, channel);
  }

  /**
   * <pre>
   * Starts, awaits, inspects and controls invocations.
   * </pre>
   */
  public interface AsyncService {

    /**
     * <pre>
     * Starts an invocation of a handler and, if `wait_timeout` is set, waits that long for its end.
     * The server answers after the invocation is in the log: from then on it survives any crash. If no
     * worker of the handler is connected, the invocation is accepted and waits; a handler that no
     * worker has ever registered is NOT_FOUND / HANDLER_NOT_FOUND. A failed invocation is not an RPC
     * error: see `outcome`. Other errors: INVALID_FIELD, PAYLOAD_TOO_LARGE, IDEMPOTENCY_MISMATCH,
     * LIMIT_REACHED, UNAVAILABLE.
     * </pre>
     */
    default void invoke(dev.durable.v1.InvokeRequest request,
        io.grpc.stub.StreamObserver<dev.durable.v1.InvokeResponse> responseObserver) {
      io.grpc.stub.ServerCalls.asyncUnimplementedUnaryCall(getInvokeMethod(), responseObserver);
    }

    /**
     * <pre>
     * Returns the outcome of an invocation, and waits for it up to `wait_timeout`.
     * The server answers as soon as the invocation is finished or paused (a paused one does not go on
     * by itself), or when the time is up: then `state` is not final and `outcome` is absent, and the
     * client calls again. Errors: INVOCATION_NOT_FOUND, INVALID_FIELD.
     * </pre>
     */
    default void getResult(dev.durable.v1.GetResultRequest request,
        io.grpc.stub.StreamObserver<dev.durable.v1.GetResultResponse> responseObserver) {
      io.grpc.stub.ServerCalls.asyncUnimplementedUnaryCall(getGetResultMethod(), responseObserver);
    }

    /**
     * <pre>
     * Returns one invocation. Errors: INVOCATION_NOT_FOUND.
     * </pre>
     */
    default void getInvocation(dev.durable.v1.GetInvocationRequest request,
        io.grpc.stub.StreamObserver<dev.durable.v1.GetInvocationResponse> responseObserver) {
      io.grpc.stub.ServerCalls.asyncUnimplementedUnaryCall(getGetInvocationMethod(), responseObserver);
    }

    /**
     * <pre>
     * Streams an invocation as it changes: first as it is now, then after each batch of changes, until
     * it is in a final state; then the stream ends. Journal entries of one batch may come in several
     * messages, so that each message stays small. The last message is therefore marked by the end of
     * the stream, not by the first final state. There is no HTTP mapping because a unary JSON answer
     * cannot express a stream; the HTTP shim offers server-sent events. Errors: INVOCATION_NOT_FOUND.
     * </pre>
     */
    default void watchInvocation(dev.durable.v1.WatchInvocationRequest request,
        io.grpc.stub.StreamObserver<dev.durable.v1.WatchInvocationResponse> responseObserver) {
      io.grpc.stub.ServerCalls.asyncUnimplementedUnaryCall(getWatchInvocationMethod(), responseObserver);
    }

    /**
     * <pre>
     * Lists invocations that match a filter, newest first. Errors: INVALID_FIELD.
     * </pre>
     */
    default void query(dev.durable.v1.QueryRequest request,
        io.grpc.stub.StreamObserver<dev.durable.v1.QueryResponse> responseObserver) {
      io.grpc.stub.ServerCalls.asyncUnimplementedUnaryCall(getQueryMethod(), responseObserver);
    }

    /**
     * <pre>
     * Counts invocations by state and by handler.
     * </pre>
     */
    default void getStats(dev.durable.v1.GetStatsRequest request,
        io.grpc.stub.StreamObserver<dev.durable.v1.GetStatsResponse> responseObserver) {
      io.grpc.stub.ServerCalls.asyncUnimplementedUnaryCall(getGetStatsMethod(), responseObserver);
    }

    /**
     * <pre>
     * Lists the handlers that workers have registered, by name.
     * </pre>
     */
    default void listHandlers(dev.durable.v1.ListHandlersRequest request,
        io.grpc.stub.StreamObserver<dev.durable.v1.ListHandlersResponse> responseObserver) {
      io.grpc.stub.ServerCalls.asyncUnimplementedUnaryCall(getListHandlersMethod(), responseObserver);
    }

    /**
     * <pre>
     * Lists the workers that are connected now.
     * </pre>
     */
    default void listWorkers(dev.durable.v1.ListWorkersRequest request,
        io.grpc.stub.StreamObserver<dev.durable.v1.ListWorkersResponse> responseObserver) {
      io.grpc.stub.ServerCalls.asyncUnimplementedUnaryCall(getListWorkersMethod(), responseObserver);
    }

    /**
     * <pre>
     * Lists the builds of code that workers have registered, the latest first, and which build is current
     * for each handler.
     * </pre>
     */
    default void listDeployments(dev.durable.v1.ListDeploymentsRequest request,
        io.grpc.stub.StreamObserver<dev.durable.v1.ListDeploymentsResponse> responseObserver) {
      io.grpc.stub.ServerCalls.asyncUnimplementedUnaryCall(getListDeploymentsMethod(), responseObserver);
    }

    /**
     * <pre>
     * Makes a build the current one for its handlers: new invocations go to its workers, and so does the
     * next attempt of an invocation without a journal. With `percent` it gets that share of them, and the
     * build that was current before gets the rest. A build that drains does not any more. The change is in
     * the log when the answer comes. Errors: BUILD_NOT_FOUND, INVALID_FIELD.
     * Before the first promotion of a handler, its new invocations go to any worker or, if the handler is
     * pinned, to the build that was registered last among those whose workers are connected; `automatic`
     * returns to that.
     * </pre>
     */
    default void promoteBuild(dev.durable.v1.PromoteBuildRequest request,
        io.grpc.stub.StreamObserver<dev.durable.v1.PromoteBuildResponse> responseObserver) {
      io.grpc.stub.ServerCalls.asyncUnimplementedUnaryCall(getPromoteBuildMethod(), responseObserver);
    }

    /**
     * <pre>
     * Takes the last promotion of a build back: the build that was current before is current again, for
     * each handler of which this one is current or is being ramped up. Errors: BUILD_NOT_FOUND,
     * NOTHING_TO_ROLL_BACK.
     * </pre>
     */
    default void rollBackBuild(dev.durable.v1.RollBackBuildRequest request,
        io.grpc.stub.StreamObserver<dev.durable.v1.RollBackBuildResponse> responseObserver) {
      io.grpc.stub.ServerCalls.asyncUnimplementedUnaryCall(getRollBackBuildMethod(), responseObserver);
    }

    /**
     * <pre>
     * Gives a build no new invocations, so that its workers can be stopped once `drained` is true in the
     * answer of ListDeployments. Errors: BUILD_NOT_FOUND, BUILD_IN_USE while it is the current one of a
     * handler.
     * </pre>
     */
    default void drainBuild(dev.durable.v1.DrainBuildRequest request,
        io.grpc.stub.StreamObserver<dev.durable.v1.DrainBuildResponse> responseObserver) {
      io.grpc.stub.ServerCalls.asyncUnimplementedUnaryCall(getDrainBuildMethod(), responseObserver);
    }

    /**
     * <pre>
     * Lists the patches in the journals of invocations that have not ended, and how many of those need
     * the code with the change, and how many may need the code without it.
     * </pre>
     */
    default void listPatches(dev.durable.v1.ListPatchesRequest request,
        io.grpc.stub.StreamObserver<dev.durable.v1.ListPatchesResponse> responseObserver) {
      io.grpc.stub.ServerCalls.asyncUnimplementedUnaryCall(getListPatchesMethod(), responseObserver);
    }

    /**
     * <pre>
     * Pauses an invocation at its next journal boundary. Allowed in every state that is not final;
     * pausing a paused one gets the same answer as the first request. Results of steps in flight are
     * still journaled and nothing new is dispatched. Completions that come in the meantime (timers,
     * awakeables, signals, children) are kept and delivered after the resume. An invocation that waits
     * for an object key keeps its place in the queue; one that holds the key keeps it. Errors:
     * INVOCATION_NOT_FOUND, INVALID_STATE.
     * </pre>
     */
    default void pause(dev.durable.v1.PauseRequest request,
        io.grpc.stub.StreamObserver<dev.durable.v1.PauseResponse> responseObserver) {
      io.grpc.stub.ServerCalls.asyncUnimplementedUnaryCall(getPauseMethod(), responseObserver);
    }

    /**
     * <pre>
     * Continues a paused invocation from its journal, with the same id and a fresh retry policy. A
     * pause that was requested and has not taken effect is withdrawn. An invocation that waits for its
     * next attempt (BACKING_OFF) begins it now; its failed attempts still count. Errors:
     * INVOCATION_NOT_FOUND, INVALID_STATE when it is neither.
     * </pre>
     */
    default void resume(dev.durable.v1.ResumeRequest request,
        io.grpc.stub.StreamObserver<dev.durable.v1.ResumeResponse> responseObserver) {
      io.grpc.stub.ServerCalls.asyncUnimplementedUnaryCall(getResumeMethod(), responseObserver);
    }

    /**
     * <pre>
     * Cancels an invocation. The handler sees the request as an exception at its next await and may
     * run compensations, which are durable like everything else; then the state is CANCELLED. A
     * handler that catches the exception and returns a value has COMPLETED. An invocation that has not
     * started, or any with `force`, is CANCELLED at once without running the handler; children that it
     * awaits are then cancelled too. A paused one is resumed so that it sees the request. A repeated
     * request gets the same answer. Errors: INVOCATION_NOT_FOUND, INVALID_STATE when it has completed
     * or failed.
     * </pre>
     */
    default void cancel(dev.durable.v1.CancelRequest request,
        io.grpc.stub.StreamObserver<dev.durable.v1.CancelResponse> responseObserver) {
      io.grpc.stub.ServerCalls.asyncUnimplementedUnaryCall(getCancelMethod(), responseObserver);
    }

    /**
     * <pre>
     * Starts a new invocation with the input of an old one, optionally with the beginning of its
     * journal: completed entries before `from_index` are copied and not executed again, with other
     * outcomes where `outcomes` has them. The old one stays as it is. Errors: INVOCATION_NOT_FOUND,
     * INVALID_FIELD, PAYLOAD_TOO_LARGE, INVALID_STATE when the old one is not finished or paused and
     * `while_running` is not set.
     * </pre>
     */
    default void restart(dev.durable.v1.RestartRequest request,
        io.grpc.stub.StreamObserver<dev.durable.v1.RestartResponse> responseObserver) {
      io.grpc.stub.ServerCalls.asyncUnimplementedUnaryCall(getRestartMethod(), responseObserver);
    }

    /**
     * <pre>
     * Moves an invocation to another build. It is pinned to that build from then on, whatever its handler
     * says; with an empty `build_id` to none, so any worker of the handler goes on with it. An attempt that
     * runs ends where it runs. Replay the journal with the new code first: see ExportInvocation. Errors:
     * INVOCATION_NOT_FOUND, BUILD_NOT_FOUND, INVALID_STATE when it has ended.
     * </pre>
     */
    default void repin(dev.durable.v1.RepinRequest request,
        io.grpc.stub.StreamObserver<dev.durable.v1.RepinResponse> responseObserver) {
      io.grpc.stub.ServerCalls.asyncUnimplementedUnaryCall(getRepinMethod(), responseObserver);
    }

    /**
     * <pre>
     * Returns an invocation with everything that a worker would get to go on with it, so that it can be
     * replayed elsewhere without effects. Errors: INVOCATION_NOT_FOUND.
     * </pre>
     */
    default void exportInvocation(dev.durable.v1.ExportInvocationRequest request,
        io.grpc.stub.StreamObserver<dev.durable.v1.ExportInvocationResponse> responseObserver) {
      io.grpc.stub.ServerCalls.asyncUnimplementedUnaryCall(getExportInvocationMethod(), responseObserver);
    }

    /**
     * <pre>
     * Delivers a named signal to an invocation. Signals of one name are buffered in the order of their
     * arrival until the handler awaits them. Errors: INVOCATION_NOT_FOUND, INVALID_STATE when it is
     * finished, PAYLOAD_TOO_LARGE, LIMIT_REACHED (`signals`).
     * </pre>
     */
    default void signal(dev.durable.v1.SignalRequest request,
        io.grpc.stub.StreamObserver<dev.durable.v1.SignalResponse> responseObserver) {
      io.grpc.stub.ServerCalls.asyncUnimplementedUnaryCall(getSignalMethod(), responseObserver);
    }

    /**
     * <pre>
     * Removes a finished invocation before its retention ends. Errors: INVOCATION_NOT_FOUND,
     * INVALID_STATE when it is not finished.
     * </pre>
     */
    default void purge(dev.durable.v1.PurgeRequest request,
        io.grpc.stub.StreamObserver<dev.durable.v1.PurgeResponse> responseObserver) {
      io.grpc.stub.ServerCalls.asyncUnimplementedUnaryCall(getPurgeMethod(), responseObserver);
    }

    /**
     * <pre>
     * Resolves or rejects an awakeable. The first outcome wins. The same outcome again gets the same
     * answer; a different one is ALREADY_EXISTS / AWAKEABLE_ALREADY_RESOLVED. The outcome may come
     * before the handler requests the awakeable: if the id begins with an invocation's id, that
     * invocation must exist, else the error is AWAKEABLE_NOT_FOUND; the outcome for an id of the
     * user's own choice is kept for a day. After the end of the invocation it is recorded without
     * effect. Errors: AWAKEABLE_NOT_FOUND, PAYLOAD_TOO_LARGE, LIMIT_REACHED (`early_awakeables`).
     * </pre>
     */
    default void resolveAwakeable(dev.durable.v1.ResolveAwakeableRequest request,
        io.grpc.stub.StreamObserver<dev.durable.v1.ResolveAwakeableResponse> responseObserver) {
      io.grpc.stub.ServerCalls.asyncUnimplementedUnaryCall(getResolveAwakeableMethod(), responseObserver);
    }

    /**
     * <pre>
     * Returns a URL that resolves one awakeable, for senders that can only POST to a URL.
     * The URL is the only credential, and permits nothing else. The body of a POST becomes the
     * awakeable's value: JSON as it is, another content type as a payload of that type. The first POST
     * counts; a repeated one gets the same answer. With a `scheme` the sender must have signed the
     * body, as Stripe and GitHub do. The server does not look the awakeable up, so a URL may be made
     * before the handler requests it. Nothing is recorded; each request makes another URL, which
     * RevokeWebhook can revoke. Errors: INVALID_FIELD, HTTP_NOT_SERVED, UNAVAILABLE.
     * </pre>
     */
    default void createWebhook(dev.durable.v1.CreateWebhookRequest request,
        io.grpc.stub.StreamObserver<dev.durable.v1.CreateWebhookResponse> responseObserver) {
      io.grpc.stub.ServerCalls.asyncUnimplementedUnaryCall(getCreateWebhookMethod(), responseObserver);
    }

    /**
     * <pre>
     * Revokes a webhook, or all webhooks of an awakeable. From then on the control plane answers at the
     * URL, on every node, as if it had never been made. Other ways to resolve the awakeable stay. The
     * revocation is in the log when the answer comes, and is kept for as long as the awakeable; to
     * revoke again changes nothing. An id of the user's own choice may be revoked before an invocation
     * requests it. Errors: INVALID_FIELD, AWAKEABLE_NOT_FOUND when the awakeable's invocation has ended
     * or is unknown, LIMIT_REACHED (`revoked_webhooks`, `early_awakeables`).
     * </pre>
     */
    default void revokeWebhook(dev.durable.v1.RevokeWebhookRequest request,
        io.grpc.stub.StreamObserver<dev.durable.v1.RevokeWebhookResponse> responseObserver) {
      io.grpc.stub.ServerCalls.asyncUnimplementedUnaryCall(getRevokeWebhookMethod(), responseObserver);
    }

    /**
     * <pre>
     * Returns the state of an object's key, or of a workflow's invocation. Empty if it has none.
     * Errors: INVALID_FIELD, INVOCATION_NOT_FOUND.
     * </pre>
     */
    default void getState(dev.durable.v1.GetStateRequest request,
        io.grpc.stub.StreamObserver<dev.durable.v1.GetStateResponse> responseObserver) {
      io.grpc.stub.ServerCalls.asyncUnimplementedUnaryCall(getGetStateMethod(), responseObserver);
    }

    /**
     * <pre>
     * Changes the state of an object's key between two invocations: while an exclusive handler holds
     * the key, the error is INVALID_STATE. Errors: INVALID_FIELD, PAYLOAD_TOO_LARGE, INVALID_STATE.
     * </pre>
     */
    default void setState(dev.durable.v1.SetStateRequest request,
        io.grpc.stub.StreamObserver<dev.durable.v1.SetStateResponse> responseObserver) {
      io.grpc.stub.ServerCalls.asyncUnimplementedUnaryCall(getSetStateMethod(), responseObserver);
    }

    /**
     * <pre>
     * Returns the version, the limits and the capabilities of this control plane.
     * </pre>
     */
    default void getServerInfo(dev.durable.v1.GetServerInfoRequest request,
        io.grpc.stub.StreamObserver<dev.durable.v1.GetServerInfoResponse> responseObserver) {
      io.grpc.stub.ServerCalls.asyncUnimplementedUnaryCall(getGetServerInfoMethod(), responseObserver);
    }

    /**
     * <pre>
     * Returns the nodes of the system and its partitions, each with its leader and its followers, as the
     * node that answers knows them. A control plane that is no cluster is one node, which leads all
     * partitions. Positions are those of the nodes' last renewals, about a second old.
     * </pre>
     */
    default void getCluster(dev.durable.v1.GetClusterRequest request,
        io.grpc.stub.StreamObserver<dev.durable.v1.GetClusterResponse> responseObserver) {
      io.grpc.stub.ServerCalls.asyncUnimplementedUnaryCall(getGetClusterMethod(), responseObserver);
    }

    /**
     * <pre>
     * Makes a node give its partitions to the other nodes and take none, until that is undone or the node
     * starts anew. It goes on serving clients and workers, whose requests it passes on. Any node takes the
     * request.
     * The partitions leave a few at a time. With `wait_timeout` the answer comes when the next ones have left, or
     * the time is up, so a client repeats the request until `led_partitions` is empty. A second request
     * changes nothing more. Errors: NODE_NOT_FOUND, NO_OTHER_NODE, INVALID_FIELD, UNAVAILABLE if the node
     * cannot be reached.
     * </pre>
     */
    default void drainNode(dev.durable.v1.DrainNodeRequest request,
        io.grpc.stub.StreamObserver<dev.durable.v1.DrainNodeResponse> responseObserver) {
      io.grpc.stub.ServerCalls.asyncUnimplementedUnaryCall(getDrainNodeMethod(), responseObserver);
    }
  }

  /**
   * Base class for the server implementation of the service DurableControl.
   * <pre>
   * Starts, awaits, inspects and controls invocations.
   * </pre>
   */
  public static abstract class DurableControlImplBase
      implements io.grpc.BindableService, AsyncService {

    @java.lang.Override public final io.grpc.ServerServiceDefinition bindService() {
      return DurableControlGrpc.bindService(this);
    }
  }

  /**
   * A stub to allow clients to do asynchronous rpc calls to service DurableControl.
   * <pre>
   * Starts, awaits, inspects and controls invocations.
   * </pre>
   */
  public static final class DurableControlStub
      extends io.grpc.stub.AbstractAsyncStub<DurableControlStub> {
    private DurableControlStub(
        io.grpc.Channel channel, io.grpc.CallOptions callOptions) {
      super(channel, callOptions);
    }

    @java.lang.Override
    protected DurableControlStub build(
        io.grpc.Channel channel, io.grpc.CallOptions callOptions) {
      return new DurableControlStub(channel, callOptions);
    }

    /**
     * <pre>
     * Starts an invocation of a handler and, if `wait_timeout` is set, waits that long for its end.
     * The server answers after the invocation is in the log: from then on it survives any crash. If no
     * worker of the handler is connected, the invocation is accepted and waits; a handler that no
     * worker has ever registered is NOT_FOUND / HANDLER_NOT_FOUND. A failed invocation is not an RPC
     * error: see `outcome`. Other errors: INVALID_FIELD, PAYLOAD_TOO_LARGE, IDEMPOTENCY_MISMATCH,
     * LIMIT_REACHED, UNAVAILABLE.
     * </pre>
     */
    public void invoke(dev.durable.v1.InvokeRequest request,
        io.grpc.stub.StreamObserver<dev.durable.v1.InvokeResponse> responseObserver) {
      io.grpc.stub.ClientCalls.asyncUnaryCall(
          getChannel().newCall(getInvokeMethod(), getCallOptions()), request, responseObserver);
    }

    /**
     * <pre>
     * Returns the outcome of an invocation, and waits for it up to `wait_timeout`.
     * The server answers as soon as the invocation is finished or paused (a paused one does not go on
     * by itself), or when the time is up: then `state` is not final and `outcome` is absent, and the
     * client calls again. Errors: INVOCATION_NOT_FOUND, INVALID_FIELD.
     * </pre>
     */
    public void getResult(dev.durable.v1.GetResultRequest request,
        io.grpc.stub.StreamObserver<dev.durable.v1.GetResultResponse> responseObserver) {
      io.grpc.stub.ClientCalls.asyncUnaryCall(
          getChannel().newCall(getGetResultMethod(), getCallOptions()), request, responseObserver);
    }

    /**
     * <pre>
     * Returns one invocation. Errors: INVOCATION_NOT_FOUND.
     * </pre>
     */
    public void getInvocation(dev.durable.v1.GetInvocationRequest request,
        io.grpc.stub.StreamObserver<dev.durable.v1.GetInvocationResponse> responseObserver) {
      io.grpc.stub.ClientCalls.asyncUnaryCall(
          getChannel().newCall(getGetInvocationMethod(), getCallOptions()), request, responseObserver);
    }

    /**
     * <pre>
     * Streams an invocation as it changes: first as it is now, then after each batch of changes, until
     * it is in a final state; then the stream ends. Journal entries of one batch may come in several
     * messages, so that each message stays small. The last message is therefore marked by the end of
     * the stream, not by the first final state. There is no HTTP mapping because a unary JSON answer
     * cannot express a stream; the HTTP shim offers server-sent events. Errors: INVOCATION_NOT_FOUND.
     * </pre>
     */
    public void watchInvocation(dev.durable.v1.WatchInvocationRequest request,
        io.grpc.stub.StreamObserver<dev.durable.v1.WatchInvocationResponse> responseObserver) {
      io.grpc.stub.ClientCalls.asyncServerStreamingCall(
          getChannel().newCall(getWatchInvocationMethod(), getCallOptions()), request, responseObserver);
    }

    /**
     * <pre>
     * Lists invocations that match a filter, newest first. Errors: INVALID_FIELD.
     * </pre>
     */
    public void query(dev.durable.v1.QueryRequest request,
        io.grpc.stub.StreamObserver<dev.durable.v1.QueryResponse> responseObserver) {
      io.grpc.stub.ClientCalls.asyncUnaryCall(
          getChannel().newCall(getQueryMethod(), getCallOptions()), request, responseObserver);
    }

    /**
     * <pre>
     * Counts invocations by state and by handler.
     * </pre>
     */
    public void getStats(dev.durable.v1.GetStatsRequest request,
        io.grpc.stub.StreamObserver<dev.durable.v1.GetStatsResponse> responseObserver) {
      io.grpc.stub.ClientCalls.asyncUnaryCall(
          getChannel().newCall(getGetStatsMethod(), getCallOptions()), request, responseObserver);
    }

    /**
     * <pre>
     * Lists the handlers that workers have registered, by name.
     * </pre>
     */
    public void listHandlers(dev.durable.v1.ListHandlersRequest request,
        io.grpc.stub.StreamObserver<dev.durable.v1.ListHandlersResponse> responseObserver) {
      io.grpc.stub.ClientCalls.asyncUnaryCall(
          getChannel().newCall(getListHandlersMethod(), getCallOptions()), request, responseObserver);
    }

    /**
     * <pre>
     * Lists the workers that are connected now.
     * </pre>
     */
    public void listWorkers(dev.durable.v1.ListWorkersRequest request,
        io.grpc.stub.StreamObserver<dev.durable.v1.ListWorkersResponse> responseObserver) {
      io.grpc.stub.ClientCalls.asyncUnaryCall(
          getChannel().newCall(getListWorkersMethod(), getCallOptions()), request, responseObserver);
    }

    /**
     * <pre>
     * Lists the builds of code that workers have registered, the latest first, and which build is current
     * for each handler.
     * </pre>
     */
    public void listDeployments(dev.durable.v1.ListDeploymentsRequest request,
        io.grpc.stub.StreamObserver<dev.durable.v1.ListDeploymentsResponse> responseObserver) {
      io.grpc.stub.ClientCalls.asyncUnaryCall(
          getChannel().newCall(getListDeploymentsMethod(), getCallOptions()), request, responseObserver);
    }

    /**
     * <pre>
     * Makes a build the current one for its handlers: new invocations go to its workers, and so does the
     * next attempt of an invocation without a journal. With `percent` it gets that share of them, and the
     * build that was current before gets the rest. A build that drains does not any more. The change is in
     * the log when the answer comes. Errors: BUILD_NOT_FOUND, INVALID_FIELD.
     * Before the first promotion of a handler, its new invocations go to any worker or, if the handler is
     * pinned, to the build that was registered last among those whose workers are connected; `automatic`
     * returns to that.
     * </pre>
     */
    public void promoteBuild(dev.durable.v1.PromoteBuildRequest request,
        io.grpc.stub.StreamObserver<dev.durable.v1.PromoteBuildResponse> responseObserver) {
      io.grpc.stub.ClientCalls.asyncUnaryCall(
          getChannel().newCall(getPromoteBuildMethod(), getCallOptions()), request, responseObserver);
    }

    /**
     * <pre>
     * Takes the last promotion of a build back: the build that was current before is current again, for
     * each handler of which this one is current or is being ramped up. Errors: BUILD_NOT_FOUND,
     * NOTHING_TO_ROLL_BACK.
     * </pre>
     */
    public void rollBackBuild(dev.durable.v1.RollBackBuildRequest request,
        io.grpc.stub.StreamObserver<dev.durable.v1.RollBackBuildResponse> responseObserver) {
      io.grpc.stub.ClientCalls.asyncUnaryCall(
          getChannel().newCall(getRollBackBuildMethod(), getCallOptions()), request, responseObserver);
    }

    /**
     * <pre>
     * Gives a build no new invocations, so that its workers can be stopped once `drained` is true in the
     * answer of ListDeployments. Errors: BUILD_NOT_FOUND, BUILD_IN_USE while it is the current one of a
     * handler.
     * </pre>
     */
    public void drainBuild(dev.durable.v1.DrainBuildRequest request,
        io.grpc.stub.StreamObserver<dev.durable.v1.DrainBuildResponse> responseObserver) {
      io.grpc.stub.ClientCalls.asyncUnaryCall(
          getChannel().newCall(getDrainBuildMethod(), getCallOptions()), request, responseObserver);
    }

    /**
     * <pre>
     * Lists the patches in the journals of invocations that have not ended, and how many of those need
     * the code with the change, and how many may need the code without it.
     * </pre>
     */
    public void listPatches(dev.durable.v1.ListPatchesRequest request,
        io.grpc.stub.StreamObserver<dev.durable.v1.ListPatchesResponse> responseObserver) {
      io.grpc.stub.ClientCalls.asyncUnaryCall(
          getChannel().newCall(getListPatchesMethod(), getCallOptions()), request, responseObserver);
    }

    /**
     * <pre>
     * Pauses an invocation at its next journal boundary. Allowed in every state that is not final;
     * pausing a paused one gets the same answer as the first request. Results of steps in flight are
     * still journaled and nothing new is dispatched. Completions that come in the meantime (timers,
     * awakeables, signals, children) are kept and delivered after the resume. An invocation that waits
     * for an object key keeps its place in the queue; one that holds the key keeps it. Errors:
     * INVOCATION_NOT_FOUND, INVALID_STATE.
     * </pre>
     */
    public void pause(dev.durable.v1.PauseRequest request,
        io.grpc.stub.StreamObserver<dev.durable.v1.PauseResponse> responseObserver) {
      io.grpc.stub.ClientCalls.asyncUnaryCall(
          getChannel().newCall(getPauseMethod(), getCallOptions()), request, responseObserver);
    }

    /**
     * <pre>
     * Continues a paused invocation from its journal, with the same id and a fresh retry policy. A
     * pause that was requested and has not taken effect is withdrawn. An invocation that waits for its
     * next attempt (BACKING_OFF) begins it now; its failed attempts still count. Errors:
     * INVOCATION_NOT_FOUND, INVALID_STATE when it is neither.
     * </pre>
     */
    public void resume(dev.durable.v1.ResumeRequest request,
        io.grpc.stub.StreamObserver<dev.durable.v1.ResumeResponse> responseObserver) {
      io.grpc.stub.ClientCalls.asyncUnaryCall(
          getChannel().newCall(getResumeMethod(), getCallOptions()), request, responseObserver);
    }

    /**
     * <pre>
     * Cancels an invocation. The handler sees the request as an exception at its next await and may
     * run compensations, which are durable like everything else; then the state is CANCELLED. A
     * handler that catches the exception and returns a value has COMPLETED. An invocation that has not
     * started, or any with `force`, is CANCELLED at once without running the handler; children that it
     * awaits are then cancelled too. A paused one is resumed so that it sees the request. A repeated
     * request gets the same answer. Errors: INVOCATION_NOT_FOUND, INVALID_STATE when it has completed
     * or failed.
     * </pre>
     */
    public void cancel(dev.durable.v1.CancelRequest request,
        io.grpc.stub.StreamObserver<dev.durable.v1.CancelResponse> responseObserver) {
      io.grpc.stub.ClientCalls.asyncUnaryCall(
          getChannel().newCall(getCancelMethod(), getCallOptions()), request, responseObserver);
    }

    /**
     * <pre>
     * Starts a new invocation with the input of an old one, optionally with the beginning of its
     * journal: completed entries before `from_index` are copied and not executed again, with other
     * outcomes where `outcomes` has them. The old one stays as it is. Errors: INVOCATION_NOT_FOUND,
     * INVALID_FIELD, PAYLOAD_TOO_LARGE, INVALID_STATE when the old one is not finished or paused and
     * `while_running` is not set.
     * </pre>
     */
    public void restart(dev.durable.v1.RestartRequest request,
        io.grpc.stub.StreamObserver<dev.durable.v1.RestartResponse> responseObserver) {
      io.grpc.stub.ClientCalls.asyncUnaryCall(
          getChannel().newCall(getRestartMethod(), getCallOptions()), request, responseObserver);
    }

    /**
     * <pre>
     * Moves an invocation to another build. It is pinned to that build from then on, whatever its handler
     * says; with an empty `build_id` to none, so any worker of the handler goes on with it. An attempt that
     * runs ends where it runs. Replay the journal with the new code first: see ExportInvocation. Errors:
     * INVOCATION_NOT_FOUND, BUILD_NOT_FOUND, INVALID_STATE when it has ended.
     * </pre>
     */
    public void repin(dev.durable.v1.RepinRequest request,
        io.grpc.stub.StreamObserver<dev.durable.v1.RepinResponse> responseObserver) {
      io.grpc.stub.ClientCalls.asyncUnaryCall(
          getChannel().newCall(getRepinMethod(), getCallOptions()), request, responseObserver);
    }

    /**
     * <pre>
     * Returns an invocation with everything that a worker would get to go on with it, so that it can be
     * replayed elsewhere without effects. Errors: INVOCATION_NOT_FOUND.
     * </pre>
     */
    public void exportInvocation(dev.durable.v1.ExportInvocationRequest request,
        io.grpc.stub.StreamObserver<dev.durable.v1.ExportInvocationResponse> responseObserver) {
      io.grpc.stub.ClientCalls.asyncUnaryCall(
          getChannel().newCall(getExportInvocationMethod(), getCallOptions()), request, responseObserver);
    }

    /**
     * <pre>
     * Delivers a named signal to an invocation. Signals of one name are buffered in the order of their
     * arrival until the handler awaits them. Errors: INVOCATION_NOT_FOUND, INVALID_STATE when it is
     * finished, PAYLOAD_TOO_LARGE, LIMIT_REACHED (`signals`).
     * </pre>
     */
    public void signal(dev.durable.v1.SignalRequest request,
        io.grpc.stub.StreamObserver<dev.durable.v1.SignalResponse> responseObserver) {
      io.grpc.stub.ClientCalls.asyncUnaryCall(
          getChannel().newCall(getSignalMethod(), getCallOptions()), request, responseObserver);
    }

    /**
     * <pre>
     * Removes a finished invocation before its retention ends. Errors: INVOCATION_NOT_FOUND,
     * INVALID_STATE when it is not finished.
     * </pre>
     */
    public void purge(dev.durable.v1.PurgeRequest request,
        io.grpc.stub.StreamObserver<dev.durable.v1.PurgeResponse> responseObserver) {
      io.grpc.stub.ClientCalls.asyncUnaryCall(
          getChannel().newCall(getPurgeMethod(), getCallOptions()), request, responseObserver);
    }

    /**
     * <pre>
     * Resolves or rejects an awakeable. The first outcome wins. The same outcome again gets the same
     * answer; a different one is ALREADY_EXISTS / AWAKEABLE_ALREADY_RESOLVED. The outcome may come
     * before the handler requests the awakeable: if the id begins with an invocation's id, that
     * invocation must exist, else the error is AWAKEABLE_NOT_FOUND; the outcome for an id of the
     * user's own choice is kept for a day. After the end of the invocation it is recorded without
     * effect. Errors: AWAKEABLE_NOT_FOUND, PAYLOAD_TOO_LARGE, LIMIT_REACHED (`early_awakeables`).
     * </pre>
     */
    public void resolveAwakeable(dev.durable.v1.ResolveAwakeableRequest request,
        io.grpc.stub.StreamObserver<dev.durable.v1.ResolveAwakeableResponse> responseObserver) {
      io.grpc.stub.ClientCalls.asyncUnaryCall(
          getChannel().newCall(getResolveAwakeableMethod(), getCallOptions()), request, responseObserver);
    }

    /**
     * <pre>
     * Returns a URL that resolves one awakeable, for senders that can only POST to a URL.
     * The URL is the only credential, and permits nothing else. The body of a POST becomes the
     * awakeable's value: JSON as it is, another content type as a payload of that type. The first POST
     * counts; a repeated one gets the same answer. With a `scheme` the sender must have signed the
     * body, as Stripe and GitHub do. The server does not look the awakeable up, so a URL may be made
     * before the handler requests it. Nothing is recorded; each request makes another URL, which
     * RevokeWebhook can revoke. Errors: INVALID_FIELD, HTTP_NOT_SERVED, UNAVAILABLE.
     * </pre>
     */
    public void createWebhook(dev.durable.v1.CreateWebhookRequest request,
        io.grpc.stub.StreamObserver<dev.durable.v1.CreateWebhookResponse> responseObserver) {
      io.grpc.stub.ClientCalls.asyncUnaryCall(
          getChannel().newCall(getCreateWebhookMethod(), getCallOptions()), request, responseObserver);
    }

    /**
     * <pre>
     * Revokes a webhook, or all webhooks of an awakeable. From then on the control plane answers at the
     * URL, on every node, as if it had never been made. Other ways to resolve the awakeable stay. The
     * revocation is in the log when the answer comes, and is kept for as long as the awakeable; to
     * revoke again changes nothing. An id of the user's own choice may be revoked before an invocation
     * requests it. Errors: INVALID_FIELD, AWAKEABLE_NOT_FOUND when the awakeable's invocation has ended
     * or is unknown, LIMIT_REACHED (`revoked_webhooks`, `early_awakeables`).
     * </pre>
     */
    public void revokeWebhook(dev.durable.v1.RevokeWebhookRequest request,
        io.grpc.stub.StreamObserver<dev.durable.v1.RevokeWebhookResponse> responseObserver) {
      io.grpc.stub.ClientCalls.asyncUnaryCall(
          getChannel().newCall(getRevokeWebhookMethod(), getCallOptions()), request, responseObserver);
    }

    /**
     * <pre>
     * Returns the state of an object's key, or of a workflow's invocation. Empty if it has none.
     * Errors: INVALID_FIELD, INVOCATION_NOT_FOUND.
     * </pre>
     */
    public void getState(dev.durable.v1.GetStateRequest request,
        io.grpc.stub.StreamObserver<dev.durable.v1.GetStateResponse> responseObserver) {
      io.grpc.stub.ClientCalls.asyncUnaryCall(
          getChannel().newCall(getGetStateMethod(), getCallOptions()), request, responseObserver);
    }

    /**
     * <pre>
     * Changes the state of an object's key between two invocations: while an exclusive handler holds
     * the key, the error is INVALID_STATE. Errors: INVALID_FIELD, PAYLOAD_TOO_LARGE, INVALID_STATE.
     * </pre>
     */
    public void setState(dev.durable.v1.SetStateRequest request,
        io.grpc.stub.StreamObserver<dev.durable.v1.SetStateResponse> responseObserver) {
      io.grpc.stub.ClientCalls.asyncUnaryCall(
          getChannel().newCall(getSetStateMethod(), getCallOptions()), request, responseObserver);
    }

    /**
     * <pre>
     * Returns the version, the limits and the capabilities of this control plane.
     * </pre>
     */
    public void getServerInfo(dev.durable.v1.GetServerInfoRequest request,
        io.grpc.stub.StreamObserver<dev.durable.v1.GetServerInfoResponse> responseObserver) {
      io.grpc.stub.ClientCalls.asyncUnaryCall(
          getChannel().newCall(getGetServerInfoMethod(), getCallOptions()), request, responseObserver);
    }

    /**
     * <pre>
     * Returns the nodes of the system and its partitions, each with its leader and its followers, as the
     * node that answers knows them. A control plane that is no cluster is one node, which leads all
     * partitions. Positions are those of the nodes' last renewals, about a second old.
     * </pre>
     */
    public void getCluster(dev.durable.v1.GetClusterRequest request,
        io.grpc.stub.StreamObserver<dev.durable.v1.GetClusterResponse> responseObserver) {
      io.grpc.stub.ClientCalls.asyncUnaryCall(
          getChannel().newCall(getGetClusterMethod(), getCallOptions()), request, responseObserver);
    }

    /**
     * <pre>
     * Makes a node give its partitions to the other nodes and take none, until that is undone or the node
     * starts anew. It goes on serving clients and workers, whose requests it passes on. Any node takes the
     * request.
     * The partitions leave a few at a time. With `wait_timeout` the answer comes when the next ones have left, or
     * the time is up, so a client repeats the request until `led_partitions` is empty. A second request
     * changes nothing more. Errors: NODE_NOT_FOUND, NO_OTHER_NODE, INVALID_FIELD, UNAVAILABLE if the node
     * cannot be reached.
     * </pre>
     */
    public void drainNode(dev.durable.v1.DrainNodeRequest request,
        io.grpc.stub.StreamObserver<dev.durable.v1.DrainNodeResponse> responseObserver) {
      io.grpc.stub.ClientCalls.asyncUnaryCall(
          getChannel().newCall(getDrainNodeMethod(), getCallOptions()), request, responseObserver);
    }
  }

  /**
   * A stub to allow clients to do synchronous rpc calls to service DurableControl.
   * <pre>
   * Starts, awaits, inspects and controls invocations.
   * </pre>
   */
  public static final class DurableControlBlockingV2Stub
      extends io.grpc.stub.AbstractBlockingStub<DurableControlBlockingV2Stub> {
    private DurableControlBlockingV2Stub(
        io.grpc.Channel channel, io.grpc.CallOptions callOptions) {
      super(channel, callOptions);
    }

    @java.lang.Override
    protected DurableControlBlockingV2Stub build(
        io.grpc.Channel channel, io.grpc.CallOptions callOptions) {
      return new DurableControlBlockingV2Stub(channel, callOptions);
    }

    /**
     * <pre>
     * Starts an invocation of a handler and, if `wait_timeout` is set, waits that long for its end.
     * The server answers after the invocation is in the log: from then on it survives any crash. If no
     * worker of the handler is connected, the invocation is accepted and waits; a handler that no
     * worker has ever registered is NOT_FOUND / HANDLER_NOT_FOUND. A failed invocation is not an RPC
     * error: see `outcome`. Other errors: INVALID_FIELD, PAYLOAD_TOO_LARGE, IDEMPOTENCY_MISMATCH,
     * LIMIT_REACHED, UNAVAILABLE.
     * </pre>
     */
    public dev.durable.v1.InvokeResponse invoke(dev.durable.v1.InvokeRequest request) throws io.grpc.StatusException {
      return io.grpc.stub.ClientCalls.blockingV2UnaryCall(
          getChannel(), getInvokeMethod(), getCallOptions(), request);
    }

    /**
     * <pre>
     * Returns the outcome of an invocation, and waits for it up to `wait_timeout`.
     * The server answers as soon as the invocation is finished or paused (a paused one does not go on
     * by itself), or when the time is up: then `state` is not final and `outcome` is absent, and the
     * client calls again. Errors: INVOCATION_NOT_FOUND, INVALID_FIELD.
     * </pre>
     */
    public dev.durable.v1.GetResultResponse getResult(dev.durable.v1.GetResultRequest request) throws io.grpc.StatusException {
      return io.grpc.stub.ClientCalls.blockingV2UnaryCall(
          getChannel(), getGetResultMethod(), getCallOptions(), request);
    }

    /**
     * <pre>
     * Returns one invocation. Errors: INVOCATION_NOT_FOUND.
     * </pre>
     */
    public dev.durable.v1.GetInvocationResponse getInvocation(dev.durable.v1.GetInvocationRequest request) throws io.grpc.StatusException {
      return io.grpc.stub.ClientCalls.blockingV2UnaryCall(
          getChannel(), getGetInvocationMethod(), getCallOptions(), request);
    }

    /**
     * <pre>
     * Streams an invocation as it changes: first as it is now, then after each batch of changes, until
     * it is in a final state; then the stream ends. Journal entries of one batch may come in several
     * messages, so that each message stays small. The last message is therefore marked by the end of
     * the stream, not by the first final state. There is no HTTP mapping because a unary JSON answer
     * cannot express a stream; the HTTP shim offers server-sent events. Errors: INVOCATION_NOT_FOUND.
     * </pre>
     */
    @io.grpc.ExperimentalApi("https://github.com/grpc/grpc-java/issues/10918")
    public io.grpc.stub.BlockingClientCall<?, dev.durable.v1.WatchInvocationResponse>
        watchInvocation(dev.durable.v1.WatchInvocationRequest request) {
      return io.grpc.stub.ClientCalls.blockingV2ServerStreamingCall(
          getChannel(), getWatchInvocationMethod(), getCallOptions(), request);
    }

    /**
     * <pre>
     * Lists invocations that match a filter, newest first. Errors: INVALID_FIELD.
     * </pre>
     */
    public dev.durable.v1.QueryResponse query(dev.durable.v1.QueryRequest request) throws io.grpc.StatusException {
      return io.grpc.stub.ClientCalls.blockingV2UnaryCall(
          getChannel(), getQueryMethod(), getCallOptions(), request);
    }

    /**
     * <pre>
     * Counts invocations by state and by handler.
     * </pre>
     */
    public dev.durable.v1.GetStatsResponse getStats(dev.durable.v1.GetStatsRequest request) throws io.grpc.StatusException {
      return io.grpc.stub.ClientCalls.blockingV2UnaryCall(
          getChannel(), getGetStatsMethod(), getCallOptions(), request);
    }

    /**
     * <pre>
     * Lists the handlers that workers have registered, by name.
     * </pre>
     */
    public dev.durable.v1.ListHandlersResponse listHandlers(dev.durable.v1.ListHandlersRequest request) throws io.grpc.StatusException {
      return io.grpc.stub.ClientCalls.blockingV2UnaryCall(
          getChannel(), getListHandlersMethod(), getCallOptions(), request);
    }

    /**
     * <pre>
     * Lists the workers that are connected now.
     * </pre>
     */
    public dev.durable.v1.ListWorkersResponse listWorkers(dev.durable.v1.ListWorkersRequest request) throws io.grpc.StatusException {
      return io.grpc.stub.ClientCalls.blockingV2UnaryCall(
          getChannel(), getListWorkersMethod(), getCallOptions(), request);
    }

    /**
     * <pre>
     * Lists the builds of code that workers have registered, the latest first, and which build is current
     * for each handler.
     * </pre>
     */
    public dev.durable.v1.ListDeploymentsResponse listDeployments(dev.durable.v1.ListDeploymentsRequest request) throws io.grpc.StatusException {
      return io.grpc.stub.ClientCalls.blockingV2UnaryCall(
          getChannel(), getListDeploymentsMethod(), getCallOptions(), request);
    }

    /**
     * <pre>
     * Makes a build the current one for its handlers: new invocations go to its workers, and so does the
     * next attempt of an invocation without a journal. With `percent` it gets that share of them, and the
     * build that was current before gets the rest. A build that drains does not any more. The change is in
     * the log when the answer comes. Errors: BUILD_NOT_FOUND, INVALID_FIELD.
     * Before the first promotion of a handler, its new invocations go to any worker or, if the handler is
     * pinned, to the build that was registered last among those whose workers are connected; `automatic`
     * returns to that.
     * </pre>
     */
    public dev.durable.v1.PromoteBuildResponse promoteBuild(dev.durable.v1.PromoteBuildRequest request) throws io.grpc.StatusException {
      return io.grpc.stub.ClientCalls.blockingV2UnaryCall(
          getChannel(), getPromoteBuildMethod(), getCallOptions(), request);
    }

    /**
     * <pre>
     * Takes the last promotion of a build back: the build that was current before is current again, for
     * each handler of which this one is current or is being ramped up. Errors: BUILD_NOT_FOUND,
     * NOTHING_TO_ROLL_BACK.
     * </pre>
     */
    public dev.durable.v1.RollBackBuildResponse rollBackBuild(dev.durable.v1.RollBackBuildRequest request) throws io.grpc.StatusException {
      return io.grpc.stub.ClientCalls.blockingV2UnaryCall(
          getChannel(), getRollBackBuildMethod(), getCallOptions(), request);
    }

    /**
     * <pre>
     * Gives a build no new invocations, so that its workers can be stopped once `drained` is true in the
     * answer of ListDeployments. Errors: BUILD_NOT_FOUND, BUILD_IN_USE while it is the current one of a
     * handler.
     * </pre>
     */
    public dev.durable.v1.DrainBuildResponse drainBuild(dev.durable.v1.DrainBuildRequest request) throws io.grpc.StatusException {
      return io.grpc.stub.ClientCalls.blockingV2UnaryCall(
          getChannel(), getDrainBuildMethod(), getCallOptions(), request);
    }

    /**
     * <pre>
     * Lists the patches in the journals of invocations that have not ended, and how many of those need
     * the code with the change, and how many may need the code without it.
     * </pre>
     */
    public dev.durable.v1.ListPatchesResponse listPatches(dev.durable.v1.ListPatchesRequest request) throws io.grpc.StatusException {
      return io.grpc.stub.ClientCalls.blockingV2UnaryCall(
          getChannel(), getListPatchesMethod(), getCallOptions(), request);
    }

    /**
     * <pre>
     * Pauses an invocation at its next journal boundary. Allowed in every state that is not final;
     * pausing a paused one gets the same answer as the first request. Results of steps in flight are
     * still journaled and nothing new is dispatched. Completions that come in the meantime (timers,
     * awakeables, signals, children) are kept and delivered after the resume. An invocation that waits
     * for an object key keeps its place in the queue; one that holds the key keeps it. Errors:
     * INVOCATION_NOT_FOUND, INVALID_STATE.
     * </pre>
     */
    public dev.durable.v1.PauseResponse pause(dev.durable.v1.PauseRequest request) throws io.grpc.StatusException {
      return io.grpc.stub.ClientCalls.blockingV2UnaryCall(
          getChannel(), getPauseMethod(), getCallOptions(), request);
    }

    /**
     * <pre>
     * Continues a paused invocation from its journal, with the same id and a fresh retry policy. A
     * pause that was requested and has not taken effect is withdrawn. An invocation that waits for its
     * next attempt (BACKING_OFF) begins it now; its failed attempts still count. Errors:
     * INVOCATION_NOT_FOUND, INVALID_STATE when it is neither.
     * </pre>
     */
    public dev.durable.v1.ResumeResponse resume(dev.durable.v1.ResumeRequest request) throws io.grpc.StatusException {
      return io.grpc.stub.ClientCalls.blockingV2UnaryCall(
          getChannel(), getResumeMethod(), getCallOptions(), request);
    }

    /**
     * <pre>
     * Cancels an invocation. The handler sees the request as an exception at its next await and may
     * run compensations, which are durable like everything else; then the state is CANCELLED. A
     * handler that catches the exception and returns a value has COMPLETED. An invocation that has not
     * started, or any with `force`, is CANCELLED at once without running the handler; children that it
     * awaits are then cancelled too. A paused one is resumed so that it sees the request. A repeated
     * request gets the same answer. Errors: INVOCATION_NOT_FOUND, INVALID_STATE when it has completed
     * or failed.
     * </pre>
     */
    public dev.durable.v1.CancelResponse cancel(dev.durable.v1.CancelRequest request) throws io.grpc.StatusException {
      return io.grpc.stub.ClientCalls.blockingV2UnaryCall(
          getChannel(), getCancelMethod(), getCallOptions(), request);
    }

    /**
     * <pre>
     * Starts a new invocation with the input of an old one, optionally with the beginning of its
     * journal: completed entries before `from_index` are copied and not executed again, with other
     * outcomes where `outcomes` has them. The old one stays as it is. Errors: INVOCATION_NOT_FOUND,
     * INVALID_FIELD, PAYLOAD_TOO_LARGE, INVALID_STATE when the old one is not finished or paused and
     * `while_running` is not set.
     * </pre>
     */
    public dev.durable.v1.RestartResponse restart(dev.durable.v1.RestartRequest request) throws io.grpc.StatusException {
      return io.grpc.stub.ClientCalls.blockingV2UnaryCall(
          getChannel(), getRestartMethod(), getCallOptions(), request);
    }

    /**
     * <pre>
     * Moves an invocation to another build. It is pinned to that build from then on, whatever its handler
     * says; with an empty `build_id` to none, so any worker of the handler goes on with it. An attempt that
     * runs ends where it runs. Replay the journal with the new code first: see ExportInvocation. Errors:
     * INVOCATION_NOT_FOUND, BUILD_NOT_FOUND, INVALID_STATE when it has ended.
     * </pre>
     */
    public dev.durable.v1.RepinResponse repin(dev.durable.v1.RepinRequest request) throws io.grpc.StatusException {
      return io.grpc.stub.ClientCalls.blockingV2UnaryCall(
          getChannel(), getRepinMethod(), getCallOptions(), request);
    }

    /**
     * <pre>
     * Returns an invocation with everything that a worker would get to go on with it, so that it can be
     * replayed elsewhere without effects. Errors: INVOCATION_NOT_FOUND.
     * </pre>
     */
    public dev.durable.v1.ExportInvocationResponse exportInvocation(dev.durable.v1.ExportInvocationRequest request) throws io.grpc.StatusException {
      return io.grpc.stub.ClientCalls.blockingV2UnaryCall(
          getChannel(), getExportInvocationMethod(), getCallOptions(), request);
    }

    /**
     * <pre>
     * Delivers a named signal to an invocation. Signals of one name are buffered in the order of their
     * arrival until the handler awaits them. Errors: INVOCATION_NOT_FOUND, INVALID_STATE when it is
     * finished, PAYLOAD_TOO_LARGE, LIMIT_REACHED (`signals`).
     * </pre>
     */
    public dev.durable.v1.SignalResponse signal(dev.durable.v1.SignalRequest request) throws io.grpc.StatusException {
      return io.grpc.stub.ClientCalls.blockingV2UnaryCall(
          getChannel(), getSignalMethod(), getCallOptions(), request);
    }

    /**
     * <pre>
     * Removes a finished invocation before its retention ends. Errors: INVOCATION_NOT_FOUND,
     * INVALID_STATE when it is not finished.
     * </pre>
     */
    public dev.durable.v1.PurgeResponse purge(dev.durable.v1.PurgeRequest request) throws io.grpc.StatusException {
      return io.grpc.stub.ClientCalls.blockingV2UnaryCall(
          getChannel(), getPurgeMethod(), getCallOptions(), request);
    }

    /**
     * <pre>
     * Resolves or rejects an awakeable. The first outcome wins. The same outcome again gets the same
     * answer; a different one is ALREADY_EXISTS / AWAKEABLE_ALREADY_RESOLVED. The outcome may come
     * before the handler requests the awakeable: if the id begins with an invocation's id, that
     * invocation must exist, else the error is AWAKEABLE_NOT_FOUND; the outcome for an id of the
     * user's own choice is kept for a day. After the end of the invocation it is recorded without
     * effect. Errors: AWAKEABLE_NOT_FOUND, PAYLOAD_TOO_LARGE, LIMIT_REACHED (`early_awakeables`).
     * </pre>
     */
    public dev.durable.v1.ResolveAwakeableResponse resolveAwakeable(dev.durable.v1.ResolveAwakeableRequest request) throws io.grpc.StatusException {
      return io.grpc.stub.ClientCalls.blockingV2UnaryCall(
          getChannel(), getResolveAwakeableMethod(), getCallOptions(), request);
    }

    /**
     * <pre>
     * Returns a URL that resolves one awakeable, for senders that can only POST to a URL.
     * The URL is the only credential, and permits nothing else. The body of a POST becomes the
     * awakeable's value: JSON as it is, another content type as a payload of that type. The first POST
     * counts; a repeated one gets the same answer. With a `scheme` the sender must have signed the
     * body, as Stripe and GitHub do. The server does not look the awakeable up, so a URL may be made
     * before the handler requests it. Nothing is recorded; each request makes another URL, which
     * RevokeWebhook can revoke. Errors: INVALID_FIELD, HTTP_NOT_SERVED, UNAVAILABLE.
     * </pre>
     */
    public dev.durable.v1.CreateWebhookResponse createWebhook(dev.durable.v1.CreateWebhookRequest request) throws io.grpc.StatusException {
      return io.grpc.stub.ClientCalls.blockingV2UnaryCall(
          getChannel(), getCreateWebhookMethod(), getCallOptions(), request);
    }

    /**
     * <pre>
     * Revokes a webhook, or all webhooks of an awakeable. From then on the control plane answers at the
     * URL, on every node, as if it had never been made. Other ways to resolve the awakeable stay. The
     * revocation is in the log when the answer comes, and is kept for as long as the awakeable; to
     * revoke again changes nothing. An id of the user's own choice may be revoked before an invocation
     * requests it. Errors: INVALID_FIELD, AWAKEABLE_NOT_FOUND when the awakeable's invocation has ended
     * or is unknown, LIMIT_REACHED (`revoked_webhooks`, `early_awakeables`).
     * </pre>
     */
    public dev.durable.v1.RevokeWebhookResponse revokeWebhook(dev.durable.v1.RevokeWebhookRequest request) throws io.grpc.StatusException {
      return io.grpc.stub.ClientCalls.blockingV2UnaryCall(
          getChannel(), getRevokeWebhookMethod(), getCallOptions(), request);
    }

    /**
     * <pre>
     * Returns the state of an object's key, or of a workflow's invocation. Empty if it has none.
     * Errors: INVALID_FIELD, INVOCATION_NOT_FOUND.
     * </pre>
     */
    public dev.durable.v1.GetStateResponse getState(dev.durable.v1.GetStateRequest request) throws io.grpc.StatusException {
      return io.grpc.stub.ClientCalls.blockingV2UnaryCall(
          getChannel(), getGetStateMethod(), getCallOptions(), request);
    }

    /**
     * <pre>
     * Changes the state of an object's key between two invocations: while an exclusive handler holds
     * the key, the error is INVALID_STATE. Errors: INVALID_FIELD, PAYLOAD_TOO_LARGE, INVALID_STATE.
     * </pre>
     */
    public dev.durable.v1.SetStateResponse setState(dev.durable.v1.SetStateRequest request) throws io.grpc.StatusException {
      return io.grpc.stub.ClientCalls.blockingV2UnaryCall(
          getChannel(), getSetStateMethod(), getCallOptions(), request);
    }

    /**
     * <pre>
     * Returns the version, the limits and the capabilities of this control plane.
     * </pre>
     */
    public dev.durable.v1.GetServerInfoResponse getServerInfo(dev.durable.v1.GetServerInfoRequest request) throws io.grpc.StatusException {
      return io.grpc.stub.ClientCalls.blockingV2UnaryCall(
          getChannel(), getGetServerInfoMethod(), getCallOptions(), request);
    }

    /**
     * <pre>
     * Returns the nodes of the system and its partitions, each with its leader and its followers, as the
     * node that answers knows them. A control plane that is no cluster is one node, which leads all
     * partitions. Positions are those of the nodes' last renewals, about a second old.
     * </pre>
     */
    public dev.durable.v1.GetClusterResponse getCluster(dev.durable.v1.GetClusterRequest request) throws io.grpc.StatusException {
      return io.grpc.stub.ClientCalls.blockingV2UnaryCall(
          getChannel(), getGetClusterMethod(), getCallOptions(), request);
    }

    /**
     * <pre>
     * Makes a node give its partitions to the other nodes and take none, until that is undone or the node
     * starts anew. It goes on serving clients and workers, whose requests it passes on. Any node takes the
     * request.
     * The partitions leave a few at a time. With `wait_timeout` the answer comes when the next ones have left, or
     * the time is up, so a client repeats the request until `led_partitions` is empty. A second request
     * changes nothing more. Errors: NODE_NOT_FOUND, NO_OTHER_NODE, INVALID_FIELD, UNAVAILABLE if the node
     * cannot be reached.
     * </pre>
     */
    public dev.durable.v1.DrainNodeResponse drainNode(dev.durable.v1.DrainNodeRequest request) throws io.grpc.StatusException {
      return io.grpc.stub.ClientCalls.blockingV2UnaryCall(
          getChannel(), getDrainNodeMethod(), getCallOptions(), request);
    }
  }

  /**
   * A stub to allow clients to do limited synchronous rpc calls to service DurableControl.
   * <pre>
   * Starts, awaits, inspects and controls invocations.
   * </pre>
   */
  public static final class DurableControlBlockingStub
      extends io.grpc.stub.AbstractBlockingStub<DurableControlBlockingStub> {
    private DurableControlBlockingStub(
        io.grpc.Channel channel, io.grpc.CallOptions callOptions) {
      super(channel, callOptions);
    }

    @java.lang.Override
    protected DurableControlBlockingStub build(
        io.grpc.Channel channel, io.grpc.CallOptions callOptions) {
      return new DurableControlBlockingStub(channel, callOptions);
    }

    /**
     * <pre>
     * Starts an invocation of a handler and, if `wait_timeout` is set, waits that long for its end.
     * The server answers after the invocation is in the log: from then on it survives any crash. If no
     * worker of the handler is connected, the invocation is accepted and waits; a handler that no
     * worker has ever registered is NOT_FOUND / HANDLER_NOT_FOUND. A failed invocation is not an RPC
     * error: see `outcome`. Other errors: INVALID_FIELD, PAYLOAD_TOO_LARGE, IDEMPOTENCY_MISMATCH,
     * LIMIT_REACHED, UNAVAILABLE.
     * </pre>
     */
    public dev.durable.v1.InvokeResponse invoke(dev.durable.v1.InvokeRequest request) {
      return io.grpc.stub.ClientCalls.blockingUnaryCall(
          getChannel(), getInvokeMethod(), getCallOptions(), request);
    }

    /**
     * <pre>
     * Returns the outcome of an invocation, and waits for it up to `wait_timeout`.
     * The server answers as soon as the invocation is finished or paused (a paused one does not go on
     * by itself), or when the time is up: then `state` is not final and `outcome` is absent, and the
     * client calls again. Errors: INVOCATION_NOT_FOUND, INVALID_FIELD.
     * </pre>
     */
    public dev.durable.v1.GetResultResponse getResult(dev.durable.v1.GetResultRequest request) {
      return io.grpc.stub.ClientCalls.blockingUnaryCall(
          getChannel(), getGetResultMethod(), getCallOptions(), request);
    }

    /**
     * <pre>
     * Returns one invocation. Errors: INVOCATION_NOT_FOUND.
     * </pre>
     */
    public dev.durable.v1.GetInvocationResponse getInvocation(dev.durable.v1.GetInvocationRequest request) {
      return io.grpc.stub.ClientCalls.blockingUnaryCall(
          getChannel(), getGetInvocationMethod(), getCallOptions(), request);
    }

    /**
     * <pre>
     * Streams an invocation as it changes: first as it is now, then after each batch of changes, until
     * it is in a final state; then the stream ends. Journal entries of one batch may come in several
     * messages, so that each message stays small. The last message is therefore marked by the end of
     * the stream, not by the first final state. There is no HTTP mapping because a unary JSON answer
     * cannot express a stream; the HTTP shim offers server-sent events. Errors: INVOCATION_NOT_FOUND.
     * </pre>
     */
    public java.util.Iterator<dev.durable.v1.WatchInvocationResponse> watchInvocation(
        dev.durable.v1.WatchInvocationRequest request) {
      return io.grpc.stub.ClientCalls.blockingServerStreamingCall(
          getChannel(), getWatchInvocationMethod(), getCallOptions(), request);
    }

    /**
     * <pre>
     * Lists invocations that match a filter, newest first. Errors: INVALID_FIELD.
     * </pre>
     */
    public dev.durable.v1.QueryResponse query(dev.durable.v1.QueryRequest request) {
      return io.grpc.stub.ClientCalls.blockingUnaryCall(
          getChannel(), getQueryMethod(), getCallOptions(), request);
    }

    /**
     * <pre>
     * Counts invocations by state and by handler.
     * </pre>
     */
    public dev.durable.v1.GetStatsResponse getStats(dev.durable.v1.GetStatsRequest request) {
      return io.grpc.stub.ClientCalls.blockingUnaryCall(
          getChannel(), getGetStatsMethod(), getCallOptions(), request);
    }

    /**
     * <pre>
     * Lists the handlers that workers have registered, by name.
     * </pre>
     */
    public dev.durable.v1.ListHandlersResponse listHandlers(dev.durable.v1.ListHandlersRequest request) {
      return io.grpc.stub.ClientCalls.blockingUnaryCall(
          getChannel(), getListHandlersMethod(), getCallOptions(), request);
    }

    /**
     * <pre>
     * Lists the workers that are connected now.
     * </pre>
     */
    public dev.durable.v1.ListWorkersResponse listWorkers(dev.durable.v1.ListWorkersRequest request) {
      return io.grpc.stub.ClientCalls.blockingUnaryCall(
          getChannel(), getListWorkersMethod(), getCallOptions(), request);
    }

    /**
     * <pre>
     * Lists the builds of code that workers have registered, the latest first, and which build is current
     * for each handler.
     * </pre>
     */
    public dev.durable.v1.ListDeploymentsResponse listDeployments(dev.durable.v1.ListDeploymentsRequest request) {
      return io.grpc.stub.ClientCalls.blockingUnaryCall(
          getChannel(), getListDeploymentsMethod(), getCallOptions(), request);
    }

    /**
     * <pre>
     * Makes a build the current one for its handlers: new invocations go to its workers, and so does the
     * next attempt of an invocation without a journal. With `percent` it gets that share of them, and the
     * build that was current before gets the rest. A build that drains does not any more. The change is in
     * the log when the answer comes. Errors: BUILD_NOT_FOUND, INVALID_FIELD.
     * Before the first promotion of a handler, its new invocations go to any worker or, if the handler is
     * pinned, to the build that was registered last among those whose workers are connected; `automatic`
     * returns to that.
     * </pre>
     */
    public dev.durable.v1.PromoteBuildResponse promoteBuild(dev.durable.v1.PromoteBuildRequest request) {
      return io.grpc.stub.ClientCalls.blockingUnaryCall(
          getChannel(), getPromoteBuildMethod(), getCallOptions(), request);
    }

    /**
     * <pre>
     * Takes the last promotion of a build back: the build that was current before is current again, for
     * each handler of which this one is current or is being ramped up. Errors: BUILD_NOT_FOUND,
     * NOTHING_TO_ROLL_BACK.
     * </pre>
     */
    public dev.durable.v1.RollBackBuildResponse rollBackBuild(dev.durable.v1.RollBackBuildRequest request) {
      return io.grpc.stub.ClientCalls.blockingUnaryCall(
          getChannel(), getRollBackBuildMethod(), getCallOptions(), request);
    }

    /**
     * <pre>
     * Gives a build no new invocations, so that its workers can be stopped once `drained` is true in the
     * answer of ListDeployments. Errors: BUILD_NOT_FOUND, BUILD_IN_USE while it is the current one of a
     * handler.
     * </pre>
     */
    public dev.durable.v1.DrainBuildResponse drainBuild(dev.durable.v1.DrainBuildRequest request) {
      return io.grpc.stub.ClientCalls.blockingUnaryCall(
          getChannel(), getDrainBuildMethod(), getCallOptions(), request);
    }

    /**
     * <pre>
     * Lists the patches in the journals of invocations that have not ended, and how many of those need
     * the code with the change, and how many may need the code without it.
     * </pre>
     */
    public dev.durable.v1.ListPatchesResponse listPatches(dev.durable.v1.ListPatchesRequest request) {
      return io.grpc.stub.ClientCalls.blockingUnaryCall(
          getChannel(), getListPatchesMethod(), getCallOptions(), request);
    }

    /**
     * <pre>
     * Pauses an invocation at its next journal boundary. Allowed in every state that is not final;
     * pausing a paused one gets the same answer as the first request. Results of steps in flight are
     * still journaled and nothing new is dispatched. Completions that come in the meantime (timers,
     * awakeables, signals, children) are kept and delivered after the resume. An invocation that waits
     * for an object key keeps its place in the queue; one that holds the key keeps it. Errors:
     * INVOCATION_NOT_FOUND, INVALID_STATE.
     * </pre>
     */
    public dev.durable.v1.PauseResponse pause(dev.durable.v1.PauseRequest request) {
      return io.grpc.stub.ClientCalls.blockingUnaryCall(
          getChannel(), getPauseMethod(), getCallOptions(), request);
    }

    /**
     * <pre>
     * Continues a paused invocation from its journal, with the same id and a fresh retry policy. A
     * pause that was requested and has not taken effect is withdrawn. An invocation that waits for its
     * next attempt (BACKING_OFF) begins it now; its failed attempts still count. Errors:
     * INVOCATION_NOT_FOUND, INVALID_STATE when it is neither.
     * </pre>
     */
    public dev.durable.v1.ResumeResponse resume(dev.durable.v1.ResumeRequest request) {
      return io.grpc.stub.ClientCalls.blockingUnaryCall(
          getChannel(), getResumeMethod(), getCallOptions(), request);
    }

    /**
     * <pre>
     * Cancels an invocation. The handler sees the request as an exception at its next await and may
     * run compensations, which are durable like everything else; then the state is CANCELLED. A
     * handler that catches the exception and returns a value has COMPLETED. An invocation that has not
     * started, or any with `force`, is CANCELLED at once without running the handler; children that it
     * awaits are then cancelled too. A paused one is resumed so that it sees the request. A repeated
     * request gets the same answer. Errors: INVOCATION_NOT_FOUND, INVALID_STATE when it has completed
     * or failed.
     * </pre>
     */
    public dev.durable.v1.CancelResponse cancel(dev.durable.v1.CancelRequest request) {
      return io.grpc.stub.ClientCalls.blockingUnaryCall(
          getChannel(), getCancelMethod(), getCallOptions(), request);
    }

    /**
     * <pre>
     * Starts a new invocation with the input of an old one, optionally with the beginning of its
     * journal: completed entries before `from_index` are copied and not executed again, with other
     * outcomes where `outcomes` has them. The old one stays as it is. Errors: INVOCATION_NOT_FOUND,
     * INVALID_FIELD, PAYLOAD_TOO_LARGE, INVALID_STATE when the old one is not finished or paused and
     * `while_running` is not set.
     * </pre>
     */
    public dev.durable.v1.RestartResponse restart(dev.durable.v1.RestartRequest request) {
      return io.grpc.stub.ClientCalls.blockingUnaryCall(
          getChannel(), getRestartMethod(), getCallOptions(), request);
    }

    /**
     * <pre>
     * Moves an invocation to another build. It is pinned to that build from then on, whatever its handler
     * says; with an empty `build_id` to none, so any worker of the handler goes on with it. An attempt that
     * runs ends where it runs. Replay the journal with the new code first: see ExportInvocation. Errors:
     * INVOCATION_NOT_FOUND, BUILD_NOT_FOUND, INVALID_STATE when it has ended.
     * </pre>
     */
    public dev.durable.v1.RepinResponse repin(dev.durable.v1.RepinRequest request) {
      return io.grpc.stub.ClientCalls.blockingUnaryCall(
          getChannel(), getRepinMethod(), getCallOptions(), request);
    }

    /**
     * <pre>
     * Returns an invocation with everything that a worker would get to go on with it, so that it can be
     * replayed elsewhere without effects. Errors: INVOCATION_NOT_FOUND.
     * </pre>
     */
    public dev.durable.v1.ExportInvocationResponse exportInvocation(dev.durable.v1.ExportInvocationRequest request) {
      return io.grpc.stub.ClientCalls.blockingUnaryCall(
          getChannel(), getExportInvocationMethod(), getCallOptions(), request);
    }

    /**
     * <pre>
     * Delivers a named signal to an invocation. Signals of one name are buffered in the order of their
     * arrival until the handler awaits them. Errors: INVOCATION_NOT_FOUND, INVALID_STATE when it is
     * finished, PAYLOAD_TOO_LARGE, LIMIT_REACHED (`signals`).
     * </pre>
     */
    public dev.durable.v1.SignalResponse signal(dev.durable.v1.SignalRequest request) {
      return io.grpc.stub.ClientCalls.blockingUnaryCall(
          getChannel(), getSignalMethod(), getCallOptions(), request);
    }

    /**
     * <pre>
     * Removes a finished invocation before its retention ends. Errors: INVOCATION_NOT_FOUND,
     * INVALID_STATE when it is not finished.
     * </pre>
     */
    public dev.durable.v1.PurgeResponse purge(dev.durable.v1.PurgeRequest request) {
      return io.grpc.stub.ClientCalls.blockingUnaryCall(
          getChannel(), getPurgeMethod(), getCallOptions(), request);
    }

    /**
     * <pre>
     * Resolves or rejects an awakeable. The first outcome wins. The same outcome again gets the same
     * answer; a different one is ALREADY_EXISTS / AWAKEABLE_ALREADY_RESOLVED. The outcome may come
     * before the handler requests the awakeable: if the id begins with an invocation's id, that
     * invocation must exist, else the error is AWAKEABLE_NOT_FOUND; the outcome for an id of the
     * user's own choice is kept for a day. After the end of the invocation it is recorded without
     * effect. Errors: AWAKEABLE_NOT_FOUND, PAYLOAD_TOO_LARGE, LIMIT_REACHED (`early_awakeables`).
     * </pre>
     */
    public dev.durable.v1.ResolveAwakeableResponse resolveAwakeable(dev.durable.v1.ResolveAwakeableRequest request) {
      return io.grpc.stub.ClientCalls.blockingUnaryCall(
          getChannel(), getResolveAwakeableMethod(), getCallOptions(), request);
    }

    /**
     * <pre>
     * Returns a URL that resolves one awakeable, for senders that can only POST to a URL.
     * The URL is the only credential, and permits nothing else. The body of a POST becomes the
     * awakeable's value: JSON as it is, another content type as a payload of that type. The first POST
     * counts; a repeated one gets the same answer. With a `scheme` the sender must have signed the
     * body, as Stripe and GitHub do. The server does not look the awakeable up, so a URL may be made
     * before the handler requests it. Nothing is recorded; each request makes another URL, which
     * RevokeWebhook can revoke. Errors: INVALID_FIELD, HTTP_NOT_SERVED, UNAVAILABLE.
     * </pre>
     */
    public dev.durable.v1.CreateWebhookResponse createWebhook(dev.durable.v1.CreateWebhookRequest request) {
      return io.grpc.stub.ClientCalls.blockingUnaryCall(
          getChannel(), getCreateWebhookMethod(), getCallOptions(), request);
    }

    /**
     * <pre>
     * Revokes a webhook, or all webhooks of an awakeable. From then on the control plane answers at the
     * URL, on every node, as if it had never been made. Other ways to resolve the awakeable stay. The
     * revocation is in the log when the answer comes, and is kept for as long as the awakeable; to
     * revoke again changes nothing. An id of the user's own choice may be revoked before an invocation
     * requests it. Errors: INVALID_FIELD, AWAKEABLE_NOT_FOUND when the awakeable's invocation has ended
     * or is unknown, LIMIT_REACHED (`revoked_webhooks`, `early_awakeables`).
     * </pre>
     */
    public dev.durable.v1.RevokeWebhookResponse revokeWebhook(dev.durable.v1.RevokeWebhookRequest request) {
      return io.grpc.stub.ClientCalls.blockingUnaryCall(
          getChannel(), getRevokeWebhookMethod(), getCallOptions(), request);
    }

    /**
     * <pre>
     * Returns the state of an object's key, or of a workflow's invocation. Empty if it has none.
     * Errors: INVALID_FIELD, INVOCATION_NOT_FOUND.
     * </pre>
     */
    public dev.durable.v1.GetStateResponse getState(dev.durable.v1.GetStateRequest request) {
      return io.grpc.stub.ClientCalls.blockingUnaryCall(
          getChannel(), getGetStateMethod(), getCallOptions(), request);
    }

    /**
     * <pre>
     * Changes the state of an object's key between two invocations: while an exclusive handler holds
     * the key, the error is INVALID_STATE. Errors: INVALID_FIELD, PAYLOAD_TOO_LARGE, INVALID_STATE.
     * </pre>
     */
    public dev.durable.v1.SetStateResponse setState(dev.durable.v1.SetStateRequest request) {
      return io.grpc.stub.ClientCalls.blockingUnaryCall(
          getChannel(), getSetStateMethod(), getCallOptions(), request);
    }

    /**
     * <pre>
     * Returns the version, the limits and the capabilities of this control plane.
     * </pre>
     */
    public dev.durable.v1.GetServerInfoResponse getServerInfo(dev.durable.v1.GetServerInfoRequest request) {
      return io.grpc.stub.ClientCalls.blockingUnaryCall(
          getChannel(), getGetServerInfoMethod(), getCallOptions(), request);
    }

    /**
     * <pre>
     * Returns the nodes of the system and its partitions, each with its leader and its followers, as the
     * node that answers knows them. A control plane that is no cluster is one node, which leads all
     * partitions. Positions are those of the nodes' last renewals, about a second old.
     * </pre>
     */
    public dev.durable.v1.GetClusterResponse getCluster(dev.durable.v1.GetClusterRequest request) {
      return io.grpc.stub.ClientCalls.blockingUnaryCall(
          getChannel(), getGetClusterMethod(), getCallOptions(), request);
    }

    /**
     * <pre>
     * Makes a node give its partitions to the other nodes and take none, until that is undone or the node
     * starts anew. It goes on serving clients and workers, whose requests it passes on. Any node takes the
     * request.
     * The partitions leave a few at a time. With `wait_timeout` the answer comes when the next ones have left, or
     * the time is up, so a client repeats the request until `led_partitions` is empty. A second request
     * changes nothing more. Errors: NODE_NOT_FOUND, NO_OTHER_NODE, INVALID_FIELD, UNAVAILABLE if the node
     * cannot be reached.
     * </pre>
     */
    public dev.durable.v1.DrainNodeResponse drainNode(dev.durable.v1.DrainNodeRequest request) {
      return io.grpc.stub.ClientCalls.blockingUnaryCall(
          getChannel(), getDrainNodeMethod(), getCallOptions(), request);
    }
  }

  /**
   * A stub to allow clients to do ListenableFuture-style rpc calls to service DurableControl.
   * <pre>
   * Starts, awaits, inspects and controls invocations.
   * </pre>
   */
  public static final class DurableControlFutureStub
      extends io.grpc.stub.AbstractFutureStub<DurableControlFutureStub> {
    private DurableControlFutureStub(
        io.grpc.Channel channel, io.grpc.CallOptions callOptions) {
      super(channel, callOptions);
    }

    @java.lang.Override
    protected DurableControlFutureStub build(
        io.grpc.Channel channel, io.grpc.CallOptions callOptions) {
      return new DurableControlFutureStub(channel, callOptions);
    }

    /**
     * <pre>
     * Starts an invocation of a handler and, if `wait_timeout` is set, waits that long for its end.
     * The server answers after the invocation is in the log: from then on it survives any crash. If no
     * worker of the handler is connected, the invocation is accepted and waits; a handler that no
     * worker has ever registered is NOT_FOUND / HANDLER_NOT_FOUND. A failed invocation is not an RPC
     * error: see `outcome`. Other errors: INVALID_FIELD, PAYLOAD_TOO_LARGE, IDEMPOTENCY_MISMATCH,
     * LIMIT_REACHED, UNAVAILABLE.
     * </pre>
     */
    public com.google.common.util.concurrent.ListenableFuture<dev.durable.v1.InvokeResponse> invoke(
        dev.durable.v1.InvokeRequest request) {
      return io.grpc.stub.ClientCalls.futureUnaryCall(
          getChannel().newCall(getInvokeMethod(), getCallOptions()), request);
    }

    /**
     * <pre>
     * Returns the outcome of an invocation, and waits for it up to `wait_timeout`.
     * The server answers as soon as the invocation is finished or paused (a paused one does not go on
     * by itself), or when the time is up: then `state` is not final and `outcome` is absent, and the
     * client calls again. Errors: INVOCATION_NOT_FOUND, INVALID_FIELD.
     * </pre>
     */
    public com.google.common.util.concurrent.ListenableFuture<dev.durable.v1.GetResultResponse> getResult(
        dev.durable.v1.GetResultRequest request) {
      return io.grpc.stub.ClientCalls.futureUnaryCall(
          getChannel().newCall(getGetResultMethod(), getCallOptions()), request);
    }

    /**
     * <pre>
     * Returns one invocation. Errors: INVOCATION_NOT_FOUND.
     * </pre>
     */
    public com.google.common.util.concurrent.ListenableFuture<dev.durable.v1.GetInvocationResponse> getInvocation(
        dev.durable.v1.GetInvocationRequest request) {
      return io.grpc.stub.ClientCalls.futureUnaryCall(
          getChannel().newCall(getGetInvocationMethod(), getCallOptions()), request);
    }

    /**
     * <pre>
     * Lists invocations that match a filter, newest first. Errors: INVALID_FIELD.
     * </pre>
     */
    public com.google.common.util.concurrent.ListenableFuture<dev.durable.v1.QueryResponse> query(
        dev.durable.v1.QueryRequest request) {
      return io.grpc.stub.ClientCalls.futureUnaryCall(
          getChannel().newCall(getQueryMethod(), getCallOptions()), request);
    }

    /**
     * <pre>
     * Counts invocations by state and by handler.
     * </pre>
     */
    public com.google.common.util.concurrent.ListenableFuture<dev.durable.v1.GetStatsResponse> getStats(
        dev.durable.v1.GetStatsRequest request) {
      return io.grpc.stub.ClientCalls.futureUnaryCall(
          getChannel().newCall(getGetStatsMethod(), getCallOptions()), request);
    }

    /**
     * <pre>
     * Lists the handlers that workers have registered, by name.
     * </pre>
     */
    public com.google.common.util.concurrent.ListenableFuture<dev.durable.v1.ListHandlersResponse> listHandlers(
        dev.durable.v1.ListHandlersRequest request) {
      return io.grpc.stub.ClientCalls.futureUnaryCall(
          getChannel().newCall(getListHandlersMethod(), getCallOptions()), request);
    }

    /**
     * <pre>
     * Lists the workers that are connected now.
     * </pre>
     */
    public com.google.common.util.concurrent.ListenableFuture<dev.durable.v1.ListWorkersResponse> listWorkers(
        dev.durable.v1.ListWorkersRequest request) {
      return io.grpc.stub.ClientCalls.futureUnaryCall(
          getChannel().newCall(getListWorkersMethod(), getCallOptions()), request);
    }

    /**
     * <pre>
     * Lists the builds of code that workers have registered, the latest first, and which build is current
     * for each handler.
     * </pre>
     */
    public com.google.common.util.concurrent.ListenableFuture<dev.durable.v1.ListDeploymentsResponse> listDeployments(
        dev.durable.v1.ListDeploymentsRequest request) {
      return io.grpc.stub.ClientCalls.futureUnaryCall(
          getChannel().newCall(getListDeploymentsMethod(), getCallOptions()), request);
    }

    /**
     * <pre>
     * Makes a build the current one for its handlers: new invocations go to its workers, and so does the
     * next attempt of an invocation without a journal. With `percent` it gets that share of them, and the
     * build that was current before gets the rest. A build that drains does not any more. The change is in
     * the log when the answer comes. Errors: BUILD_NOT_FOUND, INVALID_FIELD.
     * Before the first promotion of a handler, its new invocations go to any worker or, if the handler is
     * pinned, to the build that was registered last among those whose workers are connected; `automatic`
     * returns to that.
     * </pre>
     */
    public com.google.common.util.concurrent.ListenableFuture<dev.durable.v1.PromoteBuildResponse> promoteBuild(
        dev.durable.v1.PromoteBuildRequest request) {
      return io.grpc.stub.ClientCalls.futureUnaryCall(
          getChannel().newCall(getPromoteBuildMethod(), getCallOptions()), request);
    }

    /**
     * <pre>
     * Takes the last promotion of a build back: the build that was current before is current again, for
     * each handler of which this one is current or is being ramped up. Errors: BUILD_NOT_FOUND,
     * NOTHING_TO_ROLL_BACK.
     * </pre>
     */
    public com.google.common.util.concurrent.ListenableFuture<dev.durable.v1.RollBackBuildResponse> rollBackBuild(
        dev.durable.v1.RollBackBuildRequest request) {
      return io.grpc.stub.ClientCalls.futureUnaryCall(
          getChannel().newCall(getRollBackBuildMethod(), getCallOptions()), request);
    }

    /**
     * <pre>
     * Gives a build no new invocations, so that its workers can be stopped once `drained` is true in the
     * answer of ListDeployments. Errors: BUILD_NOT_FOUND, BUILD_IN_USE while it is the current one of a
     * handler.
     * </pre>
     */
    public com.google.common.util.concurrent.ListenableFuture<dev.durable.v1.DrainBuildResponse> drainBuild(
        dev.durable.v1.DrainBuildRequest request) {
      return io.grpc.stub.ClientCalls.futureUnaryCall(
          getChannel().newCall(getDrainBuildMethod(), getCallOptions()), request);
    }

    /**
     * <pre>
     * Lists the patches in the journals of invocations that have not ended, and how many of those need
     * the code with the change, and how many may need the code without it.
     * </pre>
     */
    public com.google.common.util.concurrent.ListenableFuture<dev.durable.v1.ListPatchesResponse> listPatches(
        dev.durable.v1.ListPatchesRequest request) {
      return io.grpc.stub.ClientCalls.futureUnaryCall(
          getChannel().newCall(getListPatchesMethod(), getCallOptions()), request);
    }

    /**
     * <pre>
     * Pauses an invocation at its next journal boundary. Allowed in every state that is not final;
     * pausing a paused one gets the same answer as the first request. Results of steps in flight are
     * still journaled and nothing new is dispatched. Completions that come in the meantime (timers,
     * awakeables, signals, children) are kept and delivered after the resume. An invocation that waits
     * for an object key keeps its place in the queue; one that holds the key keeps it. Errors:
     * INVOCATION_NOT_FOUND, INVALID_STATE.
     * </pre>
     */
    public com.google.common.util.concurrent.ListenableFuture<dev.durable.v1.PauseResponse> pause(
        dev.durable.v1.PauseRequest request) {
      return io.grpc.stub.ClientCalls.futureUnaryCall(
          getChannel().newCall(getPauseMethod(), getCallOptions()), request);
    }

    /**
     * <pre>
     * Continues a paused invocation from its journal, with the same id and a fresh retry policy. A
     * pause that was requested and has not taken effect is withdrawn. An invocation that waits for its
     * next attempt (BACKING_OFF) begins it now; its failed attempts still count. Errors:
     * INVOCATION_NOT_FOUND, INVALID_STATE when it is neither.
     * </pre>
     */
    public com.google.common.util.concurrent.ListenableFuture<dev.durable.v1.ResumeResponse> resume(
        dev.durable.v1.ResumeRequest request) {
      return io.grpc.stub.ClientCalls.futureUnaryCall(
          getChannel().newCall(getResumeMethod(), getCallOptions()), request);
    }

    /**
     * <pre>
     * Cancels an invocation. The handler sees the request as an exception at its next await and may
     * run compensations, which are durable like everything else; then the state is CANCELLED. A
     * handler that catches the exception and returns a value has COMPLETED. An invocation that has not
     * started, or any with `force`, is CANCELLED at once without running the handler; children that it
     * awaits are then cancelled too. A paused one is resumed so that it sees the request. A repeated
     * request gets the same answer. Errors: INVOCATION_NOT_FOUND, INVALID_STATE when it has completed
     * or failed.
     * </pre>
     */
    public com.google.common.util.concurrent.ListenableFuture<dev.durable.v1.CancelResponse> cancel(
        dev.durable.v1.CancelRequest request) {
      return io.grpc.stub.ClientCalls.futureUnaryCall(
          getChannel().newCall(getCancelMethod(), getCallOptions()), request);
    }

    /**
     * <pre>
     * Starts a new invocation with the input of an old one, optionally with the beginning of its
     * journal: completed entries before `from_index` are copied and not executed again, with other
     * outcomes where `outcomes` has them. The old one stays as it is. Errors: INVOCATION_NOT_FOUND,
     * INVALID_FIELD, PAYLOAD_TOO_LARGE, INVALID_STATE when the old one is not finished or paused and
     * `while_running` is not set.
     * </pre>
     */
    public com.google.common.util.concurrent.ListenableFuture<dev.durable.v1.RestartResponse> restart(
        dev.durable.v1.RestartRequest request) {
      return io.grpc.stub.ClientCalls.futureUnaryCall(
          getChannel().newCall(getRestartMethod(), getCallOptions()), request);
    }

    /**
     * <pre>
     * Moves an invocation to another build. It is pinned to that build from then on, whatever its handler
     * says; with an empty `build_id` to none, so any worker of the handler goes on with it. An attempt that
     * runs ends where it runs. Replay the journal with the new code first: see ExportInvocation. Errors:
     * INVOCATION_NOT_FOUND, BUILD_NOT_FOUND, INVALID_STATE when it has ended.
     * </pre>
     */
    public com.google.common.util.concurrent.ListenableFuture<dev.durable.v1.RepinResponse> repin(
        dev.durable.v1.RepinRequest request) {
      return io.grpc.stub.ClientCalls.futureUnaryCall(
          getChannel().newCall(getRepinMethod(), getCallOptions()), request);
    }

    /**
     * <pre>
     * Returns an invocation with everything that a worker would get to go on with it, so that it can be
     * replayed elsewhere without effects. Errors: INVOCATION_NOT_FOUND.
     * </pre>
     */
    public com.google.common.util.concurrent.ListenableFuture<dev.durable.v1.ExportInvocationResponse> exportInvocation(
        dev.durable.v1.ExportInvocationRequest request) {
      return io.grpc.stub.ClientCalls.futureUnaryCall(
          getChannel().newCall(getExportInvocationMethod(), getCallOptions()), request);
    }

    /**
     * <pre>
     * Delivers a named signal to an invocation. Signals of one name are buffered in the order of their
     * arrival until the handler awaits them. Errors: INVOCATION_NOT_FOUND, INVALID_STATE when it is
     * finished, PAYLOAD_TOO_LARGE, LIMIT_REACHED (`signals`).
     * </pre>
     */
    public com.google.common.util.concurrent.ListenableFuture<dev.durable.v1.SignalResponse> signal(
        dev.durable.v1.SignalRequest request) {
      return io.grpc.stub.ClientCalls.futureUnaryCall(
          getChannel().newCall(getSignalMethod(), getCallOptions()), request);
    }

    /**
     * <pre>
     * Removes a finished invocation before its retention ends. Errors: INVOCATION_NOT_FOUND,
     * INVALID_STATE when it is not finished.
     * </pre>
     */
    public com.google.common.util.concurrent.ListenableFuture<dev.durable.v1.PurgeResponse> purge(
        dev.durable.v1.PurgeRequest request) {
      return io.grpc.stub.ClientCalls.futureUnaryCall(
          getChannel().newCall(getPurgeMethod(), getCallOptions()), request);
    }

    /**
     * <pre>
     * Resolves or rejects an awakeable. The first outcome wins. The same outcome again gets the same
     * answer; a different one is ALREADY_EXISTS / AWAKEABLE_ALREADY_RESOLVED. The outcome may come
     * before the handler requests the awakeable: if the id begins with an invocation's id, that
     * invocation must exist, else the error is AWAKEABLE_NOT_FOUND; the outcome for an id of the
     * user's own choice is kept for a day. After the end of the invocation it is recorded without
     * effect. Errors: AWAKEABLE_NOT_FOUND, PAYLOAD_TOO_LARGE, LIMIT_REACHED (`early_awakeables`).
     * </pre>
     */
    public com.google.common.util.concurrent.ListenableFuture<dev.durable.v1.ResolveAwakeableResponse> resolveAwakeable(
        dev.durable.v1.ResolveAwakeableRequest request) {
      return io.grpc.stub.ClientCalls.futureUnaryCall(
          getChannel().newCall(getResolveAwakeableMethod(), getCallOptions()), request);
    }

    /**
     * <pre>
     * Returns a URL that resolves one awakeable, for senders that can only POST to a URL.
     * The URL is the only credential, and permits nothing else. The body of a POST becomes the
     * awakeable's value: JSON as it is, another content type as a payload of that type. The first POST
     * counts; a repeated one gets the same answer. With a `scheme` the sender must have signed the
     * body, as Stripe and GitHub do. The server does not look the awakeable up, so a URL may be made
     * before the handler requests it. Nothing is recorded; each request makes another URL, which
     * RevokeWebhook can revoke. Errors: INVALID_FIELD, HTTP_NOT_SERVED, UNAVAILABLE.
     * </pre>
     */
    public com.google.common.util.concurrent.ListenableFuture<dev.durable.v1.CreateWebhookResponse> createWebhook(
        dev.durable.v1.CreateWebhookRequest request) {
      return io.grpc.stub.ClientCalls.futureUnaryCall(
          getChannel().newCall(getCreateWebhookMethod(), getCallOptions()), request);
    }

    /**
     * <pre>
     * Revokes a webhook, or all webhooks of an awakeable. From then on the control plane answers at the
     * URL, on every node, as if it had never been made. Other ways to resolve the awakeable stay. The
     * revocation is in the log when the answer comes, and is kept for as long as the awakeable; to
     * revoke again changes nothing. An id of the user's own choice may be revoked before an invocation
     * requests it. Errors: INVALID_FIELD, AWAKEABLE_NOT_FOUND when the awakeable's invocation has ended
     * or is unknown, LIMIT_REACHED (`revoked_webhooks`, `early_awakeables`).
     * </pre>
     */
    public com.google.common.util.concurrent.ListenableFuture<dev.durable.v1.RevokeWebhookResponse> revokeWebhook(
        dev.durable.v1.RevokeWebhookRequest request) {
      return io.grpc.stub.ClientCalls.futureUnaryCall(
          getChannel().newCall(getRevokeWebhookMethod(), getCallOptions()), request);
    }

    /**
     * <pre>
     * Returns the state of an object's key, or of a workflow's invocation. Empty if it has none.
     * Errors: INVALID_FIELD, INVOCATION_NOT_FOUND.
     * </pre>
     */
    public com.google.common.util.concurrent.ListenableFuture<dev.durable.v1.GetStateResponse> getState(
        dev.durable.v1.GetStateRequest request) {
      return io.grpc.stub.ClientCalls.futureUnaryCall(
          getChannel().newCall(getGetStateMethod(), getCallOptions()), request);
    }

    /**
     * <pre>
     * Changes the state of an object's key between two invocations: while an exclusive handler holds
     * the key, the error is INVALID_STATE. Errors: INVALID_FIELD, PAYLOAD_TOO_LARGE, INVALID_STATE.
     * </pre>
     */
    public com.google.common.util.concurrent.ListenableFuture<dev.durable.v1.SetStateResponse> setState(
        dev.durable.v1.SetStateRequest request) {
      return io.grpc.stub.ClientCalls.futureUnaryCall(
          getChannel().newCall(getSetStateMethod(), getCallOptions()), request);
    }

    /**
     * <pre>
     * Returns the version, the limits and the capabilities of this control plane.
     * </pre>
     */
    public com.google.common.util.concurrent.ListenableFuture<dev.durable.v1.GetServerInfoResponse> getServerInfo(
        dev.durable.v1.GetServerInfoRequest request) {
      return io.grpc.stub.ClientCalls.futureUnaryCall(
          getChannel().newCall(getGetServerInfoMethod(), getCallOptions()), request);
    }

    /**
     * <pre>
     * Returns the nodes of the system and its partitions, each with its leader and its followers, as the
     * node that answers knows them. A control plane that is no cluster is one node, which leads all
     * partitions. Positions are those of the nodes' last renewals, about a second old.
     * </pre>
     */
    public com.google.common.util.concurrent.ListenableFuture<dev.durable.v1.GetClusterResponse> getCluster(
        dev.durable.v1.GetClusterRequest request) {
      return io.grpc.stub.ClientCalls.futureUnaryCall(
          getChannel().newCall(getGetClusterMethod(), getCallOptions()), request);
    }

    /**
     * <pre>
     * Makes a node give its partitions to the other nodes and take none, until that is undone or the node
     * starts anew. It goes on serving clients and workers, whose requests it passes on. Any node takes the
     * request.
     * The partitions leave a few at a time. With `wait_timeout` the answer comes when the next ones have left, or
     * the time is up, so a client repeats the request until `led_partitions` is empty. A second request
     * changes nothing more. Errors: NODE_NOT_FOUND, NO_OTHER_NODE, INVALID_FIELD, UNAVAILABLE if the node
     * cannot be reached.
     * </pre>
     */
    public com.google.common.util.concurrent.ListenableFuture<dev.durable.v1.DrainNodeResponse> drainNode(
        dev.durable.v1.DrainNodeRequest request) {
      return io.grpc.stub.ClientCalls.futureUnaryCall(
          getChannel().newCall(getDrainNodeMethod(), getCallOptions()), request);
    }
  }

  private static final int METHODID_INVOKE = 0;
  private static final int METHODID_GET_RESULT = 1;
  private static final int METHODID_GET_INVOCATION = 2;
  private static final int METHODID_WATCH_INVOCATION = 3;
  private static final int METHODID_QUERY = 4;
  private static final int METHODID_GET_STATS = 5;
  private static final int METHODID_LIST_HANDLERS = 6;
  private static final int METHODID_LIST_WORKERS = 7;
  private static final int METHODID_LIST_DEPLOYMENTS = 8;
  private static final int METHODID_PROMOTE_BUILD = 9;
  private static final int METHODID_ROLL_BACK_BUILD = 10;
  private static final int METHODID_DRAIN_BUILD = 11;
  private static final int METHODID_LIST_PATCHES = 12;
  private static final int METHODID_PAUSE = 13;
  private static final int METHODID_RESUME = 14;
  private static final int METHODID_CANCEL = 15;
  private static final int METHODID_RESTART = 16;
  private static final int METHODID_REPIN = 17;
  private static final int METHODID_EXPORT_INVOCATION = 18;
  private static final int METHODID_SIGNAL = 19;
  private static final int METHODID_PURGE = 20;
  private static final int METHODID_RESOLVE_AWAKEABLE = 21;
  private static final int METHODID_CREATE_WEBHOOK = 22;
  private static final int METHODID_REVOKE_WEBHOOK = 23;
  private static final int METHODID_GET_STATE = 24;
  private static final int METHODID_SET_STATE = 25;
  private static final int METHODID_GET_SERVER_INFO = 26;
  private static final int METHODID_GET_CLUSTER = 27;
  private static final int METHODID_DRAIN_NODE = 28;

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
        case METHODID_INVOKE:
          serviceImpl.invoke((dev.durable.v1.InvokeRequest) request,
              (io.grpc.stub.StreamObserver<dev.durable.v1.InvokeResponse>) responseObserver);
          break;
        case METHODID_GET_RESULT:
          serviceImpl.getResult((dev.durable.v1.GetResultRequest) request,
              (io.grpc.stub.StreamObserver<dev.durable.v1.GetResultResponse>) responseObserver);
          break;
        case METHODID_GET_INVOCATION:
          serviceImpl.getInvocation((dev.durable.v1.GetInvocationRequest) request,
              (io.grpc.stub.StreamObserver<dev.durable.v1.GetInvocationResponse>) responseObserver);
          break;
        case METHODID_WATCH_INVOCATION:
          serviceImpl.watchInvocation((dev.durable.v1.WatchInvocationRequest) request,
              (io.grpc.stub.StreamObserver<dev.durable.v1.WatchInvocationResponse>) responseObserver);
          break;
        case METHODID_QUERY:
          serviceImpl.query((dev.durable.v1.QueryRequest) request,
              (io.grpc.stub.StreamObserver<dev.durable.v1.QueryResponse>) responseObserver);
          break;
        case METHODID_GET_STATS:
          serviceImpl.getStats((dev.durable.v1.GetStatsRequest) request,
              (io.grpc.stub.StreamObserver<dev.durable.v1.GetStatsResponse>) responseObserver);
          break;
        case METHODID_LIST_HANDLERS:
          serviceImpl.listHandlers((dev.durable.v1.ListHandlersRequest) request,
              (io.grpc.stub.StreamObserver<dev.durable.v1.ListHandlersResponse>) responseObserver);
          break;
        case METHODID_LIST_WORKERS:
          serviceImpl.listWorkers((dev.durable.v1.ListWorkersRequest) request,
              (io.grpc.stub.StreamObserver<dev.durable.v1.ListWorkersResponse>) responseObserver);
          break;
        case METHODID_LIST_DEPLOYMENTS:
          serviceImpl.listDeployments((dev.durable.v1.ListDeploymentsRequest) request,
              (io.grpc.stub.StreamObserver<dev.durable.v1.ListDeploymentsResponse>) responseObserver);
          break;
        case METHODID_PROMOTE_BUILD:
          serviceImpl.promoteBuild((dev.durable.v1.PromoteBuildRequest) request,
              (io.grpc.stub.StreamObserver<dev.durable.v1.PromoteBuildResponse>) responseObserver);
          break;
        case METHODID_ROLL_BACK_BUILD:
          serviceImpl.rollBackBuild((dev.durable.v1.RollBackBuildRequest) request,
              (io.grpc.stub.StreamObserver<dev.durable.v1.RollBackBuildResponse>) responseObserver);
          break;
        case METHODID_DRAIN_BUILD:
          serviceImpl.drainBuild((dev.durable.v1.DrainBuildRequest) request,
              (io.grpc.stub.StreamObserver<dev.durable.v1.DrainBuildResponse>) responseObserver);
          break;
        case METHODID_LIST_PATCHES:
          serviceImpl.listPatches((dev.durable.v1.ListPatchesRequest) request,
              (io.grpc.stub.StreamObserver<dev.durable.v1.ListPatchesResponse>) responseObserver);
          break;
        case METHODID_PAUSE:
          serviceImpl.pause((dev.durable.v1.PauseRequest) request,
              (io.grpc.stub.StreamObserver<dev.durable.v1.PauseResponse>) responseObserver);
          break;
        case METHODID_RESUME:
          serviceImpl.resume((dev.durable.v1.ResumeRequest) request,
              (io.grpc.stub.StreamObserver<dev.durable.v1.ResumeResponse>) responseObserver);
          break;
        case METHODID_CANCEL:
          serviceImpl.cancel((dev.durable.v1.CancelRequest) request,
              (io.grpc.stub.StreamObserver<dev.durable.v1.CancelResponse>) responseObserver);
          break;
        case METHODID_RESTART:
          serviceImpl.restart((dev.durable.v1.RestartRequest) request,
              (io.grpc.stub.StreamObserver<dev.durable.v1.RestartResponse>) responseObserver);
          break;
        case METHODID_REPIN:
          serviceImpl.repin((dev.durable.v1.RepinRequest) request,
              (io.grpc.stub.StreamObserver<dev.durable.v1.RepinResponse>) responseObserver);
          break;
        case METHODID_EXPORT_INVOCATION:
          serviceImpl.exportInvocation((dev.durable.v1.ExportInvocationRequest) request,
              (io.grpc.stub.StreamObserver<dev.durable.v1.ExportInvocationResponse>) responseObserver);
          break;
        case METHODID_SIGNAL:
          serviceImpl.signal((dev.durable.v1.SignalRequest) request,
              (io.grpc.stub.StreamObserver<dev.durable.v1.SignalResponse>) responseObserver);
          break;
        case METHODID_PURGE:
          serviceImpl.purge((dev.durable.v1.PurgeRequest) request,
              (io.grpc.stub.StreamObserver<dev.durable.v1.PurgeResponse>) responseObserver);
          break;
        case METHODID_RESOLVE_AWAKEABLE:
          serviceImpl.resolveAwakeable((dev.durable.v1.ResolveAwakeableRequest) request,
              (io.grpc.stub.StreamObserver<dev.durable.v1.ResolveAwakeableResponse>) responseObserver);
          break;
        case METHODID_CREATE_WEBHOOK:
          serviceImpl.createWebhook((dev.durable.v1.CreateWebhookRequest) request,
              (io.grpc.stub.StreamObserver<dev.durable.v1.CreateWebhookResponse>) responseObserver);
          break;
        case METHODID_REVOKE_WEBHOOK:
          serviceImpl.revokeWebhook((dev.durable.v1.RevokeWebhookRequest) request,
              (io.grpc.stub.StreamObserver<dev.durable.v1.RevokeWebhookResponse>) responseObserver);
          break;
        case METHODID_GET_STATE:
          serviceImpl.getState((dev.durable.v1.GetStateRequest) request,
              (io.grpc.stub.StreamObserver<dev.durable.v1.GetStateResponse>) responseObserver);
          break;
        case METHODID_SET_STATE:
          serviceImpl.setState((dev.durable.v1.SetStateRequest) request,
              (io.grpc.stub.StreamObserver<dev.durable.v1.SetStateResponse>) responseObserver);
          break;
        case METHODID_GET_SERVER_INFO:
          serviceImpl.getServerInfo((dev.durable.v1.GetServerInfoRequest) request,
              (io.grpc.stub.StreamObserver<dev.durable.v1.GetServerInfoResponse>) responseObserver);
          break;
        case METHODID_GET_CLUSTER:
          serviceImpl.getCluster((dev.durable.v1.GetClusterRequest) request,
              (io.grpc.stub.StreamObserver<dev.durable.v1.GetClusterResponse>) responseObserver);
          break;
        case METHODID_DRAIN_NODE:
          serviceImpl.drainNode((dev.durable.v1.DrainNodeRequest) request,
              (io.grpc.stub.StreamObserver<dev.durable.v1.DrainNodeResponse>) responseObserver);
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
          getInvokeMethod(),
          io.grpc.stub.ServerCalls.asyncUnaryCall(
            new MethodHandlers<
              dev.durable.v1.InvokeRequest,
              dev.durable.v1.InvokeResponse>(
                service, METHODID_INVOKE)))
        .addMethod(
          getGetResultMethod(),
          io.grpc.stub.ServerCalls.asyncUnaryCall(
            new MethodHandlers<
              dev.durable.v1.GetResultRequest,
              dev.durable.v1.GetResultResponse>(
                service, METHODID_GET_RESULT)))
        .addMethod(
          getGetInvocationMethod(),
          io.grpc.stub.ServerCalls.asyncUnaryCall(
            new MethodHandlers<
              dev.durable.v1.GetInvocationRequest,
              dev.durable.v1.GetInvocationResponse>(
                service, METHODID_GET_INVOCATION)))
        .addMethod(
          getWatchInvocationMethod(),
          io.grpc.stub.ServerCalls.asyncServerStreamingCall(
            new MethodHandlers<
              dev.durable.v1.WatchInvocationRequest,
              dev.durable.v1.WatchInvocationResponse>(
                service, METHODID_WATCH_INVOCATION)))
        .addMethod(
          getQueryMethod(),
          io.grpc.stub.ServerCalls.asyncUnaryCall(
            new MethodHandlers<
              dev.durable.v1.QueryRequest,
              dev.durable.v1.QueryResponse>(
                service, METHODID_QUERY)))
        .addMethod(
          getGetStatsMethod(),
          io.grpc.stub.ServerCalls.asyncUnaryCall(
            new MethodHandlers<
              dev.durable.v1.GetStatsRequest,
              dev.durable.v1.GetStatsResponse>(
                service, METHODID_GET_STATS)))
        .addMethod(
          getListHandlersMethod(),
          io.grpc.stub.ServerCalls.asyncUnaryCall(
            new MethodHandlers<
              dev.durable.v1.ListHandlersRequest,
              dev.durable.v1.ListHandlersResponse>(
                service, METHODID_LIST_HANDLERS)))
        .addMethod(
          getListWorkersMethod(),
          io.grpc.stub.ServerCalls.asyncUnaryCall(
            new MethodHandlers<
              dev.durable.v1.ListWorkersRequest,
              dev.durable.v1.ListWorkersResponse>(
                service, METHODID_LIST_WORKERS)))
        .addMethod(
          getListDeploymentsMethod(),
          io.grpc.stub.ServerCalls.asyncUnaryCall(
            new MethodHandlers<
              dev.durable.v1.ListDeploymentsRequest,
              dev.durable.v1.ListDeploymentsResponse>(
                service, METHODID_LIST_DEPLOYMENTS)))
        .addMethod(
          getPromoteBuildMethod(),
          io.grpc.stub.ServerCalls.asyncUnaryCall(
            new MethodHandlers<
              dev.durable.v1.PromoteBuildRequest,
              dev.durable.v1.PromoteBuildResponse>(
                service, METHODID_PROMOTE_BUILD)))
        .addMethod(
          getRollBackBuildMethod(),
          io.grpc.stub.ServerCalls.asyncUnaryCall(
            new MethodHandlers<
              dev.durable.v1.RollBackBuildRequest,
              dev.durable.v1.RollBackBuildResponse>(
                service, METHODID_ROLL_BACK_BUILD)))
        .addMethod(
          getDrainBuildMethod(),
          io.grpc.stub.ServerCalls.asyncUnaryCall(
            new MethodHandlers<
              dev.durable.v1.DrainBuildRequest,
              dev.durable.v1.DrainBuildResponse>(
                service, METHODID_DRAIN_BUILD)))
        .addMethod(
          getListPatchesMethod(),
          io.grpc.stub.ServerCalls.asyncUnaryCall(
            new MethodHandlers<
              dev.durable.v1.ListPatchesRequest,
              dev.durable.v1.ListPatchesResponse>(
                service, METHODID_LIST_PATCHES)))
        .addMethod(
          getPauseMethod(),
          io.grpc.stub.ServerCalls.asyncUnaryCall(
            new MethodHandlers<
              dev.durable.v1.PauseRequest,
              dev.durable.v1.PauseResponse>(
                service, METHODID_PAUSE)))
        .addMethod(
          getResumeMethod(),
          io.grpc.stub.ServerCalls.asyncUnaryCall(
            new MethodHandlers<
              dev.durable.v1.ResumeRequest,
              dev.durable.v1.ResumeResponse>(
                service, METHODID_RESUME)))
        .addMethod(
          getCancelMethod(),
          io.grpc.stub.ServerCalls.asyncUnaryCall(
            new MethodHandlers<
              dev.durable.v1.CancelRequest,
              dev.durable.v1.CancelResponse>(
                service, METHODID_CANCEL)))
        .addMethod(
          getRestartMethod(),
          io.grpc.stub.ServerCalls.asyncUnaryCall(
            new MethodHandlers<
              dev.durable.v1.RestartRequest,
              dev.durable.v1.RestartResponse>(
                service, METHODID_RESTART)))
        .addMethod(
          getRepinMethod(),
          io.grpc.stub.ServerCalls.asyncUnaryCall(
            new MethodHandlers<
              dev.durable.v1.RepinRequest,
              dev.durable.v1.RepinResponse>(
                service, METHODID_REPIN)))
        .addMethod(
          getExportInvocationMethod(),
          io.grpc.stub.ServerCalls.asyncUnaryCall(
            new MethodHandlers<
              dev.durable.v1.ExportInvocationRequest,
              dev.durable.v1.ExportInvocationResponse>(
                service, METHODID_EXPORT_INVOCATION)))
        .addMethod(
          getSignalMethod(),
          io.grpc.stub.ServerCalls.asyncUnaryCall(
            new MethodHandlers<
              dev.durable.v1.SignalRequest,
              dev.durable.v1.SignalResponse>(
                service, METHODID_SIGNAL)))
        .addMethod(
          getPurgeMethod(),
          io.grpc.stub.ServerCalls.asyncUnaryCall(
            new MethodHandlers<
              dev.durable.v1.PurgeRequest,
              dev.durable.v1.PurgeResponse>(
                service, METHODID_PURGE)))
        .addMethod(
          getResolveAwakeableMethod(),
          io.grpc.stub.ServerCalls.asyncUnaryCall(
            new MethodHandlers<
              dev.durable.v1.ResolveAwakeableRequest,
              dev.durable.v1.ResolveAwakeableResponse>(
                service, METHODID_RESOLVE_AWAKEABLE)))
        .addMethod(
          getCreateWebhookMethod(),
          io.grpc.stub.ServerCalls.asyncUnaryCall(
            new MethodHandlers<
              dev.durable.v1.CreateWebhookRequest,
              dev.durable.v1.CreateWebhookResponse>(
                service, METHODID_CREATE_WEBHOOK)))
        .addMethod(
          getRevokeWebhookMethod(),
          io.grpc.stub.ServerCalls.asyncUnaryCall(
            new MethodHandlers<
              dev.durable.v1.RevokeWebhookRequest,
              dev.durable.v1.RevokeWebhookResponse>(
                service, METHODID_REVOKE_WEBHOOK)))
        .addMethod(
          getGetStateMethod(),
          io.grpc.stub.ServerCalls.asyncUnaryCall(
            new MethodHandlers<
              dev.durable.v1.GetStateRequest,
              dev.durable.v1.GetStateResponse>(
                service, METHODID_GET_STATE)))
        .addMethod(
          getSetStateMethod(),
          io.grpc.stub.ServerCalls.asyncUnaryCall(
            new MethodHandlers<
              dev.durable.v1.SetStateRequest,
              dev.durable.v1.SetStateResponse>(
                service, METHODID_SET_STATE)))
        .addMethod(
          getGetServerInfoMethod(),
          io.grpc.stub.ServerCalls.asyncUnaryCall(
            new MethodHandlers<
              dev.durable.v1.GetServerInfoRequest,
              dev.durable.v1.GetServerInfoResponse>(
                service, METHODID_GET_SERVER_INFO)))
        .addMethod(
          getGetClusterMethod(),
          io.grpc.stub.ServerCalls.asyncUnaryCall(
            new MethodHandlers<
              dev.durable.v1.GetClusterRequest,
              dev.durable.v1.GetClusterResponse>(
                service, METHODID_GET_CLUSTER)))
        .addMethod(
          getDrainNodeMethod(),
          io.grpc.stub.ServerCalls.asyncUnaryCall(
            new MethodHandlers<
              dev.durable.v1.DrainNodeRequest,
              dev.durable.v1.DrainNodeResponse>(
                service, METHODID_DRAIN_NODE)))
        .build();
  }

  private static abstract class DurableControlBaseDescriptorSupplier
      implements io.grpc.protobuf.ProtoFileDescriptorSupplier, io.grpc.protobuf.ProtoServiceDescriptorSupplier {
    DurableControlBaseDescriptorSupplier() {}

    @java.lang.Override
    public com.google.protobuf.Descriptors.FileDescriptor getFileDescriptor() {
      return dev.durable.v1.ControlProto.getDescriptor();
    }

    @java.lang.Override
    public com.google.protobuf.Descriptors.ServiceDescriptor getServiceDescriptor() {
      return getFileDescriptor().findServiceByName("DurableControl");
    }
  }

  private static final class DurableControlFileDescriptorSupplier
      extends DurableControlBaseDescriptorSupplier {
    DurableControlFileDescriptorSupplier() {}
  }

  private static final class DurableControlMethodDescriptorSupplier
      extends DurableControlBaseDescriptorSupplier
      implements io.grpc.protobuf.ProtoMethodDescriptorSupplier {
    private final java.lang.String methodName;

    DurableControlMethodDescriptorSupplier(java.lang.String methodName) {
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
      synchronized (DurableControlGrpc.class) {
        result = serviceDescriptor;
        if (result == null) {
          serviceDescriptor = result = io.grpc.ServiceDescriptor.newBuilder(SERVICE_NAME)
              .setSchemaDescriptor(new DurableControlFileDescriptorSupplier())
              .addMethod(getInvokeMethod())
              .addMethod(getGetResultMethod())
              .addMethod(getGetInvocationMethod())
              .addMethod(getWatchInvocationMethod())
              .addMethod(getQueryMethod())
              .addMethod(getGetStatsMethod())
              .addMethod(getListHandlersMethod())
              .addMethod(getListWorkersMethod())
              .addMethod(getListDeploymentsMethod())
              .addMethod(getPromoteBuildMethod())
              .addMethod(getRollBackBuildMethod())
              .addMethod(getDrainBuildMethod())
              .addMethod(getListPatchesMethod())
              .addMethod(getPauseMethod())
              .addMethod(getResumeMethod())
              .addMethod(getCancelMethod())
              .addMethod(getRestartMethod())
              .addMethod(getRepinMethod())
              .addMethod(getExportInvocationMethod())
              .addMethod(getSignalMethod())
              .addMethod(getPurgeMethod())
              .addMethod(getResolveAwakeableMethod())
              .addMethod(getCreateWebhookMethod())
              .addMethod(getRevokeWebhookMethod())
              .addMethod(getGetStateMethod())
              .addMethod(getSetStateMethod())
              .addMethod(getGetServerInfoMethod())
              .addMethod(getGetClusterMethod())
              .addMethod(getDrainNodeMethod())
              .build();
        }
      }
    }
    return result;
  }
}
