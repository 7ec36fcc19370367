"""The JSON Schema of a settings file, by which an editor completes and checks it."""

from typing import Any, Literal, Union

from pydantic import BaseModel, ConfigDict, Field, create_model
from pydantic.json_schema import GenerateJsonSchema, JsonSchemaValue

from pipeline.engines.base import Sampling
from pipeline.runs.budget import Prices
from pipeline.settings.build import ENGINES, engine_class, options_of
from pipeline.settings.read import SINGLE, RunSettings
from pipeline.settings.resolved import shown_fields, summary
from pipeline.stages import find, names


class ForToml(GenerateJsonSchema):
    """As pydantic has it, without null, which TOML has not."""

    def nullable_schema(self, schema: Any) -> JsonSchemaValue:
        return self.generate_inner(schema["schema"])

    def default_schema(self, schema: Any) -> JsonSchemaValue:
        return super().default_schema(schema) if schema.get("default") is not None else self.nullable_schema(schema)

    def encode_default(self, dft: Any) -> Any:
        found = super().encode_default(dft)
        return {key: one for key, one in found.items() if one is not None} if isinstance(found, dict) else found

    def field_title_should_be_set(self, schema: Any) -> bool:
        return False


def schema() -> dict[str, Any]:
    """Of draft 2020-12. It is as strict as the settings about names, types and bounds, not about files and models."""
    engine: Any = Union[tuple(engine_model(name) for name in ENGINES)]  # noqa: UP007
    kinds = [find(name) for name in names()]
    stages: dict[str, Any] = {kind.kind: (kind, None) for kind in kinds}
    own: dict[str, Any] = {
        key: (field.annotation, field) for key, field in RunSettings.model_fields.items() if key in SINGLE
    }
    several: Any = dict[str, engine]
    own |= {
        "engine": (engine, None),
        "engines": (several, Field({}, description=RunSettings.model_fields["engines"].description)),
        "prices": (Prices, None),
    }
    file: type[BaseModel] = create_model("Settings", __config__=ConfigDict(extra="forbid"), **own, **stages)
    found = file.model_json_schema(schema_generator=ForToml)
    for kind in (Sampling, Prices, *kinds):
        definition = found["$defs"][kind.__name__]
        definition["description"] = summary(kind)
        definition["properties"] = {
            key: one for key, one in definition.get("properties", {}).items() if key in shown_fields(kind)
        }
    # A label makes another table of the same kind; a stage of one's own has a table of its own name.
    labelled = {f"^{kind.kind}-[a-z0-9_]+$": {"$ref": f"#/$defs/{kind.__name__}"} for kind in kinds}
    found["patternProperties"] = labelled
    del found["additionalProperties"]
    known = [{"enum": list(found["properties"])}, *({"pattern": pattern} for pattern in labelled)]
    found["if"] = {"required": ["stages"], "properties": {"stages": {"contains": {"pattern": ":"}}}}
    found["else"] = {"propertyNames": {"anyOf": known}}
    return {"$schema": "https://json-schema.org/draft/2020-12/schema"} | found


def engine_model(name: str) -> type[BaseModel]:
    """The table of an engine; the model may also be given with --model."""
    kind: Any = engine_class(name)
    options = options_of(kind)
    name_type = Literal[name]  # type: ignore[valid-type]
    fields: dict[str, Any] = {key: (field.annotation, field) for key, field in options.model_fields.items()}
    fields["name"] = (name_type, Field("vllm" if name == "vllm" else ..., description=", ".join(ENGINES)))
    fields["model"] = (str, Field("", description=options.model_fields["model"].description))
    return create_model(ENGINES[name], __config__=options.model_config, __doc__=summary(kind), **fields)
