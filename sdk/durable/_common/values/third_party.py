"""Shapes of protobuf, pydantic and msgspec types, which read and write their values themselves.

Only protobuf is imported here. The others are found in `sys.modules`: a program that has such a
type has imported the library.
"""

from __future__ import annotations

import json
import sys
import typing
from collections.abc import Callable, Mapping
from typing import Any

from google.protobuf import json_format
from google.protobuf.message import Message

from .hints import HintError, UnresolvedError
from .shapes import ALL_KINDS, ANYTHING, OBJECT, Choice, Shape, ThirdParty


def message(cls: type[Message]) -> Shape:
    """Returns the shape of a protobuf message."""
    name = cls.DESCRIPTOR.full_name
    # JSON of the well-known types is not an object: a Timestamp is a text, a Value is anything.
    well_known = name.startswith("google.protobuf.")

    def make(data: Any) -> Message:
        return json_format.ParseDict(data, cls())

    return ThirdParty(
        cls,
        name,
        make,
        json_format.MessageToDict,
        kinds=ALL_KINDS if well_known else (OBJECT,),
        schema=None if well_known else lambda: {"type": "object"},
        native=True,
    )


def shape_of(cls: Any, args: tuple[Any, ...]) -> Shape | None:
    """Returns the shape of a pydantic, msgspec or similar class; None for any other class."""
    if hasattr(cls, "__pydantic_core_schema__") and hasattr(cls, "model_validate"):
        return _model(cls)
    if hasattr(cls, "__struct_fields__"):
        return _struct(cls[args] if args else cls, cls)
    validate = getattr(cls, "model_validate", None)
    if validate is not None:
        return ThirdParty(
            cls,
            cls.__name__,
            validate,
            lambda value: value.model_dump(mode="json"),
            kinds=ALL_KINDS,
        )
    return None


def _model(cls: Any) -> Shape:
    if cls is sys.modules["pydantic"].BaseModel:
        raise HintError(
            "BaseModel is the base of all models: nothing says of which class a value is to be made;"
            " give the model, or a union of models"
        )
    if not cls.__pydantic_complete__ and not cls.model_rebuild(raise_errors=False):
        raise UnresolvedError(f"a field of {cls.__name__} names a type that is not defined")
    core = cls.__pydantic_core_schema__
    if _masks(core):
        raise HintError(
            f"{cls.__name__} has a secret, which pydantic writes as '**********'; give its field a"
            " serializer that returns get_secret_value(), with @field_serializer"
        )
    words = repr(core)
    aliased = "'validation_alias'" in words
    by_name = cls.model_config.get("populate_by_name") or cls.model_config.get("validate_by_name")
    extra: dict[str, Any] = {}
    if aliased:
        if tuple(map(int, sys.modules["pydantic"].VERSION.split(".")[:2])) >= (2, 11):
            extra = {"by_name": True, "by_alias": True}
        elif not by_name:
            raise HintError(
                f"{cls.__name__} has fields with aliases and would not read what it writes; set"
                " populate_by_name in its model_config"
            )
    fields: dict[str, Shape] = {}
    for name, it in cls.model_fields.items():
        tag = typing.get_origin(it.annotation) is typing.Literal
        values = typing.get_args(it.annotation)
        fields[name] = (
            Choice(name, [(value, value) for value in values])
            if tag and all(isinstance(value, str | int) for value in values)
            else ANYTHING
        )
    root = "root" in fields and "RootModel" in {base.__name__ for base in cls.__mro__}
    return ThirdParty(
        cls,
        cls.__name__,
        _strictly(cls.model_validate, cls.model_validate_json, words, extra),
        lambda value: value.model_dump(mode="json", round_trip=True),
        kinds=ALL_KINDS if root else (OBJECT,),
        fields=None if root else fields,
        schema=None if root or aliased or by_name else lambda: _model_schema(cls),
        # Values are written with the fields' names, and read with the aliases too.
        described=lambda: cls.model_json_schema(by_alias=not aliased),
    )


def aliases_of(cls: Any) -> Mapping[str, str]:
    """Returns the constructor arguments of a pydantic dataclass with aliases, by field."""
    found: dict[str, str] = {}
    for name, it in getattr(cls, "__pydantic_fields__", {}).items():
        alias = it.validation_alias
        if alias is None:
            continue
        if not isinstance(alias, str):
            raise HintError(f"{cls.__name__}.{name}: give its alias as a text, or none")
        found[name] = alias
    return found


def _masks(schema: Any) -> bool:
    """Returns whether pydantic writes asterisks for a part of a type, as for SecretStr."""
    if isinstance(schema, list | tuple):
        return any(_masks(it) for it in schema)
    if not isinstance(schema, dict):
        return False
    if schema.get("serialization", {}).get("is_field_serializer") is not None:
        return False  # the user's own serializer decides
    pydantic = sys.modules["pydantic"]
    if schema.get("type") == "is-instance":
        secrets = (pydantic.SecretStr, pydantic.SecretBytes, pydantic.Secret)
        return isinstance(schema["cls"], type) and issubclass(schema["cls"], secrets)
    return any(_masks(it) for it in schema.values())


def _strictly(
    read: Callable[..., Any], read_json: Callable[..., Any], words: str, extra: Mapping[str, Any]
) -> Callable[[Any], Any]:
    """Returns a function that reads plain data with pydantic.

    A strict type accepts the text of a date only in JSON, so data for one is passed as JSON.
    """
    if "'strict': True" in words:
        return lambda data: read_json(json.dumps(data), **extra)
    return lambda data: read(data, **extra)


def _model_schema(cls: Any) -> Mapping[str, Any]:
    """Returns a schema of a model that refuses nothing which pydantic reads.

    It has the required fields, and which fields are objects or arrays. Scalars are left open,
    because pydantic converts them ("5" is an int to it). A user's validator that runs before
    pydantic's may accept anything, so a model with one gets an empty schema.
    """
    core = repr(cls.__pydantic_core_schema__)
    if any(it in core for it in ("'function-before'", "'function-wrap'", "'function-plain'")):
        return {}
    relaxed: Mapping[str, Any] = _relaxed(cls.model_json_schema(ref_template="#/$defs/{model}"))
    return relaxed


_SCALARS = ["string", "number", "boolean", "null"]


def _relaxed(schema: Any) -> Any:
    if not isinstance(schema, dict):
        return {}
    if "$ref" in schema:
        kept: dict[str, Any] = {"$ref": schema["$ref"]}
    elif "anyOf" in schema or "oneOf" in schema:
        kept = {"anyOf": [_relaxed(it) for it in schema.get("anyOf") or schema["oneOf"]]}
    elif schema.get("type") == "object":
        kept = {"type": "object"}
        if "required" in schema:
            kept["required"] = schema["required"]
        if "properties" in schema:
            kept["properties"] = {it: _relaxed(part) for it, part in schema["properties"].items()}
    elif schema.get("type") == "array":
        kept = {"type": "array"}
        if "items" in schema:
            kept["items"] = _relaxed(schema["items"])
    elif schema.get("type") == "null":
        kept = {"type": "null"}
    elif "type" in schema or "enum" in schema or "const" in schema:
        kept = {"type": _SCALARS[:3]}
    else:
        kept = {}
    if "$defs" in schema:
        kept["$defs"] = {it: _relaxed(part) for it, part in schema["$defs"].items()}
    return kept


def _struct(hint: Any, cls: Any) -> Shape:
    msgspec = sys.modules["msgspec"]
    config = cls.__struct_config__
    fields: dict[str, Shape] | None = None
    if not config.array_like and not config.omit_defaults:
        fields = dict.fromkeys(cls.__struct_encode_fields__, ANYTHING)
        if config.tag_field is not None:
            fields[config.tag_field] = Choice(config.tag_field, [(config.tag, config.tag)])
    return ThirdParty(
        cls,
        cls.__name__,
        # Keys of JSON objects are texts, also where the type says int.
        lambda data: msgspec.convert(data, type=hint, str_keys=True),
        msgspec.to_builtins,
        kinds=("array",) if config.array_like else (OBJECT,),
        fields=fields,
        schema=lambda: _struct_schema(msgspec, hint),
    )


def _struct_schema(msgspec: Any, hint: Any) -> Mapping[str, Any]:
    (schema,), parts = msgspec.json.schema_components([hint], ref_template="#/$defs/{name}")
    return {**schema, "$defs": parts}


def is_pydantic_annotation(hint: Any) -> bool:
    """Returns whether an Annotated type has metadata for pydantic."""
    if "pydantic" not in sys.modules or typing.get_origin(hint) is not typing.Annotated:
        return False
    return any(
        type(it).__module__.partition(".")[0] in ("pydantic", "annotated_types")
        for it in hint.__metadata__
    )


def adapted(hint: Any) -> Shape:
    """Returns the shape of a type that is not a model and that pydantic is to read."""
    adapter = sys.modules["pydantic"].TypeAdapter(hint)
    of = getattr(hint, "__origin__", hint)
    name = str(getattr(of, "__name__", of))
    if not adapter.pydantic_complete:
        raise UnresolvedError(f"{name} names a type that is not defined")
    return ThirdParty(
        hint,
        name,
        _strictly(adapter.validate_python, adapter.validate_json, repr(adapter.core_schema), {}),
        lambda value: adapter.dump_python(value, mode="json"),
        kinds=ALL_KINDS,
    )
