"""PEP 517 backend: setuptools, plus torch as a build requirement only where none is installed.

A build needs torch's headers. pip builds in an isolated environment, but `sysconfig` still tells where
the environment that is installed into keeps its packages: a torch there is used as it is, and a second
one is not downloaded.
"""

from setuptools import build_meta
from setuptools.build_meta import *  # noqa: F403

from torch_location import TORCH_REQUIREMENT, installed_torch


def get_requires_for_build_wheel(config_settings=None):
    return build_meta.get_requires_for_build_wheel(config_settings) + _torch()


def get_requires_for_build_editable(config_settings=None):
    return build_meta.get_requires_for_build_editable(config_settings) + _torch()


def _torch():
    return [] if installed_torch() else [TORCH_REQUIREMENT]
