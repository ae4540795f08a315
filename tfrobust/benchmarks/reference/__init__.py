"""AutoAttack of other libraries, beside ours: the same weights, images and radius."""
