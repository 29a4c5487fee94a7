"""What operations do to the axes of tensors, by the operation's name in ATen."""

from supernet.pretrained.operations import along, elementwise, images, lookups, norms, pieces, products, shapes

RULES = {
    **elementwise.RULES,
    **shapes.RULES,
    **pieces.RULES,
    **along.RULES,
    **products.RULES,
    **norms.RULES,
    **images.RULES,
    **lookups.RULES,
}
