"""The bundled figures: what mixing does to images and what distances of classes say, as in the ScoreMix paper."""
