from dataclasses import dataclass


@dataclass(frozen=True)
class Violation:
    """`rule` is stable; `where` names the project, request or client."""

    rule: str
    where: str
    detail: str

    def __str__(self) -> str:
        return f"{self.rule}: {self.where}: {self.detail}"
