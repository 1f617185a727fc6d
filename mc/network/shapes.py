"""Whether two networks have the same variables, by position and shape."""

import keras

from mc.network import hidden_state


def check_same_shapes(a: keras.Model, b: keras.Model) -> None:
    """Raise unless two networks have the same variables by position and shape.

    Raises:
        ValueError: names the first variable that differs, and both shapes.
    """
    both = {
        "trainable": (a.trainable_variables, b.trainable_variables),
        "untrained": (hidden_state.untrained_of(a), hidden_state.untrained_of(b)),
    }
    for kind, (ours, theirs) in both.items():
        for v, u in zip(ours, theirs, strict=False):  # a difference in number is reported below
            if tuple(v.shape) != tuple(u.shape):
                raise ValueError(
                    "The endpoints have different architectures: the first difference is "
                    f"{v.path} with shape {tuple(v.shape)} against {u.path} with shape "
                    f"{tuple(u.shape)}."
                )
        if len(ours) != len(theirs):
            longer = max(ours, theirs, key=len)
            extra = longer[min(len(ours), len(theirs))]
            raise ValueError(
                f"The endpoints have different architectures: {len(ours)} against {len(theirs)} "
                f"{kind} variables; only one has {extra.path} {tuple(extra.shape)}."
            )
