// What can go wrong: an invocation that ends without a value, and a request that is refused.

import { Code, ConnectError } from "@connectrpc/connect";
import { ErrorReason } from "durable-proto/durable/v1/errors_pb.js";
import { InvocationState } from "durable-proto/durable/v1/invocation_pb.js";
import type { Failure } from "durable-proto/durable/v1/payload_pb.js";
import { ErrorInfoSchema } from "durable-proto/google/rpc/error_details_pb.js";

/** An invocation failed or was cancelled. */
export class FailedError extends Error {
  constructor(
    readonly invocationId: string,
    readonly state: InvocationState,
    readonly failure: Failure,
  ) {
    super(`${invocationId}: ${word(state)}: ${failure.type}: ${failure.message}`);
  }
}

/** Why the control plane could not serve a request; errors.proto lists the reasons. */
export class Refusal {
  /** Without the enum's prefix; empty when it was not the control plane that answered. */
  readonly reason: string;
  /** What errors.proto promises for the reason. */
  readonly metadata: Record<string, string>;

  constructor(readonly error: ConnectError) {
    // The details come in the trailer grpc-status-details-bin, which Connect decodes.
    const infos = error.findDetails(ErrorInfoSchema);
    const info = infos.find((one) => one.domain === "durable.v1");
    this.reason = info?.reason ?? "";
    this.metadata = info?.metadata ?? {};
  }

  get code(): string {
    return Code[this.error.code];
  }

  because(reason: ErrorReason): boolean {
    return ErrorReason[reason] === this.reason;
  }

  /** Whether the same request, with the same request id, may be sent again. */
  get transient(): boolean {
    return this.error.code === Code.Unavailable || this.error.code === Code.ResourceExhausted;
  }
}

/** Says why a call was refused; throws what is no refusal. */
export function refusal(error: unknown): Refusal {
  if (error instanceof ConnectError) return new Refusal(error);
  throw error;
}

/** A state as people read it. */
export function word(state: InvocationState): string {
  return InvocationState[state].toLowerCase();
}
