"""The shipped classifiers: their weights are those of the card, and as good as it says."""

import hashlib
import json
import math
import shutil

import numpy as np
import pytest
from numpy.testing import assert_allclose

from labkit import data
from labkit.metrics import ClassifierError, load_classifier
from labkit.metrics.classifier import FOLDER, SETS, build_network, read_weights, save_weights

BARS = {"mnist": 0.992, "fashion_mnist": 0.92}


@pytest.fixture(params=SETS)
def classifier(request):
    return load_classifier(request.param)


@pytest.fixture
def copied(tmp_path):
    """A folder with a copy of one classifier, to be damaged."""
    for path in FOLDER.glob("mnist.*"):
        shutil.copy(path, tmp_path)
    return tmp_path


def test_weights_are_small_and_of_the_digest_that_the_card_states(classifier):
    path = FOLDER / classifier.card["weights"]
    assert hashlib.sha256(path.read_bytes()).hexdigest() == classifier.digest
    assert path.stat().st_size < 500_000
    arrays = read_weights(path, classifier.digest)
    assert {array.dtype for array in arrays.values()} == {np.dtype("float16")}
    assert classifier.network.count_params() == classifier.card["parameters"]


def test_accuracy_is_above_the_bar_and_the_one_stated(classifier):
    assert classifier.accuracy >= BARS[classifier.name] and classifier.card["n_test"] == 10_000
    test = data.load(classifier.name, n_train=1, n_test=2000)
    right = np.mean(classifier.predict(test.x_test) == test.y_test)
    error = math.sqrt(classifier.accuracy * (1 - classifier.accuracy) / len(test.x_test))
    assert_allclose(right, classifier.accuracy, atol=4 * error)


def test_outputs_have_their_shapes_and_do_not_depend_on_the_batch(classifier):
    x = data.load(classifier.name, n_train=1, n_test=600).x_test
    features, probabilities = classifier.outputs(x)
    assert features.shape == (600, 128) and features.min() >= 0
    assert_allclose(probabilities.sum(axis=1), 1, rtol=1e-5)
    assert_allclose(classifier.features(x[550:]), features[550:], rtol=1e-3, atol=1e-4)
    assert (classifier.predict(x) == probabilities.argmax(axis=1)).all()


def test_it_is_loaded_once_and_says_what_it_is(classifier):
    assert load_classifier(classifier.name) is classifier
    assert f"{classifier.accuracy:.2%} of 10,000" in repr(classifier) and classifier.digest[:12] in repr(
        classifier
    )


def test_images_that_do_not_fit_are_refused(classifier):
    x = np.zeros((2, 28, 28, 1))
    for images, message in (
        (x[..., 0], "was expected"),
        (x[:0], "there are no images"),
        (x + np.inf, "NaN or infinite"),
        (x + 255, "bytes"),
        (x - 1, "tanh"),
    ):
        with pytest.raises(ValueError, match=message):
            classifier.predict(images)
    classifier.predict(x + 1 + 1e-6)  # rounding is not an error


def test_an_unknown_name_is_met_with_the_nearest():
    with pytest.raises(ValueError, match="did you mean 'mnist'"):
        load_classifier("mnits")


def test_damaged_weights_are_not_used(copied):
    content = bytearray((copied / "mnist.npz").read_bytes())
    content[len(content) // 2] ^= 1
    (copied / "mnist.npz").write_bytes(content)
    with pytest.raises(ClassifierError, match="SHA-256"):
        load_classifier("mnist", copied)


@pytest.mark.parametrize("name", ["mnist.npz", "mnist.json"])
def test_a_missing_file_is_named(copied, name):
    (copied / name).unlink()
    with pytest.raises(ClassifierError, match=name):
        load_classifier("mnist", copied)


def with_weights(folder, arrays):
    """Put other weights into the folder, with a card whose digest is theirs."""
    np.savez(folder / "mnist.npz", **arrays)
    card = json.loads((folder / "mnist.json").read_text())
    card["sha256"] = hashlib.sha256((folder / "mnist.npz").read_bytes()).hexdigest()
    (folder / "mnist.json").write_text(json.dumps(card))


def test_pickled_objects_and_weights_of_another_network_are_refused(copied):
    with_weights(copied, {"x": np.array([object()])})
    with pytest.raises(ClassifierError, match="plain arrays"):
        load_classifier("mnist", copied)
    with_weights(copied, {"logits/bias": np.zeros(9, "float16")})
    with pytest.raises(ClassifierError, match="another network"):
        load_classifier("mnist", copied)


def test_saving_is_repeatable_and_refuses_what_float16_cannot_hold(tmp_path):
    network = build_network()
    assert save_weights(network, tmp_path / "a.npz") == save_weights(network, tmp_path / "b.npz")
    network.get_layer("logits").bias.assign(np.full(10, 1e6, "float32"))
    with pytest.raises(ValueError, match="float16"):
        save_weights(network, tmp_path / "c.npz")
