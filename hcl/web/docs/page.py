"""The page that explains the APIs to people, made from the OpenAPI document."""

import json
import re
import shlex
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from functools import cache, lru_cache
from http import HTTPStatus
from itertools import groupby
from pathlib import Path
from typing import Any

import jinja2
from markupsafe import Markup, escape

from hcl.web.openapi.document import Facts, document

Node = dict[str, Any]

_KEYS = {
    ("readWriteKey", "readOnlyKey"): "Any key",
    ("readWriteKey",): "Read-write key",
    ("readOnlyToken",): "Read-only key",
    ("metricsKey",): "Metrics key",
    (): "No key",
}
# The longest example that stands in one line, in characters.
_CURL_WIDTH = 72

_TYPES = {"boolean": "true or false", "integer": "whole number"}


@dataclass(frozen=True, slots=True)
class Field:
    """A parameter, or a member of a JSON object."""

    name: str
    type: Markup
    description: str
    note: str = ""


@dataclass(frozen=True, slots=True)
class Answer:
    """One status that an operation may answer with; `type` is its body's."""

    status: str
    phrase: str
    description: str
    type: Markup


@dataclass(frozen=True, slots=True)
class Operation:
    """What one URL does, by all the methods that do the same there."""

    id: str
    methods: list[str]
    path: str
    summary: str
    description: str
    key: str
    parameters: list[Field]
    body: str
    fields: list[Field]
    answers: list[Answer]
    curl: str


@dataclass(frozen=True, slots=True)
class Section:
    """The operations of one tag."""

    id: str
    name: str
    description: str
    operations: list[Operation]


# One for each theme.
@lru_cache(maxsize=3)
def render(facts: Facts, site_name: str, theme: str, *, has_pages: bool) -> str:
    """Return the page; `has_pages` tells whether there is a dashboard to lead to."""
    doc = document(facts)
    operations = list(_operations(doc, facts))
    return (
        _templates()
        .get_template("docs.html")
        .render(
            site_name=site_name,
            theme=theme,
            has_pages=has_pages,
            version=doc["info"]["version"],
            root=facts.root,
            description=doc["info"]["description"],
            sections=[
                Section(
                    id=tag["name"].lower(),
                    name=tag["name"],
                    description=tag["description"],
                    operations=[
                        found for name, found in operations if name == tag["name"]
                    ],
                )
                for tag in doc["tags"]
            ],
            schemas=[
                (name, schema["description"], list(_fields(schema)))
                for name, schema in doc["components"]["schemas"].items()
                if name not in _REQUESTS
            ],
        )
    )


@cache
def style() -> bytes:
    """Return the page's style sheet, with the colours and sizes of all pages."""
    here = Path(__file__).parent
    tokens, own = here.parent / "pages/static/tokens.css", here / "static/docs.css"
    return tokens.read_bytes() + own.read_bytes()


@cache
def _templates() -> jinja2.Environment:
    environment = jinja2.Environment(
        loader=jinja2.PackageLoader("hcl.web.docs"),
        autoescape=True,
        undefined=jinja2.StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.filters["prose"] = _prose
    environment.filters["inline"] = _inline
    environment.filters["path"] = _path
    return environment


def _inline(text: str) -> Markup:
    """Make HTML of a line with `code` and **strong** words, as CommonMark has them."""
    marked = re.sub(r"`([^`]+)`", r"<code>\1</code>", str(escape(text)))
    marked = re.sub(r"\*\*([^*]+)\*\*", r"<strong>\1</strong>", marked)
    return Markup(marked)  # noqa: S704 - escaped above


def _path(text: str) -> Markup:
    """Let a path break at its slashes, where a screen is narrow."""
    return Markup("/<wbr>").join(text.split("/"))


def _prose(text: str) -> Markup:
    """Make HTML of paragraphs with an empty line between them."""
    return Markup("\n").join(
        Markup("<p>{}</p>").format(_inline(paragraph))
        for paragraph in text.strip().split("\n\n")
    )


# They are shown where they are sent.
_REQUESTS = ("NewCheck", "CheckChanges", "Mute")


def _operations(doc: Node, facts: Facts) -> Iterator[tuple[str, Operation]]:
    """Return the operations with their tags; methods that do the same are one."""
    for path, item in doc["paths"].items():
        named = [(method, item[method]) for method in item if method != "parameters"]
        for _, group in groupby(named, lambda pair: pair[1]["summary"]):
            found = dict(group)
            method, first = next(iter(found.items()))
            parameters = [*item.get("parameters", []), *first.get("parameters", [])]
            body = _body(found.values())
            needs = tuple(name for need in first["security"] for name in need)
            operation = Operation(
                id=first["operationId"],
                methods=[name.upper() for name in found],
                path=path,
                summary=first["summary"],
                description=first["description"],
                key=_KEYS[needs],
                parameters=[_parameter(node) for node in parameters],
                body=body.get("description", ""),
                fields=list(_body_fields(doc, body)),
                answers=list(_answers(doc, first["responses"])),
                curl=_curl(method, _url(path, parameters, facts), needs, body),
            )
            yield first["tags"][0], operation


def _body(operations: Iterable[Node]) -> Node:
    # Of methods that do the same only POST has one.
    bodies = (found["requestBody"] for found in operations if "requestBody" in found)
    return next(bodies, {})


def _parameter(node: Node) -> Field:
    return Field(
        name=node["name"],
        type=_type(node["schema"]),
        description=node["description"],
        note="in the path" if node["in"] == "path" else "in the query",
    )


def _body_fields(doc: Node, body: Node) -> Iterator[Field]:
    content = body.get("content", {}).get("application/json")
    if content is not None:
        yield from _fields(_resolved(doc, content["schema"]))


def _fields(schema: Node) -> Iterator[Field]:
    required = schema.get("required", ())
    for name, node in schema["properties"].items():
        notes = []
        if "default" in node:
            notes.append(f"default {json.dumps(node['default'])}")
        if node.get("deprecated"):
            notes.append("deprecated")
        if required and name not in required:
            notes.append("not always there")
        yield Field(name, _type(node), node["description"], ", ".join(notes))


def _answers(doc: Node, responses: Node) -> Iterator[Answer]:
    for status, node in sorted(responses.items()):
        answer = _resolved(doc, node)
        content = answer.get("content", {})
        types = [_answer_type(name, media["schema"]) for name, media in content.items()]
        yield Answer(
            status=status,
            phrase=HTTPStatus(int(status)).phrase,
            description=answer["description"],
            type=Markup(" or ").join(types),
        )


def _answer_type(media_type: str, schema: Node) -> Markup:
    # Of text there is nothing to say, unless it is always the same.
    if schema in ({}, {"type": "string"}):
        return escape(media_type)
    return _type(schema)


def _resolved(doc: Node, node: Node) -> Node:
    while "$ref" in node:
        found: Node = doc
        for key in node["$ref"].removeprefix("#/").split("/"):
            found = found[key]
        node = found
    return node


def _type(schema: Node) -> Markup:
    """Say in a few words what a value has to be."""
    if "$ref" in schema:
        name = schema["$ref"].rpartition("/")[2]
        return Markup('<a href="#{}">{}</a>').format(f"schema-{name.lower()}", name)
    if "const" in schema:
        return escape(json.dumps(schema["const"]))
    if "enum" in schema:
        return escape(" or ".join(json.dumps(value) for value in schema["enum"]))
    if schema.get("type") == "array":
        return Markup("list of {}").format(_type(schema["items"]))
    if schema.get("type") == "object":
        return _object_type(schema)
    types = schema.get("type", [])
    names = [types] if isinstance(types, str) else types
    return escape(
        " or ".join(_TYPES.get(name, name) for name in names) + _bounds(schema)
    )


def _object_type(schema: Node) -> Markup:
    if "properties" in schema:
        # What is there only when something is wrong is told in words.
        [name] = schema["required"]
        value = schema["properties"][name]
        return Markup('{{"{}": {}}}').format(name, _type(value))
    if "additionalProperties" in schema:
        return Markup("{{tag: {}, …}}").format(_type(schema["additionalProperties"]))
    return Markup("object")


def _bounds(schema: Node) -> str:
    if "maximum" in schema:
        return f", {schema['minimum']} to {schema['maximum']}"
    if "minLength" in schema:
        return f", {schema['minLength']} characters"
    if "maxLength" in schema:
        return f", up to {schema['maxLength']} characters"
    return ""


def _url(path: str, parameters: list[Node], facts: Facts) -> str:
    for node in parameters:
        if node["in"] == "path":
            path = path.replace("{" + node["name"] + "}", str(node["example"]))
    if path.startswith("/ping/"):
        return facts.ping_endpoint + path.removeprefix("/ping/")
    return facts.root + path


_KEY_HEADERS = {
    "metricsKey": "X-Metrics-Key: $KEY",
    "readOnlyToken": "Authorization: Bearer $KEY",
}


def _curl(method: str, url: str, needs: tuple[str, ...], body: Node) -> str:
    words = ["curl"]
    if needs:
        header = _KEY_HEADERS.get(needs[0], "X-Api-Key: $KEY")
        words.append(f'-H "{header}"')
    json_example = body.get("content", {}).get("application/json", {}).get("example")
    text_example = body.get("content", {}).get("text/plain", {}).get("example")
    if json_example:
        words.append(f"-d {shlex.quote(json.dumps(json_example))}")
    elif text_example:
        words.append(f"--data-raw {shlex.quote(text_example)}")
    elif method == "head":
        words.append("-I")
    elif method != "get":
        words.append(f"-X {method.upper()}")
    words.append(shlex.quote(url))
    line = " ".join(words)
    return line if len(line) < _CURL_WIDTH else " \\\n  ".join(words)
