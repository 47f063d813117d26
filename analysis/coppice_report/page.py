"""One HTML page that needs nothing else: pictures within it, tables that can be copied."""
import base64
import html
import inspect
import os
import re

from . import style

CSS = """
body { font: 15px/1.45 system-ui, sans-serif; max-width: 66em; margin: 2em auto; padding: 0 1em; color: #111; }
h1 { font-size: 1.5em; } h2 { font-size: 1.2em; margin-top: 2em; border-bottom: 1px solid #ccc; }
table { border-collapse: collapse; margin: .6em 0; font-size: .92em; font-variant-numeric: tabular-nums;
        display: block; overflow-x: auto; }
th, td { padding: .2em .55em; border-bottom: 1px solid #ddd; text-align: right; }
td { white-space: nowrap; }
th:first-child, td:first-child, table.facts td { text-align: left; }
table.facts td { white-space: normal; overflow-wrap: anywhere; } table.facts th { font-weight: normal; }
p, figure { max-width: 56em; } figure { margin: 1.2em 0; } figcaption { color: #444; font-size: .92em; } img { max-width: 100%; height: auto; }
p.verdict { border-left: .3em solid #0072b2; padding-left: .8em; }
@media print { figure, tr { break-inside: avoid; } body { margin: 0; font-size: 11px; } table { display: table; } }
"""


def caption(function):
    return " ".join(inspect.getdoc(function).split())


def text(value):
    """A text of whatever origin as HTML: its characters and nothing else, those that no page may have replaced."""
    clean = re.sub("[\x00-\x08\x0b-\x1f\x7f-\x9f\ud800-\udfff\ufffe\uffff]", "\ufffd", value.replace("\r\n", "\n"))
    return html.escape(clean)


def table(head, rows):
    cells = "".join(f'<th scope="col">{text(str(cell))}</th>' for cell in head)
    lines = ["<tr>" + "".join(f"<td>{text(str(cell))}</td>" for cell in row) + "</tr>" for row in rows]
    return f"<table><thead><tr>{cells}</tr></thead><tbody>" + "\n".join(lines) + "</tbody></table>"


def facts(rows):
    """A table of names and what each is, in words."""
    lines = [f'<tr><th scope="row">{text(name)}</th><td>{text(str(what))}</td></tr>' for name, what in rows]
    return '<table class="facts">' + "\n".join(lines) + "</table>"


class Page:
    """Collects parts; pictures are written beside the page as well, for papers and slides."""

    def __init__(self, folder):
        self.folder = folder
        self.parts = []
        self.pictures = []

    def add(self, text):
        self.parts.append(text)

    def picture(self, function, argument, prefix):
        """Draws function(argument); False where it has nothing to show."""
        drawn = function(argument)
        if drawn is None:
            return False
        name = f"{prefix}{function.__name__}.png"
        path = os.path.join(self.folder, name)
        drawn.savefig(path)
        style.close(drawn)
        self.pictures.append(path)
        with open(path, "rb") as file:
            data = base64.b64encode(file.read()).decode("ascii")
        words = html.escape(caption(function))
        self.add(f'<figure><img alt="{words}" src="data:image/png;base64,{data}"><figcaption>{words}</figcaption></figure>')
        return True

    def write(self, title):
        path = os.path.join(self.folder, "report.html")
        with open(path, "w", encoding="utf-8") as file:
            file.write(f'<!DOCTYPE html>\n<html lang="en"><head><meta charset="utf-8">'
                       f'<meta name="viewport" content="width=device-width"><title>{text(title)}</title>'
                       f"<style>{CSS}</style></head><body>\n<h1>{text(title)}</h1>\n")
            file.write("\n".join(self.parts))
            file.write("\n</body></html>\n")
        return path
