"""Other people's .mat files: what cannot be read hides nothing, and what has two readings is no guess."""

import os
import subprocess
import sys

import h5py
import numpy as np
import pytest
import scipy.sparse
from numpy.testing import assert_allclose, assert_array_equal
from scipy.io import savemat

from labkit import data
from labkit.data import DataError, places
from labkit.data.faces import apart
from labkit.data.faces.apart import read_apart
from labkit.data.faces.layouts import MatOptions
from labkit.data.faces.mat5 import Stream
from labkit.data.faces.reader import read_faces, resized
from tests.fuzz import matlab
from tests.fuzz.matlab import cell, element, matrix, numbers, packed, structure, text, thing

N, SIDE = 10, 64


def ovals(n=N, height=SIDE, width=SIDE):
    """Made-up faces, uint8 (n, height, width): an oval, eyes and a mouth of different sizes."""
    rng = np.random.default_rng(0)
    y, x = np.mgrid[-1 : 1 : height * 1j, -1 : 1 : width * 1j]
    made = []
    for _ in range(n):
        a, b, mouth = 0.55 + 0.1 * rng.random(), 0.8 + 0.1 * rng.random(), rng.uniform(-0.2, 0.2)
        face = 60 + 150 * np.exp(-(((x / a) ** 2 + (y / b) ** 2) ** 4))
        face -= 90 * np.exp(-((abs(x) - 0.25) ** 2 + (y + 0.2) ** 2) / 0.01)
        made.append(face - 70 * np.exp(-((y - 0.4 - mouth * x**2) ** 2) / 0.005) * (abs(x) < 0.3))
    return np.clip(np.stack(made), 0, 255).astype(np.uint8)


FACES = ovals()
STACK = FACES.transpose(1, 2, 0)  # (64, 64, n), as MATLAB has them
LABELS = np.arange(N) % 4.0


def told(faces):
    return "; ".join((*faces.remarks, *faces.unused))


# --- every variable by itself

BAD = {
    "emoji": text("note", "smiles 😀 first"),
    "half an emoji": text("note", "a😀".encode("utf-16-le")[:4]),
    "one byte a character": text("note", "fröhlich", 2, (1, 8)),
    "damaged UTF-8": text("note", b"\xff\xfe\xfd\xfc", 16, (1, 4)),
    "fewer bytes than characters": text("note", b"ab", 16, (1, 9)),
    "no bytes": text("note", b"", 16, (1, 9)),
    "a type that is none": matrix(6, (3, 1), "note", element(99, bytes(24))),
    "too few numbers": matrix(6, (3, 3), "note", element(9, bytes(24))),
    "an object": thing("note", "datetime"),
    "a class that is none": matrix(77, (1, 1), "note", element(9, bytes(8))),
    "no name": matrix(6, (1, 1), "", element(9, bytes(8))),
    "an empty element": element(14, b""),
    "a damaged compression": packed(text("note", "abc"))[:8] + bytes(len(packed(text("note", "abc"))) - 8),
    "an emoji in a struct": structure("s", note=text("", "😀"), x=numbers("", [1.0])),
    "an emoji in a cell": cell("c", [text("", "😀"), text("", "b")]),
}


@pytest.mark.parametrize("kind", BAD)
def test_a_variable_that_cannot_be_read_hides_no_other(tmp_path, kind):
    path = matlab.write(tmp_path / "ck.mat", numbers("faces", STACK), BAD[kind], numbers("labels", LABELS))
    faces = read_apart(path) if kind == "a type that is none" else read_faces(path)
    assert_allclose(faces.images, FACES / 255, atol=1e-6)
    assert_array_equal(faces.labels, LABELS)


def test_a_bad_field_hides_no_other_field(tmp_path):
    fields = {"note": text("", "😀"), "faces": numbers("", STACK), "labels": numbers("", LABELS)}
    for made in (structure("ck", **fields), packed(structure("ck", **fields))):
        faces = read_faces(matlab.write(tmp_path / "ck.mat", made))
        assert_allclose(faces.images, FACES / 255, atol=1e-6)
        assert_array_equal(faces.labels, LABELS)


@pytest.mark.parametrize("cls", ["string", "categorical"])
@pytest.mark.parametrize("version", ["7", "7.3"])
def test_labels_that_are_objects_are_named_with_what_to_type(tmp_path, cls, version):
    path = tmp_path / "ck.mat"
    if version == "7":
        matlab.write(path, numbers("faces", STACK), packed(thing("labels", cls)))
    else:
        matlab.write_h5(path, faces=STACK, labels=(cls,))
    faces = read_faces(path)
    assert faces.labels is None and len(faces.images) == N
    assert faces.unused == (
        f"labels (object of class {cls}) was not used: one number or text an image was expected; "
        "in MATLAB type labels = cellstr(labels); and save it again",
    )


UNUSED = {
    "sparse": (lambda: scipy.sparse.csc_matrix(LABELS[:, None]), "labels = full(labels)"),
    "a text": (lambda: "abcdabcdab", "labels = cellstr(labels')"),
    "a matrix": (lambda: np.linspace(0, 1, 2 * N).reshape(N, 2), "labels = labels(:, 1)"),
    "cells of both kinds": (
        lambda: np.array([["a", 1.0]] * 5, object).reshape(N, 1),
        "labels (cell array of 10)",
    ),
    "nothing": (lambda: np.zeros((0, 0)), "labels 0×0 float64 was not used"),
}


@pytest.mark.parametrize("kind", UNUSED)
def test_labels_that_are_there_and_not_used_are_named(tmp_path, kind):
    make, expected = UNUSED[kind]
    savemat(tmp_path / "ck.mat", {"faces": FACES, "labels": make()})
    faces = read_faces(tmp_path / "ck.mat")
    assert faces.labels is None and expected in "; ".join(faces.unused)


def test_unused_labels_are_warned_of(tmp_path, monkeypatch):
    monkeypatch.setenv("LABKIT_DATA", str(tmp_path))
    (tmp_path / "faces").mkdir()
    matlab.write(tmp_path / "faces" / "ck.mat", numbers("faces", STACK), thing("labels", "string"))
    with pytest.warns(UserWarning, match=r"labels \(object of class string\) was not used"):
        faces = data.load("faces")
    assert "labels = cellstr(labels)" in faces.note and faces.class_names == ("face",)


def test_a_table_is_named_with_what_to_type(tmp_path):
    path = matlab.write(tmp_path / "ck.mat", thing("T", "table"))
    with pytest.raises(DataError, match=r"T = table2struct\(T, 'ToScalar', true\);"):
        read_faces(path)


def test_a_vector_of_another_name_may_be_the_labels(tmp_path):
    savemat(tmp_path / "ck.mat", {"faces": FACES, "mood": LABELS, "number": np.arange(N)})
    faces = read_faces(tmp_path / "ck.mat")
    assert "mood has one value an image and was not used; labels='mood' takes it" in told(faces)
    assert "number" not in told(faces)
    assert_array_equal(read_faces(tmp_path / "ck.mat", MatOptions(labels="mood")).labels, LABELS)


# --- the same content in version 7 and in version 7.3

SAME = {
    "numbers": (numbers("labels", LABELS), LABELS),
    "texts": (cell("labels", [text("", w) for w in ["joy", "fear"] * 5]), ["joy", "fear"] * 5),
    "beyond ASCII": (cell("labels", [text("", w) for w in ["fröhlich", "😀"] * 5]), ["fröhlich", "😀"] * 5),
    "one byte": (
        cell("labels", [text("", "fröh", 2, (1, 4)), text("", "x", 2, (1, 1))] * 5),
        ["fröh", "x"] * 5,
    ),
    "empty texts": (cell("labels", [text("", ""), text("", "a")] * 5), ["", "a"] * 5),
    "objects": (thing("labels", "categorical"), ("categorical",)),
}


@pytest.mark.parametrize("kind", SAME)
def test_the_same_content_gives_the_same_result_in_both_formats(tmp_path, kind):
    made, value = SAME[kind]
    old = read_faces(matlab.write(tmp_path / "old.mat", numbers("faces", STACK), made))
    new = read_faces(matlab.write_h5(tmp_path / "new.mat", faces=STACK, labels=value))
    assert_array_equal(old.images, new.images)
    assert (old.class_names, old.unused) == (new.class_names, new.unused)
    assert_array_equal(old.labels, new.labels)


def test_doubles_that_are_stored_as_small_whole_numbers_are_doubles(tmp_path):
    values = STACK.astype(float) * 16
    body = element(4, values.astype("u2").tobytes("F"))  # as MATLAB stores a double array of such numbers
    old = read_faces(matlab.write(tmp_path / "old.mat", matrix(6, values.shape, "faces", body)))
    new = read_faces(matlab.write_h5(tmp_path / "new.mat", faces=values))
    assert_array_equal(old.images, new.images)
    assert old.remarks == new.remarks


def test_rows_of_a_char_matrix_are_labels_in_both_formats(tmp_path):
    words = np.array([list("joy "), list("fear")] * 5)
    units = np.vectorize(ord)(words).astype("<u2")
    old = matlab.write(
        tmp_path / "old.mat", numbers("faces", STACK), text("labels", units.tobytes("F"), 17, (N, 4))
    )
    new = matlab.write_h5(tmp_path / "new.mat", faces=STACK, labels=units)
    with h5py.File(new, "r+") as file:
        file["labels"].attrs["MATLAB_class"] = np.bytes_("char")
    for path in (old, new):
        assert read_faces(path).class_names == ("fear", "joy")


def test_a_sparse_matrix_is_none_in_both_formats(tmp_path):
    savemat(tmp_path / "old.mat", {"faces": FACES, "labels": scipy.sparse.csc_matrix(LABELS[:, None])})
    new = matlab.write_h5(
        tmp_path / "new.mat", faces=STACK, labels={"data": LABELS, "ir": LABELS, "jc": LABELS}
    )
    with h5py.File(new, "r+") as file:
        file["labels"].attrs["MATLAB_sparse"] = np.uint64(N)
    assert read_faces(tmp_path / "old.mat").unused == read_faces(new).unused != ()


# --- values with two readings

OVERSHOT = FACES / 255 * 1.05 - 0.025
VALUES = {
    "resized, 0 to 1": (OVERSHOT, np.clip(OVERSHOT, 0, 1), "0 to 1 taken as black to white"),
    "just above 1": (FACES / FACES.max() * 1.0000001, FACES / FACES.max(), "0 to 1 taken"),
    "resized, 0 to 255": (OVERSHOT * 255, np.clip(OVERSHOT, 0, 1), "0 to 255 taken"),
    "12 bits": (FACES.astype("u2") * 16, FACES * (16 / 4095), "0 to 4095 taken"),
    "10 bits, signed": (FACES.astype("i2") * 4, FACES * (4 / 1023), "0 to 1023 taken"),
    "4 bits": (FACES // 16, (FACES // 16) / 255, "the images are dark: the brightest pixel has"),
    "0 to 10": (FACES / FACES.max() * 10, None, "to 10 taken as black to white"),
}


@pytest.mark.parametrize("kind", VALUES)
def test_values_with_two_readings_are_read_by_a_rule_that_is_said(tmp_path, kind):
    values, expected, said = VALUES[kind]
    savemat(tmp_path / "ck.mat", {"faces": values})
    faces = read_faces(tmp_path / "ck.mat")
    assert said in told(faces)
    if expected is not None:
        assert_allclose(faces.images, expected, atol=1e-6)
    assert faces.images.min() >= 0 and faces.images.max() <= 1


def cells(values):
    made = np.empty((len(values), 1), object)
    made[:, 0] = list(values)
    return made


REFUSED = {
    "cells of bytes and of 0 to 1": (cells([*FACES[:5], *FACES[5:] / 255]), "different scales"),
    "0 to 1 among 0 to 255": (np.concatenate([FACES[:5] / 255, FACES[5:] * 1.0]), "different scales"),
    "8 bits among 16": (np.concatenate([FACES[:5], FACES[5:].astype("u2") * 257]), "different scales"),
    "divided by 255 twice": (FACES / 255 / 255, "divided by 255 twice"),
    "beyond all numbers": (np.where(FACES > 100, 1.2e308, -1.2e308), "too large for pixels"),
    "almost nothing": (FACES * 1e-320, "nearly black"),
    "one colour picture": (np.stack([FACES[0]] * 3, -1), "one colour picture"),
    "one picture with alpha": (np.stack([FACES[0]] * 4, -1), "one colour picture"),
    "cells of colour pictures": (cells([np.stack([f] * 3, -1) for f in FACES]), "colour images"),
}


@pytest.mark.parametrize("kind", REFUSED)
def test_values_that_cannot_be_told_are_an_error(tmp_path, kind):
    values, why = REFUSED[kind]
    savemat(tmp_path / "ck.mat", {"faces": values})
    with pytest.raises(DataError, match=rf"ck\.mat .*{why}"):
        read_faces(tmp_path / "ck.mat")


def test_a_few_grey_pictures_are_read_when_that_is_said(tmp_path):
    savemat(tmp_path / "ck.mat", {"faces": FACES[:3]})
    for wish in ({}, {"variable": "faces"}):
        with pytest.raises(DataError, match="one colour picture or a few grey ones"):
            read_faces(tmp_path / "ck.mat", MatOptions(**wish))
    assert_allclose(read_faces(tmp_path / "ck.mat", MatOptions(axis=0)).images, FACES[:3] / 255, atol=1e-6)


@pytest.mark.parametrize(("height", "width"), [(49, 64), (64, 49), (48, 27), (36, 64), (40, 90)])
@pytest.mark.parametrize("order", ["C", "F"])
def test_flat_images_whose_size_is_a_square_by_chance_are_an_error(tmp_path, height, width, order):
    images = ovals(N, height, width)
    flat = images.reshape(N, -1) if order == "C" else images.swapaxes(1, 2).reshape(N, -1)
    savemat(tmp_path / "ck.mat", {"faces": flat.T})
    with pytest.raises(DataError, match=rf"say shape=\(({height}, {width}|{width}, {height})\)"):
        read_faces(tmp_path / "ck.mat")
    faces = read_faces(tmp_path / "ck.mat", MatOptions(shape=(height, width), order=order))
    assert_allclose(faces.images[3], resized(images[3] / 255), atol=1e-6)


@pytest.mark.parametrize("side", [32, 48, 64, 96, 100])
def test_flat_square_images_are_still_read_by_themselves(tmp_path, side):
    images = ovals(N, side, side)
    savemat(tmp_path / "ck.mat", {"faces": images.swapaxes(1, 2).reshape(N, -1).T})
    assert_allclose(read_faces(tmp_path / "ck.mat").images[0], resized(images[0] / 255), atol=1e-6)


def test_flat_colour_images_are_not_taken_for_larger_grey_ones(tmp_path):
    colour = np.stack([ovals(N, 48, 64)] * 3, -1)  # 48 · 64 · 3 = 96²
    savemat(tmp_path / "ck.mat", {"faces": colour.transpose(0, 3, 2, 1).reshape(N, -1).T})
    with pytest.raises(DataError, match="say shape="):
        read_faces(tmp_path / "ck.mat")


@pytest.mark.parametrize("way", [lambda x: x, np.transpose])
def test_one_hot_labels_are_read_as_classes_and_that_is_said(tmp_path, way):
    classes = np.arange(N) % 4
    savemat(tmp_path / "ck.mat", {"faces": FACES, "labels": way(np.eye(4)[classes])})
    faces = read_faces(tmp_path / "ck.mat")
    assert_array_equal(faces.labels, classes)
    assert faces.class_names == ("1", "2", "3", "4") and "read as one-hot" in told(faces)


def test_one_hot_labels_of_as_many_classes_as_images_are_an_error(tmp_path):
    savemat(tmp_path / "ck.mat", {"faces": FACES, "labels": np.eye(N)[np.r_[1:N, 0]]})
    with pytest.raises(DataError, match="one 1 in each row and in each column"):
        read_faces(tmp_path / "ck.mat")


# --- what has the name of a file and is none


@pytest.fixture
def own(tmp_path, monkeypatch):
    """The folder for files of one's own; no other place has faces but data/mini."""
    monkeypatch.setenv("LABKIT_DATA", str(tmp_path / "own"))
    monkeypatch.setattr(places, "CACHE", tmp_path / "cache")
    for name in ("KERAS_HOME", "SCIKIT_LEARN_DATA"):
        monkeypatch.setenv(name, str(tmp_path))
    folder = tmp_path / "own" / "faces"
    folder.mkdir(parents=True)
    return folder


def put(path, thing):
    makers = {
        "a link that leads to no file": lambda: path.symlink_to("nowhere"),
        "a folder": path.mkdir,
        "no regular file": lambda: os.mkfifo(path),
    }
    makers[thing]()


THINGS = ["a link that leads to no file", "a folder", *["no regular file"] * hasattr(os, "mkfifo")]


@pytest.mark.parametrize("thing", THINGS)
def test_what_is_named_like_a_file_and_is_none_is_named(own, thing):
    put(own / "x.mat", thing)
    with pytest.raises(DataError, match=rf"\$LABKIT_DATA/faces: x\.mat is {thing}"):
        data.load("faces")


def test_a_link_in_a_circle_is_named(own):
    (own / "x.mat").symlink_to("y.mat")
    (own / "y.mat").symlink_to("x.mat")
    with pytest.raises(DataError, match=r"x\.mat is a link that leads to no file.*y\.mat"):
        data.load("faces")


@pytest.mark.filterwarnings("ignore:faces. :UserWarning")
def test_beside_a_good_file_it_is_only_said(own):
    matlab.write(own / "ck.mat", numbers("faces", STACK))
    (own / "x.mat").symlink_to("nowhere")
    faces = data.load("faces")
    assert (
        faces.source == "$LABKIT_DATA/faces, ck.mat" and "x.mat is a link that leads to no file" in faces.note
    )


APPLE = bytes.fromhex("0005160700020000") + b"Mac OS X        " + bytes(4072)


@pytest.mark.parametrize("content", [APPLE, APPLE[:82], b""])
def test_what_macos_leaves_beside_a_file_is_no_file(own, content):
    matlab.write(own / "ck.mat", numbers("faces", STACK))
    (own / "._ck.mat").write_bytes(content)
    (own / "__MACOSX").mkdir()
    (own / "__MACOSX" / "._ck.mat").write_bytes(content)
    assert data.load("faces").source == "$LABKIT_DATA/faces, ck.mat"


@pytest.mark.parametrize("name", ["ck.mat/ck.mat", "CK+/ck.MAT", "ck.mat.download", "ck (1)"])
def test_a_file_by_another_name_or_in_a_folder_is_found(own, name):
    (own / name).parent.mkdir(exist_ok=True)
    matlab.write(own / name, numbers("faces", STACK))
    assert data.load("faces").source == f"$LABKIT_DATA/faces, {name.rpartition('/')[2]}"


@pytest.mark.filterwarnings("ignore:faces. :UserWarning")
def test_a_file_beside_the_folder_for_it_is_named(own):
    matlab.write(own.parent / "ck.mat", numbers("faces", STACK))
    assert (
        "ck.mat in $LABKIT_DATA is not used; .mat files are looked for in its folder"
        in data.load("faces").note
    )


def test_a_file_of_ones_own_with_olivettis_name_is_used_and_not_renamed(own):
    path = matlab.write(own / "olivettifaces.mat", numbers("faces", STACK))
    assert data.load("faces").people == "licensed" and path.exists()


# --- in a process of its own


def test_a_file_read_apart_is_read_as_it_is_here(tmp_path):
    path = matlab.write(
        tmp_path / "ck é.mat",
        structure(
            "ck", faces=numbers("", STACK), emotion=cell("", [text("", w) for w in ["joy", "fear"] * 5])
        ),
        numbers("subject", np.arange(N) // 2.0),
        structure("factors", yaw=numbers("", np.linspace(-1, 1, N))),
        thing("note", "string"),
    )
    here, there = read_faces(path), read_apart(path)
    assert_array_equal(here.images, there.images)
    assert_array_equal(here.labels, there.labels)
    assert_array_equal(here.subjects, there.subjects)
    assert_array_equal(here.factors["yaw"], there.factors["yaw"])
    assert here.images.dtype == there.images.dtype and here.digest == there.digest
    assert (here.remarks, here.class_names, here.unused) == (there.remarks, there.class_names, there.unused)


def test_a_crash_of_the_library_is_an_error_with_the_files_name(tmp_path):
    path = matlab.write(tmp_path / "x.mat", matrix(9, (64, 64, 2), "X", element(99, bytes(8192))))
    with pytest.raises(DataError, match=r"x\.mat is damaged: X"):
        read_apart(path)


def test_options_and_errors_reach_the_other_process(tmp_path):
    images = ovals(N, 48, 40)
    savemat(tmp_path / "ck.mat", {"faces": images.reshape(N, -1)})
    faces = read_apart(tmp_path / "ck.mat", MatOptions(shape=(48, 40), order="C"))
    assert_allclose(faces.images[2], resized(images[2] / 255), atol=1e-6)
    with pytest.raises(DataError, match=r"ck\.mat has no variable 'x'"):
        read_apart(tmp_path / "ck.mat", MatOptions(variable="x"))
    with pytest.raises(FileNotFoundError):
        read_apart(tmp_path / "none.mat")


def test_a_reader_that_takes_too_long_is_ended(tmp_path, monkeypatch):
    path = matlab.write(tmp_path / "ck.mat", numbers("faces", STACK))
    monkeypatch.setattr(apart, "LEAST_SECONDS", 0.01)
    monkeypatch.setattr(apart, "BYTES_A_SECOND", 2**40)
    monkeypatch.setattr(apart, "IDLE", 2)
    with pytest.raises(DataError, match=r"ck\.mat takes more than 0 s to read"):
        read_apart(path)


def test_cells_upon_cells_are_an_error_and_no_crash(tmp_path):
    deep = numbers("", [1.0])
    for _ in range(3000):
        deep = matrix(1, (1, 1), "", deep)
    path = matlab.write(tmp_path / "ck.mat", numbers("faces", STACK), matrix(1, (1, 1), "deep", deep))
    assert len(read_apart(path).images) == N


@pytest.mark.skipif(sys.platform != "linux", reason="only Linux holds a process to its memory")
def test_a_bomb_gets_no_memory(tmp_path):
    import resource

    with h5py.File(tmp_path / "ck.mat", "w") as file:
        file.create_dataset("faces", (2**28,), "u1", chunks=(2**20,), compression="gzip")
        for i in range(8):  # each is small enough, all are not
            file.create_dataset(f"x{i}", (2**28,), "u1", chunks=(2**20,), compression="gzip")
    with pytest.raises(DataError, match=r"ck\.mat"):
        read_apart(tmp_path / "ck.mat")
    assert resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss < 2**20 + 2**18  # kilobytes


def test_reading_apart_needs_no_tensorflow(tmp_path):
    code = (
        "import sys, labkit.data.faces.apart; print({'tensorflow', 'keras', 'matplotlib'} & set(sys.modules))"
    )
    shown = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert shown.stdout.strip() == "set()"


def test_a_library_that_goes_round_in_a_file_for_ever_is_stopped():
    stream = Stream(b"", memoryview(bytes(10)))
    with pytest.raises(ValueError, match="without end"):
        for _ in range(10_000):
            stream.seek(0)
            stream.read(4)
