"""What a drawn meter consists of: boxes, knobs, lines of print, and the design that holds them.

Everything is placed in face units: the face is `FACE_WIDTH` wide and `FACE_WIDTH * aspect` high, from the top left.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

FACE_WIDTH = 1000.0

Colour = tuple[int, int, int]
Point = tuple[float, float]


@dataclass(frozen=True)
class Box:
    """A rectangle in face units."""

    left: float
    top: float
    width: float
    height: float

    @property
    def right(self) -> float:
        """Right edge."""
        return self.left + self.width

    @property
    def bottom(self) -> float:
        """Lower edge."""
        return self.top + self.height

    def part(self, left: float, top: float, right: float, bottom: float) -> Box:
        """Return a part of the box, its edges given as fractions of the box."""
        return Box(
            self.left + left * self.width,
            self.top + top * self.height,
            (right - left) * self.width,
            (bottom - top) * self.height,
        )


@dataclass(frozen=True)
class Maker:
    """A fictitious maker: its name as printed, its typeface (a matplotlib font file), its logo's shape and colour."""

    name: str
    font: str
    logo: str
    logo_colour: Colour


@dataclass(frozen=True)
class Line:
    """A printed line: left or centre anchor, height of its letters in face units."""

    x: float
    y: float
    size: float
    text: str
    bold: bool = False


@dataclass(frozen=True)
class Knob:
    """A button, LED or screw."""

    x: float
    y: float
    radius: float
    colour: Colour
    shape: Literal["round", "square", "wide"] = "round"


@dataclass(frozen=True)
class Port:
    """The optical port: a ring, a dark hole, a capped socket, or a magnet plate."""

    kind: Literal["ring", "hole", "cap", "plate"]
    x: float
    y: float
    radius: float


@dataclass(frozen=True)
class Design:
    """A meter design; see the module's docstring for the units."""

    name: str
    maker: Maker
    housing: Literal["box", "shouldered", "arched", "round", "cut"]
    housing_colour: Colour
    aspect: float
    clear_cover: bool
    layout: str
    plate: Box
    plate_colour: Colour
    plate_name: str
    ink: Colour
    band: Box | None
    band_colour: Colour
    register: Literal["lcd", "drums"]
    register_box: Box
    bezel: Colour
    lcd_off: Colour
    lcd_lit: Colour | None
    lit_share: float
    digits: int
    decimals: int
    unit: str
    logo_box: Box
    name_line: Line
    lines: tuple[Line, ...]
    serial: Box
    serial_prefix: str
    serial_digits: int
    barcode: bool
    port: Port | None
    buttons: tuple[Knob, ...]
    leds: tuple[Knob, ...]
    disc: Box | None
    terminal: Literal["ribbed", "plain", "clear", "none"]
    terminal_top: float
    terminal_colour: Colour
    screws: tuple[Knob, ...]
    approval_mark: Box | None
    window: Colour | None
    unseen: bool = False

    @property
    def height(self) -> float:
        """Height of the face in face units."""
        return FACE_WIDTH * self.aspect
