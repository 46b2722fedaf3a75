"""MATLAB files of faces: every version and layout gives the same pixels; what will not do is named."""

import os
import pickle
import struct
import subprocess
import sys
import zlib

import h5py
import hypothesis.strategies as st
import numpy as np
import pytest
from hypothesis import given, settings
from numpy.testing import assert_allclose, assert_array_equal
from scipy.io import savemat

from labkit.data import DataError
from labkit.data.faces import layouts, mat5, matfile, matvalues
from labkit.data.faces.apart import read_apart
from labkit.data.faces.layouts import MatOptions
from labkit.data.faces.reader import read_faces, resized
from labkit.data.faces.sources import held_out
from labkit.project import ROOT

N = 12


def smooth(n, height=64, width=64, seed=0):
    """Random smooth pictures, uint8 (n, height, width), no two rows or columns alike; 0 and 255 occur."""
    rng = np.random.default_rng(seed)
    y, x = np.mgrid[0 : np.pi : height * 1j, 0 : np.pi : width * 1j]
    waves = [
        rng.normal(size=(n, 1, 1)) * np.cos(a * y + 0.3) * np.sin(b * x) for a in range(4) for b in range(5)
    ]
    images = sum(waves)
    return np.round(255 * (images - images.min()) / np.ptp(images)).astype(np.uint8)


FACES = smooth(N)
COLUMNS = FACES.swapaxes(1, 2).reshape(N, -1).T  # (4096, n), each column as MATLAB's A(:)
LABELS, PEOPLE = np.arange(N) % 3, np.arange(N) // 4


def cells(values):
    made = np.empty((len(values), 1), object)
    made[:, 0] = list(values)
    return made


LAYOUTS = {
    "columns": {"faces": COLUMNS},
    "rows": {"X": COLUMNS.T},
    "height-width-n": {"faces": FACES.transpose(1, 2, 0)},
    "n-height-width": {"faces": FACES},
    "n-height-width-1": {"faces": FACES[..., None]},
    "cells": {"faces": cells(FACES)},
    "struct": {"ck": {"images": COLUMNS, "labels": LABELS, "subjects": PEOPLE}},
    "struct array": {
        "ck": np.array([(f, i) for i, f in enumerate(FACES)], dtype=[("img", "O"), ("label", "O")])
    },
}
VERSIONS = {
    "5 and 6": {},
    "7": {"do_compression": True},
    "4": {"format": "4"},
}


def as_h5(parent, name, value, references):
    """Write a value into an HDF5 file as MATLAB 7.3 does: dimensions in reverse, classes as attributes."""
    if isinstance(value, dict):
        group = parent.create_group(name)
        group.attrs["MATLAB_class"] = np.bytes_("struct")
        for key, item in value.items():
            as_h5(group, key, item, references)
        return
    if isinstance(value, str):
        text = parent.create_dataset(name, data=np.array([[ord(c)] for c in value], np.uint16))
        text.attrs["MATLAB_class"] = np.bytes_("char")
        return
    value = np.asarray(value)
    if value.dtype.names:
        as_h5(parent, name, {key: cells(value[key]) for key in value.dtype.names}, references)
        return
    value = value.reshape(1, -1) if value.ndim < 2 else value
    if value.dtype == object:
        made = np.empty(value.T.shape, h5py.ref_dtype)
        for index, item in np.ndenumerate(value.T):
            key = f"r{len(references)}"
            as_h5(references, key, item, references)
            made[index] = references[key].ref
        parent.create_dataset(name, data=made, dtype=h5py.ref_dtype).attrs["MATLAB_class"] = np.bytes_("cell")
        return
    kind = {"uint8": "uint8", "uint16": "uint16", "float32": "single", "bool": "logical"}
    data = parent.create_dataset(name, data=value.T, compression="gzip")
    data.attrs["MATLAB_class"] = np.bytes_(kind.get(str(value.dtype), "double"))


def write(path, variables, version="7"):
    if version == "7.3":
        with h5py.File(path, "w", userblock_size=512) as file:
            references = file.create_group("#refs#")
            for name, value in variables.items():
                as_h5(file, name, value, references)
        with open(path, "r+b") as file:
            file.write(b"MATLAB 7.3 MAT-file".ljust(124) + b"\0\2IM")
    else:
        savemat(path, variables, **VERSIONS[version])
    return path


FITTING = [
    (layout, version)
    for layout in LAYOUTS
    for version in (*VERSIONS, "7.3")
    if version != "4" or layout in ("columns", "rows")  # version 4 knows matrices only
]


@pytest.mark.parametrize(("layout", "version"), FITTING)
def test_every_layout_in_every_version_gives_the_same_pixels(tmp_path, layout, version):
    faces = read_faces(write(tmp_path / "ck.mat", LAYOUTS[layout], version))
    assert faces.images.dtype == np.float32
    assert_allclose(faces.images, FACES / 255, atol=1e-6)


@pytest.mark.parametrize("version", ["7", "7.3"])
def test_a_struct_brings_its_labels_and_subjects(tmp_path, version):
    faces = read_faces(write(tmp_path / "ck.mat", LAYOUTS["struct"], version))
    assert_array_equal(faces.labels, LABELS)
    assert_array_equal(faces.subjects, PEOPLE)
    assert faces.class_names == ("0", "1", "2")


@pytest.mark.parametrize("version", ["7", "7.3"])
def test_labels_may_be_texts(tmp_path, version):
    names = np.array(["joy", "fear", "anger"])[LABELS].astype(object)
    faces = read_faces(write(tmp_path / "ck.mat", {"faces": FACES, "emotions": cells(names)}, version))
    assert faces.class_names == ("anger", "fear", "joy")
    assert_array_equal(faces.labels, 2 - LABELS)


def test_an_hdf5_file_of_another_program_is_taken_as_it_is(tmp_path):
    with h5py.File(tmp_path / "ck.mat", "w") as file:
        file["faces"] = FACES
    assert_allclose(read_faces(tmp_path / "ck.mat").images, FACES / 255, atol=1e-6)


@pytest.mark.parametrize(
    ("values", "told", "back"),
    [
        (lambda x: x, "0 to 255 (uint8), 0 to 255 taken", lambda x: x / 255),
        (lambda x: x.astype(np.uint16) * 257, "0 to 65535 taken", lambda x: x / 255),
        (lambda x: x.astype(np.uint16), "(uint16), 0 to 255 taken", lambda x: x / 255),
        (lambda x: x.astype(np.float32), "(float32), 0 to 255 taken", lambda x: x / 255),
        (lambda x: x / 255.0, "from 0 to 1 (float64), 0 to 1 taken", lambda x: x / 255),
        (lambda x: x / 510.0, "from 0 to 0.5 (float64), 0 to 1 taken", lambda x: x / 510),
        (lambda x: x / 127.5 - 1, "from -1 to 1 (float64), -1 to 1 taken", lambda x: x / 255),
        (lambda x: x.astype(float) * 16, "from 0 to 4080 (float64), 0 to 4080 taken", lambda x: x / 255),
        (lambda x: x > 128, "from 0 to 1", lambda x: (x > 128) * 1.0),
    ],
)
@pytest.mark.parametrize("version", ["7", "7.3"])
def test_the_range_is_found_and_declared(tmp_path, values, told, back, version):
    faces = read_faces(write(tmp_path / "ck.mat", {"faces": values(FACES)}, version))
    assert told in "; ".join(faces.remarks)
    assert_allclose(faces.images, back(FACES.astype(float)), atol=1e-6)


def test_rows_of_pixels_are_read_when_asked_for(tmp_path):
    path = write(tmp_path / "ck.mat", {"faces": FACES.reshape(N, -1)})
    turned = read_faces(path)
    assert_allclose(turned.images, FACES.swapaxes(1, 2) / 255, atol=1e-6)
    assert "order='C' turns them" in turned.remarks[0]
    upright = read_faces(path, MatOptions(order="C"))
    assert_allclose(upright.images, FACES / 255, atol=1e-6)
    assert_allclose(read_faces(path, MatOptions(transpose=True)).images, FACES / 255, atol=1e-6)


def like_faces(n):
    """Pictures that are alike left and right and not above and below, as faces are."""
    images = smooth(n).astype(float)
    symmetric = images + images[:, :, ::-1]
    return np.round(symmetric * np.linspace(0.2, 1, 64)[:, None] / 2).astype(np.uint8)


@pytest.mark.parametrize("flat", [True, False])
def test_faces_on_their_side_are_said_to_be(tmp_path, flat):
    upright = like_faces(N)
    lying = upright.swapaxes(1, 2)
    stored = lying.swapaxes(1, 2).reshape(N, -1).T if flat else lying.transpose(1, 2, 0)
    faces = read_faces(write(tmp_path / "ck.mat", {"faces": stored}))
    way = "order='C'" if flat else "transpose=True"
    assert f"the faces may lie on their side: {way} turns them" in faces.remarks
    wish = MatOptions(order="C") if flat else MatOptions(transpose=True)
    righted = read_faces(tmp_path / "ck.mat", wish)
    assert_allclose(righted.images, upright / 255, atol=1e-6)
    assert not any("may lie on their side" in remark for remark in righted.remarks)


def test_as_many_images_as_pixels_is_decided_by_smoothness_and_said(tmp_path):
    images = smooth(256, 16, 16)
    columns = images.swapaxes(1, 2).reshape(256, 256).T
    for stored, axis in ((columns, 0), (columns.T, 1)):
        faces = read_faces(write(tmp_path / "ck.mat", {"faces": stored}))
        assert_allclose(faces.images[3], resized(images[3] / 255), atol=1e-6)
        assert f"faces could also be 256 images of 16×16: axis={axis} reads it so" in faces.remarks
        other = read_faces(tmp_path / "ck.mat", MatOptions(axis=axis))
        assert np.abs(other.images - faces.images).max() > 0.1


def test_the_number_of_labels_decides_what_counts_the_images(tmp_path):
    cube = smooth(64)
    faces = read_faces(write(tmp_path / "a.mat", {"faces": cube[:20].transpose(1, 2, 0), "y": np.arange(20)}))
    assert len(faces.images) == 20
    small = smooth(64, 20, 20).swapaxes(1, 2).reshape(64, 400).T
    many = {"faces": np.tile(small, 64), "y": np.ones(4096)}
    assert "4,096 images of 20×20" in read_faces(write(tmp_path / "b.mat", many)).remarks[0]


def test_other_sizes_are_resized_with_anti_aliasing_and_said_to_be(tmp_path):
    stripes = np.zeros((N, 192, 256), np.uint8)
    stripes[:, :, ::2] = 255  # finer than any pixel of the result: grey, and not black or white
    faces = read_faces(write(tmp_path / "ck.mat", {"faces": stripes}))
    assert faces.images.shape == (N, 64, 64)
    assert_allclose(faces.images[:, :, 4:-4], 0.5, atol=0.06)
    assert "resized from 192×256 to 64×64, which changes their proportions" in faces.remarks


def test_flat_images_that_are_not_square_are_read_with_their_shape(tmp_path):
    images = smooth(N, 48, 40)
    path = write(tmp_path / "ck.mat", {"faces": images.swapaxes(1, 2).reshape(N, -1).T})
    with pytest.raises(DataError, match=r"shape=\(height, width\)"):
        read_faces(path)
    faces = read_faces(path, MatOptions(shape=(48, 40)))
    assert_allclose(faces.images[5], resized(images[5] / 255), atol=1e-6)


def test_cells_of_several_sizes_are_read(tmp_path):
    images = [*smooth(2, 64, 64), *smooth(2, 96, 80)]
    faces = read_faces(write(tmp_path / "ck.mat", {"faces": cells(images)}))
    assert_allclose(faces.images[0], images[0] / 255, atol=1e-6)
    assert faces.images.shape == (4, 64, 64) and "resized from 96×80" in faces.remarks[-1]


BAD = {
    "no variable that can be images; it has about (text); x 3×4": {"about": "hello", "x": np.ones((3, 4))},
    "several variables that could be the images: b 12×64×64 uint8; a 12×64×64 uint8; say variable='b'": {
        "b": FACES,
        "a": FACES,
    },
    "several variables that could be the images: train 12×64×64 uint8; test 2×64×64": {
        "train": FACES,
        "test": FACES[:2],
    },
    "NaN or infinite pixels in faces: 3 in image 5": {
        "faces": np.where(np.arange(N * 4096).reshape(N, 64, 64) // 3 == 4 * 4096 // 3 + 9, np.nan, FACES)
    },
    "single image, faces 64×64": {"faces": FACES[0]},
    "single image, face (cell array of 1)": {"face": cells(FACES[:1])},
    "single image, face 4096×1": {"face": COLUMNS[:, :1]},
    "single image, face 1×64×64": {"face": FACES[:1]},
    "12 images in faces, but labels has 11 entries; labels='' reads": {"faces": FACES, "labels": LABELS[1:]},
    "12 images in faces, but subjects has 13 entries": {"faces": FACES, "subjects": np.arange(13)},
    "several variables of labels: emotion, label": {"faces": FACES, "emotion": LABELS, "label": LABELS},
    "NaN or infinite values in labels": {"faces": FACES, "labels": np.where(LABELS > 1, np.nan, 1.0)},
    "images of one grey value only, 7": {"faces": np.full((N, 64, 64), 7, np.uint8)},
    "colour images, faces 12×64×64×3": {"faces": np.stack([FACES] * 3, -1)},
    "x (complex numbers)": {"x": np.ones((4096, 4)) * 1j},
}


@pytest.mark.parametrize("message", BAD)
def test_what_will_not_do_is_named_with_variables_and_shapes(tmp_path, message):
    with pytest.raises(DataError) as error:
        read_faces(write(tmp_path / "ck.mat", BAD[message]))
    assert message in str(error.value) and str(error.value).startswith("ck.mat ")


@pytest.mark.parametrize(
    ("wish", "message"),
    [
        ({"variable": "face"}, "no variable 'face'; it has faces 12×64×64 uint8"),
        ({"variable": "labels"}, "cannot be images"),
        ({"labels": "emotion"}, "no vector 'emotion' for labels; it has labels"),
        ({"shape": (32, 128)}, "no variable that can be images"),
    ],
)
def test_a_wish_that_cannot_be_met_is_named(tmp_path, wish, message):
    path = write(tmp_path / "ck.mat", {"faces": FACES, "labels": LABELS})
    with pytest.raises(DataError, match=message):
        read_faces(path, MatOptions(**wish))


@pytest.mark.parametrize("wish", [{"order": "f"}, {"axis": 7}, {"shape": 64}, {"shape": (0, 4)}])
def test_an_argument_that_makes_no_sense_is_refused(wish):
    with pytest.raises((ValueError, TypeError)):
        MatOptions(**wish)


def test_one_of_two_variables_can_be_named_and_labels_left_out(tmp_path):
    path = write(tmp_path / "ck.mat", {"a": FACES, "b": FACES[::-1], "labels": LABELS[:5]})
    faces = read_faces(path, MatOptions(variable="b", labels=""))
    assert_allclose(faces.images, FACES[::-1] / 255, atol=1e-6)
    assert faces.labels is None


# --- files that are not what they say


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"", "is empty"),
        (pickle.dumps(np.ones(3)), "a pickle"),
        (pickle.dumps([1, 2], protocol=2), "a pickle"),
        (b"PK\x03\x04" + bytes(600), "a zip or npz archive"),
        (b"\x89PNG\r\n\x1a\n" + bytes(600), "a PNG image"),
        (b"<!DOCTYPE html><html>login</html>", "an HTML page"),
        (b"# Created by Octave 8\n# name: faces", "Octave's text format"),
        (b"faces,label\n1,2\n" * 50, "no MATLAB file"),
        (b"MATLAB 7.3 MAT-file".ljust(600), "is cut short"),
    ],
)
def test_another_format_by_that_name_is_told(tmp_path, content, message):
    (tmp_path / "ck.mat").write_bytes(content)
    with pytest.raises(DataError, match=message) as error:
        read_faces(tmp_path / "ck.mat")
    assert "ck.mat" in str(error.value)


@pytest.mark.parametrize("version", [*VERSIONS, "7.3"])
@pytest.mark.parametrize("share", [0.1, 0.5, 0.9, 0.999])
def test_a_truncated_file_is_an_error_that_says_so(tmp_path, version, share):
    path = write(tmp_path / "ck.mat", {"faces": COLUMNS}, version)
    content = path.read_bytes()
    path.write_bytes(content[: int(share * len(content))])
    with pytest.raises(DataError, match=r"ck\.mat is (cut short|damaged)"):
        read_faces(path)


def promising(version, dims):
    """A file whose one variable promises `dims` and holds 16 bytes."""
    if version == "4":
        return struct.pack("<5i", 0, *dims, 0, 6) + b"faces\0" + bytes(16)
    body = struct.pack("<4I", 6, 8, 6, 0) + struct.pack("<2I2i", 5, 8, *dims)
    body += struct.pack("<2I", 1, 5) + b"faces\0\0\0" + struct.pack("<2I", 9, 16) + bytes(16)
    element = struct.pack("<2I", 14, len(body)) + body
    if version == "7":
        packed = zlib.compress(element)
        element = struct.pack("<2I", 15, len(packed)) + packed
    return b"MATLAB 5.0".ljust(124) + b"\0\1IM" + element


@pytest.mark.parametrize("version", ["4", "5", "7"])
@pytest.mark.parametrize("dims", [(2**20, 2**20), (2**31 - 1, 2**31 - 1), (4096, 4)])
def test_a_header_that_promises_too_much_gets_no_memory(tmp_path, version, dims, monkeypatch):
    (tmp_path / "ck.mat").write_bytes(promising(version, dims))
    if dims != (4096, 4):  # which is small, and may be asked for
        monkeypatch.setattr("scipy.io.loadmat", lambda *a, **k: pytest.fail("SciPy was asked to allocate it"))
    with pytest.raises(DataError, match=r"ck\.mat is (too large|damaged|cut short)"):
        read_faces(tmp_path / "ck.mat")


@pytest.mark.parametrize("array_class", [mat5.CELL, mat5.STRUCT])
def test_a_cell_or_struct_that_promises_too_much_gets_no_memory(tmp_path, array_class, monkeypatch):
    body = struct.pack("<4I", 6, 8, array_class, 0) + struct.pack("<2I2i", 5, 8, 2**30, 2**30)
    body += struct.pack("<2I", 1, 5) + b"faces\0\0\0" + struct.pack("<HHi", 5, 4, 32)
    body += struct.pack("<2I", 1, 32) + b"a".ljust(32, b"\0")
    element = struct.pack("<2I", 14, len(body)) + body
    (tmp_path / "ck.mat").write_bytes(b"MATLAB 5.0".ljust(124) + b"\0\1IM" + element)
    monkeypatch.setattr("scipy.io.loadmat", lambda *a, **k: pytest.fail("SciPy was asked to allocate it"))
    with pytest.raises(DataError, match=r"ck\.mat is too large"):
        read_faces(tmp_path / "ck.mat")


def test_hdf5_that_promises_gigabytes_gets_no_memory(tmp_path):
    with h5py.File(tmp_path / "ck.mat", "w") as file:
        file.create_dataset("faces", (10**7, 64, 64), np.uint8, chunks=(1, 64, 64), compression="gzip")
    with pytest.raises(DataError, match=r"faces of 64×64×10000000 has 40,960,000,000 bytes"):
        read_faces(tmp_path / "ck.mat")


def test_a_bomb_is_not_unpacked(tmp_path, monkeypatch):
    monkeypatch.setattr(matvalues, "LARGEST_MAT", 10_000)
    write(tmp_path / "ck.mat", {"faces": np.zeros((64, 64, 8))})
    with pytest.raises(DataError, match=r"ck\.mat is too large"):
        read_faces(tmp_path / "ck.mat")


def test_sets_above_the_limit_are_refused_with_what_to_do(tmp_path, monkeypatch):
    monkeypatch.setattr(matvalues, "LARGEST_MAT", 10_000)
    write(tmp_path / "ck.mat", {"faces": FACES}, "7.3")
    with pytest.raises(DataError, match=r"too large.*save fewer images, or save them as uint8"):
        read_faces(tmp_path / "ck.mat")


def test_hdf5_reads_no_other_file(tmp_path):
    with h5py.File(tmp_path / "secret.h5", "w") as file:
        file["faces"] = FACES
    with h5py.File(tmp_path / "ck.mat", "w") as file:
        file["faces"] = h5py.ExternalLink("secret.h5", "faces")
    with pytest.raises(DataError, match=r"faces \(link to elsewhere\)"):
        read_faces(tmp_path / "ck.mat")
    with h5py.File(tmp_path / "raw.mat", "w") as file:
        file.create_dataset("faces", (N, 64, 64), "u1", external=[(str(tmp_path / "x"), 0, N * 4096)])
    with pytest.raises(DataError, match="in another file"):
        read_faces(tmp_path / "raw.mat")


def test_cells_that_hold_themselves_end(tmp_path):
    with h5py.File(tmp_path / "ck.mat", "w") as file:
        cell = file.create_dataset("faces", (1,), h5py.ref_dtype)
        cell[0] = cell.ref
    with pytest.raises(DataError, match="8 deep"):
        read_faces(tmp_path / "ck.mat")


READS = """import sys
from pathlib import Path
from labkit.data import DataError
from labkit.data.faces.reader import read_faces
for line in sys.stdin:
    path = Path(line.rstrip("\\n"))
    try:
        said = "faces" if read_faces(path).images.shape[1:] == (64, 64) else "another shape"
    except DataError as error:
        said = "refused" if path.name in str(error) else "refused without a name"
    except Exception as error:
        said = repr(error)
    print(said, flush=True)
"""


class Reading:
    """A process that reads files, begun anew if the library crashes at one of them."""

    def __init__(self):
        command = [sys.executable, "-c", READS]
        environment = os.environ | {"PYTHONPATH": str(ROOT)}
        pipe = subprocess.PIPE
        self.process = subprocess.Popen(command, stdin=pipe, stdout=pipe, text=True, env=environment)

    def of(self, path):
        """ "faces", "refused" with an error that names the file, or what else became of it."""
        self.process.stdin.write(f"{path}\n")
        self.process.stdin.flush()
        if said := self.process.stdout.readline().strip():
            return said
        assert self.process.wait() < 0, "it ended, and no signal ended it"
        self.__init__()
        with pytest.raises(DataError, match=r"ck\.mat"):  # SciPy crashed; labkit meets that
            read_apart(path)
        return "refused"

    def end(self):
        self.process.stdin.close()
        self.process.stdout.close()
        self.process.wait()


@pytest.fixture(scope="module")
def reading():
    reading = Reading()
    yield reading
    reading.end()


@given(st.data())
@settings(max_examples=150)
def test_no_change_of_a_file_gives_another_error(tmp_path_factory, reading, chosen):
    path = tmp_path_factory.mktemp("mat") / "ck.mat"
    version = chosen.draw(st.sampled_from([*VERSIONS, "7.3"]))
    small = (
        {"faces": COLUMNS[:, :3]}
        if version == "4"
        else {"s": {"faces": FACES[:5], "labels": [1, 2, 3, 1, 2]}}
    )
    content = bytearray(write(path, small, version).read_bytes())
    for _ in range(chosen.draw(st.integers(1, 4))):
        place = chosen.draw(st.integers(0, min(len(content), 700) - 1) | st.integers(0, len(content) - 1))
        content[place] = chosen.draw(st.integers(0, 255))
    path.write_bytes(content)
    assert reading.of(path) in ("faces", "refused")


@given(st.binary(max_size=600))
def test_no_bytes_make_reading_fail_in_another_way(tmp_path_factory, reading, content):
    path = tmp_path_factory.mktemp("mat") / "ck.mat"
    for start in (b"", b"MATLAB 5.0".ljust(124) + b"\0\1IM", matfile.HDF5):
        path.write_bytes(start + content)
        assert reading.of(path) == "refused"


@given(
    n=st.integers(2, 9),
    height=st.integers(16, 40),
    width=st.integers(16, 40),
    kind=st.sampled_from(["columns", "rows", "hwn", "nhw"]),
)
@settings(max_examples=60)
def test_arranged_undoes_every_flattening(n, height, width, kind):
    images = smooth(n, height, width)
    flat = images.swapaxes(1, 2).reshape(n, -1)
    array = {"columns": flat.T, "rows": flat, "hwn": images.transpose(1, 2, 0), "nhw": images}[kind]
    reading = MatOptions(shape=(height, width), axis={"columns": 1, "rows": 0, "hwn": 2, "nhw": 0}[kind])
    layout, _ = layouts.choose_layout("faces", array, set(), reading)
    assert_array_equal(layouts.arranged(array, reading, layout), images)


# --- what is done with faces


def test_people_in_the_test_set_are_in_no_other():
    subjects = np.repeat(np.arange(40), 10)
    test, told = held_out(400, subjects)
    assert test.sum() == 80 and not set(subjects[test]) & set(subjects[~test])
    assert told == "8 of 40 people are in the test set only"


@given(st.lists(st.integers(0, 6), min_size=2, max_size=60))
def test_the_split_never_shares_a_person_and_never_is_empty(subjects):
    subjects = np.array(subjects)
    test, told = held_out(len(subjects), subjects)
    assert 0 < test.sum() < len(subjects)
    if len(set(subjects)) > 1:
        assert not set(subjects[test]) & set(subjects[~test])
    else:
        assert "may be in both" in told


def test_without_subjects_the_last_fifth_is_the_test_set():
    test, told = held_out(20, None)
    assert_array_equal(np.flatnonzero(test), [16, 17, 18, 19])
    assert "may be in both" in told


def test_saving_again_keeps_the_digest(tmp_path):
    digests = {
        read_faces(write(tmp_path / "ck.mat", LAYOUTS[layout], version)).digest for layout, version in FITTING
    }
    assert len(digests) == 1
