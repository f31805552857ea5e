"""What a soak finds: figures, each of one guarantee of docs/guarantees.md."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True, kw_only=True)
class Figure:
    """One figure.

    guarantee: its name in docs/guarantees.md. most, least: what it is to reach; None for no limit.
    must: whether missing that fails the soak. What was lost or doubled does, on any machine; a
        speed, which the machine decides, is told and fails nothing.
    """

    guarantee: str
    what: str
    value: float
    unit: str = ""
    most: float | None = None
    least: float | None = None
    must: bool = False

    @property
    def reached(self) -> bool:
        """Whether it is as it should be."""
        low = self.least is not None and self.value < self.least
        high = self.most is not None and self.value > self.most
        return not (low or high)

    @property
    def fails(self) -> bool:
        """Whether the soak has failed by it."""
        return self.must and not self.reached

    def row(self) -> tuple[str, str, str, str, str]:
        """Give the cells of its line in a table."""
        limits = (("≥", self.least), ("≤", self.most))
        wanted = [f"{sign} {limit:g}" for sign, limit in limits if limit is not None]
        if self.least == self.most and wanted:
            wanted = [f"= {self.most:g}"]
        verdict = "yes" if self.reached else "NO" if self.must else "short of it"
        number = f"{self.value:,.0f}" if abs(self.value) >= 100 else f"{self.value:.3g}"
        return (
            self.guarantee,
            self.what,
            f"{number} {self.unit}".strip(),
            ", ".join(wanted),
            verdict,
        )


def none_of(guarantee: str, what: str, count: int) -> Figure:
    """Make the figure of something of which there must be none."""
    return Figure(guarantee=guarantee, what=what, value=count, most=0, least=0, must=True)
