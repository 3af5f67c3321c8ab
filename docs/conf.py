"""The site that `make docs` builds: Sphinx with the theme Furo; pages are MyST Markdown, tutorials are notebooks.

It fetches nothing, neither while it is built nor in the reader's browser. Warnings are errors (`-W`), and these are
warnings too: a link or an anchor that leads nowhere, a page that no table of contents has, a public name without a
docstring, and a type of this package in a signature that no page describes.
"""

from __future__ import annotations

import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parent))

from swapnas_ext.version import __version__

project = "swapnas_ext"
author = "the authors of swapnas_ext"
copyright = "the authors of swapnas_ext, Apache-2.0"
release = version = __version__

extensions = [
    "myst_nb",
    "sphinx.ext.autodoc",
    "sphinx.ext.napoleon",
    "site_extensions.checkout_links",
    "site_extensions.house_drawing",
    "site_extensions.public_names",
]
nitpicky = True
suppress_warnings = [
    "ref.python"
]  # several classes have an attribute of a name; others are never suppressed
# Types of other packages: their documentation would have to be fetched to link to it.
nitpick_ignore_regex = [
    (r"py:.*", r"(?!swapnas_ext)(?!.*swapnas_ext\.).*"),
    (
        r"py:.*",
        r"swapnas_ext\..*\.(Thing|Reading|RankedModel|Result|Registered)",
    ),  # variables of types
    (
        r"py:.*",
        r"swapnas_ext\.spaces\.choice_text\.Scanner",
    ),  # of a parser, which only Node's own methods use
]

myst_enable_extensions = ["attrs_inline", "colon_fence", "dollarmath"]
myst_heading_anchors = 4
myst_fence_as_directive = ["mermaid"]
nb_execution_mode = "off"  # the tutorials have their outputs; make test-docs executes them

default_role = "py:obj"
autodoc_default_options = {"members": True, "show-inheritance": True}
autodoc_member_order = "bysource"
autodoc_typehints = "signature"
autodoc_typehints_format = "short"
autodoc_preserve_defaults = True
autodoc_mock_imports = ["archai", "naslib"]
napoleon_numpy_docstring = False
napoleon_use_param = False
napoleon_use_rtype = False
napoleon_use_ivar = True
napoleon_custom_sections = [("Equivalent to", "notes_style")]
python_use_unqualified_type_names = True
python_maximum_signature_line_length = 90
add_module_names = False
toc_object_entries_show_parents = "hide"

html_theme = "furo"
html_title = f"swapnas_ext {version}"
html_static_path = ["_static"]
html_css_files = ["site.css"]
html_show_sphinx = False
html_copy_source = False
html_show_sourcelink = False
