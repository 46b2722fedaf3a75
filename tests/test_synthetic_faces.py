"""Rendered faces: what a factor is said to change is what changes, and the bundled file is theirs."""

import importlib.util

import numpy as np
import pytest
from numpy.testing import assert_array_equal

from labkit.data import places
from labkit.data.faces import synthetic
from labkit.data.faces.reader import read_faces
from labkit.data.faces.sources import SYNTHETIC
from labkit.data.faces.synthetic import (
    CIRCUMSTANCES,
    EXPRESSIONS,
    IDENTITY,
    MOVEMENTS,
    draw_factors,
    render,
    render_all,
    rotation,
    surface,
)  # fmt: skip
from labkit.project import ROOT

BUNDLED = places.MINI / "faces" / "synthetic-faces.mat"
MIDDLE = {name: sum(ends) / 2 for name, ends in (IDENTITY | CIRCUMSTANCES).items()}
FRONT = MIDDLE | {"yaw": 0.0, "pitch": 0.0, "light_azimuth": 0.0, "intensity": 1.0}


@pytest.fixture(scope="module")
def bundled():
    return read_faces(BUNDLED)


@pytest.fixture
def coarse(monkeypatch):
    """One sample a pixel, nine times as fast, where edges do not matter."""
    monkeypatch.setattr(synthetic, "SAMPLES", 1)


def load_script():
    spec = importlib.util.spec_from_file_location("make_faces", ROOT / "data" / "make_synthetic_faces.py")
    script = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(script)
    return script


def shown(**changed):
    expression = changed.pop("expression", "sadness")
    return render(FRONT | changed, expression).astype(float)


def test_the_bundled_faces_are_rendered_from_their_factors(bundled):
    for i in (0, 251, 777, 1259):
        factors = {name: float(values[i]) for name, values in bundled.factors.items()}
        made = render(factors, EXPRESSIONS[bundled.labels[i]])
        assert np.abs(made - 255 * bundled.images[i]).max() <= 1.001  # rounding, on another processor


def test_the_bundled_set_is_known_balanced_and_small(bundled):
    assert bundled.digest == SYNTHETIC and bundled.class_names == EXPRESSIONS
    assert np.bincount(bundled.labels).tolist() == [180] * 7
    assert np.bincount(bundled.subjects).tolist() == [21] * 60
    assert set(bundled.factors) == set(IDENTITY) | set(CIRCUMSTANCES)
    assert BUNDLED.stat().st_size <= 3_000_000


def test_factors_lie_in_their_ranges_and_identity_is_the_persons(bundled):
    for name, (low, high) in (IDENTITY | CIRCUMSTANCES).items():
        values = bundled.factors[name]
        assert low <= values.min() < values.max() <= high
        spread = values.reshape(60, 21).std(axis=1)
        assert (spread < 1e-6).all() if name in IDENTITY else (spread > 0).all()


def test_making_the_file_again_gives_the_same_bytes(coarse):
    script = load_script()
    drawn = draw_factors(2, 1, script.SEED)
    first = {name: values[:3] for name, values in drawn[0].items()}, drawn[1][:3], drawn[2][:3]
    assert script.content(*first) == script.content(*first)


def test_the_script_draws_the_bundled_factors(bundled):
    script = load_script()
    factors, labels, subjects = draw_factors(script.SUBJECTS, script.PER_EXPRESSION, script.SEED)
    assert_array_equal(labels, bundled.labels)
    assert_array_equal(subjects, bundled.subjects)
    for name, values in factors.items():
        assert_array_equal(values, bundled.factors[name])


def test_a_face_from_the_front_lit_from_the_front_is_its_own_mirror_image():
    image = shown()
    assert np.abs(image - image[:, ::-1]).mean() < 2  # only the glints in the eyes differ
    one_sided = shown(expression="contempt")
    assert np.abs(one_sided - one_sided[:, ::-1]).mean() > 2 * np.abs(image - image[:, ::-1]).mean()


def test_mirrored_pose_and_light_give_the_mirrored_face(coarse):
    left, right = shown(yaw=-20.0, light_azimuth=40.0), shown(yaw=20.0, light_azimuth=-40.0)
    assert np.abs(left - right[:, ::-1]).mean() < 2 < np.abs(left - right).mean()


def test_light_from_a_side_makes_that_side_bright(coarse):
    for azimuth in (-50.0, 50.0):
        face = shown(light_azimuth=azimuth)[20:50]
        right_is_brighter = face[:, 36:48].mean() > face[:, 16:28].mean()
        assert right_is_brighter == (azimuth > 0)


def test_fair_skin_is_bright_and_hair_changes_the_hair_alone(coarse):
    assert shown(skin=0.8)[30:40, 20:44].mean() > shown(skin=0.45)[30:40, 20:44].mean() + 30
    change = np.abs(shown(hair=0.5) - shown(hair=0.1))
    assert change[:6, 24:40].mean() > 20 and change[40:, :].mean() < 0.1


@pytest.mark.parametrize("expression", EXPRESSIONS)
def test_every_expression_changes_the_face_by_its_intensity(coarse, expression):
    none, half, whole = (shown(expression=expression, intensity=i) for i in (0.0, 0.5, 1.0))
    assert 0 < np.abs(half - none).mean() < np.abs(whole - none).mean()
    assert_array_equal(none, shown(intensity=0.0))


def test_every_factor_is_seen(coarse):
    for name, (low, high) in (IDENTITY | CIRCUMSTANCES).items():
        assert np.abs(shown(**{name: low}) - shown(**{name: high})).max() > 10, name


def test_edges_are_anti_aliased():
    image = shown()
    steps = np.abs(np.diff(image, axis=1))[2:10]  # hair against wall
    assert steps.max() < 0.9 * np.ptp(image[2:10])


def test_a_sphere_has_the_depth_and_normals_of_a_sphere():
    v, u = np.mgrid[-0.5:0.5:24j, -0.5:0.5:24j]
    z, normal, seen = surface(u, v, [((0, 0, 0), (0.4, 0.4, 0.4))], rotation(30, 10))
    radius = np.hypot(u, v)
    assert_array_equal(seen, radius < 0.4)
    np.testing.assert_allclose(z[seen], np.sqrt(0.16 - radius[seen] ** 2), atol=1e-6)
    np.testing.assert_allclose(normal[:, seen], np.stack([u, v, z])[:, seen] / 0.4, atol=1e-6)


def test_a_rotation_keeps_lengths_and_yaw_turns_the_nose_to_the_right():
    turn = rotation(25, -10)
    np.testing.assert_allclose(turn @ turn.T, np.eye(3), atol=1e-12)
    assert (rotation(25, 0) @ [0, 0, 1])[0] > 0 and (rotation(0, 10) @ [0, 0, 1])[1] > 0


def test_what_does_not_exist_is_a_key_error():
    with pytest.raises(KeyError, match="joy"):
        render(FRONT, "joy")
    with pytest.raises(KeyError, match="skin"):
        render({name: value for name, value in FRONT.items() if name != "skin"}, "fear")
    assert set(MOVEMENTS) == set(EXPRESSIONS)


def test_many_are_rendered_as_one_by_one(coarse):
    factors, labels, _ = draw_factors(1, 1, 0)
    some = {name: values[:2] for name, values in factors.items()}
    alone = render({name: float(values[1]) for name, values in factors.items()}, EXPRESSIONS[labels[1]])
    assert_array_equal(render_all(some, labels[:2])[1], alone)
