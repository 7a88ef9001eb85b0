// Decodes the test vectors of the codec, and encodes their values anew.
//
//   npm run build && node dist/codec_check.js ../../../tests/vectors/codec.json
//
// It prints the new encodings, as payloads in JSON, one a line; and fails if a vector does not decode to its
// value, or if one that must be refused does decode.

import { equals, fromJson, type JsonValue, toJsonString } from "@bufbuild/protobuf";
import { type Payload, PayloadSchema } from "durable-proto/durable/v1/payload_pb.js";
import { readFileSync } from "node:fs";
import { type Algorithm, EncryptionCodec } from "./codec.js";

interface Vector { name: string; payload: JsonValue; encoded: JsonValue }
interface Vectors { keys: Record<string, string>; valid: Vector[]; invalid: Vector[] }

const given: Vectors = JSON.parse(readFileSync(process.argv[2] ?? "", "utf8"));
const keys = new Map(Object.entries(given.keys).map(([id, key]) => [id, Buffer.from(key, "base64")]));
const reader = new EncryptionCodec(keys, "");
const read = (json: JsonValue): Payload => fromJson(PayloadSchema, json);

for (const it of given.valid) {
  const value = read(it.payload);
  if (!equals(PayloadSchema, reader.decode(read(it.encoded)), value)) throw new Error(it.name);
  for (const id of keys.keys()) {
    for (const algorithm of ["aes-256-gcm", "chacha20-poly1305"] satisfies Algorithm[]) {
      for (const compress of [false, true]) {
        const encoded = new EncryptionCodec(keys, id, algorithm, compress).encode(value);
        console.log(`${it.name}\t${toJsonString(PayloadSchema, encoded)}`);
      }
    }
  }
}
for (const it of given.invalid) {
  let decoded: Payload;
  try {
    decoded = reader.decode(read(it.encoded));
  } catch {
    continue;
  }
  throw new Error(`${it.name} is decoded: ${toJsonString(PayloadSchema, decoded)}`);
}
