"""Networks as settings name them."""

import pytest
from hypothesis import given
from hypothesis import strategies as st
from test_config import compose, run_of

from mc.lab import check, missing, naming


@pytest.mark.parametrize(
    ("typed", "start", "member", "root"),
    [
        (3, None, None, 3),
        ("3@160", None, None, "3@160"),
        ("nets/a.keras", None, None, "nets/a.keras"),
        ("fge:1", 1, None, 1),
        ("fge:1@160", "1@160", None, "1@160"),
        ("fge:1/3", 1, 3, 1),
        ("fge:1@160/swa", "1@160", "swa", "1@160"),
        ("fge:nets/a.keras", "nets/a.keras", None, "nets/a.keras"),
        ("fge:nets/a.keras/12", "nets/a.keras", 12, "nets/a.keras"),
        ("fge:fge:1/swa", "fge:1/swa", None, 1),
        ("fge:fge:1/swa/2", "fge:1/swa", 2, 1),
        ("swag:1", 1, None, 1),
        ("swag:1@160/30", "1@160", 30, "1@160"),
        ("swag:nets/a.keras/swa", "nets/a.keras", "swa", "nets/a.keras"),
        ("swag:fge:1/swa", "fge:1/swa", None, 1),
        ("fge:swag:1/3/swa", "swag:1/3", "swa", 1),
    ],
)
def test_every_form_is_read(typed, start, member, root):
    network = naming.read(typed)
    assert network.typed == typed
    assert (network.start and network.start.typed) == start
    assert network.member == member
    assert network.root.typed == root
    assert network.is_file == (typed == "nets/a.keras")
    assert network.is_list == (start is not None and member is None)


STAGES = ["fge", "swag"]
PATHS = st.from_regex(r"[a-z]{1,5}(/[a-z]{1,5})?\.keras", fullmatch=True)
SINGLE = st.recursive(
    st.integers(0, 99) | st.from_regex(r"[0-9]{1,2}@[0-9]{1,3}", fullmatch=True) | PATHS,
    lambda start: st.builds(
        "{}:{}/{}".format, st.sampled_from(STAGES), start, st.just("swa") | st.integers(1, 99)
    ),
    max_leaves=3,
)


@given(SINGLE, st.sampled_from(STAGES))
def test_a_member_of_a_run_from_any_one_network_is_one_network(start, stage):
    assert not naming.read(start).is_list
    member, members = naming.read(f"{stage}:{start}/2"), naming.read(f"{stage}:{start}")
    assert (member.is_list, members.is_list) == (False, True)
    assert member.stage == members.stage == stage
    assert member.start == members.start == naming.read(start)


@pytest.mark.parametrize(
    "setting",
    [
        "endpoints=[fge:1,2]",
        "chain.networks=[1,fge:2]",
        "plane.networks=[1,2,fge:2]",
        "fge.start=fge:1",
        "ensemble.networks=[fge:fge:1]",
        "endpoints=[swag:1,2]",
        "swag.start=fge:2",
    ],
)
def test_a_list_is_refused_where_one_network_is_wanted(setting):
    with pytest.raises(ValueError, match=r"list of all members.*Type (fge|swag):[12]/1 for"):
        check.check(compose(setting))


def test_a_list_and_its_networks_are_taken_where_they_are_wanted():
    one_form = "[1,fge:1/2,fge:1@3/swa]"
    for key in ("chain.networks", "plane.networks", "ensemble.networks"):
        check.check(compose(f"{key}={one_form}"))
    check.check(compose("ensemble.networks=[fge:1,2]", "endpoints=[fge:1/1,fge:1/swa]"))
    check.check(compose("fge.start=fge:1/swa"))
    check.check(compose("ensemble.networks=[swag:1,fge:2,swag:2/3]", "swag.start=swag:1/swa"))


def test_names_of_folders_tell_members_apart():
    labels = {
        run_of(compose("stage=curve", f"endpoints=[{ends}]")).label
        for ends in ("fge:1/1,fge:1/3", "fge:1/1,fge:1/swa", "fge:2/1,fge:1/3", "1,fge:1/3")
    }
    assert len(labels) == 4
    assert "digits-cnn-fge:1/1-fge:1/3-bezier-bends1-seed1" in labels


def test_a_member_that_is_missing_names_the_runs_that_make_it(tmp_path):
    overrides = ["stage=curve", "endpoints=[fge:1@4/1,2]", f"output_dir={tmp_path}"]
    with pytest.raises(ValueError, match="not finished") as caught:
        missing.check_made(run_of(compose(*overrides)), overrides)
    lines = [line.strip() for line in str(caught.value).splitlines()[1:]]
    ends = f"'endpoints=[fge:1@4/1,2]' output_dir={tmp_path}"
    assert lines == [
        f"python -m mc.run stage=base seed=1 train.base.save_every=4 {ends}",
        f"python -m mc.run stage=fge fge.start=1@4 {ends}",
        f"python -m mc.run stage=base seed=2 {ends}",
    ]
    for builds in ("stage=all", "build=true"):  # which make them by themselves
        missing.check_made(run_of(compose(*overrides, builds)), overrides)


def test_one_run_keeps_all_epochs_that_are_wanted_of_it(tmp_path):
    overrides = ["stage=chain", "chain.networks=[1@6,1,1@15]", f"output_dir={tmp_path}"]
    with pytest.raises(ValueError, match=r"seed=1 train.base.save_every=3 ") as caught:
        missing.check_made(run_of(compose(*overrides)), overrides)
    assert len(str(caught.value).splitlines()) == 2


def test_the_command_for_members_leaves_out_what_their_run_refuses(tmp_path):
    overrides = ["stage=ensemble", "ensemble.networks=[fge:a.keras]", "eval.bn_batches=3"]
    (tmp_path / "a.keras").touch()
    overrides[1] = f"ensemble.networks=[fge:{tmp_path}/a.keras]"
    cfg = compose(*overrides, f"output_dir={tmp_path}")
    with pytest.raises(ValueError, match=r"stage=fge fge.start") as caught:
        missing.check_made(run_of(cfg), overrides)
    assert "bn_batches" not in str(caught.value)
    with pytest.raises(ValueError, match=r"in batches of 500.*eval.bn_batches=3"):
        check.check(compose("stage=fge", "eval.bn_batches=3"))
