"""The image sets: their files, digests, classes and where they can be downloaded."""

from __future__ import annotations

from dataclasses import dataclass, field

SHAPE = (28, 28)
# array → file name, in the order in which a set's digest is taken
FILES = {
    "x_train": "train-images-idx3-ubyte",
    "y_train": "train-labels-idx1-ubyte",
    "x_test": "t10k-images-idx3-ubyte",
    "y_test": "t10k-labels-idx1-ubyte",
}


@dataclass(frozen=True)
class Edition:
    """The whole set or the bundled subset: sizes and SHA-256 of the decompressed files."""

    n_train: int
    n_test: int
    digests: dict[str, str]


@dataclass(frozen=True)
class ImageSet:
    """What is known about one set before any file is opened."""

    name: str
    folders: tuple[str, ...]
    class_names: tuple[str, ...]
    mirrors: tuple[str, ...]
    editions: tuple[Edition, ...] = field(repr=False)

    @property
    def whole(self) -> Edition:
        """The edition with all images."""
        return self.editions[0]


def edition(n_train, n_test, *digests):
    return Edition(n_train, n_test, dict(zip(FILES, digests, strict=True)))


SETS = {
    "mnist": ImageSet(
        "mnist",
        ("mnist",),
        tuple("0123456789"),
        (
            "https://storage.googleapis.com/cvdf-datasets/mnist/",
            "https://ossci-datasets.s3.amazonaws.com/mnist/",
        ),
        (
            edition(
                60_000,
                10_000,
                "ba891046e6505d7aadcbbe25680a0738ad16aec93bde7f9b65e87a2fc25776db",
                "65a50cbbf4e906d70832878ad85ccda5333a97f0f4c3dd2ef09a8a9eef7101c5",
                "0fa7898d509279e482958e8ce81c8e77db3f2f8254e26661ceb7762c4d494ce7",
                "ff7bcfd416de33731a308c3f266cc351222c34898ecbeaf847f06e48f7ec33f2",
            ),
            edition(
                10_000,
                2_000,
                "96448e792027ae8c3d693bf7f6685beb422442276734ffe24b7860a3581dcb08",
                "dfa6309ccbfc44ab3df730fa9d1b133e2baeb0fe7db8e4bbdcd05d3e5bd811ea",
                "780e99a56e963f3affe4791a03545a6ddbdc0904dd880c7f3c50753282177303",
                "b547e409b08f1d55c77b7f0964dfb27202f97c41c014d9427a3acecfcf6a7129",
            ),
        ),
    ),
    "fashion_mnist": ImageSet(
        "fashion_mnist",
        ("fashion-mnist", "fashion_mnist"),
        (
            *("T-shirt/top", "trouser", "pullover", "dress", "coat"),
            *("sandal", "shirt", "sneaker", "bag", "ankle boot"),
        ),
        (
            "https://storage.googleapis.com/tensorflow/tf-keras-datasets/",
            "http://fashion-mnist.s3-website.eu-central-1.amazonaws.com/",
        ),
        (
            edition(
                60_000,
                10_000,
                "c59f468a2f672dc815687fe0f83887768d799fd8a3f3276145d20f83aa44d888",
                "bad3541b69d912435c50bb6ba87bec294ff4f6a2e1246121d8633921760443d9",
                "5b4141f0afbad91edebe8549f8fcffe087ea10ca49f1dbef5c9a5cd8815ce37b",
                "0402a96d92fd2663957122ceb108a494c5af83dab82d92729df917d7dec38c34",
            ),
            edition(
                10_000,
                2_000,
                "d33512cfdc636a0d8972818e6659995be209a88891df7fa2109d7895922c8985",
                "620cb8e3b9348037c5ff9a07b02d773ab165330e072dfd19e0d21c59f8042dcf",
                "15a92dd1e9b16ea361928086e77df4dfa890c255c00b5a8c8162c1040ce8eef1",
                "234596aeb6eb48133ec99a62541f90bc0728c9559a681f1e0638037462458f2c",
            ),
        ),
    ),
}
