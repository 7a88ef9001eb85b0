package dev.durable.example;

import com.google.protobuf.Any;
import com.google.protobuf.InvalidProtocolBufferException;
import com.google.rpc.ErrorInfo;
import com.google.rpc.Status;
import dev.durable.v1.ErrorReason;
import io.grpc.StatusRuntimeException;
import io.grpc.protobuf.StatusProto;
import java.util.Map;

/**
 * Why the control plane could not serve a request; errors.proto lists the reasons.
 *
 * @param reason without the enum's prefix; empty when it was not the control plane that answered
 * @param metadata what errors.proto promises for the reason
 */
record Refusal(io.grpc.Status.Code code, String reason, Map<String, String> metadata) {

  /** The details come in the trailer grpc-status-details-bin, which StatusProto decodes. */
  static Refusal of(StatusRuntimeException error) {
    io.grpc.Status.Code code = error.getStatus().getCode();
    Status status = StatusProto.fromThrowable(error);
    for (Any detail : status.getDetailsList()) {
      if (detail.is(ErrorInfo.class)) {
        try {
          ErrorInfo info = detail.unpack(ErrorInfo.class);
          if (info.getDomain().equals("durable.v1")) {
            return new Refusal(code, info.getReason(), info.getMetadataMap());
          }
        } catch (InvalidProtocolBufferException notOurs) {
          break;
        }
      }
    }
    return new Refusal(code, "", Map.of());
  }

  boolean because(ErrorReason expected) {
    return expected.name().equals("ERROR_REASON_" + reason);
  }

  /** Whether the same request, with the same request id, may be sent again. */
  boolean isTransient() {
    return code == io.grpc.Status.Code.UNAVAILABLE
        || code == io.grpc.Status.Code.RESOURCE_EXHAUSTED;
  }
}
