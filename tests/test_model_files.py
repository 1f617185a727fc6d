"""What is no file of a whole model is said at once, in the words of what it is."""

from pathlib import Path

import keras
import pytest

from mc.lab.model_files import check_model_file


@pytest.fixture(scope="module")
def saved(tmp_path_factory):
    """A folder with one network in every form in which Keras and TensorFlow keep it."""
    folder = tmp_path_factory.mktemp("saved")
    network = keras.Sequential([keras.Input((2,)), keras.layers.Dense(3)])
    network.save(folder / "whole.keras")
    network.save_weights(folder / "only.weights.h5")
    (folder / "renamed.h5").write_bytes((folder / "only.weights.h5").read_bytes())
    network.export(folder / "graph", verbose=False)
    (folder / "empty").mkdir()
    (folder / "whole.zip").write_bytes((folder / "whole.keras").read_bytes())
    (folder / "damaged.h5").write_bytes(b"nothing")
    return folder


def test_whole_models_pass_as_keras_reads_them(saved, recwarn):
    network = keras.models.load_model(saved / "whole.keras")
    network.save(saved / "whole.h5")  # Keras warns of the old format
    keras.models.load_model(saved / "whole.h5", compile=False)
    recwarn.clear()
    for name in ("whole.keras", "whole.h5", "damaged.h5"):  # the last is left to who reads it
        check_model_file("endpoints", saved / name)


@pytest.mark.parametrize(
    ("name", "words"),
    [
        ("only.weights.h5", "holds weights and no layers"),
        ("renamed.h5", "holds weights and no layers"),
        ("graph", "is a SavedModel folder of TensorFlow"),
        ("empty", "is a folder"),
        ("whole.zip", r"does not end in \.keras"),
    ],
)
def test_what_is_no_whole_model_is_told_with_what_is_needed(saved, name, words):
    with pytest.raises(ValueError, match=rf"endpoints: .*{words}.*by model\.save\('NAME\.keras'\)"):
        check_model_file("endpoints", saved / name)
    with pytest.raises((ValueError, OSError)):  # Keras itself does not read it as a model either
        keras.models.load_model(saved / name)


@pytest.mark.parametrize(
    "setting",
    [
        *("endpoints=[1,{}]", "chain.networks=[1,{}]", "ensemble.networks=[{}]", "fge.start={}"),
        "swag.start={}",
    ],
)
def test_every_setting_that_names_networks_refuses_weights_before_anything_is_made(
    cli, saved, tmp_path, setting
):
    status, output = cli("stage=curve", setting.format(saved / "only.weights.h5"))
    assert status == 1
    assert "only.weights.h5 holds weights and no layers" in output
    assert list(tmp_path.iterdir()) == []


def test_the_weights_of_a_run_name_its_model(saved, tmp_path):
    for name, like in (("model.weights.h5", "only.weights.h5"), ("model.keras", "whole.keras")):
        (tmp_path / name).write_bytes((saved / like).read_bytes())
    with pytest.raises(ValueError, match=r"model\.keras beside it is whole"):
        check_model_file("endpoints", tmp_path / "model.weights.h5")


def test_a_file_that_is_not_there_is_told_with_what_is_near(saved):
    with pytest.raises(FileNotFoundError, match=r"Did you mean .*/whole\.keras\? Needed is"):
        check_model_file("endpoints", saved / "whol.keras")
    with pytest.raises(
        FileNotFoundError, match=r"at 'none/of.keras'\. Needed is .* by their seeds"
    ):
        check_model_file("endpoints", Path("none/of.keras"))


def test_the_folder_of_a_run_that_is_nearly_named_is_suggested(tmp_path):
    folder = tmp_path / "text-gpt-seed1-6d684c48"
    folder.mkdir()
    (folder / "config.yaml").write_text("stage: base")
    with pytest.raises(FileNotFoundError, match=f"Did you mean {folder}"):
        check_model_file("train.base.start", tmp_path / "text-gpt-seed1-6d684")
