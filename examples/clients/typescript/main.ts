// A TypeScript program that starts, waits for, steers and finds invocations.
//
//   npm ci && npm run build && npm start -- 127.0.0.1:50051
//
// It reads from top to bottom: tour, then what a program of yours would take over; refusals and
// failures are in errors.ts.

import { type MessageInitShape } from "@bufbuild/protobuf";
import { durationFromMs } from "@bufbuild/protobuf/wkt";
import { type Client, createClient } from "@connectrpc/connect";
import { createGrpcTransport } from "@connectrpc/connect-node";
import { DurableControl, type QueryRequestSchema } from "durable-proto/durable/v1/control_pb.js";
import { ErrorReason } from "durable-proto/durable/v1/errors_pb.js";
import { type Invocation, InvocationState } from "durable-proto/durable/v1/invocation_pb.js";
import type { OutcomeSchema } from "durable-proto/durable/v1/payload_pb.js";
import { randomUUID } from "node:crypto";
import { setTimeout as sleep } from "node:timers/promises";
import { FailedError, refusal, word } from "./errors.js";

// What the handlers take and give. To the control plane a value is bytes; here it is JSON.
interface Greet { name: string }
interface Greeting { message: string; letters: number }
interface Order { item: string }
interface Approval { by: string }
interface Ordered { item: string; approved_by: string }

async function tour(durable: Durable): Promise<void> {
  // Start and wait.
  const ada = await durable.start<Greet>("greet", { name: "Ada" });
  const greeting = await durable.wait<Greeting>(ada);
  console.log("greeting:", greeting.message, greeting.letters);

  // Pause and resume. An order waits for an approval that somebody outside gives.
  const book = await durable.start<Order>("order", { item: "book" });
  const paused = await durable.control.pause({
    invocationId: book,
    requestId: randomUUID(),
    reason: "stocktaking",
    waitTimeout: durationFromMs(10_000),
  });
  console.log("pause:", word(paused.state));
  await durable.control.resume({ invocationId: book, requestId: randomUUID() });

  // Resolve: the order goes on with the value.
  await durable.resolve<Approval>(`${book}.approval`, { by: "Grace" });
  const ordered = await durable.wait<Ordered>(book);
  console.log(`resolve: ${ordered.item}, approved by ${ordered.approved_by}`);

  // Reject: the order fails, and says why.
  const lamp = await durable.start<Order>("order", { item: "lamp" });
  await durable.reject(`${lamp}.approval`, "out of stock");
  const failed = await errorOf(durable.wait(lamp));
  if (failed instanceof FailedError) console.log("reject:", failed.failure.message);

  // Cancel, while a watch follows.
  const pen = await durable.start<Order>("order", { item: "pen" });
  await durable.control.cancel({ invocationId: pen, requestId: randomUUID(), reason: "no more" });
  let last = InvocationState.UNSPECIFIED;
  for await (const change of durable.control.watchInvocation({ invocationId: pen })) {
    last = change.invocation?.state ?? last; // The stream ends with the final state.
  }
  console.log("cancel:", word(last));

  // Find, page by page.
  const found: Invocation[] = [];
  let pages = 0;
  for await (const page of durable.pages({ handler: "order", pageSize: 2 })) {
    found.push(...page);
    pages += 1;
  }
  console.log(`query: ${found.length} orders on ${pages} pages`);

  // Refusals are told apart by code and reason, never by text.
  const unknown = refusal(await errorOf(durable.start("nobody", {})));
  console.log("refusal:", unknown.code, unknown.reason, unknown.metadata["handler"]);
  const late = refusal(await errorOf(durable.control.resume({ invocationId: book })));
  if (late.because(ErrorReason.INVALID_STATE)) {
    console.log("refusal:", late.code, late.reason, late.metadata["operation"]);
  }
}

class Durable {
  constructor(readonly control: Client<typeof DurableControl>) {}

  /**
   * Starts an invocation and returns its id. The request id makes the retries safe: however many
   * arrive, one invocation is started.
   */
  async start<I>(handler: string, input: I): Promise<string> {
    const request = { handler, input: toPayload(input), requestId: randomUUID() };
    for (let delay = 100; ; delay = Math.min(2 * delay, 5_000)) {
      try {
        return (await this.control.invoke(request)).invocationId;
      } catch (error) {
        if (!refusal(error).transient) throw error;
        await sleep(delay);
      }
    }
  }

  /**
   * Waits for the end, however long it takes, and returns the value. It asks in turns of half a
   * minute, so that no proxy cuts a silent connection.
   */
  async wait<O>(invocationId: string): Promise<O> {
    for (;;) {
      const { outcome, state } = await this.control.getResult({
        invocationId,
        waitTimeout: durationFromMs(30_000),
      });
      if (state === InvocationState.PAUSED) throw new Error(`${invocationId} is paused`);
      switch (outcome?.result.case) {
        case "value":
          return JSON.parse(new TextDecoder().decode(outcome.result.value.data)) as O;
        case "failure":
          throw new FailedError(invocationId, state, outcome.result.value);
      }
    }
  }

  resolve<V>(awakeableId: string, value: V): Promise<void> {
    return this.settle(awakeableId, { result: { case: "value", value: toPayload(value) } });
  }

  reject(awakeableId: string, message: string): Promise<void> {
    const failure = { type: "Rejected", message, terminal: true };
    return this.settle(awakeableId, { result: { case: "failure", value: failure } });
  }

  private async settle(
    awakeableId: string,
    outcome: MessageInitShape<typeof OutcomeSchema>,
  ): Promise<void> {
    await this.control.resolveAwakeable({ awakeableId, outcome, requestId: randomUUID() });
  }

  /** Yields the invocations that match, page by page. */
  async *pages(query: MessageInitShape<typeof QueryRequestSchema>): AsyncGenerator<Invocation[]> {
    let pageToken = "";
    do {
      const page = await this.control.query({ ...query, pageToken });
      yield page.invocations;
      pageToken = page.nextPageToken;
    } while (pageToken !== "");
  }
}

function toPayload(value: unknown): { data: Uint8Array<ArrayBuffer> } {
  return { data: new TextEncoder().encode(JSON.stringify(value)) };
}

async function errorOf(promise: Promise<unknown>): Promise<unknown> {
  return promise.then(
    () => undefined,
    (error: unknown) => error,
  );
}

const address = process.argv[2] ?? "127.0.0.1:50051";
const transport = createGrpcTransport({
  baseUrl: `http://${address}`,
  defaultTimeoutMs: 60_000,
});
await tour(new Durable(createClient(DurableControl, transport)));
