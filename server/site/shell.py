"""The frame of a page to look something up in: a list of what there is, and an entry for each. Without scripts."""

from __future__ import annotations

from collections.abc import Mapping
from html import escape

from .pages import static_folder


def page(title: str, about: str, contents: Mapping[str, str], entries: str) -> str:
    """One such page.

    Args:
        about: what stands below the title; plain text.
        contents: the ids of the entries, each with its name; plain text.
        entries: markup.
    """
    logo = (static_folder() / "elements" / "logo.html").read_text(encoding="utf-8").rstrip()
    listed = "\n".join(f'<li><a href="#{key}">{escape(name)}</a></li>' for key, name in contents.items())
    return f"""<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta name="description" content="{escape(about)}">
<title>{escape(title)} · Firstlight</title>
<link rel="icon" href="data:,">
<link rel="stylesheet" href="static/elements/tokens.css">
<link rel="stylesheet" href="static/elements/base.css">
<link rel="stylesheet" href="static/elements/status.css">
<link rel="stylesheet" href="static/elements/steps.css">
<link rel="stylesheet" href="static/elements/details.css">
<link rel="stylesheet" href="static/site/reference.css">
</head>
<body class="reference" data-stage="first_error_received">
<header class="top"><a class="brand" href="./">{logo}Firstlight</a></header>
<main>
<header class="intro">
<h1>{escape(title)}</h1>
<p>{escape(about)}</p>
</header>
<nav aria-label="{escape(title)}">
<ol>
{listed}
</ol>
</nav>
<div class="entries">
{entries}
</div>
</main>
</body>
</html>
"""
