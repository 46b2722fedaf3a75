"""Checkpoints: checked whole before use; what is damaged, foreign or absurd is set aside and said."""

import errno
import io
import json
import os
import warnings
import zipfile

import numpy as np
import pytest
from numpy.testing import assert_array_equal

from labkit import losses, models, training
from labkit.training.saved import CheckpointError, OtherRunError, read_saved

IMAGES = np.random.default_rng(0).random((40, 6, 6, 1), dtype="float32")
LIKE = [np.zeros((3, 2), np.float32), np.zeros((), np.int64)]
ABOUT = {
    "fingerprint": "a",
    "epoch": 2,
    "epochs": 3,
    "finished": False,
    "history": {"epoch": [1, 2], "seconds": [0.1, 0.2], "loss": [3.0, 2.0], "fcd": [float("nan"), 1]},
}


def write(path, about=ABOUT, arrays=None, compressed=False, text=None, **more):
    arrays = {"v0": np.ones((3, 2), np.float32), "v1": np.int64(7)} if arrays is None else arrays
    save = np.savez_compressed if compressed else np.savez
    save(path, about=json.dumps(about) if text is None else text, **arrays, **more)
    return path


def test_a_whole_checkpoint_is_read_as_it_was_written(tmp_path):
    path = write(tmp_path / "checkpoint.npz", **{"callback0/0": np.arange(6).reshape(2, 3).T})
    saved = read_saved(path, "a", LIKE)
    assert (saved.epoch, saved.epochs, saved.finished) == (2, 3, False)
    assert_array_equal(saved.variables[0], np.ones((3, 2)))
    assert saved.history["loss"] == [3.0, 2.0] and saved.variables[1] == 7
    assert_array_equal(saved.kept["callback0/0"], [[0, 3], [1, 4], [2, 5]])


def changed(**changes):
    return {"about": ABOUT | changes}


DEEP = "[" * 100_000 + "]" * 100_000
ABSURD = {
    "shapes": {"arrays": {"v0": np.ones((2, 3), np.float32), "v1": np.int64(7)}},
    "types": {"arrays": {"v0": np.ones((3, 2), np.float64), "v1": np.int64(7)}},
    "too few": {"arrays": {"v0": np.ones((3, 2), np.float32)}},
    "too many": {"v2": np.ones(3)},
    "not finite": {"arrays": {"v0": np.full((3, 2), np.nan, np.float32), "v1": np.int64(7)}},
    "negative epochs": changed(epoch=-5),
    "no epochs": changed(epoch=0),
    "a billion epochs": changed(epoch=10**9, epochs=10**9),
    "more than there were": changed(epoch=4),
    "epochs that are no number": changed(epoch="2"),
    "epochs that are true": changed(epoch=True),
    "finished that is no truth value": changed(finished=1),
    "no history": changed(history=None),
    "a short history": changed(history={"epoch": [1], "seconds": [1]}),
    "a history of texts": changed(history={"epoch": [1, 2], "loss": ["3", "2"]}),
    "a history of lists": changed(history={"epoch": [1, 2], "loss": [[], {}]}),
    "miscounted epochs": changed(history={"epoch": [1, 3]}),
    "endless seconds": changed(history={"epoch": [1, 2], "seconds": [1, float("inf")]}),
    "no fields": {"about": {"fingerprint": "a"}},
    "a list": {"text": "[1]"},
    "no JSON": {"text": "{"},
    "deep JSON": {"text": DEEP},
    "a number of 5,000 digits": {"text": '{"fingerprint": "a", "epoch": ' + "9" * 5000 + "}"},
    "compressed": {"compressed": True},
    "an array in place of text": {"text": np.ones(4)},
    "a large text": {"text": "x" * 2**23},
}


@pytest.mark.parametrize("kind", ABSURD)
def test_what_is_absurd_is_refused_even_with_the_right_fingerprint(tmp_path, kind):
    path = write(tmp_path / "checkpoint.npz", **ABSURD[kind])
    with pytest.raises(CheckpointError) as error:
        read_saved(path, "a", LIKE)
    assert not isinstance(error.value, OtherRunError) and len(str(error.value)) < 400


def npy(shape, dtype="<f4", data=b""):
    file = io.BytesIO()
    facts = {"descr": dtype, "fortran_order": False, "shape": shape}
    np.lib.format.write_array_header_1_0(file, facts)
    return file.getvalue() + data


@pytest.mark.parametrize("member", [npy((10**12,)), npy((3, 2), "|O", bytes(48)), b"", b"x" * 40])
def test_arrays_that_promise_or_hide_something_are_refused(tmp_path, member):
    path = write(tmp_path / "checkpoint.npz", arrays={"v1": np.int64(7)})
    with zipfile.ZipFile(path, "a") as archive:
        archive.writestr("v0.npy", member)
    with pytest.raises(CheckpointError):
        read_saved(path, "a", LIKE)


def test_every_flipped_bit_is_noticed(tmp_path, rng):
    content = write(tmp_path / "checkpoint.npz").read_bytes()
    for place in rng.choice(len(content), 150, replace=False):
        flipped = bytearray(content)
        flipped[place] ^= 1 << rng.integers(8)
        (tmp_path / "flipped.npz").write_bytes(flipped)
        try:
            saved = read_saved(tmp_path / "flipped.npz", "a", LIKE)
        except CheckpointError:
            continue
        assert_array_equal(saved.variables[0], np.ones((3, 2)))  # in what a zip says twice, or not at all
        assert saved.history["loss"] == [3.0, 2.0]


# --- in training


def small_vae(seed=0):
    encoder = models.dense_encoder((8,), 2, image_shape=(6, 6, 1), seed=seed)
    vae = models.VAE(encoder, models.dense_decoder((8,), 2, image_shape=(6, 6, 1)), 1.0, losses.bernoulli_nll)
    vae.compile(optimizer="adam")
    return vae


def fit(out, epochs=2, seed=0):
    return training.fit(small_vae(seed), IMAGES, epochs=epochs, batch_size=8, out=out, resume=True)


def put(path, thing):
    path.unlink()
    {
        "nothing": lambda: path.write_bytes(b""),
        "a page": lambda: path.write_bytes(b"<!DOCTYPE html>" * 100),
        "half": lambda: path.write_bytes(bytes(1000)),
        "a folder": path.mkdir,
        "a pipe": lambda: os.mkfifo(path),
        "a link to nothing": lambda: path.symlink_to("nowhere"),
        "a foreign archive": lambda: np.savez(path, x=np.ones(3)),
    }[thing]()


THINGS = ["nothing", "a page", "half", "a folder", "a link to nothing", "a foreign archive"]
THINGS += ["a pipe"] if hasattr(os, "mkfifo") else []


@pytest.fixture(scope="module")
def afresh():
    return training.fit(small_vae(), IMAGES, epochs=2, batch_size=8)["loss"]


@pytest.mark.parametrize("thing", THINGS)
def test_what_is_no_checkpoint_is_set_aside_and_training_starts_afresh(tmp_path, thing, afresh):
    with warnings.catch_warnings():
        warnings.simplefilter("error", UserWarning)
        fit(tmp_path)
    path = tmp_path / "checkpoint.npz"
    put(path, thing)
    (tmp_path / "checkpoint.npz.corrupt").write_bytes(b"an older one")
    expected = (
        r"checkpoint\.npz is not used: .*; set aside as checkpoint\.npz\.corrupt1; training starts afresh"
    )
    with pytest.warns(UserWarning, match=expected):
        assert_array_equal(fit(tmp_path)["loss"], afresh)
    assert (tmp_path / "checkpoint.npz.corrupt").read_bytes() == b"an older one"
    assert os.path.lexists(tmp_path / "checkpoint.npz.corrupt1") and path.is_file()


def test_a_completed_run_goes_on_when_more_epochs_are_asked_for(tmp_path):
    whole = training.fit(small_vae(), IMAGES, epochs=4, batch_size=8)
    fit(tmp_path, epochs=2)
    longer = fit(tmp_path, epochs=4)
    assert_array_equal(longer["loss"], whole["loss"])
    assert fit(tmp_path, epochs=4) == longer


def test_fewer_epochs_than_were_done_start_afresh_and_keep_what_there_was(tmp_path, afresh):
    fit(tmp_path, epochs=3)
    before = (tmp_path / "checkpoint.npz").read_bytes()
    with pytest.warns(
        UserWarning, match="it has 3 epochs, and 2 are asked for; set aside as checkpoint.npz.other"
    ):
        assert_array_equal(fit(tmp_path, epochs=2)["loss"], afresh)
    assert (tmp_path / "checkpoint.npz.other").read_bytes() == before


def test_a_checkpoint_of_another_run_is_said_and_kept(tmp_path):
    fit(tmp_path)
    with pytest.warns(
        UserWarning, match=r"other weights, images or settings; set aside as checkpoint\.npz\.other"
    ):
        fit(tmp_path, seed=1)


def test_on_a_full_disk_training_goes_on_and_says_so_once(tmp_path, monkeypatch, afresh):
    def full(*arguments, **options):
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(np, "savez", full)
    with pytest.warns(UserWarning, match="no checkpoint is written: No space left on device") as told:
        assert_array_equal(fit(tmp_path)["loss"], afresh)
    assert len([w for w in told if "no checkpoint" in str(w.message)]) == 1
    assert not [path for path in tmp_path.iterdir() if path.name.startswith(".")]
