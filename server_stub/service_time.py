"""The setting that says how long services take; `service` draws from it."""

from typing import Annotated, Literal

from pydantic import Field, model_validator

from server_stub.settings import PositiveSeconds, Settings


class ServiceTime(Settings):
    """How long one worker is busy with one job."""

    kind: Literal["constant", "exponential", "lognormal"] = "lognormal"
    mean: PositiveSeconds = 0.02
    """Seconds."""
    cv: Annotated[float, Field(gt=0, strict=True)] | None = None
    """Coefficient of variation (standard deviation over mean) of a lognormal; 0.5 unless set,
    the spread of a handshake that mostly waits for one look-up."""

    @model_validator(mode="after")
    def _only_a_lognormal_has_a_free_spread(self) -> "ServiceTime":
        if self.cv is not None and self.kind != "lognormal":
            raise ValueError(f"cv belongs to kind = 'lognormal'; {self.kind!r} has a fixed spread")
        return self
