"""The tariff: every rule in one place, and the price line by line."""

from dataclasses import dataclass
from decimal import ROUND_HALF_UP, Decimal

CENT = Decimal("0.01")
# Up to so many kg, so many EUR.
WEIGHTS = (
    (Decimal(2), Decimal("4.90")),
    (Decimal(5), Decimal("6.90")),
    (Decimal(10), Decimal("9.40")),
    (Decimal(25), Decimal("14.80")),
)
HEAVIEST = WEIGHTS[-1][0]
PER_KM = Decimal("0.80")
LONG_CM, LONG_EXTRA = Decimal(120), Decimal("6.50")
EXPRESS_EXTRA = Decimal(8)
FRAGILE_EXTRA = Decimal("2.50")
VALUABLE_EUR, VALUABLE_EXTRA = Decimal(500), Decimal("3.20")
MEMBER_PERCENT = 10
MANY_PARCELS, MANY_PERCENT = 20, 5
LEAST_PRICE = Decimal(6)


class Mistake(Exception):
    """Something the rider can put right; the text says what."""


@dataclass(frozen=True)
class Parcel:
    weight: Decimal
    distance: Decimal
    length: Decimal = Decimal(0)
    value: Decimal = Decimal(0)
    express: bool = False
    fragile: bool = False
    member: bool = False
    parcels_a_month: int = 0


def price_lines(parcel):
    """(what for, EUR), in order; their sum is the price."""
    if parcel.weight > HEAVIEST:
        raise Mistake(f"We do not accept parcels heavier than {HEAVIEST} kg.")
    limit, base = next(pair for pair in WEIGHTS if parcel.weight <= pair[0])
    lines = [(f"Parcel up to {limit} kg", base)]
    if parcel.distance:
        lines.append((f"{parcel.distance} km at {PER_KM}", parcel.distance * PER_KM))
    extras = (
        (parcel.length > LONG_CM, f"Longer than {LONG_CM} cm", LONG_EXTRA),
        (parcel.express, "Express", EXPRESS_EXTRA),
        (parcel.fragile, "Fragile", FRAGILE_EXTRA),
        (parcel.value > VALUABLE_EUR, f"Insurance above {VALUABLE_EUR} EUR", VALUABLE_EXTRA),
    )
    lines += [(what, extra) for applies, what, extra in extras if applies]
    discounts = (
        (parcel.member, "Members' discount", MEMBER_PERCENT),
        (parcel.parcels_a_month >= MANY_PARCELS, f"From {MANY_PARCELS} a month", MANY_PERCENT),
    )
    # Both are taken from the same sum; the brief does not say otherwise.
    undiscounted = sum(amount for _, amount in lines)
    for applies, what, percent in discounts:
        if applies:
            lines.append((f"{what}, {percent} %", -undiscounted * percent / 100))
    lines = [(what, amount.quantize(CENT, ROUND_HALF_UP)) for what, amount in lines]
    missing = LEAST_PRICE - sum(amount for _, amount in lines)
    return [*lines, ("Up to the least price", missing)] if missing > 0 else lines


def rules():
    """The tariff, as one reads it out."""
    return [
        *(f"A parcel up to {limit} kg costs {price:.2f} EUR." for limit, price in WEIGHTS),
        f"Parcels heavier than {HEAVIEST} kg are refused.",
        f"{PER_KM:.2f} EUR per km of distance.",
        f"Longer than {LONG_CM} cm: {LONG_EXTRA:.2f} EUR extra.",
        f"Express: {EXPRESS_EXTRA:.2f} EUR extra.",
        f"Fragile: {FRAGILE_EXTRA:.2f} EUR extra.",
        f"Value above {VALUABLE_EUR} EUR: {VALUABLE_EXTRA:.2f} EUR extra for insurance.",
        f"Members: {MEMBER_PERCENT} % discount on everything.",
        f"From {MANY_PARCELS} parcels a month: {MANY_PERCENT} % discount.",
        f"The price is never less than {LEAST_PRICE:.2f} EUR.",
    ]
