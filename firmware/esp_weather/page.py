"""The page of the portal: a form for the settings, in the phone's language."""

LANGUAGES = ("en", "de", "es", "fr")

_STYLE = (
    "<style>:root{color-scheme:light dark}"
    "body{font:1rem/1.4 sans-serif;max-width:26rem;margin:auto;padding:1rem}"
    "h1{font-size:1.4rem}label{display:block;margin:1rem 0}input,select,button{display:block;font:inherit;"
    "box-sizing:border-box;width:100%;padding:.5rem;margin-top:.2rem}"
    ".e{color:#d33;font-weight:bold}</style>"
)
# What the QR code of Home Assistant has behind the #, which is not sent anywhere. The
# browser keeps it for the next attempt: the board shows the key to nobody.
_SCRIPT = (
    "<script>let a=new URLSearchParams(location.hash.slice(1)),f=document.forms[0],"
    "s=sessionStorage,h=a.get('host');f.key.value=a.get('key')||s.espKey||'';"
    "if(h)f.server.value=(a.get('tls')?'https://':'http://')+h+':'+"
    "(a.get('port')||8123);f.onsubmit=()=>{s.espKey=f.key.value}</script>"
)


def language_of(header: str) -> str:
    """Return the first language of an Accept-Language header that has texts here."""
    for part in header.split(","):
        language = part.strip()[:2].lower()
        if language in LANGUAGES:
            return language
    return "en"


def texts_in(language: str) -> dict[str, str]:
    """Return the texts in a language, the only one that is loaded."""
    name = "texts_" + language
    texts: dict[str, str] = __import__("esp_weather." + name, None, None, (name,)).TEXTS
    return texts


def message(language: str, title: str, text: str):  # type: ignore[no-untyped-def]
    """Yield the pieces of a page with one text, which is loaded again and again."""
    yield from _head(language, title)
    yield '<meta http-equiv="refresh" content="3;url=/">'
    yield "<p>%s</p>" % texts_in(language)[text]


def form(  # type: ignore[no-untyped-def]
    language: str, title: str, error: str, networks: list, is_open: bool, known: dict
):
    """Yield the pieces of the page with the form.

    `networks` are the names of those in reach. `known` has what was entered, such as
    `ssid`, and whether a key and an address are there that may stay: `keeps`.
    """
    texts = texts_in(language)
    yield from _head(language, title)
    if error:
        yield '<p class="e">%s</p>' % texts[error]
    yield "<p>%s</p>" % texts["intro"]
    if is_open:
        yield "<p>%s</p>" % texts["open"]
    yield '<form method="post" action="/"><label>%s<select name="ssid">' % texts["wifi"]
    ssid = known["ssid"]
    for name in networks:
        chosen = " selected" if name == ssid else ""
        yield '<option value="%s"%s>%s</option>' % (escape(name), chosen, escape(name))
    yield '<option value="">%s</option></select></label>' % texts["network"]
    other = "" if ssid in networks else ssid
    yield _input(texts["other"], "other", other, 'maxlength="32"', "")
    yield '<p><a href="/?scan">%s</a></p>' % texts["again"]
    yield _input(texts["password"], "password", "", 'type="password"', "")
    hint = texts["keep"] if known["keeps"] else texts["find"]
    yield _input(texts["server"], "server", known["server"], "", hint)
    hint = texts["keep"] if known["keeps"] else texts["source"]
    yield _input(texts["key"], "key", "", 'maxlength="64"', hint)
    yield "<button>%s</button></form>" % texts["save"]
    yield _SCRIPT


def _head(language: str, title: str):  # type: ignore[no-untyped-def]
    yield '<!doctype html><html lang="%s"><meta charset="utf-8">' % language
    yield '<meta name="viewport" content="width=device-width"><title>%s</title>' % title
    yield _STYLE
    yield "<h1>%s</h1>" % title


def _input(label: str, name: str, value: str, more: str, hint: str) -> str:
    return '<label>%s<input name="%s" value="%s" placeholder="%s" %s></label>' % (
        label,
        name,
        escape(value),
        hint,
        more + ' autocapitalize="none" autocomplete="off"',
    )


def escape(text: str) -> str:
    """Escape a text for HTML."""
    text = text.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")
    return text.replace('"', "&quot;")
