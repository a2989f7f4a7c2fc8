"""The HTML page that answers a report sent by a browser."""

from base64 import b64encode
from collections.abc import Sequence
from hashlib import sha256
from html import escape
from string import Template
from typing import Final

# Colors and shapes of Home Assistant's default theme
_STYLE: Final = """
:root { color-scheme: light dark; --back: #fafafa; --card: #fff; --line: #e0e0e0;
  --text: #141414; --second: #5e5e5e; --good: #0b7a34; --bad: #b3261e; }
@media (prefers-color-scheme: dark) {
  :root { --back: #111; --card: #1c1c1c; --line: #383838; --text: #e1e1e1;
    --second: #9b9b9b; --good: #6cd28f; --bad: #ff8a80; }
}
body { margin: 0; padding: 16px; background: var(--back); color: var(--text);
  font: 16px/1.5 Roboto, system-ui, sans-serif; }
main { max-width: 448px; margin: 8vh auto; padding: 24px; background: var(--card);
  border: 1px solid var(--line); border-radius: 12px; overflow-wrap: anywhere; }
h1 { margin: 0; font-size: 20px; font-weight: 500; color: var(--bad); }
.taken h1 { font-size: 40px; font-weight: 400; line-height: 1.2; color: var(--good); }
p { margin: 8px 0 0; }
.taken p + p, footer { color: var(--second); }
footer { margin-top: 24px; font-size: 14px; }
"""
_PAGE: Final = Template("""\
<!doctype html>
<html lang="$language">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width">
<title>$title</title>
<style>$style</style>
</head>
<body>
<main class="$kind">
<h1>$title</h1>
$paragraphs
<footer>ESP Weather</footer>
</main>
</body>
</html>
""")

# No scripts, no resources, and only this style
PAGE_POLICY: Final = (
    "default-src 'none'; base-uri 'none'; form-action 'none'; frame-ancestors 'none';"
    f" style-src 'sha256-{b64encode(sha256(_STYLE.encode()).digest()).decode()}'"
)


def render_page(
    language: str, title: str, paragraphs: Sequence[str], *, taken: bool
) -> str:
    """Return the HTML of the page, to be sent with PAGE_POLICY.

    `title` and `paragraphs` are plain text in `language`. If `taken`, the title is the
    reported value and the paragraphs are its station and time; otherwise they
    say why not and what to do next.
    """
    return _PAGE.substitute(
        language=escape(language),
        title=escape(title),
        style=_STYLE,
        kind="taken" if taken else "refused",
        paragraphs="\n".join(f"<p>{escape(each)}</p>" for each in paragraphs),
    )
