"""Reads a page of ours, for tests: it must be well-formed."""

from html.parser import HTMLParser

VOID = {"meta", "link", "br", "img", "input", "hr"}


class Read(HTMLParser):
    """Elements with their attributes, and the text under each element's path."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.elements: list[tuple[str, dict[str, str]]] = []
        self.texts: list[tuple[str, str]] = []
        self.path: list[str] = []
        self.feed(text)
        assert self.path == [], "elements that are not closed"

    def handle_starttag(self, tag, attrs):
        self.elements.append((tag, {name: value or "" for name, value in attrs}))
        if tag not in VOID:
            self.path.append(tag)

    def handle_startendtag(self, tag, attrs):
        self.elements.append((tag, {name: value or "" for name, value in attrs}))

    def handle_endtag(self, tag):
        assert self.path.pop() == tag

    def handle_data(self, data):
        if data.strip():
            self.texts.append((self.path[-1] if self.path else "", " ".join(data.split())))

    def all(self, tag: str) -> list[dict[str, str]]:
        return [attributes for name, attributes in self.elements if name == tag]

    def said(self, *tags: str) -> list[str]:
        return [text for tag, text in self.texts if not tags or tag in tags]

    def facts(self) -> dict[str, str]:
        """The head of the page: all before its first link."""
        texts = self.texts[: [tag for tag, _ in self.texts].index("a")]
        return {
            name: value
            for (tag, name), (_, value) in zip(texts, texts[1:], strict=False)
            if tag == "dt"
        }
