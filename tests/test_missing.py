"""What a stage builds on that is not there, and the commands that make it."""

import pytest
from test_config import compose, run_of

from mc.lab import missing


def test_what_a_stage_builds_on_is_named_with_the_commands_that_make_it(tmp_path):
    overrides = [f"output_dir={tmp_path}", "model=mlp", "endpoints=[1,7]"]
    expected = (
        f"python -m mc.run stage=base seed=7 output_dir={tmp_path} model=mlp 'endpoints=[1,7]'"
    )
    with pytest.raises(ValueError, match="not finished") as caught:
        missing.check_made(run_of(compose("stage=eval", *overrides)), ["stage=eval", *overrides])
    lines = str(caught.value).splitlines()
    assert expected in lines[2]
    assert "stage=curve" in lines[3]
    assert len(lines) == 4
    missing.check_made(run_of(compose("stage=all", *overrides)), overrides)
    missing.check_made(run_of(compose("stage=base", *overrides)), overrides)
