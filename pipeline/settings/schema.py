"""The JSON Schema of a settings file, for completion and checks in an editor."""

from typing import Annotated, Any, Literal, Union

from pydantic import BaseModel, ConfigDict, Field, create_model
from pydantic.json_schema import GenerateJsonSchema, JsonSchemaValue

from pipeline.engines.base import Sampling
from pipeline.engines.find import engine_class, engine_names
from pipeline.runs.budget import Prices
from pipeline.settings.places import SINGLE
from pipeline.settings.read import RunSettings
from pipeline.settings.resolved import shown_fields, summary
from pipeline.stages import find, names


class ForToml(GenerateJsonSchema):
    """pydantic's schema without null, which TOML lacks."""

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
    """The schema, in draft 2020-12. It checks names, types and bounds as the settings do, but not files and models."""
    engine: Any = Union[(*map(engine_model, engine_names()), own_engine())]
    kinds = [find(name) for name in names()]
    stages: dict[str, Any] = {kind.kind: (kind, None) for kind in kinds}
    own: dict[str, Any] = {
        key: (field.annotation, field) for key, field in RunSettings.model_fields.items() if key in SINGLE
    }
    several: Any = dict[str, engine]
    own |= {
        "engine": (engine, Field(None, description=RunSettings.model_fields["engine"].description)),
        "engines": (several, Field({}, description=RunSettings.model_fields["engines"].description)),
        "prompts": (dict[str, str], Field({}, description=RunSettings.model_fields["prompts"].description)),
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
    # A label makes another table of the same kind; a user's own stage has a table of its name.
    labelled = {f"^{kind.kind}-[a-z0-9_]+$": {"$ref": f"#/$defs/{kind.__name__}"} for kind in kinds}
    found["patternProperties"] = labelled
    del found["additionalProperties"]
    known = [{"enum": list(found["properties"])}, *({"pattern": pattern} for pattern in labelled)]
    found["if"] = {"required": ["stages"], "properties": {"stages": {"contains": {"pattern": ":"}}}}
    found["else"] = {"propertyNames": {"anyOf": known}}
    return {"$schema": "https://json-schema.org/draft/2020-12/schema"} | found


def engine_model(name: str) -> type[BaseModel]:
    """The table of an engine; `model` is optional, since --model can name it."""
    kind = engine_class(name)
    name_type = Literal[name]  # type: ignore[valid-type]
    fields: dict[str, Any] = {key: (field.annotation, field) for key, field in kind.options.model_fields.items()}
    default = "vllm" if name == "vllm" else ...
    fields["name"] = (name_type, Field(default, description=", ".join(engine_names())))
    fields["model"] = (str, Field("", description=kind.options.model_fields["model"].description))
    return create_model(kind.__name__, __config__=kind.options.model_config, __doc__=summary(kind), **fields)


def own_engine() -> type[BaseModel]:
    """The table of a user's own engine, of which the schema knows only the name."""
    place = Annotated[str, Field(pattern="^[^:]+:[^:]+$", description="module:Class of an engine of your own")]
    text = "An engine of your own; its options are the fields of its class `options`"
    return create_model("OwnEngine", __config__=ConfigDict(extra="allow"), __doc__=text, name=(place, ...))
