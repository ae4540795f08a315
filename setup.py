"""The package that setup.cfg describes, with the folder gin/ as its data."""

import setuptools

setuptools.setup(
    # No package on disk: in the wheel it lies inside of tfrobust, beside nothing of the library gin.
    packages=[*setuptools.find_packages(include=["tfrobust", "tfrobust.*"]), "tfrobust.gin"]
)
