"""What tokens cost: by the settings, else by the public list for a provider's own service.

Prices are for a million tokens, so one number is also the micro-units of a single token.
"""

from dataclasses import dataclass
from decimal import Decimal
from functools import lru_cache

from django.conf import settings

# As genai-prices calls them; of others there is no public price.
LISTED = {
    "openai": "openai",
    "openai-chat": "openai",
    "openai-responses": "openai",
    "anthropic": "anthropic",
    "google": "google",
}
# A request costs a little more than its text, for what separates its parts.
FRAME_TOKENS = 500
MILLION = 1_000_000


@dataclass(frozen=True)
class Price:
    """`cached`: of input that the provider had in its cache; None: as other input."""

    input: Decimal
    output: Decimal
    cached: Decimal | None = None

    def __str__(self) -> str:
        parts = (self.input, self.output, self.cached)
        return "/".join(str(part) for part in parts if part is not None)

    def micros(self, input_tokens: int, output_tokens: int, cached_tokens: int = 0) -> int:
        cached = self.input if self.cached is None else self.cached
        fresh = max(0, input_tokens - cached_tokens)
        total = fresh * self.input + cached_tokens * cached + output_tokens * self.output
        return int(total.to_integral_value(rounding="ROUND_CEILING"))


@dataclass(frozen=True)
class Rate:
    """Of one model. Where its price is not known it still counts, as the settings say."""

    provider: str
    model: str
    #: What the endpoint speaks; `is_listed`: it is the provider's own service.
    kind: str = ""
    is_listed: bool = True

    @property
    def own(self) -> Price | None:
        prices = settings.MODEL_PRICES
        return prices.get(f"{self.provider}:{self.model}") or prices.get(self.provider)

    def cost(
        self, input_tokens: int, output_tokens: int, cached_tokens: int = 0, written_tokens: int = 0
    ) -> int | None:
        """In micro-units; None where the price is not known.

        `written_tokens`: of the input, written into the provider's cache, which may cost more.
        """
        if self.own:
            return self.own.micros(input_tokens, output_tokens, cached_tokens)
        listed = LISTED.get(self.kind or self.provider)
        if not self.is_listed or listed is None:
            return None
        return listed_micros(
            listed, self.model, input_tokens, output_tokens, cached_tokens, written_tokens
        )

    def charge(
        self, input_tokens: int, output_tokens: int, cached_tokens: int = 0, written_tokens: int = 0
    ) -> int:
        """What counts against budgets: the cost, or what it may be."""
        cost = self.cost(input_tokens, output_tokens, cached_tokens, written_tokens)
        if cost is None:
            return settings.MODEL_PRICE_UNKNOWN.micros(input_tokens, output_tokens)
        return cost

    def most(self, prompt_bytes: int, max_tokens: int) -> int:
        """The most that a call can cost: no token is shorter than a byte."""
        tokens = prompt_bytes + FRAME_TOKENS
        return max(
            self.charge(tokens, max_tokens), self.charge(tokens, max_tokens, written_tokens=tokens)
        )


@lru_cache(maxsize=4096)
def listed_micros(
    provider: str,
    model: str,
    input_tokens: int,
    output_tokens: int,
    cached_tokens: int,
    written_tokens: int,
) -> int | None:
    from genai_prices import Usage, calc_price

    usage = Usage(
        input_tokens=input_tokens,
        output_tokens=output_tokens,
        cache_read_tokens=cached_tokens,
        cache_write_tokens=written_tokens,
    )
    try:
        price = calc_price(usage, model_ref=model, provider_id=provider).total_price
    except LookupError:
        return None
    return int((price * MILLION).to_integral_value(rounding="ROUND_CEILING"))


def parse_price(text: str) -> Price:
    """`input/output` or `input/output/cached`, for a million tokens. Raises ValueError."""
    numbers = [Decimal(number.strip()) for number in text.split("/")]
    if len(numbers) not in (2, 3) or not all(0 <= n <= MILLION for n in numbers):
        raise ValueError
    return Price(*numbers)
