"""Values: how a Python value becomes the bytes of a payload, and how the bytes become a value again.

A value is written by what it is, and read by what its type hint says:

    writing   value ──► JSON text ──► payload                        `json_writer`, `serde`
    reading   annotation ──► type hint ──► shape                     `hints`, `shape_factory`
              payload ──► plain JSON data ──shape──► value           `serde`, `shapes`

A shape is how one type looks in JSON: it reads plain data as a value of the type, or says where the
data does not fit. It is made once for each type, and holds everything that reading needs.

- `serde`: the entry. `encode` and `decode` payloads, whose content type says whether they hold JSON,
  a protobuf message or bytes.
- `json_writer`: values to JSON text. Needs no type hint.
- `hints`: annotations to types, each resolved where it is written.
- `shape_factory`: types to shapes; refuses, where it is declared, a type that cannot be read back.
- `shapes`: one class for each form of a type in JSON.
- `third_party`: shapes of types that read and write their values themselves: protobuf, pydantic,
  msgspec.
- `ambiguity`: finds unions whose members could be confused; `shape_factory` refuses those.
- `roundtrip`: finds values that would come back as another class; `encode_as` refuses those.
- `schemas`: shapes to JSON Schema, for people and for the control plane.

Errors. A type that cannot be read is a HintError, raised where the type is named. A value or a payload
that does not fit is a CodecError, which names the place in it (`value.items[3].cents`).
"""
