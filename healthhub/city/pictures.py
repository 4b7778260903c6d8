"""Small grey pictures that look like X-rays and slices: shapes on a ground, blurred, with grain."""

from __future__ import annotations

from functools import lru_cache

import numpy as np

SIDE = 256
Shape = tuple[str, int, int, int, int, int]
"""e (an ellipse), r (a ring of it) or b (a bone: a bar with round corners): middle and half widths in thousandths of the
side, and the grey from 0 to 255."""

_CHEST: tuple[Shape, ...] = (
    ("e", 500, 80, 130, 170, 130), ("e", 500, 600, 440, 520, 140), ("e", 320, 480, 140, 310, 46),
    ("e", 680, 480, 140, 310, 46), ("r", 320, 300, 175, 60, 84), ("r", 680, 300, 175, 60, 84),
    ("r", 320, 410, 170, 60, 82), ("r", 680, 410, 170, 60, 82), ("r", 320, 520, 165, 60, 80),
    ("r", 680, 520, 165, 60, 80), ("e", 500, 500, 50, 520, 182), ("e", 560, 620, 135, 150, 170),
    ("e", 320, 850, 190, 130, 165), ("e", 680, 850, 190, 130, 158), ("b", 310, 175, 190, 14, 190),
    ("b", 690, 175, 190, 14, 190),
)  # fmt: skip
_CHEST_SLICE: tuple[Shape, ...] = (
    ("e", 500, 520, 460, 340, 118), ("e", 300, 500, 160, 235, 22), ("e", 700, 500, 160, 235, 22),
    ("r", 300, 500, 178, 252, 205), ("r", 700, 500, 178, 252, 205), ("e", 500, 470, 110, 175, 138),
    ("e", 500, 745, 72, 66, 232), ("e", 500, 825, 26, 40, 224), ("e", 575, 640, 42, 42, 158),
    ("e", 500, 225, 62, 22, 226), ("e", 380, 420, 10, 34, 104), ("e", 630, 420, 10, 34, 104),
)  # fmt: skip
_HEAD_SLICE: tuple[Shape, ...] = (
    ("e", 500, 500, 360, 440, 245), ("e", 500, 500, 330, 408, 118), ("b", 500, 500, 5, 400, 150),
    ("e", 455, 460, 28, 92, 52), ("e", 545, 460, 28, 92, 52), ("e", 400, 540, 15, 13, 78),
    ("e", 604, 548, 13, 11, 80),
)  # fmt: skip
_SPINE: tuple[Shape, ...] = (
    ("e", 520, 500, 400, 640, 78), *(("b", 470 + lean, place, 105, 62, 196)
    for place, lean in ((120, 40), (280, 14), (440, 0), (596, 8), (744, 30))),
    ("b", 520, 900, 130, 70, 180), *(("b", 650 + lean, place, 46, 22, 168)
    for place, lean in ((180, 40), (340, 14), (500, 0), (656, 8))),
)  # fmt: skip
_KNEES: tuple[Shape, ...] = tuple(
    (form, x + side, y, half, tall, grey)
    for side in (0, 500)
    for form, x, y, half, tall, grey in (
        ("e", 250, 500, 175, 520, 84), ("b", 250, 180, 72, 240, 188), ("e", 250, 410, 132, 78, 198),
        ("e", 250, 570, 128, 66, 192), ("b", 236, 800, 66, 240, 182), ("b", 340, 820, 20, 200, 170),
        ("e", 262, 380, 58, 58, 214),
    )
)  # fmt: skip
_WRIST: tuple[Shape, ...] = (
    ("e", 500, 640, 260, 430, 80), ("b", 410, 790, 72, 260, 192), ("e", 420, 560, 100, 54, 200),
    ("b", 610, 800, 44, 250, 186), ("b", 420, 640, 116, 9, 92), ("e", 430, 430, 62, 52, 196),
    ("e", 540, 430, 60, 50, 190), ("e", 620, 440, 46, 44, 186), ("b", 330, 190, 30, 150, 186),
    ("b", 430, 170, 30, 160, 188), ("b", 530, 170, 30, 160, 188), ("b", 630, 200, 28, 140, 184),
)  # fmt: skip
_HIP: tuple[Shape, ...] = (
    ("e", 500, 560, 470, 480, 82), ("r", 330, 330, 210, 250, 182), ("e", 500, 420, 128, 128, 214),
    ("b", 600, 480, 80, 46, 190), ("b", 556, 474, 7, 62, 96), ("b", 700, 740, 82, 300, 200),
    ("e", 690, 500, 92, 84, 206), ("e", 380, 640, 86, 120, 176),
)  # fmt: skip
_SHAPES = {
    "chest_xray": _CHEST,
    "chest_ct": (*_CHEST_SLICE, ("e", 285, 610, 74, 52, 92), ("e", 330, 580, 40, 36, 84)),
    "chest_clear": _CHEST_SLICE,
    "chest_mass": (*_CHEST_SLICE, ("e", 718, 400, 48, 42, 146)),
    "head_ct": _HEAD_SLICE,
    "spine_xray": _SPINE,
    "knee_xray": _KNEES,
    "wrist_xray": _WRIST,
    "hip_xray": _HIP,
}


@lru_cache(maxsize=256)
def drawn(key: str, percent: int = 100) -> bytes:
    """SIDE times SIDE bytes, row by row. ``percent`` is how large the shapes are: another slice,
    another body. Whole numbers alone are reckoned with, so the bytes are the same everywhere."""
    rows, columns = np.mgrid[0:SIDE, 0:SIDE].astype("int64")
    x, y = columns * 1000 // SIDE, rows * 1000 // SIDE
    canvas = np.full((SIDE, SIDE), 14, dtype="int64")
    for form, middle, down, half, tall, grey in _SHAPES[key]:
        a, b = half * percent // 100, tall * percent // 100
        from_x, from_y = x - _moved(middle, percent), y - _moved(down, percent)
        if form == "b":
            inside = (from_x * 100 // a) ** 4 + (from_y * 100 // b) ** 4 <= 100**4
        else:
            far = from_x**2 * b**2 + from_y**2 * a**2
            inside = far <= a**2 * b**2
            if form == "r":
                inside &= far >= (a * 93 // 100) ** 2 * (b * 93 // 100) ** 2
        canvas[inside] = grey
    grain = (rows * 7919 + columns * 104_729 + rows * columns * 31) // 13 % 9 - 4
    return np.clip(_blurred(canvas) + grain, 0, 255).astype("uint8").tobytes()


def _moved(place: int, percent: int) -> int:
    return 500 + (place - 500) * percent // 100


def _blurred(canvas: np.ndarray) -> np.ndarray:
    """Each point as the mean of those about it, twice."""
    for _ in range(2):
        for axis in (0, 1):
            near = [np.roll(canvas, step, axis) for step in (-2, -1, 0, 1, 2)]
            canvas = np.sum(near, axis=0) // 5
    return canvas
