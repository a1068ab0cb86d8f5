"""The bundled augmentations: Repro, AugGen, ScoreMix, and the generator-free blend."""
