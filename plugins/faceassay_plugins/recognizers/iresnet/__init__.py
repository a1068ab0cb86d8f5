"""The IResNet recognizer: parameters in ``plugin``, mathematics in modules that only a fit or a load imports."""
