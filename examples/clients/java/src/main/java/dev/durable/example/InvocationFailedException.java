package dev.durable.example;

import dev.durable.v1.Failure;

/** An invocation ended without a value: it failed or was cancelled. */
final class InvocationFailedException extends RuntimeException {
  private final transient Failure failure;

  InvocationFailedException(String id, Failure failure) {
    super(id + ": " + failure.getType() + ": " + failure.getMessage());
    this.failure = failure;
  }

  Failure failure() {
    return failure;
  }
}
