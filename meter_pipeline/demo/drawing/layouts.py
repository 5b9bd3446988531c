"""Layouts: where a design has its register, print, port, buttons and screws; eight ways to arrange a plate."""

from __future__ import annotations

import random
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Literal, TypeVar

from meter_pipeline.demo.drawing.parts import Box, Colour, Knob, Line, Point, Port

T = TypeVar("T")


class Choices:
    """Random choices that come only from `random.Random.random`, whose sequence Python promises to keep."""

    def __init__(self, seed: str) -> None:
        self._random = random.Random(seed)

    def chance(self, share: float) -> bool:
        """Return True in this share of the cases."""
        return self._random.random() < share

    def pick(self, values: Sequence[T]) -> T:
        """Return one of the values."""
        return values[int(self._random.random() * len(values))]

    def between(self, low: float, high: float) -> float:
        """Return a number from `low` to `high`."""
        return low + (high - low) * self._random.random()


@dataclass(frozen=True)
class Places:
    """Where a layout puts things."""

    register: Box
    logo: Box
    name: Line
    print_area: Box
    serial: Box
    port: Port | None
    buttons: tuple[Knob, ...]
    leds: tuple[Knob, ...]
    disc: Box | None
    mark: Box | None


@dataclass(frozen=True)
class _Plan:
    """Where one of the layouts puts things; port and buttons as fractions of the plate."""

    register: Box
    logo: Box
    name: Box
    print_area: Box
    serial: Box
    port_at: Point | None
    buttons_at: Point
    disc: Box | None = None


def arrange(choices: Choices, layout: str, plate: Box, height: float) -> Places:
    """Place everything on the plate as one of the layouts does.

    Args:
        choices: of what varies; the order of the choices is part of the catalogue.
        layout: one of `_PLANS`.
        plate: the plate, in face units.
        height: of the face, in face units.
    """
    width = choices.between(0.5, 0.66)
    side = choices.between(0.04, 0.12)
    plan = _PLANS[layout](_Given(choices, plate, height, width, side))
    spot = plate.part(*plan.buttons_at, *plan.buttons_at)
    return Places(
        register=plan.register,
        logo=plan.logo,
        name=Line(plan.name.left, plan.name.top, plan.name.height * choices.between(0.7, 1.0), ""),
        print_area=plan.print_area,
        serial=plan.serial,
        port=_port(choices, plate, plan.port_at),
        buttons=_row_of_buttons(choices, spot, vertical=layout == "top") if layout not in ("disc", "round") else (),
        leds=_row_of_leds(choices, plate, plan.register) if layout != "disc" else (),
        disc=plan.disc,
        mark=plate.part(0.86, 0.9, 0.96, 0.98) if choices.chance(0.5) else None,
    )


@dataclass(frozen=True)
class _Given:
    """What a layout plans with: width of the register and its distance from the side are fractions of the plate."""

    choices: Choices
    plate: Box
    height: float
    width: float
    side: float

    def part(self, left: float, top: float, right: float, bottom: float) -> Box:
        """Return a part of the plate."""
        return self.plate.part(left, top, right, bottom)


def _top(given: _Given) -> _Plan:
    choices, right = given.choices, given.side + given.width
    return _Plan(
        register=given.part(given.side, 0.07, right, 0.07 + choices.between(0.19, 0.27)),
        logo=given.part(0.05, 0.4, 0.17, 0.5),
        name=given.part(0.2, 0.41, 0.6, 0.48),
        print_area=given.part(0.06, 0.54, 0.72, 0.8),
        serial=given.part(0.06, 0.83, 0.7, 0.97),
        port_at=(0.85, choices.between(0.55, 0.8)),
        buttons_at=(right + 0.1, 0.2),
    )


def _middle(given: _Given) -> _Plan:
    choices = given.choices
    left = choices.pick((0.5 - given.width / 2, 0.08, 0.92 - given.width))
    return _Plan(
        register=given.part(left, 0.24, left + given.width, 0.24 + choices.between(0.17, 0.24)),
        logo=given.part(0.06, 0.05, 0.18, 0.16),
        name=given.part(0.22, 0.06, 0.7, 0.14),
        print_area=given.part(0.07, 0.66, 0.7, 0.84),
        serial=given.part(0.1, 0.87, 0.8, 0.98),
        port_at=(choices.pick((0.84, 0.16)), 0.57),
        buttons_at=(0.5, 0.56),
    )


def _left(given: _Given) -> _Plan:
    return _Plan(
        register=given.part(0.05, 0.1, 0.56, 0.1 + given.choices.between(0.2, 0.28)),
        logo=given.part(0.68, 0.08, 0.88, 0.24),
        name=given.part(0.63, 0.26, 0.95, 0.33),
        print_area=given.part(0.05, 0.5, 0.62, 0.76),
        serial=given.part(0.05, 0.8, 0.75, 0.96),
        port_at=(0.81, 0.56),
        buttons_at=(0.15, 0.44),
    )


def _low(given: _Given) -> _Plan:
    choices, half = given.choices, given.width / 2
    return _Plan(
        register=given.part(0.5 - half, 0.52, 0.5 + half, 0.52 + choices.between(0.18, 0.24)),
        logo=given.part(0.82, 0.05, 0.95, 0.16),
        name=given.part(0.06, 0.05, 0.6, 0.13),
        print_area=given.part(0.06, 0.17, 0.78, 0.34),
        serial=given.part(0.06, 0.38, 0.7, 0.49),
        port_at=(choices.pick((0.15, 0.85)), 0.88),
        buttons_at=(0.5, 0.87),
    )


def _split(given: _Given) -> _Plan:
    choices, plate = given.choices, given.plate
    register = given.part(0.1, 0.1, 0.9, 0.1 + choices.between(0.28, 0.38))
    below_the_plate = (choices.between(0.7, 0.74) * given.height - plate.top) / plate.height
    return _Plan(
        register=register,
        logo=given.part(0.06, 0.53, 0.2, 0.68),
        name=given.part(0.25, 0.54, 0.7, 0.65),
        print_area=given.part(0.06, 0.72, 0.66, 0.96),
        serial=given.part(0.7, 0.74, 0.98, 0.96),
        port_at=(choices.pick((0.5, 0.78, 0.22)), max(1.16, below_the_plate - 0.1)),
        buttons_at=(0.85, 0.6),
    )


def _strip(given: _Given) -> _Plan:
    return _Plan(
        register=given.part(0.06, 0.2, 0.66, 0.2 + given.choices.between(0.26, 0.34)),
        logo=given.part(0.72, 0.12, 0.84, 0.32),
        name=given.part(0.7, 0.4, 0.97, 0.5),
        print_area=given.part(0.05, 0.58, 0.55, 0.94),
        serial=given.part(0.58, 0.64, 0.97, 0.92),
        port_at=None,
        buttons_at=(0.88, 0.56),
    )


def _disc(given: _Given) -> _Plan:
    choices = given.choices
    return _Plan(
        register=given.part(0.22, 0.2, 0.78, 0.2 + choices.between(0.13, 0.17)),
        disc=given.part(0.1, choices.between(0.46, 0.52), 0.9, choices.between(0.54, 0.58)),
        logo=given.part(0.08, 0.05, 0.2, 0.15),
        name=given.part(0.24, 0.06, 0.9, 0.14),
        print_area=given.part(0.12, 0.62, 0.86, 0.82),
        serial=given.part(0.2, 0.86, 0.8, 0.97),
        port_at=None,
        buttons_at=(0.9, 0.3),
    )


def _round(given: _Given) -> _Plan:
    return _Plan(
        register=given.part(0.12, 0.24, 0.88, 0.24 + given.choices.between(0.16, 0.22)),
        logo=given.part(0.4, 0.05, 0.6, 0.2),
        name=given.part(0.24, 0.5, 0.76, 0.58),
        print_area=given.part(0.12, 0.62, 0.8, 0.82),
        serial=given.part(0.2, 0.86, 0.8, 0.98),
        port_at=None,
        buttons_at=(0.85, 0.7),
    )


_PLANS: dict[str, Callable[[_Given], _Plan]] = {
    "top": _top,
    "middle": _middle,
    "left": _left,
    "low": _low,
    "split": _split,
    "strip": _strip,
    "disc": _disc,
    "round": _round,
}


def _port(choices: Choices, plate: Box, at: Point | None) -> Port | None:
    if at is None or choices.chance(0.1):
        return None
    spot = plate.part(*at, *at)
    kind: Literal["ring", "hole", "cap", "plate"] = choices.pick(("ring", "hole", "cap", "plate"))
    return Port(kind, spot.left, spot.top, choices.between(58, 105))


def _row_of_buttons(choices: Choices, spot: Box, *, vertical: bool) -> tuple[Knob, ...]:
    count = choices.pick((0, 1, 1, 2, 2, 3))
    radius = choices.between(20, 36)
    colour: Colour = choices.pick(
        ((40, 84, 190), (200, 40, 40), (36, 37, 40), (200, 202, 204), (236, 180, 30), (40, 140, 80))
    )
    shape: Literal["round", "square", "wide"] = choices.pick(("round", "square", "wide"))
    step = 2.9 * radius
    return tuple(
        Knob(
            spot.left + (0 if vertical else (place - (count - 1) / 2) * step),
            spot.top + ((place - (count - 1) / 2) * step if vertical else 0),
            radius,
            colour,
            shape,
        )
        for place in range(count)
    )


def _row_of_leds(choices: Choices, plate: Box, register: Box) -> tuple[Knob, ...]:
    count = choices.pick((1, 1, 2, 3))
    colour: Colour = choices.pick(((220, 40, 36), (220, 40, 36), (60, 200, 90), (240, 160, 40)))
    x = register.left + register.width * choices.pick((0.1, 0.7))
    y = min(register.bottom + choices.between(32, 48), plate.bottom - 15)
    return tuple(Knob(x + 62 * place, y, 12, colour) for place in range(count))


def place_screws(choices: Choices, terminal: str, terminal_top: float, height: float) -> tuple[Knob, ...]:
    """Place the screws: on the terminal cover if there is one, otherwise at the corners."""
    metal: Colour = choices.pick(((168, 160, 140), (120, 122, 126), (190, 170, 110)))
    if terminal == "none":
        spots = [(45, 45), (955, 45), (45, height - 45), (955, height - 45)] if choices.chance(0.4) else []
    else:
        middle = (terminal_top + height) / 2
        spots = [(110, middle), (890, middle)] if choices.chance(0.6) else [(500, middle)]
    return tuple(Knob(x, y, choices.between(24, 34), metal) for x, y in spots)
