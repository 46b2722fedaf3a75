"""load: where images are looked for, and that no bad file ever becomes an array."""

import errno
import gzip
import hashlib
import http.server
import importlib.util
import io
import os
import subprocess
import sys
import threading
import warnings
import zipfile
from pathlib import Path

import hypothesis.strategies as st
import numpy as np
import pytest
import requests
from hypothesis import given, settings
from hypothesis.extra.numpy import arrays
from numpy.testing import assert_allclose, assert_array_equal
from scipy.io import savemat

from labkit import data
from labkit.cli import main
from labkit.data import catalogue, download, idx, places, registry, sources
from labkit.data.catalogue import FILES
from labkit.data.faces import olivetti as known
from labkit.data.faces import sources as face_sources
from labkit.data.faces.reader import read_faces


def fake_arrays(n_train, n_test, seed=0):
    rng = np.random.default_rng(seed)
    return {
        "x_train": rng.integers(0, 256, (n_train, 28, 28), np.uint8),
        "y_train": ((np.arange(n_train) + seed) % 10).astype(np.uint8),
        "x_test": rng.integers(0, 256, (n_test, 28, 28), np.uint8),
        "y_test": ((np.arange(n_test) + seed) % 10).astype(np.uint8),
    }


# Most tests meet sources that will not do, of which `load` warns; one test checks that it does.
pytestmark = pytest.mark.filterwarnings("ignore:(fashion_)?mnist. :UserWarning")

WHOLE, SUBSET, OTHER = fake_arrays(20, 10), fake_arrays(8, 4, seed=1), fake_arrays(20, 10, seed=2)


def fake_edition(content):
    digests = {array: idx.sha256(idx.to_idx(values)) for array, values in content.items()}
    return catalogue.Edition(len(content["x_train"]), len(content["x_test"]), digests)


def fake_set(name, folder, *contents, mirrors=()):
    editions = tuple(map(fake_edition, contents))
    return catalogue.ImageSet(name, folder, tuple("0123456789"), mirrors, editions)


def write(folder, content, suffix=".gz", only=tuple(FILES)):
    folder.mkdir(parents=True, exist_ok=True)
    for array in only:
        raw = idx.to_idx(content[array])
        (folder / f"{FILES[array]}{suffix}").write_bytes(gzip.compress(raw) if suffix == ".gz" else raw)


@pytest.fixture
def world(tmp_path, monkeypatch):
    """A small "mnist" and another set; every place of the search below tmp_path, all empty."""
    sets = {
        "mnist": fake_set("mnist", ("mnist",), WHOLE, SUBSET, mirrors=("http://127.0.0.1:9/",)),
        "fashion_mnist": fake_set("fashion_mnist", ("fashion-mnist", "fashion_mnist"), OTHER),
    }
    for name, image_set in sets.items():
        monkeypatch.setitem(catalogue.SETS, name, image_set)
    monkeypatch.setattr(places, "CACHE", tmp_path / "cache")
    monkeypatch.setattr(places, "MINI", tmp_path / "mini")
    monkeypatch.setattr(places, "SYSTEM", (tmp_path / "system",))
    monkeypatch.setenv("KERAS_HOME", str(tmp_path / "keras"))
    monkeypatch.setenv("SCIKIT_LEARN_DATA", str(tmp_path / "sklearn"))
    monkeypatch.setattr(download, "LOAD_FAILURES", download.Failures())
    for module in (face_sources, known):  # a process for every file would take its time
        monkeypatch.setattr(module, "read_apart", read_faces)
    write(tmp_path / "mini" / "mnist", SUBSET)
    faces = tmp_path / "mini" / "faces" / "faces.mat"
    faces.parent.mkdir()
    savemat(faces, {"faces": np.random.default_rng(0).integers(0, 256, (4096, 10), np.uint8)})
    monkeypatch.setattr(face_sources, "SYNTHETIC", read_faces(faces).digest)
    return tmp_path


def test_search_order_is_own_folder_cache_system_keras_subset(world, monkeypatch):
    places = [
        ("subset bundled in data/mini", None),
        ("Keras cache", world / "keras" / "datasets" / "mnist"),
        ("system", world / "system" / "mnist"),
        ("data/cache", world / "cache" / "mnist"),
        ("$LABKIT_DATA/mnist", world / "own" / "mnist"),
    ]
    monkeypatch.setenv("LABKIT_DATA", str(world / "own"))
    (world / "own").mkdir()
    for label, folder in places:
        if folder:
            write(folder, WHOLE)
        assert data.load("mnist").source == label


def test_images_are_float32_in_0_1_and_labels_int(world):
    write(world / "cache" / "mnist", WHOLE)
    mnist = data.load("mnist")
    assert mnist.x_train.shape == (20, 28, 28, 1) and mnist.x_train.dtype == np.float32
    assert_allclose(mnist.x_train[..., 0] * 255, WHOLE["x_train"], rtol=1e-6)
    assert_array_equal(mnist.y_test, WHOLE["y_test"])
    assert mnist.y_test.dtype == np.int64 and mnist.note == ""


def test_the_digest_is_of_the_edition_not_of_what_was_picked(world):
    digests = "".join(idx.sha256(idx.to_idx(values)) for values in SUBSET.values())
    expected = hashlib.sha256(digests.encode()).hexdigest()
    assert data.load("mnist").digest == data.load("mnist", n_train=3).digest == expected


def test_a_subset_is_never_silently_taken_for_the_whole(world):
    mnist = data.load("mnist", n_train=15)
    assert len(mnist.x_train) == 8
    assert (
        "8 + 4 of 20 + 10 images" in mnist.note
        and "15 training images were asked for, 8 are there" in mnist.note
    )
    assert "8 + 4 of 20 + 10 images" in repr(mnist) and "8 + 4 of 20 + 10 images" in mnist._repr_html_()


def test_fewer_images_are_spread_evenly_over_the_official_order(world):
    write(world / "cache" / "mnist", WHOLE)
    mnist = data.load("mnist", n_train=5, n_test=4)
    assert_array_equal(mnist.y_train, WHOLE["y_train"][[0, 4, 8, 12, 16]])
    assert_allclose(mnist.x_test[:, 3, 4, 0] * 255, WHOLE["x_test"][[0, 2, 5, 7], 3, 4], rtol=1e-6)
    assert "5 of 20 training images" in mnist.note


@pytest.mark.parametrize("count", [0, -1, 21, 2.5, "5", True])
def test_counts_that_make_no_sense_are_refused(world, count):
    with pytest.raises(ValueError, match="whole number from 1 to 20"):
        data.load("mnist", n_train=count)


@pytest.mark.parametrize(
    ("name", "answer"),
    [
        ("fashion", "did you mean 'fashion_mnist'"),
        ("Fashion-MNIST", "did you mean 'fashion_mnist'"),
        ("cifar", "known: faces, fashion_mnist, mnist"),
    ],
)
def test_unknown_names_are_answered_with_the_nearest_or_with_all(world, name, answer):
    with pytest.raises(data.DataError, match=f"no image set '{name}'.*{answer}"):
        data.load(name)


def test_importing_data_imports_no_tensorflow_and_no_requests():
    code = "import sys, labkit.data; print({'tensorflow', 'keras', 'requests'} & set(sys.modules))"
    shown = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert shown.stdout.strip() == "set()"


@pytest.mark.parametrize("suffix", [".gz", ""])
@pytest.mark.parametrize("dotted", [False, True])
def test_gzipped_or_not_in_both_spellings(world, monkeypatch, suffix, dotted):
    write(world / "own", WHOLE, suffix)
    for path in list((world / "own").iterdir()):
        path.rename(path.with_name(path.name.replace("-idx", ".idx") if dotted else path.name))
    monkeypatch.setenv("LABKIT_DATA", str(world / "own"))
    assert data.load("mnist").source == "$LABKIT_DATA"


def test_keras_npz_has_the_same_digest_as_the_idx_files(world):
    folder = world / "keras" / "datasets"
    folder.mkdir(parents=True)
    np.savez(folder / "mnist.npz", **WHOLE)
    mnist = data.load("mnist")
    assert mnist.source == "Keras cache"
    write(world / "cache" / "mnist", WHOLE)
    assert data.load("mnist").digest == mnist.digest


def damage(folder, how):
    path = folder / f"{FILES['x_train']}.gz"
    raw = gzip.decompress(path.read_bytes())
    changed = {
        "truncated": lambda: path.read_bytes()[:-200],
        "html": lambda: b"<!DOCTYPE html><html><body>404 Not Found</body></html>",
        "digest": lambda: gzip.compress(raw[:-1] + bytes([raw[-1] ^ 1])),
        "magic": lambda: gzip.compress(b"\0\0\x08\x01" + raw[4:]),
        "promise": lambda: gzip.compress(raw[:4] + (2**31).to_bytes(4, "big") + raw[8:]),
        "size": lambda: gzip.compress(raw[:8] + (32).to_bytes(4, "big") + raw[12:]),
        "bomb": lambda: gzip.compress(raw[:2] + bytes(idx.LARGEST + 10), 1),
        "empty": lambda: b"",
    }
    path.write_bytes(changed[how]())
    return path


@pytest.mark.parametrize(
    ("how", "message"),
    [
        ("truncated", "cut short or damaged"),
        ("html", "an HTML page saved under that name"),
        ("digest", "wrong SHA-256"),
        ("magic", "has other things in it than its name says"),
        ("promise", "promises 1,683,627,180,032 bytes of data; there are 15,680"),
        ("size", "images of 32×28"),
        ("bomb", "the magic number 0x00000000; that of images or labels was expected"),
        ("empty", "0 bytes and is no IDX file"),
    ],
)
def test_a_bad_file_is_named_set_aside_and_the_search_goes_on(world, how, message):
    write(world / "cache" / "mnist", WHOLE)
    path = damage(world / "cache" / "mnist", how)
    mnist = data.load("mnist")
    assert mnist.source == "subset bundled in data/mini"
    assert message in mnist.note and "train-images-idx3-ubyte.gz" in mnist.note
    assert not path.exists() and path.with_name(path.name + ".corrupt").exists()


def test_labels_that_are_fewer_than_images_are_refused(world):
    write(world / "cache" / "mnist", WHOLE | {"y_train": WHOLE["y_train"][:-1]})
    assert "train-labels-idx1-ubyte.gz has a wrong SHA-256" in data.load("mnist").note


def test_a_bad_file_that_cannot_be_renamed_stays_and_that_is_said(world, monkeypatch):
    write(world / "system" / "mnist", WHOLE)
    path = damage(world / "system" / "mnist", "digest")
    monkeypatch.setattr(Path, "rename", raise_permission_error)
    assert "left where it is (Permission denied)" in data.load("mnist").note
    assert path.exists()


def raise_permission_error(*arguments, **options):
    raise PermissionError(13, "Permission denied")


def test_a_file_without_permission_is_named_and_kept(world, monkeypatch):
    write(world / "cache" / "mnist", WHOLE)
    monkeypatch.setattr(sources, "read_bytes", raise_permission_error)
    monkeypatch.setattr(places, "MINI", world / "nowhere")
    with pytest.raises(data.DataError, match=r"train-images-idx3-ubyte.gz cannot be read: Permission denied"):
        data.load("mnist")
    assert len(list((world / "cache" / "mnist").iterdir())) == 4


@pytest.fixture
def locked(world, monkeypatch):
    """A cache whose folder of MNIST may not be read, and nothing bundled."""
    (world / "cache" / "mnist").mkdir(parents=True)
    folder = world / "cache" / "mnist"
    iterdir = Path.iterdir
    monkeypatch.setattr(
        Path, "iterdir", lambda path: raise_permission_error() if path == folder else iterdir(path)
    )
    monkeypatch.setattr(places, "MINI", world / "nowhere")


def test_a_folder_without_permission_is_named(locked):
    with pytest.raises(data.DataError, match="data/cache: cannot be read: Permission denied"):
        data.load("mnist")


def test_an_incomplete_folder_is_named(world):
    write(world / "cache" / "mnist", WHOLE, only=("x_train", "y_train"))
    mnist = data.load("mnist")
    assert "lacks t10k-images-idx3-ubyte, t10k-labels-idx1-ubyte" in mnist.note


def test_files_of_another_set_are_not_touched(world, monkeypatch):
    write(world / "own", OTHER)
    monkeypatch.setenv("LABKIT_DATA", str(world / "own"))
    assert data.load("mnist").source == "subset bundled in data/mini"
    assert data.load("fashion_mnist").source == "$LABKIT_DATA"
    assert not list((world / "own").glob("*.corrupt"))


def test_files_of_two_editions_are_not_mixed(world):
    write(world / "cache" / "mnist", WHOLE | {"x_test": SUBSET["x_test"], "y_test": SUBSET["y_test"]})
    assert data.load("mnist").source == "subset bundled in data/mini"
    assert not list((world / "cache" / "mnist").glob("*.corrupt"))


def test_status_changes_nothing(world):
    write(world / "cache" / "mnist", WHOLE)
    write(world / "mini" / "fashion-mnist", OTHER)
    path = damage(world / "cache" / "mnist", "digest")
    mnist, fashion, faces = data.status()
    assert mnist.source == fashion.source == "subset bundled in data/mini"
    assert faces.source == "rendered faces bundled in data/mini"
    assert mnist.problems == ("data/cache: train-images-idx3-ubyte.gz has a wrong SHA-256",)
    assert path.exists()


def test_the_bundled_files_are_never_renamed(world):
    path = damage(world / "mini" / "mnist", "digest")
    with pytest.raises(data.DataError, match="wrong SHA-256"):
        data.load("mnist")
    assert path.exists()


def test_an_own_folder_that_does_not_exist_is_said(world, monkeypatch):
    monkeypatch.setenv("LABKIT_DATA", str(world / "typo"))
    assert "$LABKIT_DATA is set, but is no folder" in data.load("mnist").note


def test_a_relative_own_folder_is_found_from_the_notebooks_too(world, monkeypatch):
    write(world / "own", WHOLE)
    (world / "notebooks").mkdir()
    monkeypatch.setattr(places, "ROOT", world)
    monkeypatch.setenv("LABKIT_DATA", "own")
    for folder in (world, world / "notebooks"):
        monkeypatch.chdir(folder)
        assert data.load("mnist").source == "$LABKIT_DATA"


def test_an_own_folder_behind_a_locked_door_is_said(world, monkeypatch):
    monkeypatch.setenv("LABKIT_DATA", str(world / "locked" / "inner"))
    is_dir = Path.is_dir
    monkeypatch.setattr(
        Path, "is_dir", lambda path: raise_permission_error() if "locked" in path.parts else is_dir(path)
    )
    assert "$LABKIT_DATA is set, but is no folder" in data.load("mnist").note


def test_what_was_wrong_is_warned_of_with_its_source(world):
    write(world / "cache" / "mnist", WHOLE)
    damage(world / "cache" / "mnist", "digest")
    with pytest.warns(
        UserWarning, match=r"mnist: data/cache: train-images-idx3-ubyte\.gz has a wrong SHA-256"
    ):
        data.load("mnist")
    write(world / "cache" / "mnist", WHOLE)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        assert data.load("mnist").source == "data/cache"


def test_npz_that_would_unpickle_or_is_cut_short_is_refused(world):
    folder = world / "keras" / "datasets"
    folder.mkdir(parents=True)
    np.savez(folder / "mnist.npz", **(WHOLE | {"x_train": np.array([object()], dtype=object)}))
    assert "mnist.npz is not Keras's npz file" in data.load("mnist").note
    np.savez(folder / "mnist.npz", **WHOLE)
    (folder / "mnist.npz").write_bytes((folder / "mnist.npz").read_bytes()[:5000])
    assert "mnist.npz is no whole archive" in data.load("mnist").note


@pytest.mark.parametrize("shape", [(10**12, 28, 28), (10**30, 28, 28), (3, 28, 28)])
def test_npz_is_not_given_the_memory_that_its_header_asks_for(tmp_path, shape):
    header = io.BytesIO()
    facts = {"descr": "|u1", "fortran_order": False, "shape": shape}
    np.lib.format.write_array_header_1_0(header, facts)
    with zipfile.ZipFile(tmp_path / "mnist.npz", "w") as archive:
        archive.writestr("x_train.npy", header.getvalue() + bytes(2 * 784))
    with pytest.raises(data.DataError, match=r"mnist\.npz.*there are 1,568"):
        idx.read_npz(tmp_path / "mnist.npz")


def test_npz_that_unpacks_to_more_than_the_set_is_refused(tmp_path):
    with zipfile.ZipFile(tmp_path / "mnist.npz", "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("x_train.npy", bytes(idx.LARGEST + 10_000))
    with pytest.raises(data.DataError, match=r"mnist\.npz.*holds more than"):
        idx.read_npz(tmp_path / "mnist.npz")


@given(st.data())
@settings(max_examples=100)
def test_no_change_of_an_npz_gives_another_error_or_other_arrays_unseen(tmp_path_factory, chosen):
    path = tmp_path_factory.mktemp("npz") / "mnist.npz"
    np.savez(path, **SUBSET)
    content = bytearray(path.read_bytes())
    for _ in range(3):
        content[chosen.draw(st.integers(0, len(content) - 1))] = chosen.draw(st.integers(0, 255))
    path.write_bytes(content)
    try:
        assert set(idx.read_npz(path)) == set(FILES)
    except data.DataError as error:
        assert "mnist.npz" in str(error)


def test_when_nothing_is_found_every_place_is_listed(world):
    with pytest.raises(data.DataError) as error:
        data.load("fashion_mnist")
    for place in ("data/cache", "system", "Keras cache"):
        assert f"{place}: not there" in str(error.value)


def test_notes_name_no_path_of_this_machine(world):
    write(world / "cache" / "mnist", WHOLE)
    damage(world / "cache" / "mnist", "magic")
    assert str(world) not in repr(data.load("mnist"))


@given(arrays(np.uint8, st.tuples(st.integers(0, 4), st.just(28), st.just(28))))
@settings(max_examples=20)
def test_idx_round_trip(array):
    assert_array_equal(idx.parse_idx(idx.to_idx(array), "file", idx.IMAGES), array)


@given(st.binary(max_size=64))
def test_no_bytes_make_parse_idx_fail_in_another_way(content):
    for magic in (idx.IMAGES, idx.LABELS):
        try:
            assert idx.parse_idx(content, "file", magic).nbytes <= len(content)
        except data.DataError as error:
            assert "file" in str(error)


# --- files by other names and in other folders are known by their content


def raw(array):
    return idx.to_idx(WHOLE[array])


def zipped(array):
    return gzip.compress(raw(array))


def stored(folder, content_of, name_of):
    """The four files of WHOLE below `folder`: name_of(official name) holds content_of(array)."""
    for array, name in FILES.items():
        path = folder / name_of(name)
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(content_of(array))


OTHER_WAYS = {
    "unpacked, .gz left": (raw, "{}.gz"),
    "gzipped, .gz lost": (zipped, "{}"),
    "gzipped twice": (lambda a: gzip.compress(zipped(a)), "{}.gz"),
    "gzipped in two parts": (lambda a: gzip.compress(raw(a)[:9]) + gzip.compress(raw(a)[9:]), "{}.gz"),
    "bytes after the end": (lambda a: raw(a) + b"\r\n", "{}"),
    "bytes after a gzip's end": (lambda a: zipped(a) + b"<!-- -->", "{}.gz"),
    "zeros after a gzip's end": (lambda a: zipped(a) + bytes(512), "{}.gz"),
    "Kaggle": (raw, "archive/{0}/{0}"),
    "a folder of that name": (zipped, "{0}.gz/{0}"),
    "torchvision": (raw, "MNIST/raw/{}"),
    "a browser's second copy": (zipped, "{} (1).gz"),
    "TensorFlow Datasets": (zipped, "downloads/mnist/cvdf-datasets_mnist_{}wbYMEyWK.gz"),
    "no name at all": (raw, "x/{}.bin"),
}


@pytest.mark.parametrize("way", OTHER_WAYS)
@pytest.mark.parametrize("sub", ["", "mnist"])
def test_a_good_file_is_known_by_its_content_and_never_renamed(world, monkeypatch, way, sub):
    content_of, pattern = OTHER_WAYS[way]
    own = world / "own"
    stored(own / sub, content_of, pattern.format)
    monkeypatch.setenv("LABKIT_DATA", str(own))
    before = sorted(own.rglob("*"))
    mnist = data.load("mnist")
    assert mnist.source.startswith("$LABKIT_DATA") and len(mnist.x_train) == 20
    assert_allclose(mnist.x_train[..., 0] * 255, WHOLE["x_train"], rtol=1e-6)
    assert_array_equal(mnist.y_test, WHOLE["y_test"])
    assert mnist.note == "" and sorted(own.rglob("*")) == before
    checks = [c for c in data.verify() if c.source.startswith("$LABKIT_DATA")]
    assert len(checks) == 4 and not [check for check in checks if check.problem]


def test_two_sets_with_the_same_file_names_lie_side_by_side(world, monkeypatch):
    write(world / "own" / "MNIST" / "raw", WHOLE, "")
    write(world / "own" / "FashionMNIST" / "raw", OTHER)
    monkeypatch.setenv("LABKIT_DATA", str(world / "own"))
    assert_array_equal(data.load("mnist").y_test, WHOLE["y_test"])
    fashion = data.load("fashion_mnist")
    assert_allclose(fashion.x_train[..., 0] * 255, OTHER["x_train"], rtol=1e-6)
    assert not list(world.rglob("*.corrupt*"))


def test_keras_npz_is_known_by_another_name(world, monkeypatch):
    (world / "own").mkdir()
    np.savez(world / "own" / "mnist (2).npz", **WHOLE)
    monkeypatch.setenv("LABKIT_DATA", str(world / "own"))
    assert data.load("mnist").source == "$LABKIT_DATA"


@pytest.mark.parametrize("name", ["archive.zip", "mnist.npz", "no name"])
def test_an_archive_of_the_files_is_read_as_it_is(world, monkeypatch, name):
    (world / "own").mkdir()
    with zipfile.ZipFile(world / "own" / name, "w", zipfile.ZIP_DEFLATED) as archive:
        for array, file in FILES.items():
            archive.writestr(f"{file}/{file}", raw(array) if array.startswith("x") else zipped(array))
        archive.writestr("mnist_train.csv", "label,1x1\n5,0\n")
    monkeypatch.setenv("LABKIT_DATA", str(world / "own"))
    mnist = data.load("mnist")
    assert mnist.source == "$LABKIT_DATA" and mnist.note == ""
    assert_array_equal(mnist.y_train, WHOLE["y_train"])


def test_a_good_file_beside_a_bad_one_is_taken_and_the_bad_one_named(world):
    write(world / "cache" / "mnist", WHOLE)
    write(world / "cache" / "mnist", WHOLE, "")
    path = damage(world / "cache" / "mnist", "truncated")
    good = path.with_name(FILES["x_train"])
    good.rename(path.with_name("train-images.idx3-ubyte"))  # which comes after the bad one
    mnist = data.load("mnist")
    assert mnist.source == "data/cache" and f"{path.name} is cut short" in mnist.note
    assert path.with_name(f"{path.name}.corrupt").exists()


def test_another_sets_files_under_the_same_names_are_left_where_they_are(world, monkeypatch):
    unknown = fake_arrays(30, 15, seed=5)  # as Kuzushiji-MNIST has the names of MNIST
    write(world / "own", unknown)
    monkeypatch.setenv("LABKIT_DATA", str(world / "own"))
    mnist = data.load("mnist")
    assert "$LABKIT_DATA: train-images-idx3-ubyte.gz has a wrong SHA-256" in mnist.note
    assert len(list((world / "own").iterdir())) == 4 and not list(world.rglob("*.corrupt*"))


def test_an_older_corrupt_file_is_never_overwritten(world):
    write(world / "cache" / "mnist", WHOLE)
    path = damage(world / "cache" / "mnist", "digest")
    older = path.with_name(f"{path.name}.corrupt")
    older.write_bytes(b"mine")
    assert f"set aside as {path.name}.corrupt1" in data.load("mnist").note
    assert older.read_bytes() == b"mine" and path.with_name(f"{path.name}.corrupt1").exists()


def test_the_files_are_found_among_thousands_of_others(world, monkeypatch):
    write(world / "own", WHOLE)
    for i in range(3000):
        (world / "own" / f"a{i}.png").touch()
    monkeypatch.setenv("LABKIT_DATA", str(world / "own"))
    assert data.load("mnist").source == "$LABKIT_DATA"


def test_what_macos_leaves_beside_files_is_no_file_of_a_set(world, monkeypatch):
    write(world / "own", WHOLE)
    for name in FILES.values():
        (world / "own" / f"._{name}.gz").write_bytes(bytes.fromhex("0005160700020000") + bytes(4088))
    monkeypatch.setenv("LABKIT_DATA", str(world / "own"))
    assert data.load("mnist").note == ""


@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="this system has no named pipes")
def test_a_link_that_leads_nowhere_and_a_pipe_are_no_files(world, monkeypatch):
    write(world / "own", WHOLE, only=("y_train", "x_test", "y_test"))
    (world / "own" / f"{FILES['x_train']}.gz").symlink_to("nowhere")
    os.mkfifo(world / "own" / FILES["x_train"])
    monkeypatch.setenv("LABKIT_DATA", str(world / "own"))
    assert "lacks train-images-idx3-ubyte" in data.load("mnist").note


def test_a_folder_in_which_nothing_is_understood_is_said(world, monkeypatch):
    (world / "own" / "photos").mkdir(parents=True)
    (world / "own" / "notes.txt").write_text("hello")
    monkeypatch.setenv("LABKIT_DATA", str(world / "own"))
    for name in ("mnist", "faces"):
        note = data.load(name).note
        assert "$LABKIT_DATA is set, but nothing in it is understood (it holds notes.txt, photos/)" in note
    write(world / "own" / "fashion-mnist", OTHER)
    assert "understood" not in data.load("mnist").note


@pytest.mark.parametrize("name", ["~nosuchuser/x", "x" * 300, "x/" * 3000, "/dev/null", "\udcff"])
def test_a_folder_that_cannot_be_is_said(world, monkeypatch, name):
    monkeypatch.setenv("LABKIT_DATA", name)
    assert "$LABKIT_DATA is set, but is no folder" in data.load("mnist").note


def test_what_is_wrong_with_one_set_hides_no_other(world, monkeypatch, capsys):
    write(world / "mini" / "fashion-mnist", OTHER)
    (world / "own" / "faces").mkdir(parents=True)
    (world / "own" / "faces" / "ck.mat").write_bytes(b"nothing")
    monkeypatch.setenv("LABKIT_DATA", str(world / "own"))
    mnist, fashion, faces = data.status()
    assert isinstance(mnist, data.Found) and isinstance(fashion, data.Found)
    assert isinstance(faces, data.Refused) and "ck.mat is no MATLAB file" in faces.reason
    assert main(["data", "status"]) == 1
    shown = capsys.readouterr().out.splitlines()
    assert [line.split(":")[0] for line in shown] == ["mnist", "fashion_mnist", "faces"]


def test_a_user_without_a_home_has_the_other_places(world, monkeypatch):
    def homeless():
        raise RuntimeError("Could not determine home directory.")

    monkeypatch.setattr(Path, "home", homeless)
    for name in ("KERAS_HOME", "SCIKIT_LEARN_DATA", "HOME"):
        monkeypatch.delenv(name, raising=False)
    assert data.load("mnist").source == "subset bundled in data/mini"
    assert data.load("faces").source == "rendered faces bundled in data/mini"


# --- the subsets in the repository


@pytest.mark.parametrize("name", ["mnist", "fashion_mnist"])
def test_the_bundled_subset_is_balanced_and_has_its_digests(name, monkeypatch, tmp_path):
    for place in ("CACHE", "SYSTEM"):
        monkeypatch.setattr(places, place, () if place == "SYSTEM" else tmp_path)
    monkeypatch.setenv("KERAS_HOME", str(tmp_path))
    found = data.load(name)
    assert found.source == "subset bundled in data/mini"
    assert np.bincount(found.y_train).tolist() == [1000] * 10
    assert np.bincount(found.y_test).tolist() == [200] * 10
    assert found.x_train.shape == (10_000, 28, 28, 1) and found.x_train.max() == 1.0


def test_making_the_subset_again_gives_the_same_bytes(world, monkeypatch):
    spec = importlib.util.spec_from_file_location(
        "make_mini", Path(data.__file__).parents[2] / "data/make_mini.py"
    )
    make_mini = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(make_mini)
    monkeypatch.setattr(places, "MINI", world / "made")
    monkeypatch.setattr(make_mini, "PER_CLASS", {"train": 1, "test": 1})
    for name, content, folder in (("mnist", WHOLE, "mnist"), ("fashion_mnist", OTHER, "fashion-mnist")):
        write(world / "cache" / folder, content)
        assert data.load(name).source == "data/cache"
    made = []
    for _ in range(2):
        make_mini.main()
        made.append({path.name: path.read_bytes() for path in sorted((world / "made").rglob("mnist/*.gz"))})
    assert made[0] == made[1] and len(made[0]) == 4
    labels = idx.read_bytes(world / "made" / "mnist" / f"{FILES['y_train']}.gz")
    assert_array_equal(idx.parse_idx(labels, "labels", idx.LABELS), np.arange(10))


# --- downloads, from a server on this machine


class Handler(http.server.BaseHTTPRequestHandler):
    """Serves gzipped IDX files, with or without Range; counts what is asked of it."""

    def do_GET(self):
        server = self.server
        server.asked.append((self.path, self.headers.get("Range")))
        body = server.files.get(self.path.lstrip("/"))
        if body is None:
            self.send_error(404)
            return
        start = 0
        if server.ranges and (wanted := self.headers.get("Range")):
            start = int(wanted.removeprefix("bytes=").rstrip("-"))
            if start >= len(body):
                self.send_error(416)
                return
        self.send_response(206 if start else 200)
        self.send_header("Content-Length", str(len(body) - start))
        self.end_headers()
        self.wfile.write(body[start : start + server.cut] if server.cut else body[start:])

    def log_message(self, *arguments):
        pass


@pytest.fixture
def mirror(world, monkeypatch):
    monkeypatch.delenv("LABKIT_OFFLINE")
    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    server.files = {f"{name}.gz": gzip.compress(idx.to_idx(WHOLE[array])) for array, name in FILES.items()}
    server.asked, server.ranges, server.cut = [], True, None
    threading.Thread(target=server.serve_forever, args=(0.02,), daemon=True).start()
    url = f"http://127.0.0.1:{server.server_port}/"
    server.set = fake_set("mnist", ("mnist",), WHOLE, SUBSET, mirrors=("http://127.0.0.1:9/", url))
    monkeypatch.setitem(sources.SETS, "mnist", server.set)
    yield server
    server.shutdown()
    server.server_close()


def test_a_download_falls_back_to_the_next_mirror_and_is_kept(world, mirror):
    first = data.load("mnist")
    assert first.source == f"download from 127.0.0.1:{mirror.server_port}" and len(first.x_train) == 20
    assert data.load("mnist").source == "data/cache" and len(mirror.asked) == 4
    assert sorted(p.name for p in (world / "cache" / "mnist").iterdir()) == sorted(
        f"{n}.gz" for n in FILES.values()
    )


def part_of(world, mirror, content):
    part = world / "cache" / "mnist" / f"{FILES['x_train']}.127.0.0.1.part.gz"
    part.parent.mkdir(parents=True)
    part.write_bytes(content)
    return part


@pytest.mark.parametrize("ranges", [True, False])
def test_a_broken_off_download_goes_on_where_it_stopped(world, mirror, ranges):
    mirror.ranges = ranges
    part_of(world, mirror, mirror.files[f"{FILES['x_train']}.gz"][:1000])
    assert len(data.load("mnist").x_train) == 20
    assert mirror.asked[0] == (f"/{FILES['x_train']}.gz", "bytes=1000-")


def test_a_part_that_is_whole_already_is_taken(world, mirror):
    part_of(world, mirror, mirror.files[f"{FILES['x_train']}.gz"])
    assert len(data.load("mnist").x_train) == 20


def test_a_part_with_wrong_bytes_is_fetched_anew(world, mirror):
    part_of(world, mirror, b"x" * 1000)
    assert len(data.load("mnist").x_train) == 20
    assert [r for _, r in mirror.asked[:2]] == ["bytes=1000-", None]


def test_a_transfer_that_breaks_off_leaves_its_part_and_no_file(world, mirror, monkeypatch):
    monkeypatch.setattr(download, "CHUNK", 500)
    mirror.cut = 2000
    mnist = data.load("mnist")
    assert mnist.source == "subset bundled in data/mini" and "no download of mnist" in mnist.note
    (left,) = (world / "cache" / "mnist").iterdir()
    assert left.name.endswith(".part.gz") and left.stat().st_size == 2000
    mirror.cut = None
    monkeypatch.setattr(download, "LOAD_FAILURES", download.Failures())  # as another process would begin
    assert data.load("mnist").source.startswith("download")


def test_an_error_page_or_wrong_file_is_never_installed(world, mirror):
    mirror.files[f"{FILES['x_train']}.gz"] = b"<html>Service unavailable</html>"
    assert "HTML page" in data.load("mnist").note
    assert not (world / "cache" / "mnist" / f"{FILES['x_train']}.gz").exists()


def test_a_dead_network_is_asked_once_a_process(world, mirror):
    mirror.files.clear()
    for _ in range(2):
        assert data.load("mnist").source == "subset bundled in data/mini"
    assert len(mirror.asked) == 1


def test_offline_asks_nobody(world, mirror, monkeypatch):
    monkeypatch.setenv("LABKIT_OFFLINE", "1")
    assert data.load("mnist").source == "subset bundled in data/mini" and mirror.asked == []


def test_two_runs_that_start_together_download_once(world, mirror):
    barrier, results, origins = threading.Barrier(2), [], []

    def run():
        barrier.wait()
        mnist = data.load("mnist")
        results.append(len(mnist.x_train))
        origins.append(mnist.source.split(" ")[0])

    threads = [threading.Thread(target=run) for _ in range(2)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert results == [20, 20] and len(mirror.asked) == 4
    assert sorted(origins) == ["data/cache", "download"]


def test_fetch_says_what_it_did_and_reports_progress(world, mirror):
    seen = []
    assert "downloaded from" in data.fetch(["mnist"], lambda *step: seen.append(step))[0]
    assert seen[-1][1] == seen[-1][2] and {name for name, *_ in seen} == {f"{n}.gz" for n in FILES.values()}
    assert data.fetch(["mnist"]) == ["mnist: already in data/cache"]


def test_fetch_replaces_a_bundled_subset_that_lies_in_the_cache(world, mirror):
    write(world / "cache" / "mnist", SUBSET)
    assert "downloaded from" in data.fetch(["mnist"])[0]
    assert len(data.load("mnist").x_train) == 20


def test_a_bad_file_in_an_incomplete_cache_is_fetched_too(world, mirror):
    write(world / "cache" / "mnist", WHOLE, only=("x_train", "y_train"))
    damage(world / "cache" / "mnist", "digest")
    mnist = data.load("mnist")
    assert mnist.source.startswith("download") and len(mnist.x_train) == 20
    assert len(mirror.asked) == 3


def test_fetch_says_which_bad_file_it_set_aside(world, mirror):
    write(world / "cache" / "mnist", WHOLE)
    damage(world / "cache" / "mnist", "digest")
    (sentence,) = data.fetch(["mnist"])
    assert "downloaded from" in sentence and "set aside as train-images-idx3-ubyte.gz.corrupt" in sentence


def test_fetch_asks_again_after_a_failure_that_load_remembers(world, mirror):
    files, mirror.files = mirror.files, {}
    assert "HTTP status 404" in data.load("mnist").note
    mirror.files = files
    assert data.load("mnist").source == "subset bundled in data/mini"
    assert "downloaded from" in data.fetch(["mnist"])[0]


def test_fetch_is_refused_where_downloads_are_switched_off(world, mirror, monkeypatch):
    monkeypatch.setenv("LABKIT_OFFLINE", "1")
    with pytest.raises(data.DataError, match="LABKIT_OFFLINE is set"):
        data.fetch(["mnist"])
    assert mirror.asked == []


def test_without_a_network_no_other_set_is_tried(world, mirror, monkeypatch):
    dead = fake_set("mnist", ("mnist",), WHOLE, SUBSET, mirrors=("http://127.0.0.1:9/",))
    monkeypatch.setitem(catalogue.SETS, "mnist", dead)
    url = f"http://127.0.0.1:{mirror.server_port}/"
    other = fake_set("fashion_mnist", ("fashion-mnist",), OTHER, SUBSET, mirrors=(url,))
    monkeypatch.setitem(catalogue.SETS, "fashion_mnist", other)
    write(world / "mini" / "fashion-mnist", SUBSET)
    data.load("mnist")
    assert "there was no network" in data.load("fashion_mnist").note and mirror.asked == []


def test_a_download_that_is_too_large_is_named_and_removed(world, mirror, monkeypatch):
    monkeypatch.setattr(download, "LARGEST_DOWNLOAD", 2000)
    assert "train-images-idx3-ubyte.gz is larger than any official file" in data.load("mnist").note
    assert not list((world / "cache" / "mnist").iterdir())


def test_offline_0_means_online(world, mirror, monkeypatch):
    monkeypatch.setenv("LABKIT_OFFLINE", "0")
    assert data.load("mnist").source.startswith("download")


def test_fetch_without_network_is_refused_set_by_set(world, monkeypatch, capsys):
    monkeypatch.delenv("LABKIT_OFFLINE")
    monkeypatch.setattr(known, "URL", "http://127.0.0.1:9/faces.mat")
    outcomes = data.fetch(["mnist", "faces"])
    assert [outcome.name for outcome in outcomes] == ["mnist", "faces"]
    assert "no download of mnist (127.0.0.1:9: no connection (ConnectionError))" in outcomes[0].reason
    assert main(["data", "fetch"]) == 1
    assert len(capsys.readouterr().out.splitlines()) == 3


ANSWERS = [
    (requests.exceptions.SSLError("expired"), {}, "certificate is not accepted.*certifi"),
    (requests.exceptions.ProxyError("407"), {"HTTPS_PROXY": "http://p:1"}, "proxy that HTTPS_PROXY names"),
    (OSError("Could not find a suitable TLS CA certificate bundle, invalid path: /x"),
     {"REQUESTS_CA_BUNDLE": "/x"}, "REQUESTS_CA_BUNDLE names certificates that are not there"),
    (requests.exceptions.InvalidProxyURL("no host"), {"HTTPS_PROXY": ":"}, "proxy that HTTPS_PROXY names"),
    (ValueError("Failed to parse: :"), {}, "it cannot be asked"),
    (requests.exceptions.ReadTimeout("30 s"), {}, r"no connection \(ReadTimeout\)"),
]  # fmt: skip


@pytest.mark.parametrize(("error", "variables", "told"), ANSWERS)
def test_why_there_was_no_download_is_said_in_a_line_with_what_helps(
    world, monkeypatch, error, variables, told
):
    def refuse(*arguments, **options):
        raise error

    monkeypatch.delenv("LABKIT_OFFLINE")
    for name in (*download.PROXIES, *download.CERTIFICATES):
        monkeypatch.delenv(name, raising=False)
    for name, value in variables.items():
        monkeypatch.setenv(name, value)
    monkeypatch.setattr(requests, "get", refuse)
    with pytest.warns(UserWarning, match=f"mnist: no download of mnist .*{told}") as warned:
        assert data.load("mnist").source == "subset bundled in data/mini"
    assert "\n" not in str(warned[0].message)


def test_downloads_go_to_the_users_own_cache_where_the_projects_is_read_only(world, mirror, monkeypatch):
    monkeypatch.setattr(places, "can_write", lambda folder: False)
    monkeypatch.setattr(places, "user_cache", lambda: world / "home" / "cache")
    assert "into your own cache" in data.fetch(["mnist"])[0]
    assert data.load("mnist").source == "your own cache" and not (world / "cache").exists()


def test_a_full_disk_is_named_and_the_search_goes_on(world, mirror, monkeypatch):
    def full(*arguments, **options):
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(download, "receive", full)
    mnist = data.load("mnist")
    assert mnist.source == "subset bundled in data/mini"
    assert "data/cache cannot be written: No space left on device; put the files into a folder" in mnist.note


def test_a_cache_that_cannot_be_written_is_an_error_that_says_so(world, mirror, monkeypatch):
    monkeypatch.setattr(download, "FileLock", raise_permission_error)
    assert "data/cache cannot be written: Permission denied" in data.load("mnist").note


def test_verify_names_bad_files_and_touches_nothing(world):
    write(world / "cache" / "mnist", WHOLE)
    path = damage(world / "cache" / "mnist", "digest")
    checks = {(c.source, c.file): c.problem for c in data.verify()}
    assert "wrong SHA-256" in checks["data/cache", path.name]
    assert checks["data/mini", path.name] is None
    assert path.exists() and len(checks) == 9


def test_verify_checks_an_incomplete_folder_and_leaves_another_sets_files_alone(world, monkeypatch):
    write(world / "own", OTHER)
    write(world / "cache" / "mnist", WHOLE, only=("x_train", "y_train"))
    path = damage(world / "cache" / "mnist", "html")
    monkeypatch.setenv("LABKIT_DATA", str(world / "own"))
    checks = data.verify()
    assert [(c.file, c.set_name) for c in checks if c.problem] == [(path.name, "mnist")]
    own = {c.set_name for c in checks if c.source == "$LABKIT_DATA" and "images" in c.file}
    assert own == {"fashion_mnist"}


def test_verify_names_a_folder_that_cannot_be_read(locked):
    problems = {c.problem for c in data.verify() if c.set_name != "faces"}
    assert problems == {"cannot be read: Permission denied"}


def test_the_record_of_a_run_has_source_and_digest(world, tmp_path):
    mnist = data.load("mnist", n_train=3)
    text = (tmp_path / "run" / "facts.jsonl").read_text()
    assert mnist.digest in text and '"n_train": 3' in text and "subset bundled" in text


# --- how the package is built


def test_both_modules_that_know_sets_offer_what_a_source_has_to():
    for name in (*registry.names(), "rendered_faces"):
        assert isinstance(registry.source_module(name), registry.ImageSource)


def test_no_module_of_the_package_imports_itself_in_a_circle():
    import grimp

    graph = grimp.build_graph("labkit")
    edges = [(a, b) for a in graph.modules for b in graph.find_modules_directly_imported_by(a)]
    assert len(edges) > 100
    circles = [chain for a, b in edges if (chain := graph.find_shortest_chain(b, a))]
    assert circles == []
