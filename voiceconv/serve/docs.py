"""/api/docs: the endpoints of the OpenAPI description as a plain page of this server alone."""

from collections.abc import Iterator, Mapping
from html import escape
from typing import Any


def docs_page(described: Mapping[str, Any]) -> str:
    """HTML of an OpenAPI description."""
    title = escape(described["info"]["title"])
    return "\n".join(
        [
            '<!doctype html><html lang="en"><meta charset="utf-8">',
            f"<title>{title}</title><h1>{title}</h1>",
            '<p>The description for programs: <a href="openapi.json">openapi.json</a></p>',
            *_endpoints(described["paths"]),
            "</html>",
        ]
    )


def _endpoints(paths: Mapping[str, Any]) -> Iterator[str]:
    for path, methods in paths.items():
        for method, one in methods.items():
            yield f"<h2><code>{method.upper()} {escape(path)}</code></h2>"
            yield f"<p>{escape(one.get('description', ''))}</p>"
            given = [_parameter(each) for each in one.get("parameters", [])]
            if given:
                yield f"<ul>{''.join(given)}</ul>"


def _parameter(one: Mapping[str, Any]) -> str:
    need = "needed" if one.get("required") else "optional"
    more = f": {escape(one['description'])}" if "description" in one else ""
    return f"<li><code>{escape(one['name'])}</code> ({one['in']}, {need}){more}</li>"
