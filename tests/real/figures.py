"""How long loading, answering and tokenizing take. Whole processes, the files in the page cache."""
import ast
import json
import os

LIMITS_S = {"small": 0.3, "real": 2.0}
# Of a tokenizer: most seconds to load, least MB/s. With five times the words and nothing that cuts a text into
# words before it is merged, tokenizers 0.23 takes 0.5 MB/s.
TOKENIZER_LIMITS = (0.5, 5.0)
LARGE, LARGE_TOKENIZER_LIMITS = 200000, (1.5, 1.0)
QUESTION = "What is the capital of France? Answer in one sentence."
SMALL_QUESTION = "Tom has 3 pens. Tom buys 4 more. How many pens does Tom have?"


def english_text(site_packages, size):
    """Prose without repeats: the docstrings of the Python packages that are there anyway."""
    parts, total = [], 0
    for folder, folders, files in os.walk(site_packages):
        folders.sort()
        for name in sorted(files):
            if not name.endswith(".py") or total >= size:
                continue
            with open(os.path.join(folder, name), encoding="utf-8", errors="ignore") as file:
                try:
                    tree = ast.parse(file.read())
                except (SyntaxError, ValueError):
                    continue
            for node in ast.walk(tree):
                if isinstance(node, (ast.Module, ast.ClassDef, ast.FunctionDef)):
                    text = ast.get_docstring(node) or ""
                    if len(text) > 200:
                        parts.append(text)
                        total += len(text.encode())
    return "\n\n".join(parts)


def answer_time(program, folder, compute, question, tokens):
    """Fastest time of a whole process that loads a model and answers one question."""
    line = json.dumps({"messages": [{"role": "user", "content": question}]}) + "\n"
    seconds, out = program.seconds("generate", "--model", folder, "--compute", compute,
                                   "--max-new-tokens", tokens, text_in=line)
    answer = json.loads(out)
    print(f"* {os.path.basename(os.path.normpath(folder))}, --compute {compute}: {seconds:.3f} s from start "
          f"to end of an answer of {len(answer['ids'])} tokens ({answer['finish']})", flush=True)
    return seconds


def tokenizer_time(tally, program, folder, english):
    with open(os.path.join(folder, "tokenizer.json"), encoding="utf-8") as file:
        words = len(json.load(file)["model"]["vocab"])
    most, least = LARGE_TOKENIZER_LIMITS if words > LARGE else TOKENIZER_LIMITS
    load, _ = program.seconds("tokenize", "--model", folder)
    size = len(english.encode())
    both, _ = program.seconds("tokenize", "--model", folder, text_in=json.dumps(english) + "\n")
    speed = size / 1e6 / max(both - load, 1e-9)
    print(f"* tokenizer: {load:.3f} s to load (the whole process), {speed:.1f} MB/s on "
          f"{size / 1e6:.1f} MB of English, reading and printing JSON included")
    tally.check(load < most, "the tokenizer loads in time", load)
    tally.check(speed > least, f"and encodes over {least} MB/s", speed)


def print_all(tally, program, options, long_question, english, ends):
    """`ends`: the model's answers end by themselves, and one can be waited for."""
    seconds = answer_time(program, options.model, "auto", QUESTION, 256)
    if ends:
        tally.check(seconds < LIMITS_S["real"], f"the model answers in under {LIMITS_S['real']} s", seconds)
    answer_time(program, options.model, "auto", long_question, 64)
    answer_time(program, options.model, "f32", QUESTION, 256)
    if options.small:
        seconds = answer_time(program, options.small, "auto", SMALL_QUESTION, 256)
        tally.check(seconds < LIMITS_S["small"], f"the small one in under {LIMITS_S['small']} s", seconds)
    else:
        print("skipped: the time of a small model; COPPICE_REAL_SMALL names its directory")
    tokenizer_time(tally, program, options.model, english)
