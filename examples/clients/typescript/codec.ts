// Encrypts and decrypts payloads as the Python SDK's EncryptionCodec does; the format is in docs/encryption.md.
// Encode what a program sends (the input of an invoke, the value of an awakeable or a signal), and decode what
// it receives.

import { create, fromBinary, toBinary } from "@bufbuild/protobuf";
import { type Payload, PayloadSchema } from "durable-proto/durable/v1/payload_pb.js";
import { createCipheriv, createDecipheriv, randomBytes } from "node:crypto";
import { deflateSync, inflateSync } from "node:zlib";

/** The content type of an encrypted payload. */
export const CONTENT_TYPE = "application/x-durable-encrypted";
const ENCODED = "application/x-durable-";
const VERSION = 1;
const ALGORITHMS = { "aes-256-gcm": 1, "chacha20-poly1305": 2 } as const;
const PLAIN = 0;
const ZLIB = 1;
const NONCE_BYTES = 12;
const TAG_BYTES = 16;
const BYTES_MAX = 64 * 1024 * 1024; // of a value that is decompressed

export type Algorithm = keyof typeof ALGORITHMS;

/** A value cannot be decoded: its key is not known here, or it was changed. */
export class UndecodableError extends Error {}

/** Keys of 32 random bytes by their ids; values are encrypted with the one that is `newest`. */
export class EncryptionCodec {
  constructor(
    private readonly keys: ReadonlyMap<string, Uint8Array>,
    private readonly newest: string,
    private readonly algorithm: Algorithm = "aes-256-gcm",
    private readonly compress = false,
  ) {}

  /** Returns the encrypted payload. */
  encode(payload: Payload): Payload {
    let value: Uint8Array = toBinary(PayloadSchema, payload);
    let compression = PLAIN;
    if (this.compress) {
      const smaller = deflateSync(value);
      if (smaller.length < value.length) [value, compression] = [smaller, ZLIB];
    }
    const id = Buffer.from(this.newest);
    const header = Buffer.concat([Buffer.of(VERSION, ALGORITHMS[this.algorithm], compression, id.length), id]);
    const nonce = randomBytes(NONCE_BYTES);
    const cipher = createCipheriv(this.algorithm as "aes-256-gcm", this.key(this.newest), nonce, { authTagLength: TAG_BYTES });
    cipher.setAAD(associated(header));
    const data = Buffer.concat([header, nonce, cipher.update(value), cipher.final(), cipher.getAuthTag()]);
    return create(PayloadSchema, { contentType: CONTENT_TYPE, data });
  }

  /** Returns the payload that was encrypted; one that nobody has encoded as it is. Throws UndecodableError. */
  decode(payload: Payload): Payload {
    if (!payload.contentType.startsWith(ENCODED)) return payload;
    const data = Buffer.from(payload.data);
    if (payload.contentType !== CONTENT_TYPE || data.length < 4 || data[0] !== VERSION) {
      throw new UndecodableError(`${payload.contentType}, version ${data[0]}, is not known here`);
    }
    const start = 4 + data[3]!;
    if (data.length < start + NONCE_BYTES + TAG_BYTES) throw new UndecodableError(`the value ends after ${data.length} bytes`);
    const header = data.subarray(0, start);
    const id = header.subarray(4).toString();
    const algorithm = Object.entries(ALGORITHMS).find(([, number]) => number === header[1])?.[0];
    if (!algorithm) throw new UndecodableError(`algorithm ${header[1]} is not known here`);
    const nonce = data.subarray(start, start + NONCE_BYTES);
    const decipher = createDecipheriv(algorithm as "aes-256-gcm", this.key(id), nonce, { authTagLength: TAG_BYTES });
    decipher.setAAD(associated(header));
    decipher.setAuthTag(data.subarray(data.length - TAG_BYTES));
    let value: Uint8Array;
    try {
      const ciphertext = data.subarray(start + NONCE_BYTES, data.length - TAG_BYTES);
      value = Buffer.concat([decipher.update(ciphertext), decipher.final()]);
    } catch {
      throw new UndecodableError(`the value was changed, or another key has the id ${id}`);
    }
    if (header[2] === ZLIB) value = inflateSync(value, { maxOutputLength: BYTES_MAX });
    else if (header[2] !== PLAIN) throw new UndecodableError(`compression ${header[2]} is not known here`);
    return fromBinary(PayloadSchema, value);
  }

  private key(id: string): Uint8Array {
    const key = this.keys.get(id);
    if (!key) throw new UndecodableError(`the key ${id} is not known here`);
    return key;
  }
}

function associated(header: Buffer): Buffer {
  return Buffer.concat([Buffer.from(CONTENT_TYPE), header]);
}
