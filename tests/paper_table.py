"""Hyperparameters of the papers and their reference codes, in the words of their own tables.

Written from those, not from the files that it is held against.
"""

NETWORKS = ("resnet18", "senet18", "vgg16", "shufflenet_v2")
LINF = {"norm": "Linf", "epsilon": 8 / 255}
PGD = LINF | {"steps": 10, "step": 2 / 255, "start": "Uniform", "objective": "CrossEntropy"}
KL = PGD | {"start": "Gaussian", "objective": "ToClean"}
ONE = PGD | {"steps": 1, "step": 1.25 * 8 / 255}
L2 = {"norm": "L2", "epsilon": 128 / 255}
TEN_TIMES = {n: tuple(0.1 / 10**i for i in range(n + 1)) for n in (1, 2, 3)}
STEPS_200 = {"epochs": 200, "batch": 128, "decay": 5e-4, "rate": ((100, 150), TEN_TIMES[2])}
FROM_ONE_200 = STEPS_200 | {"rate": ((99, 149), TEN_TIMES[2])}
FROM_ONE_SVHN = {"rate": ((99, 149), (0.01, 0.001, 1e-4))}
CROP_AND_FLIP = [("PadCrop", 4, "zeros"), ("Flip",)]
REFLECTED = [("PadCrop", 4, "reflect"), ("Flip",)]
AWP_TRADES = {"awp": ((9,), (0.0, 5e-3))}
FAIT = {"epochs": 105, "batch": 512, "decay": 5e-4} | KL
FAIT |= {"rate": (5, ((75, 90), (0.4, 0.04, 0.004)))}
FROM_HAT = {"beta": 2.5, "gamma": 0.5, "reach": 2.0, "method": "HAT"}
ATLAS = {"batch": 64, "decay": 2e-4, "rate": 0.1, "scale": ("ramp", 15, 1.0)}
LLR = {"epochs": 110, "batch": 256, "decay": 2e-4, "kernels_only": True, "scale": ("ramp", 15, 1.0)}
LLR |= {"rate": ((100, 105), TEN_TIMES[2]), "augment": REFLECTED, "activation": "softplus"}
ADAM = LINF | {"start": "Uniform", "step": 0.1, "stepper": "Adam"}
TRADES_CODE = {"epsilon": 0.031, "step": 0.007, "steps": 10, "batch": 128, "decay": 2e-4}
FALLS_OF_120 = {"epochs": 120, "rate": ((59, 89, 109), (0.1, 0.01, 0.001, 0.0005))}
TRADES = {"method": "TRADES", "beta": 6.0}
MNIST = {"epsilon": 0.3, "norm": "Linf", "batch": 128, "rate": 0.01, "scale": ("ramp", 15, 1.0)}
TWENTY = {"steps": 20, "step": 0.01, "start": "Uniform", "objective": "CrossEntropy"}
LARGE = {"steps": 1, "step": 1.25 * 0.3, "start": "Uniform", "objective": "CrossEntropy"}
NORMALISED = {"mean": (0.4914, 0.4822, 0.4465)}
ONE_CYCLE_50 = {"epochs": 50, "batch": 128, "nesterov": True, "decay": 5e-4}
ONE_CYCLE_50 |= {"rate": ((0.0, 12.5, 50.0), (0.0084, 0.21, 0.0))}

# Of each file: what every pattern that fits it says; the last pattern wins. A reference code
# that counts its epochs from 1 and divides the rate at 75 divides it after 74 epochs.
SAID = [
    ("*", {"momentum": 0.9, "statistics": "running", "scale": 1.0, "awp": None, "noise": None}),
    ("*", {"regularizers": [], "smoothing": 0.0, "extra": None}),
    ("*", {"nesterov": False, "kernels_only": False, "augment": [], "rule": "best_robust"}),
    ("*", {"mean": None, "activation": None, "attack_reach": 1.0}),
    ("cifar10_*", {"data": "cifar10", "num_classes": None}),
    ("cifar100_*", {"data": "cifar100", "num_classes": 100}),
    ("svhn_*", {"data": "svhn_cropped", "num_classes": None}),
    ("mnist_*", {"data": "mnist", "num_classes": None}),
    ("imagenet_*", {"data": "imagenet2012", "num_classes": None, "image_size": 224}),
    ("imagenet_resnet152/*", {"network": "from_applications", "application": "ResNet152"}),
    ("*_preact_resnet18/*", {"network": "preact_resnet18"}),
    ("*_resnet18/*", {"network": "resnet18"}),
    ("*_preact_resnet18/*", {"network": "preact_resnet18"}),
    ("*_senet18/*", {"network": "senet18"}),
    ("*_shufflenet_v2/*", {"network": "shufflenet_v2"}),
    ("*_vgg16/*", {"network": "vgg16"}),
    ("*_mobilenet_v2/*", {"network": "mobilenet_v2"}),
    ("*_wrn_*/*", {"network": "wide_resnet"}),
    ("*_wrn_28_8/*", {"depth": 28, "width_factor": 8}),
    ("*_wrn_28_10/*", {"depth": 28, "width_factor": 10}),
    ("*_wrn_34_10/*", {"depth": 34, "width_factor": 10}),
    ("*_wrn_40_8/*", {"depth": 40, "width_factor": 8}),
    ("mnist_cnn_*/*", {"network": "mnist_cnn", "size": None}),
    ("mnist_cnn_large/*", {"size": "large"}),
    ("mnist_trades_cnn/*", {"network": "trades_cnn"}),
    # RAT
    ("*/rat_*", FROM_ONE_200 | KL | TRADES),
    ("svhn_*/rat_*", FROM_ONE_SVHN | {"augment": CROP_AND_FLIP}),
    ("*/rat_*_l2", L2 | {"step": 15 / 255}),
    ("*/rat_*_awp*", AWP_TRADES),
    ("*/rat_first*", {"noise": (0.01, "kernels")}),
    ("*/rat_second*", {"noise": (0.01, "kernels")}),
    ("*/rat_reference", {"noise": (1e-4, "conv_kernels")}),
    ("*/rat_reference_awp*", {"noise": None}),
    ("*/rat_first*", {"regularizers": [("TaylorTerms", 0.3, 1, "finite", 0.01)]}),
    ("*/rat_second*", {"regularizers": [("TaylorTerms", 0.2, 2, "finite", 0.01)]}),
    ("*/rat_reference*", {"regularizers": [("GapLabels", 0.2, 2, 0.5)]}),
    ("*_preact_resnet18/rat_reference*", {"regularizers": [("GapLabels", 0.2, 2, 0.4)]}),
    ("*/rat_reference_awp_l2", {"step": 2 * 128 / 255 / 10}),
    ("*/rat_*_adv", PGD | {"method": "ADV", "beta": None}),
    ("*/rat_surrogate", PGD | {"method": "ADV", "beta": None}),
    # FAIT and MER
    *((f"*_{net}/trades", FAIT | TRADES | {"beta": 9.0}) for net in NETWORKS),
    *((f"*_{net}/fait", FAIT | {"method": "FAIT", "beta": 12.0}) for net in NETWORKS),
    *((f"*_{net}/trades_mer*", FAIT | TRADES | {"beta": 21.0}) for net in NETWORKS),
    ("*_resnet18/trades_mer_squared", {"beta": 10.0}),
    ("*/*_mer*", {"regularizers": [("MaximalEntropy", 1.0, "clean")]}),
    ("*/*_mer_adversarial", {"regularizers": [("MaximalEntropy", 1.0, "adversarial")]}),
    (
        "*/*_mer_both",
        {"regularizers": [("MaximalEntropy", 0.5, p) for p in ("clean", "adversarial")]},
    ),
    ("*_resnet18/fait_mer", FAIT | {"method": "FAIT", "beta": 30.0}),
    ("*_resnet18/fait_squared", FAIT | {"method": "FAIT", "beta": 8.0}),
    ("*_resnet18/fat_trades", FAIT | TRADES | {"beta": 15.0}),
    ("*_resnet18/trades_awp", FAIT | TRADES | AWP_TRADES),
    ("*_resnet18/adv", FAIT | PGD | {"method": "ADV"}),
    ("*_resnet18/gairat", FAIT | PGD | {"method": "GAIRAT", "offset": -1.0, "burn_in": 55}),
    ("*_resnet18/mart", FAIT | {"method": "MART", "beta": 5.0, "objective": "CrossEntropy"}),
    ("*_resnet18/hat", FAIT | FROM_HAT),
    ("cifar10_resnet18/score", FAIT | TRADES | {"beta": 4.0}),
    # Other codes on ResNet-18
    (
        "cifar10_preact_resnet18/hat_extra",
        KL
        | NORMALISED
        | {"method": "HAT", "beta": 3.5, "gamma": 0.5, "epochs": 400, "batch": 1024, "decay": 5e-4}
        | {"rate": ((0.0, 10.0, 400.0), (0.0, 0.4, 0.0)), "nesterov": True, "activation": "silu"}
        | {"smoothing": 0.1, "extra": 0.7},
    ),
    ("cifar10_resnet18/hat_rade", KL | ONE_CYCLE_50 | FROM_HAT),
    ("cifar10_resnet18/natural", ONE_CYCLE_50 | {"method": "Natural", "rule": "best_clean"}),
    ("cifar10_resnet18/cure", {"method": "Natural", "epochs": 10, "batch": 128, "rate": 1e-4}),
    ("cifar10_resnet18/cure", {"regularizers": [("Curvature", 0.8, "clean", 1)]}),
    ("cifar10_resnet18/cure", {"momentum": None, "decay": 0.0, "network": "load_classifier"}),
    (
        "cifar10_resnet18/mart_wang",
        {"method": "MART", "beta": 5.0, "epochs": 120, "batch": 128, "decay": 3.5e-3}
        | {"rate": ((74, 89, 99), (0.01, 0.001, 1e-4, 1e-5)), "epsilon": 0.031, "step": 0.007}
        | {"steps": 10, "start": "Gaussian", "objective": "CrossEntropy"},
    ),
    (
        "cifar10_resnet18/gat",
        LINF
        | {
            "method": "GAT",
            "beta": ((86,), (10.0, 40.0)),
            "epochs": 100,
            "batch": 64,
            "decay": 5e-4,
        }
        | {"rate": ((71, 86), TEN_TIMES[2]), "steps": 1, "step": 8 / 255, "start": "Corner"},
    ),
    (
        "cifar10_resnet18/trades_gat",
        LINF
        | {
            "method": "GAT",
            "beta": 6.0,
            "epochs": 100,
            "batch": 64,
            "decay": 5e-4,
            "rate": ((71, 86), TEN_TIMES[2]),
        }
        | {"steps": 1, "step": 8 / 255, "start": "Corner"},
    ),
    # Codes on PreActResNet-18, whose epochs count from 0
    ("*_preact_resnet18/adv*", STEPS_200 | PGD | {"method": "ADV", "statistics": "batch"}),
    ("cifar10_preact_resnet18/adv*", NORMALISED | {"augment": REFLECTED}),
    ("svhn_preact_resnet18/adv", {"rate": ((100, 150), (0.01, 0.001, 1e-4))}),
    ("*/adv_awp", {"awp": 1e-2}),
    ("*/adv_awp_l2", {"awp": 1e-2}),
    ("*/adv*_l2", L2 | {"step": 15 / 255, "start": "Radial"}),
    ("cifar10_preact_resnet18/adv_swa", {"rate": ((50, 150), TEN_TIMES[2]), "augment": []}),
    ("cifar10_preact_resnet18/adv_one_step", ONE | {"epochs": 15, "augment": []}),
    ("cifar10_preact_resnet18/adv_one_step", {"rate": ((0.0, 7.5, 15.0), (0.0, 0.2, 0.0))}),
    (
        "cifar10_preact_resnet18/free",
        NORMALISED
        | {"method": "Free", "replays": 8, "epochs": 10, "batch": 128, "decay": 5e-4}
        | {"rate": ((0.0, 5.0, 10.0), (0.0, 0.04, 0.0))},
    ),
    (
        "cifar10_preact_resnet18/grad_align",
        ONE
        | {"method": "ADV", "epochs": 30, "batch": 128, "decay": 5e-4, "statistics": "batch"}
        | {"rate": ((0.0, 12.0, 30.0), (0.0, 0.3, 0.0)), "start": "Clean"}
        | {"regularizers": [("GradientAlignment", 0.2)]},
    ),
    (
        "cifar10_preact_resnet18/score",
        KL
        | TRADES
        | NORMALISED
        | {"epochs": 110, "batch": 128, "decay": 5e-4}
        | {"rate": ((100, 105), (0.05, 0.005, 0.0005))},
    ),
    # ATLAS
    ("*_wrn_28_8/atlas*", ATLAS | {"method": "ATLAS", "alpha": 2e-4, "beta": 5.0} | ONE),
    ("*_wrn_28_8/atlas", {"alpha": 1e-4, "beta": 5.0, "steps": 10, "step": 0.007}),
    ("cifar100_wrn_28_8/atlas", {"beta": 10.0}),
    ("*_wrn_28_8/atlas_g", {"alpha": 0.0}),
    ("*_wrn_28_8/atlas_l", {"beta": 0.0}),
    ("*_wrn_28_8/adv*", ATLAS | PGD | {"method": "ADV", "step": 0.007}),
    ("*_wrn_28_8/adv_one_step", ONE),
    ("*_wrn_28_8/adv_five_step", {"steps": 5}),
    ("*_wrn_28_8/trades", ATLAS | KL | {"method": "TRADES", "beta": 4.0, "step": 0.007}),
    ("*_wrn_28_8/trades_one_step", ATLAS | ONE | {"method": "TRADES", "beta": 2.0}),
    ("*_wrn_28_8/trades_jac", ATLAS | ONE | {"method": "TRADES", "beta": ("ramp", 15, 0.5)}),
    ("*_wrn_28_8/trades_*", {"objective": "ToClean"}),
    ("*_wrn_28_8/trades_jac", {"regularizers": [("Jacobian", ("ramp", 15, 2e-4), "clean")]}),
    ("*_wrn_28_8/jac", ATLAS | {"method": "Natural", "scale": 1.0}),
    ("*/jac", {"regularizers": [("Jacobian", 0.5, "clean")]}),
    # LLR
    (
        "*/llr*",
        LLR | ADAM | {"method": "LLR", "lam": 4.0, "w_nom": 2.0, "objective": "LinearityError"},
    ),
    ("cifar10_wrn_28_8/llr*", {"mu": 2.0, "steps": 10}),
    ("cifar10_wrn_40_8/llr", {"mu": 3.0, "steps": 15}),
    ("*/llr_one_step", {"steps": 1}),
    ("*/llr_two_step", {"steps": 2}),
    ("*/llr_gamma", {"mu": 0.0}),
    ("*/trades_softplus", LLR | KL | TRADES),
    ("*/adv_*_step_softplus", LLR | ADAM | {"method": "ADV", "objective": "CrossEntropy"}),
    ("*_wrn_28_10/adv_*", LLR | ADAM | {"method": "ADV", "activation": "relu"}),
    ("*_wrn_28_10/adv_*", {"objective": "CrossEntropy"}),
    *((f"*/adv_{word}_step_softplus", {"steps": n}) for n, word in ((1, "one"), (2, "two"))),
    *(
        (f"*_wrn_28_10/adv_{word}_step", {"steps": n})
        for n, word in ((1, "one"), (2, "two"), (4, "four"))
    ),
    *(
        (f"*_wrn_28_10/adv_{word}_step", {"steps": n})
        for n, word in ((8, "eight"), (16, "sixteen"))
    ),
    *((pattern, {"mean": (0.4914, 0.4824, 0.4467)}) for pattern in ("*/llr*", "*_softplus")),
    ("*_wrn_28_10/*", {"mean": (0.4914, 0.4824, 0.4467)}),
    # Codes on WRN-34-10
    ("*_wrn_34_10/trades_awp", FROM_ONE_200 | KL | TRADES | AWP_TRADES),
    (
        "*_wrn_34_10/adv_awp",
        STEPS_200 | PGD | NORMALISED | {"method": "ADV", "statistics": "batch"},
    ),
    ("*_wrn_34_10/adv_awp", {"augment": REFLECTED}),
    ("*_wrn_34_10/trades", KL | TRADES_CODE | TRADES | {"epochs": 76, "rule": "last"}),
    ("*_wrn_34_10/trades", {"rate": ((74,), TEN_TIMES[1])}),
    ("*_wrn_34_10/fat", PGD | TRADES_CODE | FALLS_OF_120 | {"method": "ADV"}),
    ("*_wrn_34_10/gairat", PGD | TRADES_CODE | FALLS_OF_120 | {"method": "GAIRAT"}),
    ("*_wrn_34_10/gairat", {"offset": -1.0, "burn_in": 59}),
    ("*_wrn_34_10/fat_trades", KL | TRADES_CODE | TRADES | {"epochs": 85}),
    ("*_wrn_34_10/fat_trades", {"rate": ((74,), TEN_TIMES[1])}),
    ("*_wrn_34_10/mart", KL | TRADES_CODE | {"method": "MART", "beta": 6.0, "epochs": 90}),
    ("*_wrn_34_10/mart", {"rate": ((74, 89), TEN_TIMES[2]), "decay": 7e-4}),
    ("*_wrn_34_10/mart", {"objective": "CrossEntropy"}),
    # MNIST
    ("mnist_cnn_*/*", MNIST | TWENTY | {"method": "ADV", "decay": 0.0}),
    ("mnist_cnn_*/*one_step*", LARGE),
    ("mnist_cnn_*/trades*", {"method": "TRADES", "beta": 1.0, "objective": "ToClean"}),
    ("mnist_cnn_*/atlas*", {"method": "ATLAS", "alpha": 5e-6, "beta": 0.2}),
    ("mnist_cnn_*/atlas_one_step", {"alpha": 1e-5, "beta": 0.3}),
    ("mnist_cnn_*/jac", {"method": "Natural", "scale": 1.0}),
    ("mnist_cnn_small/adv_one_step", {"epochs": 10, "batch": 100, "momentum": None, "scale": 1.0}),
    ("mnist_cnn_small/adv_one_step", {"rate": ((0.0, 4.0, 10.0), (0.0, 5e-3, 0.0))}),
    (
        "mnist_trades_cnn/trades",
        {"method": "TRADES", "beta": 1.0, "epsilon": 0.3, "steps": 40, "step": 0.01, "rule": "last"}
        | {"rate": ((54, 74, 89), (0.01, 0.001, 1e-4, 1e-5)), "epochs": 100, "batch": 128}
        | {"start": "Gaussian", "objective": "ToClean", "decay": 0.0},
    ),
    # LLR on ImageNet; its crops and mirrors are the data set's usual ones
    ("imagenet_*", {"batch": 512, "decay": 1e-4, "kernels_only": True, "activation": "softplus"}),
    ("imagenet_*", {"epochs": 100, "rate": ((35, 70, 95), TEN_TIMES[3])}),
    ("imagenet_*", ADAM | {"epsilon": 4 / 255, "scale": ("ramp", 20, 1.0)}),
    ("imagenet_*/llr*", {"method": "LLR", "objective": "LinearityError", "steps": 2}),
    ("imagenet_*/llr*", {"lam": 3.0, "mu": 6.0, "w_nom": 3.0, "mean": None, "augment": []}),
    ("imagenet_*/llr_gamma", {"mu": 0.0}),
    (
        "imagenet_*/llr_16",
        {"epochs": 55, "rate": ((17, 35, 50), TEN_TIMES[3]), "epsilon": 16 / 255}
        | {"steps": 10, "mu": 9.0, "scale": ("ramp", 90, 1.0)},
    ),
    ("imagenet_*/adv", {"method": "ADV", "objective": "CrossEntropy", "steps": 10}),
    ("imagenet_*/trades", TRADES | {"objective": "ToClean", "start": "Gaussian", "steps": 10}),
    ("imagenet_*/trades", {"stepper": "Steepest", "step": 1 / 255}),
]
