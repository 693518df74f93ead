"""The base of every settings value, and the number types that settings are made of."""

from typing import Annotated, Any

from pydantic import BaseModel, ConfigDict, Field, GetCoreSchemaHandler
from pydantic_core import core_schema


class Settings(BaseModel):
    """An immutable value read from a scenario file; an unknown field is an error."""

    model_config = ConfigDict(
        frozen=True,
        extra="forbid",
        allow_inf_nan=False,
        use_attribute_docstrings=True,
    )


class _OrWord:
    """Lets a word stand for None: TOML has no null."""

    def __init__(self, word: str) -> None:
        self._word = word

    def __get_pydantic_core_schema__(
        self,
        source: Any,  # noqa: ANN401 - the signature is pydantic's
        handler: GetCoreSchemaHandler,
    ) -> core_schema.CoreSchema:
        inner, word = handler(source), self._word
        return core_schema.no_info_before_validator_function(
            lambda value: None if value == word else value,
            inner,
            serialization=core_schema.wrap_serializer_function_ser_schema(
                lambda value, serialise: word if value is None else serialise(value),
                schema=inner,
                when_used="json",
            ),
        )


Seconds = Annotated[float, Field(ge=0, strict=True)]
PositiveSeconds = Annotated[float, Field(gt=0, strict=True)]
PositiveCount = Annotated[int, Field(gt=0, strict=True)]
Count = Annotated[int, Field(ge=0, strict=True)]
Share = Annotated[float, Field(ge=0, le=1, strict=True)]
Rate = Annotated[float, Field(gt=0, strict=True)]
"""Events per second."""
OrNone = _OrWord("none")
"""Marks a field that may be switched off: `Annotated[Seconds | None, OrNone]`."""
OrAll = _OrWord("all")
"""Marks a list that may be left open, so that it means all there are."""
