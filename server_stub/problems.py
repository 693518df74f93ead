"""Turns pydantic's complaints into herd's: the field, the value, what is allowed."""

import difflib
import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from pydantic import BaseModel
from pydantic_core import ErrorDetails, PydanticCustomError

_MISFIT = "misfit"
_QUOTED = re.compile(r"'([^']*)'")

_BOUNDS = {
    "greater_than": "more than {gt}",
    "greater_than_equal": "at least {ge}",
    "less_than": "less than {lt}",
    "less_than_equal": "at most {le}",
    "too_short": "at least {min_length} of them",
    "string_too_short": "at least {min_length} character",
    "literal_error": "one of {expected}",
    "enum": "one of {expected}",
    "finite_number": "a finite number",
    "float_type": "a number",
    "int_type": "a whole number",
    "int_from_float": "a whole number",
    "bool_type": "true or false",
    "string_type": "text",
    "missing": "required, but not set",
    "model_type": "a table",
    "model_attributes_type": "a table",
    "dict_type": "a table",
    "tuple_type": "a list",
    "string_pattern_mismatch": "letters, digits, '.', '-' and '_' only",
}


@dataclass(frozen=True, kw_only=True, slots=True)
class Problem:
    """One mistake in the input: where it stands, what stands there, what is allowed."""

    place: str
    value: str
    allowed: str

    def __str__(self) -> str:
        value = f" = {self.value}" if self.value else ""
        return f"{self.place}{value}: {self.allowed}"


def suggest(name: str, known: Iterable[str]) -> str:
    """What could have been meant: the nearest valid name, then all of them."""
    names = sorted(known)
    return f"{_hint(name, names)}valid: {', '.join(names)}"


def _hint(name: str, names: Iterable[str]) -> str:
    near = difflib.get_close_matches(name, list(names), n=1)
    return f"did you mean {near[0]!r}? " if near else ""


def problems_of(details: Iterable[ErrorDetails], model: type[BaseModel]) -> Iterator[Problem]:
    """Every mistake that pydantic found, in the words of the interface.

    Args:
        details: The mistakes as a validation error lists them.
        model: The model that was validated; its field names serve as suggestions.
    """
    for detail in details:
        if detail["type"] == _MISFIT:
            yield from detail["ctx"]["problems"]
        else:
            yield _problem(detail, model)


def misfit_error(problems: Iterable[Problem]) -> PydanticCustomError:
    """For a model's own validator: several problems in one error."""
    return PydanticCustomError(_MISFIT, "settings that do not fit", {"problems": tuple(problems)})


def _problem(detail: ErrorDetails, model: type[BaseModel]) -> Problem:
    place = _dotted(detail["loc"])
    value = detail["input"]
    context = {
        name: f"{bound:g}" if isinstance(bound, float) else bound
        for name, bound in detail.get("ctx", {}).items()
    }
    match detail["type"]:
        case "extra_forbidden":
            known = _fields_at(model, detail["loc"][:-1])
            allowed = f"unknown field; {suggest(str(detail['loc'][-1]), known)}"
            return Problem(place=place, value=_shown(value), allowed=allowed)
        case "missing":
            return Problem(place=place, value="", allowed=_BOUNDS["missing"])
        case "value_error":
            return Problem(place=place, value="", allowed=str(context["error"]))
        case kind if kind in _BOUNDS:
            choices = _QUOTED.findall(str(context.get("expected", "")))
            hint = _hint(value, choices) if isinstance(value, str) else ""
            allowed = f"{hint}allowed: {_BOUNDS[kind].format_map(context)}"
            return Problem(place=place, value=_shown(value), allowed=allowed)
        case _:
            return Problem(place=place, value=_shown(value), allowed=detail["msg"])


def _dotted(location: tuple[int | str, ...]) -> str:
    return ".".join(map(str, location)) or "scenario"


def _shown(value: Any) -> str:  # noqa: ANN401 - whatever the input held
    return "{...}" if isinstance(value, Mapping) else repr(value)


def _fields_at(model: type[BaseModel], location: tuple[int | str, ...]) -> list[str]:
    """The field names of the model that stands at this place inside another."""
    current = model
    for step in location:
        if isinstance(step, str) and step in current.model_fields:
            inner = _model_in(current.model_fields[step].annotation)
            current = inner or current
    return list(current.model_fields)


def _model_in(annotation: Any) -> type[BaseModel] | None:  # noqa: ANN401 - any type expression
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        return annotation
    for argument in getattr(annotation, "__args__", ()):
        if (found := _model_in(argument)) is not None:
            return found
    return None
