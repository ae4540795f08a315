"""A data set of JPEG files of any size, and a run that trains on it for two epochs.

    python tests/data/synthetic.py make FOLDER --classes=1000 --pictures=25000
    python tests/data/synthetic.py train FOLDER WORKDIR

The defaults make pictures that take 8.6 GiB decoded and 150 MB as files. `tests/test_big_data.py` uses both.
"""

import argparse
import functools
import pathlib

import numpy as np
from PIL import Image

SMALLEST, LARGEST = 200, 500


def make_pictures(folder, classes, pictures, smallest=SMALLEST, largest=LARGEST):
    """Writes smooth pictures of random sizes, those of a class alike; returns their bytes when decoded."""
    rng = np.random.default_rng(0)
    bases = rng.integers(0, 256, (classes, 6, 6, 3))
    decoded = 0
    for number in range(pictures):
        label = number % classes
        pixels = np.clip(bases[label] + rng.integers(-40, 41, (6, 6, 3)), 0, 255).astype(np.uint8)
        width, height = (int(n) for n in rng.integers(smallest, largest + 1, 2))
        path = pathlib.Path(folder, f"{label:04}", f"{number:06}.jpg")
        path.parent.mkdir(parents=True, exist_ok=True)
        Image.fromarray(pixels).resize((width, height), Image.Resampling.BICUBIC).save(
            path, quality=40
        )
        decoded += 3 * width * height
    return decoded


def make_network(image_size, classes):
    """A few convolutions, cheap enough that reading takes most of the time."""
    import keras

    return keras.Sequential(
        [
            keras.Input((image_size, image_size, 3)),
            keras.layers.Conv2D(16, 8, 4, activation="softplus"),
            keras.layers.Conv2D(32, 3, 2, activation="softplus"),
            keras.layers.GlobalAveragePooling2D(),
            keras.layers.Dense(classes),
        ]
    )


def train(folder, workdir, classes=1000, image_size=64, batch_size=128, **settings):
    """Two epochs of one-step adversarial training, with ImageNet's crops."""
    import tfrobust
    from tfrobust import data, recipes, training

    read = {"image_size": image_size, "validation": 500, "test": 500}
    read |= {
        "train_crop": data.RandomResizedCrop(),
        "test_crop": data.CenterCrop(image_size * 8 // 7),
    }
    read |= settings.pop("read", {})
    ball = tfrobust.Linf("2/255")
    one_step = tfrobust.PGD(ball, steps=1, relative_step_size=1.25)
    settings = {"epochs": 2, "save_seconds": 10, "augment": (data.Flip(),)} | settings
    return training.train(
        data=functools.partial(data.image_folder, folder, **read),
        model=functools.partial(make_network, image_size, classes),
        method=functools.partial(recipes.adv, steps=1),
        optimizer=functools.partial(training.CoupledSGD, momentum=0.9),
        threat_model=ball,
        eval_attack=one_step,
        test_attack=one_step,
        batch_size=batch_size,
        learning_rate=0.1,
        workdir=workdir,
        **settings,
    )


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("what", choices=["make", "train"])
    parser.add_argument("folder")
    parser.add_argument("workdir", nargs="?")
    parser.add_argument("--classes", type=int, default=1000)
    parser.add_argument("--pictures", type=int, default=25_000)
    given = parser.parse_args()
    if given.what == "train":
        train(given.folder, given.workdir, given.classes)
    else:
        decoded = make_pictures(given.folder, given.classes, given.pictures)
        print(f"{given.pictures} pictures take {decoded / 2**30:.2f} GiB decoded")


if __name__ == "__main__":
    main()
