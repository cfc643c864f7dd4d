"""What is on a picture: colours and ink of a region, read from the pixels. A browser decodes the PNG."""

from __future__ import annotations

import base64
from dataclasses import dataclass
from typing import Any

from playwright.async_api import FloatRect, Page

_READ = """async ([png, boxes]) => {
  const bitmap = await createImageBitmap(await (await fetch(`data:image/png;base64,${png}`)).blob());
  const context = new OffscreenCanvas(bitmap.width, bitmap.height).getContext("2d");
  context.drawImage(bitmap, 0, 0);
  const read = ([x, y, width, height]) => {
    const counts = new Map();
    const { data } = context.getImageData(x, y, width, height);
    for (let i = 0; i < data.length; i += 4) {
      const colour = (data[i] << 16) | (data[i + 1] << 8) | data[i + 2];
      counts.set(colour, (counts.get(colour) ?? 0) + 1);
    }
    const [[ground, most]] = [...counts].sort(([, a], [, b]) => b - a);
    return { ground: `#${ground.toString(16).padStart(6, "0")}`, ink: 1 - (most * 4) / data.length };
  };
  return { size: [bitmap.width, bitmap.height], regions: boxes.map(read) };
}"""


@dataclass(frozen=True)
class Region:
    """A part of a picture.

    Args:
        ground: the most frequent colour, as `#rrggbb`.
        ink: the share of all other colours, 0 to 1.
    """

    ground: str
    ink: float


@dataclass(frozen=True)
class Picture:
    """A picture that was taken.

    Args:
        size: width and height in pixels.
        regions: those that were asked for, by name.
    """

    size: tuple[int, int]
    regions: dict[str, Region]


async def read(page: Page, png: bytes, boxes: dict[str, FloatRect]) -> Picture:
    """Read regions of a picture, given in its pixels, on any page that forbids no `data:` address."""
    names = list(boxes)
    places = [[round(box[edge]) for edge in ("x", "y", "width", "height")] for box in boxes.values()]
    found: dict[str, Any] = await page.evaluate(_READ, [base64.b64encode(png).decode(), places])
    width, height = found["size"]
    return Picture((width, height), {name: Region(**told) for name, told in zip(names, found["regions"], strict=True)})
