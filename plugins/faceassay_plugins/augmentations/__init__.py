"""The bundled augmentations: Repro, AugGen, ScoreMix, ID3, and the generator-free blend."""
