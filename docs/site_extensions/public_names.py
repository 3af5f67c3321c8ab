"""Public names in the API reference: each is described once, has a docstring, and is found by its short name.

`__all__` of a room brings names in from its files, while Sphinx thinks of an object as being where it is defined. So
this finds the descriptions of constants in the files that define them, and leads a reference such as `PatternCounter`,
or `swapnas_ext.patterns.counter.PatternCounter` in a signature, to the place where users import it from.
"""

from __future__ import annotations

import sys
from functools import cached_property
from inspect import getdoc, isclass, ismodule, isroutine
from typing import Any

from docutils import nodes
from sphinx.addnodes import pending_xref
from sphinx.application import Sphinx
from sphinx.environment import BuildEnvironment
from sphinx.errors import PycodeError
from sphinx.pycode import ModuleAnalyzer
from sphinx.util import logging
from sphinx.util.nodes import make_refnode

from swapnas_ext.search import Strategy, Worker

PACKAGE = "swapnas_ext"
_ALSO = {"swapnas_ext.data.text": "swapnas_ext.text"}  # the same functions
_log = logging.getLogger(__name__)


def _description(name: str, found: Any) -> list[str]:
    """The text below a constant or a type, in the file that defines it."""
    for module_name, module in sorted(sys.modules.items()):
        if not module_name.startswith(PACKAGE) or vars(module).get(name) is not found:
            continue
        try:
            docs = ModuleAnalyzer.for_module(module_name).find_attr_docs()
        except PycodeError:
            continue
        if ("", name) in docs:
            return docs["", name]
    return []


def describe(app: Sphinx, what: str, name: str, found: Any, options: Any, lines: list[str]) -> None:
    """Completes or misses the docstring of a public name."""
    module, _, short = name.rpartition(".")
    if module in sys.modules and what not in ("class", "exception", "function", "module"):
        lines[:] = _description(short, found) or ([] if what == "data" else lines)
    public = what in ("module", "class", "exception", "function", "data")
    if public and (not any(lines) or (what == "class" and lines[0].startswith(f"{short}("))):
        _log.warning("the public name %s has no docstring", name)


def _is_outer(module: str, name: str) -> bool:
    """Whether the package around the module offers the same thing."""
    outer = sys.modules.get(module.rpartition(".")[0])
    return name in getattr(outer, "__all__", ()) and getattr(outer, name) is getattr(
        sys.modules[module], name
    )


def skip(app: Sphinx, what: str, name: str, found: Any, skipped: bool, options: Any) -> bool | None:
    """Leaves a name to the page of the outer module, where it is public there too."""
    return (
        True
        if what == "module" and _is_outer(app.env.current_document.autodoc_module, name)
        else None
    )


def complete(app: Sphinx, env: BuildEnvironment) -> None:
    """Misses public names that no page describes, and public methods without a docstring."""
    domain = env.domains.python_domain
    for module_name in domain.modules:
        module = sys.modules[module_name]
        for name in getattr(module, "__all__", ()):
            found = getattr(module, name)
            if ismodule(found):
                described = _ALSO.get(found.__name__, found.__name__) in domain.modules
            else:
                described = f"{module_name}.{name}" in domain.objects or _is_outer(
                    module_name, name
                )
            if not described:
                _log.warning(
                    "no page of docs/api describes the public name %s.%s", module_name, name
                )
            for method in _without_docstring(found) if isclass(found) else ():
                _log.warning(
                    "the public method %s.%s.%s has no docstring", module_name, name, method
                )


def _without_docstring(kind: type) -> list[str]:
    """The public methods of a class that neither it nor the protocol that it follows describes."""
    of_protocols: set[str] = set()
    for protocol in (Strategy, Worker):
        names = {name for name in vars(protocol) if not name.startswith("_")}
        if names <= set(dir(kind)):
            of_protocols |= names
    members = {name: getattr(kind, name) for name in vars(kind) if not name.startswith("_")}
    return [
        name
        for name, member in members.items()
        if (isroutine(member) or isinstance(member, property | cached_property))
        and not getdoc(member)
        if name not in of_protocols
    ]


def bases(app: Sphinx, name: str, found: Any, options: Any, of: list[Any]) -> None:
    """Leaves out helpers among the classes that a class derives from."""
    of[:] = [
        base for base in of if not getattr(base, "__module__", "").startswith(f"{PACKAGE}._")
    ] or [object]


def without_object(app: Sphinx, page: nodes.document) -> None:
    """Leaves out that a class derives from object."""
    for paragraph in list(page.findall(nodes.paragraph)):
        if paragraph.astext() == "Bases: object":
            paragraph.parent.remove(paragraph)


def resolve(
    app: Sphinx, env: BuildEnvironment, node: pending_xref, content: nodes.Element
) -> nodes.Element | None:
    """Leads a reference by a short name, or by the place of definition, to the public name."""
    if node.get("refdomain") != "py":
        return None
    target = str(node["reftarget"]).removeprefix("swap.")
    module, _, short = target.rpartition(".")
    if module.startswith(PACKAGE):
        target = short
    objects = env.domains.python_domain.objects
    found = sorted(
        (one for one in objects if one.endswith(f".{target}")),
        key=lambda one: (one.count("."), one),
    )
    here = str(node.get("py:module") or "")
    found.sort(key=lambda one: not one.startswith(f"{here}."))
    if not found:
        return None
    entry = objects[found[0]]
    return make_refnode(
        app.builder, node["refdoc"], entry.docname, entry.node_id, content, found[0]
    )


def setup(app: Sphinx) -> dict[str, bool]:
    app.connect("autodoc-process-docstring", describe)
    app.connect("autodoc-process-bases", bases)
    app.connect("autodoc-skip-member", skip)
    app.connect("doctree-read", without_object)
    app.connect("env-check-consistency", complete)
    app.connect("missing-reference", resolve)
    return {"parallel_read_safe": True, "parallel_write_safe": True}
