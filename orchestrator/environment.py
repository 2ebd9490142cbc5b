from typing import Any

import environ
from django.core.exceptions import ImproperlyConfigured

WORDS = dict.fromkeys(("true", "yes", "on", "1"), True) | dict.fromkeys(
    ("false", "no", "off", "0"), False
)


class Environment(environ.Env):
    """Variables at their word. What is empty is not set; what nobody can read stops the start.

    Else a slip of the pen, such as `HITL_PREVENT_SELF_APPROVAL=ture`, would open what was closed.
    """

    def bool(self, var: str, default: bool) -> bool:
        """Raises ImproperlyConfigured."""
        text = self._text(var)
        if not text:
            return default
        if text.lower() not in WORDS:
            raise ImproperlyConfigured(f"{var} is {text!r}. Use true or false.")
        return WORDS[text.lower()]

    def int(self, var: str, default: int, at_least: int | None = None) -> int:
        """Raises ImproperlyConfigured."""
        text = self._text(var)
        if not text:
            return default
        try:
            number = int(text)
        except ValueError:
            raise ImproperlyConfigured(f"{var} is {text!r}. Use a whole number.") from None
        if at_least is not None and number < at_least:
            raise ImproperlyConfigured(f"{var} is {text}. Use a whole number from {at_least}.")
        return number

    def _text(self, var: str) -> Any:
        return str(self.ENVIRON.get(var, "")).strip()
