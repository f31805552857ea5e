"""One figure, as one line of JSON: ratios, goals, values."""

import json
import operator
from collections.abc import Mapping
from dataclasses import dataclass, field

_COMPARE = {">=": operator.ge, "<=": operator.le, "<": operator.lt, "==": operator.eq}


@dataclass(frozen=True, slots=True, kw_only=True)
class Line:
    """One figure.

    ratios: its values over those of its floor, taken in the same run; what is worth comparing
        between machines.
    values: the values themselves, by a name that ends in its unit.
    goals: name of a ratio or value -> what it should be, such as `>= 0.6`.
    """

    figure: str
    about: str
    ratios: Mapping[str, float] = field(default_factory=dict)
    values: Mapping[str, float] = field(default_factory=dict)
    goals: Mapping[str, str] = field(default_factory=dict)

    def short(self) -> list[str]:
        """Name the goals that were not reached."""
        found = {**self.values, **self.ratios}
        return [name for name, goal in self.goals.items() if not _holds(found[name], goal)]

    def json(self) -> str:
        """Write it on one line."""
        return json.dumps(
            {
                "figure": self.figure,
                **_rounded(self.ratios),
                "goals": dict(self.goals),
                "short": self.short(),
                **_rounded(self.values),
                "about": self.about,
            }
        )


def _holds(value: float, goal: str) -> bool:
    sign, wanted = goal.split()
    return bool(_COMPARE[sign](value, float(wanted)))


def _rounded(values: Mapping[str, float]) -> dict[str, float]:
    """Keep three digits that count; more would be noise."""
    return {name: float(f"{value:.3g}") for name, value in values.items()}
