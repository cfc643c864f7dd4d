"""The API's descriptions as pages: what `/openapi.json` and `/asyncapi.json` say, to be read."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from html import escape
from typing import Any

from . import templates
from .pages import static_folder

_Schema = Mapping[str, Any]

_SAYS = {"send": "server says", "receive": "client says"}
"""By an operation's action, which AsyncAPI 3 says from the server's side."""


def requests_page(document: Mapping[str, Any]) -> str:
    """An OpenAPI document: each request, and the forms that it names."""
    asked = [
        (described, method.upper(), path)
        for path, methods in document["paths"].items()
        for method, described in methods.items()
    ]
    entries = [_request(*each) for each in asked]
    contents = {described["operationId"]: described["summary"] for described, _, _ in asked}
    return _page("The API", document, contents, entries, "openapi.json")


def messages_page(document: Mapping[str, Any]) -> str:
    """An AsyncAPI document: what goes over each channel, and the forms of it."""
    channels = document["channels"]
    said: dict[str, list[tuple[str, str]]] = {name: [] for name in channels}
    for operation in document["operations"].values():
        names = ", ".join(_link(_name(message["$ref"])) for message in operation["messages"])
        said[_name(operation["channel"]["$ref"])].append((_SAYS[operation["action"]], names))
    entries = [_entry(name, each["address"], each["title"], said[name]) for name, each in channels.items()]
    return _page(
        "Messages", document, {name: each["title"] for name, each in channels.items()}, entries, "asyncapi.json"
    )


def _page(title: str, document: Mapping[str, Any], contents: Mapping[str, str], entries: list[str], source: str) -> str:
    forms = document["components"]["schemas"]
    about = f"{document['info']['description']} Made from {source}, which is for programs."
    described = [_form(name, form) for name, form in forms.items()]
    # In English, as the descriptions are.
    page = templates.pages(static_folder(), "site/api.html")[templates.DEFAULT]
    named = {**contents, **{name: name for name in forms}}
    known = {
        "tab": f"{escape(title)} · Firstlight",
        "title": escape(title),
        "about": escape(about),
        "contents": "".join(f'<li><a href="#{key}">{escape(name)}</a></li>' for key, name in named.items()),
        "entries": "".join(entries + described),
    }
    return templates.slotted(page, known)


def _request(described: Mapping[str, Any], method: str, path: str) -> str:
    rows = [
        (f"{given['name']} ({given['in']})", f"{_said(given['schema'])}{_words(given.get('description'))}")
        for given in described.get("parameters", ())
    ]
    if body := described.get("requestBody"):
        rows += [(kind, _said(content.get("schema", {}))) for kind, content in body["content"].items()]
    answers, refused = described["responses"], f": {_link('Error')}"
    rows += [(status, _answer(answer)) for status, answer in answers.items() if int(status) < 400]
    others = ", ".join(f"{status} {answer['description']}" for status, answer in answers.items() if int(status) >= 400)
    rows += [("else", escape(others) + refused)] if others else []
    rows += [("token", " or ".join(name for way in described["security"] for name in way) or "none")]
    return _entry(described["operationId"], f"{method} {path}", described["summary"], rows)


def _answer(answer: Mapping[str, Any]) -> str:
    forms = [_said(content.get("schema", {})) for content in answer.get("content", {}).values()]
    return ", ".join([escape(answer["description"]), *forms])


def _form(name: str, form: _Schema) -> str:
    rows = [(field, _said(schema)) for field, schema in form.get("properties", {}).items()]
    return _entry(name, name, form.get("description") or name, rows or [("value", _said(form))])


def _entry(key: str, code: str, title: str, rows: list[tuple[str, str]]) -> str:
    facts = "".join(f"<dt>{escape(name)}</dt><dd>{said}</dd>" for name, said in rows)
    return (
        f'<section id="{key}"><p class="meta"><code>{escape(code)}</code></p>'
        f'<h2>{escape(title)}</h2><dl class="facts">{facts}</dl></section>'
    )


def _said(schema: _Schema) -> str:
    """A type in words, with links to the forms."""
    return "".join(_parts(schema)) + _words(schema.get("description"))


def _parts(schema: _Schema) -> Iterator[str]:
    if "$ref" in schema:
        yield _link(_name(schema["$ref"]))
    elif "anyOf" in schema:
        yield " or ".join(_said(each) for each in schema["anyOf"])
    elif "enum" in schema or "const" in schema:
        yield ", ".join(f"<code>{escape(str(each))}</code>" for each in schema.get("enum", [schema.get("const")]))
    elif schema.get("type") == "array":
        yield f"list of {_said(schema.get('items', {}))}"
    else:
        yield escape(str(schema.get("type", "anything")))


def _link(name: str) -> str:
    return f'<a href="#{name}">{name}</a>'


def _name(reference: str) -> str:
    return reference.rpartition("/")[2]


def _words(description: str | None) -> str:
    return f": {escape(description)}" if description else ""
