import hypothesis.strategies as st
import numpy as np
import pytest
from hypothesis import given
from scipy import stats

from server_stub.config import ServiceTime
from server_stub.draws import Purpose, uniforms
from server_stub.service import service_time, service_times

SPECS = [
    ServiceTime(kind="constant", mean=0.02),
    ServiceTime(kind="exponential", mean=0.02),
    ServiceTime(kind="lognormal", mean=0.02),
    ServiceTime(kind="lognormal", mean=0.02, cv=2.0),
]
DRAWS = st.integers(0, 2**52 - 1).map(lambda n: (n + 0.5) * 2.0**-52)
N = 200_000
U = uniforms(1, Purpose.SERVICE, np.arange(N))

every_kind = pytest.mark.parametrize("spec", SPECS, ids=lambda spec: f"{spec.kind}-{spec.cv}")


@every_kind
@given(u=st.lists(DRAWS, min_size=1, max_size=40))
def test_arrays_serve_as_long_as_scalars(spec, u):
    """The vector form equals the scalar form bit for bit."""
    assert service_times(spec, np.array(u)).tolist() == [service_time(spec, one) for one in u]


@every_kind
@given(u=DRAWS)
def test_every_service_takes_a_positive_and_finite_time(spec, u):
    """No draw gives a service of no time or of for ever."""
    assert 0 < service_time(spec, u) < float("inf")


@every_kind
@given(u=DRAWS, v=DRAWS)
def test_a_larger_draw_is_no_shorter_service(spec, u, v):
    """Draws go through the inverse distribution function, which never falls."""
    assert service_time(spec, min(u, v)) <= service_time(spec, max(u, v))


@pytest.mark.parametrize(
    ("spec", "cv"),
    list(zip(SPECS, [0.0, 1.0, 0.5, 2.0], strict=True)),
    ids=str,
)
def test_services_have_the_stated_mean_and_spread(spec, cv):
    """The mean is within four standard errors, the spread within a twentieth."""
    times = service_times(spec, U)
    assert times.mean() == pytest.approx(spec.mean, abs=4 * cv * spec.mean / np.sqrt(N) + 1e-15)
    assert times.std() == pytest.approx(cv * spec.mean, rel=0.05, abs=1e-15)


@pytest.mark.parametrize(
    ("spec", "distribution"),
    [
        (SPECS[1], stats.expon(scale=0.02)),
        (SPECS[2], stats.lognorm(s=np.sqrt(np.log(1.25)), scale=0.02 / np.sqrt(1.25))),
    ],
    ids=["exponential", "lognormal"],
)
def test_services_follow_the_named_distribution(spec, distribution):
    """Quantiles agree with scipy's own distribution."""
    assert service_times(spec, U[:1000]) == pytest.approx(distribution.ppf(U[:1000]), rel=1e-9)


def test_any_shape_is_kept():
    """A table of draws gives a table of services."""
    for spec in SPECS:
        assert service_times(spec, U[:6].reshape(2, 3)).shape == (2, 3)
