"""load("faces"): whose faces are taken, in which order, how they are split, and what is said of it."""

import hashlib
import io
import json
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import joblib
import numpy as np
import pytest
from numpy.testing import assert_allclose, assert_array_equal
from scipy.io import savemat

from labkit import data
from labkit.data import download, places
from labkit.data.faces import olivetti as known
from labkit.data.faces import sources as face_sources
from labkit.data.faces.reader import read_faces
from labkit.project import ROOT

pytestmark = pytest.mark.filterwarnings("ignore:faces. :UserWarning")


def images(n, seed):
    """Smooth pictures, uint8 (n, 64, 64)."""
    x = np.linspace(0, 3, 64)
    phase = np.random.default_rng(seed).uniform(0, 6, (2, n, 1, 1))
    waves = np.sin(x[:, None] * 2 + phase[0]) + np.cos(3 * x + phase[1])
    return np.round(255 * (waves - waves.min()) / np.ptp(waves)).astype(np.uint8)


def mat(path, faces, **more):
    path.parent.mkdir(parents=True, exist_ok=True)
    savemat(path, {"faces": faces.swapaxes(1, 2).reshape(len(faces), -1).T, **more}, do_compression=True)
    return path


OWN, OLIVETTI, RENDERED = images(20, 1), images(400, 2), images(14, 3)


@pytest.fixture(scope="module")
def olivetti(tmp_path_factory):
    """A file that stands for the Olivetti faces, and the digest of its images."""
    path = mat(tmp_path_factory.mktemp("olivetti") / "olivettifaces.mat", OLIVETTI)
    return path, read_faces(path).digest


@pytest.fixture
def world(tmp_path, monkeypatch, olivetti):
    """Every place of the search below tmp_path; only rendered faces are there."""
    monkeypatch.setattr(places, "CACHE", tmp_path / "cache")
    monkeypatch.setattr(places, "MINI", tmp_path / "mini")
    monkeypatch.setenv("KERAS_HOME", str(tmp_path / "keras"))
    monkeypatch.setenv("SCIKIT_LEARN_DATA", str(tmp_path / "sklearn"))
    monkeypatch.setenv("LABKIT_DATA", str(tmp_path / "own"))
    (tmp_path / "own").mkdir()
    monkeypatch.setattr(download, "LOAD_FAILURES", download.Failures())
    for module in (face_sources, known):  # a process for every file would take its time
        monkeypatch.setattr(module, "read_apart", read_faces)
    rendered = mat(tmp_path / "mini" / "faces" / "s.mat", RENDERED, subjects=np.arange(14) // 2)
    monkeypatch.setattr(face_sources, "SYNTHETIC", read_faces(rendered).digest)
    monkeypatch.setattr(known, "DIGEST", olivetti[1])
    monkeypatch.setattr(known, "FILE_DIGEST", hashlib.sha256(olivetti[0].read_bytes()).hexdigest())
    return tmp_path


def packed(path, dtype=np.uint8):
    """The copy that scikit-learn makes of its download."""
    path.parent.mkdir(parents=True, exist_ok=True)
    joblib.dump(OLIVETTI.swapaxes(1, 2).reshape(400, -1).astype(dtype).copy(), path, compress=6)


def test_search_order_is_own_file_olivetti_other_libraries_rendered(world):
    mats = lambda where: lambda: mat(world / where, OLIVETTI)  # noqa: E731
    steps = [
        (lambda: None, "rendered faces bundled in data/mini", ""),
        (lambda: packed(world / "sklearn" / "olivetti_py3.pkz"), "scikit-learn's data", "open"),
        (mats("keras/datasets/olivettifaces.mat"), "Keras cache", "open"),
        (mats("cache/faces/olivettifaces.mat"), "data/cache", "open"),
        (mats("own/faces/any name.mat"), "$LABKIT_DATA/faces", "open"),
        (lambda: mat(world / "cache" / "faces" / "ck.mat", OWN), "data/cache, ck.mat", "licensed"),
        (lambda: mat(world / "own" / "faces" / "CK.MAT", OWN), "$LABKIT_DATA/faces, CK.MAT", "licensed"),
    ]
    for add, source, people in steps:
        add()
        faces = data.load("faces")
        assert (faces.source, faces.people) == (source, people)


def test_olivetti_has_ten_images_a_person_and_no_person_in_both_parts(world):
    mat(world / "cache" / "faces" / "olivettifaces.mat", OLIVETTI)
    faces = data.load("faces")
    assert faces.x_train.shape == (320, 64, 64, 1) and faces.x_test.shape == (80, 64, 64, 1)
    assert not set(faces.subjects_train) & set(faces.subjects_test)
    assert_array_equal(faces.y_train, faces.subjects_train)
    assert np.bincount(faces.y_test)[4::5].tolist() == [10] * 8 and faces.class_names[4] == "person 5"
    assert_allclose(faces.x_test[0, ..., 0], OLIVETTI[40] / 255, atol=1e-6)
    assert "in place of CK" in faces.note and "8 of 40 people are in the test set only" in faces.note


def test_a_file_of_ones_own_is_taken_as_licensed_and_the_record_says_so(world, tmp_path):
    mat(world / "cache" / "faces" / "ck.mat", OWN, labels=np.arange(20) % 7)
    faces = data.load("faces", n_train=6, n_test=2)
    assert "taken as licensed" in faces.note and "--no-faces" in faces.note
    assert "read as 20 images of 64×64" in faces.note and "order='C'" in faces.note
    assert_array_equal(faces.y_train, np.arange(16)[np.arange(6) * 16 // 6] % 7)
    (line,) = (tmp_path / "run" / "facts.jsonl").read_text().splitlines()
    fact = json.loads(line)
    assert fact["people"] == "licensed" and fact["digest"] == faces.digest and fact["n_test"] == 2


def test_the_reading_of_ones_own_file_can_be_chosen(world):
    mat(world / "cache" / "faces" / "ck.mat", OWN)
    usual, other = data.load("faces"), data.load("faces", order="C")
    assert_allclose(other.x_train, usual.x_train.swapaxes(1, 2))
    assert "row by row" in other.note
    with pytest.raises(TypeError, match="no 'varible'; did you mean 'variable'"):
        data.load("faces", varible="faces")
    with pytest.raises(TypeError, match="variable"):
        data.load("mnist", variable="faces")


def test_a_choice_that_was_not_used_is_said(world):
    assert "order: not used, for there is no .mat file of your own" in data.load("faces", order="C").note


def test_ones_own_file_that_cannot_be_read_stops_the_search_and_stays(world):
    mat(world / "own" / "faces" / "olivetti.mat", OLIVETTI)
    path = world / "cache" / "faces" / "ck.mat"
    path.parent.mkdir(parents=True)
    path.write_bytes(b"\x80\x04 a pickle, as it seems")
    with pytest.raises(data.DataError, match=r"data/cache: ck\.mat is no MATLAB file \(a pickle\)"):
        data.load("faces")
    assert path.exists()


def test_two_files_of_ones_own_are_an_error_that_says_how_to_choose(world):
    mat(world / "cache" / "faces" / "a.mat", OWN)
    mat(world / "cache" / "faces" / "b.mat", OWN[::-1])
    with pytest.raises(data.DataError, match=r"several files of faces: a\.mat, b\.mat; say file='a\.mat'"):
        data.load("faces")
    assert data.load("faces", file="b.mat").source == "data/cache, b.mat"
    with pytest.raises(data.DataError, match=r"there is no c\.mat in \$LABKIT_DATA/faces or data/cache"):
        data.load("faces", file="c.mat")


def test_a_bad_olivetti_file_is_set_aside_and_the_search_goes_on(world):
    path = mat(world / "cache" / "faces" / "olivettifaces.mat", OLIVETTI[::-1])
    mat(world / "keras" / "datasets" / "olivettifaces.mat", OLIVETTI)
    faces = data.load("faces")
    assert faces.source == "Keras cache"
    assert "olivettifaces.mat has images with a wrong SHA-256; set aside" in faces.note
    assert path.with_name("olivettifaces.mat.corrupt").exists()


def test_another_librarys_file_is_never_renamed(world):
    path = mat(world / "sklearn" / "olivettifaces.mat", OLIVETTI[:5])
    assert "scikit-learn's data: olivettifaces.mat has images with a wrong" in data.load("faces").note
    assert path.exists()


@pytest.mark.parametrize("dtype", [np.uint8, np.float64])
def test_scikit_learns_copy_is_read_without_unpickling(world, monkeypatch, dtype):
    packed(world / "sklearn" / "olivetti_py3.pkz", dtype)
    monkeypatch.setattr("pickle.Unpickler", lambda *a: pytest.fail("something was unpickled"))
    monkeypatch.setattr("joblib.load", lambda *a: pytest.fail("something was unpickled"))
    assert_allclose(data.load("faces").x_train[0, ..., 0], OLIVETTI[0] / 255, atol=1e-6)


@pytest.mark.parametrize("content", [b"", b"x" * 5000, None])
def test_a_copy_that_is_not_the_olivetti_faces_is_passed_over(world, content):
    path = world / "sklearn" / "olivetti_py3.pkz"
    path.parent.mkdir(parents=True)
    path.write_bytes(content) if content is not None else joblib.dump(OLIVETTI[:, ::2], path, compress=6)
    faces = data.load("faces")
    assert faces.source == "rendered faces bundled in data/mini" and "olivetti_py3.pkz" in faces.note
    assert path.exists()


def test_rendered_faces_of_a_cache_are_no_people(world):
    mat(world / "cache" / "faces" / "copy.mat", RENDERED)
    faces = data.load("faces")
    assert faces.people == "" and "rendered faces of no real person" in faces.note


def test_without_any_faces_every_place_is_listed(world):
    (world / "mini" / "faces" / "s.mat").unlink()
    with pytest.raises(data.DataError) as error:
        data.load("faces")
    for place in ("$LABKIT_DATA/faces", "data/cache", "Keras cache", "scikit-learn's data", "rendered faces"):
        assert f"{place}" in str(error.value)


def test_a_changed_bundled_file_is_not_used(world):
    mat(world / "mini" / "faces" / "s.mat", RENDERED[::-1])
    with pytest.raises(data.DataError, match=r"s\.mat has images with a wrong SHA-256"):
        data.load("faces")


def test_notes_name_no_path_of_this_machine(world):
    mat(world / "own" / "faces" / "ck.mat", OWN)
    assert str(world) not in repr(data.load("faces"))


@pytest.mark.parametrize("count", [0, -1, 2.5, "5", True])
def test_counts_that_make_no_sense_are_refused(world, count):
    with pytest.raises(ValueError, match="whole number from 1"):
        data.load("faces", n_test=count)


def test_more_images_than_there_are_is_said(world):
    assert "500 training images were asked for" in data.load("faces", n_train=500).note


def test_a_folder_without_permission_is_named(world, monkeypatch):
    (world / "cache" / "faces").mkdir(parents=True)
    iterdir = Path.iterdir

    def locked(path):
        if "cache" in path.parts:
            raise PermissionError(13, "Permission denied")
        return iterdir(path)

    monkeypatch.setattr(Path, "iterdir", locked)
    assert "data/cache: cannot be read: Permission denied" in data.load("faces").note
    problems = {c.source: c.problem for c in data.verify() if c.set_name == "faces"}
    assert problems["data/cache"] == "cannot be read: Permission denied"


def test_verify_tells_known_files_from_ones_own(world):
    mat(world / "cache" / "faces" / "olivettifaces.mat", OLIVETTI[::-1])
    mat(world / "own" / "faces" / "ck.mat", OWN)
    (world / "own" / "faces" / "not.mat").write_bytes(b"nothing")
    packed(world / "sklearn" / "olivetti_py3.pkz")
    checks = {c.file: c for c in data.verify() if c.set_name == "faces"}
    assert checks["olivettifaces.mat"].problem.endswith("wrong SHA-256")
    assert checks["ck.mat"].problem is None and checks["ck.mat"].facts.startswith("readable, 20 faces")
    assert "no MATLAB file" in checks["not.mat"].problem
    assert checks["olivetti_py3.pkz"].problem is None and checks["s.mat"].facts == "right"
    assert (world / "cache" / "faces" / "olivettifaces.mat").exists()


# --- the download, from a server on this machine


@pytest.fixture
def server(world, monkeypatch, olivetti):

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self):
            made.asked.append(self.path)
            body = made.content
            self.send_response(200)
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *arguments):
            pass

    made = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    made.asked, made.content = [], olivetti[0].read_bytes()
    threading.Thread(target=made.serve_forever, args=(0.02,), daemon=True).start()
    monkeypatch.delenv("LABKIT_OFFLINE")
    monkeypatch.setattr(known, "URL", f"http://127.0.0.1:{made.server_port}/files/5976027")
    yield made
    made.shutdown()
    made.server_close()


def test_olivetti_is_downloaded_verified_and_kept(world, server):
    assert data.load("faces").source == f"download from 127.0.0.1:{server.server_port}"
    assert data.load("faces").source == "data/cache" and server.asked == ["/files/5976027"]
    assert [p.name for p in (world / "cache" / "faces").iterdir()] == ["olivettifaces.mat"]


def test_a_download_with_wrong_bytes_is_never_installed(world, server):
    file = io.BytesIO()
    savemat(file, {"faces": np.zeros((4096, 400), np.uint8)})
    server.content = file.getvalue()
    faces = data.load("faces")
    assert faces.source == "rendered faces bundled in data/mini" and "wrong SHA-256" in faces.note
    assert not list((world / "cache" / "faces").iterdir())


def test_fetch_brings_olivetti_once(world, server):
    assert "Olivetti downloaded from 127.0.0.1" in data.fetch(["faces"])[0]
    assert data.fetch(["faces"]) == ["faces: Olivetti already in data/cache"]
    assert len(server.asked) == 1


def test_ones_own_file_needs_no_download_and_status_makes_none(world, server):
    found = face_sources.find(only_look=True)
    assert found.source == "rendered faces bundled in data/mini" and not server.asked
    mat(world / "cache" / "faces" / "ck.mat", OWN)
    data.load("faces")
    assert not server.asked


def test_the_bundled_faces_have_factors_for_every_image(monkeypatch, tmp_path):
    monkeypatch.setattr(places, "CACHE", tmp_path)
    for name in ("KERAS_HOME", "SCIKIT_LEARN_DATA"):
        monkeypatch.setenv(name, str(tmp_path))
    faces = data.load("faces")
    assert faces.source == "rendered faces bundled in data/mini" and faces.people == ""
    assert faces.x_train.shape == (1008, 64, 64, 1) and faces.x_test.shape == (252, 64, 64, 1)
    assert {len(v) for v in faces.factors_train.values()} == {1008} and "yaw" in faces.factors_test
    assert not set(faces.subjects_train) & set(faces.subjects_test)
    assert "CK" not in " ".join(faces.class_names) and str(ROOT) not in faces.note


def test_rendered_faces_are_had_by_name_whatever_else_is_there(world):
    mat(world / "own" / "faces" / "ck.mat", OWN)
    rendered = data.load("rendered_faces", n_test=2)
    assert (rendered.name, rendered.source, rendered.people) == (
        "rendered_faces", "rendered faces bundled in data/mini", "",
    )  # fmt: skip
    assert "in place of CK" not in rendered.note and len(rendered.x_test) == 2
    with pytest.raises(TypeError, match="no 'order'"):
        data.load("rendered_faces", order="C")


def test_rendered_faces_that_are_not_there_are_an_error_that_names_their_place(world):
    (world / "mini" / "faces" / "s.mat").unlink()
    with pytest.raises(data.DataError, match="rendered_faces was found nowhere") as error:
        data.load("rendered_faces")
    assert "data/mini: not there" in str(error.value) and "LABKIT_DATA" not in str(error.value)
