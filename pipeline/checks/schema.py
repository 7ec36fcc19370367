"""Is the answer JSON that a schema describes?"""

from pipeline.checks.base import Case, Verdict
from pipeline.checks.json_text import NotJson, read_json
from pipeline.errors import SproutError
from pipeline.text import short


def schema(case: Case) -> Verdict:
    """Passes JSON that is valid under the JSON Schema that is expected.

    Raises:
        SproutError: for what is not a JSON Schema, naming the task.
    """
    try:
        value = read_json(case.text)
    except NotJson as error:
        return Verdict(False, str(error))
    if problem := problem_with(value, case.expected, case.task.id):
        return Verdict(False, problem)
    return Verdict(True)


def problem_with(value: object, described: object, task: str) -> str:
    """What a schema objects to in a value; empty if it is valid.

    Raises:
        SproutError: for what is no JSON Schema, naming the task it is of.
    """
    from jsonschema.exceptions import SchemaError, best_match
    from jsonschema.validators import validator_for
    from referencing import Registry
    from referencing.exceptions import Unresolvable

    if not isinstance(described, (dict, bool)):
        raise SproutError(f"task {task}: its schema is {short(repr(described), 80)}; a JSON Schema is an object")
    kind = validator_for(described)
    try:
        kind.check_schema(described)
        # A registry of its own, so that a reference to an address is not fetched.
        error = best_match(kind(described, registry=Registry()).iter_errors(value))
    except (SchemaError, Unresolvable) as error:
        raise SproutError(f"task {task}: its schema is not a JSON Schema ({short(str(error), 120)})") from None
    except RecursionError:
        return "it is nested too deep"
    if error is None:
        return ""
    return f"at {error.json_path}: {short(error.message)}"
