"""What a part of the report shows."""

from dataclasses import dataclass


@dataclass(frozen=True)
class Section:
    """One part of the report. `figure`: total, count, average, largest or smallest."""

    figure: str
    column: str = ""
    by: str = ""
    largest_first: bool = False

    @property
    def title(self) -> str:
        what = f"{self.figure} {self.column}".strip()
        return f"{what} by {self.by}" if self.by else what
