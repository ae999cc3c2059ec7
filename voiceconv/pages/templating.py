"""Templates of the pages; they escape all values."""

import jinja2


def template(name: str, package: str = "voiceconv.report") -> jinja2.Template:
    """A template of a package; it may include and extend templates of `voiceconv.report`."""
    packages = dict.fromkeys([package, "voiceconv.report"])
    return jinja2.Environment(
        loader=jinja2.ChoiceLoader([jinja2.PackageLoader(one) for one in packages]),
        autoescape=True,
        trim_blocks=True,
        lstrip_blocks=True,
        undefined=jinja2.StrictUndefined,
    ).get_template(name)
