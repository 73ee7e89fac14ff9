"""Types of JSON values that say more than Python's, and whether a value is what such a type says."""

from __future__ import annotations

import re
import sys
from collections.abc import Callable, Iterator, Mapping
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
    return next(_faults(value, kind, name), None)


def _faults(value: Any, kind: Any, name: str) -> Iterator[str]:
    origin, arguments = get_origin(kind), get_args(kind)
    has_fields = is_typeddict(kind) or is_dataclass(kind)
    plain = dict if has_fields else list if origin is tuple else origin or kind
    if origin is Annotated:
        if any(_faults(value, arguments[0], name)) or not arguments[1].holds(value):
            yield f"{name} is {value!r:.40}, expected {arguments[1].expected}"
    elif origin is Literal:
        if value not in arguments:
            yield f"{name} is {value!r:.40}, expected {' or '.join(arguments)}"
    elif origin in (Union, UnionType):
        if all(any(_faults(value, one, name)) for one in arguments):
            yield next(_faults(value, arguments[0], name))
    elif plain in PLAIN and not _is_plain(value, plain):
        yield f"{name} is {value!r:.40}, expected {PLAIN[plain]}"
    elif has_fields:
        for field, (hint, required) in _fields(kind).items():
            inside = f"{name}.{field}" if name else field
            if field in value:
                yield from _faults(value[field], hint, inside)
            elif required:
                yield f"{inside} is missing"
    elif plain is list:
        yield from (text for number, item in enumerate(value) for text in _faults(item, arguments[0], f"{name}[{number}]"))
    elif origin is dict:
        yield from (text for key, item in value.items() for text in _faults(item, arguments[1], f"{name}.{key}"))


@cache
def _fields(kind: Any) -> Mapping[str, tuple[Any, bool]]:
    """Field of a TypedDict or a dataclass -> its type, and whether it has to be there."""
    hints = get_type_hints(kind, include_extras=True)
    if is_dataclass(kind):
        return {field.name: (hints[field.name], field.default is field.default_factory is MISSING) for field in fields(kind)}
    bare = {name: get_args(hint)[0] if get_origin(hint) is NotRequired else hint for name, hint in hints.items()}
    return {name: (hint, name in kind.__required_keys__) for name, hint in bare.items()}


def _is_plain(value: Any, kind: Any) -> bool:
    if kind is float:
        return isinstance(value, int | float) and not isinstance(value, bool) and abs(value) <= sys.float_info.max
    return isinstance(value, kind) and (kind is not int or not isinstance(value, bool))
