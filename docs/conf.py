"""Configure Sphinx. The pages are Markdown; what they show needs no other host, and formulas need no script."""

from __future__ import annotations

import importlib.metadata
import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parent / "_ext"))

project = "faceassay"
author = "The faceassay authors"
version = release = importlib.metadata.version("faceassay")

extensions = ["myst_parser", "sphinx.ext.autodoc", "sphinx.ext.napoleon", "formulas", "from_the_program"]
myst_enable_extensions = ["dollarmath"]
myst_heading_anchors = 3
exclude_patterns = ["_ext"]

html_theme = "furo"
html_title = "faceassay"
html_copy_source = False
html_show_sphinx = False
html_math_renderer = "mathml"

napoleon_use_ivar = True
autodoc_member_order = "bysource"
autodoc_typehints = "signature"
autodoc_typehints_format = "short"
autodoc_default_options = {"members": True, "exclude-members": "model_config, model_post_init"}
add_module_names = False
python_use_unqualified_type_names = True
