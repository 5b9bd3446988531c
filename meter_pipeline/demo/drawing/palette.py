"""What designs are chosen from: invented makers and logos, colours of plastic and displays, printed words."""

from __future__ import annotations

from meter_pipeline.demo.drawing.parts import Colour

FONTS = (
    "DejaVuSans-Bold",
    "DejaVuSans-BoldOblique",
    "DejaVuSerif-Bold",
    "STIXGeneralBol",
    "STIXGeneralBolIta",
    "cmss10",
)
LOGOS = (
    "diamond",
    "disc",
    "bars",
    "triangle",
    "hexagon",
    "wave",
    "star",
    "ring",
    "bolt",
    "quarters",
    "chevron",
    "cross",
)
MAKER_NAMES = (
    "VELTRION",
    "Talmetra",
    "BRIXOR",
    "Solveda",
    "NUVARIK",
    "Marundi",
    "ZEPHRAN",
    "Castrell",
    "PANDRIX",
    "Lumarq",
    "QUILLON",
    "Harvante",
    "DELTUMA",
    "Ojinex",
)
LOGO_COLOURS: tuple[Colour, ...] = (
    (190, 30, 40),
    (20, 60, 150),
    (10, 120, 70),
    (230, 120, 20),
    (40, 40, 45),
    (110, 40, 130),
    (0, 130, 160),
)
HOUSING_COLOURS: dict[str, Colour] = {
    "light grey": (198, 201, 203),
    "white": (228, 228, 222),
    "mid grey": (146, 150, 154),
    "beige": (214, 203, 178),
    "black": (46, 47, 50),
    "glassy": (188, 202, 214),
    "slate": (92, 104, 120),
}
PLATE_COLOURS: dict[str, Colour] = {
    "BLUE": (34, 96, 178),
    "WHITE": (236, 237, 234),
    "GREY": (178, 182, 184),
    "NAVY": (28, 46, 96),
    "CREAM": (232, 224, 196),
    "GREEN": (58, 130, 96),
    "BLACK": (38, 39, 42),
    "SKY": (138, 184, 218),
    "RED": (168, 48, 46),
}
LCD_TINTS: dict[str, tuple[Colour, Colour | None]] = {
    "reflective": ((150, 160, 140), None),
    "silver": ((176, 184, 182), None),
    "green": ((128, 152, 96), (70, 240, 96)),
    "amber": ((172, 150, 84), (246, 190, 70)),
    "blue": ((132, 150, 176), (96, 176, 255)),
    "yellow-green": ((146, 160, 78), (190, 240, 70)),
}
"""Colours of the display switched off and lit; None: it has no light."""
KINDS = (
    "SINGLE PHASE STATIC METER",
    "ac STATIC WATT-HOUR METER",
    "SINGLE PHASE TWO WIRE",
    "ELECTRONIC ENERGY METER",
    "1 Ph SMART METER  Type {type}",
    "THREE PHASE FOUR WIRE",
    "kWh METER  TYPE {type}",
    "STATIC ENERGY METER  {type}",
)
"""Printed lines; `{type}` stands for the design's type code."""
RATINGS = (
    "240 V  5-30 A  50 Hz",
    "230V 10-60A 50Hz",
    "Vref 240 V  Ib 10 A  Imax 60 A",
    "3x240 V  10-40 A",
    "220V 20(80)A 50Hz",
)
CONSTANTS = ("3200 imp/kWh", "1600 imp/kWh", "6400 imp/kWh", "C = 800 r/kWh", "1000 imp/kWh  1000 imp/kvarh")
OWNERS = (
    "PROPERTY OF PUVIDYUT",
    "Property of East Grid",
    "NOT FOR SALE",
    "Govt. supply",
    "PROPERTY OF METRO POWER CO.",
)
NOTES = (
    "Class 1.0",
    "Cl.1  IP51",
    "Made 2019",
    "Mfd. 03/2021",
    "Guarantee 5 years",
    "Batch L-{type}",
    "Uc 2.5%",
    "Acc. class 0.5 S",
)
