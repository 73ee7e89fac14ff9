"""Whether a JSON value is what a type of `bench.schema.records` says, and if not, a phrase that says what is wrong."""

from __future__ import annotations

import sys
from collections.abc import Iterator, Mapping
from functools import cache
from types import NoneType, UnionType
from typing import Annotated, Any, Literal, NotRequired, Union, get_args, get_origin, get_type_hints, is_typeddict

PLAIN = {str: "a text", int: "a whole number", float: "a number", bool: "true or false", NoneType: "null", dict: "an object"}


def fault(value: Any, kind: Any, name: str = "") -> str | None:
    """What is wrong with a value, the first of several faults; None for a right one. `name` is where it stands."""
    return next(_faults(value, kind, name), None)


def _faults(value: Any, kind: Any, name: str) -> Iterator[str]:
    origin, arguments = get_origin(kind), get_args(kind)
    if is_typeddict(kind):
        yield from _object(value, kind, name)
    elif kind is Any:
        return
    elif origin is Annotated:
        if any(_faults(value, arguments[0], name)) or not arguments[1].holds(value):
            yield f"{name} is {_shown(value)}, expected {arguments[1].expected}"
    elif origin is Literal:
        if value not in arguments:
            yield f"{name} is {_shown(value)}, expected {' or '.join(arguments)}"
    elif origin in (Union, UnionType):
        if all(any(_faults(value, one, name)) for one in arguments):
            yield next(_faults(value, arguments[0], name))
    elif origin is list:
        if not isinstance(value, list):
            yield f"{name} is {_shown(value)}, expected a list"
        else:
            yield from (text for number, item in enumerate(value) for text in _faults(item, arguments[0], f"{name}[{number}]"))
    elif origin is dict:
        if not isinstance(value, dict):
            yield f"{name} is {_shown(value)}, expected an object"
        else:
            yield from (text for key, item in value.items() for text in _faults(item, arguments[1], f"{name}.{key}"))
    elif not _is_plain(value, kind):
        yield f"{name} is {_shown(value)}, expected {PLAIN[kind]}"


def _object(value: Any, kind: Any, name: str) -> Iterator[str]:
    if not isinstance(value, dict):
        yield f"{name} is {_shown(value)}, expected an object"
        return
    for field, (hint, required) in _fields(kind).items():
        if field in value:
            yield from _faults(value[field], hint, _inside(name, field))
        elif required:
            yield f"{_inside(name, field)} is missing"


@cache
def _fields(kind: Any) -> Mapping[str, tuple[Any, bool]]:
    """Field of a TypedDict -> its type, and whether it has to be there."""
    hints = get_type_hints(kind, include_extras=True)
    bare = {name: get_args(hint)[0] if get_origin(hint) is NotRequired else hint for name, hint in hints.items()}
    return {name: (hint, name in kind.__required_keys__) for name, hint in bare.items()}


def _is_plain(value: Any, kind: Any) -> bool:
    if kind is float:
        return isinstance(value, int | float) and not isinstance(value, bool) and abs(value) <= sys.float_info.max
    return isinstance(value, kind) and (kind is not int or not isinstance(value, bool))


def _inside(name: str, field: str) -> str:
    return f"{name}.{field}" if name else field


def _shown(value: Any) -> str:
    text = repr(value)
    return text if len(text) <= 40 else f"{text[:40]}..."
