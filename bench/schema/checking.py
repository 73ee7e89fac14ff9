"""Types of JSON values that say more than Python's, and whether a value is what such a type says."""

from __future__ import annotations

import re
import sys
from collections.abc import Callable, Container, Iterable, Mapping
from dataclasses import MISSING, fields, is_dataclass
from functools import cache
from types import NoneType, UnionType
from typing import Annotated, Any, Literal, NamedTuple, NotRequired, Union, get_args, get_origin, get_type_hints, is_typeddict

PLAIN = {
    str: "a text", int: "a whole number", float: "a number", bool: "true or false", NoneType: "null",
    dict: "an object", list: "a list",
}  # fmt: skip


class Bound(NamedTuple):
    """What a value has to be besides its type, in words and as a test."""

    expected: str
    holds: Callable[[Any], object]


Above0 = Annotated[float, Bound("a number above 0", lambda value: value > 0)]
AtLeast0 = Annotated[float, Bound("a number of at least 0", lambda value: value >= 0)]
Count = Annotated[int, Bound("a whole number of at least 0", lambda value: value >= 0)]
Number = Annotated[int, Bound("a whole number of at least 1", lambda value: value >= 1)]
Together = Annotated[int, Bound("a whole number from 1 to 10", lambda value: 1 <= value <= 10)]
Time = Annotated[str, Bound("a time as ISO 8601 writes it", re.compile(r"\d{4}(-\d\d){2}T(\d\d:){2}\d\d\S*").fullmatch)]
Shape = Annotated[str, Bound("sizes such as 64x1000x100x10", re.compile(r"\d+(x\d+)*").fullmatch)]


def fault(value: Any, kind: Any, name: str = "") -> str | None:
    """What is wrong with a value, the first of several faults; None for a right one. `name` is where it stands."""
    origin, arguments = get_origin(kind), get_args(kind)
    inner: Iterable[tuple[str, Any, Any]] = ()  # name, value and type of what the value holds
    if origin in (Union, UnionType):
        faults = [fault(value, one, name) for one in arguments]
        return None if None in faults else faults[0]
    if origin is Annotated:
        right, expected = fault(value, arguments[0], name) is None and arguments[1].holds(value), arguments[1].expected
    elif origin is Literal:
        right, expected = value in arguments, " or ".join(arguments)
    elif is_typeddict(kind) or is_dataclass(kind):
        right, expected = isinstance(value, dict), PLAIN[dict]
        hints, required = _fields(kind)
        before = f"{name}." if name else ""
        if right and (absent := [field for field in hints if field in required and field not in value]):
            return f"{before}{absent[0]} is missing"
        inner = ((before + field, value[field], hint) for field, hint in hints.items() if right and field in value)
    else:
        plain = list if origin is tuple else origin or kind
        right, expected = plain not in PLAIN or _is_plain(value, plain), PLAIN.get(plain)
        if right and plain is list:
            inner = ((f"{name}[{number}]", item, arguments[0]) for number, item in enumerate(value))
        elif right and origin is dict:
            inner = ((f"{name}.{key}", item, arguments[1]) for key, item in value.items())
    if not right:
        return f"{name} is {value!r:.40}, expected {expected}"
    return next(filter(None, (fault(item, hint, inside) for inside, item, hint in inner)), None)


@cache
def _fields(kind: Any) -> tuple[Mapping[str, Any], Container[str]]:
    """Field of a TypedDict or a dataclass -> its type; and the fields that have to be there."""
    hints = get_type_hints(kind, include_extras=True)
    if is_dataclass(kind):
        return hints, [field.name for field in fields(kind) if field.default is field.default_factory is MISSING]
    bare = {name: get_args(hint)[0] if get_origin(hint) is NotRequired else hint for name, hint in hints.items()}
    return bare, kind.__required_keys__


def _is_plain(value: Any, kind: Any) -> bool:
    if kind is float:
        return _is_plain(value, (int, float)) and abs(value) <= sys.float_info.max
    return isinstance(value, kind) and (kind is bool or not isinstance(value, bool))
