"""Which optimizers can train flat weight vectors."""

from typing import Any

from mc.network import unpromised

# Optimizers that look at the shape of a weight, which a flat vector no longer has.
NOT_ELEMENTWISE = ("Lamb", "Adafactor", "Muon")


def check_elementwise(optimizer: Any) -> None:
    """Raise unless an optimizer treats every element of every weight alike.

    Raises:
        ValueError: it looks at the shape of a weight, which is lost in a flat vector, or decays
            some weights and not others.
    """
    optimizer = getattr(optimizer, "inner_optimizer", optimizer)  # of a LossScaleOptimizer
    names = {c.__name__ for c in type(optimizer).__mro__}
    found = [name for name in NOT_ELEMENTWISE if name in names]
    if found:
        raise ValueError(
            f"The optimizer {found[0]} looks at the shape of each weight, but a curve trains flat "
            "weight vectors. Use an elementwise one: SGD, Adam, AdamW, RMSprop, Lion, ..."
        )
    if getattr(optimizer, "clipnorm", None):
        raise ValueError(
            "The optimizer's clipnorm clips weight by weight, but a curve trains flat weight "
            "vectors. Use global_clipnorm or clipvalue."
        )
    if unpromised.has_undecayed(optimizer) and optimizer.weight_decay:
        raise ValueError(
            "exclude_from_weight_decay names weights of a network, but a curve trains flat weight "
            "vectors, which are decayed whole. Leave it out, or give the layers that are to decay "
            "a kernel_regularizer in place of the optimizer's weight_decay."
        )
