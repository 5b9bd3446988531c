"""The catalogue of drawn meter designs: what each looks like, in numbers, before anything varies from meter to meter.

The makers, their logos and their names are invented. The catalogue comes from a seeded generator and never changes.
"""

from __future__ import annotations

import colorsys
from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import cache
from typing import Literal

from meter_pipeline.demo.drawing.layouts import Choices, arrange, place_screws
from meter_pipeline.demo.drawing.palette import (
    CONSTANTS,
    FONTS,
    HOUSING_COLOURS,
    KINDS,
    LCD_TINTS,
    LOGO_COLOURS,
    LOGOS,
    MAKER_NAMES,
    NOTES,
    OWNERS,
    PLATE_COLOURS,
    RATINGS,
)
from meter_pipeline.demo.drawing.parts import FACE_WIDTH, Box, Colour, Design, Line, Maker

KNOWN_COUNT = 38
UNSEEN_COUNT = 8
CATALOGUE_SEED = "meter catalogue 1"
_TRAITS_ALIKE_AT_MOST = 4
"""Two designs that are not twins share at most this many of the seven traits of `_traits`."""


@cache
def catalogue() -> tuple[Design, ...]:
    """Return every design: the known ones in order, then the unseen ones.

    The first designs are the ones the smaller sample sizes take: no twins among the first five, a pair of twins among
    the first fourteen, and an unseen twin of a known one among the first five unseen.
    """
    choices = Choices(CATALOGUE_SEED)
    makers = _makers(choices)
    singles: list[Design] = []
    twins_of = {8: 9, 15: 16, 21: 22, 27: 28, 33: 34}  # place of a design: place of its twin
    while len(singles) < KNOWN_COUNT - len(twins_of) + UNSEEN_COUNT - 1:
        design = _random_design(choices, makers)
        if all(_alike(design, other) <= _TRAITS_ALIKE_AT_MOST for other in singles):
            singles.append(design)
    known: list[Design] = []
    for place in range(KNOWN_COUNT):
        original = next((first for first, second in twins_of.items() if second == place), None)
        known.append(singles.pop(0) if original is None else _twin(choices, known[original], makers))
    unseen = [*singles[:2], _twin(choices, known[2], makers), *singles[2:]]
    return _named([*known, *(replace(design, unseen=True) for design in unseen)])


def known_designs() -> tuple[Design, ...]:
    """Return the designs a model may learn."""
    return catalogue()[:KNOWN_COUNT]


def unseen_designs() -> tuple[Design, ...]:
    """Return the designs no model is trained on."""
    return catalogue()[KNOWN_COUNT:]


def _makers(choices: Choices) -> tuple[Maker, ...]:
    start = int(choices.between(0, len(LOGOS)))
    return tuple(
        Maker(
            name,
            choices.pick(FONTS),
            LOGOS[(start + 5 * place) % len(LOGOS)],
            choices.pick(LOGO_COLOURS),
        )
        for place, name in enumerate(MAKER_NAMES)
    )


def _traits(design: Design) -> tuple[object, ...]:
    return (
        design.maker,
        design.housing,
        design.housing_colour,
        design.plate_name,
        design.layout,
        design.lcd_off if design.register == "lcd" else design.register,
        (design.terminal, round(design.aspect, 1)),
    )


def _alike(one: Design, other: Design) -> int:
    return sum(a == b for a, b in zip(_traits(one), _traits(other), strict=True))


def _named(designs: list[Design]) -> tuple[Design, ...]:
    """Name each design MAKER_COLOUR_LETTER, letters in order of appearance."""
    seen: dict[str, int] = {}
    named = []
    for design in designs:
        stem = f"{design.maker.name.upper()}_{design.plate_name}"
        seen[stem] = seen.get(stem, 0) + 1
        named.append(replace(design, name=f"{stem}_{chr(ord('A') + seen[stem] - 1)}"))
    return tuple(named)


def _jitter(choices: Choices, colour: Colour, amount: float = 0.06) -> Colour:
    """Return a shade near `colour`, so that no two designs have quite the same plastic."""
    hue, saturation, value = colorsys.rgb_to_hsv(*(channel / 255 for channel in colour))
    hue = (hue + choices.between(-0.02, 0.02)) % 1
    saturation = min(1.0, max(0.0, saturation * choices.between(0.8, 1.2)))
    value = min(1.0, max(0.0, value + choices.between(-amount, amount)))
    red, green, blue = colorsys.hsv_to_rgb(hue, saturation, value)
    return round(red * 255), round(green * 255), round(blue * 255)


def _is_dark(colour: Colour) -> bool:
    return 0.3 * colour[0] + 0.6 * colour[1] + 0.1 * colour[2] < 120


@dataclass(frozen=True)
class _Body:
    """The outline of a design."""

    layout: str
    housing: Literal["box", "shouldered", "arched", "round", "cut"]
    aspect: float
    clear_cover: bool
    terminal: Literal["ribbed", "plain", "clear", "none"]
    terminal_top: float
    plate: Box

    @property
    def height(self) -> float:
        """In face units."""
        return FACE_WIDTH * self.aspect


def _random_body(choices: Choices) -> _Body:
    layout = choices.pick(("top", "top", "middle", "middle", "left", "low", "split", "split", "strip", "disc", "round"))
    housing: Literal["box", "shouldered", "arched", "round", "cut"] = choices.pick(
        ("box", "box", "shouldered", "arched", "cut")
    )
    aspect = choices.between(1.25, 1.75)
    if layout == "strip":
        housing, aspect = choices.pick(("box", "cut")), choices.between(0.66, 0.85)
    elif layout == "disc":
        housing, aspect = choices.pick(("box", "arched", "shouldered")), choices.between(1.1, 1.45)
    elif layout == "round":
        housing, aspect = "round", choices.between(1.0, 1.2)
    height = FACE_WIDTH * aspect
    clear = choices.chance(0.55) and layout != "strip"
    terminal: Literal["ribbed", "plain", "clear", "none"] = (
        "none" if layout in ("strip", "round") else choices.pick(("ribbed", "plain", "clear", "clear"))
    )
    terminal_top = height * choices.between(0.72, 0.8) if terminal != "none" else height
    margin = choices.between(45, 95) if layout != "strip" else choices.between(25, 45)
    top = choices.between(40, 85) if layout != "strip" else choices.between(25, 45)
    plate = Box(margin, top, FACE_WIDTH - 2 * margin, terminal_top - top - choices.between(25, 50))
    if layout == "split":
        plate = replace(plate, height=plate.height * choices.between(0.56, 0.68))
    if layout == "round":
        plate = Box(170, 0.2 * height, 660, 0.6 * height)
    return _Body(layout, housing, aspect, clear, terminal, terminal_top, plate)


def _random_design(choices: Choices, makers: Sequence[Maker]) -> Design:
    """Choose a design; the order of the choices is part of the catalogue."""
    body = _random_body(choices)
    plate_name = choices.pick(tuple(PLATE_COLOURS))
    if body.layout in ("disc", "strip", "round"):
        plate_name = choices.pick(("WHITE", "GREY", "BLACK", "CREAM", "BLUE"))
    plate_colour = _jitter(choices, PLATE_COLOURS[plate_name])
    housing_colour = _jitter(choices, HOUSING_COLOURS[choices.pick(tuple(HOUSING_COLOURS))])
    ink: Colour = choices.pick(((240, 242, 244), (236, 232, 214))) if _is_dark(plate_colour) else (28, 30, 38)
    maker = choices.pick(makers)
    places = arrange(choices, body.layout, body.plate, body.height)
    drums = body.layout in ("strip", "disc") or (body.layout == "round" and choices.chance(0.5))
    lcd_off, lcd_lit = LCD_TINTS[choices.pick(tuple(LCD_TINTS))]
    band = body.plate.part(0, 0, 1, choices.between(0.1, 0.2)) if choices.chance(0.4) else None
    terminal_colour = _jitter(
        choices, choices.pick((housing_colour, housing_colour, HOUSING_COLOURS["black"], HOUSING_COLOURS["white"]))
    )
    return Design(
        name="",
        maker=maker,
        housing=body.housing,
        housing_colour=housing_colour,
        aspect=body.aspect,
        clear_cover=body.clear_cover,
        layout=body.layout,
        plate=body.plate,
        plate_colour=plate_colour,
        plate_name=plate_name,
        ink=ink,
        band=band,
        band_colour=_jitter(choices, choices.pick(((30, 80, 160), (210, 215, 220), (180, 40, 40), (30, 110, 80)))),
        register="drums" if drums else "lcd",
        register_box=places.register,
        bezel=choices.pick(((24, 25, 28), (24, 25, 28), (214, 216, 216), (90, 94, 98), plate_colour)),
        lcd_off=lcd_off,
        lcd_lit=lcd_lit,
        lit_share=choices.between(0.5, 0.9),
        digits=choices.pick((5, 6, 6, 7, 8)),
        decimals=choices.pick((0, 1, 1, 2)),
        unit=choices.pick(("kWh", "kWh", "kW h", "kVAh")),
        logo_box=places.logo,
        name_line=replace(places.name, text=maker.name, bold=True),
        lines=_printed_lines(choices, places.print_area),
        serial=places.serial,
        serial_prefix=choices.pick(("", "S.No. ", "No ", "MT", "SB", "LX ", "Sr.No.Y")),
        serial_digits=choices.pick((7, 8, 8, 9)),
        barcode=choices.chance(0.75),
        port=places.port,
        buttons=places.buttons,
        leds=places.leds,
        disc=places.disc,
        terminal=body.terminal,
        terminal_top=body.terminal_top,
        terminal_colour=terminal_colour,
        screws=place_screws(choices, body.terminal, body.terminal_top, body.height),
        approval_mark=places.mark,
        window=_jitter(choices, (60, 66, 74)) if choices.chance(0.3) and not drums else None,
    )


def _printed_lines(choices: Choices, area: Box) -> tuple[Line, ...]:
    type_code = f"{choices.pick('ABDEHKMNPRST')}{choices.pick('LMSX')}{int(choices.between(10, 99))}"
    texts = [choices.pick(KINDS), choices.pick(RATINGS), choices.pick(CONSTANTS)]
    texts += [choices.pick(NOTES) for _ in range(choices.pick((0, 1, 2)))]
    if choices.chance(0.6):
        texts.insert(choices.pick((0, len(texts))), choices.pick(OWNERS))
    pitch = area.height / len(texts)
    size = min(pitch * 0.8, choices.between(26, 44))
    heading = choices.chance(0.5)
    return tuple(
        Line(area.left, area.top + pitch * place, size, text.format(type=type_code), bold=heading and place == 0)
        for place, text in enumerate(texts)
    )


def _twin(choices: Choices, original: Design, makers: Sequence[Maker]) -> Design:
    """Return the design of another maker in the same housing: other logo, name, print, plate shade and buttons."""
    maker = choices.pick([maker for maker in makers if maker != original.maker])
    area = Box(
        original.lines[0].x,
        original.lines[0].y,
        0.6 * original.plate.width,
        max(90.0, original.lines[-1].y - original.lines[0].y + original.lines[-1].size),
    )
    colour: Colour = choices.pick(((200, 40, 40), (40, 84, 190), (236, 180, 30), (36, 37, 40)))
    return replace(
        original,
        maker=maker,
        plate_colour=_jitter(choices, original.plate_colour, 0.1),
        name_line=replace(original.name_line, text=maker.name),
        lines=_printed_lines(choices, area),
        buttons=tuple(replace(button, colour=colour) for button in original.buttons),
        band=None if original.band else original.plate.part(0, 0, 1, 0.13),
        band_colour=_jitter(choices, choices.pick(((30, 80, 160), (210, 215, 220), (180, 40, 40)))),
        serial_prefix=choices.pick(("P-", "EG", "TR ")),
        barcode=not original.barcode,
    )
