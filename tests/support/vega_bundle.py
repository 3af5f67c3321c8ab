"""Writes the chart library that pages inline: ``python tests/support/vega_bundle.py``.

It takes vl-convert-python, in the version that is named here. Pages need no more than the file.
"""

from __future__ import annotations

from pathlib import Path

VL_CONVERT = "1.9.0.post1"
"""The version of vl-convert-python, which has the JavaScript of Vega in it."""
FILE = Path(__file__).parents[2] / "swapnas_ext" / "report" / "templates" / "vega.js"


def bundle() -> str:
    """Vega, Vega-Lite and Vega-Embed as one script that defines ``vegaEmbed`` and no other name."""
    import vl_convert

    names = {
        "Vega": vl_convert.get_vega_version(),
        "Vega-Lite": vl_convert.get_vegalite_versions()[-1],
        "Vega-Embed": vl_convert.get_vega_embed_version(),
    }
    versions = ", ".join(f"{name} {version.lstrip('v')}" for name, version in names.items())
    code = vl_convert.javascript_bundle("window.vegaEmbed = vegaEmbed;")
    if "</script" in code or "<!--" in code:
        raise ValueError("the code would end the element that it stands in")
    code = "\n".join(line.rstrip() for line in code.strip().splitlines())
    return f"/* {versions}; licences: vega-licences.txt */\n(() => {{\n{code}\n}})();\n"


if __name__ == "__main__":
    FILE.write_text(bundle(), encoding="utf-8")
    print(f"{FILE}: {FILE.stat().st_size:,} bytes")
