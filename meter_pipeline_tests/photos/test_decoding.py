"""Photos of every odd kind come in right, and what is not a photo is told from what is broken."""

from __future__ import annotations

import io
import struct
import zlib
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from meter_pipeline.photos.decoding import PhotoError, jpeg_without_metadata, open_photo

RED, BLUE = (220, 30, 30), (30, 30, 220)


def two_halves(width: int = 80, height: int = 48) -> Image.Image:
    """Left half red, right half blue."""
    image = Image.new("RGB", (width, height), RED)
    image.paste(BLUE, (width // 2, 0, width, height))
    return image


def noisy(width: int = 200, height: int = 150) -> Image.Image:
    return Image.fromarray(np.random.default_rng(0).integers(0, 255, (height, width, 3), np.uint8))


def encoded(image: Image.Image, file_format: str, **options: object) -> bytes:
    buffer = io.BytesIO()
    image.save(buffer, file_format, **options)
    return buffer.getvalue()


def near(image: Image.Image, place: tuple[int, int], colour: tuple[int, int, int], tolerance: int = 12) -> bool:
    return max(abs(a - b) for a, b in zip(image.getpixel(place), colour, strict=True)) <= tolerance


@pytest.mark.parametrize(
    ("file_format", "options"),
    [
        ("JPEG", {"quality": 95}),
        ("JPEG", {"progressive": True}),
        ("PNG", {}),
        ("WEBP", {"lossless": True}),
        ("BMP", {}),
        ("GIF", {}),
        ("TIFF", {"compression": "tiff_lzw"}),
    ],
)
def test_the_usual_formats(file_format: str, options: dict[str, object]) -> None:
    photo = open_photo(encoded(two_halves(), file_format, **options))
    assert (photo.format, photo.width, photo.height, photo.image.mode) == (file_format, 80, 48, "RGB")
    assert near(photo.image, (5, 5), RED)
    assert near(photo.image, (75, 40), BLUE)


@pytest.mark.parametrize("file_format", ["JPEG", "PNG", "WEBP", "TIFF"])
@pytest.mark.parametrize(
    ("orientation", "turned_by"),
    [
        (2, Image.Transpose.FLIP_LEFT_RIGHT),
        (3, Image.Transpose.ROTATE_180),
        (4, Image.Transpose.FLIP_TOP_BOTTOM),
        (5, Image.Transpose.TRANSPOSE),
        (6, Image.Transpose.ROTATE_90),
        (7, Image.Transpose.TRANSVERSE),
        (8, Image.Transpose.ROTATE_270),
    ],
)
def test_a_photo_taken_with_the_phone_on_its_side_is_upright(
    file_format: str, orientation: int, turned_by: Image.Transpose
) -> None:
    upright = two_halves()
    upright.paste((250, 250, 250), (0, 0, 20, 12))
    exif = Image.Exif()
    exif[0x0112] = orientation
    stored = upright.transpose(turned_by)
    photo = open_photo(encoded(stored, file_format, exif=exif, **({"quality": 95} if file_format == "JPEG" else {})))
    assert (photo.width, photo.height) == photo.image.size == (80, 48)
    for place, colour in (((5, 5), (250, 250, 250)), ((5, 40), RED), ((75, 5), BLUE)):
        assert near(photo.image, place, colour, 25)


@pytest.mark.filterwarnings("ignore::UserWarning:PIL")
def test_a_broken_exif_block_does_not_lose_the_photo() -> None:
    assert open_photo(encoded(two_halves(), "JPEG", exif=b"Exif\x00\x00MM\x00*\xff\xff\xff\xff")).width == 80


def test_transparency_lies_on_white() -> None:
    clear = Image.new("RGBA", (60, 60), (255, 0, 0, 0))
    clear.paste((0, 0, 255, 255), (0, 0, 30, 60))
    palette = Image.new("P", (60, 60), 0)
    palette.putpalette([10, 200, 10, *RED] + [0] * 762)
    palette.paste(1, (0, 0, 30, 60))
    for content in (
        encoded(clear, "PNG"),
        encoded(clear, "WEBP", lossless=True),
        encoded(clear.convert("LA"), "PNG"),
        encoded(palette, "PNG", transparency=0),
        encoded(palette, "GIF", transparency=0),
        encoded(Image.new("L", (60, 60), 7), "PNG", transparency=7),
    ):
        photo = open_photo(content)
        assert photo.image.getpixel((50, 30)) == (255, 255, 255)
        assert any("white" in note for note in photo.notes)


def test_palette_and_black_and_white() -> None:
    assert near(open_photo(encoded(two_halves().quantize(8), "PNG")).image, (5, 5), RED)
    bits = Image.new("1", (60, 60), 1)
    bits.paste(0, (0, 0, 30, 60))
    image = open_photo(encoded(bits, "PNG")).image
    assert (image.getpixel((5, 5)), image.getpixel((50, 5))) == ((0, 0, 0), (255, 255, 255))


def test_sixteen_bit_grey_is_scaled_and_not_cut_off() -> None:
    ramp = np.linspace(0, 65535, 64 * 256).astype(np.uint16).reshape(64, 256)
    for file_format in ("PNG", "TIFF"):
        grey = np.asarray(open_photo(encoded(Image.fromarray(ramp), file_format)).image)[..., 0]
        assert np.abs(grey - ramp / 257.0).max() <= 1


def test_sixteen_bit_colour() -> None:
    rows = b"".join(b"\x00" + struct.pack(">3H", 50000, 10000, 257) * 40 for _ in range(40))

    def chunk(kind: bytes, data: bytes) -> bytes:
        return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))

    header = chunk(b"IHDR", struct.pack(">IIBBBBB", 40, 40, 16, 2, 0, 0, 0))
    content = b"\x89PNG\r\n\x1a\n" + header + chunk(b"IDAT", zlib.compress(rows)) + chunk(b"IEND", b"")
    assert near(open_photo(content).image, (5, 5), (195, 39, 1), 1)


def test_cmyk_of_a_print_shop() -> None:
    photo = open_photo(encoded(two_halves().convert("CMYK"), "JPEG", quality=95))
    assert near(photo.image, (5, 5), RED, 20)
    assert "CMYK" in photo.notes


def test_the_first_frame_of_an_animation_and_of_a_phones_double_picture() -> None:
    first, second = two_halves(), Image.new("RGB", (80, 48), "green")
    for file_format in ("GIF", "WEBP", "PNG", "MPO"):
        photo = open_photo(encoded(first, file_format, save_all=True, append_images=[second], duration=100))
        assert near(photo.image, (5, 5), RED, 25)
        assert any("first" in note for note in photo.notes), file_format


@pytest.mark.parametrize("file_format", ["JPEG", "PNG", "WEBP", "BMP", "GIF", "TIFF"])
@pytest.mark.parametrize("kept", [0.3, 0.6, 0.9])
def test_a_file_that_ends_too_early(file_format: str, kept: float) -> None:
    content = encoded(noisy(), file_format)
    with pytest.raises(PhotoError) as refused:
        open_photo(content[: int(len(content) * kept)])
    assert refused.value.outcome in {"truncated", "damaged"}
    if file_format in {"JPEG", "PNG", "WEBP", "BMP"}:
        assert refused.value.outcome == "truncated"


def test_a_progressive_jpeg_whose_last_scans_are_missing() -> None:
    content = encoded(noisy(), "JPEG", progressive=True)
    with pytest.raises(PhotoError, match="ends before"):
        open_photo(content[: int(len(content) * 0.8)])


@pytest.mark.filterwarnings("ignore::UserWarning:PIL")
def test_any_broken_byte_is_a_photo_or_a_refusal_and_never_a_crash() -> None:
    random = np.random.default_rng(1)
    for file_format in ("JPEG", "PNG", "WEBP", "GIF", "TIFF", "BMP"):
        whole = encoded(noisy(60, 50), file_format)
        for _ in range(60):
            broken = bytearray(whole)
            for place in random.integers(0, min(len(broken), 400), 3):
                broken[place] = random.integers(0, 256)
            try:
                assert open_photo(bytes(broken)).image.mode == "RGB"
            except PhotoError as error:
                assert error.reason


def bomb(width: int, height: int) -> bytes:
    """A PNG of a few hundred bytes whose header promises many pixels."""
    content = bytearray(encoded(Image.new("L", (64, 64)), "PNG"))
    content[16:24] = struct.pack(">II", width, height)
    content[29:33] = struct.pack(">I", zlib.crc32(content[12:29]))
    return bytes(content)


@pytest.mark.filterwarnings("ignore::PIL.Image.DecompressionBombWarning")
@pytest.mark.parametrize(
    ("content", "outcome"),
    [
        (b"", "empty"),
        (b"<!DOCTYPE html><html><body>404 not found", "not_an_image"),
        (b'\n{"error": "no such photo"}', "not_an_image"),
        (b"meter 4711", "not_an_image"),
        (b"%PDF-1.7 scan", "unsupported_format"),
        (b"\x00\x00\x00\x18ftypmp42\x00\x00\x00\x00isom", "unsupported_format"),
        (encoded(two_halves(), "PNG").replace(b"IDAT", b"IDAX"), "damaged"),
        (encoded(Image.new("RGB", (1, 1)), "GIF"), "too_small"),
        (encoded(Image.new("RGB", (31, 400)), "PNG"), "too_small"),
        (encoded(Image.new("RGB", (2000, 40)), "PNG"), "absurd_aspect"),
        (bomb(9_000, 9_000), "too_large_pixels"),
        (bomb(10_000, 10_000), "too_large_pixels"),
        (bomb(60_000, 60_000), "too_large_pixels"),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)
def test_what_is_no_photo_says_what_it_is(content: bytes, outcome: str) -> None:
    with pytest.raises(PhotoError) as refused:
        open_photo(content)
    assert refused.value.outcome == outcome
    assert refused.value.reason.endswith(".")


def test_the_error_of_a_file_names_the_file(tmp_path: Path) -> None:
    path = tmp_path / "meter.jpg"
    path.write_bytes(b"no photo")
    for wrong in (path, tmp_path / "gone.jpg"):
        with pytest.raises(PhotoError, match=wrong.name):
            open_photo(wrong)
    path.write_bytes(encoded(two_halves(), "PNG"))
    assert open_photo(path).format == "PNG"  # what counts is the content, not the name


def test_a_smaller_decode_keeps_the_photos_own_size() -> None:
    content = encoded(two_halves(1600, 960), "JPEG")
    photo = open_photo(content, smallest_side=224)
    assert (photo.width, photo.height) == (1600, 960)
    assert 224 <= min(photo.image.size) < 960


def test_an_export_tells_nothing_about_where_and_when() -> None:
    exif = Image.Exif()
    exif[0x0112] = 6
    exif[0x010F] = "SecretPhoneMaker"
    exif.get_ifd(0x8825)[1] = "N"
    sideways = two_halves().transpose(Image.Transpose.ROTATE_90)
    out = jpeg_without_metadata(encoded(sideways, "JPEG", exif=exif, comment=b"at the customer's", quality=95))
    assert b"Secret" not in out
    assert b"customer" not in out
    with Image.open(io.BytesIO(out)) as image:
        assert not image.getexif()
        assert image.size == (80, 48)
        assert near(image.convert("RGB"), (5, 5), RED, 25)


def test_avif_and_heic_where_pillow_can() -> None:
    pytest.importorskip("pillow_heif", reason="installed with the dev extra where there is a wheel")
    for file_format, name in (("AVIF", "AVIF"), ("HEIF", "HEIF")):
        photo = open_photo(encoded(two_halves(), file_format))
        assert (photo.format, photo.width, photo.height) == (name, 80, 48)
        assert near(photo.image, (10, 20), RED, 40)
        assert near(photo.image, (70, 20), BLUE, 40)


HEIC_BRANDS = (b"heic", b"heix", b"heim", b"heis", b"hevc", b"hevx", b"hevm", b"hevs")
CONTAINER_BRANDS = (b"mif1", b"msf1", b"mif2", b"miaf", b"MiHE")


def iso(content: bytes, first: bytes, others: tuple[bytes, ...]) -> bytes:
    """The same file under other brands; what it is coded as, and where, stays."""
    length = int.from_bytes(content[:4], "big")
    box = b"ftyp" + first + bytes(4) + b"".join(others)
    moved = len(box) + 4 - length
    assert moved == 0, "as many brands as before, or offsets in the file are wrong"
    return (len(box) + 4).to_bytes(4, "big") + box + content[length:]


@pytest.mark.parametrize("first", [*HEIC_BRANDS, *CONTAINER_BRANDS])
def test_heic_under_each_of_its_brands_is_read(first: bytes) -> None:
    pytest.importorskip("pillow_heif")
    content = encoded(two_halves(), "HEIF")
    photo = open_photo(iso(content, first, (b"mif1", b"heic", b"miaf")))
    assert (photo.format, photo.width, photo.height) == ("HEIF", 80, 48)
    assert near(photo.image, (5, 5), RED, 25)


@pytest.mark.parametrize("first", [b"avif", *CONTAINER_BRANDS])
def test_avif_under_each_of_its_brands_is_read(first: bytes) -> None:
    content = encoded(two_halves(), "AVIF")
    photo = open_photo(iso(content, first, (b"mif1", b"avif", b"miaf", b"MA1B")))
    assert (photo.format, photo.width) == ("AVIF", 80)
    assert near(photo.image, (5, 5), RED, 25)


def test_an_avif_sequence_gives_its_first_picture() -> None:
    content = encoded(two_halves(), "AVIF", save_all=True, append_images=[Image.new("RGB", (80, 48), "green")])
    assert content[8:12] == b"avis"
    assert near(open_photo(content).image, (5, 5), RED, 25)


@pytest.mark.parametrize(
    ("first", "others", "word"),
    [
        *((brand, (), "HEIC") for brand in HEIC_BRANDS),
        (b"mif1", (b"heic",), "HEIC"),
        (b"msf1", (b"miaf", b"hevc"), "HEIC"),
        (b"mif1", (), "HEIC"),
        (b"mif1", (b"miaf", b"avif"), "AVIF"),
        (b"miaf", (b"avis",), "AVIF"),
        (b"mif1", (b"jpeg",), "HEIF (JPEG)"),
        (b"crx ", (b"isom",), "Canon raw"),
        (b"mp42", (b"isom",), "video"),
        (b"qt  ", (), "video"),
        (b"isom", (b"mif1", b"heic"), "video"),
    ],
)
def test_where_it_cannot_be_read_it_is_called_what_it_is(
    monkeypatch: pytest.MonkeyPatch, first: bytes, others: tuple[bytes, ...], word: str
) -> None:
    monkeypatch.setattr("meter_pipeline.photos.formats._HEIF_IS_READ", False)
    monkeypatch.setattr("meter_pipeline.photos.formats._AVIF_IS_READ", False)
    box = b"ftyp" + first + bytes(4) + b"".join(others)
    with pytest.raises(PhotoError) as refused:
        open_photo((len(box) + 4).to_bytes(4, "big") + box + bytes(500))
    assert refused.value.outcome == "unsupported_format"
    assert refused.value.reason == f"This is a {word} file; save it as JPEG or PNG."
