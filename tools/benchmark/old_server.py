"""The old server for comparison: Flask, storing each report in SQLite.

Rewritten from the description of the original: check, insert, commit, render, with
a connection of its own for each request.
"""

from contextlib import closing
import os
import sqlite3

from flask import Flask, abort, render_template_string

DATABASE = os.environ["OLD_SERVER_DATABASE"]
KEY = "PHDNGI2345"
PAGE = """<!doctype html>
<title>{{ mac }}</title>
<h1>{{ data }}</h1>
<p>Field {{ field }} of {{ mac }}</p>
"""

app = Flask(__name__)

with closing(sqlite3.connect(DATABASE)) as connection:
    connection.execute(
        "CREATE TABLE IF NOT EXISTS readings (id INTEGER PRIMARY KEY, mac TEXT,"
        " field INTEGER, data REAL, time TIMESTAMP DEFAULT CURRENT_TIMESTAMP)"
    )


def update(key: str, mac: str, field: int, data: str) -> str:
    """Store a reading and show it."""
    # Each station of the benchmark has a key of its own that begins with this one.
    if not key.startswith(KEY) or len(mac) != 17 or not 1 <= field <= 9:
        abort(403)
    try:
        value = round(float(data), 4)
    except ValueError:
        abort(400)
    with closing(sqlite3.connect(DATABASE, timeout=30)) as connection:
        connection.execute(
            "INSERT INTO readings (mac, field, data) VALUES (?, ?, ?)",
            (mac, field, value),
        )
        connection.commit()
    return str(render_template_string(PAGE, mac=mac, field=field, data=value))


app.add_url_rule(
    "/update/API_key=<key>/mac=<mac>/field=<int:field>/data=<data>", view_func=update
)
