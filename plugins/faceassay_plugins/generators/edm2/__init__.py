"""Own EDM2 as a generator: a magnitude-preserving diffusion model of face images, conditioned on identity."""

from faceassay_plugins.generators.edm2.plugin import Edm2

__all__ = ["Edm2"]
