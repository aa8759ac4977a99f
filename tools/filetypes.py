"""Says what a file is that is not text, from its first bytes: kind, and an image's size."""

from __future__ import annotations

import re
import struct

_MAGIC = (
    (b"%PDF-", "PDF document"),
    (b"PK\x03\x04", "ZIP archive (or a document made of one: docx, xlsx, jar, whl)"),
    (b"\x1f\x8b", "gzip data"),
    (b"BZh", "bzip2 data"),
    (b"\xfd7zXZ\x00", "xz data"),
    (b"\x28\xb5\x2f\xfd", "Zstandard data"),
    (b"7z\xbc\xaf\x27\x1c", "7z archive"),
    (b"\x7fELF", "ELF executable or library"),
    (b"MZ", "Windows executable"),
    (b"SQLite format 3\x00", "SQLite database"),
    (b"\x93NUMPY", "NumPy array"),
    (b"\x89HDF\r\n\x1a\n", "HDF5 file"),
    (b"PAR1", "Parquet file"),
    (b"OggS", "Ogg media"),
    (b"ID3", "MP3 audio"),
    (b"fLaC", "FLAC audio"),
    (b"\x00asm", "WebAssembly module"),
    (b"\xca\xfe\xba\xbe", "Java class or Mach-O binary"),
)
_JPEG_FRAME = re.compile(rb"\xff[\xc0-\xc3\xc5-\xc7\xc9-\xcb\xcd-\xcf]", re.DOTALL)


def describe_binary(data: bytes) -> str:
    """Name the kind of a binary file; `data` is its content or the beginning of it."""
    image = _image(data)
    if image:
        kind, width, height = image
        return f"{kind} image, {width} x {height} pixels" if width else f"{kind} image"
    if data[4:8] == b"ftyp":
        return "MP4 or QuickTime media"
    if data.startswith(b"RIFF") and len(data) >= 12:
        return {b"WAVE": "WAV audio", b"AVI ": "AVI video"}.get(data[8:12], "RIFF media")
    if data[257:262] == b"ustar":
        return "tar archive"
    return next((kind for magic, kind in _MAGIC if data.startswith(magic)), "binary file")


def _image(data: bytes) -> tuple[str, int, int] | None:
    """Return an image's kind, width and height (0 when unknown)."""
    if data.startswith(b"\x89PNG\r\n\x1a\n"):
        return ("PNG", *_unpack(">II", data, 16))
    if data.startswith((b"GIF87a", b"GIF89a")):
        return ("GIF", *_unpack("<HH", data, 6))
    if data.startswith(b"\xff\xd8\xff"):
        return ("JPEG", *_jpeg_size(data))
    if data.startswith(b"RIFF") and data[8:12] == b"WEBP":
        return ("WebP", *_webp_size(data))
    if data.startswith(b"BM") and data[6:10] == bytes(4):
        width, height = _unpack("<ii", data, 18)
        return ("BMP", abs(width), abs(height))
    if data.startswith((b"II*\x00", b"MM\x00*")):
        return ("TIFF", 0, 0)
    if data.startswith(b"\x00\x00\x01\x00"):
        return ("ICO", 0, 0)
    return None


def _unpack(layout: str, data: bytes, offset: int) -> tuple[int, int]:
    try:
        first, second = struct.unpack_from(layout, data, offset)
    except struct.error:
        return 0, 0
    return first, second


def _jpeg_size(data: bytes) -> tuple[int, int]:
    """Return width and height, from the frame header behind the segments (ITU T.81, B.2)."""
    position = 2
    while position + 9 <= len(data) and data[position] == 0xFF:
        if _JPEG_FRAME.match(data, position):
            height, width = _unpack(">HH", data, position + 5)
            return width, height
        (length,) = struct.unpack_from(">H", data, position + 2)
        position += 2 + max(length, 2)
    return 0, 0


def _webp_size(data: bytes) -> tuple[int, int]:
    """Return width and height, from any of the three kinds of first chunk (RFC 9649)."""
    chunk = data[12:16]
    if chunk == b"VP8X" and len(data) >= 30:
        return int.from_bytes(data[24:27], "little") + 1, int.from_bytes(data[27:30], "little") + 1
    if chunk == b"VP8 " and len(data) >= 30:
        width, height = _unpack("<HH", data, 26)
        return width & 0x3FFF, height & 0x3FFF
    if chunk == b"VP8L" and len(data) >= 25:
        bits = int.from_bytes(data[21:25], "little")
        return (bits & 0x3FFF) + 1, (bits >> 14 & 0x3FFF) + 1
    return 0, 0
