"""Turns pydantic's complaints into herd's: the field, the value, what is allowed."""

from collections.abc import Iterable, Iterator, Mapping
from typing import Any

from pydantic import BaseModel
from pydantic_core import ErrorDetails, PydanticCustomError

from simulator.errors import Problem, suggest

_MISFIT = "misfit"

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
    "tuple_type": "a list",
    "string_pattern_mismatch": "letters, digits, '.', '-' and '_' only",
}


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
        case "unknown_policy":
            return Problem(place=place, value=_shown(value), allowed=detail["msg"])
        case kind:
            template = _BOUNDS.get(kind)
            allowed = (
                detail["msg"] if template is None else "allowed: " + template.format_map(context)
            )
            return Problem(place=place, value=_shown(value), allowed=allowed)


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
