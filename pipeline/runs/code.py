"""A digest of the code behind a user's own stage, so that a changed helper counts as a changed setting."""

import ast
import hashlib
import inspect
import sys
from collections.abc import Callable, Iterator
from typing import Any

Definition = ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef


def digest_of_code(kind: Callable[..., Any]) -> str | None:
    """A hash of a class or function and of everything in its module that it refers to, directly or not.

    Comments and layout do not count, nor does what the module imports. It is None where there is no source, as for a
    class typed at a prompt.
    """
    try:
        module = sys.modules[kind.__module__]
        tree = ast.parse(inspect.getsource(module))
    except (KeyError, OSError, TypeError, SyntaxError):
        return None
    hashed = hashlib.sha256()
    for node in _reached(tree, kind.__qualname__.partition(".")[0]):
        hashed.update(ast.dump(node).encode())
    return hashed.hexdigest()[:12]


def _reached(tree: ast.Module, name: str) -> Iterator[ast.stmt]:
    """The statements of a module that define the name, and those they refer to, in their order."""
    statements = [node for node in tree.body if not isinstance(node, (ast.Import, ast.ImportFrom))]
    bound = [_bound(node) for node in statements]
    used = [_used(node) for node in statements]
    known = {name}
    while True:
        # A plain statement may change what a name stands for, such as PATTERNS.append(...).
        inside = [
            bool(names & known) or (not names and bool(uses & (known - {name})))
            for names, uses in zip(bound, used, strict=True)
        ]
        more = known.union(*(uses for taken, uses in zip(inside, used, strict=True) if taken))
        if more == known:
            return (node for taken, node in zip(inside, statements, strict=True) if taken)
        known = more


def _bound(node: ast.stmt) -> set[str]:
    if isinstance(node, Definition):
        return {node.name}
    names = (part for part in ast.walk(node) if isinstance(part, ast.Name) and isinstance(part.ctx, ast.Store))
    return {part.id for part in names}


def _used(node: ast.stmt) -> set[str]:
    return {part.id for part in ast.walk(node) if isinstance(part, ast.Name)}
