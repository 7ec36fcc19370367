"""The values of a YAML text, each with its place; a text in it stays as it is written."""

from functools import cache
from pathlib import Path
from typing import Any

from pipeline.errors import SproutError
from pipeline.seeds.shapes import Record
from pipeline.seeds.values import Twice, once

ENDINGS = {".yaml", ".yml"}
_NULLS = {"", "~", "null", "Null", "NULL"}


def yaml_values(text: str, path: Path | str) -> list[Record]:
    """The items of the lists that the documents are, or else the documents.

    Raises:
        SproutError: with `path:line` for what is not YAML, and for a field that is there twice.
    """
    import yaml

    found: list[Record] = []
    line = 1
    try:
        loader = _loader()(text)
        while loader.check_node():
            node = loader.get_node()
            for item in node.value if isinstance(node, yaml.SequenceNode) else [node]:
                line = item.start_mark.line + 1
                found.append(Record(f"{path}:{line}", len(found) + 1, loader.construct_document(item)))
    except Twice as error:
        raise SproutError(f"{path}:{line}: {error}") from None
    except yaml.MarkedYAMLError as error:
        line = error.problem_mark.line + 1 if error.problem_mark else line
        raise SproutError(
            f"{path}:{line}: not YAML ({error.problem}); put a text that holds a colon, or begins with a sign, in "
            f"quotes, and indent with spaces"
        ) from None
    except (yaml.YAMLError, RecursionError) as error:
        raise SproutError(f"{path}: not YAML ({' '.join(str(error).split())}); is it damaged?") from None
    return found


@cache
def _loader() -> Any:
    """One that takes yes for a text, as it does 2.50 and 2024-01-05, and refuses a field that is there twice."""
    import yaml

    class Loader(yaml.BaseLoader):  # type: ignore[misc]
        def construct_scalar(self, node: Any) -> Any:
            return None if node.style is None and node.value in _NULLS else super().construct_scalar(node)

        def construct_mapping(self, node: Any, deep: bool = False) -> dict[Any, Any]:
            return once([(str(key.value), self.construct_object(value, deep=True)) for key, value in node.value])

    return Loader
