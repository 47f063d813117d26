"""What changed between two models: the answers of `coppice compare --answers`, side by side, as a part of a page."""
import json

from . import page
from .page import text

MOST_CHANGED = 200  # examples of a kind that are shown
MOST_OTHERS = 20
FIELDS = {"example": {"example": int, "change": str, "prompt": str}, "off_task": {"prompt": str, "identical": bool}, "summary": {"summary": dict}}
ANSWER = {"example": {"response": str, "reward": (int, float), "correct": bool, "form": (bool, type(None)), "tokens": int},
          "off_task": {"response": str, "tokens": int}}
FIGURES = ("task", "data", "models", "examples", "base", "result", "gain", "gain_95", "mcnemar_p", "fixed", "broken", "fixed_by",
           "broken_by", "off_task")

CSS = """
.pair { display: grid; grid-template-columns: 1fr 1fr; gap: .3em .8em; margin: 0 0 1.4em; break-inside: avoid; }
.pair > p { grid-column: 1 / 3; margin: .2em 0; } .pair pre { margin: 0; padding: .4em .6em; background: #f6f6f6; }
.pair pre, .pair .asked { white-space: pre-wrap; overflow-wrap: anywhere; font: 13px/1.4 ui-monospace, monospace; }
.pair .right { border-left: .3em solid #009e73; } .pair .wrong { border-left: .3em solid #d55e00; }
.pair .told { color: #444; font-size: .92em; }
@media (max-width: 40em) { .pair { display: block; } .pair pre { margin-bottom: .3em; } }
"""


class NotAComparison(Exception):
    pass


def has(value, fields):
    return isinstance(value, dict) and all(isinstance(value.get(name, check), kind) for name, kind in fields.items())


def check(line, number, path):
    kinds = [kind for kind in FIELDS if isinstance(line, dict) and kind in line]
    if (len(kinds) != 1 or not has(line, FIELDS[kinds[0]])
            or any(not has(line.get(side), ANSWER[kinds[0]]) for side in ("base", "result") if kinds[0] in ANSWER)):
        raise NotAComparison(f"{path}:{number}: not a line of coppice compare --answers")
    return kinds[0]


def read(path):
    """The examples, the prompts off the task and the summary of a file."""
    found = {"example": [], "off_task": [], "summary": []}
    try:
        with open(path, encoding="utf-8") as file:
            for number, row in enumerate(file, 1):
                line = json.loads(row)
                found[check(line, number, path)].append(line)
    except (OSError, ValueError, TypeError) as problem:
        raise NotAComparison(f"{path}: {problem}") from problem
    if len(found["summary"]) != 1 or not all(name in found["summary"][0]["summary"] for name in FIGURES):
        raise NotAComparison(f"{path}: it has no summary at its end, so it is not whole: run coppice compare again")
    return found["example"], found["off_task"], found["summary"][0]["summary"]


def share(value):
    return "none" if value is None else f"{value:.3f}"


def form_of(answer):
    return "" if answer["form"] is None else ", in form" if answer["form"] else ", not in form"


def side(name, answer):
    kind = "right" if answer["correct"] else "wrong"
    told = f"{name}: {kind}{form_of(answer)}, {answer['tokens']} tokens, reward {answer['reward']:g}"
    return f'<div><span class="told">{text(told)}</span><pre class="{kind}">{text(answer["response"])}</pre></div>'


def pair(line):
    reference = line.get("reference")
    wanted = reference if isinstance(reference, str) else json.dumps(reference, ensure_ascii=False)
    return (f'<div class="pair"><p class="told">example {line["example"] + 1}</p><p class="asked">{text(line["prompt"])}</p>'
            f'<p class="told">reference: {text(wanted)}</p>{side("base", line["base"])}{side("result", line["result"])}</div>')


def prompt_pair(line):
    parts = "".join(f'<div><span class="told">{name}: {line[name]["tokens"]} tokens</span><pre>{text(line[name]["response"])}</pre></div>'
                    for name in ("base", "result"))
    return f'<div class="pair"><p class="asked">{text(line["prompt"])}</p>{parts}</div>'


def causes(name, count, by, who):
    if not count or by["other"] == count:
        return ""
    return (f"<p>Of {count} {name}, in {by['content']} {who} had the form and was wrong in it (content), in {by['form']} it lacked "
            f"the form (form), {by['other']} neither.</p>")


def name_of(model):
    return f"{model['recipe']} on {model['model']}" if "recipe" in model else model["model"]


def figures(s):
    forms = s["base"]["form_share"] is not None or s["result"]["form_share"] is not None
    head = ["", "accuracy", "95% interval", "reward", "tokens an answer"]
    rows = [[name, f"{side['accuracy']:.3f}", "{:.3f} .. {:.3f}".format(*side["accuracy_95"]), f"{side['reward']:.4f}", f"{side['tokens']:.1f}"]
            for name, side in (("base", s["base"]), ("result", s["result"]))]
    if forms:
        head += ["in form", "right of those", "right without form"]
        for row, of in zip(rows, (s["base"], s["result"])):
            row += [share(of["form_share"]), share(of["content_share"]), of["no_form_correct"]]
    yield page.facts([("base", name_of(s["models"]["base"])), ("result", name_of(s["models"]["result"])),
                      ("asked", f"{s['task']}, {s['data']}"), ("form", s.get("form") or "no form")])
    yield page.table(head, rows)
    yield (f"<p>Gain {s['gain']:+.3f} (95%, paired: {s['gain_95'][0]:+.3f} .. {s['gain_95'][1]:+.3f}; p {s['mcnemar_p']:.3g} by McNemar's "
           f"exact test): {s['fixed']} fixed, {s['broken']} broken of {s['examples']}.</p>")
    yield causes("fixed", s["fixed"], s["fixed_by"], "the base")
    yield causes("broken", s["broken"], s["broken_by"], "the result")
    off = s["off_task"]
    if off and off["prompts"]:
        words = ("" if off["common_prefix_tokens"] is None else
                 f"; alike in the first {off['common_prefix_tokens']:.1f} tokens of {off['base_tokens']:.1f} on average")
        yield f"<p>Off the task, {off['identical']} of {off['prompts']} answers are identical ({off['identical_share']:.3f}){words}.</p>"


def shown(title, lines, most, draw):
    if not lines:
        return
    of = f", {most} of {len(lines)}" if len(lines) > most else f", {len(lines)}"
    yield f"<h3>{title}{of}</h3>"
    yield from (draw(line) for line in lines[:most])


def add(target, path):
    """Adds what a file of `coppice compare --answers` tells to a page."""
    examples, prompts, summary = read(path)
    target.add(f"<style>{CSS}</style><h2>What changed</h2>")
    try:
        for part in figures(summary):
            target.add(part)
    except (KeyError, TypeError, ValueError) as problem:
        raise NotAComparison(f"{path}: its summary is not one of coppice compare: {problem!r}") from problem
    for change, most in (("fixed", MOST_CHANGED), ("broken", MOST_CHANGED), ("both wrong", MOST_OTHERS), ("both right", MOST_OTHERS)):
        for part in shown(change.capitalize(), [line for line in examples if line["change"] == change], most, pair):
            target.add(part)
    for same in (False, True):
        title = "Off the task, alike" if same else "Off the task, different"
        for part in shown(title, [line for line in prompts if line["identical"] == same], MOST_OTHERS, prompt_pair):
            target.add(part)
