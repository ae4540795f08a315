"""Pictures as a user has them: three classes, sizes and kinds of files mixed.

python tests/data/photos.py FOLDER
"""

import pathlib
import sys

import numpy as np
from PIL import Image, ImageDraw

CLASSES = ("circle", "square", "triangle")


def draw_photos(folder, pictures=180, seed=0, classes=CLASSES, sides=(40, 120)):
    """Draws one bright shape on a dark ground in each: JPEG and PNG, colour, grey and transparent.

    Returns the folder, which has one folder for each class.
    """
    rng = np.random.default_rng(seed)
    for number in range(pictures):
        name = classes[number % len(classes)]
        kind = number // len(classes) % 4
        width, height = (int(side) for side in rng.integers(*sides, 2))
        dark, bright = (tuple(int(v) for v in rng.integers(*r, 3)) for r in ((0, 110), (150, 256)))
        picture = Image.new("RGB", (width, height), dark)
        side = min(width, height)
        radius = side * rng.uniform(0.25, 0.4)
        x, y = (n / 2 + rng.uniform(-0.08, 0.08) * side for n in (width, height))
        box = (x - radius, y - radius, x + radius, y + radius)
        draw = ImageDraw.Draw(picture)
        if name == "circle":
            draw.ellipse(box, fill=bright)
        elif name == "square":
            draw.rectangle(box, fill=bright)
        else:
            draw.polygon([(x, box[1]), (box[0], box[3]), (box[2], box[3])], fill=bright)
        picture = picture.convert(("RGB", "L", "RGBA", "P")[kind])
        path = pathlib.Path(folder, name, f"{number:03}{('.jpg', '.jpeg', '.png', '.png')[kind]}")
        path.parent.mkdir(parents=True, exist_ok=True)
        picture.save(path)
    return pathlib.Path(folder)


if __name__ == "__main__":
    draw_photos(sys.argv[1])
